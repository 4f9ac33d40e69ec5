"""`convscope.dream`: what a network sees in a photograph, painted into it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from convscope.errors import InputError, Stopped
from convscope.methods.calls import check_seed, plain_number, recipe_of
from convscope.methods.explain import in_words
from convscope.methods.frames import Frames
from convscope.methods.measuring import measured
from convscope.methods.options import MOST_SEED, About
from convscope.methods.presets import DREAM, LUCID, filled
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, open_photograph
from convscope.models.spec import InputSpec
from convscope.objectives.expression import Objective
from convscope.objectives.likeness import Keep
from convscope.objectives.text import ensure_objective
from convscope.progress import Progress, Watch, unwatched
from convscope.results.pictures import Pictures
from convscope.synthesis.gradients import parse_changes
from convscope.synthesis.making import ImageKind, Making, Moment, begun, make
from convscope.synthesis.optimisers import OptimiserName
from convscope.synthesis.plan import runs_at
from convscope.synthesis.schedule import Size, parse_schedule
from convscope.synthesis.tiles import Tiles
from convscope.synthesis.transforms import Crops, Transform
from convscope.taps.tap import SCORES_TAP

Target = Objective | str | int
MOST_UNASKED = 640
"""The long side where no size is asked for."""


def dream(
    net: Network,
    image: ImageLike | Photograph,
    target: Target | None = None,
    *,
    preset: Annotated[str, About("draft, default, fine, or gerretsen")] = "default",
    size: Annotated[int | None, About("pixels on the long side; the photograph's own, at most 640", 64, 8192)] = None,
    schedule: Annotated[str | None, About("octaves(4,1.4), zoom(3,1.2), single, grow(64,1.2)")] = None,
    steps: Annotated[int | None, About("steps at each size of the schedule", 1, 10000)] = None,
    rate: Annotated[float | None, About("how far each step goes", 1e-6, 100)] = None,
    picture: Annotated[ImageKind | None, About("what is optimised: raw values, frequencies, pixels, ...")] = None,
    optimiser: Annotated[OptimiserName | None, About("what moves the picture")] = None,
    gradient: Annotated[str | None, About("plain, or some of rms, clip(1), smooth(1)")] = None,
    tile: Annotated[
        int, About("pixels on the side of a tile; memory goes with it, not with the picture", 64, 4096)
    ] = 512,
    keep: Annotated[float | None, About("how much the photograph's own features are kept, 0 to 100", 0, 100)] = None,
    strength: Annotated[float, About("how much of the dream is laid over the photograph", 0, 1)] = 1.0,
    mask: Annotated[str | ImageLike | None, About("a picture that is white where the dream may go")] = None,
    frames: Annotated[str | None, About("steps to keep as frames: '0,7,15,30', 'every 5' or 'all'")] = None,
    zoom: Annotated[int, About("frames of an endless zoom into the dream", 0, 2000)] = 0,
    seed: Annotated[int, About("of all that is random", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Pictures:
    """A photograph, altered so that a target answers more and more.

    target: a layer, "blocks.7" (Deep Dream: the mean square of all it answers; a weighted sum of several is a mixture),
    a channel "blocks.7:20", or a class "class:robin" (Lucid dream). Unless given, a layer two thirds down.

    A layer's or channel's dream is made by plain gradient steps on the pixels, over octaves, looked at in shifted
    tiles; so its size is free. A class's is made by looking at random crops of the whole.

    keep: holds on to what a middle layer saw in the photograph. zoom: after the dream, so many frames that go ever
    deeper into it, dreaming on; they follow the other frames.

    Returns `images` (`1 h w c` in [0,1]), `values` (the target on the finished picture), and `frames` where asked for.
    Raises Stopped on Ctrl-C, whose `result` holds what was done.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism" (2015); for classes, Gerretsen et al., "Visualization methods
    for convolutional networks" (2019), section 4.2; the identity term of Hamblin et al., "Feature Accentuation" (2024).
    """
    check_seed(seed)
    objective = (ensure_objective(target) if target is not None else ensure_objective(_default_layer(net))).bind(net)
    lucid = SCORES_TAP in objective.taps()
    given = {
        "schedule": schedule, "steps": steps, "rate": rate, "picture": picture, "optimiser": optimiser,
        "gradient": gradient, "keep": keep,
    }  # fmt: skip
    options = filled(LUCID if lucid else DREAM, preset, given)
    options |= {
        "preset": preset, "target": str(objective), "size": size, "tile": tile, "strength": strength,
        "frames": frames, "zoom": zoom, "seed": seed, "mask": _named_mask(mask),
    }  # fmt: skip
    options = {name: plain_number(value) for name, value in options.items()}
    photograph = _opened(net, image, options["size"])
    maker = _Dreamer(net, objective, photograph, _mask(mask, photograph, strength), options, watch)
    try:
        maker.run()
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {maker.done} of {maker.total} steps", maker.result()) from None
    result = maker.result()
    assert result is not None
    return result


def _default_layer(net: Network) -> str:
    """A layer two thirds down: deep enough for forms, not so deep that they dissolve."""
    maps = [layer for layer in net.layers() if layer.is_map and not layer.container and layer.module]
    if not maps:
        raise InputError(f"{net.name} has no layer whose output has positions: give a target")
    return '"' + maps[round(0.62 * (len(maps) - 1))].name + '"'


def _opened(net: Network, image: ImageLike | Photograph, size: int | None) -> Photograph:
    """The photograph at its own proportions."""
    if isinstance(image, Photograph):
        return image
    first = open_photograph(image, replace(net.spec, size=(16, 16)), fit="stretch")
    height, width = first.record["size"]
    factor = (size or min(MOST_UNASKED, max(height, width))) / max(height, width)
    hw = max(1, round(height * factor)), max(1, round(width * factor))
    return open_photograph(image, replace(net.spec, size=hw), fit="stretch")


def _named_mask(mask: Any) -> str | None:
    return None if mask is None else str(mask) if isinstance(mask, str | Path) else "given"


def _mask(mask: Any, photograph: Photograph, strength: float) -> Tensor | None:
    """Where and how much the photograph may change, `1 1 h w`; None for everywhere and wholly."""
    height, width = photograph.pixels.shape[:2]
    if mask is None:
        return None if strength >= 1 else torch.full((1, 1, height, width), float(strength))
    grey = open_photograph(mask, InputSpec(size=(height, width), channels=1, range=(0, 1)), fit="stretch")
    return grey.tensor() * strength


class _Dreamer:
    """One dream, kept as far as it is."""

    def __init__(
        self, net: Network, objective: Objective, photograph: Photograph, mask: Tensor | None,
        options: dict[str, Any], watch: Watch,
    ) -> None:  # fmt: skip
        self.net, self.objective, self.photograph, self.mask = net, objective, photograph, mask
        self.options, self.watch = options, watch
        height, width = photograph.pixels.shape[:2]
        self.size: Size = (height, width)
        self.making = Making(
            options["picture"], options["optimiser"], options["rate"],
            parse_schedule(options["schedule"]).sizes(self.size), options["steps"],
            partial(_looks, net, objective, options["tile"]), parse_changes(options["gradient"]),
        )  # fmt: skip
        self.generator = torch.Generator().manual_seed(options["seed"])
        self.frames = Frames(options["frames"], self.making.total, self.size)
        self.deeper: list[Tensor] = []
        self.done = 0
        self.total = self.making.total + options["zoom"] * ZOOM_STEPS
        self.picture: Tensor | None = None
        self.moment: Moment | None = None
        self.seen = 0.0

    def run(self) -> None:
        start = self.photograph.tensor()
        image = begun(self.making, 1, start.shape[1], self.generator, start)
        self.frames.begin(image)
        for moment in self._made(self.making, image, start):
            self._note(moment)
            self.frames.see(moment)
        assert self.moment is not None
        self.picture = self.moment.pictures()
        self.frames.end()
        self._zoom()

    def _made(self, making: Making, image: Any, start: Tensor) -> Iterator[Moment]:
        keep = self.options["keep"]
        pursued = self.objective
        if keep:
            pursued = pursued + float(keep) * _scale(self.net, self.objective, start) * Keep(_middle(self.net))
        return make(
            self.net, [pursued], making, image, self.generator, photograph=start, mask=self.mask, compared=bool(keep)
        )

    def _note(self, moment: Moment) -> None:
        self.moment, self.seen = moment, float(moment.step.values[0])
        self.done += 1
        self.watch(Progress(f"dream of {self.objective}", self.done, self.total, f"{self.seen:.4g}"))

    def _zoom(self) -> None:
        """Ever deeper: each frame is the last one enlarged a little, dreamt on."""
        assert self.picture is not None
        making = replace(self.making, sizes=[self.size], steps=ZOOM_STEPS)
        picture = self.picture
        for _ in range(self.options["zoom"]):
            picture = _enlarged(picture, ZOOM_FACTOR)
            image = begun(making, 1, picture.shape[1], self.generator, picture)
            for moment in make(self.net, [self.objective], making, image, self.generator):
                self._note(moment)
            assert self.moment is not None
            picture = self.moment.pictures()
            self.deeper.append((picture * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())

    def result(self) -> Pictures | None:
        """The dream, or as far as it is; None before the first step."""
        if self.moment is None:
            return None
        unfinished = self.done < self.total
        pictures = self.picture if self.picture is not None else self.moment.pictures()
        if self.picture is None:
            self.frames.end()
        arrays: dict[str, Any] = {
            "images": pictures.permute(0, 2, 3, 1).float().cpu().numpy().copy(),
            "values": measured(self.net, self.objective, pictures),
        }
        axes: dict[str, tuple[str, ...]] = {"images": ("n", "h", "w", "c"), "values": ("n",)}
        kept = self.frames.kept()
        film = [torch.from_numpy(frame) for frame in self.frames.arrays().get("frames", ())]
        film += self.deeper
        if film:
            arrays["frames"] = torch.stack(film).numpy()
            axes["frames"] = ("f", "n", "h", "w", "c")
        steps = kept + [self.making.total + (i + 1) * ZOOM_STEPS for i in range(len(self.deeper))]
        notes = (f"stopped after {self.done} of {self.total} steps: replay makes all of them",) if unfinished else ()
        words = in_words(self.net, self.objective)
        return Pictures(
            arrays,
            axes,
            recipe_of("dream", self.net, self.options, photograph=self.photograph, notes=notes),
            {
                "captions": [words],
                "probabilities": [None],
                "with_transforms": [self.seen],
                "frames": steps,
                "title": f"{self.net.name} dreams of {words}",
                "subtitle": f"{self.making.total} steps at {len(self.making.sizes)} sizes",
            },
        )


ZOOM_STEPS, ZOOM_FACTOR = 3, 1.035
"""Of an endless zoom: steps for each frame, and how much larger each is than the last."""


def _looks(net: Network, objective: Objective, tile: int, size: Size) -> Transform:
    if SCORES_TAP in objective.taps():
        return Crops(looks=4, size=runs_at(net, [SCORES_TAP], (160, 160)), noise=0.02)
    return Tiles(tile)


def _middle(net: Network) -> str:
    maps = [layer for layer in net.layers() if layer.is_map and not layer.container and layer.module]
    return maps[len(maps) // 2].name


@torch.no_grad()
def _scale(net: Network, objective: Objective, start: Tensor) -> float:
    """The size of the target on the photograph, by which keep is weighed: one weight then suits all targets."""
    return max(1e-6, abs(float(measured(net, objective, start)[0])))


@torch.no_grad()
def _enlarged(picture: Tensor, factor: float) -> Tensor:
    """The middle of a picture, enlarged to its size."""
    height, width = picture.shape[-2:]
    inner_h, inner_w = round(height / factor), round(width / factor)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    middle = picture[:, :, top : top + inner_h, left : left + inner_w]
    return F.interpolate(middle, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)

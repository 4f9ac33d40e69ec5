"""`convscope.dream`: what a network sees in a photograph, painted into it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from convscope.memory import memory_watched
from convscope.models.choose import dream_layer, middle_layer
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.likeness import Keep
from convscope.objectives.text import ensure_objective
from convscope.objectives.units import layer
from convscope.objectives.words import in_words
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Watch, keeping, unwatched
from convscope.results.pictures import Pictures
from convscope.synthesis.frames import Frames
from convscope.synthesis.gradients import parse_changes
from convscope.synthesis.measure import measured
from convscope.synthesis.optimisers import OptimiserName
from convscope.synthesis.plan import runs_at
from convscope.synthesis.schedule import Size, parse_schedule
from convscope.synthesis.session import Session
from convscope.synthesis.stages import Making, Parameterisation
from convscope.synthesis.tiles import Tiles
from convscope.synthesis.transforms import Crops, Transform
from convscope.taps.tap import SCORES_TAP
from convscope.verbs.made import picture_made
from convscope.verbs.photographs import allowed, open_mask, opened_whole
from convscope.verbs.presets import DREAM, LUCID, PRESETS, filled

Target = Objective | str | int


@renamed
@memory_watched("dream")
@torch.inference_mode(False)
def dream(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    target: Annotated[
        Target | None, About("a layer, channel or class; sums of these", unset="a layer two thirds down")
    ] = None,
    *,
    preset: Annotated[str, About("fills in what is not given", choices=PRESETS)] = "default",
    size: Annotated[int | None, About("pixels on the long side; the photograph's own, at most 640", 64, 8192)] = None,
    schedule: Annotated[str | None, About("octaves(4,1.4), zoom(3,1.2), single, grow(64,1.2)")] = None,
    steps: Annotated[int | None, About("steps at each size of the schedule", 1, 10000)] = None,
    lr: Annotated[float | None, About("the learning rate", 1e-6, 100, unset="the preset's", was="rate")] = None,
    parameterisation: Annotated[
        Parameterisation | None, About("what of the picture is optimised", unset="the preset's", was="picture")
    ] = None,
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
    objective = (layer(dream_layer(net.layers())) if target is None else ensure_objective(target)).bind(net)
    lucid = SCORES_TAP in objective.taps()
    given = {
        "schedule": schedule,
        "steps": steps,
        "lr": lr,
        "parameterisation": parameterisation,
        "optimiser": optimiser,
        "gradient": gradient,
        "keep": keep,
    }
    options = filled(LUCID if lucid else DREAM, preset, given)
    options |= {
        "preset": preset,
        "target": str(objective),
        "size": size,
        "tile": tile,
        "strength": strength,
        "frames": frames,
        "zoom": zoom,
        "seed": seed,
    }
    options = {name: plain_number(value) for name, value in options.items()}
    check_given(dream, options)
    photograph = opened_whole(net.spec, image, options["size"])
    opened_mask = None if mask is None else open_mask(mask, photograph.hw)
    dreaming = _Dream(net, objective, photograph, opened_mask, options, watch)
    with keeping(dreaming.session.told, dreaming.result):
        dreaming.run()
    result = dreaming.result()
    assert result is not None
    return result


class _Dream:
    """One dream, kept as far as it is."""

    def __init__(
        self,
        net: Network,
        objective: Objective,
        photograph: Photograph,
        mask: Photograph | None,
        options: dict[str, Any],
        watch: Watch,
    ) -> None:
        self.net, self.objective, self.photograph, self.given_mask = net, objective, photograph, mask
        self.options = options
        self.making = Making(
            options["parameterisation"],
            options["optimiser"],
            options["lr"],
            parse_schedule(options["schedule"]).sizes(photograph.hw),
            options["steps"],
            _transform_at(net, objective, options["tile"]),
            parse_changes(options["gradient"]),
        )
        frames = Frames(options["frames"], self.making.total, photograph.hw)
        total = self.making.total + options["zoom"] * ZOOM_STEPS
        self.session = Session(net, options["seed"], watch, total=total, frames=frames)
        self.picture: Tensor | None = None
        self.deeper: list[Tensor] = []

    def run(self) -> None:
        """Dream, then go deeper."""
        mask = allowed(self.given_mask, self.photograph, self.options["strength"])
        self.picture = self._made(self.making, self.photograph.tensor(), mask)
        self._zoom(mask)

    def _made(self, making: Making, start: Tensor, mask: Tensor | None, *, keep_frames: bool = True) -> Tensor:
        image = self.session.begin(making, start=start)
        what = f"dream of {in_words(self.net, self.objective)}"
        made = self.session.make(
            what,
            [self._objective],
            making,
            image,
            keep_frames=keep_frames,
            photograph=start,
            mask=mask,
            way=self.net.quickened(),
        )
        return made.pictures()

    @cached_property
    def _objective(self) -> Objective:
        """The target, and how much of the photograph is kept, weighed by how large the target is on it."""
        keep = float(self.options["keep"])
        if not keep:
            return self.objective
        scale = _scale(self.net, self.objective, self.photograph.tensor())
        middle = middle_layer(self.net.layers())
        return self.objective if middle is None else self.objective + keep * scale * Keep(middle)

    def _zoom(self, mask: Tensor | None) -> None:
        """Ever deeper: each frame is the last one enlarged a little, dreamt on; what is kept is kept of that one."""
        making = replace(self.making, sizes=[self.photograph.hw], steps=ZOOM_STEPS)
        picture = self.picture
        assert picture is not None
        for _ in range(self.options["zoom"]):
            picture = _enlarged(picture, ZOOM_FACTOR)
            mask = None if mask is None else _enlarged(mask, ZOOM_FACTOR)
            picture = self._made(making, picture, mask, keep_frames=False)
            self.deeper.append((picture * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())

    def result(self) -> Pictures | None:
        """The dream, or as far as it is; None before the first step. What a zoom went into is its start, the dream."""
        made = self.session.made
        if made is None or not (self.session.started or self.picture is not None):
            return None
        words = in_words(self.net, self.objective)
        picture = made.pictures() if self.picture is None else self.picture
        deeper = [(self.making.total + (i + 1) * ZOOM_STEPS, frame.numpy()) for i, frame in enumerate(self.deeper)]
        return picture_made(
            "dream",
            self.session,
            self.options,
            measured(self.net, self.objective, picture),
            {
                "captions": [words],
                "title": f"{self.net.name} dreams of {words}",
                "subtitle": f"{self.making.total} steps at {len(self.making.sizes)} sizes",
            },
            {"image": self.photograph, "mask": self.given_mask},
            picture=picture,
            more=deeper,
        )


ZOOM_STEPS, ZOOM_FACTOR = 3, 1.035
"""Of an endless zoom: steps for each frame, and how much larger each is than the last."""


def _transform_at(net: Network, objective: Objective, tile: int) -> Callable[[Size], Transform]:
    """The transform of each stage: crops of the whole for a class, tiles for layers and channels."""
    transform: Transform = Tiles(tile)
    if SCORES_TAP in objective.taps():
        transform = Crops(views=4, size=runs_at(net, [SCORES_TAP], (160, 160)), noise=0.02)
    return lambda _: transform


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

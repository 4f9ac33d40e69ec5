"""`convscope.diff`: how two networks see the same pictures, such as one before and after fine-tuning."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from convscope.errors import ImageError, InputError
from convscope.inspection.similarity import Moments
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.layers import PICTURES, Layer
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.picture_files import pictures_in
from convscope.models.usual_layers import evenly, named_layers
from convscope.objectives.text import parse_targets
from convscope.options import MOST_SEED, About, check_given
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.render.colour import as_rgb
from convscope.results.difference import Difference
from convscope.taps.batching import images_at_once
from convscope.taps.record import record
from convscope.verbs.calls import counted, recipe_of
from convscope.verbs.explain import explain
from convscope.verbs.verb import verb
from convscope.verbs.visualize import visualize

MOST_LAYERS = 60
"""Layers that are compared unless they are named."""
MOST_UNITS = 100
"""Units that changed most, in the result."""
SHOWN = 8
"""Pictures that are shown with the heatmaps of both."""


@memory_watched("diff")
@verb
def diff(
    before: Network,
    after: Network,
    images: Annotated[Sequence[ImageLike | Photograph] | ImageLike, About("pictures that both look at")],
    *,
    layers: Annotated[
        Sequence[str] | str | None, About("names or patterns", unset="those that both have, at most 60")
    ] = None,
    targets: Annotated[
        Sequence[str] | str | None,
        About("what to draw for both: layer:channel, layer:0-3, class:NAME", unset="the channels that changed most"),
    ] = None,
    pictures: Annotated[int, About("of these channels, how many are drawn", 0, 64)] = 4,
    steps: Annotated[int, About("of each of these drawings", 1, 10000)] = 64,
    seed: Annotated[int, About("of the drawings", 0, MOST_SEED)] = 0,
    fit: Annotated[Fit, About("how pictures are brought to the networks' size")] = "crop",
    watch: Watch = unwatched,
) -> Difference:
    """How far each layer's features moved, which channels changed most, and what both networks look at and look for.

    Layers are compared by linear CKA over all positions of all pictures, channels by the correlation of what they
    answer before and after; a channel that answers to something else now has a low one. Heatmaps are Grad-CAM of each
    network's own first guess.

    Raises InputError where the two have no layer in common.
    """
    named = [layers] if isinstance(layers, str) else None if layers is None else list(layers)
    texts = [targets] if isinstance(targets, str) else targets
    given = None if texts is None else [one.text() for text in texts for one in parse_targets(text)]
    options = {
        "layers": named, "targets": given, "pictures": pictures, "steps": steps, "seed": seed, "fit": fit,
    }  # fmt: skip
    check_given(diff, options)
    job = _Comparison((before, after), [*pictures_in(images)], fit, watch)
    job.common(named)
    with keeping(lambda: job.done, lambda: job.result(options, stopped=True) if job.cka else None):
        job.open()
        job.look()
        job.explain()
        job.draw(given if given is not None else [unit.text for unit in job.units()[:pictures]], steps, seed)
    return job.result(options)


@dataclass(frozen=True)
class Unit:
    """A channel, and how what it answers before and after goes together."""

    layer: str
    channel: int
    correlation: float

    @property
    def text(self) -> str:
        """The unit as a target."""
        return f"{self.layer}:{self.channel}"


class _Comparison:
    """The parts of a comparison, one after the other."""

    def __init__(self, nets: tuple[Network, Network], given: Sequence[Any], fit: Fit, watch: Watch) -> None:
        self.nets, self.given, self.fit, self.watch = nets, given, fit, watch
        self.layers: list[tuple[Layer, Layer]] = []
        self.photographs: list[tuple[Photograph, Photograph]] = []
        self.moments: dict[str, Moments] = {}
        self.cka: dict[str, float] = {}
        self.maps: list[list[np.ndarray]] = []
        self.guesses: list[list[dict[str, Any]]] = []
        self.drawn: list[list[np.ndarray]] = []
        self.pictured: list[str] = []
        self.notes: list[str] = []
        self.done = "stopped before anything was compared"

    def common(self, names: Sequence[str] | None) -> None:
        """Find the layers that both have, with maps of the same size. Raises InputError where there are none."""
        first, second = self.nets
        others = {layer.name: layer for layer in second.layers(inner=True)}
        chosen = named_layers(first.layers(inner=True), list(names) if names else None)
        pairs = [(one, others[one.name]) for one in chosen if one.name in others and one.module != PICTURES]
        fitting = [pair for pair in pairs if pair[0].shape[1:] == pair[1].shape[1:] and pair[1].layout is not None]
        if not fitting:
            raise InputError(
                f"{first.name} and {second.name} have no layer of the same name and size: give two networks of one "
                "plan, such as one before and after training"
            )
        self.layers = fitting if names else evenly(fitting, MOST_LAYERS)

    def open(self) -> None:
        """Read the pictures, for both; of several, those that cannot be read are left out. Raises ImageError."""
        broken: list[ImageError] = []
        for picture in self.given:
            try:
                self.photographs.append((self.nets[0].photograph(picture, fit=self.fit), self._second(picture)))
            except ImageError as error:
                broken.append(error)
        if broken and not self.photographs:
            raise broken[0]
        if broken:
            self.notes.append(f"{counted(len(broken), 'picture')} could not be read and left out ({broken[0]})")

    def _second(self, picture: Any) -> Photograph:
        return self.nets[1].photograph(picture, fit=self.fit)

    def look(self) -> None:
        """Run all pictures through both, and sum up what the layers give."""
        names = [one.name for one, _ in self.layers]
        self.moments = {name: Moments() for name in names}
        at_once = min(1 if net.one_at_a_time else images_at_once(net, [], net.spec.hw, 16) for net in self.nets)
        for start in range(0, len(self.photographs), at_once):
            some = self.photographs[start : start + at_once]
            self.watch(Progress("looking", start, len(self.photographs)))
            seen = []
            for i, net in enumerate(self.nets):
                batch = torch.cat([pair[i].tensor(net.device) for pair in some])
                with torch.no_grad():
                    seen.append(record(net, batch, names))
            for name in names:
                self.moments[name].add(seen[0][name].float().cpu(), seen[1][name].float().cpu())
        found = {name: moments.cka() for name, moments in self.moments.items()}
        self.cka = {name: value for name, value in found.items() if value is not None}
        self.done = "stopped after the layers were compared"
        lost = len(found) - len(self.cka)
        if lost:
            self.notes.append(
                f"{counted(lost, 'layer')} could not be compared: nothing varies there, or there are fewer than three "
                "samples (one a picture for layers without positions)"
            )

    def units(self) -> list[Unit]:
        """The channels by how little they go together, those that changed most first."""
        units = [
            Unit(one.name, channel, value)
            for one, other in self.layers
            if one.channels == other.channels and one.is_map and one.is_feature and not one.container
            for channel, value in enumerate(self.moments[one.name].correlations().tolist())
        ]
        return sorted(units, key=lambda unit: unit.correlation)[:MOST_UNITS]

    def explain(self) -> None:
        """What each network names in the first few pictures, and what speaks for it there."""
        if not all(net.has_classes for net in self.nets):
            self.notes.append("no heatmaps: one of the two gives no class scores")
            return
        for number, pair in enumerate(self.photographs[:SHOWN]):
            self.watch(Progress("heatmaps", number, min(SHOWN, len(self.photographs))))
            maps, guesses = [], []
            for net, photograph in zip(self.nets, pair, strict=True):
                guess = net.predict(photograph, 1)[0][0]
                found = explain(net, photograph, f"class:{guess.index}")
                maps.append(_at(found.arrays["map"], pair[0].hw))
                guesses.append({"class": guess.index, "label": guess.label, "probability": guess.probability})
            self.maps.append(maps)
            self.guesses.append(guesses)

    def draw(self, targets: Sequence[str], steps: int, seed: int) -> None:
        """What these units look for in the one, and in the other."""
        for number, target in enumerate(targets):
            self.watch(Progress("drawings", number, len(targets), target))
            pair = [
                visualize(net, target, steps=steps, seed=seed, size=min(self.nets[0].spec.hw)).arrays["images"][0]
                for net in self.nets
            ]
            self.drawn.append(pair)
            self.pictured.append(target)

    def result(self, options: dict[str, Any], *, stopped: bool = False) -> Difference:
        """All that was found. stopped: whether that is not all."""
        notes = [*self.notes, *([f"{self.done}: replay makes all of it"] if stopped else [])]
        height, width = self.nets[0].spec.hw
        units, shown = self.units(), len(self.maps)
        records = [pair[0] for pair in self.photographs]
        arrays = {
            "cka": np.array(list(self.cka.values()), dtype=np.float32),
            "correlation": np.array([unit.correlation for unit in units], dtype=np.float32),
            "images": np.stack([as_rgb(pair[0].pixels) for pair in self.photographs[:shown]])
            if shown
            else np.zeros((0, height, width, 3), dtype=np.uint8),
            "maps": np.array(self.maps, dtype=np.float32).reshape(shown, 2, height, width),
        }
        axes: dict[str, tuple[str, ...]] = dict(Difference.needs)
        if self.drawn:
            arrays["pictures"] = np.array(self.drawn, dtype=np.float32)
            axes["pictures"] = ("k", "networks", "rows", "columns", "c")
        return Difference(
            arrays,
            axes,
            recipe_of("diff", self.nets, options, {"images": records}, notes=notes, stopped=stopped),
            {
                "networks": [net.name for net in self.nets],
                "layers": list(self.cka),
                "units": [vars(unit) for unit in units],
                "guesses": self.guesses,
                "pictured": self.pictured,
            },
        )


def _at(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at another size."""
    if heat.shape == size:
        return heat
    whole = torch.from_numpy(heat)[None, None]
    resized = torch.nn.functional.interpolate(whole, size=size, mode="bilinear", align_corners=False)
    result: np.ndarray = resized[0, 0].numpy()
    return result

"""The variations of one photograph, map by map: what hybrid does once all is asked and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from convscope.attribution.fills import blurred
from convscope.models.fitting import Fit, where_seen
from convscope.models.network import Network, Prediction
from convscope.models.photograph import ImageLike, Photograph
from convscope.progress import Progress, Watch, keeping
from convscope.render.colour import ramp_of
from convscope.render.effects import EFFECTS, Scene, altered, contours
from convscope.render.grid import columns_for
from convscope.render.overlay import whole_heat
from convscope.results.heatmap import CLIP, Heatmap
from convscope.results.variations import Variations
from convscope.verbs.attributions import METHODS
from convscope.verbs.calls import recipe_of
from convscope.verbs.explain import explain
from convscope.verbs.one_picture import size_of

OF_THE_WHOLE: Fit = "pad"
"""How the picture is brought to the network's size for the map, unless a fit is given."""
USUAL = 0.5
"""The factor of added colours."""
OF_THE_MAP = ("layer", "channels", "top", "ranking")
"""The options that the map has by itself, beside its target, method and seed."""
FINE = 0.01
"""How far maps by the pixel are blurred, in parts of the long side, so that they have regions."""


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the map that were given, and those that it always has."""
    takes = METHODS[options["method"]].takes
    said = {name: options[name] for name in OF_THE_MAP if options[name] is not None}
    return said | {name: value for name, value in (("seed", options["seed"]), ("signed", False)) if name in takes}


class VariationMaker:
    """The variations of one photograph; maps that several share are made once."""

    def __init__(
        self, net: Network, image: ImageLike | Photograph, photograph: Photograph, other: Photograph | None,
        options: dict[str, Any], series: Mapping[str, Sequence[Any]], watch: Watch,
    ) -> None:  # fmt: skip
        self.net, self.image, self.photograph, self.other = net, image, photograph, other
        self.fit: Fit = options["fit"] or OF_THE_WHOLE
        self.seen = net.photograph(image, fit=self.fit)
        self.options, self.series, self.watch = options, series, watch
        self.maps: dict[tuple[str, ...], tuple[Heatmap, np.ndarray]] = {}

    def made(self, cases: Sequence[dict[str, Any]]) -> Variations:
        height, width = size_of(self.photograph)
        pictures = np.empty((len(cases), height, width, 3), dtype=np.float32)
        found: list[tuple[Heatmap, np.ndarray]] = []

        def partial() -> Variations | None:
            count = len(found)
            return self._result(cases[:count], pictures[:count], found, len(cases)) if count else None

        with keeping(lambda: f"stopped after {len(found)} of {len(cases)} pictures", partial):
            for i, case in enumerate(cases):
                heatmap, heat = self._map(self.options | case)
                pictures[i] = self._picture(self.options | case, heat)
                found.append((heatmap, heat))
                if len(cases) > 1:
                    self.watch(Progress("variations", i + 1, len(cases), ""))
        return self._result(cases, pictures, found, len(cases))

    def _map(self, options: Mapping[str, Any]) -> tuple[Heatmap, np.ndarray]:
        """The heatmap, and its heat over the whole photograph, in [0,1]."""
        key = tuple(str(options[name]) for name in ("target", "method", *OF_THE_MAP))
        if key not in self.maps:
            target = options["target"]
            if target is None and self.options["fit"] is None and METHODS[options["method"]].targeted:
                target = self.guess.index
            heatmap = explain(
                self.net, self.seen, target, method=options["method"], watch=self._of_a_map, **given(options)
            )  # fmt: skip
            self.maps[key] = heatmap, self._laid(heatmap)
        return self.maps[key]

    @cached_property
    def guess(self) -> Prediction:
        """The first guess of the view that `explain` and `predict` take."""
        return self.net.predict(self.image, top=1)[0][0]

    def _views(self) -> list[str]:
        """A note where the view of the guess and that of the map disagree."""
        if "guess" not in vars(self):
            return []
        whole = self.net.predict(self.seen, top=1)[0][0]
        if whole.index == self.guess.index:
            return []
        return [
            f"the network sees {_said(self.guess)} in the middle of the picture, as explain does, and {_said(whole)} "
            f"in the whole of it: the map is of {self.guess.label} in the whole; give a target or a fit for another"
        ]

    def _of_a_map(self, news: Progress) -> None:
        """News of the map in the making, which is one of several in a series."""
        which = f"map {len(self.maps) + 1}, {news.what}" if self.series else news.what
        self.watch(replace(news, what=which))

    def _laid(self, heatmap: Heatmap) -> np.ndarray:
        heat = heatmap.arrays["coarse" if "layer" in heatmap.facts else "map"]
        if heatmap.facts.get("from_lowest"):
            heat = heat - heat.min()
        source, (height, width) = tuple(self.seen.record["size"]), self.net.spec.hw
        left, top, right, bottom = where_seen(source, (height, width), self.fit)
        box = left / width, top / height, right / width, bottom / height
        large = whole_heat(heat, box, size_of(self.photograph)).clip(0)
        most = float(large.max())
        if heatmap.look != "region":
            large = blurred(torch.from_numpy(large)[None, None], FINE * max(large.shape))[0, 0].numpy()
            there = large[large > 1e-3 * large.max()]  # a target may see a small part only
            most = float(np.percentile(there, CLIP)) if there.size else 0.0
        return np.clip(large / most, 0, 1) if most > 0 else np.zeros_like(large)

    def _picture(self, options: Mapping[str, Any], heat: np.ndarray) -> np.ndarray:
        ramp = ramp_of(options["colours"])
        other = None if self.other is None else self.other.pixels
        scene = Scene(self.photograph.pixels, heat, ramp, other)
        intensity = options["intensity"]
        if intensity is None:
            intensity = USUAL if options["effect"] == "colours" else 1.0
        picture = altered(scene, options["effect"], intensity, options["hot"], options["soft"])
        return contours(picture, heat, ramp, options["lines"])

    def _result(
        self, cases: Sequence[Mapping[str, Any]], pictures: np.ndarray, found: Sequence[tuple[Heatmap, np.ndarray]],
        wanted: int,
    ) -> Variations:  # fmt: skip
        first = found[0][0]
        cold = sum(not heat.any() for _, heat in found)
        notes = [f"nothing is hot in {cold} of {len(found)} maps"] if cold else []
        notes += self._views()
        if len(cases) < wanted:
            notes.append(f"stopped after {len(cases)} of {wanted} pictures: replay makes all of them")
        captions = [_caption(case, heatmap) for case, (heatmap, _) in zip(cases, found, strict=True)]
        columns = len(list(self.series.values())[1]) if len(self.series) > 1 else columns_for(
            len(pictures), size_of(self.photograph), 1440
        )  # fmt: skip
        words = [
            *([] if "effect" in self.series else [EFFECTS[self.options["effect"]].about]),
            {"pad": "the whole picture was seen", "crop": "its middle was seen", "stretch": "seen stretched"}[self.fit],
            *([] if set(self.series) & {"target", "method", *OF_THE_MAP} else [first.facts["subtitle"]]),
        ]
        return Variations(
            {
                "images": pictures,
                "values": np.array([heatmap.arrays.get("score", np.nan) for heatmap, _ in found], dtype=np.float32),
                "heat": np.stack([heat for _, heat in found]),
            },
            {"images": ("n", "h", "w", "c"), "values": ("n",), "heat": ("n", "h", "w")},
            recipe_of(
                "hybrid", self.net, self.options, photograph=replace(self.photograph, record=self.seen.record),
                others={"other": [self.other.record] if self.other else []},
                notes=tuple(dict.fromkeys([*notes, *(note for heatmap, _ in found for note in heatmap.notes)])),
            ),
            {
                "captions": captions if self.series else [self.options["effect"]], "columns": columns,
                "title": self._title(first),
                "subtitle": "; ".join(words),
                "targets": [heatmap.facts["target"] for heatmap, _ in found],
            },
        )  # fmt: skip

    def _title(self, first: Heatmap) -> str:
        if "target" in self.series:
            return "variations"
        return f"variations on {first.facts['title']}" if self.series else str(first.facts["title"])


def _said(guess: Prediction) -> str:
    return f"{guess.label} ({100 * guess.probability:.1f} %)"


def _caption(case: Mapping[str, Any], heatmap: Heatmap) -> str:
    """What varies, a line each."""
    said = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in case.items()}
    if "target" in said:
        said["target"] = str(heatmap.facts.get("label", heatmap.facts["title"]))
    return "\n".join(value if name == "target" else f"{name} {value}" for name, value in said.items())

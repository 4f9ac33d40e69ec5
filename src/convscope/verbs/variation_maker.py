"""The variations of one photograph, map by map: what hybrid does once all is asked and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from convscope.images.filters import blurred
from convscope.models.fitting import Fit, where_seen
from convscope.models.network import Network, Prediction
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.units import Logit
from convscope.progress import Progress, Watch, keeping
from convscope.render.colour import ramp_of
from convscope.render.effects import EFFECTS, Scene, altered, contours
from convscope.render.grid import columns_for
from convscope.render.overlay import whole_heat
from convscope.results.heatmap import CLIP, Heatmap
from convscope.results.variations import Variations
from convscope.verbs.calls import recipe_of
from convscope.verbs.explain import explain
from convscope.verbs.question import Question

OF_THE_WHOLE: Fit = "pad"
"""How the picture is brought to the network's size for the map, unless a fit is given."""
USUAL = 0.5
"""The factor of added colours."""
FINE = 0.01
"""How far maps by the pixel are blurred, in parts of the long side, so that they have regions."""


class VariationMaker:
    """The variations of one photograph; maps that several share are made once. target: as it was given."""

    def __init__(
        self,
        net: Network,
        image: ImageLike | Photograph,
        photograph: Photograph,
        other: Photograph | None,
        settings: Mapping[str, Any],
        series: Mapping[str, Sequence[Any]],
        fit: Fit | None,
        target: str | int | None,
        watch: Watch,
    ) -> None:
        self.net, self.image, self.photograph, self.other = net, image, photograph, other
        self.fit: Fit = fit or OF_THE_WHOLE
        self.guessing = fit is None
        self.seen = net.photograph(image, fit=self.fit)
        self.settings, self.series, self.target, self.watch = settings, series, target, watch
        self.questions: list[Question] = []
        self.maps: dict[str, tuple[Heatmap, np.ndarray]] = {}

    def made(self, cases: Sequence[Mapping[str, Any]], questions: Sequence[Question]) -> Variations:
        """All of them, each with what varies and its question."""
        self.questions = [self._settled(question) for question in questions]
        height, width = self.photograph.hw
        pictures = np.empty((len(cases), height, width, 3), dtype=np.float32)
        result: list[tuple[Heatmap, np.ndarray]] = []

        def partial() -> Variations | None:
            count = len(result)
            return self._result(cases[:count], pictures[:count], result, len(cases)) if count else None

        with keeping(lambda: f"stopped after {len(result)} of {len(cases)} pictures", partial):
            for i, (case, question) in enumerate(zip(cases, self.questions, strict=True)):
                heatmap, heat = self._map(question)
                pictures[i] = self._picture({**self.settings, **case}, heat)
                result.append((heatmap, heat))
                if len(cases) > 1:
                    self.watch(Progress("variations", i + 1, len(cases), ""))
        return self._result(cases, pictures, result, len(cases))

    def _settled(self, question: Question) -> Question:
        """The question of the picture as it is seen. The first guess is that of `explain`, unless a fit is given."""
        if question.target is None and self.guessing and question.method.targeted:
            question = replace(question, target=Logit(self.guess.index))
        method = question.method
        if "signed" in method.options():
            question = replace(question, method=replace(method, signed=False))  # type: ignore[call-arg]
        return question.on(self.seen, self.fit)

    def _map(self, question: Question) -> tuple[Heatmap, np.ndarray]:
        """The heatmap, and its heat over the whole photograph, in [0,1]."""
        key = f"{question.objective} {question.method.text}"
        if key not in self.maps:
            heatmap = explain(self.net, self.seen, question.objective, question.method, watch=self._of_a_map)
            self.maps[key] = heatmap, self._laid(heatmap)
        return self.maps[key]

    @cached_property
    def guess(self) -> Prediction:
        """The first guess of the view that `explain` and `predict` take."""
        return self.net.predict(self.image, top=1)[0][0]

    def _views(self) -> list[str]:
        """A note where the view of the guess and that of the map disagree."""
        classes = [question.target for question in self.questions if type(question.target) is Logit]
        if not self.guessing or not classes or Logit(self.guess.index) not in classes:
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
        heat = heatmap.arrays["coarse" if heatmap.facts.layer else "map"]
        if heatmap.facts.from_lowest:
            heat = heat - heat.min()
        source, (height, width) = tuple(self.seen.record["size"]), self.net.spec.hw
        left, top, right, bottom = where_seen(source, (height, width), self.fit)
        box = left / width, top / height, right / width, bottom / height
        large = whole_heat(heat, box, self.photograph.hw).clip(0)
        most = float(large.max())
        if heatmap.display != "region":
            large = blurred(torch.from_numpy(large)[None, None], FINE * max(large.shape))[0, 0].numpy()
            there = large[large > 1e-3 * large.max()]  # a target may see a small part only
            most = float(np.percentile(there, CLIP)) if there.size else 0.0
        return np.clip(large / most, 0, 1) if most > 0 else np.zeros_like(large)

    def _picture(self, options: Mapping[str, Any], heat: np.ndarray) -> np.ndarray:
        ramp = ramp_of(options["colours"])
        other = None if self.other is None else self.other.pixels
        scene = Scene(self.photograph.pixels, heat, ramp, other)
        picture = altered(scene, options["effect"], self._intensity(options), options["hot"], options["soft"])
        return contours(picture, heat, ramp, options["lines"])

    def _result(
        self,
        cases: Sequence[Mapping[str, Any]],
        pictures: np.ndarray,
        found: Sequence[tuple[Heatmap, np.ndarray]],
        wanted: int,
    ) -> Variations:
        first = found[0][0]
        cold = sum(not heat.any() for _, heat in found)
        notes = [f"nothing is hot in {cold} of {len(found)} maps"] if cold else []
        notes += self._views()
        if len(cases) < wanted:
            notes.append(f"stopped after {len(cases)} of {wanted} pictures: replay makes all of them")
        captions = [_caption(case, heatmap) for case, (heatmap, _) in zip(cases, found, strict=True)]
        columns = columns_for(len(pictures), self.photograph.hw, 1440)
        columns = len(list(self.series.values())[1]) if len(self.series) > 1 else columns
        effect = self.settings["effect"]
        of_one_map = not set(self.series) - set(self.settings)
        words = [
            *([] if "effect" in self.series else [EFFECTS[effect].about]),
            {"pad": "the whole picture was seen", "crop": "its middle was seen", "stretch": "seen stretched"}[self.fit],
            *([first.facts.subtitle] if of_one_map else []),
        ]
        return Variations(
            {
                "images": pictures,
                "values": np.array([heatmap.arrays.get("score", np.nan) for heatmap, _ in found], dtype=np.float32),
                "heat": np.stack([heat for _, heat in found]),
            },
            {"images": ("n", "h", "w", "c"), "values": ("n",), "heat": ("n", "h", "w")},
            recipe_of(
                "hybrid",
                self.net,
                self._options(found),
                {"image": replace(self.photograph, record=self.seen.record), "other": self.other},
                notes=tuple(dict.fromkeys([*notes, *(note for heatmap, _ in found for note in heatmap.notes)])),
                stopped=len(cases) < wanted,
            ),
            {
                "captions": captions if self.series else [effect],
                "columns": columns,
                "title": self._title(first),
                "subtitle": "; ".join(words),
                "targets": [heatmap.facts.target for heatmap, _ in found],
            },
        )

    def _options(self, found: Sequence[tuple[Heatmap, np.ndarray]]) -> dict[str, Any]:
        """The options of the call, with nothing left open."""
        guessed = next((t for heatmap, _ in found if (t := heatmap.recipe.options["target"]) is not None), None)
        methods = [question.method for question in self.questions]
        size = max(self.photograph.hw)
        return {
            "target": self.target if self.target is not None or "target" in self.series else guessed,
            **self.settings,
            "intensity": self.settings["intensity"] if "effect" in self.series else self._intensity(self.settings),
            "vary": dict(self.series) or None,
            "method": methods if len(methods) > 1 else methods[0],
            "size": size,
            "fit": None if self.guessing else self.fit,
        }

    @staticmethod
    def _intensity(options: Mapping[str, Any]) -> float:
        """How far the picture is altered, unless it is given."""
        given: float | None = options["intensity"]
        return given if given is not None else USUAL if options["effect"] == "colours" else 1.0

    def _title(self, first: Heatmap) -> str:
        if "target" in self.series:
            return "variations"
        return f"variations on {first.facts.title}" if self.series else first.facts.title


def _said(guess: Prediction) -> str:
    return f"{guess.label} ({100 * guess.probability:.1f} %)"


def _caption(case: Mapping[str, Any], heatmap: Heatmap) -> str:
    """What varies, a line each."""
    said = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in case.items()}
    if "target" in said:
        said["target"] = heatmap.facts.label or heatmap.facts.title
    return "\n".join(value if name == "target" else f"{name} {value}" for name, value in said.items())

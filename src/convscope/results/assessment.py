"""What assessing a heatmap returns: curves, comparisons, and what they say in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from convscope.render.colour import colourise
from convscope.render.figure import Figure
from convscope.render.grid import paragraph, sheet
from convscope.render.overlay import framed
from convscope.render.plot import line_plot
from convscope.render.style import Style
from convscope.results.facts import Facts, Summary
from convscope.results.heatmap import CLIP
from convscope.results.result import Axes, Result

TILE = 224


@dataclass(frozen=True, kw_only=True, eq=False)
class AssessmentFacts(Facts):
    """target, method: of the heatmap. areas: under the curves. randomised: the rank correlation with the map after each
    of `stages`; None where there was no map. edges: that with an edge detector. gap: how far attributions are from
    adding up. box: left, top, right, bottom of where the thing is; pointing: whether the hottest pixel lies in it.
    words: what it all says, in sentences.
    """

    target: str = ""
    method: str = ""
    areas: Mapping[str, float] = field(default_factory=dict)
    randomised: Sequence[float | None] = ()
    edges: float = 0.0
    stages: Sequence[str] = ()
    gap: float | None = None
    box: Sequence[int] | None = None
    pointing: bool | None = None
    words: Sequence[str] = ()
    title: str = ""
    subtitle: str = ""


class Assessment(Result, kind="assessment", facts=AssessmentFacts):
    """Arrays: `fractions` (`points`), `deletion`, `insertion` and, for the map moved elsewhere, `moved_deletion`,
    `moved_insertion` (`points`, in parts of the score), `randomised` (`stages`, the rank correlation with the map after
    so much of the network is random), `maps` (`stages h w`), `map` (`h w`) and `image`. Facts: `words`, and the
    figures."""

    facts: AssessmentFacts
    in_tiles = True

    needs: ClassVar[Axes] = {
        **dict.fromkeys(("fractions", "deletion", "insertion", "moved_deletion", "moved_insertion"), ("points",)),
        "randomised": ("stages",),
        "maps": ("stages", "h", "w"),
        "map": ("h", "w"),
        "image": ("h", "w", "c"),
    }

    def summary(self) -> Summary:
        kept = ("target", "method", "areas", "randomised", "edges", "gap", "pointing", "words")
        return Summary({name: self.facts[name] for name in kept if name in self.facts}, list(self.facts.words))

    def figure(self, style: Style) -> Figure:
        """The map, the map as the network is randomised, the curves, and the verdict in words."""
        top = self._maps(style)
        width = max(top.width, 720)
        words = paragraph([f"· {line}" for line in self.facts.words], width)
        return Figure.stacked([top, *self._curves(width), words])

    def _maps(self, style: Style) -> Figure:
        """The photograph, the map, and the map after each stage of randomisation."""
        heat = self.arrays["map"]
        maps = [heat, *self.arrays["maps"]]
        tiles = [colourise(each, 0.0, float(np.percentile(each, CLIP)) or 1.0) for each in maps]
        if self.facts.box is not None:
            left, top_, right, bottom = self.facts.box
            tiles[0] = framed(tiles[0], (top_, bottom, left, right))
        tiles.insert(0, self.arrays["image"])
        captions = ["the photograph", "the map\nits magnitude"] + [
            f"{stage}\n" + ("no map" if np.isnan(share) else f"rank correlation {share:.2f}")
            for stage, share in zip(self.facts.stages, self.arrays["randomised"], strict=True)
        ]
        said = f"{self.facts.subtitle}; maps as the weights are shuffled, each on its own scale"
        return sheet(
            tiles,
            tile=(TILE, round(TILE * heat.shape[1] / heat.shape[0])),
            columns=style.across(min(4, len(tiles))),
            captions=captions,
            title=style.named(self.facts.title),
            smooth=True,
            subtitle=style.named(said),
        )

    def _curves(self, width: int) -> list[Figure]:
        """How the score moves as the hottest pixels are covered, and as they are shown."""
        fractions = [f"{100 * share:.3g}%" for share in self.arrays["fractions"]]
        return [
            line_plot(
                fractions,
                {
                    "the map": self.arrays[name].tolist(),
                    "the map moved elsewhere": self.arrays[f"moved_{name}"].tolist(),
                },
                width=width,
                title=title,
                figures=False,
            )
            for name, title in (
                ("deletion", "score as the hottest pixels are covered"),
                ("insertion", "score as the hottest pixels are shown"),
            )
        ]

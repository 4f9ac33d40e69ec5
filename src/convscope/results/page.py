"""What a report returns: the page it wrote, and the numbers in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from convscope.render.colour import themed
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.grid import sheet
from convscope.render.overlay import overlay
from convscope.render.style import Style
from convscope.results.facts import Facts
from convscope.results.result import Axes, Result


@dataclass(frozen=True, kw_only=True, eq=False)
class PageFacts(Facts):
    """path: of the page. guesses: the first classes. seconds: of each part. finished: whether it is whole."""

    path: str = ""
    network: str = ""
    guesses: Sequence[Mapping[str, Any]] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    finished: bool = True


class Page(Result, kind="page", facts=PageFacts):
    """Arrays: `probabilities` (`k`, of the classes guessed first), `maps` (`k h w`, their Grad-CAM on one scale,
    unscaled) and `image` (`h w 3`, bytes). Facts: the page's path, the guesses, the seconds of each part."""

    facts: PageFacts
    in_tiles = True

    needs: ClassVar[Axes] = {"probabilities": ("k",), "maps": ("k", "h", "w"), "image": ("h", "w", "c")}

    def figure(self, style: Style) -> Figure:
        """The maps of the classes side by side, on one scale."""
        maps: np.ndarray = self.arrays["maps"]
        top = float(maps.max())
        tiles = [overlay(self.arrays["image"], heat, 0.0, top, theme=style.theme) for heat in maps]
        captions = [
            f"{guess['label']}\n{100 * guess['probability']:.1f} %" for guess in self.facts.guesses[: len(maps)]
        ]
        height, width = maps.shape[1:]
        return sheet(
            tiles,
            tile=(height, width),
            columns=style.across(len(tiles)),
            title=style.named(self.facts.network),
            captions=captions,
            bar=Bar(0.0, top, themed("inferno", style.theme, laid=True), "Grad-CAM, unscaled; one scale for all"),
        )

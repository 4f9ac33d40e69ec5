"""What hybrid returns: a photograph altered where a heatmap is hot, or a series of such variations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from convscope.render.figure import Figure
from convscope.render.grid import sheet
from convscope.render.style import Style
from convscope.results.facts import Summary
from convscope.results.pictures import MOST_WIDE, Pictures, PicturesFacts
from convscope.results.result import Axes

LARGEST = 320
"""Pixels on the long side of a picture in a series' sheet; each by itself is as large as it was made."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VariationsFacts(PicturesFacts):
    """columns: of the sheet of a series. targets: of each picture."""

    columns: int = 1
    targets: Sequence[str] = ()


class Variations(Pictures, kind="variations", facts=VariationsFacts):
    """Arrays: `images` (`n h w 3` in [0,1]), `values` (`n`, the target's value) and `heat` (`n h w` in [0,1], what each
    was altered by)."""

    facts: VariationsFacts

    needs: ClassVar[Axes] = {**Pictures.needs, "heat": ("n", "h", "w")}

    def summary(self) -> Summary:
        data = {"targets": list(self.facts.targets), "captions": list(self.facts.captions)}
        return Summary(data, [f"{self.facts.title}; {self.facts.subtitle}"])

    def figure(self, style: Style) -> Figure:
        """One picture stands alone, pixel for pixel; a series makes a sheet, in rows where two options vary."""
        tiles = self.tiles()
        if len(tiles) == 1:
            return Figure.of(tiles[0])
        height, width = tiles[0].shape[:2]
        columns = style.across(int(self.facts.columns))
        factor = min(1.0, LARGEST / max(height, width), MOST_WIDE / (columns * width))
        size = max(1, round(height * factor)), max(1, round(width * factor))
        return sheet(
            tiles,
            tile=size,
            columns=columns,
            captions=self.facts.captions,
            title=style.named(self.facts.title),
            subtitle=style.named(self.facts.subtitle),
            smooth=True,
        )

    def figures(self, style: Style) -> dict[str, Figure]:
        """Each variation by itself, at its own size."""
        names = [caption.replace("\n", ", ") for caption in self.facts.captions]
        return {name: Figure.of(tile) for name, tile in zip(names, self.tiles(), strict=True)}

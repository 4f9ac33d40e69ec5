"""What hybrid returns: a photograph altered where a heatmap is hot, or a series of such variations."""

from typing import ClassVar

import numpy as np
from PIL import Image

from convscope.render.grid import sheet
from convscope.results.pictures import MOST_WIDE, Pictures
from convscope.results.result import Axes

LARGEST = 320
"""Pixels on the long side of a picture in a series' sheet; each by itself is as large as it was made."""


class Variations(Pictures):
    """Arrays: `images` (`n h w 3` in [0,1]), `values` (`n`, the target's value) and `heat` (`n h w` in [0,1], what each
    was altered by)."""

    needs: ClassVar[Axes] = {**Pictures.needs, "heat": ("n", "h", "w")}

    def image(self) -> Image.Image:
        """One picture stands alone, pixel for pixel; a series makes a sheet, in rows where two options vary."""
        tiles = self.tiles()
        if len(tiles) == 1:
            return Image.fromarray(np.ascontiguousarray(tiles[0]))
        height, width = tiles[0].shape[:2]
        columns = int(self.facts["columns"])
        factor = min(1.0, LARGEST / max(height, width), MOST_WIDE / (columns * width))
        size = max(1, round(height * factor)), max(1, round(width * factor))
        return sheet(
            tiles,
            tile=size,
            columns=columns,
            captions=self.facts["captions"],
            title=self.facts["title"],
            subtitle=self.facts["subtitle"],
            smooth=True,
        )

    def pictures(self) -> dict[str, Image.Image]:
        """Each variation by itself, at its own size."""
        names = [caption.replace("\n", ", ") for caption in self.facts["captions"]]
        return {name: Image.fromarray(tile) for name, tile in zip(names, self.tiles(), strict=True)}

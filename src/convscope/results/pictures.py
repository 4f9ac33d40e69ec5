"""What optimising the input returns: pictures."""

import numpy as np
from PIL import Image

from convscope.render.colour import as_rgb
from convscope.render.grid import columns_for, sheet
from convscope.render.text import figure
from convscope.results.result import Result


class Pictures(Result):
    """Arrays: `images` (`n h w c` in [0,1]) and `values` (`n`, the objective reached, without transforms)."""

    def tiles(self) -> list[np.ndarray]:
        """Each picture as `h w 3` bytes."""
        return [as_rgb(picture) for picture in self.arrays["images"]]

    def image(self) -> Image.Image:
        """One picture stands alone, pixel for pixel; several make a sheet with captions."""
        tiles = self.tiles()
        if len(tiles) == 1:
            return Image.fromarray(np.ascontiguousarray(tiles[0]))
        size = tiles[0].shape[0], tiles[0].shape[1]
        values = [figure(float(value)) for value in self.arrays["values"]]
        captions = [f"{name}\n{value}" for name, value in zip(self.facts["captions"], values, strict=True)]
        columns = columns_for(len(tiles), size)
        return sheet(
            tiles, tile=size, columns=columns, captions=captions, title=self.facts["title"],
            subtitle=self.facts["subtitle"],
        )  # fmt: skip

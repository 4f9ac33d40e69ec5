"""What a layer has learned, as a mosaic."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from convscope.render.colour import colourise
from convscope.render.colour_bar import Bar
from convscope.render.grid import columns_for, sheet, tile_size
from convscope.results.facts import Facts, Summary
from convscope.results.result import Axes, Result

MOST_OUT, MOST_IN = 48, 24


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightsFacts(Facts):
    """layer: its name; kind: of module. colour: whether its kernels see colours. order: of the network's channels."""

    layer: str = ""
    kind: str = ""
    colour: bool = False
    order: str = "RGB"


class Weights(Result, kind="weights", facts=WeightsFacts):
    """Arrays: `weights` (`out in kh kw`; a dense layer's have kh = kw = 1)."""

    facts: WeightsFacts

    needs: ClassVar[Axes] = {"weights": ("out", "in", "kh", "kw")}

    def summary(self) -> Summary:
        return Summary({"layer": self.facts.layer, "shape": list(self.arrays["weights"].shape)})

    def image(self) -> Image.Image:
        """Kernels that see colours in colour; others signed, on one scale for all.

        A layer with one input per channel is one tile per output channel. Of other layers rows are output channels
        and columns input channels, the first 48 by 24 of them; 1x1 and dense layers are one matrix.
        """
        weights = self.arrays["weights"]
        reach = float(np.abs(weights).max()) or 1.0
        outs, ins, height, width = weights.shape
        about = f"{self.facts.kind}, {outs} out, {ins} in, {height}x{width}"
        title = f"weights of {self.facts.layer}"
        if self.facts.colour:
            order = slice(None, None, -1 if self.facts.order == "BGR" else 1)
            tiles = [_in_colour(kernel[order], reach) for kernel in weights]
            tile = tile_size((height, width), outs)
            return sheet(
                tiles,
                tile=tile,
                columns=columns_for(outs, tile),
                title=title,
                numbered=True,
                subtitle=f"{about}; grey is zero, the brightest ±{reach:.3g} in each of red, green and blue",
            )
        bar = Bar(-reach, reach, "signed", "weight; one scale for all")
        if ins == 1 and height * width > 1:
            tiles = [colourise(kernel[0], -reach, reach, "signed") for kernel in weights]
            tile = tile_size((height, width), outs)
            columns = columns_for(outs, tile)
            return sheet(tiles, tile=tile, columns=columns, title=title, subtitle=about, numbered=True, bar=bar)
        if height * width == 1:
            matrix = colourise(weights[:, :, 0, 0], -reach, reach, "signed")
            each = "" if (many := _in_a_pixel(outs, ins)) <= 1 else f"; a pixel is the mean of about {many:.2g} weights"
            return sheet(
                [matrix],
                tile=_matrix_size(outs, ins),
                columns=1,
                title=title,
                bar=bar,
                subtitle=f"{about}; a row for each output channel, a column for each input channel{each}",
            )
        rows, columns = self._tiles()
        tiles = [colourise(weights[o, i], -reach, reach, "signed") for o in range(rows) for i in range(columns)]
        factor = max(1, 24 // max(height, width))
        shown = "" if (rows, columns) == (outs, ins) else f"; the first {rows} out by {columns} in are shown"
        return sheet(
            tiles,
            tile=(height * factor, width * factor),
            columns=columns,
            title=title,
            bar=bar,
            subtitle=f"{about}; a row for each output channel, a column for each input channel{shown}",
        )

    def _tiles(self) -> tuple[int, int]:
        """The rows and columns of a mosaic of kernels."""
        return min(len(self.arrays["weights"]), MOST_OUT), min(self.arrays["weights"].shape[1], MOST_IN)

    @property
    def cuts(self) -> tuple[str, ...]:
        """The kernels that are not in the mosaic, and what a pixel of a large matrix stands for."""
        outs, ins, height, width = self.arrays["weights"].shape
        if height * width == 1 and not self.facts.colour:
            many = _in_a_pixel(outs, ins)
            told = (
                f"a pixel of the picture is the mean of about {many:.2g} weights: save as .npz for each of {outs}x{ins}"
            )
            return (told,) if many > 1 else ()
        if self.facts.colour or ins == 1 or (outs, ins) == self._tiles():
            return ()
        rows, columns = self._tiles()
        told = f"the first {rows} of {outs} channels out by the first {columns} of {ins} in"
        return (f"the picture shows the kernels of {told}: save as .npz for all",)


def _in_colour(kernel: np.ndarray, reach: float) -> UInt8[np.ndarray, "h w 3"]:
    """A kernel `3 kh kw` (red, green, blue) as a picture: zero is mid grey."""
    return np.rint((kernel.transpose(1, 2, 0) / reach + 1) / 2 * 255).astype(np.uint8)


def _matrix_size(rows: int, columns: int) -> tuple[int, int]:
    factor = min(8.0, max(900 / max(rows, columns), 0.05))
    if factor >= 1:
        factor = int(factor)
    return max(1, round(rows * factor)), max(1, round(columns * factor))


def _in_a_pixel(rows: int, columns: int) -> float:
    """How many numbers of a matrix a pixel of its picture stands for."""
    drawn = _matrix_size(rows, columns)
    return rows * columns / (drawn[0] * drawn[1])

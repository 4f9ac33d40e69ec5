"""What a layer has learned, as a mosaic."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

from convscope.render.colour import colourise, themed
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.grid import columns_for, sheet, tile_size
from convscope.render.style import Style
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
    in_tiles = True

    needs: ClassVar[Axes] = {"weights": ("out", "in", "kh", "kw")}

    def summary(self) -> Summary:
        return Summary({"layer": self.facts.layer, "shape": list(self.arrays["weights"].shape)})

    @property
    def tiled(self) -> bool:
        """Whether each output channel is a tile: else columns are input channels."""
        _, ins, height, width = self.arrays["weights"].shape
        return self.facts.colour or (ins == 1 and height * width > 1)

    def figure(self, style: Style) -> Figure:
        """Kernels that see colours in colour; others signed, on one scale for all.

        A layer with one input per channel is one tile per output channel. Of other layers rows are output channels
        and columns input channels, the first 48 by 24 of them; 1x1 and dense layers are one matrix.
        """
        _, ins, height, width = self.arrays["weights"].shape
        if self.facts.colour:
            return self._in_colour(style)
        if ins == 1 and height * width > 1:
            return self._one_each(style)
        return self._matrix(style) if height * width == 1 else self._mosaic(style)

    @property
    def _reach(self) -> float:
        """The greatest weight, whatever its sign."""
        return float(np.abs(self.arrays["weights"]).max()) or 1.0

    def _sheet(self, style: Style, tiles: list[UInt8[np.ndarray, "_ _ 3"]], more: str = "", **options: Any) -> Figure:
        """Tiles with the layer's name and shape."""
        outs, ins, height, width = self.arrays["weights"].shape
        about = f"{self.facts.kind}, {outs} out, {ins} in, {height}x{width}{more}"
        return sheet(tiles, title=style.named(f"weights of {self.facts.layer}"), subtitle=style.named(about), **options)

    def _bar(self, style: Style) -> Bar:
        return Bar(-self._reach, self._reach, themed("signed", style.theme), "weight; one scale for all")

    def _drawn(self, weights: np.ndarray, style: Style) -> UInt8[np.ndarray, "_ _ 3"]:
        return colourise(weights, -self._reach, self._reach, themed("signed", style.theme))

    def _in_colour(self, style: Style) -> Figure:
        """Kernels that see colours, a tile each."""
        weights, reach = self.arrays["weights"], self._reach
        order = slice(None, None, -1 if self.facts.order == "BGR" else 1)
        tiles = [_in_colour(kernel[order], reach) for kernel in weights]
        tile = tile_size((weights.shape[2], weights.shape[3]), len(tiles))
        columns = style.across(columns_for(len(tiles), tile))
        more = f"; grey is zero, the brightest ±{reach:.3g} in each of red, green and blue"
        return self._sheet(style, tiles, more, tile=tile, columns=columns, numbered=True)

    def _one_each(self, style: Style) -> Figure:
        """A kernel for each channel."""
        weights = self.arrays["weights"]
        tiles = [self._drawn(kernel[0], style) for kernel in weights]
        tile = tile_size((weights.shape[2], weights.shape[3]), len(tiles))
        columns = style.across(columns_for(len(tiles), tile))
        return self._sheet(style, tiles, tile=tile, columns=columns, numbered=True, bar=self._bar(style))

    def _matrix(self, style: Style) -> Figure:
        """A layer that mixes channels at each place."""
        outs, ins = self.arrays["weights"].shape[:2]
        matrix = self._drawn(self.arrays["weights"][:, :, 0, 0], style)
        each = "" if (many := _in_a_pixel(outs, ins)) <= 1 else f"; a pixel is the mean of about {many:.2g} weights"
        more = f"; a row for each output channel, a column for each input channel{each}"
        return self._sheet(style, [matrix], more, tile=_matrix_size(outs, ins), columns=1, bar=self._bar(style))

    def _mosaic(self, style: Style) -> Figure:
        """A row for each output channel, a column for each input channel."""
        weights = self.arrays["weights"]
        outs, ins, height, width = weights.shape
        rows, columns = self._tiles()
        tiles = [self._drawn(weights[o, i], style) for o in range(rows) for i in range(columns)]
        factor = max(1, 24 // max(height, width))
        shown = "" if (rows, columns) == (outs, ins) else f"; the first {rows} out by {columns} in are shown"
        more = f"; a row for each output channel, a column for each input channel{shown}"
        tile = height * factor, width * factor
        return self._sheet(style, tiles, more, tile=tile, columns=columns, bar=self._bar(style))

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

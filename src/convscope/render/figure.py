"""A figure: pictures, words and lines at their places, whatever the theme and the format it is drawn in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from convscope.render.style import Colour

Role = Literal["ink", "faint", "paper", "edge", "series0", "series1", "series2", "series3"]
"""What a colour is for; the theme says which it is."""
Paint = Role | Colour
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom; the right and the bottom edge are where it ends."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels drawn into a box at `at` of `size` (width, height)."""

    at: Point
    pixels: UInt8[np.ndarray, "h w 3"]
    size: tuple[float, float]
    smooth: bool

    def resized(self, width: int, height: int) -> Image.Image:
        """The pixels at a size: averaged where they shrink; enlarged as cells, or smooth."""
        picture = Image.fromarray(np.ascontiguousarray(self.pixels))
        if picture.size == (width, height):
            return picture
        how = Image.Resampling.BICUBIC if self.smooth or picture.width > width else Image.Resampling.NEAREST
        return picture.resize((width, height), how)

    @property
    def in_cells(self) -> bool:
        """Whether it is enlarged with its cells visible."""
        return not self.smooth and self.size[0] > self.pixels.shape[1]

    def kept(self, finest: float) -> Image.Image:
        """The pixels, at most `finest` of them for one of the figure."""
        height, width = self.pixels.shape[:2]
        factor = min(1.0, finest * max(self.size[0] / width, self.size[1] / height))
        return self.resized(max(1, round(width * factor)), max(1, round(height * factor)))


@dataclass(frozen=True)
class Text:
    """A line of text; `anchor` as in Pillow (`la`: from the left, below the point)."""

    at: Point
    text: str
    size: int
    paint: Paint
    anchor: str


@dataclass(frozen=True)
class Rectangle:
    """A box, filled, or with an edge of one pixel inside it."""

    at: Point
    size: tuple[float, float]
    fill: Paint | None
    outline: Paint | None


@dataclass(frozen=True)
class Line:
    """A line through points, which are given from `at`."""

    at: Point
    points: Sequence[Point]
    paint: Paint
    width: float


@dataclass(frozen=True)
class Dot:
    """A disc about `at`."""

    at: Point
    radius: float
    paint: Paint


Item = Picture | Text | Rectangle | Line | Dot


class Figure:
    """What is to be drawn on a sheet of paper of `width` by `height` pixels, in order."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.items: list[Item] = []

    def picture(
        self, pixels: UInt8[np.ndarray, "h w 3"], at: Point, size: tuple[float, float], smooth: bool = False
    ) -> None:
        """Pixels in a box of `size` (width, height). Unless smooth, cells stay visible where they are enlarged."""
        self.items.append(Picture(at, pixels, size, smooth))

    def text(self, at: Point, text: str, size: int, paint: Paint = "ink", anchor: str = "la") -> None:
        """A line of text."""
        self.items.append(Text(at, text, size, paint, anchor))

    def rectangle(self, box: Box, fill: Paint | None = None, outline: Paint | None = None) -> None:
        """A box; its edge lies within it."""
        left, top, right, bottom = box
        self.items.append(Rectangle((left, top), (right - left, bottom - top), fill, outline))

    def line(self, points: Sequence[Point], paint: Paint = "ink", width: float = 1) -> None:
        """A line through points."""
        self.items.append(Line((0, 0), tuple(points), paint, width))

    def dot(self, at: Point, radius: float, paint: Paint = "ink") -> None:
        """A disc about a point."""
        self.items.append(Dot(at, radius, paint))

    def place(self, other: "Figure", at: Point) -> None:
        """What is on another figure, at a place on this one."""
        x, y = at
        self.items += [replace(item, at=(item.at[0] + x, item.at[1] + y)) for item in other.items]

    def texts(self) -> list[str]:
        """All that is written, in order."""
        return [item.text for item in self.items if isinstance(item, Text)]

    @staticmethod
    def of(pixels: UInt8[np.ndarray, "h w 3"]) -> "Figure":
        """A picture by itself, pixel for pixel."""
        height, width = pixels.shape[:2]
        figure = Figure(width, height)
        figure.picture(pixels, (0, 0), (width, height), smooth=True)
        return figure

    @staticmethod
    def stacked(figures: "Iterable[Figure]") -> "Figure":
        """Figures one below the other."""
        given = list(figures)
        result = Figure(max(one.width for one in given), sum(one.height for one in given))
        y = 0
        for one in given:
            result.place(one, (0, y))
            y += one.height
        return result

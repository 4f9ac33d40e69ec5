"""How a result is to be drawn: the theme, tiles in a row, the scale, with a title or without."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from convscope.errors import InputError
from convscope.options import About

ThemeName = Literal["dark", "light"]
Colour = tuple[int, int, int]
MOST_SCALE, MOST_PIXELS = 8.0, 150_000_000
"""How much a picture is enlarged at most, and the pixels that it has at most."""


@dataclass(frozen=True)
class Theme:
    """What the roles of a figure's colours are. series: of lines and bars that stand for different things."""

    ink: Colour
    faint: Colour
    paper: Colour
    edge: Colour
    series: tuple[Colour, Colour, Colour, Colour]

    def colour(self, given: "str | Colour") -> Colour:
        """The colour of a role ("ink", "faint", "paper", "edge", "series0" to "series3"); any other colour as it is."""
        if not isinstance(given, str):
            return given
        if given.startswith("series"):
            return self.series[int(given.removeprefix("series"))]
        colour: Colour = getattr(self, given)
        return colour


THEMES: Mapping[ThemeName, Theme] = {
    "dark": Theme(
        ink=(226, 228, 233),
        faint=(139, 144, 155),
        paper=(17, 18, 22),
        edge=(44, 47, 55),
        series=((245, 160, 74), (111, 211, 242), (160, 210, 120), (220, 130, 200)),
    ),
    "light": Theme(
        ink=(24, 26, 31),
        faint=(98, 103, 114),
        paper=(255, 255, 255),
        edge=(208, 211, 218),
        series=((178, 88, 6), (14, 107, 161), (62, 118, 30), (152, 57, 132)),
    ),
}


@dataclass(frozen=True)
class Style:
    """How a result is drawn. scale: how many pixels one of the layout becomes."""

    theme: Annotated[ThemeName, About("the paper")] = "dark"
    columns: Annotated[int | None, About("tiles in a row, of a sheet of tiles", 1, unset="as many as suit it")] = None
    scale: Annotated[float, About("how many times as large; words stay sharp", 0.01, MOST_SCALE)] = 1.0
    title: Annotated[bool, About("with title and subtitle")] = True

    def __post_init__(self) -> None:
        if self.theme not in get_args(ThemeName):
            raise InputError(f"theme is {self.theme!r}; expected dark or light")
        columns = self.columns
        if columns is not None and (not isinstance(columns, int) or isinstance(columns, bool) or columns < 1):
            raise InputError(f"columns is {columns!r}; expected a whole number from 1, how many tiles stand in a row")
        if not (isinstance(self.scale, int | float) and math.isfinite(self.scale) and 0 < self.scale <= MOST_SCALE):
            raise InputError(f"scale is {self.scale!r}; expected a number above 0, at most {MOST_SCALE:g}")

    def named(self, title: str) -> str:
        """The title or subtitle, unless there is to be none."""
        return title if self.title else ""

    @property
    def options(self) -> dict[str, Any]:
        """The style as options of what draws a result."""
        return {name: getattr(self, name) for name in ("theme", "columns", "scale", "title")}

    def told(self) -> dict[str, Any]:
        """What is not as usual, as plain JSON."""
        return {name: value for name, value in self.options.items() if value != getattr(PLAIN, name)}

    def across(self, usual: int) -> int:
        """How many tiles stand in a row."""
        return usual if self.columns is None else self.columns


PLAIN = Style()


def extent(width: int, height: int, scale: float) -> tuple[int, int]:
    """The pixels of a figure at a scale. Raises InputError for more than a picture has."""
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(
            f"at scale {scale:g} the picture would have {size[0]}x{size[1]} pixels; expected at most "
            f"{MOST_PIXELS // 10**6} million: take a smaller scale"
        )
    return size

"""Colour bars: the legend of a heatmap, lying below pictures or standing beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.render.colour import MapName, colourise
from convscope.render.figure import Figure
from convscope.render.text import figure as number
from convscope.render.text import shortened, width_of

SMALL, EDGE_ROOM = 13, 16
"""Pixels of the letters, and left free at the right edge."""
BAR = 14
"""Pixels across of a bar that stands."""


@dataclass(frozen=True)
class Bar:
    """A colour bar: the map, the values at its ends, and what they are of."""

    low: float
    high: float
    map: MapName
    label: str = ""


def room_beside(bar: Bar, left: int, length: int, width: int) -> int:
    """How many pixels the label has beside a bar that lies, on a figure so wide."""
    return width - EDGE_ROOM - left - width_of(number(bar.low), SMALL) - width_of(number(bar.high), SMALL) - length - 28


def draw_bar(figure: Figure, bar: Bar, at: tuple[int, int], length: int, below: Sequence[str] = ()) -> None:
    """A bar that lies, with its ends' values, and its label beside it or, given as lines, below."""
    low, high = number(bar.low), number(bar.high)
    x = at[0] + width_of(low, SMALL) + 7
    figure.text((at[0], at[1] + 8), low, SMALL, anchor="lm")
    ramp = colourise(np.linspace(bar.low, bar.high, length)[None], bar.low, bar.high, bar.map)
    figure.picture(ramp, (x, at[1] + 2), (length, 12))
    figure.rectangle((x - 1, at[1] + 1, x + length + 1, at[1] + 15), outline="edge")
    after = x + length + 7
    figure.text((after, at[1] + 8), high, SMALL, anchor="lm")
    start = after + width_of(high, SMALL) + 14
    if not below:
        text = shortened(bar.label, SMALL, figure.width - EDGE_ROOM - start)
        figure.text((start, at[1] + 8), text, SMALL, "faint", "lm")
    for line, text in enumerate(below):
        figure.text((at[0], at[1] + 20 + line * (SMALL + 4)), text, SMALL, "faint")


def draw_upright_bar(figure: Figure, bar: Bar, ends: tuple[str, str], at: tuple[int, int], length: int) -> None:
    """A bar that stands, the highest value above. ends: what stands at its lower and upper end."""
    low, high = ends
    values = np.linspace(bar.high, bar.low, length)[:, None]
    figure.picture(colourise(values, bar.low, bar.high, bar.map), at, (BAR, length))
    figure.rectangle((at[0] - 1, at[1], at[0] + BAR + 1, at[1] + length), outline="edge")
    figure.text((at[0] + BAR + 6, at[1]), high, SMALL)
    figure.text((at[0] + BAR + 6, at[1] + length), low, SMALL, anchor="ld")

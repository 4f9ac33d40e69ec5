"""Colour bars: the legend of a heatmap, lying below pictures or standing beside them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from convscope.render.colour import MapName, colourise
from convscope.render.text import EDGE, FAINT, INK, figure, shortened, width_of, write

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


def draw_bar(canvas: Image.Image, draw: ImageDraw.ImageDraw, bar: Bar, at: tuple[int, int], length: int) -> None:
    """A bar that lies, with its ends' values and its label beside it."""
    low, high = figure(bar.low), figure(bar.high)
    x = at[0] + width_of(low, SMALL) + 7
    write(draw, (at[0], at[1] + 8), low, SMALL, INK, "lm")
    ramp = colourise(np.linspace(bar.low, bar.high, length)[None].repeat(12, 0), bar.low, bar.high, bar.map)
    canvas.paste(Image.fromarray(ramp), (x, at[1] + 2))
    draw.rectangle((x - 1, at[1] + 1, x + length, at[1] + 14), outline=EDGE)
    after = x + length + 7
    write(draw, (after, at[1] + 8), high, SMALL, INK, "lm")
    start = after + width_of(high, SMALL) + 14
    text = shortened(bar.label, SMALL, canvas.width - EDGE_ROOM - start)
    write(draw, (start, at[1] + 8), text, SMALL, FAINT, "lm")


def draw_upright_bar(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, bar: Bar, ends: tuple[str, str], at: tuple[int, int], length: int
) -> None:
    """A bar that stands, the highest value above. ends: what stands at its lower and upper end."""
    low, high = ends
    values = np.linspace(bar.high, bar.low, length)[:, None].repeat(BAR, 1)
    canvas.paste(Image.fromarray(colourise(values, bar.low, bar.high, bar.map)), at)
    draw.rectangle((at[0] - 1, at[1], at[0] + BAR, at[1] + length - 1), outline=EDGE)
    write(draw, (at[0] + BAR + 6, at[1]), high, SMALL, INK, "la")
    write(draw, (at[0] + BAR + 6, at[1] + length), low, SMALL, INK, "ld")

"""A line plot: a few values in [0,1] over named places."""

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from convscope.render.text import EDGE, FAINT, INK, PAPER, figure, shortened, write

COLOURS = ((245, 160, 74), (111, 211, 242), (160, 210, 120), (220, 130, 200))
SMALL, HEIGHT, LEFT, RIGHT, TOP, FOOT = 13, 240, 56, 24, 44, 40
LEAST = 56
"""Pixels that the name of a place has, at least; where places are closer, only some are named."""


def line_plot(
    places: Sequence[str], lines: Mapping[str, Sequence[float]], *, width: int, title: str, figures: bool = True
) -> Image.Image:
    """Lines by name, each with one value for every place, drawn from 0 to 1: the title says where some lie beyond.

    figures: with its figure beside each point.
    """
    canvas = Image.new("RGB", (width, HEIGHT + TOP + FOOT), PAPER)
    draw = ImageDraw.Draw(canvas)
    beyond = any(value < -0.005 or value > 1.005 for values in lines.values() for value in values)
    write(draw, (LEFT, 12), f"{title} (cut at 0 and 1)" if beyond else title, SMALL)
    room = width - LEFT - RIGHT
    step = room / max(1, len(places))

    def at(place: int, value: float) -> tuple[float, float]:
        return LEFT + step * (place + 0.5), TOP + HEIGHT * (1 - value)

    for tick in (0, 0.25, 0.5, 0.75, 1):
        y = at(0, tick)[1]
        draw.line((LEFT, y, width - RIGHT, y), fill=EDGE)
        write(draw, (LEFT - 8, y), f"{tick:g}", SMALL, FAINT, "rm")
    every = max(1, math.ceil(LEAST / step))
    for i in range(0, len(places), every):
        text = shortened(places[i], SMALL, int(step * every) - 6)
        write(draw, (at(i, 0)[0], TOP + HEIGHT + 8), text, SMALL, INK, "ma")
    end, first = width - RIGHT, next(iter(lines), "")
    for (name, values), colour in reversed(list(zip(lines.items(), COLOURS, strict=False))):
        points = [at(i, min(1.0, max(0.0, value))) for i, value in enumerate(values)]
        draw.line([xy for point in points for xy in point], fill=colour, width=2)
        for number, ((x, y), value) in enumerate(zip(points, values, strict=True)):
            if every == 1:
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
            if not figures:
                continue
            rivals = [other[number] for other in lines.values() if other is not values]
            below = any(value < other or (value == other and name != first) for other in rivals)
            write(draw, (x + 6, y + 6 if below else y - 6), figure(value), SMALL - 1, colour, "la" if below else "ls")
        write(draw, (end, 12), name, SMALL, colour, "ra")
        end -= int(draw.textlength(name)) + 48
    return canvas

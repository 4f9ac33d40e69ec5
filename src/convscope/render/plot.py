"""A line plot: a few values in [0,1] over named places."""

import math
from collections.abc import Mapping, Sequence

from convscope.render.figure import Figure, Paint
from convscope.render.text import figure, shortened, width_of

COLOURS: tuple[Paint, ...] = ("series0", "series1", "series2", "series3")
FEW = 6
"""Places that are all named, as far as they have room."""
SMALL, HEIGHT, LEFT, RIGHT, TOP, FOOT = 13, 240, 56, 24, 44, 40
LEAST, MOST = 56, 132
"""Pixels that the name of a place has, at least, and at most where it is long; where places are closer, only some are
named."""


def line_plot(
    places: Sequence[str], lines: Mapping[str, Sequence[float]], *, width: int, title: str, figures: bool = True
) -> Figure:
    """Lines by name, each with one value for every place, drawn from 0 to 1: the title says where some lie beyond.

    figures: with its figure beside each point.
    """
    plot = Figure(width, HEIGHT + TOP + FOOT)
    beyond = any(value < -0.005 or value > 1.005 for values in lines.values() for value in values)
    room = width - LEFT - RIGHT
    step = room / max(1, len(places))

    def at(place: int, value: float) -> tuple[float, float]:
        return LEFT + step * (place + 0.5), TOP + HEIGHT * (1 - value)

    for tick in (0, 0.25, 0.5, 0.75, 1):
        y = at(0, tick)[1]
        plot.line([(LEFT, y), (width - RIGHT, y)], "edge")
        plot.text((LEFT - 8, y), f"{tick:g}", SMALL, "faint", "rm")
    every = max(1, math.ceil(LEAST / step))
    wide = min(MOST, max([LEAST, *(width_of(place, SMALL) + 10 for place in places)]))
    named = every if len(places) <= FEW else max(1, math.ceil(wide / step))
    for i in range(0, len(places), named):
        text = shortened(places[i], SMALL, int(step * named) - 6)
        half = width_of(text, SMALL) / 2 + 2
        plot.text((min(max(at(i, 0)[0], half), width - half), TOP + HEIGHT + 8), text, SMALL, "ink", "ma")
    end, first = width - RIGHT, next(iter(lines), "")
    for (name, values), paint in reversed(list(zip(lines.items(), COLOURS, strict=False))):
        points = [at(i, min(1.0, max(0.0, value))) for i, value in enumerate(values)]
        plot.line(points, paint, 2)
        for number, ((x, y), value) in enumerate(zip(points, values, strict=True)):
            if every == 1:
                plot.dot((x, y), 3, paint)
            if not figures:
                continue
            rivals = [other[number] for other in lines.values() if other is not values]
            below = any(value < other or (value == other and name != first) for other in rivals)
            place, anchor = (x + 6, y + 6 if below else y - 6), "la" if below else "ls"
            plot.text(place, figure(value), SMALL - 1, paint, anchor)
        plot.text((end, 12), name, SMALL, paint, "ra")
        end -= width_of(name, SMALL) + 24
    title = f"{title} (cut at 0 and 1)" if beyond else title
    plot.text((LEFT, 12), shortened(title, SMALL, end - LEFT), SMALL)
    return plot

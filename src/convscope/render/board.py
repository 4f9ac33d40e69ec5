"""Maps in rows and columns: names above and beside, and for each row the scale it is drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from convscope.render.colour_bar import BAR, Bar, draw_upright_bar
from convscope.render.figure import Figure
from convscope.render.grid import GAP, MARGIN, SMALL, TITLE
from convscope.render.text import shortened, width_of

ABOVE = 44
"""Pixels above a column for its names."""


@dataclass(frozen=True)
class Row:
    """A row: its name (a second line fainter), its tiles, its scale, and what stands at the scale's lower and upper
    end."""

    name: str
    tiles: Sequence[UInt8[np.ndarray, "h w 3"]]
    bar: Bar
    ends: tuple[str, str]


def board(
    corner: UInt8[np.ndarray, "h w 3"],
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    side: int,
    title: str,
    subtitle: str,
) -> Figure:
    """One figure: the corner picture at the top left with the names of the columns beside it, then the rows.

    side: pixels on the long side of a tile. A line break in a name makes a second, fainter line.
    """
    height, width = corner.shape[:2]
    tile = max(1, round(side * height / max(height, width))), max(1, round(side * width / max(height, width)))
    right = 10 + BAR + 8 + max(width_of(text, SMALL) for row in rows for text in row.ends)
    top = MARGIN + (TITLE + 8 if title else 0) + (SMALL + 10 if subtitle else 0)
    body = top + ABOVE
    across, down = tile[1] + GAP, tile[0] + GAP
    least = MARGIN * 2 + max(width_of(title, TITLE), width_of(subtitle, SMALL))
    full = max(MARGIN + across * (1 + len(columns)) + right + MARGIN, min(least, 1440))
    figure = Figure(full, body + down * len(rows) - GAP + MARGIN)
    if title:
        figure.text((MARGIN, MARGIN - 3), shortened(title, TITLE, full - 2 * MARGIN), TITLE)
    if subtitle:
        figure.text((MARGIN, body - ABOVE - SMALL - 12), shortened(subtitle, SMALL, full - 2 * MARGIN), SMALL, "faint")
    for column, name in enumerate(columns):
        _lines(figure, (MARGIN + across * (column + 1), body - 6), name, tile[1] - 6, upwards=True)
    for i, row in enumerate(rows):
        y = body + down * i
        _lines(figure, (MARGIN, y + 2), row.name, tile[1] - 8)
        if i == 0:
            used = 2 * (SMALL + 3) + 6
            width, height = _within(corner.shape, max(1, tile[0] - used - SMALL - 6), tile[1] - 8)
            figure.picture(corner, (MARGIN, y + used), (width, height), smooth=True)
            figure.text((MARGIN, y + used + height + 3), "the photograph", SMALL, "faint")
        for column, pixels in enumerate(row.tiles):
            figure.picture(pixels, (MARGIN + across * (column + 1), y), (tile[1], tile[0]), smooth=True)
        draw_upright_bar(figure, row.bar, row.ends, (MARGIN + across * (len(columns) + 1) + 7, y), tile[0])
    return figure


def _lines(figure: Figure, at: tuple[int, int], text: str, room: int, *, upwards: bool = False) -> None:
    lines = text.split("\n")
    y = at[1] - len(lines) * (SMALL + 3) if upwards else at[1]
    for number, line in enumerate(lines):
        figure.text(
            (at[0], y + number * (SMALL + 3)), shortened(line, SMALL, room), SMALL, "faint" if number else "ink"
        )


def _within(shape: tuple[int, ...], height: int, width: int) -> tuple[int, int]:
    """Width and height of a picture within so much room, its proportions kept."""
    factor = min(height / shape[0], width / shape[1])
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))

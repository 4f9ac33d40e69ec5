"""Maps in rows and columns: names above and beside, and for each row the scale it is drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from convscope.render.colour_bar import BAR, Bar, draw_upright_bar
from convscope.render.grid import GAP, MARGIN, SMALL, TITLE
from convscope.render.text import FAINT, INK, PAPER, shortened, width_of, write

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
) -> Image.Image:
    """One picture: the corner picture at the top left with the names of the columns beside it, then the rows.

    side: pixels on the long side of a tile. A line break in a name makes a second, fainter line.
    """
    height, width = corner.shape[:2]
    tile = max(1, round(side * height / max(height, width))), max(1, round(side * width / max(height, width)))
    right = 10 + BAR + 8 + max(width_of(text, SMALL) for row in rows for text in row.ends)
    top = MARGIN + TITLE + 8 + SMALL + 10
    body = top + ABOVE
    across, down = tile[1] + GAP, tile[0] + GAP
    least = MARGIN * 2 + max(width_of(title, TITLE), width_of(subtitle, SMALL))
    full = max(MARGIN + across * (1 + len(columns)) + right + MARGIN, min(least, 1440))
    canvas = Image.new("RGB", (full, body + down * len(rows) - GAP + MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    write(draw, (MARGIN, MARGIN - 3), shortened(title, TITLE, full - 2 * MARGIN), TITLE)
    write(draw, (MARGIN, MARGIN + TITLE + 6), shortened(subtitle, SMALL, full - 2 * MARGIN), SMALL, FAINT)
    for column, name in enumerate(columns):
        _lines(draw, (MARGIN + across * (column + 1), body - 6), name, tile[1] - 6, upwards=True)
    for i, row in enumerate(rows):
        y = body + down * i
        _lines(draw, (MARGIN, y + 2), row.name, tile[1] - 8)
        if i == 0:
            used = 2 * (SMALL + 3) + 6
            small = _scaled(corner, max(1, tile[0] - used - SMALL - 6), tile[1] - 8)
            canvas.paste(small, (MARGIN, y + used))
            write(draw, (MARGIN, y + used + small.height + 3), "the photograph", SMALL, FAINT)
        for column, pixels in enumerate(row.tiles):
            canvas.paste(_drawn(pixels, tile), (MARGIN + across * (column + 1), y))
        draw_upright_bar(canvas, draw, row.bar, row.ends, (MARGIN + across * (len(columns) + 1) + 7, y), tile[0])
    return canvas


def _lines(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, room: int, *, upwards: bool = False) -> None:
    lines = text.split("\n")
    y = at[1] - len(lines) * (SMALL + 3) if upwards else at[1]
    for number, line in enumerate(lines):
        shown = shortened(line, SMALL, room)
        write(draw, (at[0], y + number * (SMALL + 3)), shown, SMALL, FAINT if number else INK)


def _scaled(pixels: UInt8[np.ndarray, "h w 3"], height: int, width: int) -> Image.Image:
    """A picture within so much room, its proportions kept."""
    factor = min(height / pixels.shape[0], width / pixels.shape[1])
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BICUBIC)


def _drawn(pixels: UInt8[np.ndarray, "h w 3"], tile: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return picture.resize((tile[1], tile[0]), Image.Resampling.BICUBIC)

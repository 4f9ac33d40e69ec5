"""Tiles side by side, with a title, numbers or captions, and a colour bar."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from convscope.render.colour_bar import Bar, draw_bar, room_beside
from convscope.render.figure import Figure, Paint
from convscope.render.text import shortened, width_of

MARGIN, GAP = 16, 3
TITLE, SMALL, WORDS = 19, 13, 14
MIN_WIDTH = 360
CAPTION = 90
"""Pixels that a caption has, at least, as far as it needs them: a number that is cut is another number."""


def columns_for(count: int, tile: tuple[int, int], width: int = 1440) -> int:
    """How many columns make a pleasant sheet of `count` tiles of (height, width) pixels, at most `width` across."""
    fit = max(1, (width - 2 * MARGIN) // (tile[1] + GAP))
    square = math.ceil(math.sqrt(count * 1.6 * tile[0] / tile[1]))
    columns = max(1, min(count, fit, square))
    for rounder in (8, 4):
        if columns > rounder:
            columns = columns // rounder * rounder
            break
    return columns


def tile_size(shape: tuple[int, int], count: int) -> tuple[int, int]:
    """How large to draw `count` maps of (height, width) so that the sheet is neither tiny nor huge."""
    side = max(shape)
    wanted = 112 if count <= 64 else 64 if count <= 320 else 42
    factor = float(max(1, round(wanted / side)))
    if side >= wanted:
        factor = wanted / side if count > 32 else min(1.0, 160 / side)
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def widest(captions: Sequence[str]) -> int:
    """How many pixels the widest line of captions takes."""
    return max((width_of(line, SMALL) for caption in captions for line in caption.split("\n")), default=0)


def sheet(
    tiles: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    *,
    tile: tuple[int, int],
    columns: int,
    title: str = "",
    subtitle: str = "",
    captions: Sequence[str] = (),
    numbered: bool = False,
    first_number: int = 0,
    bar: Bar | None = None,
    smooth: bool = False,
) -> Figure:
    """One figure of many tiles, each drawn at `tile` = (height, width) pixels.

    captions: a line below each tile (a line break makes a second, fainter line). numbered: rows and columns carry
    numbers, so that a tile's own is the sum of both. smooth: interpolate when a tile is enlarged; otherwise its
    cells stay visible.
    """
    rows = math.ceil(len(tiles) / columns)
    height, width = tile
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    cell_h = height + GAP + (lines * (SMALL + 3) + 12 if lines else 0)
    cell_w = max(width, min(CAPTION, widest(captions))) + GAP
    left = MARGIN + (width_of(str(first_number + (rows - 1) * columns), SMALL) + 8 if numbered else 0)
    top = MARGIN + (TITLE + 8 if title else 0) + (SMALL + 8 if subtitle else 0)
    body_top = top + (SMALL + 5 if numbered else 0)
    foot = SMALL + 24 if bar else 0
    needed = max(width_of(title, TITLE), width_of(subtitle, SMALL)) + 2 * MARGIN if title or subtitle else 0
    full_w = max(left + columns * cell_w - GAP + MARGIN, min(needed, 1440), MIN_WIDTH if bar or title else 0)
    room = full_w - 2 * MARGIN
    below = _legend(bar, room, full_w) if bar else []
    foot += len(below) * (SMALL + 4)
    figure = Figure(full_w, body_top + rows * cell_h - GAP + foot + MARGIN)
    if title:
        figure.text((MARGIN, MARGIN - 3), shortened(title, TITLE, room), TITLE)
    if subtitle:
        figure.text((MARGIN, top - SMALL - 9), shortened(subtitle, SMALL, room), SMALL, "faint")
    if numbered:
        _numbers(figure, (left, top), rows, columns, (cell_h, cell_w), body_top, first_number)
    for i, pixels in enumerate(tiles):
        x, y = left + i % columns * cell_w, body_top + i // columns * cell_h
        figure.picture(pixels, (x, y), (width, height), smooth)
        for line, text in enumerate(captions[i].split("\n") if captions else ()):
            at = (x, y + height + 4 + line * (SMALL + 3))
            figure.text(at, shortened(text, SMALL, cell_w - GAP), SMALL, "faint" if line else "ink")
    if bar:
        y = figure.height - MARGIN - SMALL - 8 - len(below) * (SMALL + 4)
        draw_bar(figure, bar, (MARGIN, y), min(220, room // 2), below)
    return figure


def _legend(bar: Bar, room: int, width: int) -> list[str]:
    """The lines of a bar's label that stand below it; none where it has room beside it."""
    beside = room_beside(bar, MARGIN, min(220, room // 2), width)
    if width_of(bar.label, SMALL) <= beside:
        return []
    return [shortened(line, SMALL, room) for line in broken([bar.label], SMALL, room)]


def _numbers(
    figure: Figure,
    at: tuple[int, int],
    rows: int,
    columns: int,
    cell: tuple[int, int],
    body_top: int,
    first: int,
) -> None:
    """The first number of each row at the left, and what to add to it above each column."""
    left, top = at
    every = max(1, math.ceil(width_of(f"+{columns}", SMALL) * 1.3 / cell[1]))
    for column in range(0, columns, every):
        figure.text((left + column * cell[1] + cell[1] / 2, top), f"+{column}", SMALL, "faint", "ma")
    each = max(1, math.ceil((SMALL + 2) / cell[0]))
    for row in range(0, rows, each):
        y = body_top + row * cell[0] + (cell[0] - GAP) / 2
        figure.text((left - 8, y), str(first + row * columns), SMALL, "ink", "rm")


def broken(lines: Sequence[str], size: int, room: int, indent: str = "") -> list[str]:
    """Lines of text, broken where they are wider than `room`; what goes on is indented."""
    result: list[str] = []
    for line in lines:
        rest = ""
        for word in line.split():
            if rest and width_of(f"{rest} {word}", size) > room:
                result.append(rest)
                rest = f"{indent}{word}"
            else:
                rest = f"{rest} {word}" if rest else word
        result.append(rest)
    return result


def paragraph(lines: Sequence[str], width: int, paint: Paint = "ink") -> Figure:
    """Lines of text, broken where they are too long."""
    shown = broken(lines, WORDS, width - 2 * MARGIN, indent="   ")
    figure = Figure(width, len(shown) * (WORDS + 8) + 2 * MARGIN)
    for number, line in enumerate(shown):
        figure.text((MARGIN, MARGIN + number * (WORDS + 8)), line, WORDS, paint)
    return figure

"""Tiles side by side, with a title, numbers or captions, and a colour bar."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from convscope.render.colour_bar import Bar, draw_bar
from convscope.render.text import FAINT, INK, PAPER, shortened, width_of, write

MARGIN, GAP = 16, 3
TITLE, SMALL, WORDS = 19, 13, 14
MIN_WIDTH = 360


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
) -> Image.Image:
    """One picture of many tiles, each drawn at `tile` = (height, width) pixels.

    captions: a line below each tile (a line break makes a second, fainter line). numbered: rows and columns carry
    numbers, so that a tile's own is the sum of both. smooth: interpolate when a tile is enlarged; otherwise its
    cells stay visible.
    """
    rows = math.ceil(len(tiles) / columns)
    height, width = tile
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    cell_h = height + GAP + (lines * (SMALL + 3) + 12 if lines else 0)
    cell_w = width + GAP
    left = MARGIN + (width_of(str(first_number + (rows - 1) * columns), SMALL) + 8 if numbered else 0)
    top = MARGIN + (TITLE + 8 if title else 0) + (SMALL + 8 if subtitle else 0)
    body_top = top + (SMALL + 5 if numbered else 0)
    foot = SMALL + 24 if bar else 0
    needed = max(width_of(title, TITLE), width_of(subtitle, SMALL)) + 2 * MARGIN if title or subtitle else 0
    full_w = max(left + columns * cell_w - GAP + MARGIN, min(needed, 1440), MIN_WIDTH if bar or title else 0)
    canvas = Image.new("RGB", (full_w, body_top + rows * cell_h - GAP + foot + MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    room = full_w - 2 * MARGIN
    if title:
        write(draw, (MARGIN, MARGIN - 3), shortened(title, TITLE, room), TITLE)
    if subtitle:
        write(draw, (MARGIN, top - SMALL - 9), shortened(subtitle, SMALL, room), SMALL, FAINT)
    if numbered:
        _numbers(draw, (left, top), rows, columns, (cell_h, cell_w), body_top, first_number)
    for i, pixels in enumerate(tiles):
        x, y = left + i % columns * cell_w, body_top + i // columns * cell_h
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        if picture.size != (width, height):
            shrinking = picture.size[0] > width
            how = Image.Resampling.BICUBIC if smooth or shrinking else Image.Resampling.NEAREST
            picture = picture.resize((width, height), how)
        canvas.paste(picture, (x, y))
        for line, text in enumerate(captions[i].split("\n") if captions else ()):
            at = (x, y + height + 4 + line * (SMALL + 3))
            write(draw, at, shortened(text, SMALL, width), SMALL, FAINT if line else INK)
    if bar:
        draw_bar(canvas, draw, bar, (MARGIN, canvas.height - MARGIN - SMALL - 8), min(220, room // 2))
    return canvas


def _numbers(
    draw: ImageDraw.ImageDraw,
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
        write(draw, (left + column * cell[1] + cell[1] / 2, top), f"+{column}", SMALL, FAINT, "ma")
    each = max(1, math.ceil((SMALL + 2) / cell[0]))
    for row in range(0, rows, each):
        y = body_top + row * cell[0] + (cell[0] - GAP) / 2
        write(draw, (left - 8, y), str(first + row * columns), SMALL, INK, "rm")


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other."""
    width = max(picture.width for picture in pictures)
    canvas = Image.new("RGB", (width, sum(picture.height for picture in pictures)), PAPER)
    y = 0
    for picture in pictures:
        canvas.paste(picture, (0, y))
        y += picture.height
    return canvas


def paragraph(lines: Sequence[str], width: int, colour: tuple[int, int, int] = INK) -> Image.Image:
    """Lines of text, broken where they are too long."""
    broken: list[str] = []
    for line in lines:
        rest = ""
        for word in line.split():
            if rest and width_of(f"{rest} {word}", WORDS) > width - 2 * MARGIN:
                broken.append(rest)
                rest = f"   {word}"
            else:
                rest = f"{rest} {word}" if rest else word
        broken.append(rest)
    canvas = Image.new("RGB", (width, len(broken) * (WORDS + 8) + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(broken):
        write(draw, (MARGIN, MARGIN + number * (WORDS + 8)), line, WORDS, colour)
    return canvas

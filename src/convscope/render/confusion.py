"""A confusion matrix: what pictures of each class were taken for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from PIL import Image, ImageDraw

from convscope.render.colour import colourise
from convscope.render.text import EDGE, FAINT, INK, PAPER, shortened, width_of, write

MARGIN, TITLE, SMALL = 16, 19, 13
CELL, SMALLEST = 64, 14
NAMES = 160
"""Pixels that names have, at most."""
WIDEST = 900
FIGURES = 34
"""Pixels of a cell, from which on its number is written into it."""


def confusion_picture(counts: Int[np.ndarray, "k k"], classes: Sequence[str], *, title: str) -> Image.Image:
    """Counts, a row for each true class, a column for what it was taken for; brighter: more of its row."""
    many = len(classes)
    names = min(NAMES, max(width_of(name, SMALL) for name in classes))
    cell = max(SMALLEST, min(max(CELL, names + 10), WIDEST // max(1, many)))
    left, top = MARGIN + names + 30, MARGIN + TITLE + 46
    below = "rows: the true class; brighter: more of its row"
    width = max(left + many * cell, MARGIN + width_of(title, TITLE), MARGIN + width_of(below, SMALL)) + MARGIN
    canvas = Image.new("RGB", (width, top + many * cell + 30 + MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    write(draw, (MARGIN, MARGIN), title, TITLE)
    write(draw, (left, top - 38), "taken for", SMALL, FAINT)
    rows = counts.sum(1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    shades = colourise(shares.astype(np.float32), 0.0, 1.0, "inferno")
    every = max(1, -(-(SMALL + 3) // cell))
    for i, name in enumerate(classes):
        y = top + i * cell
        if i % every == 0:
            write(draw, (left - 8, y + cell / 2), shortened(name, SMALL, names), SMALL, INK, "rm")
            write(draw, (left + i * cell + cell / 2, top - 6), _short(name, cell * every), SMALL, INK, "md")
        for j in range(many):
            x = left + j * cell
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=tuple(int(v) for v in shades[i, j]))
            if cell >= FIGURES and counts[i, j]:
                ink = PAPER if shares[i, j] > 0.6 else INK
                write(draw, (x + cell / 2 - 1, y + cell / 2 - 1), str(int(counts[i, j])), SMALL, ink, "mm")
    draw.rectangle((left - 1, top - 1, left + many * cell - 1, top + many * cell - 1), outline=EDGE)
    write(draw, (MARGIN, top + many * cell + 8), below, SMALL, FAINT)
    return canvas


def _short(name: str, room: int) -> str:
    return shortened(name, SMALL, room - 4)

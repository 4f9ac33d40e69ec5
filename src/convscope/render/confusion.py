"""A confusion matrix: what pictures of each class were taken for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from convscope.render.colour import colourise
from convscope.render.figure import Figure
from convscope.render.style import THEMES
from convscope.render.text import shortened, width_of

MARGIN, TITLE, SMALL = 16, 19, 13
CELL, SMALLEST = 64, 14
NAMES = 160
"""Pixels that names have, at most."""
WIDEST = 900
FIGURES = 34
"""Pixels of a cell, from which on its number is written into it."""


def confusion_figure(counts: Int[np.ndarray, "k k"], classes: Sequence[str], *, title: str) -> Figure:
    """Counts, a row for each true class, a column for what it was taken for; brighter: more of its row."""
    many = len(classes)
    names = min(NAMES, max(width_of(name, SMALL) for name in classes))
    cell = max(SMALLEST, min(max(CELL, names + 10), WIDEST // max(1, many)))
    left, top = MARGIN + names + 30, MARGIN + (TITLE if title else 0) + 46
    below = "rows: the true class; brighter: more of its row"
    width = max(left + many * cell, MARGIN + width_of(title, TITLE), MARGIN + width_of(below, SMALL)) + MARGIN
    figure = Figure(width, top + many * cell + 30 + MARGIN)
    if title:
        figure.text((MARGIN, MARGIN), title, TITLE)
    figure.text((left, top - 38), "taken for", SMALL, "faint")
    rows = counts.sum(1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    _cells(figure, counts, shares, (left, top), cell)
    every = max(1, -(-(SMALL + 3) // cell))
    for i in range(0, many, every):
        middle = i * cell + cell / 2
        figure.text((left - 8, top + middle), shortened(classes[i], SMALL, names), SMALL, "ink", "rm")
        figure.text((left + middle, top - 6), _short(classes[i], cell * every), SMALL, "ink", "md")
    figure.rectangle((left - 1, top - 1, left + many * cell, top + many * cell), outline="edge")
    figure.text((MARGIN, top + many * cell + 8), below, SMALL, "faint")
    return figure


def _cells(figure: Figure, counts: np.ndarray, shares: np.ndarray, at: tuple[int, int], cell: int) -> None:
    """A coloured cell for each count, with its number where there is room: dark on bright cells, bright on dark."""
    shades = colourise(shares.astype(np.float32), 0.0, 1.0, "inferno")
    dark = THEMES["dark"]
    for i, j in np.ndindex(counts.shape):
        x, y = at[0] + j * cell, at[1] + i * cell
        red, green, blue = shades[i, j].tolist()
        figure.rectangle((x, y, x + cell - 1, y + cell - 1), fill=(red, green, blue))
        if cell >= FIGURES and counts[i, j]:
            ink = dark.paper if shares[i, j] > 0.6 else dark.ink
            figure.text((x + cell / 2 - 1, y + cell / 2 - 1), str(int(counts[i, j])), SMALL, ink, "mm")


def _short(name: str, room: int) -> str:
    return shortened(name, SMALL, room - 4)

"""A photograph with bars beside it: names, each with a share."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from convscope.render.figure import Figure
from convscope.render.text import shortened

MARGIN, TITLE, TEXT, LINE, WIDE = 16, 17, 14, 34, 360
LEAST = 224
"""Pixels on the long side of the photograph, at least."""


def bars_beside(photograph: UInt8[np.ndarray, "h w 3"], bars: Sequence[tuple[str, float]], *, title: str) -> Figure:
    """The photograph, and beside it a bar for each name, of length 0 to 1; the names above the bars."""
    height, width = photograph.shape[:2]
    factor = max(1, round(LEAST / max(height, width)))
    wide, tall = width * factor, height * factor
    top, left = (TITLE + MARGIN if title else 0) + MARGIN, wide + 2 * MARGIN
    figure = Figure(wide + WIDE + 3 * MARGIN, max(tall, LINE * len(bars)) + top + MARGIN)
    if title:
        figure.text((MARGIN, MARGIN), shortened(title, TITLE, figure.width - 2 * MARGIN), TITLE)
    figure.picture(photograph, (MARGIN, top), (wide, tall))
    for i, (name, share) in enumerate(bars):
        y = top + i * LINE
        figure.text((left + WIDE, y), f"{100 * share:.1f} %", TEXT, "faint", "ra")
        figure.text((left, y), shortened(name, TEXT, WIDE - 70), TEXT)
        figure.rectangle((left, y + 20, left + WIDE + 1, y + 26), fill="edge")
        length = round(WIDE * min(1.0, max(0.0, share)))
        if length:
            figure.rectangle((left, y + 20, left + length + 1, y + 26), fill="series0")
    return figure

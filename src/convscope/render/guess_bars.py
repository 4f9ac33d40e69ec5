"""A photograph with bars beside it: names, each with a share."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from convscope.render.text import EDGE, FAINT, INK, PAPER, shortened, write

MARGIN, TITLE, TEXT, LINE, WIDE = 16, 17, 14, 34, 360
COLOUR = (245, 160, 74)
LEAST = 224
"""Pixels on the long side of the photograph, at least."""


def bars_beside(
    photograph: UInt8[np.ndarray, "h w 3"], bars: Sequence[tuple[str, float]], *, title: str
) -> Image.Image:
    """The photograph, and beside it a bar for each name, of length 0 to 1; the names above the bars."""
    height, width = photograph.shape[:2]
    factor = max(1, round(LEAST / max(height, width)))
    shown = Image.fromarray(photograph).resize((width * factor, height * factor), Image.Resampling.NEAREST)
    tall = max(shown.height, LINE * len(bars))
    canvas = Image.new("RGB", (shown.width + WIDE + 3 * MARGIN, tall + TITLE + 3 * MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    write(draw, (MARGIN, MARGIN), shortened(title, TITLE, canvas.width - 2 * MARGIN), TITLE)
    top, left = TITLE + 2 * MARGIN, shown.width + 2 * MARGIN
    canvas.paste(shown, (MARGIN, top))
    for i, (name, share) in enumerate(bars):
        y = top + i * LINE
        figure = f"{100 * share:.1f} %"
        write(draw, (left + WIDE, y), figure, TEXT, FAINT, "ra")
        write(draw, (left, y), shortened(name, TEXT, WIDE - 70), TEXT, INK)
        draw.rectangle((left, y + 20, left + WIDE, y + 25), fill=EDGE)
        length = round(WIDE * min(1.0, max(0.0, share)))
        if length:
            draw.rectangle((left, y + 20, left + length, y + 25), fill=COLOUR)
    return canvas

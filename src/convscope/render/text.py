"""Words on pictures, in the typeface that comes with Pillow."""

from bisect import bisect_left
from functools import cache

from PIL import ImageDraw, ImageFont

INK = (226, 228, 233)
FAINT = (139, 144, 155)
PAPER = (17, 18, 22)
EDGE = (44, 47, 55)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface at a height in pixels."""
    return ImageFont.load_default(size)


def width_of(text: str, size: int) -> int:
    """How many pixels a line of text takes across."""
    return int(font(size).getlength(text) + 0.999)


def shortened(text: str, size: int, room: int) -> str:
    """The text on one line, with its middle left out where it does not fit into `room` pixels."""
    text = " ".join(text.split())
    if width_of(text, size) <= room:
        return text

    def short(kept: int) -> str:
        return f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"

    fits = bisect_left(range(len(text)), True, lo=2, key=lambda kept: width_of(short(kept), size) > room) - 1
    return short(fits) if fits >= 2 else ""


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int] = INK,
    anchor: str = "la",
) -> None:
    """Write one line; `anchor` as in Pillow (`la`: from the left, below the point)."""
    draw.text(at, text, fill=colour, font=font(size), anchor=anchor)


def figure(value: float) -> str:
    """A number in few characters."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e5 or size < 1e-3:
        return f"{value:.1e}"
    return f"{value:.0f}" if size >= 100 else f"{value:.3g}"

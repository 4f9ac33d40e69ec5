"""Words on pictures, in the typeface that comes with Pillow."""

from bisect import bisect_left
from functools import lru_cache

from PIL import ImageFont

TYPEFACE = "Aileron"
"""What the typeface is called (by Sora Sagano, CC0)."""


@lru_cache(maxsize=64)
def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface at a height in pixels."""
    return ImageFont.load_default(size)


def font_file() -> bytes | None:
    """The typeface as a TrueType file; None where Pillow was built without FreeType."""
    face = font(13)
    return face.font_bytes if isinstance(face, ImageFont.FreeTypeFont) else None


def heights(size: float) -> tuple[float, float]:
    """How far the typeface reaches above and below its baseline."""
    face = font(size)
    ascent, descent = face.getmetrics() if isinstance(face, ImageFont.FreeTypeFont) else (size, 0)
    return float(ascent), float(descent)


def length_of(text: str, size: float) -> float:
    """How many pixels a line of text takes across, with parts of pixels."""
    return float(font(size).getlength(text))


def width_of(text: str, size: int) -> int:
    """How many pixels a line of text takes across."""
    return int(length_of(text, size) + 0.999)


def shortened(text: str, size: int, room: int) -> str:
    """The text on one line, with its middle left out where it does not fit into `room` pixels."""
    text = " ".join(text.split())
    if width_of(text, size) <= room:
        return text

    def short(kept: int) -> str:
        return f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"

    fits = bisect_left(range(len(text)), True, lo=2, key=lambda kept: width_of(short(kept), size) > room) - 1
    return short(fits) if fits >= 2 else ""


def figure(value: float) -> str:
    """A number in few characters."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e5 or size < 1e-3:
        return f"{value:.1e}"
    return f"{value:.0f}" if size >= 100 else f"{value:.3g}"

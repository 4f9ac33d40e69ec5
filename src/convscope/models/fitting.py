"""How a picture of any size is brought to a network's: cropped, padded or stretched, by an antialiased filter."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

Fit = Literal["crop", "pad", "stretch"]
Box = tuple[float, float, float, float]
"""left, top, right, bottom, in pixels."""
GAP = 3
"""A large picture may be read smaller, as long as it keeps this many times the pixels that are wanted of it."""


@dataclass(frozen=True)
class Shrunk:
    """A picture that was read smaller than it is: one pixel stands for `by` by `by` of it, and its corner lies at
    (left, top), in pixels of what was read: not 0, where its last pixels are parts of one and it was turned."""

    by: int = 1
    left: float = 0.0
    top: float = 0.0


WHOLE = Shrunk()


def most_shrinking(picture: tuple[int, int], size: tuple[int, int], fit: Fit) -> int:
    """By how much a picture of (height, width) may be read smaller for a network's size, at least 1; see GAP."""
    down, across = picture[0] / size[0], picture[1] / size[1]
    return max(1, int((max if fit == "pad" else min)(down, across) / GAP))


def crop_box(picture: tuple[int, int], size: tuple[int, int]) -> Box:
    """The largest box of the size's proportions in the middle of a picture of (height, width)."""
    (height, width), (want_h, want_w) = picture, size
    factor = min(height / want_h, width / want_w)
    # Rounding may put the corner a hair outside (900 / 224 * 224 is above 900), which Pillow refuses.
    left, top = max(0.0, (width - want_w * factor) / 2), max(0.0, (height - want_h * factor) / 2)
    return left, top, width - left, height - top


def resize(
    plane: np.ndarray, picture: tuple[int, int], size: tuple[int, int], fit: Fit, shrunk: Shrunk = WHOLE
) -> np.ndarray:
    """One plane, `h w` floats, at the wanted size, by Pillow's antialiased bicubic filter.

    picture: the (height, width) of the picture, of which the plane may be a smaller reading: `shrunk`.
    """
    (height, width), (want_h, want_w) = picture, size
    if plane.shape == size and shrunk == WHOLE:
        return plane
    box = (0.0, 0.0, float(width), float(height))
    same = height * want_w == width * want_h
    if fit == "crop" and not same:
        box = crop_box(picture, size)
    if shrunk != WHOLE:
        box = _in_pixels_read(box, plane.shape, shrunk)
    whole = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    if fit != "pad" or same:
        return _scaled(whole, want_h, want_w, box)
    left, top, right, bottom = map(int, where_seen(picture, size, fit))
    out = np.full(size, 0.5, dtype=np.float32)
    out[top:bottom, left:right] = _scaled(whole, bottom - top, right - left, box)
    return out


def _in_pixels_read(box: Box, shape: tuple[int, ...], shrunk: Shrunk) -> Box:
    """A box in the pixels of the plane that was read, and never outside of it."""
    left, top, right, bottom = (
        min(float(most), side / shrunk.by + corner)
        for side, corner, most in zip(box, (shrunk.left, shrunk.top) * 2, (shape[1], shape[0]) * 2, strict=True)
    )
    return left, top, right, bottom


def where_seen(picture: tuple[int, int], size: tuple[int, int], fit: Fit) -> Box:
    """Where a whole picture of (height, width) lies on what a network sees of it, (left, top, right, bottom) in pixels
    of that: with "pad" within it, with "crop" beyond it."""
    (height, width), (want_h, want_w) = picture, size
    if fit == "stretch" or height * want_w == width * want_h:
        return 0.0, 0.0, float(want_w), float(want_h)
    if fit == "crop":
        factor = min(height / want_h, width / want_w)
        over_w, over_h = max(0.0, (width / factor - want_w) / 2), max(0.0, (height / factor - want_h) / 2)
        return -over_w, -over_h, want_w + over_w, want_h + over_h
    factor = max(height / want_h, width / want_w)
    inner_h, inner_w = max(1, round(height / factor)), max(1, round(width / factor))
    top, left = (want_h - inner_h) // 2, (want_w - inner_w) // 2
    return float(left), float(top), float(left + inner_w), float(top + inner_h)


def _scaled(picture: Image.Image, height: int, width: int, box: Box) -> np.ndarray:
    resized = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized, dtype=np.float32)

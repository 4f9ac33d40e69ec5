"""Numbers to colours. A map has 256 colours: those of its table, or interpolated between a few, evenly spaced."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from convscope.errors import InputError
from convscope.render.colour_tables import TABLES
from convscope.render.style import ThemeName

MapName = Literal["inferno", "viridis", "signed", "grey", "jet", "signed_light", "warm"]

# jet: the rainbow of older programs, which draws edges where there are none; for pictures, not for reading.
# signed: dark in the middle, so that "nothing" is dark on every sheet; cold below zero, warm above.
# signed_light: white in the middle, for white paper; lightness falls by even steps (in OKLab) to both sides.
# warm: its upper half, for what is laid on photographs that fade to white.
_STOPS: dict[str, str] = {
    "signed": "d5f6ff 6fd3f2 2f9bdc 2460b0 1c3270 0d0d14 701c22 b1332a e2622c f5a04a ffe9b8",
    "signed_light": "04338e 015cbd 2487e3 5ab3fd acdcfe ffffff fec8a3 f78c4a d85701 a63200 740f00",
    "warm": "ffffff fec8a3 f78c4a d85701 a63200 740f00",
    "grey": "000000 ffffff",
    "jet": "00007f 0000ff 007fff 00ffff 7fff7f ffff00 ff7f00 ff0000 7f0000",
}


def ramp(colours: Sequence[str]) -> Float[np.ndarray, "256 3"]:
    """256 colours, 0..255, between colours that are given as hexadecimal red, green and blue, such as ff8800."""
    stops = np.array([[int(word[i : i + 2], 16) for i in (0, 2, 4)] for word in colours], dtype=float)
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, i]) for i in range(3)], axis=1)


_TABLES = {name: ramp(stops.split()) for name, stops in (TABLES | _STOPS).items()}
MAPS: tuple[str, ...] = tuple(_TABLES)


def ramp_of(text: str) -> Float[np.ndarray, "256 3"]:
    """The ramp of a colour map by name, or between colours of one's own: "102040-ff8800". Raises InputError."""
    if text in _TABLES:
        return _TABLES[text]
    words = [word.strip().removeprefix("#") for word in text.split("-")]
    if len(words) < 2 or not all(re.fullmatch("[0-9a-fA-F]{6}", word) for word in words):
        raise InputError(f"colours is {text!r}; expected {', '.join(MAPS)}, or two or more colours as 102040-ff8800")
    return ramp(words)


def colourise(
    values: Float[np.ndarray, "*shape"], low: float, high: float, name: MapName = "inferno"
) -> UInt8[np.ndarray, "*shape 3"]:
    """Colours of values between `low` and `high`; what lies outside gets the end colours.

    Where `low` equals `high` nothing is above anything, and what is no number has no place on a scale: both are
    dark (white on light maps), which is the middle of the signed maps and the low end of the others.
    """
    dark = 0.5 if name in ("signed", "signed_light") else 0.0
    span = high - low
    values = np.asarray(values, dtype=np.float64)
    at = (values - low) / span if span > 0 else np.full_like(values, dark)
    index = np.rint(np.clip(np.nan_to_num(at, nan=dark), 0, 1) * 255).astype(np.intp)
    colours: UInt8[np.ndarray, "*shape 3"] = np.rint(_TABLES[name][index]).astype(np.uint8)
    return colours


def themed(name: MapName, theme: ThemeName, *, laid: bool = False) -> MapName:
    """The colour map that stands for another in a theme. laid: over a photograph, which fades to the paper."""
    if theme == "light":
        return "signed_light" if name == "signed" else "warm" if laid and name == "inferno" else name
    return name


def scale_of(values: Float[np.ndarray, "*shape"]) -> tuple[float, float, MapName]:
    """The honest scale for values that nobody else shares: from zero, or about zero where there are negatives."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0, "inferno"
    low, high = float(values.min()), float(values.max())
    if low < 0:
        reach = max(-low, high)
        return -reach, reach, "signed"
    return 0.0, high, "inferno"


def own_scale(channel: Float[np.ndarray, "h w"], *, signed: bool) -> tuple[float, float]:
    """The scale of one channel in a layer: from zero to its maximum, or as far below zero as above."""
    if not signed:
        return 0.0, float(channel.max())
    reach = float(np.abs(channel).max())
    return -reach, reach


def to_bytes(picture: Float[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w c"]:
    """A picture in [0,1] as the bytes 0..255 that files hold."""
    rounded: UInt8[np.ndarray, "h w c"] = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return rounded


def as_rgb(picture: Float[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    """A picture of any number of channels as colours: grey repeated, alpha laid on white, of others the first three."""
    channels = picture.shape[2]
    if channels == 4:
        picture = picture[..., :3] * picture[..., 3:] + (1 - picture[..., 3:])
    elif channels < 3:
        picture = np.repeat(picture[..., :1], 3, axis=2)
    return to_bytes(picture[..., :3])

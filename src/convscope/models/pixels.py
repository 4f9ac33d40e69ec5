"""Decoded pictures of any mode become planes of floats in [0,1], as many as a network takes; a large one in strips."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from convscope.errors import ImageError
from convscope.images.luma import LUMA
from convscope.models.arrays import note_if_dark, say
from convscope.models.decoding import LARGE, Decoded
from convscope.models.fitting import Shrunk

STRIP = 1_000_000
"""Pixels of a large picture that are made numbers at once."""


def picture_values(decoded: Decoded, channels: int, by: int, record: dict[str, Any]) -> tuple[np.ndarray, Shrunk]:
    """A decoded picture as `h w c` floats in [0,1] with c 1, 3 or 4, in sRGB.

    by: of a large picture, `by` by `by` pixels are averaged; there never are numbers of the whole of it at once. Then
    the record gets the hash of its values, unless it has one. Raises ImageError for values that are out of range.
    """
    _note_depth(decoded, record)
    if decoded.picture.width * decoded.picture.height <= LARGE:
        return _values(decoded.picture, decoded.white, channels, record), decoded.shrunk
    digest, parts = hashlib.sha256(), []
    for strip in _strips(decoded.picture, by):
        values = _values(strip, decoded.white, channels, record)
        if "sha256" not in record:
            digest.update(values.tobytes())
        parts.append(_averaged(values, by))
    record.setdefault("sha256", digest.hexdigest())
    if by > 1:
        say(record, "done", f"{by}x{by} pixels averaged")
    return np.concatenate(parts), Shrunk(by) if by > 1 else decoded.shrunk


def _strips(picture: Image.Image, by: int) -> Iterator[Image.Image]:
    """The picture in strips of rows, each of a multiple of `by` rows, but the last."""
    rows = max(1, STRIP // (picture.width * by)) * by
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(picture.height, top + rows)))


def _averaged(values: np.ndarray, by: int) -> np.ndarray:
    """The means of `by` by `by` pixels; at the right and lower edge of those that there are."""
    if by == 1:
        return values
    planes = (Image.fromarray(np.ascontiguousarray(values[..., i])).reduce(by) for i in range(values.shape[2]))
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def as_channels(array: np.ndarray, channels: int, record: dict[str, Any]) -> list[np.ndarray]:
    """`h w c` floats as the `channels` planes of a network. Raises ImageError where one is not made from the other."""
    have = array.shape[2]
    if have == channels:
        return [array[..., i] for i in range(channels)]
    if channels not in (1, 3, 4):
        raise ImageError(
            f"this network takes {channels} channels; give an array of h w {channels}, not {have} channels"
        )
    if have == 4:
        array = _on_white(array, record)
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
        if channels != 1:
            say(record, "done", "grey to colour")
    if channels == 1:
        if have != 1:
            say(record, "done", "colour to grey")
        return [array @ np.array(LUMA, dtype=np.float32)]
    planes = [array[..., i] for i in range(3)]
    return planes if channels == 3 else [*planes, np.ones_like(planes[0])]


def _on_white(array: np.ndarray, record: dict[str, Any]) -> np.ndarray:
    """`h w 4` laid on white, `h w 3`; noted where any of it was transparent."""
    alpha = array[..., 3:]
    say(record, "done", "alpha on white")
    if alpha.min() < 1:
        say(record, "notes", "the picture is transparent in places: it was laid on white")
    laid: np.ndarray = array[..., :3] * alpha + (1 - alpha)
    return laid


def _values(picture: Image.Image, white: int, channels: int, record: dict[str, Any]) -> np.ndarray:
    """A PIL picture of any mode as `h w c` in [0,1], in sRGB, with c 1, 3, or 4 where alpha is kept."""
    converted = _to_srgb(picture)
    if converted is not None:
        picture = converted
        say(record, "done", "colour profile to sRGB")
    mode = picture.mode
    if mode.startswith("I") or mode == "F":
        return _deep_values(picture, 1 if mode == "F" else white, channels, record)
    if mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        values = np.asarray(picture.convert("RGBA")).astype(np.float32) / 255
        return values if channels == 4 else _on_white(values, record)
    if mode in ("1", "L"):
        return np.asarray(picture.convert("L")).astype(np.float32)[..., None] / 255
    if mode != "RGB":
        say(record, "done", f"{mode} to RGB")
    return np.asarray(picture.convert("RGB")).astype(np.float32) / 255


def _deep_values(picture: Image.Image, white: int, channels: int, record: dict[str, Any]) -> np.ndarray:
    """A grey picture of 16 or 32 bits, or of floats."""
    given: np.ndarray = np.asarray(picture)[..., None]
    if not np.isfinite(given).all():
        raise ImageError("the picture holds values that are not finite")
    low, top = float(given.min()), float(given.max())
    if low < 0 or top > white * (1 + 1e-4):
        raise ImageError(
            f"the picture holds values from {low:.3g} to {top:.3g}; expected 0 to {white}: "
            "divide them by what is white and give an array in [0,1]"
        )
    exact = np.float32 if picture.mode.startswith("I;16") else np.float64
    values: np.ndarray = np.divide(given, white, dtype=exact).astype(np.float32)
    clear = picture.info.get("transparency")
    if not isinstance(clear, int):
        return values
    values = np.concatenate([values] * 3 + [(given != clear).astype(np.float32)], axis=-1)
    return values if channels == 4 else _on_white(values, record)


def _to_srgb(picture: Image.Image) -> Image.Image | None:
    """The picture in sRGB, or None where it has no colour profile, or one that is sRGB already or of no use."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(source) or "").lower():
            return None
        alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
        if picture.mode not in ("RGB", "CMYK", "L"):
            if picture.mode not in ("P", "PA", "RGBA", "RGBX", "LA"):
                return None
            picture = picture.convert("L" if picture.mode == "LA" else "RGB")
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if converted is not None and alpha is not None:
            converted.putalpha(alpha)
        return converted
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _note_depth(decoded: Decoded, record: dict[str, Any]) -> None:
    """Note where the values of a picture of more than 8 bits fill a small part of their range."""
    picture = decoded.picture
    if picture.mode.startswith("I"):
        note_if_dark(int(np.asarray(picture).max()), decoded.white, record)
    elif decoded.bits > 8 and picture.mode in ("L", "LA", "RGB", "RGBA"):
        bands: Any = picture.getextrema() if picture.mode != "L" else [picture.getextrema()]
        top = max(high for _, high in (bands[:-1] if picture.mode.endswith("A") else bands))
        note_if_dark(top * 257, 65535, record)  # Pillow hands over the upper 8 bits

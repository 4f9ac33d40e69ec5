"""Results as .png, with the recipe inside."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from convscope.errors import ResultError
from convscope.results.files import KEY, parsed, read_whole

MOST_PIXELS = 150_000_000
"""A picture above this is not read: it was hardly made here."""


def png_bytes(picture: Image.Image, about: Mapping[str, Any]) -> bytes:
    """A picture as PNG, with `about` inside as JSON."""
    info = PngImagePlugin.PngInfo()
    text = json.dumps(about)
    if len(text) > PngImagePlugin.MAX_TEXT_CHUNK:
        raise ResultError("the recipe is too long for a picture file (above 1 MB): save the result as .npz")
    info.add_itxt(KEY, text, zip=True)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def read_png(path: Path) -> tuple[Image.Image, dict[str, Any]]:
    """A picture and what png_bytes put into it. Raises ResultError where it holds no recipe."""
    data = read_whole(path)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels")
            picture.load()
            text = picture.info.get(KEY)
            copy = picture.convert("RGB")
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ResultError(f"{str(path)!r} is not a picture that can be read: {error}") from None
    if text is None:
        raise ResultError(
            f"{str(path)!r} holds no recipe of convscope: it was made by another program, or saved again by one"
        )
    return copy, parsed(str(text), path)

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
CHUNK = b"csAr"
"""The chunk that holds arrays: readers may pass over it (c), it is private (s), editors may keep it (r)."""


def png_bytes(picture: Image.Image, about: Mapping[str, Any], arrays: bytes = b"") -> bytes:
    """A picture as PNG, with `about` inside as JSON. arrays: an .npz that it carries, where there is one."""
    info = PngImagePlugin.PngInfo()
    text = json.dumps(about)
    if len(text) > PngImagePlugin.MAX_TEXT_CHUNK:
        raise ResultError("the recipe is too long for a picture file (above 1 MB): save the result as .npz")
    info.add_itxt(KEY, text, zip=True)
    if arrays:
        info.add(CHUNK, arrays)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def read_png(path: Path) -> tuple[Image.Image, dict[str, Any], bytes | None]:
    """A picture and what png_bytes put into it: `about`, and the arrays' .npz, where there is one.

    Raises ResultError where it holds no recipe.
    """
    data = read_whole(path)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels")
            picture.load()
            text = picture.info.get(KEY)
            chunks = [chunk[1] for chunk in getattr(picture, "private_chunks", ()) if chunk[0] == CHUNK]
            copy = picture.convert("RGB")
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ResultError(f"{str(path)!r} is not a picture that can be read: {error}") from None
    if text is None:
        raise ResultError(
            f"{str(path)!r} holds no recipe of convscope: it was made by another program, or saved again by one"
        )
    if len(chunks) > 1:
        raise ResultError(f"{str(path)!r} holds the numbers of {len(chunks)} results; expected one")
    return copy, parsed(str(text), path), chunks[0] if chunks else None

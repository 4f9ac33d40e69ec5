"""A figure as a file of any ending, with what made it inside."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from convscope.errors import ResultError
from convscope.render.figure import Figure
from convscope.render.pdf import pdf
from convscope.render.raster import raster
from convscope.render.style import Style
from convscope.render.svg import svg
from convscope.results.files import read_whole
from convscope.results.png import MOST_PIXELS, png_bytes

JPEG = (".jpg", ".jpeg")
QUALITY, MOST_COMMENT = 92, 60_000
"""Of JPEG files, and the bytes of the recipe in one; a longer one stays out."""


def picture_file(suffix: str, figure: Figure, style: Style, about: Mapping[str, Any], arrays: bytes = b"") -> bytes:
    """The figure as a file of that ending, with `about` inside as JSON. arrays: an .npz that a PNG carries."""
    if suffix == ".svg":
        return svg(figure, style.theme, style.scale, json.dumps(about))
    if suffix == ".pdf":
        return pdf(figure, style.theme, style.scale, json.dumps(about))
    picture = raster(figure, style.theme, style.scale)
    return jpeg_bytes(picture, about) if suffix in JPEG else png_bytes(picture, about, arrays)


def jpeg_bytes(picture: Image.Image, about: Mapping[str, Any]) -> bytes:
    """A picture as JPEG, with `about` in its comment, or the recipe alone, as far as a comment has room."""
    texts = [json.dumps(about), json.dumps({name: part for name, part in about.items() if name != "facts"}), ""]
    comment = next(text for text in texts if len(text) <= MOST_COMMENT)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling=0, comment=comment.encode())
    return buffer.getvalue()


def read_jpeg(path: Path) -> tuple[Image.Image, str | None]:
    """A picture and the text in its comment. Raises ResultError for what cannot be read."""
    try:
        with Image.open(io.BytesIO(read_whole(path)), formats=("JPEG",)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels")
            picture.load()
            comment = picture.info.get("comment")
            return picture.convert("RGB"), comment.decode("utf-8", "replace") if comment else None
    except ResultError:
        raise
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ResultError(f"{str(path)!r} is not a picture that can be read: {error}") from None

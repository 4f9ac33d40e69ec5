"""A page that stands alone: every picture inside it, nothing fetched when it is opened."""

import base64
import io
import json
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image


def data_uri(picture: Image.Image | bytes, *, quality: int | None = None, scale: int = 1) -> str:
    """A picture as text that can stand in an `src`. PNG bytes as they are; lossless PNG, or JPEG at a quality.

    scale: enlarge by a whole factor first, keeping the cells visible.
    """
    if isinstance(picture, bytes):
        return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    if quality is None:
        picture.save(buffer, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def pixels_uri(pixels: np.ndarray, *, quality: int | None = None, scale: int = 1) -> str:
    """`data_uri` of an `h w 3` array of bytes."""
    return data_uri(Image.fromarray(np.ascontiguousarray(pixels)), quality=quality, scale=scale)


def page(template: str, **values: Any) -> str:
    """A template of convscope.render/templates filled in; everything is escaped, a value left out is an error."""
    environment = Environment(
        loader=FunctionLoader(lambda name: _template(name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain_json"] = lambda value: json.dumps(value, indent=1, ensure_ascii=False)
    environment.filters["script_json"] = lambda value: Markup(json.dumps(value).replace("<", "\\u003c"))
    return environment.get_template(template).render(**values)


def _template(name: str) -> str:
    return files("convscope.render").joinpath("templates", name).read_text(encoding="utf-8")

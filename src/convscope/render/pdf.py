"""A figure as a page of PDF, by reportlab: words stay words, in the typeface that was measured."""

import base64
import importlib.util
import io
import re
from typing import Any

from convscope.errors import MissingExtraError
from convscope.render.figure import Dot, Figure, Item, Line, Picture, Rectangle, Text
from convscope.render.style import THEMES, Colour, Theme, ThemeName
from convscope.render.svg import FINEST, baseline
from convscope.render.text import TYPEFACE, font_file, length_of

POINT = 0.75
"""Points for a pixel of the layout: 96 pixels are an inch."""
_MARK = "convscope:"
_PACKED = re.compile(rb"convscope:([A-Za-z0-9+/=]+)")


def check_pdf() -> None:
    """Raises MissingExtraError, before any work, where a PDF cannot be written."""
    if importlib.util.find_spec("reportlab") is None:
        raise MissingExtraError("writing PDF", "reportlab", "pdf")


def pdf(figure: Figure, theme: ThemeName = "dark", scale: float = 1.0, metadata: str = "") -> bytes:
    """The figure as a page of its own size. metadata: a text in it. Raises MissingExtraError without reportlab."""
    check_pdf()
    from reportlab.pdfgen.canvas import Canvas

    colours, side = THEMES[theme], POINT * scale
    buffer = io.BytesIO()
    size = figure.width * side, figure.height * side
    canvas = Canvas(buffer, pagesize=size, invariant=1, pageCompression=1)
    canvas.setCreator("convscope")
    canvas.setTitle(next(iter(figure.texts()), "convscope"))
    canvas.setKeywords(_MARK + base64.b64encode(metadata.encode()).decode("ascii"))
    face = _face()
    canvas.scale(side, side)
    canvas.setFillColorRGB(*_part(colours.paper))
    canvas.rect(0, 0, figure.width, figure.height, stroke=0, fill=1)
    for item in figure.items:
        _draw(canvas, item, figure.height, colours, face, scale)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def pdf_metadata(data: bytes) -> str | None:
    """The text in a file that `pdf` wrote."""
    found = _PACKED.search(data)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True).decode("utf-8", "replace")
    except ValueError:
        return None


def _face() -> str:
    """The name of the typeface, known to reportlab."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    data = font_file()
    if data is None:
        return "Helvetica"
    if TYPEFACE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(TYPEFACE, io.BytesIO(data)))
    return TYPEFACE


def _draw(canvas: Any, item: Item, height: int, colours: Theme, face: str, scale: float) -> None:
    """Draw an item. In PDF what is up is more."""
    x, y = item.at[0], height - item.at[1]
    match item:
        case Picture():
            _image(canvas, item, (x, y - item.size[1]), scale)
        case Text():
            _text(canvas, item, (x, y - baseline(item)), colours, face)
        case Rectangle():
            wide, tall = item.size
            if item.fill is not None:
                canvas.setFillColorRGB(*_part(colours.colour(item.fill)))
                canvas.rect(x, y - tall, wide, tall, stroke=0, fill=1)
            if item.outline is not None:
                canvas.setStrokeColorRGB(*_part(colours.colour(item.outline)))
                canvas.setLineWidth(1)
                canvas.rect(x + 0.5, y - tall + 0.5, wide - 1, tall - 1, stroke=1, fill=0)
        case Line():
            canvas.setStrokeColorRGB(*_part(colours.colour(item.paint)))
            canvas.setLineWidth(item.width)
            path = canvas.beginPath()
            for number, (px, py) in enumerate(item.points):
                (path.lineTo if number else path.moveTo)(x + px, y - py)
            canvas.drawPath(path)
        case Dot():
            canvas.setFillColorRGB(*_part(colours.colour(item.paint)))
            canvas.circle(x, y, item.radius, stroke=0, fill=1)


def _image(canvas: Any, item: Picture, at: tuple[float, float], scale: float) -> None:
    """Pixels; cells are drawn large, as viewers of PDF may smooth them."""
    from reportlab.lib.utils import ImageReader

    wide, tall = item.size
    pixels = item.resized(round(wide), round(tall)) if item.in_cells else item.kept(FINEST * max(1.0, scale))
    canvas.drawImage(ImageReader(pixels), *at, width=wide, height=tall)


def _text(canvas: Any, item: Text, at: tuple[float, float], colours: Theme, face: str) -> None:
    """A line of text, exactly as wide as it was measured."""
    taken = canvas.stringWidth(item.text, face, item.size)
    if not item.text.strip() or not taken:
        return
    wide = length_of(item.text, item.size)
    line = canvas.beginText()
    line.setFont(face, item.size)
    line.setHorizScale(100 * wide / taken)
    line.setFillColorRGB(*_part(colours.colour(item.paint)))
    line.setTextOrigin(at[0] - {"l": 0, "m": wide / 2, "r": wide}[item.anchor[0]], at[1])
    line.textOut(item.text)
    canvas.drawText(line)


def _part(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255

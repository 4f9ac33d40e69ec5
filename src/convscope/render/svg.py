"""A figure as SVG: words stay words, pictures are PNG inside, and the typeface is the one that was measured."""

import base64
import io
import re
from html import escape

from convscope.render.figure import Dot, Figure, Item, Line, Picture, Rectangle, Text
from convscope.render.style import THEMES, Theme, ThemeName
from convscope.render.text import TYPEFACE, font_file, heights, length_of

FINEST = 3.0
"""Pixels of an embedded picture for one of the layout, at most."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""
_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" viewBox="0 0 {width} {height}" \
xml:space="preserve">
<metadata id="convscope">{metadata}</metadata>
<style>{face}text{{font-family:{name},sans-serif}}</style>
<rect width="{width}" height="{height}" fill="{paper}"/>"""


def svg(figure: Figure, theme: ThemeName = "dark", scale: float = 1.0, metadata: str = "") -> bytes:
    """The figure as one SVG file that needs no other. metadata: a text in it."""
    colours = THEMES[theme]
    head = _HEAD.format(
        wide=_n(figure.width * scale),
        tall=_n(figure.height * scale),
        width=figure.width,
        height=figure.height,
        metadata=_escaped(metadata),
        face=_face(),
        name=TYPEFACE,
        paper=_hex(colours.paper),
    )
    drawn = [_element(item, colours, scale) for item in figure.items]
    return "\n".join([head, *drawn, "</svg>\n"]).encode()


def svg_metadata(data: bytes) -> str | None:
    """The text in a file that `svg` wrote; the file is not parsed as XML, whose entities may be bombs."""
    found = re.search(rb'<metadata id="convscope">([^<]*)</metadata>', data)
    if found is None:
        return None
    text = found[1].decode("utf-8", "replace")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def _face() -> str:
    """The typeface, once, for all words."""
    data = font_file()
    if data is None:
        return ""
    packed = base64.b64encode(data).decode("ascii")
    return f"@font-face{{font-family:{TYPEFACE};src:url(data:font/ttf;base64,{packed})}}"


def _element(item: Item, colours: Theme, scale: float) -> str:
    x, y = item.at
    match item:
        case Picture():
            return _image(item, scale)
        case Text():
            return _text(item, colours)
        case Rectangle():
            width, height = item.size
            parts = []
            if item.fill is not None:
                parts.append(_box(x, y, width, height, f'fill="{_hex(colours.colour(item.fill))}"'))
            if item.outline is not None:  # a line lies about its path, half of its width to either side
                edge = f'fill="none" stroke="{_hex(colours.colour(item.outline))}"'
                parts.append(_box(x + 0.5, y + 0.5, width - 1, height - 1, edge))
            return "".join(parts)
        case Line():
            points = " ".join(f"{_n(x + px)},{_n(y + py)}" for px, py in item.points)
            stroke = f'stroke="{_hex(colours.colour(item.paint))}" stroke-width="{_n(item.width)}"'
            return f'<polyline points="{points}" fill="none" {stroke}/>'
        case Dot():
            fill = _hex(colours.colour(item.paint))
            return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(item.radius)}" fill="{fill}"/>'


def _box(x: float, y: float, width: float, height: float, more: str) -> str:
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" {more}/>'


def _image(item: Picture, scale: float) -> str:
    buffer = io.BytesIO()
    item.kept(FINEST * max(1.0, scale)).save(buffer, "PNG", compress_level=9)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    cells = ' style="image-rendering:pixelated"' if item.in_cells else ""
    x, y, width, height = map(_n, (*item.at, *item.size))
    place = f'x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none"{cells}'
    return f'<image {place} href="data:image/png;base64,{data}"/>'


def _text(item: Text, colours: Theme) -> str:
    """A line of text, exactly as wide as it was measured."""
    if not item.text.strip():
        return ""
    x, y = item.at[0], item.at[1] + baseline(item)
    side = {"l": "", "m": ' text-anchor="middle"', "r": ' text-anchor="end"'}[item.anchor[0]]
    wide = f'textLength="{_n(length_of(item.text, item.size))}" lengthAdjust="spacingAndGlyphs"'
    fill = _hex(colours.colour(item.paint))
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{item.size}" fill="{fill}"{side} {wide}>{_escaped(item.text)}</text>'
    )


def baseline(item: Text) -> float:
    """How far a text's baseline lies below its anchor."""
    above, below = heights(item.size)
    return {"a": above, "m": (above - below) / 2, "s": 0.0, "d": -below}[item.anchor[1]]


def _escaped(text: str) -> str:
    return escape(_NO_XML.sub("�", text), quote=False)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

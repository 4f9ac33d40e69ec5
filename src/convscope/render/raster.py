"""A figure as pixels."""

import math

from PIL import Image, ImageDraw

from convscope.render.figure import Dot, Figure, Line, Picture, Rectangle, Text
from convscope.render.style import THEMES, Theme, ThemeName, extent
from convscope.render.text import font, length_of

SMALLEST, STEPS = 1.0, 8
"""Pixels of height of the smallest letters that are drawn, and the sizes between one pixel of height and the next."""


def raster(figure: Figure, theme: ThemeName = "dark", scale: float = 1.0) -> Image.Image:
    """The figure, each of its pixels `scale` wide; words are drawn at that size, pictures resized once.

    Raises InputError where that would be more pixels than a picture has.
    """
    colours = THEMES[theme]
    canvas = Image.new("RGB", extent(figure.width, figure.height, scale), colours.paper)
    draw = ImageDraw.Draw(canvas)
    for item in figure.items:
        match item:
            case Picture():
                _paste(canvas, item, scale)
            case Text():
                _write(draw, item, colours, scale)
            case Rectangle():
                _rectangle(draw, item, colours, scale)
            case Line():
                x, y = item.at
                points = [((x + px) * scale, (y + py) * scale) for px, py in item.points]
                draw.line(points, fill=colours.colour(item.paint), width=max(1, round(item.width * scale)))
            case Dot():
                (x, y), r = (part * scale for part in item.at), item.radius * scale
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colours.colour(item.paint))
    return canvas


def _box(item: Picture | Rectangle, scale: float) -> tuple[int, int, int, int]:
    """Where an item begins and ends: neighbours that touch in the figure touch on the canvas."""
    (x, y), (width, height) = item.at, item.size
    left, top = round(x * scale), round(y * scale)
    return left, top, max(left + 1, round((x + width) * scale)), max(top + 1, round((y + height) * scale))


def _paste(canvas: Image.Image, item: Picture, scale: float) -> None:
    left, top, right, bottom = _box(item, scale)
    canvas.paste(item.resized(right - left, bottom - top), (left, top))


def _rectangle(draw: ImageDraw.ImageDraw, item: Rectangle, colours: Theme, scale: float) -> None:
    left, top, right, bottom = _box(item, scale)
    fill = None if item.fill is None else colours.colour(item.fill)
    outline = None if item.outline is None else colours.colour(item.outline)
    draw.rectangle((left, top, right - 1, bottom - 1), fill=fill, outline=outline, width=max(1, round(scale)))


def _write(draw: ImageDraw.ImageDraw, item: Text, colours: Theme, scale: float) -> None:
    at = item.at[0] * scale, item.at[1] * scale
    face = font(fitted(item.text, item.size, scale))
    draw.text(at, item.text, fill=colours.colour(item.paint), font=face, anchor=item.anchor)


def fitted(text: str, size: int, scale: float) -> float:
    """The size of letters with which a text is no wider than was measured, times the scale: letters of another size
    are not exactly as much wider."""
    room, result = length_of(text, size) * scale, size * scale
    while scale != 1 and result > SMALLEST and length_of(text, result) > room:
        result = math.ceil(STEPS * result - 1) / STEPS
    return max(SMALLEST, result)

"""A heatmap laid on a photograph, with its colour bar."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw

from convscope.images.luma import LUMA
from convscope.render.colour import MapName, colourise, themed
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.grid import MARGIN, SMALL, sheet
from convscope.render.style import ThemeName
from convscope.render.text import shortened

KINDS = (
    (245, 160, 74), (111, 211, 242), (160, 210, 120), (220, 130, 200), (240, 220, 110), (130, 150, 240),
    (235, 110, 100),
)  # fmt: skip
"""Colours of kinds that have no order; what there are more of is grey."""
OTHER, DARK = (150, 150, 150), (70, 70, 70)
FADED = 0.6
"""In the light theme, how much of a cold place is left."""
LINE = 22
"""Pixels from one line of a legend to the next."""


def overlay(
    photograph: UInt8[np.ndarray, "h w 3"],
    heat: Float[np.ndarray, "h w"],
    low: float,
    high: float,
    *,
    map: MapName = "inferno",
    strength: float = 0.75,
    theme: ThemeName = "dark",
) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph, greyed and darkened where it is cold, glowing in the map's colours where it is hot.

    In the light theme it fades to white in place of black, and the colours are those of white paper, so that thin dark
    strokes stay visible. heat: values shown between `low` and `high`; of a signed map both ends glow. strength: 0
    leaves the photograph, 1 shows the colours alone where the heat is greatest.
    """
    span = max(high - low, 1e-30)
    at = np.clip((heat - low) / span, 0, 1)
    weight = np.abs(2 * at - 1) if low < 0 else at
    weight = (strength * weight**0.7)[..., None]
    light = photograph.astype(np.float64)
    grey = (light @ LUMA)[..., None]
    calm = 0.45 * light + 0.35 * grey if theme == "dark" else 255 - FADED * (255 - 0.2 * light - 0.8 * grey)
    glow = colourise(heat, low, high, themed(map, theme, laid=True))
    mixed = calm * (1 - weight) + glow * weight
    rounded: UInt8[np.ndarray, "h w 3"] = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return rounded


def framed(picture: UInt8[np.ndarray, "h w 3"], box: tuple[int, int, int, int]) -> UInt8[np.ndarray, "hh ww 3"]:
    """The picture, three times as large, with a frame around the part from `top` to `bottom`, `left` to `right`."""
    large = Image.fromarray(picture).resize((3 * picture.shape[1], 3 * picture.shape[0]), Image.Resampling.BICUBIC)
    top, bottom, left, right = (3 * side for side in box)
    draw = ImageDraw.Draw(large)
    draw.rectangle((left - 4, top - 4, right + 3, bottom + 3), outline=(0, 0, 0), width=2)
    draw.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=(255, 190, 90), width=2)
    return np.asarray(large)


def heat_figure(
    tiles: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    bar: Bar | None,
    *,
    title: str,
    subtitle: str,
    captions: Sequence[str] = (),
) -> Figure:
    """The photograph and what was found side by side, with a colour bar that says the scale."""
    height, width = tiles[-1].shape[:2]
    factor = max(1.0, 336 / max(height, width))
    tile = (max(1, round(height * factor)), max(1, round(width * factor)))
    return sheet(
        tiles,
        tile=tile,
        columns=len(tiles),
        title=title,
        subtitle=subtitle,
        captions=captions,
        bar=bar,
        smooth=True,
    )


def whole_heat(
    heat: Float[np.ndarray, "rows columns"], box: tuple[float, float, float, float], size: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    """Heat over the part of a picture that a network saw, as heat over the whole picture, smooth.

    box: where the whole picture lies on what was seen, (left, top, right, bottom) as shares of that; what lies beyond
    was not seen and is cold. size: (height, width) of the whole picture.
    """
    rows, columns = heat.shape
    left, top, right, bottom = box[0] * columns, box[1] * rows, box[2] * columns, box[3] * rows
    over = [math.ceil(max(0.0, -top, bottom - rows)), math.ceil(max(0.0, -left, right - columns))]
    padded = np.pad(np.asarray(heat, dtype=np.float32), [(over[0], over[0]), (over[1], over[1])])
    corners = (left + over[1], top + over[0], right + over[1], bottom + over[0])
    large = Image.fromarray(padded).resize((size[1], size[0]), Image.Resampling.BICUBIC, box=corners)
    return np.asarray(large, dtype=np.float32)


def class_figure(
    picture: UInt8[np.ndarray, "h w 3"],
    ranks: Int[np.ndarray, "h w"],
    legend: Sequence[tuple[str, float]],
    *,
    title: str,
    subtitle: str,
    unknown: float = 0.0,
) -> Figure:
    """A photograph, coloured by kind, and a legend of names and shares.

    ranks: for each pixel the kind's place in the legend; len(KINDS) for all that have no colour, -1 for none. unknown:
    the share of which the kind is not known.
    """
    light = (picture.astype(np.float64) @ LUMA)[..., None] / 255
    colours = np.array([*KINDS, OTHER, (0, 0, 0)], dtype=np.float64)[ranks]
    mixed = np.where(ranks[..., None] < 0, 110 * light, (0.25 + 0.75 * light) * colours)
    tile = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    figure = heat_figure([picture, tile], None, title=title, subtitle=subtitle)
    rest = sum(share for _, share in legend[len(KINDS) :])
    rows = [*legend[: len(KINDS)], *([(f"{len(legend) - len(KINDS)} others", rest)] if rest else [])]
    colours_of = [*KINDS, OTHER][: len(rows)]
    if unknown:
        rows, colours_of = [*rows, ("not computed", unknown)], [*colours_of, DARK]
    legend_at, figure.height = figure.height, figure.height + LINE * len(rows) + MARGIN
    for i, ((name, share), colour) in enumerate(zip(rows, colours_of, strict=True)):
        y = legend_at + i * LINE
        figure.rectangle((MARGIN, y + 2, MARGIN + 14, y + 16), fill=colour)
        told = shortened(f"{name}, {share:.0%} of positions", SMALL, figure.width - 72)
        figure.text((MARGIN + 24, y), told, SMALL)
    return figure

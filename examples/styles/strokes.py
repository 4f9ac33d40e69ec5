"""A picture of brush strokes along a flow field: a style to try, made from nothing. `python strokes.py OUT.jpg`"""

import math
import sys

import numpy as np
from PIL import Image, ImageDraw

SIDE, SHOWN, SEED = 768, 512, 4
PALETTE = np.array(
    [
        (18, 32, 84), (24, 66, 140), (52, 116, 176), (120, 170, 196), (236, 222, 160), (244, 186, 52), (220, 120, 32),
        (150, 46, 30),
    ],
    dtype=float,
)  # fmt: skip
BRUSHES = ((16, 2500, 18), (9, 6000, 16), (5, 9000, 14))
"""The width of the strokes in pixels, how many, and how many steps each goes."""


def smooth_noise(random: np.random.Generator) -> np.ndarray:
    """Three scales of noise, each smooth, added."""
    found = np.zeros((SIDE, SIDE))
    for cells, weight in ((3, 1.0), (6, 0.5), (12, 0.2)):
        small = Image.fromarray(random.random((cells, cells)).astype(np.float32))
        found += weight * np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return found


def painted() -> Image.Image:
    """Strokes that follow one field, in colours that follow another."""
    random = np.random.default_rng(SEED)
    angle, tone = smooth_noise(random) * 3.2 * math.pi, smooth_noise(random)
    tone = (tone - tone.min()) / (tone.max() - tone.min())
    picture = Image.new("RGB", (SIDE, SIDE), (18, 32, 84))
    draw = ImageDraw.Draw(picture)
    for width, count, length in BRUSHES:
        for _ in range(count):
            x, y = random.random(2) * SIDE
            place = tone[int(y), int(x)] * (len(PALETTE) - 1) + random.normal(0, 0.55)
            colour = PALETTE[int(np.clip(round(place), 0, len(PALETTE) - 1))] + random.normal(0, 10, 3)
            points = [(x, y)]
            for _ in range(length):
                towards = angle[int(y) % SIDE, int(x) % SIDE]
                x, y = x + 4 * math.cos(towards), y + 4 * math.sin(towards)
                points.append((x, y))
            red, green, blue = (int(value) for value in np.clip(colour, 0, 255))
            draw.line(points, fill=(red, green, blue), width=width, joint="curve")
    return picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    painted().save(sys.argv[1], quality=82)

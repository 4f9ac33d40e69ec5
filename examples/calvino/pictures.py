"""Two sets of pictures, made in code: gestures as a hand makes them, and shapes as a program makes them.

    python examples/calvino/pictures.py build/calvino/pictures --count 200

Hand-made: strokes whose course and width waver, points that were put down one by one, hatching and smudges on paper
with a grain. Computer-made: lines, circles, polygons and grids with hard edges, in even colours, repeated by rules.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE, FINER = 256, 2
"""Pixels of a picture, and how many times finer strokes are drawn."""
Random = np.random.Generator


def hand_made(random: Random) -> Image.Image:
    """Strokes, points or hatching, as a hand draws them."""
    side = SIDE * FINER
    paper = random.uniform(0.75, 1.0)
    picture = Image.new("RGB", (side, side), tuple(int(255 * paper * random.uniform(0.92, 1.0)) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    ink = tuple(int(v) for v in random.integers(0, 120, 3))
    for kind in random.permutation(["strokes", "points", "hatching"])[: random.integers(1, 3)]:
        if kind == "strokes":
            for _ in range(int(random.integers(4, 16))):
                _stroke(draw, random, ink, side)
        elif kind == "points":
            _points(draw, random, ink, side)
        else:
            _hatching(draw, random, ink, side)
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.6)))
    return _grained(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC), random)


def _stroke(draw: ImageDraw.ImageDraw, random: Random, ink: tuple[int, ...], side: int) -> None:
    """A line whose direction and width change by small random steps."""
    x, y = random.uniform(0, side, 2)
    angle, width = random.uniform(0, 2 * math.pi), random.uniform(3, 22)
    turn = 0.0
    for _ in range(int(random.integers(40, 160))):
        turn = 0.85 * turn + random.normal(0, 0.09)
        angle += turn
        x, y = x + 7 * math.cos(angle), y + 7 * math.sin(angle)
        width = float(np.clip(width + random.normal(0, 0.9), 1.5, 26))
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)


def _points(draw: ImageDraw.ImageDraw, random: Random, ink: tuple[int, ...], side: int) -> None:
    """Dabs, in clusters."""
    for _ in range(int(random.integers(2, 6))):
        centre, spread = random.uniform(0, side, 2), random.uniform(side / 14, side / 5)
        for x, y in random.normal(centre, spread, (int(random.integers(30, 120)), 2)):
            wide, tall = random.uniform(2, 11, 2)
            draw.ellipse((x - wide, y - tall, x + wide, y + tall), fill=ink)


def _hatching(draw: ImageDraw.ImageDraw, random: Random, ink: tuple[int, ...], side: int) -> None:
    """Short lines, nearly parallel."""
    x0, y0 = random.uniform(0, side * 0.6, 2)
    slope = random.uniform(-1, 1)
    for i in range(int(random.integers(15, 50))):
        x, y = x0 + i * 9 + random.normal(0, 3), y0 + random.normal(0, 8)
        long = random.uniform(60, 170)
        middle = (x + long * slope / 2 + random.normal(0, 5), y + long / 2)
        end = (x + long * slope + random.normal(0, 7), y + long + random.normal(0, 9))
        draw.line([(x, y), middle, end], fill=ink, width=int(random.integers(2, 7)))


def _grained(picture: Image.Image, random: Random) -> Image.Image:
    """Paper's grain: noise of two sizes."""
    values = np.asarray(picture, dtype=np.float32)
    coarse = Image.fromarray(random.normal(0, 1, (SIDE // 4, SIDE // 4)).astype(np.float32)).resize((SIDE, SIDE))
    grain = random.normal(0, 4, (SIDE, SIDE)) + 4 * np.asarray(coarse)
    return Image.fromarray(np.clip(values + grain[..., None], 0, 255).astype(np.uint8))


def computer_made(random: Random) -> Image.Image:
    """Shapes with hard edges and even colours, repeated by a rule."""
    back, *colours = (tuple(int(v) for v in random.integers(0, 256, 3)) for _ in range(5))
    picture = Image.new("RGB", (SIDE, SIDE), back)
    draw = ImageDraw.Draw(picture)
    for kind in random.permutation(["grid", "rings", "rays", "polygons"])[: random.integers(1, 3)]:
        colour = colours[int(random.integers(len(colours)))]
        if kind == "grid":
            step, inner = int(random.integers(14, 44)), random.uniform(0.2, 0.85)
            for x in range(0, SIDE, step):
                for y in range(0, SIDE, step):
                    shape = draw.rectangle if random.random() < 0.5 or inner > 0.6 else draw.ellipse
                    shape((x, y, x + step * inner, y + step * inner), fill=colour)
        elif kind == "rings":
            x, y = random.uniform(0.2, 0.8, 2) * SIDE
            step = int(random.integers(8, 24))
            for radius in range(step, SIDE, step * 2):
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=max(1, step // 3))
        elif kind == "rays":
            x, y = random.uniform(0, 1, 2) * SIDE
            for i in range(int(random.integers(12, 48))):
                angle = 2 * math.pi * i / 24
                draw.line((x, y, x + 400 * math.cos(angle), y + 400 * math.sin(angle)), fill=colour, width=2)
        else:
            sides, size = int(random.integers(3, 9)), random.uniform(20, 70)
            turn = random.uniform(0, math.pi)
            for i in range(int(random.integers(3, 9))):
                x, y = SIDE * ((i * 0.37) % 1), SIDE * ((i * 0.61) % 1)
                draw.regular_polygon(
                    (x, y, size), sides, rotation=math.degrees(turn * i), fill=colours[i % len(colours)]
                )
    return picture


KINDS = {"hand_made": hand_made, "computer_made": computer_made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200, help="pictures of each kind")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for number, (name, make) in enumerate(KINDS.items()):
        (given.folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(given.count):
            make(np.random.default_rng([given.seed, number, i])).save(given.folder / name / f"{i:03d}.png")
    print(f"{given.count} pictures of each kind in {given.folder}")


if __name__ == "__main__":
    main()

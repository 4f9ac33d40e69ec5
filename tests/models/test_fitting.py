"""A picture of any size is brought to any network's size; the crop never lies outside of it."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from convscope import InputSpec
from convscope.models.fitting import Fit, crop_box, where_seen
from convscope.models.photograph import open_photograph

SIDES = (14, 32, 96, 224, 299, 380, 518)
"""Of networks that there are."""


def spec(size: int | tuple[int, int]) -> InputSpec:
    return InputSpec(size=size, channels=1, range=(0, 1), mean=0.0, std=1.0)


def short_sides() -> list[int]:
    """About 600 sides from 14 to 4000, close together where sides are small, always the same."""
    drawn = np.exp(np.random.default_rng(0).uniform(np.log(14), np.log(4000), 560)).astype(int)
    usual = [600, 720, 768, 900, 960, 1024, 1050, 1080, 1200, 1365, 1440, 1536, 1600, 1800, 2160, 2448, 3000, 3024]
    return [*drawn.tolist(), *usual]


@pytest.mark.parametrize("side", SIDES)
def test_the_crop_lies_inside_the_picture_for_every_size(side: int) -> None:
    for short in short_sides():
        for height, width in ((short, short * 4 // 3), (short * 3 // 2, short)):
            left, top, right, bottom = crop_box((height, width), (side, side))
            assert left >= 0 <= top
            assert right <= width
            assert bottom <= height
            assert right - left == pytest.approx(short)
            assert bottom - top == pytest.approx(short)
            assert left + right == pytest.approx(width)
            assert top + bottom == pytest.approx(height)
            seen = where_seen((height, width), (side, side), "crop")
            assert max(seen[:2]) <= 0
            assert min(seen[2:]) >= side


@pytest.mark.parametrize("fit", get_args(Fit))
def test_pictures_of_every_size_are_opened(fit: Fit) -> None:
    """Each short side with one network, thin pictures, so that they take little time: a ramp stays a ramp."""
    for i, short in enumerate(short_sides()):
        side = SIDES[i % len(SIDES)]
        ramp = np.broadcast_to(np.linspace(0, 255, short, dtype=np.uint8)[:, None], (short, min(short + 1 + i % 3, 60)))
        shape = ramp.shape if ramp.shape[0] <= 200 * ramp.shape[1] else ramp[: 200 * ramp.shape[1]].shape
        ramp = ramp[: shape[0]]
        picture = Image.fromarray(np.ascontiguousarray(ramp))
        pixels = open_photograph(picture, spec((side, max(1, side * shape[1] // shape[0]))), fit=fit).pixels[..., 0]
        down = pixels.mean(axis=1)
        assert np.isfinite(pixels).all(), shape
        if fit == "stretch":
            assert (np.diff(down) >= -0.002).all(), shape
            assert down[0] == pytest.approx(ramp[0, 0] / 255, abs=0.06), shape
            assert down[-1] == pytest.approx(ramp[-1, 0] / 255, abs=0.06), shape


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (900, 1200), (750, 450), (450, 600)])
def test_sizes_whose_crop_is_rounded_outside(width: int, height: int) -> None:
    """900 / 224 * 224 is above 900: the crop would begin at row -5.7e-14."""
    sides = np.zeros((height, width), dtype=np.uint8)
    across = np.abs(np.arange(width) + 0.5 - width / 2) < min(height, width) / 2
    down = np.abs(np.arange(height) + 0.5 - height / 2) < min(height, width) / 2
    sides[np.ix_(down, across)] = 255
    pixels = open_photograph(sides, spec(224)).pixels
    assert pixels[2:-2, 2:-2].min() > 0.99  # the middle square alone, up to its edge
    assert pixels.min() > 0.85


@pytest.mark.parametrize("fit", get_args(Fit))
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 200), (200, 1), (2, 400), (800, 4), (4000, 20)])
@pytest.mark.parametrize("size", [(1, 1), (14, 14), (224, 224), (7, 300), (300, 7)])
def test_extreme_proportions(shape: tuple[int, int], size: tuple[int, int], fit: Fit) -> None:
    white = open_photograph(np.full(shape, 255, dtype=np.uint8), spec(size), fit=fit).pixels[..., 0]
    left, top, right, bottom = (round(x) for x in where_seen(shape, size, fit))
    inside = white[max(top, 0) : bottom, max(left, 0) : right]
    assert inside.size
    np.testing.assert_allclose(inside, 1, atol=1e-5)
    if fit == "pad":
        assert (white == 0.5).sum() == white.size - inside.size

"""Results that earlier versions made: they load, and replay to what they were.

Kept in tests/data/format1: each verb on efficientnet_lite0 at 64 pixels, made before recipes were calls.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import fftconvolve

import convscope as cs
from convscope.render.figure import Picture
from convscope.render.style import PLAIN

FOLDER = Path(__file__).parents[1] / "data" / "format1"
PHOTOGRAPHS = ("cat.png", "ramp.png")
KEPT = sorted(file.name for file in FOLDER.iterdir() if file.name not in PHOTOGRAPHS)
ROUNDING = 2e-3
"""Of another processor's sums, in parts of an array's greatest value: a step of ascent carries it on."""
COLOURED = ("explain.png", "compare.png", "compare-two.png", "activations.png", "weights.png", "hybrid.png")
"""Pictures in colour maps, whose rows are exact since."""
LAID_OUT_ANEW = ("activations.png", "hybrid.png", "invert.png", "visualize.png")
"""Pictures on which words stand elsewhere since, or others: their tiles are compared."""


THEN = ("activations", "assess", "compare", "dream", "explain", "hybrid", "invert", "stylize", "visualize", "weights")
"""The verbs of format 1 whose results can be made again."""


def test_every_verb_that_could_be_replayed_is_kept() -> None:
    from convscope.verbs.table import VERBS

    assert {file.split(".")[0].split("-")[0] for file in KEPT} == set(THEN)
    assert VERBS.keys() >= set(THEN)


def apart(whole: np.ndarray, tile: np.ndarray) -> float:
    """How far a tile is from where it is most like a part of a picture: the mean difference of their pixels."""
    grey, small = (pixels.astype(float).mean(2) for pixels in (whole, tile))
    ones = np.ones(small.shape)
    squares = fftconvolve(grey**2, ones, "valid") - 2 * fftconvolve(grey, small[::-1, ::-1], "valid")
    y, x = np.unravel_index(squares.argmin(), squares.shape)
    part = whole[y : y + tile.shape[0], x : x + tile.shape[1]].astype(int)
    return float(np.abs(part - tile).mean())


@pytest.mark.parametrize("file", KEPT)
def test_replays_to_what_it_was(file: str) -> None:
    then = cs.load_result(FOLDER / file)
    again = cs.replay(FOLDER / file)
    if file.endswith(".npz"):
        assert set(again.arrays) == set(then.arrays)
        for name, array in then.arrays.items():
            most = float(np.nanmax(np.abs(array.astype(np.float64))))
            assert np.allclose(again.arrays[name], array, rtol=0, atol=ROUNDING * most, equal_nan=True), name
    elif file in LAID_OUT_ANEW:
        tiles = [item for item in again.figure(PLAIN).items if isinstance(item, Picture)]
        for tile in tiles[:: max(1, len(tiles) // 4)]:
            drawn = np.asarray(tile.resized(round(tile.size[0]), round(tile.size[1])))
            assert apart(np.asarray(then.image()), drawn) < (3 if file in COLOURED else 0.5)
    else:
        before, after = (np.asarray(one.image()).astype(int) for one in (then, again))
        assert before.shape == after.shape
        far = np.abs(before - after)
        assert far.mean() < (3 if file in COLOURED else 0.5)
        assert (far > 40).mean() < 0.01

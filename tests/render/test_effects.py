"""Effects: nothing where it is cold, all where it is hot, nothing at intensity 0; contour lines lie on their level."""

import numpy as np
import pytest

from convscope.errors import InputError
from convscope.render.colour import MAPS, colourise, ramp_of
from convscope.render.effects import EFFECTS, Scene, altered, contours, hot_part
from convscope.render.overlay import whole_heat

RAMP = ramp_of("inferno")


def scene(height: int = 48, width: int = 64) -> Scene:
    """A picture whose left half is cold and whose right half is hot."""
    generator = np.random.default_rng(0)
    picture = generator.random((height, width, 3), dtype=np.float32)
    heat = np.zeros((height, width), dtype=np.float32)
    heat[:, width // 2 :] = 1.0
    return Scene(picture, heat, RAMP, 1 - picture[::-1])


@pytest.mark.parametrize("effect", EFFECTS)
def test_only_the_hot_half_is_altered(effect: str) -> None:
    given = scene()
    found = altered(given, effect, 1.0, 0.35, 0.3)
    assert found.min() >= 0
    assert found.max() <= 1
    cold, hot = (slice(None), slice(0, 32)), (slice(None), slice(32, 64))
    kept = given.picture
    match effect:
        case "mask":
            assert (found[cold] == 0).all()
            assert (found[hot] == 1).all()
        case "spotlight":
            assert (found[cold] == 0).all()
            assert (found[hot] == kept[hot]).all()
        case "none":
            assert (found == kept).all()
        case _:
            assert (found[cold] == kept[cold]).all()
            assert np.abs(found[hot] - kept[hot]).mean() > 0.05


@pytest.mark.parametrize("effect", [effect for effect in EFFECTS if effect != "mask"])
def test_intensity_nought_leaves_the_photograph(effect: str) -> None:
    given = scene()
    assert np.allclose(altered(given, effect, 0.0, 0.35, 0.3), given.picture, atol=1e-6)


def test_effects_in_closed_form() -> None:
    given = scene()
    hot = (slice(None), slice(32, 64))
    assert np.allclose(altered(given, "invert", 1.0, 0.5, 0.0)[hot], 1 - given.picture[hot], atol=1e-6)
    assert np.allclose(altered(given, "invert", 0.5, 0.5, 0.0)[hot], 0.5, atol=1e-6)
    assert np.allclose(altered(given, "swap", 1.0, 0.5, 0.0)[hot], 1 - given.picture[::-1][hot])
    top = np.array([0xFC, 0xFF, 0xA4]) / 255
    added = np.clip(given.picture[hot] + 0.4 * top, 0, 1)
    assert np.allclose(altered(given, "colours", 0.4, 0.0, 0.0)[hot], added, atol=1e-6)
    tones = np.unique(altered(given, "posterise", 1.0, 0.5, 0.0)[hot].round(4))
    assert np.allclose(tones, [0, 1 / 3, 2 / 3, 1], atol=1e-3)
    assert np.ptp(altered(given, "drain", 1.0, 0.5, 0.0)[hot], axis=2).max() < 1e-6
    cells = altered(given, "mosaic", 4.0, 0.5, 0.0)[hot]
    assert len(np.unique(cells.reshape(-1, 3), axis=0)) < 40


def test_what_is_hot_begins_at_hot_and_is_whole_a_little_above() -> None:
    heat = np.linspace(0, 1, 101, dtype=np.float32)[None]
    part = hot_part(heat, 0.4, 0.2)[0]
    assert (part[:41] == 0).all()
    assert (part[60:] == 1).all()
    assert part[50] == pytest.approx(0.5, abs=0.01)
    assert (np.diff(part) >= 0).all()
    assert hot_part(heat, 0.4, 0.0)[0].sum() == 61
    assert (hot_part(heat, 0.0, 0.0) == 1).all()


def test_contour_lines_lie_where_the_heat_has_their_level() -> None:
    heat = np.linspace(0, 1, 201, dtype=np.float32)[None].repeat(20, axis=0)
    black = np.zeros((20, 201, 3), dtype=np.float32)
    drawn = contours(black, heat, ramp_of("grey"), 4).sum(2)[10]
    at = [i for i in range(1, 200) if drawn[i] > 0 and drawn[i] >= drawn[i - 1] and drawn[i] > drawn[i + 1]]
    assert at == pytest.approx([25, 75, 125, 175], abs=1)
    assert (contours(black, np.zeros_like(heat), ramp_of("grey"), 4) == 0).all(), "no line where nothing is hot"


def test_ramps_of_ones_own() -> None:
    ramp = ramp_of("#000000-ff0000-ffffff")
    assert ramp[0].tolist() == [0, 0, 0]
    assert ramp[255].tolist() == [255, 255, 255]
    assert ramp[127][0] > 250 > 5 > ramp[127][1]
    assert (colourise(np.array([1.0]), 0, 1, "jet") == [[127, 0, 0]]).all()
    assert all(ramp_of(name).shape == (256, 3) for name in MAPS)
    for wrong in ("purple", "102040", "10204-ff8800", ""):
        with pytest.raises(InputError, match="expected inferno"):
            ramp_of(wrong)


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (61, 61)])
def test_heat_of_a_part_lies_over_that_part_of_the_whole(size: tuple[int, int]) -> None:
    """A hot cell seen by cropping, padding or stretching is found over the same part of the whole picture."""
    from convscope.models.fitting import where_seen

    heat = np.zeros((8, 8), dtype=np.float32)
    heat[5, 2] = 1.0
    view = (64, 64)
    for fit in ("crop", "pad", "stretch"):
        left, top, right, bottom = where_seen(size, view, fit)  # type: ignore[arg-type]
        large = whole_heat(heat, (left / 64, top / 64, right / 64, bottom / 64), size)
        y, x = (
            float(np.average(np.arange(n), weights=large.sum(axis))) + 0.5 for axis, n in ((1, size[0]), (0, size[1]))
        )
        seen_y = top + y / size[0] * (bottom - top)
        seen_x = left + x / size[1] * (right - left)
        assert (seen_y / 8, seen_x / 8) == pytest.approx((5.5, 2.5), abs=0.1), fit


def test_what_was_cut_off_is_cold() -> None:
    large = whole_heat(np.ones((4, 4), dtype=np.float32), (-0.5, 0.0, 1.5, 1.0), (40, 80))
    assert large[:, 25:55].min() > 0.99
    assert large[:, :12].max() == 0
    assert large[:, 68:].max() == 0

"""Colours say what the numbers say: zero is dark, the ends are the ends, equal numbers look equal."""

from typing import Any

import numpy as np
import pytest

from convscope.render.colour import MAPS, as_rgb, colourise, own_scale, scale_of, themed, to_bytes
from convscope.render.text import width_of
from convscope.results.activations import Activations
from convscope.results.recipe import Call, Recipe

ENDS: dict[Any, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "inferno": ((0, 0, 4), (252, 255, 164)),
    "viridis": ((68, 1, 84), (253, 231, 37)),
    "signed": ((213, 246, 255), (255, 233, 184)),
    "grey": ((0, 0, 0), (255, 255, 255)),
    "jet": ((0, 0, 127), (127, 0, 0)),
    "signed_light": ((4, 51, 142), (116, 15, 0)),
    "warm": ((255, 255, 255), (116, 15, 0)),
}
DARK = 32
"""No channel of what is shown as nothing is brighter than this."""


def luma(colours: np.ndarray) -> np.ndarray:
    return colours @ np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_have_the_end_colours(name: Any) -> None:
    assert set(ENDS) == set(MAPS)
    low, high = ENDS[name]
    colours = colourise(np.array([[-3.0, 7.0], [-99.0, 99.0], [-np.inf, np.inf]]), -3.0, 7.0, name)
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[list(low), list(high)]] * 3


def test_grey_is_the_number_itself() -> None:
    values = np.arange(256.0).reshape(16, 16)
    np.testing.assert_array_equal(colourise(values, 0.0, 255.0, "grey"), np.stack([values] * 3, axis=-1))


@pytest.mark.parametrize("name", ["inferno", "viridis", "grey"])
def test_more_is_brighter(name: Any) -> None:
    assert (np.diff(luma(colourise(np.linspace(0, 1, 256), 0.0, 1.0, name))) >= -0.5).all()
    assert (np.diff(luma(colourise(np.linspace(0, 1, 17), 0.0, 1.0, name))) > 0).all()


@pytest.mark.parametrize(("name", "first", "last"), [("inferno", "000004", "fcffa4"), ("viridis", "440154", "fde725")])
def test_inferno_and_viridis_have_a_colour_for_each_byte(name: Any, first: str, last: str) -> None:
    """As published: 256 of them, whose lightness rises by even steps, but for the bytes' rounding."""
    colours = colourise(np.arange(256.0), 0.0, 255.0, name)
    assert (bytes(colours[0]).hex(), bytes(colours[-1]).hex()) == (first, last)
    assert len(np.unique(colours, axis=0)) >= 254
    linear = np.where(colours <= 10.31475, colours / 3294.6, ((colours / 255 + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    lightness = np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)
    steps = np.diff(lightness)
    assert np.abs(steps - steps.mean()).max() < 0.4


def test_signed_is_cold_below_zero_warm_above_and_dark_between() -> None:
    values = np.linspace(-1, 1, 201)
    colours = colourise(values, -1.0, 1.0, "signed").astype(int)
    red, blue = colours[:, 0], colours[:, 2]
    assert (blue[values < -0.1] > red[values < -0.1]).all()
    assert (red[values > 0.1] > blue[values > 0.1]).all()
    assert colours[100].max() <= DARK
    assert luma(colours).argmin() in range(98, 103)
    for half in (luma(colours)[:101][::-1], luma(colours)[100:]):
        assert (np.diff(half) >= -1).all()


def test_on_white_paper_nothing_is_white_and_both_sides_darken_by_even_steps() -> None:
    colours = colourise(np.linspace(-1, 1, 201), -1.0, 1.0, "signed_light").astype(float)
    assert (colours[100] >= 250).all()
    linear = np.where(colours <= 10.31475, colours / 3294.6, ((colours / 255 + 0.055) / 1.055) ** 2.4)
    to_cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
    to_cones.append([0.0883024619, 0.2817188376, 0.6299787005])
    lightness = np.cbrt(linear @ np.array(to_cones).T) @ [0.2104542553, 0.7936177850, -0.0040720468]  # of OKLab
    expected = 1 - 0.64 * np.abs(np.linspace(-1, 1, 201))
    assert np.abs(lightness - expected).max() < 0.03
    assert (colours[:90, 2] > colours[:90, 0]).all()
    assert (colours[111:, 0] > colours[111:, 2]).all()
    np.testing.assert_array_equal(colourise(np.linspace(0, 1, 11), 0.0, 1.0, "warm")[5:6, 0] > 200, True)


@pytest.mark.parametrize("name", MAPS)
def test_maps_have_a_counterpart_on_white_paper(name: Any) -> None:
    assert themed(name, "dark") == themed(name, "dark", laid=True) == name
    assert themed(name, "light") == {"signed": "signed_light"}.get(name, name)
    assert themed(name, "light", laid=True) == {"signed": "signed_light", "inferno": "warm"}.get(name, name)


def test_signed_gives_equal_room_to_both_sides() -> None:
    """The index into the table goes up as fast above zero as it goes down below it."""
    for reach in (1e-12, 1.0, 3e8):
        whole = colourise(np.linspace(-1, 1, 256), -1.0, 1.0, "signed")
        np.testing.assert_array_equal(colourise(np.linspace(-reach, reach, 256), -reach, reach, "signed"), whole)


SCALES: list[tuple[list[float], tuple[float, float, str]]] = [
    ([0, 1, 4], (0, 4, "inferno")),
    ([3, 5], (0, 5, "inferno")),
    ([0, 0], (0, 0, "inferno")),
    ([-1, 4], (-4, 4, "signed")),
    ([-4, 1], (-4, 4, "signed")),
    ([-4, -1], (-4, 4, "signed")),
    ([-1e-9, 5], (-5, 5, "signed")),
    ([], (0, 1, "inferno")),
]


@pytest.mark.parametrize(("values", "expected"), SCALES)
def test_scales_begin_at_zero_or_lie_about_it(values: list[float], expected: tuple[float, float, str]) -> None:
    assert scale_of(np.array(values, dtype=np.float32)) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "_"), [(values, scale) for values, scale in SCALES if values])
def test_zero_is_dark_on_every_honest_scale(values: list[float], _: Any) -> None:
    low, high, name = scale_of(np.array(values, dtype=np.float32))
    assert colourise(np.zeros(1), low, high, name).max() <= DARK


@pytest.mark.parametrize("name", ["inferno", "viridis", "grey"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (5.0, 5.0), (1.0, -1.0)])
def test_where_nothing_is_above_anything_all_is_low(name: Any, low: float, high: float) -> None:
    assert colourise(np.array([-1.0, 0.0, 5.0, 9.0]), low, high, name).tolist() == [list(ENDS[name][0])] * 4


def test_nothing_is_dark_on_an_empty_signed_scale() -> None:
    """The low end of this map is its brightest cold: zeros shown so would look like the strongest answer of all."""
    assert colourise(np.zeros(4), -0.0, 0.0, "signed").max() <= DARK


@pytest.mark.parametrize("name", ["inferno", "signed", "grey"])
def test_what_is_no_number_is_dark(name: Any) -> None:
    assert colourise(np.array([np.nan]), -1.0 if name == "signed" else 0.0, 1.0, name).max() <= DARK


def test_one_number_that_is_none_does_not_hide_the_others() -> None:
    low, high, name = scale_of(np.array([np.nan, 0.0, 2.0], dtype=np.float32))
    assert (low, high, name) == (0, 2, "inferno")


@pytest.mark.parametrize(
    ("values", "signed", "expected"),
    [
        ([[1, 4]], False, (0, 4)),
        ([[0, 0]], False, (0, 0)),
        ([[-3, 1]], True, (-3, 3)),
        ([[1, 2]], True, (-2, 2)),
        ([[-3, -1]], True, (-3, 3)),
    ],
)
def test_the_scale_of_a_channel(values: list[list[float]], signed: bool, expected: tuple[float, float]) -> None:
    assert own_scale(np.array(values, dtype=np.float32), signed=signed) == expected


@pytest.mark.parametrize("scale", ["channel", "shared"])
@pytest.mark.parametrize("other", [1.0, -1.0])
def test_a_silent_channel_is_dark_on_its_sheet(scale: str, other: float) -> None:
    """Beside a channel that answers, above zero or below."""
    maps = np.zeros((2, 8, 8), dtype=np.float32)
    maps[1] = other
    about = {"kind": "Conv2d", "channels": [0, 1], "zeros": [1.0, 0.0]}
    facts = {"scale": scale, "layers": {"conv": about}}
    sheet = np.asarray(
        Activations({"conv": maps}, {"conv": ("c", "h", "w")}, Recipe(Call("activations")), facts).image()
    )
    top, left = 16 + 27 + 21 + 18, 16 + width_of("0", 13) + 8
    silent, loud = (sheet[top : top + 112, x : x + 112] for x in (left, left + 112 + 3))
    assert (loud == (ENDS["inferno"][1] if other > 0 else ENDS["signed"][0])).all()
    assert silent.max() <= DARK


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0, 2), (2, 3, 4)])
def test_shapes_are_kept(shape: tuple[int, ...]) -> None:
    assert colourise(np.zeros(shape), 0.0, 1.0).shape == (*shape, 3)


def test_colours_are_a_function_of_the_place_on_the_scale() -> None:
    values = np.random.default_rng(0).standard_normal((5, 6))
    np.testing.assert_array_equal(colourise(values, -1.0, 3.0), colourise(values * 10 + 7, -3.0, 37.0))


def test_bytes_are_rounded_and_clipped() -> None:
    picture = np.array([[[0.0, 1.0, 0.5], [-1.0, 2.0, 0.4 / 255], [0.6 / 255, 254.4 / 255, 254.6 / 255]]])
    assert to_bytes(picture).tolist() == [[[0, 255, 128], [0, 255, 0], [1, 254, 255]]]
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(to_bytes(every.astype(np.float32) / 255), every)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ([0.2], [51, 51, 51]),
        ([0.2, 0.8], [51, 51, 51]),
        ([0.2, 0.4, 0.6], [51, 102, 153]),
        ([1, 0, 0, 1], [255, 0, 0]),
        ([1, 0, 0, 0.2], [255, 204, 204]),
        ([1, 0, 0, 0], [255, 255, 255]),
        ([0.2, 0.4, 0.6, 0.8, 1], [51, 102, 153]),
    ],
)
def test_any_number_of_channels_becomes_colours(pixel: list[float], expected: list[int]) -> None:
    picture = np.broadcast_to(np.array(pixel, dtype=np.float32), (2, 3, len(pixel)))
    assert as_rgb(picture).tolist() == [[expected] * 3] * 2

"""Sheets: where each tile is, what is written, and that nothing written is cut."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convscope.render.colour import colourise
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.grid import columns_for, tile_size
from convscope.render.grid import sheet as laid_out
from convscope.render.raster import raster
from convscope.render.style import THEMES
from convscope.render.text import figure, shortened, width_of

PAPER = THEMES["dark"].paper

laws = settings(deadline=None, derandomize=True, database=None, max_examples=100)

Written = list[tuple[str, float, float]]
"""What was written, and from where to where across."""


def tiles(count: int, height: int = 10, width: int = 20) -> list[np.ndarray]:
    """Tiles that can be told apart: noise, each its own."""
    generator = np.random.default_rng(0)
    return [generator.integers(40, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Everything that is written on sheets from here on."""
    found: Written = []
    real = Figure.text

    def text(self: Figure, at: Any, text: str, size: int, paint: Any = "ink", anchor: str = "la") -> None:
        width = width_of(text, size)
        left = at[0] - {"l": 0, "m": width / 2, "r": width}[anchor[0]]
        found.append((text, left, left + width))
        real(self, at, text, size, paint, anchor)

    monkeypatch.setattr(Figure, "text", text)
    return found


def sheet(*given: Any, **options: Any) -> Image.Image:
    """A sheet as it is drawn."""
    return raster(laid_out(*given, **options))


def texts(written: Written) -> list[str]:
    return [text for text, _, _ in written]


# --- sizes and places: margin 16, gap 3, title 19 + 8, small 13 + 8, bar 13 + 24 --------------------------------

PLAIN = (16 + 3 * 20 + 2 * 3 + 16, 16 + 2 * 10 + 3 + 16)
SIZES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({}, PLAIN),
    ({"subtitle": "x"}, (PLAIN[0], PLAIN[1] + 21)),
    ({"title": "x"}, (360, PLAIN[1] + 27)),
    ({"title": "x", "subtitle": "x"}, (360, PLAIN[1] + 27 + 21)),
    ({"bar": Bar(0, 1, "inferno")}, (360, PLAIN[1] + 37)),
    ({"captions": list("abcdef")}, (PLAIN[0], PLAIN[1] + 2 * (16 + 12))),
    ({"captions": ["a\nb", *"bcdef"]}, (PLAIN[0], PLAIN[1] + 2 * (2 * 16 + 12))),
    ({"numbered": True}, (PLAIN[0] + width_of("3", 13) + 8, PLAIN[1] + 18)),
    ({"numbered": True, "first_number": 100}, (PLAIN[0] + width_of("103", 13) + 8, PLAIN[1] + 18)),
]


@pytest.mark.parametrize(("options", "size"), SIZES)
def test_sheets_are_as_large_as_what_is_on_them(options: dict[str, Any], size: tuple[int, int]) -> None:
    assert sheet(tiles(6), tile=(10, 20), columns=3, **options).size == size


def test_a_sheet_is_as_wide_as_its_title_but_not_endless() -> None:
    title = "a title of some length that is wider than two small tiles"
    assert sheet(tiles(2), tile=(10, 20), columns=2, title=title).width == width_of(title, 19) + 32
    assert sheet(tiles(2), tile=(10, 20), columns=2, title="long " * 60).width == 1440
    assert sheet(tiles(2), tile=(10, 900), columns=2, title="long " * 60).width == 16 + 900 + 3 + 900 + 16


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 3), (5, 3), (4, 1), (3, 8)])
@pytest.mark.parametrize("title", ["", "x"])
def test_tiles_stand_row_by_row(count: int, columns: int, title: str) -> None:
    given_tiles = tiles(count)
    pixels = np.asarray(sheet(given_tiles, tile=(10, 20), columns=columns, title=title)).copy()
    top = 16 + (27 if title else 0)
    for i, tile in enumerate(given_tiles):
        y, x = top + i // columns * 13, 16 + i % columns * 23
        np.testing.assert_array_equal(pixels[y : y + 10, x : x + 20], tile)
        pixels[y : y + 10, x : x + 20] = PAPER
    assert (pixels[top:] == PAPER).all()


def test_cells_stay_visible_when_a_tile_is_enlarged() -> None:
    (tile,) = tiles(1, 2, 3)
    pixels = np.asarray(sheet([tile], tile=(20, 30), columns=1))[16:36, 16:46]
    np.testing.assert_array_equal(pixels, tile.repeat(10, axis=0).repeat(10, axis=1))
    smooth = np.asarray(sheet([tile], tile=(20, 30), columns=1, smooth=True))[16:36, 16:46]
    assert len(np.unique(smooth.reshape(-1, 3), axis=0)) > 6


def test_a_tile_is_averaged_when_it_shrinks() -> None:
    stripes = np.zeros((40, 40, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    pixels = np.asarray(sheet([stripes], tile=(10, 10), columns=1))[16:26, 16:26]
    assert abs(pixels[2:-2, 2:-2].astype(int) - 100).max() <= 3


def test_pictures_one_below_the_other() -> None:
    one, two = (
        Figure.of(np.full((*size, 3), colour, np.uint8))
        for size, colour in (((5, 10), (255, 0, 0)), ((7, 20), (0, 255, 0)))
    )
    pixels = np.asarray(raster(Figure.stacked([one, two])))
    assert pixels.shape == (12, 20, 3)
    assert (pixels[:5, :10] == (255, 0, 0)).all()
    assert (pixels[:5, 10:] == PAPER).all()
    assert (pixels[5:] == (0, 255, 0)).all()


# --- words ------------------------------------------------------------------------------------------------------


def test_a_long_title_is_shortened_in_its_middle(written: Written) -> None:
    title = f"first {'word ' * 60}last"
    sheet(tiles(2), tile=(10, 20), columns=2, title=title, subtitle=title)
    for text, left, right in written:
        assert text.startswith("first word")
        assert text.endswith("word last")
        assert "…" in text
        assert left == 16
        assert 1300 < right <= 1440 - 16


def test_short_words_are_written_as_they_are(written: Written) -> None:
    sheet(tiles(2, 10, 90), tile=(10, 90), columns=2, title="Title", subtitle="sub", captions=["a b\n0.5", "ä"])
    assert texts(written) == ["Title", "sub", "a b", "0.5", "ä"]


def test_a_long_caption_stays_within_its_tile(written: Written) -> None:
    sheet(tiles(3, 10, 90), tile=(10, 90), columns=3, captions=["blocks.10.project:345\n1.23e-05"] * 3)
    for i, (text, left, right) in enumerate(written):
        assert left == 16 + i // 2 * 93
        assert right <= left + 90
        assert text
    assert [text for text in texts(written) if not text.startswith("blo")] == ["1.23e-05"] * 3


def test_small_tiles_stand_apart_for_their_captions(written: Written) -> None:
    """A number of which a part is left out is another number."""
    picture = sheet(tiles(3, 10, 20), tile=(10, 20), columns=3, captions=["tiger cat\n-0.00279"] * 3)
    assert texts(written) == ["tiger cat", "-0.00279"] * 3
    assert all(one < other for (_, _, one), (_, other, _) in pairwise(written[::2]))
    assert picture.width >= written[-1][2]


@pytest.mark.parametrize("title", ["two\nlines", "tabby\n  99 %", "\n", "a\r\nb", "a\tb"])
def test_a_title_of_two_lines_becomes_one(title: str, written: Written) -> None:
    """Labels from a file's lines end in a newline."""
    sheet(tiles(1), tile=(10, 20), columns=1, title=title, subtitle=title, bar=Bar(0, 1, "grey", title))
    assert all(len(text.splitlines()) <= 1 for text in texts(written))


def test_numbers_add_up_to_the_tile(written: Written) -> None:
    sheet(tiles(10, 30, 40), tile=(30, 40), columns=4, numbered=True, first_number=100)
    assert texts(written) == ["+0", "+1", "+2", "+3", "100", "104", "108"]


def test_numbers_are_left_out_where_they_would_overlap(written: Written) -> None:
    sheet(tiles(40, 4, 6), tile=(4, 6), columns=20, numbered=True)
    above = [(left, right) for text, left, right in written if text.startswith("+")]
    assert 1 < len(above) < 20
    assert all(right < left for (_, right), (left, _) in pairwise(above))


EXTREMES: list[dict[str, Any]] = [
    {"title": "W" * 150, "bar": Bar(-1.23e-30, 9.87e30, "signed", "activation; " * 9)},
    {"title": "x", "bar": Bar(-99999, 99999, "signed", "weight; one scale for all")},
    {"bar": Bar(0, 3.14, "inferno", "activation; each channel on its own scale, 0 to 1 = its maximum")},
    {"subtitle": "W" * 150},
    {"numbered": True, "first_number": 123456},
    {"numbered": True, "first_number": 123456, "title": "x", "bar": Bar(0, 0, "inferno", "y")},
    {"captions": ["W" * 99 + "\n" + "W" * 99] * 6},
    {"captions": [""] * 6},
]


@pytest.mark.parametrize("options", EXTREMES)
@pytest.mark.parametrize("width", [4, 20, 300])
def test_nothing_written_is_cut_by_the_edge(options: dict[str, Any], width: int, written: Written) -> None:
    picture = sheet(tiles(6, 10, width), tile=(10, width), columns=3, **options)
    assert written
    for text, left, right in written:
        assert left >= 0, text
        assert right <= picture.width, text


@laws
@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60), st.integers(-5, 400))
def test_what_is_shortened_fits_and_what_fits_stays(text: str, room: int) -> None:
    short = shortened(text, 13, room)
    assert not short or width_of(short, 13) <= room
    if width_of(text, 13) <= room:
        assert short == text
    elif short:
        head, tail = short.split("…", 1) if "…" not in text else (short[0], short[-1])
        assert text.startswith(head)
        assert text.endswith(tail)


# --- the bar ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (Bar(0, 12.34, "inferno", "activation"), ["0", "12.3", "activation"]),
        (Bar(-0.5, 0.5, "signed", "weight"), ["-0.5", "0.5", "weight"]),
        (Bar(0, 0, "inferno", "all zero"), ["0", "0", "all zero"]),
        (Bar(-3e-7, 3e-7, "signed", ""), ["-3.0e-07", "3.0e-07", ""]),
    ],
)
def test_the_bar_says_the_values_at_its_ends(bar: Bar, expected: list[str], written: Written) -> None:
    sheet(tiles(1), tile=(10, 20), columns=1, bar=bar)
    assert texts(written) == expected


@pytest.mark.parametrize("bar", [Bar(0, 5, "inferno"), Bar(-2, 2, "signed"), Bar(1, 3, "viridis"), Bar(0, 1, "grey")])
def test_the_bar_has_the_colours_of_its_values(bar: Bar, written: Written) -> None:
    pixels = np.asarray(sheet(tiles(1), tile=(10, 20), columns=1, bar=bar))
    length = (360 - 32) // 2
    x = round(written[0][2]) + 7
    row = pixels[-16 - 13 - 8 + 2 + 6, x : x + length]
    np.testing.assert_array_equal(row, colourise(np.linspace(bar.low, bar.high, length), bar.low, bar.high, bar.map))


FIGURES = [
    (0, "0"), (-0.0, "0"), (1, "1"), (0.5, "0.5"), (12.345, "12.3"), (99.96, "100"), (123.4, "123"), (-1234.6, "-1235"),
    (99999, "99999"), (1e5, "1.0e+05"), (0.001, "0.001"), (0.00099, "9.9e-04"), (-1e-9, "-1.0e-09"), (1 / 3, "0.333"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), FIGURES)
def test_a_number_in_few_characters(value: float, text: str) -> None:
    assert figure(value) == text


# --- layout -----------------------------------------------------------------------------------------------------


@laws
@given(st.integers(1, 3000), st.tuples(st.integers(1, 600), st.integers(1, 600)))
def test_columns_fit_and_are_round(count: int, tile: tuple[int, int]) -> None:
    columns = columns_for(count, tile)
    assert 1 <= columns <= count
    assert columns == 1 or 32 + columns * (tile[1] + 3) - 3 <= 1440
    assert columns <= 4 or columns % 4 == 0
    assert columns <= 8 or columns % 8 == 0


@pytest.mark.parametrize(
    ("count", "tile", "columns"), [(1, (50, 50), 1), (3, (50, 50), 3), (16, (50, 50), 4), (512, (64, 64), 16)]
)
def test_columns_of_common_sheets(count: int, tile: tuple[int, int], columns: int) -> None:
    assert columns_for(count, tile) == columns


@laws
@given(st.tuples(st.integers(1, 500), st.integers(1, 500)), st.integers(1, 3000))
def test_tiles_are_neither_tiny_nor_huge(shape: tuple[int, int], count: int) -> None:
    height, width = tile_size(shape, count)
    assert min(height, width) >= 1
    assert max(height, width) <= 168
    assert max(height, width) >= 28
    if min(height, width) > 1:
        assert abs(height / shape[0] - width / shape[1]) <= 0.5 / shape[0] + 0.5 / shape[1] + 1e-9


@pytest.mark.parametrize(
    ("shape", "count", "expected"),
    [((7, 7), 16, (112, 112)), ((56, 56), 4, (112, 112)), ((14, 28), 400, (28, 56)), ((224, 224), 3, (160, 160))],
)
def test_common_tiles(shape: tuple[int, int], count: int, expected: tuple[int, int]) -> None:
    assert tile_size(shape, count) == expected

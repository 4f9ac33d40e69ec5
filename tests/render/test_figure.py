"""A figure is the same figure in every theme, at every scale and in every format."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convscope.errors import InputError, MissingExtraError
from convscope.render import pdf as home
from convscope.render.captions import apart
from convscope.render.figure import Figure, Text
from convscope.render.overlay import overlay
from convscope.render.pdf import pdf, pdf_metadata
from convscope.render.raster import fitted, raster
from convscope.render.style import PLAIN, THEMES, Style, extent
from convscope.render.svg import svg, svg_metadata
from convscope.render.text import length_of

laws = settings(deadline=None, derandomize=True, database=None, max_examples=60)
THEME = pytest.mark.parametrize("theme", THEMES)


def everything() -> Figure:
    """A figure with an item of each kind."""
    figure = Figure(200, 120)
    generator = np.random.default_rng(0)
    figure.picture(generator.integers(0, 256, (4, 5, 3), np.uint8), (10, 10), (50, 40))
    figure.picture(generator.integers(0, 256, (80, 90, 3), np.uint8), (70, 10), (45, 40), smooth=True)
    figure.text((10, 60), "a <caption> & more ±", 13)
    figure.text((190, 60), "faint", 13, "faint", "ra")
    figure.rectangle((10, 80, 60, 100), fill="edge", outline="ink")
    figure.rectangle((70, 80, 90, 100), fill=(200, 30, 30))
    figure.line([(100, 80), (150, 100), (190, 80)], "series1", 2)
    figure.dot((150, 100), 3, "series0")
    return figure


def contrast(one: tuple[int, int, int], two: tuple[int, int, int]) -> float:
    """As WCAG has it."""

    def light(colour: tuple[int, int, int]) -> float:
        parts = [v / 3294.6 if v <= 10.31475 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour]
        return float(np.dot(parts, [0.2126, 0.7152, 0.0722])) + 0.05

    lights = sorted([light(one), light(two)])
    return lights[1] / lights[0]


@THEME
def test_words_can_be_read_on_the_paper(theme: Any) -> None:
    colours = THEMES[theme]
    for role in ("ink", "faint", "series0", "series1", "series2", "series3"):
        assert contrast(colours.colour(role), colours.paper) >= 4.5, role
    assert colours.colour((1, 2, 3)) == (1, 2, 3)


@THEME
@pytest.mark.parametrize("scale", [0.5, 1, 1.5, 2, 3])
def test_a_scale_is_what_it_says(theme: Any, scale: float) -> None:
    drawn = raster(everything(), theme, scale)
    assert drawn.size == (round(200 * scale), round(120 * scale))
    assert drawn.getpixel((0, 0)) == THEMES[theme].paper
    if scale >= 1:
        cells = np.asarray(drawn)[round(10 * scale) : round(50 * scale), round(10 * scale) : round(60 * scale)]
        assert len(np.unique(cells.reshape(-1, 3), axis=0)) == 20, "its cells stay visible"


def test_at_twice_the_scale_a_picture_has_its_own_pixels() -> None:
    figure = Figure(60, 60)
    pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    figure.picture(pixels, (5, 5), (45, 40), smooth=True)
    np.testing.assert_array_equal(np.asarray(raster(figure, "dark", 2))[10:90, 10:100], pixels)


def test_a_picture_by_itself_is_pixel_for_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    for theme in THEMES:
        np.testing.assert_array_equal(np.asarray(raster(Figure.of(pixels), theme)), pixels)
    assert raster(Figure.of(pixels), "dark", 2).size == (10, 14)


@laws
@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=50), st.integers(8, 20))
def test_letters_of_any_scale_are_no_wider_than_was_measured(text: str, size: int) -> None:
    for scale in (0.5, 0.77, 1.0, 1.5, 2.0, 3.1):
        found = fitted(text, size, scale)
        assert length_of(text, found) <= length_of(text, size) * scale or found == 1
        assert found >= 0.7 * size * scale


def test_placing_moves_all_items() -> None:
    figure = Figure(300, 300)
    figure.place(everything(), (30, 40))
    alone, moved = np.asarray(raster(everything())), np.asarray(raster(figure))
    np.testing.assert_array_equal(moved[40:160, 30:230], alone)


@THEME
def test_thin_strokes_stay_visible_where_it_is_cold(theme: Any) -> None:
    drawing = np.full((20, 20, 3), 255, np.uint8)
    drawing[:, 10] = 0
    heat = np.zeros((20, 20))
    heat[:5] = 1.0
    shown = overlay(drawing, heat, 0.0, 1.0, strength=1.0, theme=theme).astype(int)
    assert abs(shown[15, 5] - shown[15, 10]).min() > 120, "where it is cold"
    assert shown[15, 5].min() >= 200 if theme == "light" else shown[15, 5].max() <= 210
    end = (116, 15, 0) if theme == "light" else (252, 255, 164)
    assert abs(shown[2, 5] - end).max() <= 1, "where it is hot, it has the colour of the scale's end"


# --- formats ----------------------------------------------------------------------------------------------------


@THEME
def test_svg_has_its_words_as_text(theme: Any) -> None:
    data = svg(everything(), theme, 2, '{"a": "<&>"}')
    root = ElementTree.fromstring(data)
    space = "{http://www.w3.org/2000/svg}"
    assert [one.text for one in root.iter(f"{space}text")] == ["a <caption> & more ±", "faint"]
    assert root.attrib["width"] == "400"
    assert root.attrib["viewBox"] == "0 0 200 120"
    images = list(root.iter(f"{space}image"))
    assert ["pixelated" in one.attrib.get("style", "") for one in images] == [True, False]
    assert data.count(b"@font-face") == 1
    assert svg_metadata(data) == '{"a": "<&>"}'
    assert "#{:02x}{:02x}{:02x}".format(*THEMES[theme].paper).encode() in data
    for one, item in zip(
        root.iter(f"{space}text"), (i for i in everything().items if isinstance(i, Text)), strict=True
    ):
        assert float(one.attrib["textLength"]) == pytest.approx(length_of(item.text, item.size), abs=0.01)


def test_svg_holds_what_xml_cannot() -> None:
    figure = Figure(50, 50)
    figure.text((0, 0), "a\0b\x1bc\ud800", 13)
    ElementTree.fromstring(svg(figure))


@THEME
def test_pdf_is_a_page_of_its_size_and_the_same_each_time(theme: Any) -> None:
    pytest.importorskip("reportlab")
    one, two = (pdf(everything(), theme, 2, "ü") for _ in range(2))
    assert one == two
    assert one.startswith(b"%PDF")
    assert pdf_metadata(one) == "ü"
    box = re.search(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", one)
    assert box is not None
    assert [float(box[1]), float(box[2])] == [300, 180]
    assert b"Aileron" in one, "words stay words, in the typeface that was measured"


def test_without_reportlab_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'convscope\[pdf\]'"):
        pdf(everything())


# --- styles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": 0}, "columns is 0; expected a whole number from 1"),
        ({"columns": True}, "columns is True; expected"),
        ({"scale": 0}, "scale is 0; expected a number above 0"),
        ({"scale": float("nan")}, "scale is nan; expected"),
        ({"scale": 99}, "scale is 99; expected"),
    ],
)
def test_styles_that_are_none(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as told:
        Style(**options)
    assert len(str(told.value).splitlines()) == 1


def test_a_style_says_what_is_not_as_usual() -> None:
    assert PLAIN.told() == {}
    style = Style(theme="light", columns=3, scale=2, title=False)
    assert Style(**style.told()) == style
    assert (PLAIN.named("x"), style.named("x"), PLAIN.across(7), style.across(7)) == ("x", "", 7, 3)


def test_a_picture_that_would_be_too_large_is_refused() -> None:
    assert extent(100, 50, 1.5) == (150, 75)
    with pytest.raises(InputError, match=r"would have 80000x80000 pixels.* take a smaller scale"):
        extent(10_000, 10_000, 8)


# --- what captions share ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "captions", "expected"),
    [
        ("net: what", ["a.b:0\n1", "a.b:1\n2"], ("net a.b: what", ["0\n1", "1\n2"])),
        ("net: what", ["a:0@1,2", "a:7@3,4"], ("net a: what", ["0@1,2", "7@3,4"])),
        ("keras:VGG16: what", ["a:0", "a:1"], ("keras:VGG16 a: what", ["0", "1"])),
        ("units", ["a:0", "a:1"], ("units: a", ["0", "1"])),
        ("net: what", ["a:0", "b:1"], None),
        ("net: what", ["a:0"], None),
        ("", ["a:0", "a:1"], None),
        ("net: what", ["zebra", "tabby"], None),
        ("net: what", ["class:1", "class:2"], None),
        ("net: what", ["a:0 - a:1", "a:0 - a:2"], None),
        ("net: what", ["a:", "a:"], None),
        ("net: what", ["dog: small", "dog: large"], None),
        ("net: what", [], None),
    ],
)
def test_a_layer_that_all_share_stands_in_the_title(title: str, captions: list[str], expected: Any) -> None:
    found, under = apart(title, captions)
    assert (found, list(under)) == (expected or (title, captions))

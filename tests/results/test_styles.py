"""Every kind of result in both themes, at several scales, in all formats."""

import json
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tests.contracts.verbs import CALLS
from tests.networks import noise, shared

import convscope as cs
from convscope.errors import InputError
from convscope.render.figure import Figure, Picture, Text
from convscope.render.style import PLAIN, THEMES, Style
from convscope.render.text import width_of
from convscope.results.png import CHUNK
from convscope.results.result import KINDS, NUMBERS_IN_PNG, Result
from convscope.results.saved import SavedPicture
from convscope.results.store import load_picture


@cache
def folder() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="convscope-styles-"))


MORE: dict[str, Any] = {
    "filters": lambda net: cs.visualize(net, "conv2:0-5", steps=1),
    "frames": lambda net: cs.visualize(net, ["conv2:1", "conv2:2"], steps=2, views="plain", frames="0,2"),
    "signed": lambda net: cs.explain(net, noise(), signed=True),
    "integrated": lambda net: cs.explain(net, noise(), method="integrated_gradients", steps=3),
    "guided": lambda net: cs.explain(net, noise(), "conv2:2@7,9", method="guided_backprop"),
    "windows": lambda net: cs.explain(net, noise(), 1, method="occlusion", patch=8),
    "one layer": lambda net: cs.activations(net, noise(), ["conv1"]),
    "kernels": lambda net: cs.weights(net, "conv1"),
    "inversions": lambda net: cs.invert(net, noise(), ["conv1", "conv2"], steps=2, tv="both", tv_weight=3.0),
}
"""Beside a call of each verb."""


@cache
def made(name: str) -> Result:
    net = shared("plain")
    return MORE[name](net) if name in MORE else CALLS[name](net, "plain", folder())  # type: ignore[no-any-return]


every_result = pytest.mark.parametrize("name", [*CALLS, *MORE])


def test_every_kind_of_result_is_drawn_here() -> None:
    assert {made(name).kind for name in CALLS} | {"picture"} == set(KINDS)


def words(figure: Figure) -> list[Text]:
    return [item for item in figure.items if isinstance(item, Text)]


@every_result
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("title", [True, False])
def test_all_that_is_drawn_lies_on_the_paper(name: str, theme: Any, title: bool) -> None:
    result = made(name)
    for figure in (result.figure(Style(theme=theme, title=title)), *result.figures(Style(theme=theme)).values()):
        for item in words(figure):
            wide = width_of(item.text, item.size)
            left = item.at[0] - {"l": 0, "m": wide / 2, "r": wide}[item.anchor[0]]
            assert left >= 0, item.text
            assert left + wide <= figure.width + 1, item.text
            assert 0 <= item.at[1] <= figure.height, item.text
        for picture in (item for item in figure.items if isinstance(item, Picture)):
            assert picture.at[0] >= 0
            assert picture.at[1] >= 0
            assert picture.at[0] + picture.size[0] <= figure.width
            assert picture.at[1] + picture.size[1] <= figure.height


@every_result
def test_themes_and_scales(name: str) -> None:
    result = made(name)
    dark, light = result.image(), result.image(theme="light")
    assert dark.size == light.size
    assert result.image(scale=2).size == (2 * dark.width, 2 * dark.height)
    bare = len(result.figure(PLAIN).items) == 1
    for theme, picture in zip(THEMES, (dark, light), strict=True):
        assert bare or picture.getpixel((picture.width - 1, picture.height - 1)) == THEMES[theme].paper  # type: ignore[index]
    assert (dark.tobytes() == light.tobytes()) == bare


@every_result
def test_without_a_title_the_rest_stays(name: str) -> None:
    result = made(name)
    whole, less = (result.figure(Style(title=title)) for title in (True, False))
    assert less.height <= whole.height
    facts = result.facts
    for told in (facts.get("title"), facts.get("subtitle")):
        assert not told or told not in less.texts()
    pictures = [sum(isinstance(item, Picture) for item in figure.items) for figure in (whole, less)]
    assert pictures[0] == pictures[1]


@every_result
def test_columns_are_as_many_as_are_asked_for_or_refused(name: str) -> None:
    result = made(name)
    if not result.tiled:
        with pytest.raises(InputError, match="columns is of sheets of tiles") as told:
            result.image(columns=2)
        assert len(str(told.value).splitlines()) == 1
        return
    for columns in (1, 2):
        figure = result.figure(Style(columns=columns))
        rows = Counter(item.at[1] for item in figure.items if isinstance(item, Picture) and item.size[1] > 12)
        assert max(rows.values()) <= columns
    assert result.image(columns=1).height >= result.image().height


# --- files ------------------------------------------------------------------------------------------------------


@every_result
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".svg", ".pdf"])
def test_every_format_carries_the_recipe(name: str, theme: Any, suffix: str, tmp_path: Path) -> None:
    result = made(name)
    path = result.save(tmp_path / f"x{suffix}", theme=theme, scale=0.5)
    loaded = cs.load_result(path)
    assert loaded.recipe == result.recipe
    read = load_picture(path)
    assert read.recipe == result.recipe
    assert read.facts["style"] == ({"scale": 0.5} | ({"theme": theme} if theme != "dark" else {}))
    size = result.image(theme=theme, scale=0.5).size
    if suffix in (".svg", ".pdf"):
        with pytest.raises(cs.ConvscopeError, match="gives back its recipe, but no picture"):
            read.image()
    else:
        assert read.image().size == size
    if suffix == ".svg":
        root = ElementTree.fromstring(path.read_bytes())
        texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts == [text for text in result.figure(Style(theme=theme)).texts() if text.strip()]
    if suffix == ".pdf":
        assert path.read_bytes().startswith(b"%PDF")


@every_result
def test_a_png_gives_back_what_an_npz_does(name: str, tmp_path: Path) -> None:
    result = made(name)
    png, npz = (cs.load_result(result.save(tmp_path / f"x{suffix}")) for suffix in (".png", ".npz"))
    assert type(png) is type(npz) is type(result)
    assert (png.recipe, png.facts, png.axes) == (npz.recipe, npz.facts, npz.axes)
    for key, array in npz.arrays.items():
        assert png.arrays[key].dtype == array.dtype
        assert png.arrays[key].tobytes() == array.tobytes()
    assert png.image().tobytes() == result.image().tobytes()
    plain = len(load_picture(tmp_path / "x.png").save(tmp_path / "bare.png").read_bytes())
    grown = (tmp_path / "x.png").stat().st_size - plain
    assert grown <= (tmp_path / "x.npz").stat().st_size + 1000


def test_large_arrays_stay_out_of_a_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = made("signed")
    packed = len(result.save(tmp_path / "x.npz").read_bytes())
    assert packed < NUMBERS_IN_PNG
    monkeypatch.setattr("convscope.results.result.NUMBERS_IN_PNG", packed - 1)
    loaded = cs.load_result(result.save(tmp_path / "x.png"))
    assert isinstance(loaded, SavedPicture)
    assert CHUNK not in (tmp_path / "x.png").read_bytes()
    with pytest.raises(KeyError, match=r"the numbers of this result are not in the picture: save it as \.npz"):
        loaded.arrays["map"]
    monkeypatch.setattr("convscope.results.result.NUMBERS_IN_PNG", packed)
    assert cs.load_result(result.save(tmp_path / "x.png")).arrays["map"].shape == (32, 32)


def test_a_part_of_a_result_stays_that_part(tmp_path: Path) -> None:
    result = made("windows")
    loaded = cs.load_result(result.save(tmp_path / "x.png", "winners"))
    assert isinstance(loaded, SavedPicture)
    assert loaded.image().tobytes() == result.pictures()["winners"].tobytes()
    assert loaded.facts["picture"] == "winners"


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG."""
    at, found = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of chunks, with their check sums as they should be."""
    told = [
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big") for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(told)


def other(data: bytes) -> bytes:
    """The numbers of another result."""
    return made("integrated").numbers()


TAMPERED: dict[str, Any] = {
    "nothing": (lambda data: b"", "is not an .npz that can be read"),
    "words": (lambda data: b"hello", "is not an .npz that can be read"),
    "half of it": (lambda data: data[: len(data) // 2], "is not an .npz that can be read"),
    "a byte": (lambda data: data[:200] + bytes([data[200] ^ 255]) + data[201:], "is not an .npz|cannot be read"),
    "of another": (other, "are of another recipe than its picture"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_chunk_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    change, said = TAMPERED[how]
    path = made("signed").save(tmp_path / "x.png")
    parts = chunks(path.read_bytes())
    assert joined(parts) == path.read_bytes()
    assert [name for name, _ in parts].count(CHUNK) == 1
    path.write_bytes(joined([(name, change(data) if name == CHUNK else data) for name, data in parts]))
    with pytest.raises(cs.ConvscopeError, match=said) as told:
        cs.load_result(path)
    assert len(str(told.value).splitlines()) == 1
    load_picture(path)  # the picture itself is sound
    twice = [part for part in parts for _ in range(1 + (part[0] == CHUNK))]
    path.write_bytes(joined(twice))
    with pytest.raises(cs.ConvscopeError, match="holds the numbers of 2 results"):
        cs.load_result(path)


def test_a_png_is_no_npz_whatever_it_is_called(tmp_path: Path) -> None:
    """An archive may lie inside another file: the one in a PNG is read as such alone."""
    path = made("signed").save(tmp_path / "x.png").rename(tmp_path / "x.npz")
    with pytest.raises(cs.ConvscopeError, match=r"is not an \.npz that can be read"):
        cs.load_result(path)


def test_other_programs_read_the_png(tmp_path: Path) -> None:
    path = made("signed").save(tmp_path / "x.png")
    with Image.open(path) as picture:
        picture.load()
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(made("signed").image()))
        picture.save(tmp_path / "again.png")
    with pytest.raises(cs.ConvscopeError, match=r"holds no recipe of convscope: .* saved again"):
        cs.load_result(tmp_path / "again.png")


def test_a_long_recipe_stays_out_of_a_jpeg(tmp_path: Path) -> None:
    result = made("signed")
    long = type(result)(result.arrays, result.axes, result.recipe, {**result.facts, "more": "x" * 70_000})
    loaded = cs.load_result(long.save(tmp_path / "x.jpg"))
    assert loaded.recipe == result.recipe
    assert not loaded.facts
    assert len(json.dumps(result.recipe.to_dict())) < 60_000


@pytest.mark.parametrize("suffix", [".npz", ".html"])
def test_a_style_is_of_pictures(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"theme, scale: of pictures; a {suffix} file") as told:
        made("compare").save(tmp_path / f"x{suffix}", theme="light", scale=2)
    assert len(str(told.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_film_has_a_theme_and_a_scale(tmp_path: Path) -> None:
    result = made("frames")
    paths = [result.save(tmp_path / f"{theme}.webp", theme=theme, scale=2, columns=1) for theme in THEMES]  # type: ignore[arg-type]
    dark, light = (np.asarray(cs.load_result(path).image()).astype(int) for path in paths)
    assert dark.shape == light.shape
    assert abs(dark[2, 2] - THEMES["dark"].paper).max() < 12
    assert abs(light[2, 2] - THEMES["light"].paper).max() < 12


# --- words ------------------------------------------------------------------------------------------------------


def test_titles_and_legends_say_what_they_are() -> None:
    net = shared("plain")
    plain = cs.explain(net, noise(), "class:bee")
    percent = f"{100 * plain.facts['probability']:.1f} %"
    assert plain.facts["title"] == f"class bee · {percent}"
    assert "Grad-CAM, unscaled" in plain.figure(PLAIN).texts()
    assert "Grad-CAM, unscaled; blue: against, orange: for" in made("signed").figure(PLAIN).texts()
    told = "attribution, clipped at the 99.5th percentile; blue: against, orange: for"
    assert told in " ".join(made("integrated").figure(PLAIN).texts())
    unit = cs.explain(net, noise(), "conv2:3")
    assert unit.facts["title"].startswith("conv2:3 · activation ")
    both = cs.explain(net, noise(), "class:bee - class:eel")
    assert both.facts["title"].startswith("bee - eel · value ")


def test_a_class_without_a_name_is_called_a_class() -> None:
    from tests.networks import MODULES, SPEC, seeded

    net = cs.load_model(seeded(MODULES["plain"]), input=SPEC)
    assert cs.explain(net, noise(), 3).facts["title"].startswith("class 3 · ")
    assert cs.visualize(net, ["class:3", "class:1"], steps=1).facts["captions"] == ["class 3", "class 1"]


def test_the_layer_of_a_sheet_of_filters_stands_in_its_title() -> None:
    texts = made("filters").figure(PLAIN).texts()
    assert texts[0].endswith(" conv2: what it looks for")
    assert texts[2::2] == list("012345")
    assert "conv2:0" in made("filters").figure(Style(title=False)).texts(), "without a title the captions are whole"

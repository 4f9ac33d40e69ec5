"""Results go into files and come back exactly, or one ResultError says why; nothing is left half-written."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from convscope import load_result
from convscope.errors import ResultError
from convscope.results.activations import Activations
from convscope.results.files import check_ending, write_whole
from convscope.results.heatmap import Heatmap
from convscope.results.npz import npz_bytes
from convscope.results.pictures import Pictures
from convscope.results.png import KEY, png_bytes
from convscope.results.recipe import FORMAT, Call, Recipe
from convscope.results.result import FACTS_IN_PNG, Result, file_name
from convscope.results.store import load_picture
from convscope.results.weights import Weights

RECIPE = Recipe(
    Call(
        "visualize",
        [{"name": "Tiny", "source": None, "options": {}, "weights_sha256": "ab" * 32}],
        {"start": {"path": "Übung/猫.jpg", "size": [3, 4]}},
        {"target": "class:tiger cat - 0.1*tv()", "lr": 0.05, "third": 1 / 3, "seed": 2**53, "layers": None},
    ),
    machine={"threads": 2},
    notes=("a note – with a dash", "another"),
)
FACTS = {"captions": ["a"], "title": "Ä title", "subtitle": "", "share": 0.1, "nothing": None, "deep": [[1, 2.5, "x"]]}


def pictures(facts: dict[str, Any] | None = None, recipe: Recipe = RECIPE) -> Pictures:
    """One picture of 5x4 pixels, all of whose bytes differ."""
    images = np.arange(60, dtype=np.float32).reshape(1, 5, 4, 3) * 4 / 255
    arrays = {"images": images, "values": np.array([1 / 3], dtype=np.float64)}
    return Pictures(
        arrays, {"images": ("n", "h", "w", "c"), "values": ("n",)}, recipe, FACTS if facts is None else facts
    )


def holding(arrays: dict[str, np.ndarray], method: str = "activations") -> Activations:
    axes = {name: tuple("abcdef"[: array.ndim]) for name, array in arrays.items()}
    return Activations(arrays, axes, Recipe(Call(method)), {"any": "facts"})


def assert_same_result(one: Result, two: Result) -> None:
    assert list(one.arrays) == list(two.arrays)
    for name, array in one.arrays.items():
        assert two.arrays[name].dtype == array.dtype
        assert two.arrays[name].shape == array.shape
        assert two.arrays[name].tobytes() == array.tobytes()
    assert (one.axes, one.recipe, one.facts) == (two.axes, two.recipe, two.facts)
    assert type(one) is type(two)


def refused(work: Callable[[], Any]) -> str:
    with pytest.raises(ResultError) as caught:
        work()
    text = str(caught.value)
    assert text.strip()
    assert len(text.splitlines()) == 1
    return text


# --- npz --------------------------------------------------------------------------------------------------------


def test_npz_gives_everything_back(tmp_path: Path) -> None:
    result = pictures()
    path = result.save(tmp_path / "x.npz")
    assert path == tmp_path / "x.npz"
    assert_same_result(result, load_result(path))
    assert_same_result(result, load_result(str(path)))


@pytest.mark.parametrize(
    ("method", "kind"),
    [("activations", Activations), ("explain", Heatmap), ("visualize", Pictures), ("weights", Weights)],
)
def test_each_method_gets_its_own_kind_back(method: str, kind: type[Result], tmp_path: Path) -> None:
    axes = kind.needs or {"a": ("h", "w")}
    result = kind(
        {name: np.ones((2,) * len(names), dtype=np.float32) for name, names in axes.items()}, axes, Recipe(Call(method))
    )
    assert_same_result(result, load_result(result.save(tmp_path / "x.npz")))


NAMES = [
    "file", "a/b", "relu#1", "x[0]", "x[some key]", "arr_0", "self", "args", "allow_pickle", "kwds", "/root", "../up",
    ".", "", " ", "a b", "Ünï/猫", "CONVSCOPE", "convscope.npy", "a\\b", "x:0", "'", '"', "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20]))
def test_layers_of_any_name(name: str, tmp_path: Path) -> None:
    result = holding({name: np.arange(6.0).reshape(2, 3), "other": np.zeros(2)})
    assert_same_result(result, load_result(result.save(tmp_path / "x.npz")))


@pytest.mark.parametrize("names", [NAMES, ["x", "x.npy", "x.npy.npy"], ["a/b", "a_b", "a\\b"], ["a", "A"]])
def test_layers_of_many_names(names: list[str], tmp_path: Path) -> None:
    result = holding({name: np.full(3, float(i)) for i, name in enumerate(names)})
    assert_same_result(result, load_result(result.save(tmp_path / "x.npz")))


def test_the_name_of_the_recipe_is_taken(tmp_path: Path) -> None:
    text = refused(lambda: holding({KEY: np.zeros(2)}).save(tmp_path / "x.npz"))
    assert text == "an array cannot be named 'convscope'; that name holds the recipe"
    assert list(tmp_path.iterdir()) == []


ODD = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1 / 3, np.finfo(np.float64).max])
ARRAYS = {
    "float64": ODD,
    "float32": ODD[:6].astype(np.float32),
    "float16": ODD[:6].astype(np.float16),
    "big end first": ODD.astype(">f8"),
    "bytes": np.arange(256, dtype=np.uint8),
    "int64": np.array([[2**62, -1]]),
    "bool": np.array([True, False]),
    "one number": np.array(1 / 3),
    "empty": np.zeros((0, 3)),
    "no axis of length": np.zeros((2, 0, 3), dtype=np.float32),
    "columns first": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "a view": np.arange(24.0).reshape(4, 6)[::2, ::-3],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    result = holding({name: ARRAYS[name]})
    assert_same_result(result, load_result(result.save(tmp_path / "x.npz")))


def test_what_is_saved_is_plain_numpy(tmp_path: Path) -> None:
    path = pictures().save(tmp_path / "x.npz")
    with np.load(path, allow_pickle=False) as held:
        assert held["images"].tobytes() == pictures().arrays["images"].tobytes()
        assert json.loads(held[KEY].tobytes())["recipe"]["verb"] == "visualize"


@pytest.mark.parametrize("suffix", [".npz", ".png"])
def test_the_same_result_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    first, second = (pictures().save(tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second


# --- png --------------------------------------------------------------------------------------------------------


def test_png_gives_back_the_picture_and_the_recipe(tmp_path: Path) -> None:
    loaded = load_picture(pictures().save(tmp_path / "x.png"))
    assert (loaded.recipe, loaded.facts) == (RECIPE, FACTS)
    assert loaded.notes == ("a note – with a dash", "another")
    np.testing.assert_array_equal(loaded.arrays["picture"], np.arange(60).reshape(5, 4, 3) * 4)
    np.testing.assert_array_equal(np.asarray(loaded.image()), loaded.arrays["picture"])


def test_a_long_recipe_fits_into_a_png(tmp_path: Path) -> None:
    """A direction over all channels of a wide layer, and the labels of a network."""
    numbers = np.random.default_rng(0).standard_normal(8192).tolist()
    labels = [f"class number {i} – ü" for i in range(21_000)]
    target = f"direction(a, {', '.join(map(repr, numbers))})"
    recipe = Recipe(Call("visualize", [{"options": {"labels": labels}}], options={"target": target}))
    assert load_result(pictures(recipe=recipe).save(tmp_path / "x.png")).recipe == recipe


READ: list[tuple[Callable[[Path], Result], str]] = [(load_picture, ".png"), (load_result, ".npz")]


def test_long_facts_stay_out_of_a_png_but_not_of_an_npz(tmp_path: Path) -> None:
    facts = FACTS | {"long": "x" * FACTS_IN_PNG}
    png, npz = (read(pictures(facts).save(tmp_path / f"x{suffix}")) for read, suffix in READ)
    assert (png.recipe, png.facts) == (RECIPE, {})
    assert npz.facts == facts


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_a_picture_read_from_a_png_can_be_saved_again(suffix: str, tmp_path: Path) -> None:
    first = load_result(pictures().save(tmp_path / "first.png"))
    second = load_result(first.save(tmp_path / f"second{suffix}"))
    assert second.recipe == RECIPE
    np.testing.assert_array_equal(np.asarray(second.image()), np.asarray(first.image()))


@pytest.mark.parametrize("suffix", [".PNG", ".Npz"])
def test_endings_may_be_capitals(suffix: str, tmp_path: Path) -> None:
    assert load_result(pictures().save(tmp_path / f"x{suffix}")).recipe == RECIPE


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_a_path_that_is_no_utf8_can_stand_in_a_recipe(suffix: str, tmp_path: Path) -> None:
    recipe = Recipe(Call("visualize", inputs={"image": {"path": os.fsdecode(b"caf\xe9.png")}}))
    loaded = load_result(pictures(recipe=recipe).save(tmp_path / f"x{suffix}"))
    assert os.fsencode(loaded.recipe.inputs["image"]["path"]) == b"caf\xe9.png"


# --- files that are no results ----------------------------------------------------------------------------------


class Trap:
    """What unpickling it would do is seen in the file system."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def objects(folder: Path) -> np.ndarray:
    held = np.empty(1, dtype=object)
    held[0] = Trap(folder / "it ran")
    return held


def saved_objects(folder: Path) -> bytes:
    buffer = io.BytesIO()
    about = np.frombuffer(json.dumps(pictures().about()).encode(), dtype=np.uint8)
    np.savez(buffer, images=objects(folder), **{KEY: about})
    return buffer.getvalue()


def npz(about: Any, **arrays: np.ndarray) -> bytes:
    """An .npz whose recipe is any JSON, or any bytes."""
    text = about if isinstance(about, bytes) else json.dumps(about).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{KEY: np.frombuffer(text, dtype=np.uint8)}, **arrays)
    return buffer.getvalue()


def png(text: str | None) -> bytes:
    """A PNG whose recipe is any text."""
    info = PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt(KEY, text)
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def jpeg(comment: bytes) -> bytes:
    """A JPEG whose recipe is any text."""
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3)).save(buffer, "JPEG", comment=comment)
    return buffer.getvalue()


def saved(suffix: str, folder: Path) -> bytes:
    path = pictures().save(folder / f"whole{suffix}")
    data = path.read_bytes()
    path.unlink()
    return data


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


ABOUT = pictures().about()
GOOD = ABOUT["recipe"]
NO_RESULTS: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "png without a recipe": ("x.png", lambda _: png(None), "holds no recipe of convscope: it was made by another"),
    "png with words": ("x.png", lambda _: png("no json"), "the recipe in"),
    "png with a list": ("x.png", lambda _: png("[1]"), "the recipe in"),
    "png with an empty object": ("x.png", lambda _: png("{}"), "cannot be read"),
    "png, endless brackets": ("x.png", lambda _: png("[" * 200_000), "cannot be read"),
    "png, another format": ("x.png", lambda _: png(json.dumps({"recipe": {**GOOD, "format": 99}})), "of format 99"),
    "png, verb a number": ("x.png", lambda _: png(json.dumps({"recipe": {**GOOD, "verb": 3}})), "cannot be read"),
    "png, facts a list": ("x.png", lambda _: png(json.dumps({"recipe": GOOD, "facts": [1]})), ""),
    "png, half of it": ("x.png", lambda folder: saved(".png", folder)[:200], "not a picture that can be read"),
    "png, its head": ("x.png", lambda folder: saved(".png", folder)[:20], "not a picture that can be read"),
    "png, empty": ("x.png", lambda _: b"", "not a picture that can be read"),
    "png, text": ("x.png", lambda _: b"hello", "not a picture that can be read"),
    "png, an npz": ("x.png", lambda folder: saved(".npz", folder), "not a picture that can be read"),
    **{
        f"npz, {share:.0%} of it": (
            "x.npz", lambda folder, share=share: cut(saved(".npz", folder), share), "is",
        )
        for share in (0.0, 0.1, 0.5, 0.9, 0.99)
    },
    "npz with one byte wrong": ("x.npz", lambda folder: saved(".npz", folder).replace(b"\0\0\0", b"\0\1\0"), "is"),
    "npz, text": ("x.npz", lambda _: b"hello", "not an .npz that can be read"),
    "npz, a png": ("x.npz", lambda folder: saved(".png", folder), "not an .npz that can be read"),
    "npz, an npy": ("x.npz", lambda _: npy(np.zeros(3)), "is"),
    "npz, a pickle": ("x.npz", lambda folder: objects(folder).dumps(), "not an .npz that can be read"),
    "npz that holds a pickle": ("x.npz", saved_objects, "not an .npz that can be read"),
    "npz whose recipe is a pickle": ("x.npz", lambda f: zipped(f"{KEY}.npy", objects(f).dumps()), ""),
    "npz that holds no array": ("x.npz", lambda _: zipped("notes.txt", b"hello"), "holds no recipe"),
    "npz whose recipe is no array": ("x.npz", lambda _: zipped(KEY, b"hello"), ""),
    "npz whose recipe is a number": ("x.npz", lambda _: zipped(f"{KEY}.npy", npy(np.array(7))), "cannot be read"),
    "npz without a recipe": ("x.npz", lambda _: zipped("a.npy", npy(np.zeros(3))), "holds no recipe of convscope"),
    "npz with words": ("x.npz", lambda _: npz(b"no json"), "the recipe in"),
    "npz with bytes": ("x.npz", lambda _: npz(b"\xff\xfe\0"), "the recipe in"),
    "npz with a list": ("x.npz", lambda _: npz([1]), "the recipe in"),
    "npz with an empty object": ("x.npz", lambda _: npz({}), "cannot be read"),
    "npz, another verb": ("x.npz", lambda _: npz({"recipe": {**GOOD, "verb": "knit"}}), "a result of 'knit'"),
    "npz, another format": ("x.npz", lambda _: npz({"recipe": {**GOOD, "format": FORMAT + 1}}), "use a newer one"),
    "npz, no axes": ("x.npz", lambda _: npz({"recipe": GOOD}, a=np.zeros(3)), "the array 'a' has 1 axes"),
    "npz, too few axes": ("x.npz", lambda _: npz({**ABOUT, "axes": {"a": []}}, a=np.zeros(3)), "the array 'a'"),
    "npz, axes a list": ("x.npz", lambda _: npz({**ABOUT, "axes": []}, a=np.zeros(3)), ""),
    "npz, axes a number": ("x.npz", lambda _: npz({**ABOUT, "axes": {"a": 1}}, a=np.zeros(3)), ""),
    "npz, facts a list": ("x.npz", lambda _: npz({**ABOUT, "facts": [1]}), ""),
    "npz, options a number": ("x.npz", lambda _: npz({"recipe": {**GOOD, "options": 1}}), "cannot be read"),
    "npz, notes a number": ("x.npz", lambda _: npz({"recipe": {**GOOD, "notes": 1}}), ""),
    "jpg, text": ("x.jpg", lambda _: b"hello", "not a picture that can be read"),
    "jpg, a png": ("x.jpeg", lambda folder: saved(".png", folder), "not a picture that can be read"),
    "jpg, half of it": ("x.jpg", lambda folder: cut(saved(".jpg", folder), 0.5), "can"),
    "jpg without a recipe": ("x.jpg", lambda _: jpeg(b""), "holds no recipe of convscope: it was made by another"),
    "jpg with words": ("x.jpg", lambda _: jpeg(b"no json"), "the recipe in"),
    "svg, text": ("x.svg", lambda _: b"hello", "holds no recipe"),
    "svg with words": ("x.svg", lambda _: b'<metadata id="convscope">no json</metadata>', "the recipe in"),
    "svg with brackets": (
        "x.svg", lambda _: b'<metadata id="convscope">' + b"[" * 99_999 + b"</metadata>", "cannot be read",
    ),
    "pdf, text": ("x.pdf", lambda _: b"hello", "holds no recipe"),
    "pdf with words": ("x.pdf", lambda _: b"(convscope:bm8ganNvbg==)", "the recipe in"),
    "pdf with no base64": ("x.pdf", lambda _: b"(convscope:=a=)", "holds no recipe"),
    "another ending": ("x.bmp", lambda _: b"hello", "ends in '.bmp'; expected a result, .png, .jpg"),
    "no ending": ("x", lambda _: b"hello", "ends in ''; expected a result, .png, .jpg"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_RESULTS)
def test_what_is_no_result_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    file, data, text = NO_RESULTS[name]
    (tmp_path / file).write_bytes(data(tmp_path))
    told = refused(lambda: load_result(tmp_path / file))
    assert text in told
    assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed on Linux alone")
@pytest.mark.parametrize("name", ["npz, 50% of it", "npz, text", "npz with words", "png, half of it", "png with words"])
def test_a_file_that_is_no_result_is_closed_again(name: str, tmp_path: Path) -> None:
    file, data, _ = NO_RESULTS[name]
    (tmp_path / file).write_bytes(data(tmp_path))
    with pytest.raises(ResultError):
        load_result(tmp_path / file)
    open_files = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert os.path.realpath(tmp_path / file) not in open_files


@pytest.mark.parametrize("file", ["none.png", "none.npz"])
def test_a_missing_file(file: str, tmp_path: Path) -> None:
    assert refused(lambda: load_result(tmp_path / file)) == f"no file {str(tmp_path / file)!r}"


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_paths_that_cannot_be_opened(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name in (f"folder{suffix}", f"file/x{suffix}", f"a\0b{suffix}", "a" * 300 + suffix):
        refused(lambda name=name: load_result(tmp_path / name))


# --- writing whole or not at all --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.bmp", "x", "x.png.txt", ".png", "folder/"])
def test_other_endings_are_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    result = Weights({"weights": np.zeros((1, 1, 1, 1))}, Weights.needs, RECIPE)
    known = ".png, .jpg, .jpeg, .svg, .pdf"
    assert f"results are saved as {known} or .npz" in refused(lambda: result.save(tmp_path / "new" / name))
    known += ", .npz, .gif, .webp or .mp4"
    assert f"results are saved as {known}" in refused(lambda: pictures().save(tmp_path / "new" / name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_folders_are_made_and_files_replaced(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / f"x{suffix}"
    pictures().save(path)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.write_bytes(b"old")
    pictures().save(path)
    assert load_result(path).recipe == RECIPE
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_a_folder_that_is_a_file(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for path in (tmp_path / "file" / f"x{suffix}", tmp_path / "file" / "deeper" / f"x{suffix}"):
        assert "cannot be written: " in refused(lambda path=path: pictures().save(path))
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_a_file_that_is_a_folder(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.mkdir()
    assert "is a folder; results are saved as" in refused(lambda: pictures().save(path))
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".npz"])
@pytest.mark.parametrize("name", ["a\0b", "a" * 300])
def test_names_that_cannot_be(name: str, suffix: str, tmp_path: Path) -> None:
    assert "cannot be written: " in refused(lambda: pictures().save(tmp_path / f"{name}{suffix}"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a" * 251 + ".png", "猫" * 80 + ".png", "two\nlines.png", "- x.png"], ids=lambda n: n[:9]
)
def test_names_that_can_be(name: str, tmp_path: Path) -> None:
    """Names of up to 255 bytes are names; the temporary file beside them has to be one too."""
    assert load_result(pictures().save(tmp_path / name)).recipe == RECIPE


def half_full(path: Path, data: bytes) -> None:
    """Writing to a disk that is full after ten bytes."""
    with path.open("wb") as file:
        file.write(data[:10])
    raise OSError(28, "No space left on device")


def full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("suffix", [".png", ".npz"])
@pytest.mark.parametrize("where", ["write_bytes", "replace", "chmod"])
@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_full_disk_leaves_what_was_there(
    where: str, suffix: str, before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"x{suffix}"
    if before is not None:
        path.write_bytes(before)
    with monkeypatch.context() as patch:
        patch.setattr(Path if where == "write_bytes" else os, where, half_full if where == "write_bytes" else full)
        told = refused(lambda: pictures().save(path))
    assert told == f"{str(path)!r} cannot be written: No space left on device"
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if before is None else [before])


def test_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            pictures().save(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_write_whole_writes_these_bytes(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "x.html", b"\0\1\2") == tmp_path / "x.html"
    assert (tmp_path / "x.html").read_bytes() == b"\0\1\2"


# --- results ----------------------------------------------------------------------------------------------------


def test_axes_have_to_fit() -> None:
    told = refused(lambda: Weights({"a": np.zeros((2, 3))}, {"a": ("h",)}, RECIPE))
    assert told == "the array 'a' has 2 axes, named ('h',)"


def layers(*names: str) -> Activations:
    arrays = {name: np.full((2, 3, 3), float(i), dtype=np.float32) for i, name in enumerate(names)}
    about = {"kind": "ReLU", "channels": [0, 1], "zeros": [0.0, 0.0]}
    axes = dict.fromkeys(names, ("c", "h", "w"))
    return Activations(
        arrays, axes, Recipe(Call("activations")), {"scale": "channel", "layers": dict.fromkeys(names, about)}
    )


def test_each_layer_gets_a_file_of_its_own(tmp_path: Path) -> None:
    result = layers("a/b", "a_b", "relu#1", "x[0]", "x[1]")
    files = result.save_pictures(tmp_path / "sheets")
    assert len(set(files)) == 5
    assert sorted(files) == sorted((tmp_path / "sheets").iterdir())
    for file, picture in zip(files, result.pictures().values(), strict=True):
        np.testing.assert_array_equal(np.asarray(load_result(file).image()), np.asarray(picture))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b", "a_b"), ("relu#1", "relu#1"), ("x[0]", "x_0_"), ("b.1-c", "b.1-c"), ("a:b\\c", "a_b_c"), ("", "_")],
)
def test_a_layer_has_a_name_as_a_file(name: str, expected: str) -> None:
    assert file_name(name) == expected


def test_the_recipe_is_plain_json_and_compares() -> None:
    recipe = Recipe(Call("explain", options={"channels": (1, 2), 3: "x"}), notes=("a",))
    assert recipe.options == {"channels": [1, 2], "3": "x"}
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe != Recipe(Call("explain", options={"channels": [1, 3], 3: "x"}), notes=("a",))


def test_bytes_without_a_file() -> None:
    held = np.load(io.BytesIO(npz_bytes({"a": np.arange(3)}, {"x": 1})))
    assert held["a"].tolist() == [0, 1, 2]
    with Image.open(io.BytesIO(png_bytes(Image.new("RGB", (2, 2), (9, 8, 7)), {"x": "ü"}))) as picture:
        assert picture.getpixel((1, 1)) == (9, 8, 7)
        assert json.loads(picture.info[KEY]) == {"x": "ü"}


def test_a_place_that_cannot_be_written_to_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / "x.png", Path("/proc/x.png")):
        with pytest.raises(ResultError, match="cannot be written"):
            check_ending(path)
    check_ending(tmp_path / "new" / "folders" / "x.png")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file"], "nothing is left behind"

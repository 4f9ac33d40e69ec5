"""Recipes of a stranger: whatever is in them is refused in one line, and nothing outside is opened or fetched."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.results.recipe import Recipe
from convscope.results.result import Result
from convscope.verbs.calls import function_of
from convscope.verbs.schema import checked, takes_of
from convscope.verbs.table import VERBS
from tests.audit import hearing
from tests.networks import SIZE

MODEL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photograph, and another one with a picture that no recipe may open."""
    place = tmp_path_factory.mktemp("shared")
    (place / "result").mkdir()
    for file, seed in (("result/cat.png", 0), ("secret.png", 1)):
        pixels = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / file)
    return place


@pytest.fixture(scope="module")
def good(folder: Path) -> dict[str, dict[str, Any]]:
    """Sound recipes of several verbs, as dictionaries."""
    net, cat = cs.load_model(MODEL, weights="none"), str(folder / "result" / "cat.png")
    made: dict[str, Result] = {
        "explain": cs.explain(net, cat, 3, method="integrated_gradients", baseline=cat, steps=2),
        "visualize": cs.visualize(net, "stem.conv:3", start=cat, steps=1, size=32),
        "dream": cs.dream(net, cat, "stem.conv", mask=cat, size=64, steps=1, schedule="single"),
        "compare": cs.compare([net, net], cat, [3], methods=["grad_cam"]),
        "hybrid": cs.hybrid(net, cat, 3, vary={"effect": ["swap", "blur"]}, other=cat, size=32),
        "weights": cs.weights(net, "stem.conv"),
    }
    return {verb: result.recipe.to_dict() for verb, result in made.items()}


def held(recipe: dict[str, Any], path: Path) -> Path:
    """A file of a result with this recipe."""
    from convscope.results.npz import npz_bytes

    about = {"recipe": recipe, "facts": {}, "axes": {"picture": ["h", "w", "c"]}}
    path.write_bytes(npz_bytes({"picture": np.zeros((2, 2, 3), dtype=np.uint8)}, about))
    return path


def refused(recipe: dict[str, Any], folder: Path) -> str:
    """What is said of a recipe, by which nothing outside was opened and nothing fetched."""
    path = held(recipe, folder / "result" / "r.npz")
    with hearing() as heard, pytest.raises(cs.ConvscopeError) as told:
        cs.replay(path)
    assert heard.connected == []
    assert [file for file in heard.opened if "secret" in file or file.startswith(("/etc/pass", "/dev/zero"))] == []
    assert str(told.value).strip()
    assert len(str(told.value).splitlines()) == 1
    return str(told.value)


def test_a_sound_recipe_is_sound(good: dict[str, dict[str, Any]], folder: Path) -> None:
    for verb, recipe in good.items():
        checked(Recipe.from_dict(recipe), function_of(verb))
        assert cs.replay(held(recipe, folder / "result" / "r.npz")).recipe.to_dict() == recipe, verb


def fields_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all fields in a recipe, to three levels; of lists the first."""
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        if len(path) < 3:
            yield from fields_of(one, (*path, key))


WRONG: dict[str, Callable[[Any], Any]] = {
    "a list of nothing": lambda _: [[]],
    "a dictionary": lambda _: {"a": {"b": 1}},
    "a great number": lambda _: 10**30,
    "no number": lambda _: float("nan"),
    "a long text": lambda _: "é" * 1_000_001,
    "nested": lambda _: json.loads("[" * 60 + "]" * 60),
    "the other kind": lambda was: 3.5 if isinstance(was, str) else "three",
}
"""What no field of a recipe ever is, save where it says otherwise."""


@pytest.mark.parametrize("verb", ["explain", "visualize", "compare", "hybrid"])
def test_no_wrong_field_gets_through(verb: str, good: dict[str, dict[str, Any]], folder: Path) -> None:
    count, bad = 0, []
    for place in fields_of(good[verb]):
        if "unknown" in place or place in (
            ("machine",),
            ("notes",),
            ("stopped",),
        ):  # said again from the rest; nothing has to be in it
            continue
        for name, change in WRONG.items():
            recipe = copy.deepcopy(good[verb])
            *above, last = place
            holder = recipe
            for key in above:
                holder = holder[key]
            holder[last] = change(holder[last])
            try:
                refused(recipe, folder)
            except (Exception, pytest.fail.Exception) as error:
                bad.append(f"{place} {name}: {type(error).__name__} {error}"[:300])
            count += 1
    assert bad == []
    assert count > 150


def changed(recipe: dict[str, Any], value: Any, *place: Any) -> dict[str, Any]:
    """A copy with another value at a place, or none where the value is MISSING."""
    copied = copy.deepcopy(recipe)
    *above, last = place
    holder = copied
    for key in above:
        holder = holder[key]
    if value is MISSING:
        holder.pop(last, None)
    else:
        holder[last] = value
    return copied


MISSING = object()
ONE_BY_ONE: list[tuple[str, str, Any, tuple[Any, ...]]] = [
    ("explain", "takes no picture 'zz'", 5, ("inputs", "zz")),
    ("explain", "inputs.method.baseline has no SHA", [], ("inputs", "method.baseline")),
    ("explain", "takes no picture 'method.baseline'", "black", ("options", "method", "baseline")),
    ("explain", "which photograph", MISSING, ("inputs", "image")),
    ("explain", "which photograph", MISSING, ("inputs", "image", "sha256")),
    ("explain", "inputs.image.path", "a\0b", ("inputs", "image", "path")),
    ("explain", "inputs.image.path", "x" * 5000, ("inputs", "image", "path")),
    ("explain", "inputs.image.path", "\ud800", ("inputs", "image", "path")),
    ("explain", "network.options.weights", "\ud800", ("networks", 0, "options", "weights")),
    ("explain", "network.source", "x" * 5000, ("networks", 0, "source")),
    ("explain", "network.input", MISSING, ("networks", 0, "input")),
    ("explain", "network.input.size", [100_000, 100_000], ("networks", 0, "input", "size")),
    ("explain", "at most 67108864 numbers", 1_000_000, ("networks", 0, "input", "channels")),
    ("explain", "does not know", None, ("options", "watch")),
    ("explain", "does not know", None, ("options", "net")),
    ("explain", "does not know", "secret.png", ("options", "image")),
    ("visualize", "does not know", "secret.png", ("options", "real")),
    ("visualize", "does not know", "secret.png", ("options", "magnitude")),
    ("visualize", "options.start is", "/dev/zero", ("options", "start")),
    ("visualize", "does not say which target", MISSING, ("options", "target")),
    ("visualize", "steps is 0; expected 1 to", 0, ("options", "steps")),
    ("compare", "a network is 5", 5, ("networks", 1)),
    ("compare", "networks is \\[\\]", [], ("networks",)),
    ("compare", "options.scale", 1.5, ("options", "scale")),
    ("compare", "options.methods is 5", 5, ("options", "methods")),
    ("compare", "no method named 'melt'", "melt", ("options", "methods", 0)),
    ("compare", "options.methods.0.0 is", [[]], ("options", "methods", 0)),
    ("explain", "top is no option of integrated_gradients", 3, ("options", "method", "top")),
    ("explain", "expected a name or a colour", "secret.png", ("options", "method", "baseline")),
    ("explain", "expected 1 to", 0, ("options", "method", "steps")),
    ("explain", "options.method.steps is", {"name": "x" * 2_000_000}, ("options", "method", "steps")),
    ("compare", "machine.threads", True, ("machine", "threads")),
    ("compare", "machine.threads", 10**6, ("machine", "threads")),
    ("compare", "machine.device", "a device", ("machine", "device")),
    ("hybrid", "takes no picture 'mask'", [], ("inputs", "mask")),
    ("dream", "does not know", "secret.png", ("options", "mask")),
    ("weights", "does not say which layer", MISSING, ("options", "layer")),
    ("weights", "no layer named", "nowhere", ("options", "layer")),
]


@pytest.mark.parametrize(("verb", "said", "value", "place"), ONE_BY_ONE)
def test_what_is_wrong_is_said(
    verb: str, said: str, value: Any, place: tuple[Any, ...], good: dict[str, dict[str, Any]], folder: Path
) -> None:
    assert re.search(said, refused(changed(good[verb], value, *place), folder))


@pytest.mark.parametrize("size", [[4096, 4096], [224, 1025]])
def test_an_input_far_larger_than_the_network_s_own_is_refused_before_any_pass(
    size: list[int], good: dict[str, dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.models.efficientnet_lite.EfficientNetLite.forward", None)
    said = refused(changed(good["explain"], size, "networks", 0, "input", "size"), folder)
    assert f"{size[0]}x{size[1]} pixels is too large for 'efficientnet_lite0'; expected at most 1024 a side" in said


@pytest.mark.parametrize("size", [(64, 96), 1024])
def test_inputs_of_sizes_that_are_used_are_replayed(size: Any, folder: Path) -> None:
    own = cs.load_model(MODEL, weights="none").spec
    spec = cs.InputSpec(size=size, range=own.range, mean=own.mean, std=own.std)
    made = cs.activations(
        cs.load_model(MODEL, weights="none", input=spec), folder / "result" / "cat.png", ["stem.conv"]
    )
    again = cs.replay(made.save(folder / "result" / "sized.npz"))
    assert again.recipe == made.recipe
    assert all(np.array_equal(again.arrays[name], made.arrays[name]) for name in made.arrays)


def test_the_input_of_a_file_s_network_is_bounded_before_it_is_opened(
    good: dict[str, dict[str, Any]], folder: Path
) -> None:
    (folder / "result" / "mine.keras").write_bytes(b"no network")
    recipe = changed(good["weights"], "mine.keras", "networks", 0, "source")
    assert "expected at most 2048 a side" in refused(changed(recipe, [1, 2049], "networks", 0, "input", "size"), folder)
    assert "too large" not in refused(changed(recipe, [2048, 2048], "networks", 0, "input", "size"), folder)


def test_a_picture_is_an_input_or_a_word_and_never_a_path(good: dict[str, dict[str, Any]], folder: Path) -> None:
    """Where no picture is among the inputs."""
    for verb, *option in (("visualize", "start"), ("explain", "method", "baseline")):
        recipe = changed(good[verb], MISSING, "inputs", ".".join(option))
        for path in ("secret.png", str(folder / "secret.png"), "/dev/zero", "cat.png"):
            assert f"options.{'.'.join(option)} is" in refused(changed(recipe, path, "options", *option), folder)


def test_a_heatmap_inside_a_recipe_is_checked_too(good: dict[str, dict[str, Any]], folder: Path) -> None:
    method = {"name": "integrated_gradients", "baseline": str(folder / "secret.png")}
    recipe = changed(good["explain"], {"target": None, "method": method, "points": 4}, "options") | {"verb": "assess"}
    recipe["inputs"].pop("method.baseline")
    assert "options.method.baseline is" in refused(recipe, folder)


def test_every_picture_of_a_verb_is_found_in_its_signature() -> None:
    told = {verb: set(takes_of(function_of(verb)).pictures) for verb in VERBS if VERBS[verb].replayed}
    assert told == {
        "predict": {"image"},
        "activations": {"image"}, "assess": {"image"}, "compare": {"image"}, "dream": {"image", "mask"},
        "explain": {"image"}, "hybrid": {"image", "other"}, "invert": {"image"},
        "stylize": {"content", "styles", "regions", "mask"}, "visualize": {"start", "magnitude", "real"},
        "weights": set(), "diff": {"images"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ['{"recipe": 1' + "0" * 6000 + "}", '{"a": ' + "[" * 900 + "]" * 900 + "}", "[1]", "{"]
)
def test_json_that_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_itxt("convscope", text)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(cs.ConvscopeError, match=r"the recipe in .* cannot be read"):
        cs.load_result(tmp_path / "a.png")

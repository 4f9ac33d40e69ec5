"""What a picture leaves out of its result is said: on the picture, on the result, and by the command."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.render.figure import Figure
from convscope.results.activations import OVERVIEW_CHANNELS, OVERVIEW_LAYERS, Activations
from convscope.results.recipe import Call, Recipe
from convscope.results.weights import Weights


def activations(layers: int, channels: int = 3) -> Activations:
    """So many layers, the last with so many channels."""
    arrays = {f"layer{i}": np.full((2, 4, 4), float(i), np.float32) for i in range(layers)}
    arrays[f"layer{layers - 1}"] = np.ones((channels, 4, 4), np.float32)
    facts = {
        name: {"kind": "Conv2d", "channels": list(range(len(maps))), "zeros": [0.0] * len(maps)}
        for name, maps in arrays.items()
    }
    recipe = Recipe(Call("activations"))
    return Activations(arrays, dict.fromkeys(arrays, ("c", "h", "w")), recipe, {"scale": "channel", "layers": facts})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that is written on pictures from here on."""
    found: list[str] = []
    real = Figure.text
    monkeypatch.setattr(Figure, "text", lambda *given, **more: found.append(given[2]) or real(*given, **more))
    return found


@pytest.mark.parametrize("layers", [2, 15, OVERVIEW_LAYERS, OVERVIEW_LAYERS + 1, 153])
def test_every_layer_is_on_the_picture_or_named_as_not_shown(layers: int, written: list[str]) -> None:
    result = activations(layers)
    result.image()
    shown = [name for name in result.arrays if name in written]
    assert len(shown) == min(layers, OVERVIEW_LAYERS)
    assert {"layer0", f"layer{layers - 1}"} <= set(shown)
    missing = [name for name in result.arrays if name not in shown]
    assert len(result.cuts) == bool(missing)
    if missing:
        assert result.cuts[0].startswith(f"the picture shows {OVERVIEW_LAYERS} of {layers} layers")
        assert result.cuts[0].rpartition("Not shown: ")[2].split(", ") == missing
        on_it = " ".join(" ".join(written).split())
        assert " ".join(result.cuts[0].split()) in on_it


def test_channels_that_the_picture_lacks_are_told() -> None:
    assert activations(3, OVERVIEW_CHANNELS).cuts == ()
    (told,) = activations(3, OVERVIEW_CHANNELS + 1).cuts
    assert told.startswith("the picture shows the first 16 channels of a layer, and 1 of its layers have more")
    assert activations(1, 200).cuts == (), "one layer is shown whole"
    assert activations(3, 99).notes_in("a.npz") == activations(3, 99).notes_in("a") == ()
    assert activations(3, 99).notes_in("a.PNG") == activations(3, 99).cuts


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((48, 24, 3, 3), None),
        ((49, 24, 3, 3), "the first 48 of 49 channels out by the first 24 of 24 in"),
        ((8, 25, 3, 3), "the first 8 of 8 channels out by the first 24 of 25 in"),
        ((500, 1, 3, 3), None),  # one kernel for each channel
        ((900, 300, 1, 1), None),
        ((1000, 2000, 1, 1), "a pixel of the picture is the mean of about 4.9 weights"),
    ],
)
def test_kernels_that_a_mosaic_lacks_are_told(shape: tuple[int, ...], told: str | None) -> None:
    facts = {"layer": "conv", "kind": "Conv2d", "colour": False, "order": "RGB"}
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    cuts = Weights({"weights": array}, {"weights": ("out", "in", "kh", "kw")}, Recipe(Call("weights")), facts).cuts
    assert len(cuts) == (told is not None)
    assert told is None or told in cuts[0]


def test_kernels_in_colour_are_all_shown() -> None:
    facts = {"layer": "conv", "kind": "Conv2d", "colour": True, "order": "RGB"}
    array = np.ones((96, 3, 11, 11), np.float32)
    assert (
        Weights({"weights": array}, {"weights": ("out", "in", "kh", "kw")}, Recipe(Call("weights")), facts).cuts == ()
    )


def test_the_command_says_what_its_picture_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photograph: str
) -> None:
    monkeypatch.setattr("convscope.results.activations.OVERVIEW_LAYERS", 3)

    def told(*words: str) -> str:
        done = CliRunner().invoke(app, [*words])
        assert done.exit_code == 0, done.output
        return done.stderr

    every = ["activations", photograph, "blocks.0*", "--out"]
    note = told(*every, str(tmp_path / "all.png"))
    layers = cs.load_result(tmp_path / "all.png").facts["layers"]
    assert len(layers) > 3
    assert f"note: the picture shows 3 of {len(layers)} layers" in note
    assert len(note.splitlines()[0].rpartition("Not shown: ")[2].split(", ")) == len(layers) - 3
    assert note == told("replay", str(tmp_path / "all.png"), "--files", "--image", photograph)
    assert told(*every, str(tmp_path / "all")) == told(*every, str(tmp_path / "all.npz")) == ""
    assert len(list((tmp_path / "all").iterdir())) == len(layers)
    assert cs.load_result(tmp_path / "all.npz").cuts

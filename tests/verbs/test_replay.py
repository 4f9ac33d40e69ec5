"""Making results again: every verb, every file, and what is said where it cannot be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.results.store import KINDS
from convscope.verbs.table import VERBS as NAMED
from tests.contracts.verbs import CALLS, VERBS
from tests.networks import LABELS, SPEC, network, seeded, shared
from tests.networks import Plain as PlainNet


@pytest.mark.parametrize("verb", sorted(set(NAMED) - {"replay"}))
def test_every_verb_gives_a_kind_of_result_that_can_be_loaded(verb: str, tmp_path: Path) -> None:
    made = CALLS[verb](shared("plain"), "plain", tmp_path)
    assert KINDS[made.kind] is type(made)


@pytest.mark.parametrize(
    "verb", sorted(verb for verb in VERBS if NAMED[verb.split()[0]].replayed and verb != "weights")
)
def test_every_verb_replays_from_either_file(verb: str, tmp_path: Path, photograph: str) -> None:
    net = shared("plain")
    options: dict[str, Any] = {} if verb == "visualize" else {"image": photograph}
    made = _made(verb, net, tmp_path, photograph)
    for suffix in (".png", ".npz"):
        path = made.save(tmp_path / f"{verb}{suffix}")
        again = cs.replay(path, net=[net] * len(made.recipe.call.networks), files=True)
        assert np.array_equal(np.asarray(again.image()), np.asarray(made.image())), options
        assert again.recipe == made.recipe


def _made(verb: str, net: cs.Network, folder: Path, photograph: str) -> cs.Result:
    match verb:
        case "activations":
            return cs.activations(net, photograph)
        case "explain":
            return cs.explain(net, photograph, "class:bee - 0.5*conv2:1")
        case "dream":
            return cs.dream(net, photograph, "conv2", size=64, steps=2)
        case "invert":
            return cs.invert(net, photograph, "conv*", steps=2)
        case "stylize":
            return cs.stylize(net, photograph, [photograph], size=64, steps=2)
        case "visualize":
            return VERBS[verb](net, "plain", folder)
        case _:
            return VERBS[verb](net, "plain", folder, image=photograph)


def test_each_picture_of_a_folder_replays_as_itself(tmp_path: Path, photograph: str) -> None:
    run = CliRunner().invoke(app, ["activations", photograph, "stem.act", "blocks.1", "--out", str(tmp_path / "a")])
    assert run.exit_code == 0, run.output
    for name in ("stem.act", "blocks.1"):
        file = tmp_path / "a" / f"{name}.png"
        done = CliRunner().invoke(app, ["replay", str(file), "--files", "--out", str(tmp_path / "again.png"), "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["same_pixels"] is True
        assert (tmp_path / "again.png").read_bytes() == file.read_bytes()


def test_the_fit_of_a_photograph_that_was_given_ready_is_recorded(photograph: str, tmp_path: Path) -> None:
    net = shared("plain")
    ready = net.photograph(photograph, fit="pad")
    for made in (cs.explain(net, ready, 0), cs.activations(net, ready, ["conv1"])):
        assert made.recipe.options["fit"] == "pad"
        again = cs.replay(made.save(tmp_path / "a.npz"), net=net, files=True)
        assert all(np.array_equal(again.arrays[name], made.arrays[name]) for name in made.arrays)


def test_a_network_with_another_contract_is_refused(tmp_path: Path, photograph: str) -> None:
    path = cs.explain(network("plain"), photograph, 0).save(tmp_path / "a.png")
    other = cs.InputSpec(size=32, range=(0, 255), mean=0, std=1)
    net = cs.load_model(seeded(PlainNet), input=other, labels=LABELS)
    with pytest.raises(cs.ConvscopeError, match="takes its input otherwise than that of the recipe: mean"):
        cs.replay(path, net=net)


def changed(path: Path, change: Any) -> Path:
    """The file with another recipe inside."""
    with Image.open(path) as picture:
        about = json.loads(picture.info["convscope"])
        copy = picture.convert("RGB")
    change(about["recipe"])
    info = PngImagePlugin.PngInfo()
    info.add_itxt("convscope", json.dumps(about))
    copy.save(path, pnginfo=info)
    return path


CHANGES: dict[str, tuple[Any, str]] = {
    "an option of later": (lambda recipe: recipe["options"].update(glow=3), "does not know .glow."),
    "no hash": (lambda recipe: recipe["inputs"]["image"].pop("sha256"), "does not say which photograph"),
    "no photograph": (lambda recipe: recipe["inputs"].update(image=3), "not here|does not say which photograph"),
    "a graphics card": (lambda recipe: recipe["machine"].update(device="cuda:0"), "--device cpu"),
    "a strange load option": (lambda recipe: recipe["networks"][0]["options"].update(glow=1), "network cannot be read"),
    "a report": (lambda recipe: recipe.update(verb="report"), "convscope report"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_recipes_that_cannot_be_followed_are_told_in_one_line(
    name: str, tmp_path: Path, photograph: str, lite0: cs.Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    change, said = CHANGES[name]
    path = changed(cs.explain(lite0, photograph, 0).save(tmp_path / "a.png"), change)
    with pytest.raises(cs.ConvscopeError, match=said) as told:
        cs.replay(path)
    assert "\n" not in str(told.value)


def test_a_recipe_made_on_a_graphics_card_can_be_made_on_the_processor_if_asked(
    tmp_path: Path, photograph: str, lite0: cs.Network
) -> None:
    made = cs.explain(lite0, photograph, 0)
    path = changed(made.save(tmp_path / "a.png"), lambda recipe: recipe["machine"].update(device="cuda:0"))
    assert np.allclose(cs.replay(path, device="cpu", files=True).arrays["map"], made.arrays["map"], atol=1e-4)


def test_a_recipe_too_long_for_a_picture_says_to_take_npz(tmp_path: Path) -> None:
    net = cs.load_model(seeded(PlainNet), input=SPEC, labels=LABELS)
    made = cs.visualize(net, [cs.direction("conv2", [0.1 * i + j for j in range(12)]) for i in range(2)], steps=1)
    made.recipe.options["target"] *= 9000
    with pytest.raises(cs.ConvscopeError, match=r"save the result as \.npz"):
        made.save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
    assert cs.load_result(made.save(tmp_path / "a.npz")).recipe == made.recipe


def test_a_postscript_file_named_png_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    )
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    with pytest.raises(cs.ConvscopeError, match="not a picture that can be read"):
        cs.load_result(tmp_path / "a.png")

"""A verb whose command is made from its signature: nothing of it is written for the command line."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import convscope as cs
from convscope.cli.main import SUMMARIES, app
from convscope.models.photograph import ImageLike
from convscope.options import About
from convscope.progress import Watch, unwatched
from convscope.verbs.table import VERBS, Verb

STEPS = 3


def warmth(
    net: cs.Network,
    image: Annotated[ImageLike, About("the photograph")],
    target: Annotated[str | None, About("a class", unset="the first guess")] = None,
    *,
    power: Annotated[float, About("of the map", 0.1, 10)] = 1.0,
    mask: Annotated[ImageLike | None, About("where to look")] = None,
    watch: Watch = unwatched,
) -> cs.Result:
    """A heatmap, to a power."""
    for step in range(STEPS):
        watch(cs.Progress("warmth", step + 1, STEPS))
    heatmap = cs.explain(net, image, target)
    heatmap.arrays["map"][:] **= power
    return heatmap


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The verb's row in the table, and a photograph in the folder."""
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(tmp_path / "sky.png")
    monkeypatch.chdir(tmp_path)
    verb = Verb(f"{__name__}:warmth", "A heatmap, to a power.", examples=("warmth sky.png --power 2",))
    monkeypatch.setitem(VERBS, "warmth", verb)  # type: ignore[arg-type]
    monkeypatch.setitem(SUMMARIES, "warmth", verb.summary)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["warmth", *words])


def test_its_result_is_saved_under_the_photographs_name(tmp_path: Path) -> None:
    done = run("sky.png", "--power", "2", "--target", "class:3")
    assert done.exit_code == 0, done.stderr
    saved = cs.load_result(tmp_path / "sky-warmth.png")
    assert saved.facts["target"] == "class:3"
    assert run("sky.png", "--out", "a.npz", "--power", "2", "--target", "class:3").exit_code == 0
    assert run("sky.png", "--out", "b.npz", "--target", "class:3").exit_code == 0
    maps = [cs.load_result(tmp_path / name).arrays["map"] for name in ("a.npz", "b.npz")]
    np.testing.assert_allclose(maps[0], maps[1] ** 2)


def test_its_help_says_what_the_signature_says() -> None:
    shown = " ".join(run("--help").stdout.replace("│", " ").split())
    for text in ("A heatmap, to a power.", "The photograph.", "A class. [default: the first guess]", "Of the map.",
                 "Where to look.", "$ convscope warmth sky.png --power 2", "0.1<=x<=10"):  # fmt: skip
        assert text in shown


def test_what_it_cannot_do_is_one_line() -> None:
    for words in (["missing.png"], ["sky.png", "--target", "class:no such"], ["sky.png", "--out", "a.txt"]):
        done = run(*words)
        assert done.exit_code == 1
        assert len(done.stderr.splitlines()) == 1
    assert run("sky.png", "--power", "99").exit_code == 2
    assert run().exit_code == 2


def test_stopped_it_leaves_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cs, "explain", stopping)
    assert run("sky.png").exit_code == 130

"""How pictures are drawn, from the command line: theme, columns, scale and title."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import convscope as cs
from convscope.cli.main import app
from convscope.render.style import THEMES
from convscope.results.store import load_picture

NETWORK = """
import torch
from torch import nn
import convscope as cs

def build():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    return net.eval()
"""
SMALL = ["--model", "mine.py:build", "--trust", "--input", "32", "--range", "0,1"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photograph: str) -> None:
    (tmp_path / "mine.py").write_text(NETWORK)
    (tmp_path / "cat.jpg").write_bytes(Path(photograph).read_bytes())
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def made(*words: str) -> Result:
    done = run(*words, *SMALL)
    assert done.exit_code == 0, done.stderr
    return done


AGAIN = ["--model", "mine.py:build", "--trust", "--files"]
LIGHT = ["--theme", "light"]
COMMANDS = {
    "explain": ["explain", "cat.jpg"],
    "predict": ["predict", "cat.jpg"],
    "weights": ["weights", "0"],
    "activations": ["activations", "cat.jpg", "1"],
    "visualize": ["visualize", "0:0-3", "--steps", "1"],
    "invert": ["invert", "cat.jpg", "0", "1", "--steps", "1"],
    "compare": ["compare", "cat.jpg", "--method", "grad_cam"],
    "assess": ["assess", "cat.jpg", "--points", "4", "--stages", "2"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_pictures_are_drawn_as_was_asked_for(name: str) -> None:
    larger = "--picture-scale" if name in ("activations", "compare") else "--scale"
    made(*COMMANDS[name], "--out", "plain.png")
    made(*COMMANDS[name], *LIGHT, larger, "2", "--no-title", "--out", "asked.png")
    plain, asked = (load_picture(f"{stem}.png") for stem in ("plain", "asked"))
    assert asked.facts["style"] == {"theme": "light", "scale": 2.0, "title": False}
    pixels = asked.arrays["picture"]
    assert tuple(pixels[-1, -1]) == THEMES["light"].paper
    assert tuple(plain.arrays["picture"][-1, -1]) == THEMES["dark"].paper
    whole = cs.load_result("plain.png")
    np.testing.assert_array_equal(pixels, np.asarray(whole.image(theme="light", scale=2, title=False)))


@pytest.mark.parametrize("suffix", [".jpg", ".svg", ".pdf"])
def test_other_formats_are_replayed(suffix: str) -> None:
    if suffix == ".pdf":
        pytest.importorskip("reportlab")
    made(*COMMANDS["weights"], *LIGHT, "--columns", "2", "--out", f"w{suffix}")
    done = run("replay", f"w{suffix}", *AGAIN, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same_pixels"] is (True if suffix == ".jpg" else None)
    again = load_picture(f"w-again{suffix}")
    assert again.facts["style"] == {"theme": "light", "columns": 2}
    assert Path(f"w-again{suffix}").read_bytes() == Path(f"w{suffix}").read_bytes()


def test_a_replay_is_drawn_as_then_unless_told_otherwise() -> None:
    made(*COMMANDS["weights"], *LIGHT, "--out", "w.png")
    for more, style in (([], {"theme": "light"}), (["--theme", "dark", "--scale", "2"], {"scale": 2.0})):
        done = run("replay", "w.png", *AGAIN, "--out", "again.png", *more)
        assert done.exit_code == 0, done.stderr
        assert "the same pixels" in done.stdout
        assert "NOT" not in done.stdout
        assert load_picture("again.png").facts.get("style") == style
    assert run("replay", "w.png", *AGAIN, "--out", "again.npz").exit_code == 0
    assert "weights" in cs.load_result("again.npz").arrays


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["explain", "cat.jpg", "--columns", "3"], "columns is of sheets of tiles; a result of kind 'heatmap'"),
        (["compare", "cat.jpg", "--columns", "3"], "columns is of sheets of tiles; a result of kind 'board'"),
        (["explain", "cat.jpg", *LIGHT, "--out", "x.npz"], "theme: of pictures; a .npz file is written as it is"),
        (["compare", "cat.jpg", "--no-title", "--out", "x.html"], "title: of pictures; a .html file"),
        (["activations", "cat.jpg", "--scale", "shared", *LIGHT, "--out", "x.npz"], "theme: of pictures"),
        (["weights", "0", "--scale", "2", "--out", "x.npz"], "scale: of pictures"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_any_work(words: list[str], said: str) -> None:
    done = run(*words, "--model", "no-such-network")
    assert done.exit_code == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_reportlab_a_pdf_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convscope.render.pdf.importlib.util.find_spec", lambda name: None)
    done = run("explain", "cat.jpg", "--out", "x.pdf", "--model", "no-such-network")
    assert done.exit_code == 1
    assert "pip install 'convscope[pdf]'" in done.stderr

"""The command line: JSON, files, exit codes, one line for an error."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from convscope.cli.main import SUMMARIES, app, command_named
from convscope.options import fields_of
from convscope.verbs.calls import function_of
from convscope.verbs.table import VERBS


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: str | Path) -> dict[str, object]:
    """The one JSON object that a command prints."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    assert isinstance(value["files"], list)
    assert all(Path(file).is_file() for file in value["files"])
    return value


def test_help_lists_every_verb() -> None:
    shown = run("--help").output
    for name in (*VERBS, "models", "layers"):
        assert name in shown
        assert name in SUMMARIES


@pytest.mark.parametrize("name", SUMMARIES)
def test_each_command_has_help_with_examples(name: str) -> None:
    done = run(name, "--help")
    assert done.exit_code == 0
    assert f"$ convscope {name}" in done.output
    assert "--json" in done.output


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_examples_of_the_help_are_lines_that_the_command_takes(name: str) -> None:
    command = command_named(name)
    examples = [line.strip() for line in str(command.epilog).splitlines() if line.startswith("[dim]$[/dim]")]
    assert examples
    for example in examples:
        verb, *words = shlex.split(example.removeprefix("[dim]$[/dim] convscope ").partition("|")[0])
        command_named(verb).make_context(verb, words)


@pytest.mark.parametrize("name", [name for name in VERBS if name not in ("layers", "models")])
def test_every_argument_of_a_verb_can_be_given_on_the_command_line(name: str) -> None:
    command = command_named(name)
    flags = {parameter.name for parameter in command.params}
    for field in fields_of(function_of(name)).values():
        if not field.positional:
            assert field.name in flags, field.name


def test_version() -> None:
    assert run("--version").output.startswith("convscope 0.")


def test_models() -> None:
    names = [model["name"] for model in answer("models")["models"]]  # type: ignore[attr-defined]
    assert names[0] == "efficientnet_lite0"


def test_layers() -> None:
    told = answer("layers")
    by_name = {layer["name"]: layer for layer in told["layers"]}  # type: ignore[attr-defined]
    assert by_name["blocks.10.project"]["shape"] == [112, 14, 14]
    assert by_name["stem.conv"]["receptive_field"] == [3, 3]
    assert by_name["stem.conv"]["parameters"] == 3 * 32 * 9
    assert told["recommended"] == "head.act"
    assert told["parameters"] == 4652008
    shown = run("layers").output
    assert "blocks.10.project" in shown
    assert "head.act *" in shown


def test_activations(tmp_path: Path, photograph: str) -> None:
    told = answer("activations", photograph, "stem.act", "blocks.1*.project", "--out", tmp_path / "a")
    layers = ["stem.act", *(f"blocks.{i}.project" for i in (1, 10, 11, 12, 13, 14, 15))]
    assert [Path(str(file)).stem for file in told["files"]] == layers  # type: ignore[attr-defined]
    answer(
        "activations", photograph, "blocks.4", "--channels", "0-2,7", "--scale", "shared", "--out", tmp_path / "b.npz"
    )
    with np.load(tmp_path / "b.npz") as held:
        assert held["blocks.4"].shape == (4, 28, 28)


def test_weights(tmp_path: Path) -> None:
    assert answer("weights", "stem.conv", "--out", tmp_path / "w.png")["shape"] == [32, 3, 3, 3]


def test_visualize_and_replay_give_the_same_pixels(tmp_path: Path) -> None:
    told = answer("visualize", "blocks.10.project:5", "--steps", "4", "--out", tmp_path / "f.png")
    assert told["pictures"][0]["target"] == "blocks.10.project:5"  # type: ignore[index]
    again = answer("replay", tmp_path / "f.png", "--out", tmp_path / "g.png")
    assert again["same_pixels"] is True
    one, other = (np.asarray(Image.open(tmp_path / name)) for name in ("f.png", "g.png"))
    assert np.array_equal(one, other)
    assert one.std() > 5


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
def test_replay_works_with_as_many_threads_as_then(tmp_path: Path) -> None:
    """Convolutions of one thread and of two differ in their last bits, which the ascent makes visible."""
    torch.set_num_threads(2)
    try:
        answer("visualize", "blocks.10.project:5", "--steps", "4", "--out", tmp_path / "f.npz")
    finally:
        torch.set_num_threads(1)
    assert answer("replay", tmp_path / "f.npz", "--out", tmp_path / "g.npz")["same_pixels"] is True
    assert torch.get_num_threads() == 1
    with np.load(tmp_path / "f.npz") as one, np.load(tmp_path / "g.npz") as other:
        assert np.array_equal(one["images"], other["images"])


def test_an_animation_replays_as_one(tmp_path: Path) -> None:
    answer("visualize", "stem.conv:3", "--steps", "2", "--out", tmp_path / "f.gif")
    assert answer("replay", tmp_path / "f.gif", "--out", tmp_path / "g.gif")["same_pixels"] is True
    assert (tmp_path / "g.gif").read_bytes() == (tmp_path / "f.gif").read_bytes()


def test_dream_and_invert(tmp_path: Path, photograph: str) -> None:
    told = answer("dream", photograph, "--size", "96", "--steps", "1", "--out", tmp_path / "d.png")
    assert told["pictures"][0]["target"] == "blocks.10.expand_bn"  # type: ignore[index]
    assert answer("replay", tmp_path / "d.png", "--files", "--out", tmp_path / "e.png")["same_pixels"] is True
    told = answer("invert", photograph, "stem.act", "--steps", "2", "--tv", "both", "--out", tmp_path / "i.png")
    assert [row["tv"] for row in told["pictures"]] == [0, 1]  # type: ignore[attr-defined]


def test_stylize(tmp_path: Path, photograph: str) -> None:
    told = answer(
        "stylize",
        photograph,
        photograph,
        photograph,
        "--shares",
        "2,1",
        "--size",
        "96",
        "--steps",
        "2",
        "--style-layers",
        "stem.act,blocks.1",
        "--out",
        tmp_path / "s.png",
    )
    assert set(told["losses"]) == {"content", "style", "total variation"}  # type: ignore[call-overload]
    assert answer("replay", "--files", tmp_path / "s.png", "--out", tmp_path / "t.png")["same_pixels"] is True
    run = CliRunner().invoke(app, ["stylize", photograph, photograph, "--shares", "one"])
    assert run.exit_code == 1
    assert "shares is 'one'" in run.stderr


def test_a_preview_shows_how_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convscope.cli.progress.PREVIEW_EVERY", 0.0)
    answer("visualize", "stem.conv:3,4", "--steps", "2", "--out", tmp_path / "f.png", "--preview", tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as preview, Image.open(tmp_path / "f.png") as picture:
        assert "convscope" not in preview.info
        assert preview.width > picture.height
    run = CliRunner().invoke(app, ["visualize", "stem.conv:3", "--preview", str(tmp_path / "p.jpg")])
    assert run.exit_code == 1
    assert "p.jpg" in run.stderr


def test_replay_says_when_the_pixels_differ(tmp_path: Path) -> None:
    answer("visualize", "blocks.1:5", "--steps", "2", "--out", tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as picture:
        text = picture.info["convscope"]
        changed = picture.convert("RGB")
    changed.putpixel((3, 3), (255, 0, 255))
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("convscope", text)
    changed.save(tmp_path / "changed.png", pnginfo=info)
    assert answer("replay", tmp_path / "changed.png", "--out", tmp_path / "g.png")["same_pixels"] is False


def test_explain_and_replay(tmp_path: Path, photograph: str) -> None:
    told = answer("explain", photograph, "--target", "class:tiger cat", "--out", tmp_path / "cam.png")
    assert told["label"] == "tiger cat"
    assert told["layer"] == "head.act"
    assert (
        answer("replay", tmp_path / "cam.png", "--out", tmp_path / "cam2.png", "--image", photograph)["same_pixels"]
        is True
    )


def test_occlusion_with_its_winners(tmp_path: Path, photograph: str) -> None:
    told = answer(
        "explain",
        photograph,
        "--method",
        "occlusion",
        "--patch",
        "56",
        "--stride",
        "56",
        "--out",
        tmp_path / "o.png",
        "--winners",
        tmp_path / "w.png",
    )
    assert len(told["files"]) == 2  # type: ignore[arg-type]
    assert told["winners"]
    assert answer("replay", tmp_path / "w.png", "--files")["same_pixels"]
    refused = run("explain", photograph, "--winners", tmp_path / "w2.png")
    assert refused.exit_code == 1
    assert "--winners is of methods that tell which class wins where" in refused.stderr


def test_compare(tmp_path: Path, photograph: str) -> None:
    told = answer(
        "compare",
        photograph,
        "-t",
        "class:tabby",
        "-t",
        "blocks.4:3",
        "--method",
        "grad_cam layer=blocks.2",
        "--method",
        "saliency",
        "--out",
        tmp_path / "b.html",
    )
    assert told["titles"] == ["tabby", "blocks.4:3"]
    assert len(told["highest"][0]) == 2  # type: ignore[index]
    answer("compare", photograph, "--method", "grad_cam", "--scale", "all", "--out", tmp_path / "b.png")
    assert answer("replay", "--files", tmp_path / "b.png")["same_pixels"]


def test_hybrid(tmp_path: Path, photograph: str) -> None:
    told = answer(
        "hybrid",
        photograph,
        "--vary",
        "top: 4, 64; intensity: 0.3, 1",
        "--size",
        90,
        "--out",
        tmp_path / "h.png",
        "--each",
        tmp_path / "each",
    )
    assert len(told["files"]) == 5  # type: ignore[arg-type]
    assert told["captions"][0] == "top 4\nintensity 0.3"  # type: ignore[index]
    with Image.open(tmp_path / "each" / "top_4__intensity_0.3.png") as one:
        assert one.size == (90, 60)
    assert answer("replay", "--files", tmp_path / "h.png")["same_pixels"]
    assert answer("replay", "--files", tmp_path / "each" / "top_64__intensity_1.png")["same_pixels"]


def test_replay_without_the_photograph_says_what_to_do(tmp_path: Path, photograph: str) -> None:
    copy = tmp_path / "in" / "photo.jpg"
    copy.parent.mkdir()
    copy.write_bytes(Path(photograph).read_bytes())
    answer("explain", copy, "--out", tmp_path / "cam.png")
    copy.unlink()
    done = run("replay", tmp_path / "cam.png", "--out", tmp_path / "x.png")
    assert done.exit_code == 1
    assert "is not here: give it with --image" in done.stderr
    other = Path(photograph).with_name("coffee.jpg")
    done = run("replay", tmp_path / "cam.png", "--image", other, "--out", tmp_path / "x.png")
    assert "the photograph is not that of the recipe" in done.stderr
    assert answer("replay", tmp_path / "cam.png", "--image", photograph, "--out", tmp_path / "x.png")["same_pixels"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["visualize", "blocks.10.projct:5"], "no layer named 'blocks.10.projct'; near matches: blocks.10.project"),
        (
            ["visualize", "blocks.10.project:500"],
            "channel 500 is not in 'blocks.10.project'; its channels are 0 to 111",
        ),
        (["visualize", "class:zebar"], "no class named 'zebar'; near matches: zebra"),
        (["visualize", "class:"], "names no class"),
        (["explain", "PHOTO", "--layer", "classifier"], "has no positions"),
        (["explain", "PHOTO", "--model", "efficientnet_lite"], "near matches: efficientnet_lite"),
        (["explain", "PHOTO", "--model", "missing.keras"], "no file 'missing.keras'"),
        (["explain", "PHOTO", "--device", "cuda:7"], "the device 'cuda:7' cannot be used"),
        (["explain", "nothing.jpg"], "no file 'nothing.jpg'"),
        (["weights", "stem.act"], "has no kernels; layers that have: stem.conv"),
        (["activations", "PHOTO", "blocks.99.*"], "no layer matches 'blocks.99.*'"),
        (["activations", "PHOTO", "blocks.4", "--channels", "3-x"], "cannot be read; expected such as 3,7,10-15"),
        (["replay", "PHOTO", "--out", "x.png"], "holds no recipe of convscope"),
        (["explain", "PHOTO", "--out", "cam.bmp"], "results are saved as .png, .jpg, .jpeg, .svg, .pdf or .npz"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    arguments: list[str], said: str, tmp_path: Path, photograph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*(photograph if argument == "PHOTO" else argument for argument in arguments))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_error_with_json_is_one_object(tmp_path: Path) -> None:
    done = run("explain", tmp_path / "nothing.jpg", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["files"] == []
    assert "no file" in json.loads(done.stdout)["error"]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in run("explain", tmp_path / "nothing.jpg", "--debug").stderr


def test_wrong_usage_is_exit_code_2(photograph: str) -> None:
    assert run("explain").exit_code == 2
    assert run("explain", photograph, "--nonsense", "3").exit_code == 2
    assert run("visualize", "class:zebra", "--steps", "-3").exit_code == 2
    assert run("explian", photograph).exit_code == 2


def test_ctrl_c_while_a_map_is_made_to_be_assessed_leaves_nothing(tmp_path: Path, photograph: str) -> None:
    out = tmp_path / "assessment.png"
    work = subprocess.Popen(
        [sys.executable, "-m", "convscope", "assess", photograph, "--method", "rise", "--out", str(out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(12)
    work.send_signal(signal.SIGINT)
    _, told = work.communicate(timeout=240)
    assert work.returncode == 130, told
    assert "Traceback" not in told
    assert not out.exists()


def test_ctrl_c_saves_what_is_done(tmp_path: Path) -> None:
    out = tmp_path / "half.png"
    command = [
        sys.executable,
        "-m",
        "convscope",
        "visualize",
        "class:zebra",
        "--steps",
        "5000",
        "--out",
        str(out),
        "--json",
    ]
    work = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert work.stderr is not None
    line = work.stderr.readline()  # the first news of progress
    work.send_signal(signal.SIGINT)
    stdout, stderr = work.communicate(timeout=240)
    assert "of 5000" in line
    assert "s left" in line
    assert work.returncode == 130, stderr
    told = json.loads(stdout)
    assert told["files"] == [str(out)]
    assert told["stopped"].startswith("stopped after step ")
    assert "Traceback" not in stderr
    with Image.open(out) as picture:
        assert picture.size == (224, 224)
    assert [path.name for path in tmp_path.iterdir()] == ["half.png"]


@pytest.mark.parametrize("loaded", ["typer", "torch._C"])
def test_ctrl_c_before_any_work_is_one_line(loaded: str, photograph: str, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "convscope", "explain", photograph]
    work = subprocess.Popen([*command, "--out", str(tmp_path / "a.png")], stderr=subprocess.PIPE, text=True)
    assert work.stderr is not None
    lines = iter(work.stderr.readline, "")
    assert any(line.split("|")[-1].strip() == loaded for line in lines)
    work.send_signal(signal.SIGINT)
    rest = list(lines)
    work.stderr.close()
    assert work.wait(timeout=240) == 130
    assert rest[-1] == "stopped\n"
    assert not any("Traceback" in line for line in rest)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("given", "near"), [("visualise", "visualize"), ("expalin", "explain"), ("layer", "layers")])
def test_a_wrong_command_names_the_near_ones(given: str, near: str) -> None:
    done = CliRunner().invoke(app, [given])
    assert done.exit_code == 2
    assert f"near matches: {near}" in " ".join(done.output.replace("│", " ").split())


def test_an_address_of_the_web_is_told_as_one() -> None:
    done = CliRunner().invoke(app, ["explain", "https://example.com/cat.jpg"])
    assert "an address of the web was given" in " ".join(done.output.split())

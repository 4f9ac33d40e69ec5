"""Where files go: links, pipes, full disks, and what is said when standard output cannot be written; signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import convscope as cs
from convscope.cli import progress
from convscope.cli.main import app
from convscope.cli.progress import Watcher
from convscope.errors import ResultError
from convscope.results.files import check_ending, write_whole
from tests.networks import shared

WEIGHTS = ("weights", "stem.conv", "--weights", "none")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def one_line(done: Result) -> str:
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def started(code: str, *arguments: str | Path, **how: object) -> "subprocess.Popen[str]":
    """The command in a process of its own, after some code."""
    program = f"{code}\nimport sys\nfrom convscope.cli.main import run\nrun()"
    words = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **how)  # type: ignore[call-overload, no-any-return]


# --- links, pipes, devices -------------------------------------------------------------------------------------


def test_of_a_link_the_file_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "w.png", tmp_path / "w.png"
    target.write_bytes(b"old")
    link.symlink_to("there/w.png")
    done = run(*WEIGHTS, "--out", link)
    assert done.exit_code == 0, done.output
    assert link.is_symlink()
    assert cs.load_result(target).recipe.verb == "weights"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["there", "w.png", "w.png"]


def test_of_a_link_to_nothing_the_file_is_made(tmp_path: Path) -> None:
    (tmp_path / "w.bin").symlink_to("new.bin")
    assert write_whole(tmp_path / "w.bin", b"bytes") == tmp_path / "w.bin"
    assert (tmp_path / "new.bin").read_bytes() == b"bytes"
    assert (tmp_path / "w.bin").is_symlink()


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    for work in (check_ending, lambda path: write_whole(path, b"")):
        with pytest.raises(ResultError, match="cannot be written"):
            work(tmp_path / "a.png")
    assert (tmp_path / "a.png").is_symlink()


def test_a_pipe_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convscope.models.load.load_model", lambda *_, **__: pytest.fail("it began to work"))
    os.mkfifo(tmp_path / "w.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    for name in ("w.png", "null.png"):
        assert "is no regular file" in one_line(run(*WEIGHTS, "--out", tmp_path / name))
        with pytest.raises(ResultError, match="no regular file"):
            write_whole(tmp_path / name, b"")
    assert (tmp_path / "w.png").is_fifo()


@pytest.mark.parametrize("verb", ["activations", "report"])
def test_a_folder_that_cannot_be_written_is_told_before_any_work(
    verb: str, tmp_path: Path, photograph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    for name in ("Runner.run", "trace"):
        monkeypatch.setattr(f"convscope.models.runner.{name}", lambda *_, **__: pytest.fail("it began to work"))
    for out in (tmp_path / "file" / "a", Path("/proc/a"), tmp_path / "file"):
        if (verb, out) != ("report", tmp_path / "file"):
            assert "cannot be written" in one_line(run(verb, photograph, "--weights", "none", "--out", out))


def test_a_full_disk_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(ResultError, match="cannot be written: No space left on device"):
        check_ending(tmp_path / "a.png")


def test_a_preview_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PREVIEW_EVERY", 0.0)
    tries: list[Path] = []

    def full(path: Path, _: bytes) -> None:
        tries.append(path)
        raise ResultError(f"{str(path)!r} cannot be written: No space left on device")

    monkeypatch.setattr(progress, "write_whole", full)
    with Watcher(tmp_path / "p.png") as watch:
        made = cs.visualize(shared("plain"), "conv2:1", steps=3, size=32, watch=watch)
    assert np.array_equal(
        made.arrays["images"], cs.visualize(shared("plain"), "conv2:1", steps=3, size=32).arrays["images"]
    )
    assert tries == [tmp_path / "p.png"]
    said = capsys.readouterr().err
    assert said.count("note: the preview") == 1
    assert "No space left on device; the work goes on without it" in said


# --- standard output ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_full_standard_output_is_told_and_the_result_saved(more: tuple[str, ...], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = started("", *WEIGHTS, "--out", tmp_path / "w.png", *more, stdout=full)
        _, said = done.communicate()
    assert done.returncode == 1
    assert said.startswith("error: standard output cannot be written (No space left on device); the work is done")
    assert said.rstrip().endswith(str(tmp_path / "w.png"))
    assert len(said.splitlines()) == 1
    assert cs.load_result(tmp_path / "w.png").recipe.verb == "weights"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_closed_standard_output_is_no_error(more: tuple[str, ...], tmp_path: Path) -> None:
    words = [sys.executable, "-m", "convscope", *WEIGHTS, "--out", str(tmp_path / "w.png"), *more]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *words], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert cs.load_result(tmp_path / "w.png").recipe.verb == "weights"


# --- signals -----------------------------------------------------------------------------------------------------

HELD = """
import os, time
def held(*_):
    print("held", flush=True)
    time.sleep(60)
"""


def terminated(process: "subprocess.Popen[str]") -> None:
    """The process says that it is held, is asked to end, and ends so."""
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said
    assert process.returncode == 128 + signal.SIGTERM


def test_sigterm_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "w.png").write_bytes(b"old")
    process = started(f"{HELD}os.replace = held", *WEIGHTS, "--out", tmp_path / "w.png", stdout=subprocess.PIPE)
    terminated(process)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("w.png", b"old")]


PIP = """
import os, sys, time, subprocess
from convscope.models.sources import vgg16_hed
sys.executable = "{script}"
"""


def test_sigterm_ends_a_fetch_and_what_it_started(tmp_path: Path) -> None:
    script = tmp_path / "pip"
    script.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    script.chmod(0o755)
    cache = tmp_path / "cache"
    process = started(
        PIP.format(script=script),
        "models",
        "fetch",
        "vgg16_hed",
        stdout=subprocess.PIPE,
        env=os.environ | {"CONVSCOPE_CACHE": str(cache)},
    )
    for _ in range(300):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip():
            break
        time.sleep(0.1)
    child = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(cache.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_fetch_clears_what_an_earlier_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convscope.models import fetching

    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path))
    for name, age in ((".fetch-old", fetching.STALE + 60), (".fetch-now", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.whl").write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    monkeypatch.setattr(
        fetching.subprocess, "run", lambda call, **_: subprocess.CompletedProcess(call, 1, "", "no network")
    )
    assert run("models", "fetch", "vgg16_hed").exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == [".fetch-now"]


@pytest.mark.filterwarnings("default")
def test_what_keras_warns_of_stays_out_of_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.keras", "w") as file:
        file.writestr("config.json", "{}")

    def warned(*_: object, **__: object) -> None:
        warnings.warn("a matter of Keras", UserWarning, stacklevel=1)
        raise ValueError("it is broken")

    monkeypatch.setattr("keras.saving.load_model", warned)
    with warnings.catch_warnings(record=True) as heard, pytest.raises(cs.ConvscopeError, match="it is broken"):
        cs.load_model(tmp_path / "a.keras")
    assert heard == []


@pytest.mark.parametrize("odd", ["a" * 5000 + ".jpg", "b" * 300 + ".npz", "a\0b.jpg", "{file}/a.jpg", "{file}/a.npz"])
@pytest.mark.parametrize(
    "words",
    [
        ("explain", "ODD"), ("predict", "ODD"), ("activations", "ODD"), ("dream", "ODD"), ("invert", "ODD"),
        ("hybrid", "ODD"), ("assess", "ODD"), ("compare", "ODD"), ("report", "ODD"), ("replay", "ODD"),
        ("stylize", "ODD", "ODD"), ("visualize", "class:1", "--start", "ODD"), ("layers", "--model", "ODD"),
        ("visualize", "class:1", "--model", "ODD"), (*WEIGHTS, "--out", "ODD"),
    ],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_told_in_one_line(odd: str, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    odd = odd.replace("{file}", str(tmp_path / "file"))
    done = run(*(odd if word == "ODD" else word for word in words))
    if done.exit_code == 2:  # typer's own, of a name with a zero byte
        assert "embedded null byte" in done.stderr
    else:
        assert "unexpected" not in one_line(done)

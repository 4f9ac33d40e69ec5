"""Files that are no result, or would take more than a result has: refused in one line, before they are unpacked."""

import io
import json
import os
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.audit import hearing
from tests.networks import noise, shared
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.results import npz
from convscope.results.files import KEY
from convscope.results.recipe import Call, Recipe
from convscope.results.store import KINDS, picture_of


def archive(
    path: Path, arrays: dict[str, Any], kind: str = "heatmap", axes: dict[str, Any] | None = None, facts: Any = None
) -> Path:
    """An .npz that says it is a result. An array may be bytes of a member as they stand."""
    axes = {name: list("abcdef"[: np.ndim(array)]) for name, array in arrays.items()} if axes is None else axes
    about = {"kind": kind, "recipe": Recipe(Call(kind)).to_dict(), "facts": facts or {}, "axes": axes}
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in {KEY: text, **arrays}.items():
            buffer = io.BytesIO()
            if not isinstance(array, bytes):
                np.lib.format.write_array(buffer, array, allow_pickle=False)
            file.writestr(f"{name}.npy", array if isinstance(array, bytes) else buffer.getvalue())
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=match) as told:
        cs.load_result(path)
    assert len(str(told.value).splitlines()) == 1


def test_what_unpacks_to_far_more_than_it_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MODEST_BYTES", 1 << 20)
    zeros = archive(tmp_path / "a.npz", {"a": np.zeros(1 << 20, np.float32)}, "activations")
    with zipfile.ZipFile(zeros) as file:
        unpacked = sum(member.file_size for member in file.infolist())
    assert unpacked > npz.MOST_PACKED * zeros.stat().st_size
    refused(zeros, "would unpack to 4.19 MB")
    plain = np.random.default_rng(0).random(1 << 20).astype(np.float32)
    assert np.array_equal(cs.load_result(archive(tmp_path / "b.npz", {"a": plain}, "activations")).arrays["a"], plain)
    monkeypatch.setattr(npz, "MOST_BYTES", 1 << 20)
    refused(tmp_path / "b.npz", "the limit is 1 MB")


def test_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MOST_MEMBERS", 20)
    refused(
        archive(tmp_path / "a.npz", {str(i): np.zeros(1) for i in range(21)}), "holds 22 arrays; expected at most 20"
    )


def header(shape: str, dtype: str = "<f4") -> bytes:
    """The beginning of an .npy that says this of itself, and eight bytes."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(8)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (header("(1000000000000,)"), "not as long as it says"),
        (header("(1,)"), "not as long as it says"),
        (header("(-2,)"), "not as long as it says|negative"),
        (np.ones(2, np.complex64), "holds complex64; expected plain numbers"),
        (np.array(["a", "b"]), "holds <U1; expected plain numbers"),
        (np.zeros(2, [("x", "f4")]), "expected plain numbers"),
        (b"nothing", "not an .npz that can be read"),
        (b"", "not an .npz that can be read"),
    ],
)
def test_arrays_that_are_none(array: Any, said: str, tmp_path: Path) -> None:
    refused(archive(tmp_path / "a.npz", {"map": array}, axes={"map": ["x"]}), said)


def test_a_sound_header_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", {"map": header("(2,)")}, "activations", {"map": ["x"]})
    assert cs.load_result(path).arrays["map"].tolist() == [0, 0]


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if KINDS[kind].needs))
def test_a_result_has_its_arrays(kind: str, tmp_path: Path) -> None:
    needs = KINDS[kind].needs
    sound = {name: np.ones((2,) * len(names), np.float32) for name, names in needs.items()}
    axes = {name: list(names) for name, names in needs.items()}
    assert type(cs.load_result(archive(tmp_path / "a.npz", sound, kind, axes))) is KINDS[kind]
    for name, names in needs.items():
        less = {other: array for other, array in sound.items() if other != name}
        refused(archive(tmp_path / "b.npz", less, kind, axes), f"array '{name}' .* is missing; expected")
        flat = sound | {name: np.ones(2 if names != () else (2, 2), np.float32)}
        if np.ndim(flat[name]) != len(names):
            other = axes | {name: list("xyz"[: np.ndim(flat[name])])}
            refused(archive(tmp_path / "b.npz", flat, kind, other), f"array '{name}' .* has the shape")
    larger = {name: np.ones((3,) * len(names), np.float32) for name, names in needs.items()}
    sized = [name for name, names in needs.items() if {"h", "n"} & set(names)]
    if len(sized) > 1:
        refused(archive(tmp_path / "b.npz", sound | {sized[0]: larger[sized[0]]}, kind, axes), "of different sizes")


def test_facts_that_do_not_go_with_the_arrays_are_told_in_one_line(tmp_path: Path) -> None:
    made = cs.visualize(shared("plain"), ["conv2:1", "conv2:2"], steps=1, size=32)
    path = archive(tmp_path / "b.npz", dict(made.arrays), "pictures", facts={**made.facts, "captions": 3})
    refused(path, "'captions' is 3: not what")
    loaded = cs.load_result(replace(made, facts={**made.facts, "captions": ["one"]}).save(tmp_path / "a.npz"))
    with pytest.raises(cs.ConvscopeError, match="cannot be shown"):
        picture_of(loaded, tmp_path / "a.npz")
    told = CliRunner().invoke(app, ["replay", str(tmp_path / "a.npz"), "--out", str(tmp_path / "b.npz")])
    assert told.exit_code == 1
    assert "cannot be shown" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_no_number_is_no_warning(tmp_path: Path) -> None:
    made = cs.explain(shared("plain"), noise(), 0)
    made.arrays["map"][:] = np.nan
    loaded = cs.load_result(made.save(tmp_path / "a.npz"))
    with warnings.catch_warnings(action="error"):
        picture_of(loaded, tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", [".png", ".npz", ".gif"])
def test_pipes_and_devices_are_not_waited_for(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name, kind in (("pipe", "pipe"), ("zero", "device")):
        with hearing() as heard:
            refused(tmp_path / f"{name}{suffix}", f"is a {kind}; expected a regular file")
        assert not any(name in file for file in heard.opened)

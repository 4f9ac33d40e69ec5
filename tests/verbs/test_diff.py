"""What diff finds: what was planted, and nothing where nothing changed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.errors import InputError
from tests.networks import LABELS, MODULES, SPEC, noise, seeded, shared


def changed(channel: int) -> cs.Network:
    """The plain network, with one channel of its second convolution turned to something else."""
    module = seeded(MODULES["plain"])
    with torch.no_grad():
        module.conv2.weight[channel] = torch.randn(8, 3, 3, generator=torch.Generator().manual_seed(9))  # type: ignore[operator, index, union-attr]
    return cs.load_model(module, input=SPEC, labels=LABELS)


@pytest.mark.parametrize("kind", MODULES)
def test_a_network_is_like_itself(kind: str) -> None:
    result = cs.diff(shared(kind), shared(kind), [noise(i) for i in range(4)], pictures=0)
    assert result.arrays["cka"] == pytest.approx(1, abs=1e-5)
    assert result.arrays["correlation"].min() > 0.999
    assert (result.arrays["maps"][:, 0] == result.arrays["maps"][:, 1]).all()


@pytest.mark.parametrize("channel", [0, 7, 11])
def test_the_channel_that_changed_is_found(channel: int) -> None:
    result = cs.diff(shared("plain"), changed(channel), [noise(i) for i in range(6)], pictures=1, steps=3)
    assert {(unit["layer"], unit["channel"]) for unit in result.facts.units[:2]} == {
        ("conv2", channel),
        ("relu2", channel),
    }
    assert result.facts.units[2]["correlation"] == pytest.approx(1, abs=1e-4)
    cka = dict(zip(result.facts.layers, result.arrays["cka"], strict=True))
    assert cka["conv1"] == pytest.approx(1, abs=1e-5)
    assert cka["conv2"] < 0.99
    assert result.facts.pictured == [f"conv2:{channel}"]
    assert result.arrays["pictures"].shape == (1, 2, 32, 32, 3)
    assert not (result.arrays["pictures"][0, 0] == result.arrays["pictures"][0, 1]).all()


def test_networks_with_other_classes_and_sizes() -> None:
    other = seeded(MODULES["plain"])
    other.head = torch.nn.Linear(12, 3)
    net = cs.load_model(other, input=cs.InputSpec(size=32, range=(0, 1)), labels=["x", "y", "z"])
    result = cs.diff(shared("plain"), net, noise(0), layers="conv*", targets=["conv2:3"], steps=2)
    assert result.facts.layers == ["conv1", "conv2"]
    assert result.facts.pictured == ["conv2:3"]
    assert {guess[1]["label"] for guess in result.facts.guesses} <= {"x", "y", "z"}


def test_networks_that_have_nothing_in_common() -> None:
    with pytest.raises(InputError, match="have no layer of the same name and size"):
        cs.diff(shared("plain"), cs.load_model(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)), input=SPEC), noise(0))


def test_it_is_replayed_with_both_networks(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray((noise(0)[0].permute(1, 2, 0).numpy() * 255).astype("uint8")).save(tmp_path / "a.png")
    nets = [shared("plain"), changed(3)]
    result = cs.diff(*nets, [tmp_path / "a.png"], pictures=1, steps=3)
    file = result.save(tmp_path / "diff.npz")
    again = cs.replay(file, net=nets)
    for name in result.arrays:
        assert (result.arrays[name] == again.arrays[name]).all()


def test_the_command(tmp_path: Path) -> None:
    call = ["diff", "efficientnet_lite0", "efficientnet_lite0", "examples/photographs/cat.jpg", "--pictures", "0"]
    out = tmp_path / "d.png"
    done = CliRunner().invoke(app, [*call, "--layers", "blocks.*.project", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "CKA 1.00" in done.stdout
    assert out.is_file()


def test_grey_networks_and_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    known = cs.load_model(module, input=cs.InputSpec(size=16, channels=1, range=(0, 1), mean=0.5, std=0.5))
    unknown = cs.load_model(module, input=cs.InputSpec(size=16, channels=1))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    good = tmp_path / "good.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)).save(good)
    result = cs.diff(known, unknown, [str(tmp_path / "broken.png"), str(good)], pictures=1, steps=1)
    result.image()
    notes = " ".join(result.notes)
    assert "1 picture could not be read and left out" in notes
    assert "input range, mean, std are unknown" in notes
    with pytest.raises(cs.ConvscopeError, match=r"broken\.png"):
        cs.diff(known, unknown, str(tmp_path / "broken.png"))

"""Training: what it learns, that it ends the same however often it was stopped, and what it leaves behind."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.errors import InputError, NetworkError, ResultError, UnknownNameError
from convscope.models.labels import Labels
from convscope.models.new_head import features, head_of, with_classes
from convscope.training.plan import Plan, augmented
from tests.networks import LABELS, MODULES, SPEC, network, noise, seeded, shared

pytestmark = [pytest.mark.filterwarnings("ignore")]
FILES = ["index.html", "labels.txt", "network.pt2", "network.safetensors", "predictions.csv", "training.json"]


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue pictures, with noise: twenty of each."""
    root = tmp_path_factory.mktemp("colours")
    random = np.random.default_rng(0)
    for channel, name in enumerate(("red", "blue")):
        (root / name).mkdir()
        for i in range(20):
            values = random.integers(0, 130, (32, 32, 3))
            values[..., 2 * channel] += 120
            Image.fromarray(values.astype(np.uint8)).save(root / name / f"{i:02d}.png")
    return root


FROZEN = ["all", "none", "conv1"]


@pytest.mark.parametrize("frozen", FROZEN)
def test_it_learns(frozen: str, colours: Path, tmp_path: Path) -> None:
    result = cs.train(network("plain"), colours, tmp_path / "out", frozen=frozen, epochs=25, lr=0.01, patience=25)
    assert result.facts.accuracy == 1.0
    assert (result.facts.trained, result.facts.held_out) == (32, 8)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*FILES, "resume.state"])
    rows = list(csv.DictReader((tmp_path / "out" / "predictions.csv").open()))
    assert len(rows) == 40
    assert sum(row["part"] == "held out" for row in rows) == 8
    net = cs.load_model(shared("plain").adapter.root, input=SPEC)  # the network itself learned nothing
    assert net.weights_hash() == shared("plain").weights_hash()


@pytest.mark.parametrize("frozen", FROZEN)
def test_what_is_frozen_stays(frozen: str, colours: Path, tmp_path: Path) -> None:
    net = network("residual")
    layer = {"conv1": "bn1"}.get(frozen, frozen)
    cs.train(net, colours, tmp_path / "out", frozen=layer, epochs=2, lr=0.01)
    from safetensors.torch import load_file

    before, after = net.adapter.root.state_dict(), load_file(tmp_path / "out" / "network.safetensors")
    changed = {
        name for name in before if before[name].shape != after[name].shape or not torch.equal(before[name], after[name])
    }
    parts = {name.split(".")[0] for name in changed}
    expected = {"all": {"head"}, "none": {"stem", "bn1", "conv", "bn2", "head"}, "bn1": {"conv", "bn2", "head"}}
    assert parts == expected[layer]


def test_the_last_layer_on_features_is_the_network(colours: Path, tmp_path: Path) -> None:
    """The law: the head's logits on what it is given are the network's own."""
    for kind in MODULES:
        net = shared(kind)
        head = head_of(net)
        given = features(net, head, noise(2, n=3))
        kernel, bias = net.kernel(head.module), None
        assert kernel is not None
        logits = given @ kernel.float().T
        scores = net.scores(net.run(noise(2, n=3))).detach()
        bias = scores - logits
        assert torch.allclose(bias, bias[:1].expand_as(bias), atol=1e-5), kind


@pytest.mark.parametrize("kind", MODULES)
def test_a_new_head_tells_other_classes(kind: str) -> None:
    net = shared(kind)
    new = with_classes(net, Labels(("a", "b", "c")), seed=1)
    again = with_classes(net, Labels(("a", "b", "c")), seed=1)
    assert new.classes == 3
    assert net.classes == len(LABELS)
    assert new.weights_hash() == again.weights_hash() != with_classes(net, Labels(("a", "b", "c")), 2).weights_hash()
    weight, bias = torch.randn(3, new.kernel(head_of(new).module).shape[1]), torch.randn(3)
    new.adapter.set_head(head_of(new).module, weight, bias)
    given = features(net, head_of(net), noise(3))
    assert torch.allclose(new.scores(new.run(noise(3))).detach(), given @ weight.T + bias, atol=1e-4)


def test_the_saved_network_is_the_one_that_was_judged(colours: Path, tmp_path: Path) -> None:
    result = cs.train(network("inception"), colours, tmp_path / "out", epochs=3)
    rows = list(csv.DictReader((tmp_path / "out" / "predictions.csv").open()))
    program = cs.load_model(tmp_path / "out" / "network.pt2", trust=True)
    assert program.spec == SPEC
    assert program.labels.names == ("blue", "red") == tuple(result.facts.classes)
    for row in rows[::7]:
        guess = program.predict(colours / row["path"])[0][0]
        assert guess.label == row["predicted"]
        assert guess.probability == pytest.approx(float(row["probability"]), abs=5e-3)  # of bytes, here of all digits
    held = [row for row in rows if row["part"] == "held out"]
    assert result.facts.accuracy == sum(row["label"] == row["predicted"] for row in held) / len(held)
    assert result.arrays["confusion"].sum() == len(held)
    assert result.facts.worst[0]["loss"] == max(float(row["loss"]) for row in held)


def test_a_named_network_loads_again_from_its_folder(colours: Path, tmp_path: Path) -> None:
    net = cs.load_model("vgg_small", input=32)
    assert not net.trained
    cs.train(net, colours, tmp_path / "out", epochs=1, batch=16)
    again = cs.load_model(tmp_path / "out")
    assert again.spec == net.spec
    assert again.labels.names == ("blue", "red")
    assert again.layer("features.block3_conv2").shape == (48, 8, 8)
    assert "began as vgg_small (random weights)" in again.note
    file = tmp_path / "cam.png"
    cs.explain(again, colours / "red" / "00.png", "class:red").save(file)
    cs.replay(file, files=True)


def test_a_keras_network_keeps_its_kind(colours: Path, tmp_path: Path) -> None:
    net = shared("keras")
    result = cs.train(net, colours, tmp_path / "out", epochs=40, lr=0.02)
    again = cs.load_model(tmp_path / "out" / "network.keras")
    assert again.spec == net.spec
    assert again.labels.names == ("blue", "red")
    held = [row for row in csv.DictReader((tmp_path / "out" / "predictions.csv").open()) if row["part"] == "held out"]
    right = [again.predict(colours / row["path"])[0][0].label == row["label"] for row in held]
    assert np.mean(right) == result.facts.accuracy
    assert cs.load_model(tmp_path / "out").name == "network"
    with pytest.raises(InputError, match="the last layer alone can be trained here"):
        cs.train(net, colours, tmp_path / "other", frozen="none")


# Stopping and going on


def digest(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if name != "network.pt2"}


@pytest.mark.parametrize("frozen", FROZEN)
def test_a_training_that_was_stopped_ends_as_one_that_was_not(frozen: str, colours: Path, tmp_path: Path) -> None:
    module = seeded(MODULES["residual"])  # with dropout and batch norm

    def run(folder: str, stop: set[int]) -> cs.Result | None:
        net = cs.load_model(module, input=SPEC, labels=LABELS)

        def watch(news: cs.Progress) -> None:
            if news.what == "training" and news.done in stop:
                stop.remove(news.done)
                raise cs.Cancel

        layer = {"conv1": "bn1"}.get(frozen, frozen)
        given = {"frozen": layer, "epochs": 6, "lr": 0.01, "batch": 7, "patience": 6}
        return cs.train(net, colours, tmp_path / folder / "network", watch=watch, **given)

    run("whole", set())
    stops = {1, 4, 5, 9, 17, 29}
    while stops:
        with pytest.raises(cs.Stopped, match="the same command goes on from there"):
            run("stopped", stops)
    run("stopped", set())
    whole, stopped = digest(tmp_path / "whole" / "network"), digest(tmp_path / "stopped" / "network")
    assert stopped["network.safetensors"] == whole["network.safetensors"]
    assert {name for name in FILES if name in whole and whole[name] != stopped[name]} == set()


PROGRAM = """
import sys, torch
torch.set_num_threads(1)
import convscope as cs
from convscope.verbs.train import make
make.SAVED_EVERY = 0.0
from tests.networks import MODULES, SPEC, seeded
net = cs.load_model(seeded(MODULES["residual"]), input=SPEC)
print("ready", flush=True)
cs.train(net, sys.argv[1], sys.argv[2], frozen="none", epochs=40, lr=0.01, batch=8, patience=40)
"""


@pytest.mark.trial
def test_a_training_that_was_killed_ends_as_one_that_was_not(colours: Path, tmp_path: Path) -> None:
    """Killed at twenty random moments, by a signal that nothing can hear."""

    def started(folder: Path) -> subprocess.Popen[str]:
        call = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(colours), str(folder)]
        return subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "src:."})

    whole, killed = tmp_path / "whole" / "network", tmp_path / "killed" / "network"
    begin = time.monotonic()
    process = started(whole)
    assert process.wait() == 0
    seconds = time.monotonic() - begin
    random = np.random.default_rng(1)
    times = 0
    for _ in range(60):
        process = started(killed)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(float(random.uniform(0.05, seconds / 6)))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            times += 1
        process.wait()
        if times == 20:
            break
    assert times >= 10
    assert started(killed).wait() == 0
    assert digest(killed) == digest(whole)
    assert not list(killed.glob(".convscope-*")) or times


def test_a_finished_training_is_not_done_again(colours: Path, tmp_path: Path) -> None:
    first = cs.train(network("plain"), colours, tmp_path / "out", epochs=3)
    before = digest(tmp_path / "out")
    seen: list[str] = []
    again = cs.train(network("plain"), colours, tmp_path / "out", epochs=3, watch=lambda news: seen.append(news.what))
    assert digest(tmp_path / "out") == before
    assert np.array_equal(first.arrays["history"], again.arrays["history"])
    assert "training" not in seen


@pytest.mark.parametrize("other", [{"seed": 1}, {"epochs": 4}, {"fit": "pad"}, {"held_out": 0.5}])
def test_another_training_needs_another_folder(other: dict[str, object], colours: Path, tmp_path: Path) -> None:
    cs.train(network("plain"), colours, tmp_path / "out", epochs=2)
    with pytest.raises(ResultError, match="holds another training"):
        cs.train(network("plain"), colours, tmp_path / "out", **{"epochs": 2} | other)  # type: ignore[arg-type]


# What goes wrong


def test_broken_pictures_are_told_and_left_out(colours: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "some"
    shutil.copytree(colours, root)
    (root / "red" / "99.png").write_bytes((root / "red" / "00.png").read_bytes()[:200])
    (root / "blue" / "98.jpg").write_bytes(b"no picture")
    result = cs.train(network("plain"), root, tmp_path / "out", epochs=1)
    assert len(result.facts.broken) == 2
    assert any("2 files could not be read" in note for note in result.notes)
    assert result.facts.trained + result.facts.held_out == 40
    assert "98.jpg" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"frozen": "conv9"}, "no layer named 'conv9'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"held_out": 1.5}, "held_out is 1.5"),
        ({"data": "nowhere"}, "no folder or table 'nowhere'"),
    ],
)
def test_arguments_that_cannot_be(options: dict[str, object], told: str, colours: Path, tmp_path: Path) -> None:
    with pytest.raises((InputError, UnknownNameError), match=told):
        cs.train(network("plain"), options.pop("data", colours), tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_networks_whose_head_cannot_be_replaced(colours: Path, tmp_path: Path) -> None:
    odd = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(InputError, match="give the class scores by itself"):
        cs.train(cs.load_model(odd, input=SPEC), colours, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number(colours: Path, tmp_path: Path) -> None:
    class Lost(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = MODULES["plain"]()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inside(x * (float("nan") if self.training else 1.0))

    net = cs.load_model(seeded(Lost), input=SPEC)
    with pytest.raises(NetworkError, match=r"the loss is (nan|inf) at step \d+: take a lower lr"):
        cs.train(net, colours, tmp_path / "out", frozen="none", epochs=2, lr=10.0)


# Augmentation


def test_augmentation_is_a_function_of_seed_epoch_and_picture() -> None:
    pictures = noise(0, n=6)
    whole = augmented(pictures, 3, 1, [0, 1, 2, 3, 4, 5])
    parts = torch.cat([augmented(pictures[i : i + 1], 3, 1, [i]) for i in range(6)])
    assert torch.allclose(whole, parts, atol=1e-6)
    assert not torch.allclose(whole, augmented(pictures, 3, 2, [0, 1, 2, 3, 4, 5]))
    assert not torch.allclose(whole, augmented(pictures, 4, 1, [0, 1, 2, 3, 4, 5]))
    assert whole.min() >= 0
    assert whole.max() <= 1
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32).contiguous()
    turned = [augmented(ramp, 0, 0, [i])[0, 0, 16] for i in range(30)]
    assert 5 < sum(bool(row[0] > row[-1]) for row in turned) < 25  # about half are mirrored


def test_the_learning_rate_rises_and_falls() -> None:
    plan = Plan(epochs=1, batch=1, lr=0.5, weight_decay=0, patience=1, seed=0, class_weights=[1, 1])
    rates = [plan.rate(step, 100) for step in range(100)]
    assert max(rates) == rates[5] == 0.5
    assert rates == sorted(rates[:6]) + sorted(rates[6:], reverse=True)
    assert rates[-1] < 0.001


# The command line


def test_the_command(colours: Path, tmp_path: Path) -> None:
    call = ["train", str(colours), "--out", str(tmp_path / "out"), "--epochs", "5", "--json"]
    done = CliRunner().invoke(app, [*call, "--model", "vgg_small", "--input", "32", "--batch", "16"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert 0 <= told["accuracy"] <= 1
    assert [Path(file).name for file in told["files"]] == [
        "network.safetensors", "network.pt2", "labels.txt", "predictions.csv", "index.html", "training.json",
    ]  # fmt: skip
    assert (tmp_path / "out" / "labels.txt").read_text() == "blue\nred\n"
    done = CliRunner().invoke(app, ["predict", str(colours / "red" / "00.png"), "--model", str(tmp_path / "out")])
    assert "red" in done.stdout
    done = CliRunner().invoke(app, ["train", str(tmp_path), "--out", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert "error: " in done.output

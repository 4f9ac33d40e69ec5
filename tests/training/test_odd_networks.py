"""Training of networks with odd heads, and what the folder of a training gives back."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import convscope as cs
from convscope.errors import InputError
from convscope.models.new_head import head_of
from convscope.training.learners import frozen_up_to
from tests.networks import Plain, seeded

pytestmark = [pytest.mark.filterwarnings("ignore")]
SPEC = cs.InputSpec(size=16, range=(0, 1), mean=0.5, std=0.25)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue pictures: twelve of each."""
    root = tmp_path_factory.mktemp("colours")
    drawn = np.random.default_rng(0)
    for channel, name in enumerate(("red", "blue")):
        (root / name).mkdir()
        for i in range(12):
            values = drawn.integers(0, 130, (16, 16, 3))
            values[..., 2 * channel] += 120
            Image.fromarray(values.astype(np.uint8)).save(root / name / f"{i:02d}.png")
    return root


class Odd(nn.Module):
    """A trunk, and a head of a kind."""

    def __init__(self, kind: str, classes: int = 4) -> None:
        super().__init__()
        self.kind = kind
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.main = nn.Linear(8, classes, bias=kind != "no bias")
        self.aux = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Any:
        x = self.trunk(self.scale * x).mean((2, 3))
        if self.kind == "two":
            return self.main(x), self.aux(x)
        if self.kind == "shared":
            return (self.main(x) + self.aux(x)) / 2
        if self.kind == "turned":
            return -self.main(x)
        if self.kind == "sigmoids":
            return torch.sigmoid(self.main(x))
        if self.kind == "softmax":
            return self.main(x).softmax(1)
        return self.main(x)


def odd(kind: str, **options: Any) -> cs.Network:
    return cs.load_model(seeded(lambda: Odd(kind)), input=SPEC, **options)


@pytest.mark.parametrize("frozen", ["all", "none"])
@pytest.mark.parametrize("kind", ["plain", "no bias", "sigmoids", "softmax", "two"])
def test_what_was_judged_while_it_was_trained_is_what_is_saved(
    kind: str, frozen: str, colours: Path, tmp_path: Path
) -> None:
    net = odd(kind, output=0) if kind == "two" else odd(kind)
    result = cs.train(net, colours, tmp_path / "out", frozen=frozen, epochs=12, lr=0.02, patience=12)
    best = result.arrays["history"][result.facts.best - 1]
    assert result.facts.accuracy == pytest.approx(best[3])
    if kind != "sigmoids":
        losses = -np.log(result.arrays["probabilities"][np.arange(4), result.arrays["labels"].astype(int)])
        assert losses.mean() == pytest.approx(best[2], abs=2e-3)


def test_the_head_of_the_output_that_was_asked_for() -> None:
    assert head_of(odd("two", output=0)).module == "main"
    assert head_of(odd("two", output=1)).module == "aux"


@pytest.mark.parametrize("kind", ["shared", "turned"])
def test_heads_that_do_not_give_the_scores_alone(kind: str, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the class scores by itself"):
        cs.train(odd(kind), colours, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_all_that_a_frozen_layer_is_made_with_stays(colours: Path, tmp_path: Path) -> None:
    net = odd("plain")
    frozen = frozen_up_to(net, "trunk.3")
    names = {name for name, one in net.adapter.root.named_parameters() if any(one is p for p in frozen.parameters)}
    assert names == {"scale", *(name for name, _ in net.adapter.root.named_parameters() if name.startswith("trunk"))}
    alone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    whole = cs.load_model(seeded(lambda: alone), input=SPEC)
    with pytest.raises(InputError, match=r"frozen is '3', which leaves nothing to train"):
        cs.train(whole, colours, tmp_path / "out", frozen="3")


def test_an_alias_names_what_is_frozen(colours: Path, tmp_path: Path) -> None:
    net = cs.load_model("vgg_small", input=32)
    result = cs.train(net, colours, tmp_path / "out", frozen="relu2_1", epochs=1, batch=8)
    assert result.facts.frozen == "relu2_1"


CODE = """
import torch
from torch import nn
from tests.training.test_odd_networks import Odd

def build():
    torch.manual_seed(0)
    return Odd("plain", 7)
"""


def test_trained_again_and_of_other_classes(colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    begun = cs.load_model("mine.py:build", trust=True, input=SPEC)
    first = cs.train(begun, colours, "first", epochs=1, frozen="none")
    assert not [note for note in first.notes if "weights alone" in note]
    monkeypatch.chdir(tmp_path.parent)
    again = cs.load_model(tmp_path / "first", trust=True)
    assert again.classes == 2
    second = cs.train(again, colours, tmp_path / "second", epochs=1, frozen="none")
    assert not [note for note in second.notes if "weights alone" in note]
    net = cs.load_model(tmp_path / "second", trust=True)
    assert (net.classes, net.labels.names) == (2, ("blue", "red"))


def test_a_network_of_this_process_comes_back_from_its_program(colours: Path, tmp_path: Path) -> None:
    result = cs.train(odd("two", output=0), colours, tmp_path / "out", epochs=1)
    assert [note for note in result.notes if "weights alone" in note]
    net = cs.load_model(tmp_path / "out", trust=True, output=0)
    assert net.source == str(tmp_path / "out" / "network.pt2")
    assert net.labels.names == ("blue", "red")


def test_networks_of_an_earlier_training_are_removed(colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "network.keras").write_bytes(b"old")
    cs.train(odd("plain"), colours, out, epochs=1)
    assert not (out / "network.keras").exists()


class Drawing(nn.Module):
    """Draws from Python's and NumPy's random numbers while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = Plain()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x * (1 + 0.5 * random.random()) + float(np.random.rand())
        return self.inside(x)


def test_whatever_a_network_draws_from_is_seeded(colours: Path, tmp_path: Path) -> None:
    histories = []
    for i in range(2):
        random.seed(i)
        net = cs.load_model(seeded(Drawing), input=SPEC)
        histories.append(cs.train(net, colours, tmp_path / str(i), frozen="none", epochs=2).arrays["history"])
    np.testing.assert_array_equal(*histories)


SCRIPT = """
import sys, time
import convscope as cs
net = cs.load_model("vgg_small", input=64)
cs.train(net, *sys.argv[1:], epochs=1000, patience=1000, frozen="none", watch=lambda news: print(news.done, flush=True))
"""


def test_control_c_keeps_the_step_that_was_under_way(colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(colours), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert running.stdout is not None
    seen = 0
    while seen < 30:
        line = running.stdout.readline()
        assert line, running.stderr.read() if running.stderr else ""
        seen += 1
    time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    saved = torch.load(out / "resume.state", weights_only=True)
    assert f"stopped after {saved['step']} of " in told
    assert saved["step"] > 0


def test_pictures_on_the_page_are_those_that_were_seen(colours: Path, tmp_path: Path, monkeypatch: Any) -> None:
    fits = set()
    seen = cs.Network.photograph

    def watched(self: cs.Network, image: Any, **options: Any) -> Any:
        if isinstance(image, str):
            fits.add(options.get("fit", "crop"))
        return seen(self, image, **options)

    monkeypatch.setattr(cs.Network, "photograph", watched)
    cs.train(odd("plain"), colours, tmp_path / "out", epochs=1, fit="pad")
    assert fits == {"pad"}
    assert json.loads((tmp_path / "out" / "training.json").read_text())["options"]["fit"] == "pad"


def test_a_step_of_one_picture_with_a_batch_norm_of_vectors(colours: Path, tmp_path: Path) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8), nn.Linear(8, 4)
    )
    net = cs.load_model(seeded(lambda: module), input=SPEC)
    with pytest.raises(InputError, match="a batch of at least 2"):
        cs.train(net, colours, tmp_path / "out", frozen="none", batch=1, epochs=1)


def test_two_equal_trainings_leave_the_same_bytes(colours: Path, tmp_path: Path) -> None:
    files = ["network.safetensors", "network.pt2", "predictions.csv", "labels.txt"]
    for i in range(2):
        cs.train(odd("plain"), colours, tmp_path / str(i) / "out", epochs=1)
    for name in files:
        first, second = ((tmp_path / str(i) / "out" / name).read_bytes() for i in range(2))
        assert first == second, name

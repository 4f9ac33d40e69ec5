"""Names that could mean two things, modules that are no layers, layers of tokens, networks that change."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import convscope as cs
from convscope.taps.tap import Tap
from tests.networks import SPEC, noise, seeded


class Misnamed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.input, self.scores, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 5, 3), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.scores(self.input(x)).mean((2, 3)))  # type: ignore[no-any-return]


def test_modules_named_like_reserved_taps_have_an_underscore() -> None:
    net = cs.load_model(seeded(Misnamed), input=SPEC)
    assert [layer.name for layer in net.layers()] == ["input", "input_", "scores_", "head"]
    x = noise()
    found = cs.record(net, x, ["input", "input_", "scores_", "scores"])
    assert torch.equal(found["input"], net.spec.preprocess(x))
    assert found["input_"].shape == (len(x), 8, 30, 30)
    assert found["scores_"].shape[1] == 5
    assert found.scores.shape[1] == 4
    assert set(cs.activations(net, x[0]).arrays) == {"input", "input_", "scores_", "head"}
    assert cs.visualize(net, "input_:7", steps=1).arrays["values"].shape == (1,)


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = parametrizations.spectral_norm(nn.Conv2d(3, 8, 3))
        self.head = parametrizations.weight_norm(nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))  # type: ignore[no-any-return]


def test_what_computes_weights_is_no_layer() -> None:
    net = cs.load_model(seeded(Normalised), input=SPEC)
    assert [layer.name for layer in net.layers()] == ["input", "conv", "head"]
    assert not any(layer.container for layer in net.layers())
    assert net.recommended_layer().name == "conv"
    assert "conv" in cs.activations(net, noise()[0]).arrays


class Tokens(nn.Module):
    def __init__(self, wide: int = 8) -> None:
        super().__init__()
        self.patch, self.norm, self.head = nn.Conv2d(3, wide, 8, 8), nn.LayerNorm(wide), nn.Linear(wide, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.patch(x).flatten(2).transpose(1, 2)).mean(1))  # type: ignore[no-any-return]


def test_a_list_of_positions_is_the_map_that_it_was_made_of() -> None:
    module = seeded(lambda: Tokens(64)).eval()
    net = cs.load_model(module, input=SPEC)
    norm = net.layer("norm")
    assert (norm.channels, norm.shape, norm.tokens, norm.is_map) == (64, (64, 4, 4), False, True)
    assert net.recommended_layer().name == "norm"
    x = noise()
    with torch.no_grad():
        wanted = module.norm(module.patch(net.spec.preprocess(x)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[operator, union-attr]
    assert torch.allclose(cs.record(net, x, ["norm"])["norm"], wanted, atol=1e-5)
    first, last = (float(cs.visualize(net, "norm:40", steps=n).arrays["values"][0]) for n in (1, 12))
    assert last > first
    with pytest.raises(cs.ConvscopeError, match="channels are 0 to 7"):
        cs.visualize(cs.load_model(seeded(lambda: Tokens(8)), input=SPEC), "norm:12", steps=1)


def test_a_network_that_was_changed_says_to_load_it_again() -> None:
    module = seeded(Misnamed)
    net = cs.load_model(module, input=SPEC)
    net.layers()
    module.head = nn.Linear(5, 7)
    with pytest.raises(cs.ConvscopeError, match="load it again"):
        net.predict(np.zeros((32, 32, 3), np.float32))
    assert cs.load_model(module, input=SPEC).classes == 7


def test_a_class_named_by_a_number_is_found_by_name() -> None:
    net = cs.load_model(seeded(Misnamed), input=SPEC, labels=["1", "2", "3", "9"])
    assert net.class_index("1") == 0
    assert net.class_index("9") == 3
    assert net.class_index(1) == 1
    assert net.class_index("0") == 0
    assert cs.explain(net, noise()[0], 'class:"2"').facts["label"] == "2"
    assert cs.explain(net, noise()[0], "class:2").facts["label"] == "3"


@pytest.mark.parametrize(
    "objective",
    [
        cs.layer("a:b"), cs.channel("a:b", 3), cs.channel("a,b c", 0), cs.direction("x,y", [1, 2.5, -3]),
        cs.direction('q"(z', [1.0]), cs.neuron("a:0-3", 1, 2, 3), cs.layer("tv()"), cs.logit("1"), cs.logit(1),
    ],
)  # fmt: skip
def test_every_objective_reads_back(objective: cs.Objective) -> None:
    assert cs.parse_target(objective.text()) == objective


NUMBERS = """
import numpy as np, torch
import convscope as cs
from convscope.taps.tap import Tap
spec = cs.InputSpec(size=np.int64(32), range=(0, 1), mean=np.float32(0.5), std=np.float64(0.5))
module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
net = cs.load_model(module, input=spec)
made = cs.visualize(net, [np.int64(1), cs.logit(np.int64(2))], steps=np.int64(2), seed=np.int64(3))
assert made.recipe.options["target"] == ["class:1", "class:2"], made.recipe.options
assert made.recipe.options["steps"] == 2
assert cs.explain(net, np.zeros((32, 32, 3), np.float32), np.int64(1)).facts["target"] == "class:1"
"""


def test_numbers_of_numpy_are_numbers() -> None:
    """In a process of its own, where no hint is checked, as with users."""
    done = subprocess.run([sys.executable, "-c", NUMBERS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_keras_names_do_not_depend_on_what_was_loaded_before() -> None:
    first, second = (cs.load_model("keras:MobileNetV3Small", weights="none") for _ in range(2))
    assert [layer.name for layer in first.layers()] == [layer.name for layer in second.layers()]
    assert first.weights_hash() == second.weights_hash()


class Flat(nn.Module):
    """A residual network written out in one forward, with sums of three kinds and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, 4)
        self.one, self.two, self.three = (nn.Conv2d(6, 6, 3, padding=1) for _ in range(3))
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.one(x).relu()
        y = self.two(x)
        y += x
        x = torch.add(y, self.three(y)).relu()
        return self.head(torch.cat([x, x.square()], 1).mean((2, 3)))  # type: ignore[no-any-return]


def test_sums_that_no_module_gives_are_layers() -> None:
    """The law of the recommended layer holds for each of them, and they are what their functions gave."""
    module = seeded(Flat)
    net = cs.load_model(module, input=SPEC)
    names = [layer.name for layer in net.layers()]
    assert [name for name in names if name.startswith(("sum", "cat"))] == ["sum#0", "sum#1", "sum#2", "cat"]
    assert (net.layer("sum#1").kind, net.layer("sum#1").shape, net.layer("sum#1").parameters) == ("Sum", (6, 8, 8), 0)
    assert net.recommended_layer().name == "cat"
    one, two = noise(1), noise(2)
    with torch.no_grad():
        x = module.eval().stem(net.spec.preprocess(one))  # type: ignore[operator]
        x = x + module.one(x).relu()  # type: ignore[operator]
        first = cs.record(net, one, ["sum#0", "sum#1", "sum#2", "cat", "scores"])
        assert torch.allclose(first["sum#0"], x, atol=1e-6)
        for name in ("sum#0", "sum#1", "sum#2", "cat"):
            mixed = cs.record(net, two, ["scores"], replaced={Tap(name): first[name]})
            assert torch.allclose(mixed.scores, first.scores, atol=1e-5)


@pytest.mark.parametrize("layer", ["sum#0", "sum#1", "sum#2", "cat"])
def test_sums_are_asked_for_as_modules_are(layer: str) -> None:
    net = cs.load_model(seeded(Flat), input=SPEC)
    photo = noise()[0]
    heat = cs.explain(net, photo, 1, layer=layer, method="layer_cam", signed=True).arrays["coarse"]
    recording = cs.record(net, noise(), [layer, "scores"], gradients=True)
    gradient = recording.gradients(recording.scores[:, 1], [layer])[Tap(layer)]
    assert np.allclose(heat, (gradient.relu() * recording[layer]).sum(1)[0].detach().numpy(), atol=1e-6)
    assert heat.any()
    made = cs.visualize(net, f"{layer}:1", steps=3)
    assert np.isfinite(made.arrays["values"]).all()
    drops = cs.explain(net, photo, f"{layer}:2", method="occlusion", patch=8, stride=8)
    assert not any("whole picture" in note for note in drops.notes)
    assert drops.arrays["map"].any()
    assert cs.activations(net, photo, [layer]).arrays[layer].shape == net.layer(layer).shape

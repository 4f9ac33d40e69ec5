"""The network and the process are left as they were found, whatever a forward pass does."""

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import convscope as cs
from convscope.models.draws import repeatable
from tests.networks import SPEC, noise, seeded


class Writes(nn.Module):
    """A convolution and classes, and in between something that the pass writes of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 3)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("var", torch.ones(6))
        self.scale = nn.Parameter(torch.ones(6))
        self.calls, self.seen, self.kept = 0, None, []  # type: ignore[var-annotated]

    def wrote(self, y: Tensor) -> Tensor:
        return y

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.wrote(self.conv(x).relu()).mean((2, 3)))  # type: ignore[no-any-return]


class Counter(Writes):
    def wrote(self, y: Tensor) -> Tensor:
        self.count += 1
        return y * (1 + self.count)


class Replaced(Writes):
    def wrote(self, y: Tensor) -> Tensor:
        self.count = self.count + 1
        return y * (1 + self.count)


class ByData(Writes):
    def wrote(self, y: Tensor) -> Tensor:
        self.scale.data.mul_(1.1)
        return y * self.scale.view(1, -1, 1, 1)


class BatchStatistics(Writes):
    def wrote(self, y: Tensor) -> Tensor:
        return F.batch_norm(y, self.mean, self.var, training=True)


class OwnMode(Writes):
    def wrote(self, y: Tensor) -> Tensor:
        self.train()
        return y


class Attribute(Writes):
    def wrote(self, y: Tensor) -> Tensor:
        self.calls += 1
        self.seen = y.detach()
        self.kept.append(y.detach())
        return y * self.calls


KINDS: list[Callable[[], Writes]] = [Counter, Replaced, ByData, BatchStatistics, OwnMode, Attribute]
ASKS: dict[str, Callable[[cs.Network], Any]] = {
    "layers": lambda net: net.layers(),
    "predict": lambda net: net.predict(noise()[0]),
    "explain": lambda net: cs.explain(net, noise()[0], 1),
    "occlusion": lambda net: cs.explain(net, noise()[0], 1, method="occlusion"),
    "visualize": lambda net: cs.visualize(net, "conv:1", steps=2),
    "weights": lambda net: cs.weights(net, "conv"),
    "a wrong layer": lambda net: cs.explain(net, noise()[0], 1, layer="nope"),
}


def held(module: nn.Module) -> dict[str, Any]:
    """All that a module holds, copied."""
    found: dict[str, Any] = {name: value.clone() for name, value in module.state_dict(keep_vars=False).items()}
    for name, part in module.named_modules():
        found |= {f"{name}.training": part.training}
        found |= {f"{name}.{key}": value for key, value in vars(part).items() if key in ("calls", "seen", "scale")}
        found |= {f"{name}.kept": len(vars(part).get("kept", []))}
    return found


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(a, b) if isinstance(a, Tensor) else a == b
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_pass_writes_is_put_back(kind: Callable[[], Writes], ask: str) -> None:
    module = seeded(kind).train()
    before = held(module)
    net = cs.load_model(module, input=SPEC)
    for _ in range(2):
        try:
            ASKS[ask](net)
        except cs.ConvscopeError:
            assert ask == "a wrong layer"
        assert alike(before, held(module))


@pytest.mark.parametrize("kind", KINDS)
def test_and_each_pass_begins_from_the_same(kind: Callable[[], Writes]) -> None:
    net = cs.load_model(seeded(kind), input=SPEC)
    first, second = (cs.record(net, noise(), ["scores"]).scores for _ in range(2))
    assert torch.equal(first, second)


def test_spectral_norms_are_not_worked_on_by_looking_at_weights() -> None:
    module = seeded(
        lambda: nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(3, 8, 3)), nn.Flatten(), nn.Linear(7200, 2))
    )
    net = cs.load_model(module.train(), input=SPEC)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    cs.weights(net, "0")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.training


def test_weights_made_under_inference_mode_are_left_alone() -> None:
    with torch.inference_mode():
        module = seeded(
            lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        )
    module.train()
    net = cs.load_model(module, input=SPEC)
    assert len(net.layers()) == 6
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert len(net.predict(noise()[0])[0]) == 3
    assert np.isfinite(cs.explain(net, noise()[0], 1, method="occlusion").arrays["map"]).all()
    with pytest.raises(cs.ConvscopeError, match=r"made under torch.inference_mode\(\)"):
        cs.explain(net, noise()[0], 1, method="saliency")
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert module.training


class Drawing(nn.Module):
    """Draws from one of the three sources of random numbers."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.conv, self.head, self.source = nn.Conv2d(3, 6, 3), nn.Linear(6, 3), source

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        match self.source:
            case "dropout":
                y = F.dropout(y, 0.5, training=True)
            case "rand":
                y = y * torch.rand(y.shape[1:]) + torch.randn_like(y[:1]) * torch.randperm(6).view(1, 6, 1, 1)
            case "numpy":
                y = y * torch.from_numpy(np.random.rand(6, 1, 1).astype(np.float32))
            case "python":
                y = y * random.random()
        return self.head(y.mean((2, 3)))  # type: ignore[no-any-return]


SOURCES = ["dropout", "rand", "numpy", "python"]


def random_states() -> tuple[bytes, Any]:
    """Those of torch and NumPy; Python's is drawn from by what checks the types in these tests."""
    state = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), (state[1].tobytes(), state[2])  # type: ignore[index, union-attr]


def test_the_same_numbers_each_time() -> None:
    with repeatable(("python",)):
        first = random.random()
    with repeatable(("python", "numpy")):
        assert random.random() == first


@pytest.mark.parametrize("source", SOURCES)
def test_a_network_that_draws_is_noticed_draws_the_same_and_leaves_the_states(source: str) -> None:
    net = cs.load_model(seeded(lambda: Drawing(source)), input=SPEC)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        before = random_states()
        found.append(cs.explain(net, noise()[0], 1).arrays["map"])
        assert random_states() == before
    assert np.array_equal(*found)
    assert any("draws random numbers" in note for note in net.notes)


@pytest.mark.parametrize("source", SOURCES)
def test_a_network_that_draws_is_looked_at_one_picture_at_a_time(source: str) -> None:
    """Covering a picture with what it shows already changes nothing, at any position."""
    net = cs.load_model(seeded(lambda: Drawing(source)), input=SPEC)
    grey = torch.full((3, 32, 32), 0.5)
    assert np.abs(cs.explain(net, grey, 1, method="occlusion", value="grey").arrays["map"]).max() < 1e-6
    one, both = net.predict(noise()[0]), net.predict([noise(1)[0], noise()[0]])
    assert one[0][0].score == pytest.approx(both[1][0].score)


def test_attention_without_dropout_draws_nothing() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.attention, self.head = (
                nn.Conv2d(3, 8, 8, 8),
                nn.MultiheadAttention(8, 2, batch_first=True),
                nn.Linear(8, 3),
            )

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x).flatten(2).transpose(1, 2)
            y = y + F.scaled_dot_product_attention(y, y, y)
            return self.head(self.attention(y, y, y)[0].mean(1))  # type: ignore[no-any-return]

    assert cs.load_model(seeded(Attends), input=SPEC).notes == ()


def test_two_networks_in_two_threads_and_a_users_own_numbers() -> None:
    """Results are those of one thread, byte for byte; a thread that draws gets the numbers that it would have got."""
    nets = [cs.load_model(seeded(make), input=SPEC) for make in (Counter, lambda: Drawing("dropout"))]
    pictures = [noise(seed)[0] for seed in range(5)]
    wanted = [[cs.explain(net, picture, 1).arrays["map"] for picture in pictures] for net in nets]
    torch.manual_seed(77)
    own = [torch.rand(1).item() for _ in range(400)]
    torch.manual_seed(77)
    drawn: list[float] = []
    wrong: list[int] = []

    def work(which: int) -> None:
        for turn in range(40):
            found = cs.explain(nets[which], pictures[turn % 5], 1).arrays["map"]
            if found.tobytes() != wanted[which][turn % 5].tobytes():
                wrong.append(which)

    def draw() -> None:
        for _ in range(400):
            drawn.append(torch.rand(1).item())

    threads = [
        threading.Thread(target=work, args=(0,)),
        threading.Thread(target=work, args=(1,)),
        threading.Thread(target=draw),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert drawn == own

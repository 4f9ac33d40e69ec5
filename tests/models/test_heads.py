"""What counts as the end of a network: a softmax or sigmoid, module or function, whose output is the network's own."""

import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from tests.networks import SPEC, noise, seeded


class Excited(nn.Module):
    """A gate of sigmoids inside, plain logits at the end."""

    def __init__(self, channels: int = 128, classes: int = 128, again: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3)
        self.squeeze, self.sig = nn.Linear(channels, channels), nn.Sigmoid()
        self.head = nn.Linear(channels, classes)
        self.again = again

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        gate = self.sig(self.squeeze(y.mean((2, 3))))
        y = self.head((y * gate[:, :, None, None]).mean((2, 3)))
        return self.sig(y) if self.again else y


@pytest.mark.parametrize("size", [8, 64, 128, 1000])
def test_a_gate_is_no_head(size: int) -> None:
    for _ in range(5):  # memory that is given back may be taken again for the output
        net = cs.load_model(seeded(lambda: Excited(size, size)), input=SPEC)
        assert net._trace.heads == {}
        x = noise()
        with torch.no_grad():
            wanted = net.adapter.root.eval()(net.spec.preprocess(x))
        assert torch.allclose(cs.record(net, x, ["scores"]).scores, wanted, atol=1e-6)


def test_of_a_module_that_is_gate_and_head_only_the_last_call_is_the_head() -> None:
    net = cs.load_model(seeded(lambda: Excited(8, 4, again=True)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    found = cs.record(net, x, ["scores"])
    assert torch.allclose(found.probabilities, wanted, atol=1e-6)
    assert torch.allclose(found.scores, torch.logit(wanted), atol=1e-4)


class Ends(nn.Module):
    """A network that ends in a function."""

    def __init__(self, end: object, classes: int) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, classes)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.conv(x).mean((2, 3))))  # type: ignore[operator, no-any-return]


SIGMOIDS = [torch.sigmoid, F.sigmoid, lambda y: y.sigmoid(), lambda y: torch.sigmoid(y).view(y.shape)]
SOFTMAXES = [lambda y: torch.softmax(y, 1), lambda y: F.softmax(y, dim=1), lambda y: y.softmax(-1)]


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("end", SIGMOIDS)
def test_a_functional_sigmoid_is_seen(end: object, classes: int) -> None:
    net = cs.load_model(seeded(lambda: Ends(end, classes)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    found = cs.record(net, x, ["scores"])
    assert torch.allclose(found.probabilities, wanted, atol=1e-6)
    assert torch.allclose(found.scores, torch.logit(wanted), atol=1e-4)
    assert any("log-odds" in note for note in net.notes)
    assert any("log-odds" in note for note in cs.explain(net, x[0], 0).notes)


@pytest.mark.parametrize("end", SOFTMAXES)
def test_a_functional_softmax_is_seen(end: object) -> None:
    net = cs.load_model(seeded(lambda: Ends(end, 3)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    assert torch.allclose(cs.record(net, x, ["scores"]).probabilities, wanted, atol=1e-6)
    assert any("logarithms" in note for note in net.notes)


def test_what_is_done_after_a_sigmoid_makes_it_no_head() -> None:
    net = cs.load_model(seeded(lambda: Ends(lambda y: torch.sigmoid(y).mul_(2).sub_(1), 3)), input=SPEC)
    assert not net.ends_in_probabilities
    assert net.notes == ()


class Draws(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.conv(x), 0.5).mean((2, 3))


def test_a_network_that_draws_random_numbers_draws_the_same_and_says_so() -> None:
    net = cs.load_model(seeded(Draws), input=SPEC)
    maps = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        result = cs.explain(net, noise()[0], 0)
        assert torch.equal(torch.get_rng_state(), before)
        maps.append(result.arrays["map"])
    assert np.array_equal(*maps)
    assert any("draws random numbers" in note for note in result.notes)
    assert not any("random" in note for note in cs.load_model(seeded(lambda: Excited(8, 4)), input=SPEC).notes)


def test_two_handles_on_one_module_take_turns() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 30 * 30, 3))
    before = module[1].running_mean.clone()  # type: ignore[union-attr, operator]
    module.train()
    nets = [cs.load_model(module, input=SPEC) for _ in range(2)]

    def work(net: cs.Network) -> None:
        for _ in range(30):
            cs.record(net, noise(), ["scores"])

    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(module[1].running_mean, before)  # type: ignore[arg-type]
    assert module.training

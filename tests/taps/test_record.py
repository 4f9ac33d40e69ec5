"""Recording reads what flowed, stops early, and is not fooled by what happens later."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from convscope.taps.record import record
from convscope.taps.tap import Tap
from tests.networks import MODULES, SPEC, network, noise, seeded, shared


def prepared(x: Tensor) -> Tensor:
    return (x - 0.45) / 0.25


def load(module: nn.Module, **options: object) -> cs.Network:
    return cs.load_model(seeded(lambda: module), input=SPEC, **options)  # type: ignore[arg-type]


def test_values_are_those_of_the_network_by_hand() -> None:
    net = shared("plain")
    module = net.adapter.root
    with torch.no_grad():
        got = record(net, noise(), ["input", "conv1", "relu1", "conv2", "scores"])
        x = prepared(noise())
        first = F.conv2d(x, module.conv1.weight, module.conv1.bias, padding=1)
        second = F.conv2d(F.max_pool2d(first.relu(), 2), module.conv2.weight, module.conv2.bias, padding=1)
    assert torch.allclose(got["input"], x, atol=1e-6)
    assert torch.allclose(got["conv1"], first, atol=1e-6)
    assert torch.allclose(got["relu1"], first.relu(), atol=1e-6)
    assert torch.allclose(got["conv2"], second, atol=1e-6)
    assert torch.allclose(got.scores, module.head(second.relu().mean((2, 3))), atol=1e-6)


@pytest.mark.parametrize("kind", ["inplace", "functional"])
@pytest.mark.parametrize("gradients", [False, True])
def test_in_place_relu_does_not_overwrite_what_was_recorded(kind: str, gradients: bool) -> None:
    plain, tricky = shared("plain"), shared(kind)
    expected = record(plain, noise(), ["conv1", "conv2", "scores"])
    got = record(tricky, noise(), ["conv1", "conv2", "scores"], gradients=gradients)
    assert (got["conv2"] < 0).any()
    for tap in ("conv1", "conv2", "scores"):
        assert torch.allclose(got[tap], expected[tap], atol=1e-6)


def test_in_place_change_of_what_a_module_passed_through() -> None:
    """An Identity gives its input itself; what overwrites that later must not reach the recording."""

    class Passing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.same, self.head = nn.Conv2d(3, 4, 3), nn.Identity(), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            self.same(x)
            x += 100
            return self.head(x.mean((2, 3)))

    got = record(load(Passing()), noise(), ["same", "scores"])
    assert got["same"].abs().max() < 50


def test_reused_modules_are_told_apart_by_call() -> None:
    net = shared("reused")
    module = net.adapter.root
    got = record(net, noise(), ["relu#0", "relu#1", "again#0", "again#1"])
    with torch.no_grad():
        first = module.first(prepared(noise()))
        again = module.again(first.relu())
        pooled = F.avg_pool2d(again.relu(), 2)
        assert torch.allclose(got["relu#0"], first.relu(), atol=1e-6)
        assert torch.allclose(got["again#0"], again, atol=1e-6)
        assert torch.allclose(got["relu#1"], again.relu(), atol=1e-6)
        assert torch.allclose(got["again#1"], module.again(pooled), atol=1e-6)


def test_a_reused_module_must_be_named_with_its_call() -> None:
    with pytest.raises(cs.ConvscopeError, match="'relu' gives more than one output: say which, one of relu#0, relu#1"):
        record(shared("reused"), noise(), ["relu"])


def test_the_pass_stops_after_the_last_tap() -> None:
    net = network("plain")
    ran: list[str] = []
    for name, module in net.adapter.modules().items():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    net.layers()
    ran.clear()
    record(net, noise(), ["conv1"])
    assert ran == ["conv1"]
    ran.clear()
    record(net, noise(), ["relu1", "conv1"])
    assert ran == ["conv1", "relu1"]


@pytest.mark.parametrize("kind", MODULES)
def test_gradients_equal_those_of_autograd(kind: str) -> None:
    """With respect to every layer at once, against a hand-made pass with retain_grad."""
    net = shared(kind)
    taps = [layer.name for layer in net.layers() if layer.module != "input"]
    with torch.enable_grad():
        got = record(net, noise(), [*taps, "scores"], gradients=True)
        ours = got.gradients(got.scores[:, 1])
        for name in taps:
            one = record(net, noise(), [name, "scores"], gradients=True)
            alone = one.gradients(one.scores[:, 1])
            assert (Tap(name) in alone) == (Tap(name) in ours)
            if alone:
                assert torch.allclose(ours[Tap(name)], alone[Tap(name)], atol=1e-6), name
    assert len(ours) >= len(taps) - 2
    assert any(gradient.abs().max() > 0 for gradient in ours.values())


def test_gradient_with_respect_to_a_layer_by_hand() -> None:
    net = shared("plain")
    module = net.adapter.root
    got = record(net, noise(), ["conv2", "scores"], gradients=True)
    gradient = got.gradients(got.scores[:, 3], ["conv2"])[Tap("conv2")]
    positions = gradient.shape[2] * gradient.shape[3]
    expected = module.head.weight[3].view(1, -1, 1, 1) / positions * (got["conv2"] > 0)
    assert torch.allclose(gradient, expected.detach(), atol=1e-7)


def test_no_gradient_is_ever_computed_for_weights() -> None:
    net = network("residual")
    got = record(net, noise(), ["stem", "scores"], gradients=True)
    got.gradients(got.scores[:, 0])
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.adapter.root.parameters())


class Several(nn.Module):
    """Tuple and dict outputs, inside and at the end."""

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, dict[str, int], Tensor]:
            y = self.conv(x)
            return y, {"not": 1}, y * 2

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.a, self.b = self.Inside(), nn.Linear(4, 3), nn.Linear(4, 7)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y, _, z = self.inside(x)
        return {"shape": self.a(y.mean((2, 3))), "colour": self.b(z.mean((2, 3)))}


def test_tuple_outputs_are_addressed_by_position() -> None:
    net = load(Several(), output="colour")
    got = record(net, noise(), ["inside[0]", "inside[2]", "inside.conv", "scores"], gradients=True)
    assert torch.equal(got["inside[2]"], got["inside[0]"] * 2) or torch.allclose(got["inside[2]"], got["inside[0]"] * 2)
    assert got.scores.shape == (1, 7)
    assert got.gradients(got.scores[:, 0])[Tap("inside[2]")].abs().max() > 0


def test_several_outputs_must_be_chosen_from() -> None:
    net = load(Several())
    assert record(net, noise(), ["inside[0]"])["inside[0]"].shape == (1, 4, 30, 30)
    assert set(cs.activations(net, noise(), "inside*").arrays) == {"inside.conv", "inside[0]", "inside[2]"}
    assert cs.visualize(net, "inside[0]:1", steps=2).arrays["images"].shape[0] == 1
    assert cs.weights(net, "inside.conv").arrays["weights"].shape == (4, 3, 3, 3)
    with pytest.raises(cs.ConvscopeError, match=r"several outputs of class scores \(shape: 3, colour: 7\): say which"):
        net.predict(noise())
    with pytest.raises(cs.ConvscopeError, match="no output named 'colours'; near matches: colour"):
        load(Several(), output="colours").predict(noise())


@pytest.mark.parametrize("form", ["module", "functional"])
def test_scores_are_logits_whatever_ends_the_network(form: str) -> None:
    plain = seeded(MODULES["plain"])

    class Ending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.softmax = plain, nn.Softmax(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.softmax(self.body(x)) if form == "module" else self.body(x).softmax(1)

    net = cs.load_model(Ending(), input=SPEC)
    with torch.no_grad():
        logits = plain.eval()(prepared(noise()))
        scores = record(net, noise(), ["scores"]).scores
    assert net.ends_in_probabilities is (form == "functional")
    expected = logits if form == "module" else logits.log_softmax(1)
    assert torch.allclose(scores, expected, atol=1e-5)
    assert net.predict(noise())[0][0].probability == pytest.approx(float(logits.softmax(1).max()), abs=1e-6)


def test_unknown_layer_names_the_near_ones() -> None:
    with pytest.raises(cs.ConvscopeError, match="no layer named 'conv3'; near matches: conv2, conv1") as caught:
        record(shared("plain"), noise(), ["conv3"])
    assert caught.value.near[0] in ("conv1", "conv2")  # type: ignore[attr-defined]


def test_two_threads_do_not_hear_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    net = shared("residual")
    with torch.no_grad():
        expected = [record(net, noise(seed), ["conv", "scores"])["conv"] for seed in range(8)]
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda seed: _quietly(net, seed), range(8)))
    for one, other in zip(expected, got, strict=True):
        assert torch.equal(one, other)


def _quietly(net: cs.Network, seed: int) -> Tensor:
    with torch.no_grad():
        return record(net, noise(seed), ["conv", "scores"])["conv"]

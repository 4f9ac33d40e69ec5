"""A folded pass gives the same, sees what it must, and is dropped where it would not."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from convscope.models.folding import PLAIN
from tests.networks import MODULES, SPEC, network, noise


def trained(module: nn.Module) -> nn.Module:
    """Batch norms with statistics that are not those of a new one."""
    generator = torch.Generator().manual_seed(3)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.copy_(torch.randn(part.num_features, generator=generator))
            part.running_var.copy_(0.5 + torch.rand(part.num_features, generator=generator))
            if not part.affine:
                continue
            with torch.no_grad():
                part.weight.copy_(0.5 + torch.rand(part.num_features, generator=generator))
                part.bias.copy_(torch.randn(part.num_features, generator=generator))
    return module


class Normed(nn.Module):
    def __init__(self, *, skip: bool = False, flat: bool = False, again: bool = False) -> None:
        super().__init__()
        self.one, self.norm1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.two, self.norm2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, affine=False)
        self.head = nn.Linear(8 * 16 if flat else 8, 4)
        self.skip, self.flat, self.again = skip, flat, again

    def forward(self, x: Tensor) -> Tensor:
        first = self.one(x)
        y = F.relu(self.norm1(first))
        if self.skip:
            y = y + first  # the convolution's own output is used beside the norm
        y = self.norm2(self.two(y))
        if self.again:
            y = self.two(F.relu(y))
        y = F.adaptive_avg_pool2d(F.relu(y), 4)
        return self.head(y.view(len(y), -1) if self.flat else y.mean((2, 3)))


def made(**how: bool) -> cs.Network:
    torch.manual_seed(0)
    return cs.load_model(trained(Normed(**how)), input=SPEC)


def both(net: cs.Network, layers: list[str]) -> None:
    plain = cs.record(net, noise(), [*layers, "scores"])
    folding = cs.record(net, noise(), [*layers, "scores"], folding=net.folding())
    for tap, tensor in plain.items():
        assert torch.allclose(folding[tap], tensor, atol=1e-4 * float(tensor.std()) + 1e-6), str(tap)


@pytest.mark.parametrize("kind", MODULES)
def test_every_kind_of_network_gives_the_same(kind: str) -> None:
    net = network(kind)
    both(net, [layer.name for layer in net.layers() if not layer.container])


def test_norms_are_folded_and_each_layer_is_still_its_own() -> None:
    net = made()
    assert len(net.folding().pairs) == 2
    both(net, ["norm1", "norm2"])
    both(net, ["one", "two"])


def test_gradients_are_the_same() -> None:
    net = made()
    grads = []
    for folding in (PLAIN, net.folding()):
        x = noise().requires_grad_()
        scores = cs.record(net, x, ["scores"], folding=folding).scores
        grads.append(torch.autograd.grad(scores[:, 2].sum(), x)[0])
    assert torch.allclose(*grads, atol=1e-4 * float(grads[0].std()))
    assert float(grads[0].std()) > 0


def test_a_convolution_that_is_used_twice_or_elsewhere_is_not_folded() -> None:
    assert made(skip=True).folding().pairs == ()
    both(made(skip=True), ["one", "norm2"])
    again = made(again=True)
    assert len(again.folding().pairs) == 1
    both(again, ["two#0", "two#1"])


def test_a_network_that_needs_its_memory_format_keeps_it() -> None:
    net = made(flat=True)
    assert len(net.folding().pairs) == 2
    assert not net.folding().channels_last
    both(net, ["norm2"])


def test_changed_weights_are_seen() -> None:
    net = made()
    both(net, ["norm1"])
    with torch.no_grad():
        net.adapter.root.one.weight.mul_(3)
        net.adapter.root.norm1.running_mean.add_(1)
    both(net, ["norm1"])


def test_the_embedded_network_is_folded_throughout(lite0: cs.Network, photograph: str) -> None:
    assert len(lite0.folding().pairs) == 49
    x = lite0.photograph(photograph).tensor()
    plain, folding = (cs.record(lite0, x, ["scores"], folding=folding).scores for folding in (PLAIN, lite0.folding()))
    assert torch.allclose(plain, folding, atol=1e-3)


class Shared(nn.Module):
    """One batch norm behind two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.norm = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.two(F.relu(self.norm(self.one(x))))).mean((2, 3))  # type: ignore[no-any-return]


def test_a_norm_that_is_used_twice_is_not_folded() -> None:
    net = cs.load_model(trained(Shared()), input=SPEC)
    assert len(net.folding().pairs) == 0
    both(net, ["one", "two", "norm#1"])


def test_each_folding_sees_the_network_as_it_is() -> None:
    net = made()
    net.folding()
    net.adapter.root.norm1.eps = 1.0
    net.adapter.root.one.weight.data.mul_(5)
    both(net, ["norm1"])

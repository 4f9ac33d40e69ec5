"""A layer as a function: its values, its gradients, its errors."""

import pytest
import torch

import convscope as cs
from tests.networks import DEEP, MODULES, noise, shared


@pytest.mark.parametrize("kind", MODULES)
def test_it_is_the_layer_and_gradients_flow(kind: str) -> None:
    net, layer = shared(kind), DEEP[kind]
    pictures = noise(n=2).requires_grad_()
    maps = cs.activation_model(net, layer)(pictures)
    assert torch.equal(maps, cs.record(net, noise(n=2), [layer])[layer])
    assert torch.equal(cs.activation_model(net, layer, 3)(pictures), maps[:, 3])
    (gradient,) = torch.autograd.grad(maps.square().mean(), pictures)
    uphill, step = gradient / gradient.norm(), 0.05
    with torch.no_grad():
        up, down = (cs.activation_model(net, layer)(noise(n=2) + s * step * uphill) for s in (1, -1))
    slope = float((up.square().mean() - down.square().mean()) / (2 * step))
    assert float(gradient.norm()) == pytest.approx(slope, rel=0.03)


def test_what_is_not_there_is_told_at_once() -> None:
    with pytest.raises(cs.ConvscopeError, match="no layer named 'conv9'"):
        cs.activation_model(shared("plain"), "conv9")
    with pytest.raises(cs.ConvscopeError, match="channel 12 is not in 'conv2'; its channels are 0 to 11"):
        cs.activation_model(shared("plain"), "conv2", 12)

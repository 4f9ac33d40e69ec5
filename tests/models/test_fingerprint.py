"""The cheap state of a network's weights: the same while nothing changed, another once something has."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from convscope.models.fingerprint import Fingerprint


def body() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 4, 3).to(memory_format=torch.channels_last)
    )


def _replace(net: nn.Sequential) -> None:
    net[0].weight.data = net[0].weight.data.clone() + 1


def _swap(net: nn.Sequential) -> None:
    net[0] = nn.Conv2d(3, 5, 3)


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "in place, seen by autograd": lambda net: net[0].weight.detach().mul_(2),
    "past autograd": lambda net: net[0].weight.data.mul_(2),
    "past autograd, channels last": lambda net: net[2].weight.data.add_(1),
    "a buffer": lambda net: net[1].running_var.data.add_(1),
    "to NaN": lambda net: net[2].bias.data.fill_(float("nan")),
    "another tensor": _replace,
    "another module": _swap,
    "eps": lambda net: setattr(net[1], "eps", 1.0),
    "another type": lambda net: net.half(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_state_changes_with_the_weights_and_with_nothing_else(change: str) -> None:
    net = body()
    fingerprint = Fingerprint(net)
    before = fingerprint.state()
    assert fingerprint.state() == before
    with torch.no_grad():
        net.eval()(torch.rand(1, 3, 9, 9))
    assert fingerprint.state() == before
    CHANGES[change](net)
    after = fingerprint.state()
    assert after != before
    assert fingerprint.state() == after


def test_nan_is_the_same_as_itself() -> None:
    net = body()
    net[0].weight.data.fill_(float("nan"))
    fingerprint = Fingerprint(net)
    assert fingerprint.state() == fingerprint.state()
    assert Fingerprint(nn.Sequential(nn.ReLU(), nn.LazyConv2d(3, 3))).state() is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.complex64, torch.bool, torch.int64])
def test_buffers_of_odd_types(dtype: torch.dtype) -> None:
    net = nn.Module()
    net.register_buffer("odd", torch.ones(3, 3).to(dtype))
    net.register_buffer("none", torch.zeros(0, dtype=dtype))
    fingerprint = Fingerprint(net)
    before = fingerprint.state()
    assert isinstance(net.odd, torch.Tensor)
    net.odd.data.zero_()
    assert fingerprint.state() != before

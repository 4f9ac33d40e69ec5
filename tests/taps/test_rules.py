"""The rule that wakes silent units: which pictures, which rectifiers, and nothing else."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convscope.taps.rules import redirected

RECTIFIERS: dict[str, tuple[Callable[[Tensor], Tensor], float, float]] = {
    "F.relu": (F.relu, 0, float("inf")),
    "torch.relu": (torch.relu, 0, float("inf")),
    "method": (lambda x: x.relu(), 0, float("inf")),
    "in place": (lambda x: F.relu(x, inplace=True), 0, float("inf")),
    "method in place": (lambda x: x.relu_(), 0, float("inf")),
    "relu6": (F.relu6, 0, 6),
    "module": (nn.ReLU6(inplace=True), 0, 6),
    "hardtanh": (F.hardtanh, -1, 1),
    "clamp": (lambda x: x.clamp(min=0), 0, float("inf")),
    "clip": (lambda x: torch.clip(x, 0.0, 2.0), 0, 2),
}


@pytest.mark.parametrize("name", RECTIFIERS)
def test_only_silent_pictures_that_asked_get_a_gradient(name: str) -> None:
    act, low, high = RECTIFIERS[name]
    below, inside = low - 3.0, low + 0.5
    # Three pictures: silent and asked for; silent and not asked for; partly awake.
    x = torch.tensor([[below, below], [below, below], [below, inside]], requires_grad=True)
    up = torch.tensor([[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]])
    with redirected(torch.tensor([True, False, True])):
        y = act(x * 1.0)
    assert torch.equal(y, x.detach().clamp(low, high)), "the forward pass is the network's own"
    (gradient,) = torch.autograd.grad(y, x, up)
    assert gradient.tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, -1.0]]


def test_a_picture_that_sits_at_the_top_is_let_down() -> None:
    x = torch.full((1, 3), 9.0, requires_grad=True)
    with redirected(torch.tensor([True])):
        y = F.relu6(x * 1.0)
    (gradient,) = torch.autograd.grad(y, x, torch.tensor([[1.0, -2.0, 0.0]]))
    assert gradient.tolist() == [[0.0, -2.0, 0.0]]


def test_looks_of_a_picture_follow_it() -> None:
    x = torch.full((4, 1), -1.0, requires_grad=True)
    with redirected(torch.tensor([False, True])):
        y = (x * 1.0).relu()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.flatten().tolist() == [0, 0, 1, 1]


def test_outside_it_nothing_is_changed() -> None:
    x = torch.full((2, 1), -1.0, requires_grad=True)
    with redirected(torch.tensor([True, True])):
        pass
    (gradient,) = torch.autograd.grad(F.relu(x).sum(), x)
    assert gradient.flatten().tolist() == [0, 0]

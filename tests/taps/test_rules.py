"""The rule that wakes silent units: which pictures, which rectifiers, and nothing else."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convscope.errors import InputError
from convscope.taps.rules import deconvolved, guided, redirected

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
    "clamp in place": (lambda x: x.clamp_(min=0), 0, float("inf")),
    "clip in place": (lambda x: torch.clip_(x, 0, 6), 0, 6),
    "clamp_min in place": (lambda x: x.clamp_min_(0), 0, float("inf")),
    "hardtanh in place": (F.hardtanh_, -1, 1),
    "threshold": (lambda x: F.threshold(x, 0, 0), 0, float("inf")),
    "threshold module": (nn.Threshold(0, 0, inplace=True), 0, float("inf")),
    "maximum": (lambda x: torch.maximum(x, torch.zeros(())), 0, float("inf")),
    "maximum of": (lambda x: torch.maximum(torch.tensor(0.0), x), 0, float("inf")),
    "max": (lambda x: torch.max(x, torch.tensor([0.0])), 0, float("inf")),
    "bounds as tensors": (lambda x: x.clamp(torch.tensor(0.0), torch.tensor(4.0)), 0, 4),
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


@pytest.mark.parametrize("rule", [guided, deconvolved])
@pytest.mark.parametrize("name", RECTIFIERS)
def test_guided_rules_act_on_every_rectifier(name: str, rule: Callable[[], AbstractContextManager[None]]) -> None:
    act, low, high = RECTIFIERS[name]
    x = torch.tensor([low - 3.0, low + 0.5, low - 3.0, low + 0.5], requires_grad=True)
    with rule():
        y = act(x * 1.0)
        (gradient,) = torch.autograd.grad(y, x, torch.tensor([1.0, 1.0, -1.0, -1.0]))
    assert torch.equal(y, x.detach().clamp(low, high))
    assert gradient.tolist() == ([0, 1, 0, 0] if rule is guided else [1, 1, 0, 0])


@pytest.mark.parametrize(
    "other",
    [
        lambda x: F.threshold(x, 0.1, 5.0), lambda x: torch.maximum(x, torch.ones(4)), lambda x: x.max(0).values,
        lambda x: torch.max(x), lambda x: torch.max(x, 0).values, lambda x: F.leaky_relu(x),
    ],
)  # fmt: skip
def test_what_is_no_rectifier_is_left_alone(other: Callable[[Tensor], Tensor]) -> None:
    x = torch.tensor([-1.0, 0.5, 2.0, 3.0], requires_grad=True)
    with pytest.raises(InputError, match="there is none"), guided():
        (found,) = torch.autograd.grad(other(x * 1.0).sum(), x)
    (wanted,) = torch.autograd.grad(other(x * 1.0).sum(), x)
    assert torch.equal(found, wanted)


def test_outside_it_nothing_is_changed() -> None:
    x = torch.full((2, 1), -1.0, requires_grad=True)
    with redirected(torch.tensor([True, True])):
        pass
    (gradient,) = torch.autograd.grad(F.relu(x).sum(), x)
    assert gradient.flatten().tolist() == [0, 0]

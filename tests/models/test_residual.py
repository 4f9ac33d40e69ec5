"""Residual branches: which sums have one, and that less of the gradient comes back through it."""

import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.models.residual import damped
from convscope.synthesis.ascent import value_and_gradient
from convscope.synthesis.transforms import Plain

SPEC = cs.InputSpec(size=16, range=(0, 1), mean=0.0, std=1.0)


class Block(nn.Module):
    """x plus a branch, added in one of the ways that people write it."""

    def __init__(self, how: str, strided: bool = False) -> None:
        super().__init__()
        self.how = how
        step = 2 if strided else 1
        self.one = nn.Conv2d(4, 4, 3, padding=1, stride=step)
        self.two = nn.Conv2d(4, 4, 3, padding=1)
        self.past = nn.Conv2d(4, 4, 1, stride=step) if strided else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        branch, past = self.two(torch.tanh(self.one(x))), self.past(x)
        if self.how == "branch first":
            return branch + past
        if self.how == "branch last":
            return past + branch
        if self.how == "other=":
            return torch.add(past, other=branch)
        if self.how == "branch in place":
            branch += past
            return branch
        if self.how == "past in place":
            past = past.clone()
            past += branch
            return past
        raise ValueError(self.how)


WAYS = ("branch first", "branch last", "other=", "branch in place", "past in place")


class Whole(nn.Module):
    def __init__(self, how: str, strided: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.block = Block(how, strided)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.block(self.stem(x))).mean((2, 3))


def whole(how: str, strided: bool = False) -> Whole:
    torch.manual_seed(0)
    return Whole(how, strided)


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("how", WAYS)
def test_the_gradient_is_that_of_the_formula(how: str, share: float, strided: bool) -> None:
    """past + share * branch + what the branch is, as a number: written out."""
    module = whole(how, strided)
    net = cs.load_model(module, input=SPEC)
    assert [one is not None for one in net.branches] == [True]
    x = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    values, gradient = value_and_gradient(net, [cs.logit(1).bind(net)], x, Plain(), torch.Generator(), branches=share)
    leaf = x.clone().requires_grad_()
    seen = module.stem(leaf)
    branch, past = module.block.two(torch.tanh(module.block.one(seen))), module.block.past(seen)
    score = module.last(past + share * branch + ((1 - share) * branch).detach()).mean((2, 3))[0, 1]
    (expected,) = torch.autograd.grad(score, leaf)
    torch.testing.assert_close(values[0], score.detach())
    torch.testing.assert_close(gradient, expected)


class Others(nn.Module):
    """Sums that are no residuals: two branches of one length, a bias, a picture and itself."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.shift = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x) + self.two(x)
        x = x + self.shift
        return (x + x).mean((2, 3)) + 1


def test_other_sums_have_no_branch() -> None:
    assert set(cs.load_model(Others(), input=SPEC).branches) == {None}


def test_lite0_has_as_many_as_blocks_that_keep_their_shape(lite0: cs.Network) -> None:
    assert sum(one is not None for one in lite0.branches) == 9


def test_nothing_is_done_without_branches_or_with_all_of_the_gradient() -> None:
    for branches, share in (((None, None), 0.5), ((0, 1), 1.0)):
        with damped(branches, share):
            x = torch.ones(2, requires_grad=True)
            (gradient,) = torch.autograd.grad((x * 2 + x).sum(), x)
        assert gradient.tolist() == [3.0, 3.0]

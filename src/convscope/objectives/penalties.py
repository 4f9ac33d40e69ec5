"""Objectives that read the picture itself; they are used with a minus sign."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective, number_text
from convscope.taps.record import Recording
from convscope.taps.tap import Tap


@dataclass(frozen=True)
class _OfPicture(Objective):
    def taps(self) -> frozenset[Tap]:
        return frozenset()

    def bind(self, net: Network) -> Objective:
        return self


@dataclass(frozen=True)
class TotalVariation(_OfPicture):
    """How restless a picture is: the mean absolute difference between neighbours, across and down, added.

    Source: Rudin, Osher and Fatemi (1992), in the anisotropic form; pictures in [0,1], so the value is in [0,2].
    """

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        x = recording.pictures
        zero = x.new_zeros(x.shape[0])
        down = (x[:, :, 1:] - x[:, :, :-1]).abs().mean((1, 2, 3)) if x.shape[2] > 1 else zero
        across = (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean((1, 2, 3)) if x.shape[3] > 1 else zero
        return down + across

    def text(self) -> str:
        return "tv()"


@dataclass(frozen=True)
class Lp(_OfPicture):
    """The p-norm of a picture about mid grey, as a mean so that size does not matter: (mean |2x - 1|^p)^(1/p).

    In [0,1] for pictures in [0,1]. With p = 6 it holds back extreme colours (Mahendran and Vedaldi, 2015).
    """

    p: float = 6.0

    def __post_init__(self) -> None:
        if not self.p >= 1:
            raise InputError(f"the norm's p is {self.p:g}; expected at least 1")
        if math.isinf(self.p):
            raise InputError("the norm's p is inf; expected a finite number")

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        x = (2 * recording.pictures - 1).abs()
        return x.pow(self.p).mean((1, 2, 3)).clamp_min(1e-30).pow(1 / self.p)

    def text(self) -> str:
        return f"lp({number_text(self.p)})"


@dataclass(frozen=True)
class SquaredL2(_OfPicture):
    """The mean square of a picture about mid grey: mean (2x - 1)^2, in [0,1]."""

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        return (2 * recording.pictures - 1).square().mean((1, 2, 3))

    def text(self) -> str:
        return "l2sq()"


def total_variation() -> Objective:
    """The mean absolute difference between neighbouring pixels: `tv()`."""
    return TotalVariation()


def lp(p: float = 6.0) -> Objective:
    """The p-norm of the picture about mid grey: `lp(6)`."""
    return Lp(float(p))


def squared_l2() -> Objective:
    """The mean square of the picture about mid grey: `l2sq()`."""
    return SquaredL2()

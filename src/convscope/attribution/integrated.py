"""Integrated gradients, with as many steps as it takes to account for the whole difference of the scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.gradients import AT_ONCE
from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.taps.batching import in_batches, looks_at_once
from convscope.taps.record import record
from convscope.taps.tap import Tap

RuleName = Literal["gauss_legendre", "midpoint", "trapezoid", "left", "right"]
PIECE, PIECES = 5, 4
"""Points in each piece of the way, and pieces to begin with, where the steps are not given."""
AT_MOST = 128
"""Points of one Gauss-Legendre rule: of more there are several rules, side by side."""


def points_of(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Where on [0,1] a rule of integration looks, and what each point weighs."""
    i = np.arange(steps)
    match rule:
        case "gauss_legendre":
            several = np.array_split(i, -(-steps // AT_MOST))
            parts = [np.polynomial.legendre.leggauss(len(part)) for part in several]
            points = [
                (part[0] + len(part) * (1 + at) / 2) / steps for part, (at, _) in zip(several, parts, strict=True)
            ]
            weights = [len(part) / steps * w / 2 for part, (_, w) in zip(several, parts, strict=True)]
            return np.concatenate(points), np.concatenate(weights)
        case "midpoint":
            return (i + 0.5) / steps, np.full(steps, 1 / steps)
        case "left":
            return i / steps, np.full(steps, 1 / steps)
        case "right":
            return (i + 1) / steps, np.full(steps, 1 / steps)
        case "trapezoid":
            ends = np.where((i == 0) | (i == steps - 1), 0.5, 1.0)
            return i / max(1, steps - 1), ends / ends.sum()
        case _:
            raise InputError(f"the rule is {rule!r}; expected gauss_legendre, midpoint, trapezoid, left or right")


@dataclass(frozen=True)
class Integrated:
    """attribution: `c h w`, of the picture or of the layer. value, base: the objective on the picture and on the
    baseline. steps: how many gradients were computed."""

    attribution: Float[Tensor, "c h w"]
    value: float
    base: float
    steps: int

    @property
    def gap(self) -> float:
        """How far the attributions' sum is from what they should add up to, the difference of the two scores."""
        return float(self.attribution.double().sum()) - (self.value - self.base)


@torch.inference_mode(False)
def integrated_gradients(
    net: Network, image: Float[Tensor, "1 c h w"], objective: Objective, baseline: Float[Tensor, "1 c h w"], *,
    layer: str | None = None, steps: int | None = None, rule: RuleName = "gauss_legendre", tolerance: float = 0.01,
    most: int = 1000, seen: Callable[[int], None] = lambda steps: None,
) -> Integrated:  # fmt: skip
    """The gradient along the straight way from a baseline to the picture, times the way.

    layer: the way between the layer's activations for the two, in place of the pictures; what passes the layer by
    stays as it is for the picture. steps: so many points by `rule`; unless given, those pieces of the way are halved
    that make up most of the gap (what each piece should add up to is known from its ends) until the whole gap is at
    most `tolerance` of the difference, or `most` steps are done.

    Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017), equations 1 and 3.
    """
    way = _Way(net, image, objective, baseline, layer)
    if steps is not None:
        (whole,), _ = way.pieces([(0.0, 1.0)], *points_of(rule, steps), seen)
        return Integrated(whole, way.ends[1], way.ends[0], way.steps)
    pieces = [(i / PIECES, (i + 1) / PIECES) for i in range(PIECES)]
    points = points_of("gauss_legendre", PIECE)
    open_ = list(zip(pieces, *way.pieces(pieces, *points, seen), strict=True))
    total, settled = torch.zeros_like(way.whole[0]), 0.0
    allowed = tolerance * abs(way.ends[1] - way.ends[0])
    while open_ and way.steps + 2 * PIECE <= most:
        gap = settled + sum(piece[2] for piece in open_)
        if abs(gap) <= allowed:
            break
        open_.sort(key=lambda piece: -piece[2] * np.sign(gap))  # those that make up the gap come first
        chosen = open_[: min((most - way.steps) // (2 * PIECE), max(1, len(open_) // 3))]
        open_ = open_[len(chosen) :]
        halves = [half for piece, *_ in chosen for half in _halved(piece)]
        for piece in zip(halves, *way.pieces(halves, *points, seen), strict=True):
            if abs(piece[2]) < allowed * PIECE / (2 * most):  # together at most half of what is allowed
                total += piece[1]
                settled += piece[2]
            else:
                open_.append(piece)
    for _, part, _ in open_:
        total += part
    return Integrated(total, way.ends[1], way.ends[0], way.steps)


def _halved(piece: tuple[float, float]) -> list[tuple[float, float]]:
    middle = (piece[0] + piece[1]) / 2
    return [(piece[0], middle), (middle, piece[1])]


class _Way:
    """The straight way from the baseline to the picture, or from one's activations to the other's."""

    def __init__(self, net: Network, image: Tensor, objective: Objective, baseline: Tensor, layer: str | None) -> None:
        self.net, self.objective, self.image = net, objective, image
        self.tap = None if layer is None else Tap(layer)
        self.taps = sorted(objective.taps())
        self.quick = net.quickened()
        self.steps = 0
        needed = [*self.taps, *([self.tap] if self.tap else [])]
        with torch.no_grad():
            pictures = baseline.expand_as(image), image
            found = [record(net, picture, needed, way=self.quick) for picture in pictures]
            start, end = pictures if self.tap is None else (one[self.tap] for one in found)
            self.start, self.whole = start, end - start
            if self.tap is None:
                values = [objective.value(one) for one in found]
            else:
                values = [self._values(self._at([share])) for share in (0.0, 1.0)]
        self.ends = float(values[0]), float(values[1])
        self.known = {0.0: self.ends[0], 1.0: self.ends[1]}
        size = image.shape[-2], image.shape[-1]
        self.at_once = looks_at_once(net, needed, size, AT_ONCE)

    def pieces(
        self, pieces: Sequence[tuple[float, float]], points: np.ndarray, weights: np.ndarray,
        seen: Callable[[int], None],
    ) -> tuple[list[Float[Tensor, "c h w"]], list[float]]:  # fmt: skip
        """For each piece of the way the attributions on it, and how far these are from its own difference."""
        sums = [torch.zeros_like(self.whole[0]) for _ in pieces]
        places = [
            (i, a + (b - a) * p, (b - a) * w)
            for i, (a, b) in enumerate(pieces)
            for p, w in zip(points, weights, strict=True)
        ]

        def some(first: int, last: int) -> None:
            here = places[first:last]
            slopes = self._slopes([at for _, at, _ in here])
            for (piece, _, weight), gradient in zip(here, slopes, strict=True):
                sums[piece] += weight * gradient
            self.steps += len(here)
            seen(self.steps)

        self.at_once = in_batches(len(places), self.at_once, some, "integrated gradients")
        for one in sums:
            one *= self.whole[0]
        self._learn([end for piece in pieces for end in piece])
        parts = [float(one.double().sum()) for one in sums]
        return sums, [found - (self.known[b] - self.known[a]) for found, (a, b) in zip(parts, pieces, strict=True)]

    def _at(self, places: Sequence[float]) -> Tensor:
        shares = torch.tensor(places, dtype=self.start.dtype, device=self.start.device).view(-1, 1, 1, 1)
        return self.start + shares * self.whole

    def _values(self, x: Tensor) -> Tensor:
        """The objective where the way's values are `x`."""
        if self.tap is None:
            return self.objective.value(record(self.net, x, self.taps, way=self.quick))
        pictures = self.image.expand(len(x), -1, -1, -1)
        taps = dict.fromkeys([*self.taps, self.tap])
        return self.objective.value(record(self.net, pictures, taps, replaced={self.tap: x}, way=self.quick))

    def _slopes(self, places: Sequence[float]) -> Tensor:
        with torch.enable_grad():
            x = self._at(places).requires_grad_()
            values = self._values(x)
            found = torch.autograd.grad(values.sum(), x, allow_unused=True)[0] if values.requires_grad else None
        if found is None:
            raise InputError(
                f"{self.objective} does not depend on "
                + (f"{self.tap}: choose an earlier layer" if self.tap else "the picture: there is nothing to explain")
            )
        return found

    def _learn(self, places: Sequence[float]) -> None:
        """Find out the objective at these places, where it is not known yet."""
        unknown = sorted({at for at in places if at not in self.known})

        def some(first: int, last: int) -> None:
            with torch.no_grad():
                values = self._values(self._at(unknown[first:last])).tolist()
            self.known |= dict(zip(unknown[first:last], values, strict=True))

        in_batches(len(unknown), self.at_once, some, "integrated gradients")

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


def points_of(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Where on [0,1] a rule of integration looks, and what each point weighs."""
    i = np.arange(steps)
    match rule:
        case "gauss_legendre":
            points, weights = np.polynomial.legendre.leggauss(steps)
            return (1 + points) / 2, weights / 2
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
        total, _ = way.pieces([(0.0, 1.0)], *points_of(rule, steps), seen)
        return Integrated(total[0], way.ends[1], way.ends[0], way.steps)
    pieces = [(i / PIECES, (i + 1) / PIECES) for i in range(PIECES)]
    sums, gaps = way.pieces(pieces, *points_of("gauss_legendre", PIECE), seen)
    allowed = tolerance * abs(way.ends[1] - way.ends[0])
    while abs(sum(gaps)) > allowed and way.steps + 2 * PIECE <= most:
        room = (most - way.steps) // (2 * PIECE)
        worst = sorted(range(len(gaps)), key=lambda i: -gaps[i] * np.sign(sum(gaps)))  # those that make up the gap
        chosen = worst[: min(room, max(1, len(gaps) // 3))]
        halves = [half for i in chosen for half in _halved(pieces[i])]
        added, news = way.pieces(halves, *points_of("gauss_legendre", PIECE), seen)
        kept = [i for i in range(len(pieces)) if i not in chosen]
        pieces = [*(pieces[i] for i in kept), *halves]
        gaps = [*(gaps[i] for i in kept), *news]
        sums = torch.cat([sums[kept], added])
    return Integrated(sums.sum(0), way.ends[1], way.ends[0], way.steps)


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
            both = torch.cat([baseline.expand_as(image), image])
            found = record(net, both, needed, way=self.quick)
            ends = both if self.tap is None else found[self.tap]
            self.start, self.whole = ends[:1], ends[1:] - ends[:1]
            values = objective.value(found) if self.tap is None else self._values(self._at([0.0, 1.0]))
        self.ends = float(values[0]), float(values[1])
        self.known = {0.0: self.ends[0], 1.0: self.ends[1]}
        size = image.shape[-2], image.shape[-1]
        self.at_once = looks_at_once(net, needed, size, AT_ONCE)

    def pieces(
        self, pieces: Sequence[tuple[float, float]], points: np.ndarray, weights: np.ndarray,
        seen: Callable[[int], None],
    ) -> tuple[Float[Tensor, "n c h w"], list[float]]:  # fmt: skip
        """For each piece of the way the attributions on it, and how far these are from its own difference."""
        sums = torch.zeros((len(pieces), *self.whole.shape[1:]), device=self.whole.device)
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
        sums *= self.whole
        self._learn([end for piece in pieces for end in piece])
        parts = sums.double().flatten(1).sum(1).tolist()
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
                f"{self.objective} does not depend on {self.tap or 'the picture'}: choose an earlier layer"
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

"""Integrated gradients, with as many steps as it takes to account for the whole difference of the scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.gradients import AT_ONCE
from convscope.errors import InputError
from convscope.models.failures import backward_watched
from convscope.models.network import Network
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective
from convscope.taps.batching import in_batches, looks_at_once
from convscope.taps.record import record
from convscope.taps.tap import Tap

RuleName = Literal["gauss_legendre", "midpoint", "trapezoid", "left", "right"]
PIECES, AT_A_TIME = 31, 4
"""Pieces of the way to begin with, where the steps are not given; of how many one is halved at a time."""
ROUNDING = 16
"""How many units of the last place of a score its rounding may come to; a gap within that is none."""
KEPT = 500_000_000
"""Bytes of gradients that are kept until it is known how much each counts; more are computed once again in the end."""
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
    stays as it is for the picture. steps: so many points by `rule`. Unless given, the way is cut into trapezoids: each
    gradient comes with the value at its place, so what a piece should add up to is known, and those pieces are halved
    that make up most of the gap, until the whole gap is at most `tolerance` of the difference or `most` steps are done.

    Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017), equations 1 and 3.
    """
    way = _Way(net, image, objective, baseline, layer)
    if steps is None:
        total = _refined(way, tolerance, most, seen)
    else:
        total = torch.zeros_like(way.whole[0])
        weights = dict(zip(*(part.tolist() for part in points_of(rule, steps)), strict=True))

        def add(places: Sequence[float], gradients: Tensor) -> None:
            total.add_(weighted(gradients, [weights[at] for at in places]))

        way.look(list(weights), add, seen)
    return Integrated(total * way.whole[0], way.value(1.0), way.value(0.0), way.steps)


def _refined(way: "_Way", tolerance: float, most: int, seen: Callable[[int], None]) -> Float[Tensor, "c h w"]:
    """The mean gradient along the way, by trapezoids that are halved where the gap is.

    How much a gradient counts is known when no piece beside it is halved any more. Until then it is kept, or, beyond
    KEPT, computed again in the end: to go on, only its slope along the way is needed. Pieces whose gaps cannot matter
    are settled on the way.
    """
    total = torch.zeros_like(way.whole[0])
    kept: dict[float, Tensor] = {}
    slopes: dict[float, float] = {}
    room = KEPT // max(1, total.numel() * total.element_size())

    def take(places: Sequence[float], gradients: Tensor) -> None:
        along = (gradients * way.whole).double().flatten(1).sum(1).tolist()
        for at, gradient in zip(places, gradients, strict=True):
            if len(kept) < room:
                kept[at] = gradient.clone()
        slopes.update(zip(places, along, strict=True))

    def gap(a: float, b: float) -> float:
        return (slopes[a] + slopes[b]) / 2 * (b - a) - (way.value(b) - way.value(a))

    ends = [i / PIECES for i in range(PIECES)] + [1.0]
    way.look(ends, take, seen)
    pieces = {piece: gap(*piece) for piece in pairwise(ends)}
    weights = dict.fromkeys(ends, 0.0)
    settled, allowed = 0.0, max(tolerance * abs(way.value(1.0) - way.value(0.0)), way.rounding)
    later: dict[float, float] = {}

    def settle(several: list[tuple[float, float]]) -> float:
        """These pieces stay as they are; gradients that no other piece needs are added. Returns their gaps' sum."""
        for a, b in several:
            for at in (a, b):
                weights[at] = weights.get(at, 0.0) + (b - a) / 2
        gaps = sum(pieces.pop(piece) for piece in several)
        needed = {at for piece in pieces for at in piece}
        for at in [at for at in weights if at not in needed]:
            weight = weights.pop(at)
            if at in kept:
                total.add_(weight * kept.pop(at))
            else:
                later[at] = weight
        return gaps

    while pieces and way.steps < most:
        whole = settled + sum(pieces.values())
        if abs(whole) <= allowed:
            break
        worst = sorted(
            pieces, key=lambda piece: -pieces[piece] * np.sign(whole)
        )  # those that make up the gap come first
        gains = np.cumsum([abs(pieces[piece]) for piece in worst])
        enough = 1 + int(np.searchsorted(gains, abs(whole) - allowed / 2))
        chosen = worst[: min(enough, max(1, len(worst) // AT_A_TIME), most - way.steps)]
        middles = [(a + b) / 2 for a, b in chosen]
        way.look(middles, take, seen)
        for (a, b), middle in zip(chosen, middles, strict=True):
            del pieces[a, b]
            pieces |= {half: gap(*half) for half in ((a, middle), (middle, b))}
        settled += settle([piece for piece, found in pieces.items() if abs(found) < allowed / (2 * most)])
    settle(list(pieces))

    def add(places: Sequence[float], gradients: Tensor) -> None:
        total.add_(weighted(gradients, [later[at] for at in places]))

    way.look(list(later), add, seen)
    return total


def weighted(gradients: Float[Tensor, "n c h w"], weights: Sequence[float]) -> Float[Tensor, "c h w"]:
    """The sum of gradients, each times its weight."""
    return (gradients.new_tensor(weights).view(-1, 1, 1, 1) * gradients).sum(0)


class _Way:
    """The straight way from the baseline to the picture, or from one's activations to the other's."""

    def __init__(self, net: Network, image: Tensor, objective: Objective, baseline: Tensor, layer: str | None) -> None:
        self.net, self.objective, self.image = net, objective, image
        self.tap = None if layer is None else Tap(layer)
        self.taps = sorted(objective.taps())
        self.quick = net.quickened()
        self.steps = 0
        needed = [*self.taps, *([self.tap] if self.tap else [])]
        self.start, end = baseline.expand_as(image), image
        if self.tap is not None:
            with torch.no_grad():
                self.start, end = (record(net, x, [self.tap], way=self.quick)[self.tap] for x in (self.start, end))
        self.whole = end - self.start
        self.known: dict[float, float] = {}
        self.at_once = looks_at_once(net, needed, (image.shape[-2], image.shape[-1]), AT_ONCE)

    def look(
        self, places: Sequence[float], take: Callable[[Sequence[float], Float[Tensor, "n c h w"]], None],
        seen: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Hand over the gradients at these places, batch by batch; the values there are known from then on."""

        def some(first: int, last: int) -> None:
            here = places[first:last]
            values, gradients = self._slopes(here)
            take(here, gradients)
            self.known |= dict(zip(here, values, strict=True))
            self.steps += len(here)
            seen(self.steps)

        self.at_once = in_batches(len(places), self.at_once, some, "integrated gradients")

    def value(self, at: float) -> float:
        """The objective at a place."""
        if at not in self.known:
            with torch.no_grad():
                self.known[at] = float(self._values(self._at([at]))[0])
        return self.known[at]

    @property
    def rounding(self) -> float:
        """What the rounding of floats may make of the difference that the attributions are to add up to."""
        return ROUNDING * torch.finfo(self.start.dtype).eps * max(abs(self.value(0.0)), abs(self.value(1.0)))

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

    def _slopes(self, places: Sequence[float]) -> tuple[list[float], Tensor]:
        with torch.enable_grad():
            x = self._at(places).requires_grad_()
            values = self._values(x)
            with backward_watched(self.net.name):
                found = torch.autograd.grad(values.sum(), x, allow_unused=True)[0] if values.requires_grad else None
        if found is None:
            raise no_gradient(self.net, self.image, self.objective, self.tap)
        check_finite(found, self.objective)
        return values.tolist(), found

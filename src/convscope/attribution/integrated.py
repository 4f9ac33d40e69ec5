"""Integrated gradients, with as many steps as it takes to account for the whole difference of the scores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.fills import check_fill, filled, is_fill
from convscope.attribution.gradients import one_map
from convscope.attribution.integration_path import IntegrationPath
from convscope.attribution.layers import layer_for
from convscope.attribution.method import Attribution, Job, Method
from convscope.attribution.quadrature import RuleName, points_of
from convscope.errors import InputError
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective
from convscope.options import MOST_SEED, About

PIECES, AT_A_TIME = 31, 4
"""Intervals to begin with, where the steps are not given; of how many one is bisected at a time."""
KEPT = 500_000_000
"""Bytes of gradients that are kept until their weight is final; more are computed once again in the end."""
TOLERANCE = 0.01
"""The gap that is allowed unless one is given, in parts of the difference."""
ALLOWED = 0.05
"""The gap from which on a map says that it does not add up, unless more was allowed."""


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Method, name="integrated_gradients", title="integrated gradients", display="fine"):
    """The mean gradient along the straight path from a baseline to the picture, times the difference of the two.

    Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017), equations 1 and 3.
    """

    about: ClassVar[str] = "adds up to the difference from the baseline"
    layer_optional: ClassVar[bool] = True
    picture_options: ClassVar[Mapping[str, Callable[[str], bool]]] = {"baseline": is_fill}

    layer: Annotated[str | None, About("the layer whose activations are attributed", unset="the picture")] = None
    signed: Annotated[bool, About("keep what speaks against the target, below zero")] = True
    baseline: Annotated[
        str | float | ImageLike | Photograph,
        About("it is compared with: black, grey, white, mean, blur, noise, a colour as 1,0.5,0, or a picture"),
    ] = "black"
    steps: Annotated[int | None, About("points of the path", 1, 100000, unset="as many as the tolerance takes")] = None
    rule: Annotated[
        RuleName | None, About("how the points are placed, where steps are given", unset="gauss_legendre")
    ] = None
    tolerance: Annotated[
        float | None,
        About(
            "the gap allowed, as a share of the difference of the scores", 1e-6, 1, unset="0.01, if steps is not given"
        ),
    ] = None
    seed: Annotated[int, About("of the baseline noise", 0, MOST_SEED)] = 0

    def resolved(self, net: Network, objective: Objective | None) -> "IntegratedGradients":
        if self.steps is None and self.rule is not None:
            raise InputError("rule is for a number of steps that is given: give steps too, or leave the rule out")
        if self.steps is not None and self.tolerance is not None:
            raise InputError("steps and tolerance were both given; expected one: so many steps, or as many as it takes")
        if not self.pictures():
            check_fill(str(self.baseline), net.spec.channels, "baseline")
        adaptive = self.steps is None
        return replace(
            self,
            layer=None if self.layer is None else layer_for(net, objective, self.layer),
            rule=None if adaptive else self.rule or "gauss_legendre",
            tolerance=(self.tolerance or TOLERANCE) if adaptive else None,
        )

    def repeatable(self, facts: Mapping[str, Any]) -> "IntegratedGradients":
        return replace(self, steps=facts["steps"], rule=None, tolerance=None) if self.steps is None else self

    def run(self, job: Job) -> Iterator[Attribution]:
        objective, scores = job.settled()
        result = integrated_gradients(
            job.net,
            job.picture,
            objective,
            self._baseline(job),
            layer=self.layer,
            steps=self.steps,
            rule=self.rule or "gauss_legendre",
            tolerance=self.tolerance or TOLERANCE,
            seen=lambda done: job.progress(self.title, done, self.steps or 0),
        )
        difference = result.value - result.base
        share = abs(result.gap) / max(abs(difference), 1e-12)
        about = "" if share <= TOLERANCE else f"adds up to within {share:.0%} of the difference from the baseline"
        notes: tuple[str, ...] = ()
        if share > max(ALLOWED, self.tolerance or TOLERANCE):
            about = f"misses {share:.0%} of the difference from the baseline"
            notes = (
                f"the attributions miss {share:.0%} of the difference that they should add up to: take more steps, or "
                "another baseline",
            )
        yield Attribution(
            objective,
            result.value,
            one_map(result.attribution, signed=self.signed, magnitude=False),
            scores,
            pixels=result.attribution if self.layer is None else None,
            facts={
                "gap": result.gap,
                "difference": difference,
                "steps": result.steps,
                "baseline_score": result.base,
            },
            notes=notes,
            about=about,
        )

    def _baseline(self, job: Job) -> Float[Tensor, "1 c h w"]:
        if isinstance(self.baseline, Photograph):
            return self.baseline.tensor(job.net.device)
        generator = torch.Generator().manual_seed(self.seed)
        return filled(job.picture, str(self.baseline), generator, "baseline")


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
    net: Network,
    picture: Float[Tensor, "1 c h w"],
    objective: Objective,
    baseline: Float[Tensor, "1 c h w"],
    *,
    layer: str | None = None,
    steps: int | None = None,
    rule: RuleName = "gauss_legendre",
    tolerance: float = TOLERANCE,
    most: int = 1000,
    seen: Callable[[int], None] = lambda steps: None,
) -> Integrated:
    """The mean gradient along the straight path from a baseline to the picture, times the path.

    layer: the path between the layer's activations for the two, in place of the pictures; what bypasses the layer
    stays as it is for the picture. steps: so many points by `rule`. Unless given, the path is cut into trapezoids: each
    gradient comes with the value at its point, so what an interval should add up to is known, and those intervals are
    bisected that make up most of the gap, until the whole gap is at most `tolerance` of the difference or `most` steps
    are done. seen: told how many gradients are computed.
    """
    path = IntegrationPath(net, picture, objective, baseline, layer, seen)
    if steps is None:
        mean = Bisection(path, tolerance, most).mean_gradient()
    else:
        mean = torch.zeros_like(path.whole[0])
        weights = dict(zip(*(part.tolist() for part in points_of(rule, steps)), strict=True))

        def add(points: Sequence[float], gradients: Tensor) -> None:
            mean.add_(weighted(gradients, [weights[at] for at in points]))

        path.gradients(list(weights), add)
    return Integrated(mean * path.whole[0], path.value(1.0), path.value(0.0), path.steps)


class Bisection:
    """The mean gradient along a path by trapezoids, of which those are bisected where the gap is.

    The weight of a gradient is final once neither interval beside it will be bisected any more. Until then it is kept;
    beyond KEPT bytes it is dropped and computed again in the end: to go on, only its component along the path is
    needed. Intervals whose gaps cannot matter are settled on the way.
    """

    def __init__(self, path: IntegrationPath, tolerance: float, most: int) -> None:
        self.path, self.most = path, most
        self.total = torch.zeros_like(path.whole[0])
        self.room = KEPT // max(1, self.total.numel() * self.total.element_size())
        self.kept: dict[float, Tensor] = {}
        self.along: dict[float, float] = {}
        self.weights: dict[float, float] = {}
        self.later: dict[float, float] = {}
        self.settled = 0.0
        ends = [i / PIECES for i in range(PIECES)] + [1.0]
        path.gradients(ends, self._take)
        self.gaps = {piece: self._gap(*piece) for piece in pairwise(ends)}
        self.weights = dict.fromkeys(ends, 0.0)
        self.allowed = max(tolerance * abs(path.value(1.0) - path.value(0.0)), path.rounding)

    def mean_gradient(self) -> Float[Tensor, "c h w"]:
        """Bisect until the gap is allowed, and sum up."""
        while self.gaps and self.path.steps < self.most:
            gap = self.settled + sum(self.gaps.values())
            if abs(gap) <= self.allowed:
                break
            self._bisect(self._worst(gap))
            small = self.allowed / (2 * self.most)
            self._settle([piece for piece, gap in self.gaps.items() if abs(gap) < small])
        self._settle(list(self.gaps))
        self.path.gradients(list(self.later), self._add_later)
        return self.total

    def _worst(self, gap: float) -> list[tuple[float, float]]:
        """The intervals to bisect next: those that make up most of the gap."""
        worst = sorted(self.gaps, key=lambda piece: -self.gaps[piece] * np.sign(gap))
        gains = np.cumsum([abs(self.gaps[piece]) for piece in worst])
        enough = 1 + int(np.searchsorted(gains, abs(gap) - self.allowed / 2))
        return worst[: min(enough, max(1, len(worst) // AT_A_TIME), self.most - self.path.steps)]

    def _bisect(self, pieces: Sequence[tuple[float, float]]) -> None:
        middles = [(a + b) / 2 for a, b in pieces]
        self.path.gradients(middles, self._take)
        for (a, b), middle in zip(pieces, middles, strict=True):
            del self.gaps[a, b]
            self.gaps |= {half: self._gap(*half) for half in ((a, middle), (middle, b))}

    def _gap(self, a: float, b: float) -> float:
        """How far the trapezoid of an interval is from the difference of the values at its ends."""
        return (self.along[a] + self.along[b]) / 2 * (b - a) - (self.path.value(b) - self.path.value(a))

    def _take(self, points: Sequence[float], gradients: Tensor) -> None:
        along = (gradients * self.path.whole).double().flatten(1).sum(1).tolist()
        for at, gradient in zip(points, gradients, strict=True):
            if len(self.kept) < self.room:
                self.kept[at] = gradient.clone()
        self.along.update(zip(points, along, strict=True))

    def _settle(self, pieces: Sequence[tuple[float, float]]) -> None:
        """These intervals stay as they are; gradients that no other interval needs are added up."""
        for a, b in pieces:
            for at in (a, b):
                self.weights[at] = self.weights.get(at, 0.0) + (b - a) / 2
        self.settled += sum(self.gaps.pop(piece) for piece in pieces)
        needed = {at for piece in self.gaps for at in piece}
        for at in [at for at in self.weights if at not in needed]:
            weight = self.weights.pop(at)
            if at in self.kept:
                self.total.add_(weight * self.kept.pop(at))
            else:
                self.later[at] = weight

    def _add_later(self, points: Sequence[float], gradients: Tensor) -> None:
        self.total.add_(weighted(gradients, [self.later[at] for at in points]))


def weighted(gradients: Float[Tensor, "n c h w"], weights: Sequence[float]) -> Float[Tensor, "c h w"]:
    """The sum of gradients, each times its weight."""
    return (gradients.new_tensor(weights).view(-1, 1, 1, 1) * gradients).sum(0)

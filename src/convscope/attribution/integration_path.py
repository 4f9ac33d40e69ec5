"""The straight path from a baseline to a picture (or between their activations): values and gradients on it."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.gradients import AT_ONCE
from convscope.models.failures import backward_watched
from convscope.models.network import Network
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective
from convscope.taps.batching import images_at_once, in_batches
from convscope.taps.record import record
from convscope.taps.tap import Tap

ROUNDING = 16
"""How many units of the last place of a score its rounding may come to; a gap within that is none."""
Take = Callable[[Sequence[float], Float[Tensor, "n c h w"]], None]
"""Is given points of the path and the gradients there."""


class IntegrationPath:
    """The path. layer: between the layer's activations for the two, in place of the pictures.

    whole: the difference of its ends, `1 c h w`. known: the objective's values, by point in [0,1]. steps: how many
    gradients were computed.
    """

    def __init__(
        self,
        net: Network,
        picture: Float[Tensor, "1 c h w"],
        objective: Objective,
        baseline: Float[Tensor, "1 c h w"],
        layer: str | None,
        seen: Callable[[int], None],
    ) -> None:
        self.net, self.objective, self.picture, self.seen = net, objective, picture, seen
        self.tap = None if layer is None else Tap(layer)
        self.taps = sorted(objective.taps())
        self.folding = net.folding()
        self.steps = 0
        needed = [*self.taps, *([self.tap] if self.tap else [])]
        self.start, end = baseline.expand_as(picture), picture
        if self.tap is not None:
            with torch.no_grad():
                self.start, end = (
                    record(net, x, [self.tap], folding=self.folding)[self.tap] for x in (self.start, end)
                )
        self.whole = end - self.start
        self.known: dict[float, float] = {}
        self.at_once = images_at_once(net, needed, (picture.shape[-2], picture.shape[-1]), AT_ONCE)

    def gradients(self, points: Sequence[float], take: Take) -> None:
        """Hand over the gradients at these points, batch by batch; the values there are known from then on."""

        def work(first: int, last: int) -> None:
            here = points[first:last]
            values, gradients = self._gradients(here)
            take(here, gradients)
            self.known |= dict(zip(here, values, strict=True))
            self.steps += len(here)
            self.seen(self.steps)

        self.at_once = in_batches(len(points), self.at_once, work, "integrated gradients")

    def value(self, point: float) -> float:
        """The objective at a point."""
        if point not in self.known:
            with torch.no_grad():
                self.known[point] = float(self._values(self._at([point]))[0])
        return self.known[point]

    @property
    def rounding(self) -> float:
        """What the rounding of floats may make of the difference that the attributions are to add up to."""
        return ROUNDING * torch.finfo(self.start.dtype).eps * max(abs(self.value(0.0)), abs(self.value(1.0)))

    def _at(self, points: Sequence[float]) -> Tensor:
        shares = torch.tensor(points, dtype=self.start.dtype, device=self.start.device).view(-1, 1, 1, 1)
        return self.start + shares * self.whole

    def _values(self, x: Tensor) -> Tensor:
        """The objective where the path's values are `x`."""
        if self.tap is None:
            return self.objective.value(record(self.net, x, self.taps, folding=self.folding))
        pictures = self.picture.expand(len(x), -1, -1, -1)
        taps = dict.fromkeys([*self.taps, self.tap])
        return self.objective.value(record(self.net, pictures, taps, replaced={self.tap: x}, folding=self.folding))

    def _gradients(self, points: Sequence[float]) -> tuple[list[float], Tensor]:
        with torch.enable_grad():
            x = self._at(points).requires_grad_()
            values = self._values(x)
            with backward_watched(self.net.name):
                result = torch.autograd.grad(values.sum(), x, allow_unused=True)[0] if values.requires_grad else None
        if result is None:
            raise no_gradient(self.net, self.picture, self.objective, self.tap)
        check_finite(result, self.objective)
        return values.tolist(), result

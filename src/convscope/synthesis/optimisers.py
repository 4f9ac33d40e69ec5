"""Optimisers by name, over the parameters of an image."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.synthesis.ascent import Optimiser

OptimiserName = Literal["adam", "nadam", "rmsprop", "sgd", "lbfgs"]

TINY = 1e-18
"""Adam's own epsilon of 1e-8 would stop it on networks whose gradients are tiny, such as untrained ones."""
MEMORY = 10
"""The history of L-BFGS, in steps."""


def optimiser(name: OptimiserName, image: nn.Module, lr: float) -> Optimiser:
    """The optimiser of that name. L-BFGS takes steps of fixed length `lr`, with the safeguards of GuardedLBFGS."""
    parameters = list(image.parameters())
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, eps=TINY)
        case "nadam":
            return torch.optim.NAdam(parameters, lr=lr, eps=TINY)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=lr, eps=TINY)
        case "sgd":
            return torch.optim.SGD(parameters, lr=lr)
        case "lbfgs":
            return GuardedLBFGS(parameters, lr)


class GuardedLBFGS:
    """L-BFGS with steps of fixed length: one evaluation a step, where a line search takes several.

    Such steps now and then diverge. Where the loss is worse than the best so far by more than that one's size, the
    best parameters are restored, the history is cleared and the step length halved; it grows again, up to `lr`, with
    every new best.

    Source: Nocedal, "Updating Quasi-Newton Matrices with Limited Storage" (1980), as in torch.optim.LBFGS.
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float) -> None:
        self._parameters, self._lr, self._most_lr = parameters, lr, lr
        self._inner = self._fresh()
        self._best_loss: float | None = None
        self._best: list[Tensor] = []

    def _fresh(self) -> torch.optim.LBFGS:
        return torch.optim.LBFGS(
            self._parameters, lr=self._lr, max_iter=1, history_size=MEMORY, tolerance_grad=0, tolerance_change=0
        )

    def step(self, closure: Callable[[], Tensor]) -> object:
        """One step from where the parameters are, or from the best that they were."""
        loss = closure()
        value = float(loss)
        if self._best_loss is not None and value > self._best_loss + max(abs(self._best_loss), TINY):
            with torch.no_grad():
                for parameter, best in zip(self._parameters, self._best, strict=True):
                    parameter.copy_(best)
            self._lr /= 2
            self._inner = self._fresh()
            loss = closure()
        elif self._best_loss is None or value < self._best_loss:
            self._best_loss = value
            self._best = [parameter.detach().clone() for parameter in self._parameters]
            self._lr = min(self._most_lr, 1.2 * self._lr)
            self._inner.param_groups[0]["lr"] = self._lr
        return self._inner.step(lambda: loss)  # type: ignore[no-untyped-call]  # the gradients are in place

"""L-BFGS that goes back where a step led astray."""

import pytest
import torch
from torch import Tensor, nn

from convscope.synthesis.optimisers import GuardedLBFGS


def descend(start: list[float], rate: float, steps: int) -> tuple[nn.Parameter, list[float]]:
    """Rosenbrock's valley, where fixed steps of L-BFGS overshoot."""
    x = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimiser, seen = GuardedLBFGS([x], rate), []

    def closure() -> Tensor:
        x.grad = None
        loss: Tensor = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()  # type: ignore[no-untyped-call]
        seen.append(float(loss.detach()))
        return loss.detach()

    for _ in range(steps):
        optimiser.step(closure)
    return x, seen


@pytest.mark.parametrize("start", [[-1.2, 1.0], [2.0, -3.0], [0.0, 5.0]])
def test_it_reaches_the_bottom_of_a_bent_valley(start: list[float]) -> None:
    x, _ = descend(start, 1.0, 400)
    assert torch.allclose(x, torch.ones(2, dtype=torch.float64), atol=1e-3)


def test_it_goes_back_where_it_was_best() -> None:
    _, seen = descend([-1.2, 1.0], 1.0, 60)
    best = [min(seen[: i + 1]) for i in range(len(seen))]
    astray = [i for i, (loss, least) in enumerate(zip(seen[1:], best[:-1], strict=True), 1) if loss > 2 * least + 1e-18]
    assert astray
    assert all(seen[i + 1] == pytest.approx(best[i - 1]) for i in astray if i + 1 < len(seen))


def test_a_step_costs_one_look() -> None:
    x = nn.Parameter(torch.full((3,), 2.0))
    optimiser, calls = GuardedLBFGS([x], 1.0), 0

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        x.grad = x.detach().clone()
        return 0.5 * x.detach().square().sum()

    for _ in range(5):
        optimiser.step(closure)
    assert calls == 5
    assert float(x.detach().abs().max()) < 1e-3

"""Attribution by gradients with respect to the picture: plain, times the picture, under a rule, averaged over noise."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.models.failures import backward_watched
from convscope.models.network import Network
from convscope.models.quick import PLAIN, Quick
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective
from convscope.objectives.units import Logit
from convscope.taps.batching import in_batches
from convscope.taps.record import Recording, record
from convscope.taps.rules import Acting
from convscope.taps.tap import SCORES_TAP

AT_ONCE = 16
"""Pictures that are differentiated as one batch, at most: more are no quicker on a processor."""
Rule = Callable[[], AbstractContextManager[Acting]]
"""A rule for the way back; see taps/rules."""


@dataclass(frozen=True)
class Slope:
    """values: the objective of each picture. gradients: with respect to it, `n c h w`. scores: those of the classes,
    where they were looked at. note: what a reader has to know of the rule that was on; empty if nothing."""

    objective: Objective
    values: Float[Tensor, " n"]
    gradients: Float[Tensor, "n c h w"]
    scores: Float[Tensor, "n classes"] | None
    note: str = ""


def asked(objective: Objective | None, recording: Recording) -> Objective:
    """The objective, or where there is none the class that the network names first for the first picture."""
    return Logit(int(recording.scores[0].argmax())) if objective is None else objective


@torch.inference_mode(False)
def slope(
    net: Network, pictures: Float[Tensor, "n c h w"], objective: Objective | None, *, rule: Rule | None = None,
    way: Quick = PLAIN,
) -> Slope:  # fmt: skip
    """The gradient of an objective (of the first guess, if none is given) with respect to pictures.

    Raises InputError where the objective does not depend on them, NetworkError where the network cuts the gradient.
    """
    leaf = pictures.detach().clone().requires_grad_()
    with torch.enable_grad(), (rule or nullcontext)() as acting:
        recording = record(net, leaf, sorted(objective.taps()) if objective else [SCORES_TAP], way=way)
        objective = asked(objective, recording)
        values = objective.value(recording)
        gradient = None
        if values.requires_grad:
            with backward_watched(net.name):
                (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
        if gradient is None:
            raise no_gradient(net, pictures, objective)
    check_finite(gradient, objective)
    scores = recording.scores.detach() if SCORES_TAP in recording else None
    return Slope(objective, values.detach(), gradient, scores, acting.note if acting is not None else "")


def smoothed(
    attribute: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c h w"]], picture: Float[Tensor, "1 c h w"], *,
    samples: int, noise: float, at_once: int, generator: torch.Generator, seen: Callable[[int], None],
) -> Float[Tensor, "1 c h w"]:  # fmt: skip
    """The mean of any attribution over noisy copies of a picture.

    noise: the standard deviation, in parts of the picture's own range (greatest less least value). seen: told how
    many samples are done.

    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise" (2017), section 3.
    """
    spread = noise * float(picture.max() - picture.min())
    total = torch.zeros_like(picture)

    seeds = torch.randint(2**62, (samples,), generator=generator).tolist()  # so that batches make no difference

    def noisy(seed: int) -> Tensor:
        return picture + spread * torch.randn(picture.shape, generator=generator.manual_seed(seed)).to(picture.device)

    def some(first: int, last: int) -> None:
        found = attribute(torch.cat([noisy(seed) for seed in seeds[first:last]])).sum(0, keepdim=True)
        total.add_(found)
        seen(last)

    in_batches(samples, at_once, some, "noisy copies")
    return total / samples

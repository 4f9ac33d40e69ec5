"""The one ascent loop: every picture that is made by optimising the input is an image, looks at it, and objectives.

It is an iterator of steps, to be watched, stopped or gone on with at will. It shows, saves and catches nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import NetworkError
from convscope.models.memory import memory_watched
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.synthesis.images import Image
from convscope.synthesis.transforms import Transform
from convscope.taps.record import Recording, record


@dataclass(frozen=True)
class Step:
    """What one step did.

    index: from 0. values: the objective of each picture, as its looks gave it before the step, `(n,)`.
    moved: whether a gradient reached each picture, `(n,)`.
    """

    index: int
    values: Float[Tensor, " n"]
    moved: Tensor


@runtime_checkable
class Optimiser(Protocol):
    """What the loop asks of an optimiser over the image's parameters; those of torch.optim have it."""

    def step(self) -> object:
        """Move the parameters along their gradients."""


def ascend(
    net: Network,
    objectives: Sequence[Objective],
    image: Image,
    optimiser: Optimiser,
    *,
    transform: Transform,
    steps: int,
    generator: torch.Generator,
) -> Iterator[Step]:
    """Move each picture of `image` uphill on its own objective (bound to `net`), all of them as one batch.

    Raises NetworkError where a value is no longer finite, OutOfMemoryError where a step does not fit.
    """
    parameters = [parameter for parameter in image.parameters() if parameter.requires_grad]
    with torch.inference_mode(False):
        for index in range(steps):
            with memory_watched(f"a step of {len(objectives)} pictures"), torch.enable_grad():
                values = evaluate(net, objectives, image(), transform, generator)
                if not bool(torch.isfinite(values).all()):
                    told = "no longer finite; try a smaller rate" if index else "not finite from the start"
                    raise NetworkError(f"the objective is {told} (step {index})")
                gradients = torch.autograd.grad(-values.sum(), parameters, allow_unused=True)
            moved = torch.zeros(len(objectives), dtype=torch.bool)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient if gradient is not None else torch.zeros_like(parameter)
                moved |= parameter.grad.flatten(1).ne(0).any(1).cpu()
            optimiser.step()
            yield Step(index, values.detach(), moved)


def evaluate(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Float[Tensor, "n c h w"],
    transform: Transform,
    generator: torch.Generator,
) -> Float[Tensor, " n"]:
    """The objective of each picture, over the looks that `transform` takes at it."""
    looks = transform(pictures, generator)
    taps = sorted(frozenset().union(*(objective.taps() for objective in objectives)))
    recorded = dict(record(net, looks, taps)) if taps else {}
    recording = Recording(net, recorded, looks, pictures, transform.looks)
    return torch.cat([objective.value(recording.picture(i)) for i, objective in enumerate(objectives)])

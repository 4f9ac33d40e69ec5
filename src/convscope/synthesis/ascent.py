"""The one ascent loop: every picture that is made by optimising the input is an image, looks at it, and objectives.

It is an iterator of steps, to be watched, stopped or gone on with at will. It shows, saves and catches nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import NotFiniteError
from convscope.memory import memory_watched
from convscope.models.failures import backward_watched
from convscope.models.network import Network
from convscope.models.quick import PLAIN, Quick
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective, taps_of
from convscope.synthesis.images import Image
from convscope.synthesis.transforms import Looks, Transform
from convscope.taps.record import Recording, record
from convscope.taps.rules import redirected
from convscope.taps.tap import Tap


@dataclass(frozen=True)
class Beside:
    """What is looked at beside the pictures, by the same looks.

    companion: a photograph, `1 c h w`, that objectives compare with. guides: masks, `g c h w`, which the network is
    not shown.
    """

    companion: Float[Tensor, "1 c h w"] | None = None
    guides: Float[Tensor, "g c h w"] | None = None

    def joined(self, pictures: Tensor) -> Tensor:
        """The pictures, and behind them what is beside them."""
        beside = [tensor for tensor in (self.companion, self.guides) if tensor is not None]
        return torch.cat([pictures, *beside]) if beside else pictures


ALONE = Beside()
GradientChange = Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c h w"]]
RULED_STEPS = 16
"""For how many steps the gradient of a silent unit may be let through; after Lucid's figure."""


@dataclass(frozen=True)
class Step:
    """What one step did.

    index: from 0. values: the objective of each picture, as its looks gave it before the step, `(n,)`.
    moved: whether a gradient reached each picture, `(n,)`. ruled: whether it was one that the network's own
    activations would have blocked, `(n,)`.
    """

    index: int
    values: Float[Tensor, " n"]
    moved: Tensor
    ruled: Tensor


@runtime_checkable
class Optimiser(Protocol):
    """What the loop asks of an optimiser over the image's parameters; those of torch.optim have it."""

    def step(self, closure: Callable[[], Tensor]) -> object:
        """Move the parameters so that what `closure` computes, with its gradients, becomes less."""


def ascend(
    net: Network,
    objectives: Sequence[Objective],
    image: Image,
    optimiser: Optimiser,
    *,
    transform: Transform,
    steps: int,
    generator: torch.Generator,
    change: GradientChange | None = None,
    rule: bool = False,
    way: Quick = PLAIN,
    beside: Beside = ALONE,
) -> Iterator[Step]:
    """Move each picture of `image` uphill on its own objective (bound to `net`), all of them as one batch.

    change: what is done to the gradient with respect to the pictures before it goes on to the parameters.
    way: a quicker way to run the network, from Network.quickened.
    rule: let a gradient through the activations that block it, for pictures that none reaches, in the first steps.

    Raises NotFiniteError where a value is no longer finite, OutOfMemoryError where a step does not fit.
    """
    climber = _Climber(net, objectives, image, transform, generator, change, way, beside)
    silent = torch.zeros(len(objectives), dtype=torch.bool)
    for index in range(steps):
        helped = rule and 0 < index <= RULED_STEPS and bool(silent.any())
        climber.begin(index, silent if helped else None)
        with torch.inference_mode(False):
            optimiser.step(climber)
            image.settle()
        assert climber.found is not None
        values, moved = climber.found
        if index == 0:
            silent = ~moved
        yield Step(index, values, moved, silent & moved if helped else torch.zeros_like(moved))


@dataclass
class _Climber:
    """What an optimiser calls, once or several times a step: it sets the parameters' gradients."""

    net: Network
    objectives: Sequence[Objective]
    image: Image
    transform: Transform
    generator: torch.Generator
    change: GradientChange | None
    way: Quick
    beside: Beside
    index: int = 0
    helped: Tensor | None = None
    found: tuple[Tensor, Tensor] | None = None

    def begin(self, index: int, helped: Tensor | None) -> None:
        """A step begins. helped: which pictures get a gradient through what blocks it."""
        self.index, self.helped, self.found = index, helped, None

    def __call__(self) -> Tensor:
        """The loss. What the first call of a step found stays in `found`: the values, and which pictures move."""
        work = f"a step of {len(self.objectives)} pictures"
        guard = nullcontext() if self.helped is None else redirected(self.helped)
        with torch.inference_mode(False), torch.enable_grad(), memory_watched(work):
            pictures = self.image()
            values, slope = climb(
                self.net, self.objectives, pictures, self.transform, self.generator, guard, self.way, self.beside
            )
            if not bool(torch.isfinite(values).all()):
                told = "no longer finite; try a smaller lr" if self.index else "not finite from the start"
                raise NotFiniteError(f"the objective is {told} (step {self.index})")
            check_finite(slope, self.objectives[0])
            for parameter in self.image.parameters():
                parameter.grad = None
            pictures.backward(-(self.change(slope) if self.change else slope))
        if self.found is None:
            self.found = values, slope.flatten(1).ne(0).any(1).cpu()
        return -values.sum()


def climb(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Float[Tensor, "n c h w"],
    transform: Transform,
    generator: torch.Generator,
    guard: AbstractContextManager[None] | None = None,
    way: Quick = PLAIN,
    beside: Beside = ALONE,
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c h w"]]:
    """The objective of each picture, and its gradient with respect to the picture.

    The looks are taken part by part, each with its own way back, so that memory holds one part at a time. Objectives
    of statistics of the whole picture are told these first, in a pass of its own; each part then contributes the
    gradient of its share in them.
    """
    leaf = pictures.detach().requires_grad_()
    values: Tensor | None = None
    slope: Tensor | None = None
    with guard or nullcontext():
        for part in _parts(net, objectives, leaf, transform, generator, way, beside):
            if not part.requires_grad:
                raise no_gradient(net, leaf, objectives[0])
            with backward_watched(net.name):
                (gradient,) = torch.autograd.grad(part.sum(), leaf, allow_unused=True)
            values = part.detach() if values is None else values + part.detach()
            if gradient is not None:
                slope = gradient if slope is None else slope + gradient
    assert values is not None
    return values, torch.zeros_like(leaf) if slope is None else slope


def evaluate(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Float[Tensor, "n c h w"],
    transform: Transform,
    generator: torch.Generator,
    beside: Beside = ALONE,
) -> Float[Tensor, " n"]:
    """The objective of each picture, over the looks that `transform` takes at it."""
    return torch.stack(list(_parts(net, objectives, pictures, transform, generator, PLAIN, beside))).sum(0)


def _parts(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Tensor,
    transform: Transform,
    generator: torch.Generator,
    way: Quick,
    beside: Beside,
) -> Iterator[Float[Tensor, " n"]]:
    """The share that each part of the looks has in the value of each picture."""
    taps = taps_of(objectives)
    guides = 0 if beside.guides is None else len(beside.guides)

    def recorded(looks: Looks, means: dict[Objective, Tensor], compared: bool = True) -> Recording:
        end = len(looks.views) - guides * looks.each
        own = len(pictures) * looks.each
        found = dict(record(net, looks.views[:own], taps, way=way)) if taps else {}
        companion: dict[Tap, Tensor] = {}
        if compared and taps and own < end:
            with torch.no_grad():
                companion = dict(record(net, looks.views[own:end].detach(), taps, way=way))
        return Recording(
            net,
            found,
            looks.views[:own],
            pictures,
            looks.each,
            companion=companion,
            guides=looks.views[end:],
            means=means,
        )

    parts: Iterable[Looks] = transform.parts(beside.joined(pictures), generator)
    means: dict[Objective, Tensor] = {}
    if any(objective.gathers for objective in objectives):
        parts = list(parts)
        with torch.no_grad():
            for looks in parts if len(parts) > 1 else ():
                recording = recorded(looks, {}, compared=False)
                for i, objective in enumerate(objectives):
                    for key, mean in objective.gather(recording.picture(i)).items():
                        means[key] = means.get(key, 0) + looks.share * mean
    for looks in parts:
        recording = recorded(looks, means)
        values = [objective.value(recording.picture(i)) for i, objective in enumerate(objectives)]
        yield looks.share * torch.cat(values)

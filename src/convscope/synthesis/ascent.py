"""The one gradient-ascent loop: an image as parameters, a transform that shows it to the network, and objectives.

It is an iterator of steps; whoever iterates may watch, stop and resume. It shows, saves and catches nothing.
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
from convscope.models.folding import PLAIN, Folding
from convscope.models.network import Network
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective, taps_of
from convscope.synthesis.images import Image
from convscope.synthesis.transforms import Transform, Views
from convscope.taps.record import Recording, record
from convscope.taps.rules import redirected
from convscope.taps.tap import Tap


@dataclass(frozen=True)
class SideInputs:
    """Images that go through the same transform as the pictures.

    companion: a photograph, `1 c h w`, that objectives compare with. guides: masks, `g c h w`; the network is not
    shown them.
    """

    companion: Float[Tensor, "1 c h w"] | None = None
    guides: Float[Tensor, "g c h w"] | None = None

    def joined(self, pictures: Tensor) -> Tensor:
        """The pictures, then the side inputs, as one batch."""
        side = [tensor for tensor in (self.companion, self.guides) if tensor is not None]
        return torch.cat([pictures, *side]) if side else pictures


NO_SIDE_INPUTS = SideInputs()
GradientChange = Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c h w"]]
REDIRECT_STEPS = 16
"""For how many steps a silent unit's gradient may pass the activations that block it; as in Lucid."""


@dataclass(frozen=True)
class Step:
    """What one step did.

    index: from 0. values: the objective of each picture before the step, under the step's transform, `(n,)`.
    moved: whether a gradient reached each picture, `(n,)`. redirected: whether it was one that the network's own
    activations would have blocked, `(n,)`.
    """

    index: int
    values: Float[Tensor, " n"]
    moved: Tensor
    redirected: Tensor


@runtime_checkable
class Optimiser(Protocol):
    """An optimiser over the image's parameters, as those of torch.optim are."""

    def step(self, closure: Callable[[], Tensor]) -> object:
        """Move the parameters so that the loss that `closure` returns, and sets the gradients of, becomes smaller."""


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
    redirect: bool = False,
    folding: Folding = PLAIN,
    side: SideInputs = NO_SIDE_INPUTS,
    branches: float = 1.0,
) -> Iterator[Step]:
    """Maximise the objective of each picture of `image` (bound to `net`), all pictures as one batch.

    change: applied to the gradient with respect to the pictures before it is propagated to the parameters.
    redirect: in the first steps, let the gradient pass activations that block it, for pictures that get none.
    folding: the batch norms to fold, from Network.folding.
    side: images that objectives read beside the pictures.
    branches: how much of the gradient goes back through residual branches.

    Raises NotFiniteError where a value is no longer finite, OutOfMemoryError where a step does not fit.
    """
    closure = _Closure(net, objectives, image, transform, generator, change, folding, side, branches)
    silent = torch.zeros(len(objectives), dtype=torch.bool)
    for index in range(steps):
        redirecting = redirect and 0 < index <= REDIRECT_STEPS and bool(silent.any())
        closure.begin(index, silent if redirecting else None)
        with torch.inference_mode(False):
            optimiser.step(closure)
            image.project()
        assert closure.result is not None
        values, moved = closure.result
        if index == 0:
            silent = ~moved
        yield Step(index, values, moved, silent & moved if redirecting else torch.zeros_like(moved))


@dataclass
class _Closure:
    """The optimiser's closure, called once or several times a step: it sets the parameters' gradients."""

    net: Network
    objectives: Sequence[Objective]
    image: Image
    transform: Transform
    generator: torch.Generator
    change: GradientChange | None
    folding: Folding
    side: SideInputs
    branches: float
    index: int = 0
    redirect: Tensor | None = None
    result: tuple[Tensor, Tensor] | None = None

    def begin(self, index: int, redirect: Tensor | None) -> None:
        """A step begins. redirect: for which pictures the gradient passes activations that block it."""
        self.index, self.redirect, self.result = index, redirect, None

    def __call__(self) -> Tensor:
        """The loss. `result` keeps the first call of a step: the values, and which pictures got a gradient."""
        work = f"a step of {len(self.objectives)} pictures"
        rules = nullcontext() if self.redirect is None else redirected(self.redirect)
        with torch.inference_mode(False), torch.enable_grad(), memory_watched(work):
            pictures = self.image()
            values, gradient = value_and_gradient(
                self.net,
                self.objectives,
                pictures,
                self.transform,
                self.generator,
                rules,
                self.folding,
                self.side,
                self.branches,
            )
            if not bool(torch.isfinite(values).all()):
                when = "no longer finite; try a smaller lr" if self.index else "not finite from the start"
                raise NotFiniteError(f"the objective is {when} (step {self.index})")
            check_finite(gradient, self.objectives[0])
            for parameter in self.image.parameters():
                parameter.grad = None
            pictures.backward(-(self.change(gradient) if self.change else gradient))
        if self.result is None:
            self.result = values, gradient.flatten(1).ne(0).any(1).cpu()
        return -values.sum()


def value_and_gradient(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Float[Tensor, "n c h w"],
    transform: Transform,
    generator: torch.Generator,
    rules: AbstractContextManager[None] | None = None,
    folding: Folding = PLAIN,
    side: SideInputs = NO_SIDE_INPUTS,
    branches: float = 1.0,
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c h w"]]:
    """The objective of each picture, and its gradient with respect to the picture.

    Each part of the transform has its own forward and backward pass, so that memory holds one part at a time.
    Objectives that need statistics of the whole picture get them from a forward pass before; each part then adds the
    gradient of its share in them. rules: gradient rules that the passes run under. branches: how much of it goes
    back through residual branches.
    """
    leaf = pictures.detach().requires_grad_()
    values: Tensor | None = None
    gradient: Tensor | None = None
    with rules or nullcontext():
        for part in _parts(net, objectives, leaf, transform, generator, folding, side, branches):
            if not part.requires_grad:
                raise no_gradient(net, leaf, objectives[0])
            with backward_watched(net.name):
                (of_part,) = torch.autograd.grad(part.sum(), leaf, allow_unused=True)
            values = part.detach() if values is None else values + part.detach()
            if of_part is not None:
                gradient = of_part if gradient is None else gradient + of_part
    assert values is not None
    return values, torch.zeros_like(leaf) if gradient is None else gradient


def evaluate(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Float[Tensor, "n c h w"],
    transform: Transform,
    generator: torch.Generator,
    side: SideInputs = NO_SIDE_INPUTS,
) -> Float[Tensor, " n"]:
    """The objective of each picture under a transform."""
    return torch.stack(list(_parts(net, objectives, pictures, transform, generator, PLAIN, side))).sum(0)


def _parts(
    net: Network,
    objectives: Sequence[Objective],
    pictures: Tensor,
    transform: Transform,
    generator: torch.Generator,
    folding: Folding,
    side: SideInputs,
    branches: float = 1.0,
) -> Iterator[Float[Tensor, " n"]]:
    """What each part of the transform contributes to the value of each picture."""
    taps = taps_of(objectives)
    guides = 0 if side.guides is None else len(side.guides)

    def recorded(views: Views, means: dict[Objective, Tensor], compared: bool = True) -> Recording:
        end = len(views.images) - guides * views.each
        own = len(pictures) * views.each
        seen = views.images[:own]
        activations = dict(record(net, seen, taps, folding=folding, branches=branches)) if taps else {}
        companion: dict[Tap, Tensor] = {}
        if compared and taps and own < end:
            with torch.no_grad():
                companion = dict(record(net, views.images[own:end].detach(), taps, folding=folding))
        return Recording(
            net,
            activations,
            views.images[:own],
            pictures,
            views.each,
            companion=companion,
            guides=views.images[end:],
            means=means,
        )

    parts: Iterable[Views] = transform.parts(side.joined(pictures), generator)
    means: dict[Objective, Tensor] = {}
    if any(objective.gathers for objective in objectives):
        parts = list(parts)
        with torch.no_grad():
            for views in parts if len(parts) > 1 else ():
                recording = recorded(views, {}, compared=False)
                for i, objective in enumerate(objectives):
                    for key, mean in objective.gather(recording.picture(i)).items():
                        means[key] = means.get(key, 0) + views.share * mean
    for views in parts:
        recording = recorded(views, means)
        values = [objective.value(recording.picture(i)) for i, objective in enumerate(objectives)]
        yield views.share * torch.cat(values)

"""Attribution by gradients with respect to the picture: plain, times the picture, or under a backward rule."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.method import Attribution, Job, Method, first_guess_of
from convscope.models.failures import backward_watched
from convscope.models.folding import PLAIN, Folding
from convscope.models.network import Network
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective
from convscope.options import About
from convscope.taps.record import record
from convscope.taps.rules import Acting, deconvolved, guided
from convscope.taps.tap import SCORES_TAP

AT_ONCE = 16
"""Pictures that are differentiated as one batch, at most: more are no quicker on a processor."""
BackwardRule = Callable[[], AbstractContextManager[Acting]]
"""What is done to gradients on the way back; see taps/rules."""
GUIDED = (
    "guided methods change little when the network's late layers are replaced by random ones, so they tell of edges "
    "more than of the answer (Adebayo et al., 2018)"
)


@dataclass(frozen=True, kw_only=True)
class GradientMethod(Method):
    """A method whose attribution is a gradient with respect to the picture, or that times the picture.

    Its map is the channels' sum (what of it is positive, unless signed); of a mere gradient, which has no meaning as a
    sum, the greatest magnitude of the channels, unless signed.
    """

    rule: ClassVar[BackwardRule | None] = None
    times_picture: ClassVar[bool] = False
    """Whether the gradient is multiplied by the picture's difference from the neutral colour."""

    signed: Annotated[bool, About("keep what speaks against the target, below zero")] = False

    def run(self, job: Job) -> Iterator[Attribution]:
        result = self.gradient(job.net, job.picture, job.objective)
        pixels = self.attributed(job.net, job.picture, result)[0]
        yield self.attribution(result, pixels)

    def gradient(
        self, net: Network, pictures: Float[Tensor, "n c h w"], objective: Objective | None, folding: Folding = PLAIN
    ) -> "Gradient":
        """The gradient of an objective (of the first guess, if none is given) under the method's rule."""
        return gradient_of(net, pictures, objective, rule=type(self).rule, folding=folding)

    def attributed(self, net: Network, pictures: Tensor, found: "Gradient") -> Float[Tensor, "n c h w"]:
        """What each channel of each pixel is given."""
        if not self.times_picture:
            return found.gradients
        return found.gradients * (pictures - net.spec.neutral(pictures))

    def attribution(self, found: "Gradient", pixels: Float[Tensor, "c h w"], done: str = "") -> Attribution:
        """The result, of what each channel of each pixel is given."""
        notes = (found.note,) if found.note else ()
        shown = one_map(pixels, signed=self.signed, magnitude=not self.times_picture)
        value = float(found.values[0])
        return Attribution(found.objective, value, shown, found.scores, pixels=pixels, notes=notes, done=done)


def one_map(pixels: Float[Tensor, "c h w"], *, signed: bool, magnitude: bool) -> Float[Tensor, "h w"]:
    """The attributions of a picture's channels as one map: their sum (or what of it is positive); for `magnitude` the
    greatest of the channels, unless signed."""
    if magnitude and not signed:
        return pixels.abs().amax(0)
    return pixels.sum(0) if signed else pixels.sum(0).relu()


@dataclass(frozen=True, kw_only=True)
class Saliency(GradientMethod, name="saliency", title="saliency", display="fine"):
    """The gradient of the objective with respect to the picture.

    Source: Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks" (2013), section 3.
    """

    about: ClassVar[str] = "to which pixels the score is sensitive"


@dataclass(frozen=True, kw_only=True)
class InputXGradient(GradientMethod, name="input_x_gradient", title="input times gradient", display="fine"):
    """The gradient times the picture's difference from the neutral colour.

    Source: Shrikumar et al., "Not Just a Black Box" (2016).
    """

    about: ClassVar[str] = "first-order contributions"
    adds_up: ClassVar[bool] = True
    times_picture: ClassVar[bool] = True

    signed: Annotated[bool, About("keep what speaks against the target, below zero")] = True


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop(GradientMethod, name="guided_backprop", title="guided backpropagation", display="coloured"):
    """The gradient, of which each ReLU lets back only what is positive, where it was itself active.

    Source: Springenberg et al., "Striving for Simplicity" (2014), section 3.4.
    """

    about: ClassVar[str] = "fine detail, little of the answer"
    caveat: ClassVar[str] = GUIDED
    rule = staticmethod(guided)


@dataclass(frozen=True, kw_only=True)
class Deconvnet(GradientMethod, name="deconvnet", title="deconvnet", display="coloured"):
    """The gradient, of which each ReLU lets back only what is positive, whether it was active or not.

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 2.1.
    """

    about: ClassVar[str] = "a unit projected back to pixels"
    caveat: ClassVar[str] = GUIDED
    rule = staticmethod(deconvolved)


@dataclass(frozen=True)
class Gradient:
    """values: the objective of each picture. gradients: with respect to it, `n c h w`. scores: those of the classes,
    where they were computed. note: what a reader has to know of the rule; empty if nothing."""

    objective: Objective
    values: Float[Tensor, " n"]
    gradients: Float[Tensor, "n c h w"]
    scores: Float[Tensor, "n classes"] | None
    note: str = ""


@torch.inference_mode(False)
def gradient_of(
    net: Network,
    pictures: Float[Tensor, "n c h w"],
    objective: Objective | None,
    *,
    rule: BackwardRule | None = None,
    folding: Folding = PLAIN,
) -> Gradient:
    """The gradient of an objective (of the first guess, if none is given) with respect to pictures.

    Raises InputError where the objective does not depend on them, NetworkError where the network cuts the gradient.
    """
    leaf = pictures.detach().clone().requires_grad_()
    with torch.enable_grad(), (rule or nullcontext)() as acting:
        recording = record(net, leaf, sorted(objective.taps()) if objective else [SCORES_TAP], folding=folding)
        objective = first_guess_of(objective, recording)
        values = objective.value(recording)
        gradient = None
        if values.requires_grad:
            with backward_watched(net.name):
                (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
        if gradient is None:
            raise no_gradient(net, pictures, objective)
    check_finite(gradient, objective)
    scores = recording.scores.detach() if SCORES_TAP in recording else None
    return Gradient(objective, values.detach(), gradient, scores, acting.note if acting is not None else "")

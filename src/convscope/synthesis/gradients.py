"""Changes of the gradient before a step, written like `rms smooth(1) clip(2)`."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.images.filters import blurred
from convscope.synthesis.terms import Term, read_terms


@dataclass(frozen=True)
class Rms:
    """Divided by its root mean square over each picture, so that steps have one size whatever the network."""

    def __call__(self, gradient: Tensor) -> Tensor:
        size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
        return gradient / size.clamp_min(1e-30)


@dataclass(frozen=True)
class Clip:
    """Cut to [-most, most]."""

    most: float = 1.0

    def __call__(self, gradient: Tensor) -> Tensor:
        return gradient.clamp(-self.most, self.most)


@dataclass(frozen=True)
class Smooth:
    """Blurred by a Gaussian of this standard deviation in pixels, so that large structures come first."""

    sd: float = 1.0

    def __call__(self, gradient: Tensor) -> Tensor:
        return blurred(gradient, self.sd)


Change = Rms | Clip | Smooth


@dataclass(frozen=True)
class Changes:
    """Several changes, one after the other."""

    changes: tuple[Change, ...]

    def __call__(self, gradient: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        for change in self.changes:
            gradient = change(gradient)
        return gradient


def parse_changes(text: str) -> Changes | None:
    """The changes of a text such as `rms smooth(1)`; None for "" and "plain". Raises InputError."""
    try:
        read = [_change(term) for term in read_terms(text)]
    except ValueError:
        raise InputError(f"the gradient is {text!r}; expected 'plain' or some of rms, clip(1), smooth(1)") from None
    changes = tuple(change for change in read if change is not None)
    return Changes(changes) if changes else None


def _change(term: Term) -> Change | None:
    """The change that a term names; None for "plain". Raises ValueError."""
    match term.name, term.numbers():
        case "plain", []:
            return None
        case "rms", []:
            return Rms()
        case "clip", []:
            return Clip()
        case "smooth", []:
            return Smooth()
        case "clip", [float(most)] if 0 < most < math.inf:
            return Clip(most)
        case "smooth", [float(sd)] if 0 < sd < math.inf:
            return Smooth(sd)
    raise ValueError(term.text)

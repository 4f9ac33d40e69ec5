"""What is done to the gradient before a step, written like `rms smooth(1) clip(2)`."""

import re
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.synthesis.chain import blurred


@dataclass(frozen=True)
class Rms:
    """Divided by its root mean square over each picture, so that steps are of one size whatever the network."""

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
    """Blurred by a Gaussian of this standard deviation in pixels, so that large forms come before fine ones."""

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
    found: list[Change] = []
    for word in text.split():
        match = re.fullmatch(r"(rms|clip|smooth)(?:\(([\d.]+)\))?", word)
        if word == "plain":
            continue
        number = float(match[2]) if match and match[2] and match[2].count(".") < 2 else None
        if match is None or (match[2] and (number is None or number <= 0 or match[1] == "rms")):
            raise InputError(f"the gradient is {text!r}; expected 'plain' or some of rms, clip(1), smooth(1)")
        kind = match[1]
        found.append(Rms() if kind == "rms" else Clip(number or 1.0) if kind == "clip" else Smooth(number or 1.0))
    return Changes(tuple(found)) if found else None

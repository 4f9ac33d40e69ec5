"""Transforms as a chain of simple ones, written like `pad(12) jitter(8) scale(0.9,1.1) rotate(10) jitter(4)`.

Each draws from the generator once for the whole batch, and may change the size.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.images.filters import bilinear, blurred
from convscope.objectives.expression import number_text
from convscope.synthesis.terms import read_terms
from convscope.synthesis.transforms import OneBatch, turned


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


@dataclass(frozen=True)
class Pad:
    """A border of mid grey, `pixels` wide."""

    pixels: float = 12

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return F.pad(x, [int(self.pixels)] * 4, value=0.5)


@dataclass(frozen=True)
class Jitter:
    """A random window, `pixels` smaller on each side together: the picture shifts by up to that much."""

    pixels: float = 8

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        room = min(int(self.pixels), x.shape[2] - 1, x.shape[3] - 1)
        top, left = (int(torch.randint(room + 1, (), generator=generator)) for _ in range(2))
        return x[:, :, top : x.shape[2] - room + top, left : x.shape[3] - room + left]


@dataclass(frozen=True)
class Scale:
    """Random enlargement or reduction between two factors."""

    low: float = 0.9
    high: float = 1.1

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        factor = _uniform(self.low, self.high, generator)
        size = [max(1, round(side * factor)) for side in x.shape[-2:]]
        return bilinear(x, size)


@dataclass(frozen=True)
class Rotate:
    """A random rotation of up to `degrees` either way; what comes in from outside is the edge, mirrored."""

    degrees: float = 10

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return turned(x, math.radians(_uniform(-self.degrees, self.degrees, generator)))


@dataclass(frozen=True)
class Flip:
    """Mirrored left to right, with this probability."""

    probability: float = 0.5

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x.flip(3) if _uniform(0, 1, generator) < self.probability else x


@dataclass(frozen=True)
class Noise:
    """Normal noise of this standard deviation, for values in [0,1]."""

    sd: float = 0.05

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x + self.sd * torch.randn(x.shape[1:], generator=generator).to(x.device)


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur of this standard deviation in pixels."""

    sd: float = 1.0

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return blurred(x, self.sd)


Link = Pad | Jitter | Scale | Rotate | Flip | Noise | Blur
LINKS: dict[str, Callable[..., Link]] = {
    "pad": Pad,
    "jitter": Jitter,
    "scale": Scale,
    "rotate": Rotate,
    "flip": Flip,
    "noise": Noise,
    "blur": Blur,
}
ROBUST = "pad(12) jitter(8) scale(0.9,1.1) rotate(10) jitter(4)"
"""Close to the standard transforms of Lucid (Olah, Mordvintsev and Schubert, "Feature Visualization", 2017)."""


@dataclass(frozen=True)
class Chain(OneBatch):
    """Links applied in order, `views` times to each picture; the results are resized to `size` where that is given."""

    links: tuple[Link, ...]
    views: int = 1
    size: tuple[int, int] | None = None

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        size = self.size or (tuple(pictures.shape[-2:]) if self.views > 1 else None)
        images = []
        for _ in range(self.views):
            x = pictures
            for link in self.links:
                x = link(x, generator)
            if size is not None and tuple(x.shape[-2:]) != size:
                x = bilinear(x, size)
            images.append(x)
        return torch.stack(images, 1).flatten(0, 1) if self.views > 1 else images[0]

    def describe(self) -> dict[str, Any]:
        size = list(self.size) if self.size else None
        return {"kind": "chain", "links": chain_text(self.links), "looks": self.views, "size": size}


def parse_chain(text: str) -> tuple[Link, ...]:
    """The links of a text such as `pad(12) jitter(8)`. Raises InputError, naming what is not understood."""
    try:
        terms = read_terms(text)
    except ValueError:
        raise InputError(
            f"the transforms {text!r} have parentheses that are not balanced; expected such as {ROBUST!r}"
        ) from None
    links: list[Link] = []
    for term in terms:
        if term.name not in LINKS:
            raise InputError(
                f"the transform {term.text!r} is not known; expected some of {', '.join(LINKS)}, as in {ROBUST!r}"
            )
        try:
            numbers = [number for number in term.numbers() if number is not None]
            links.append(_checked(LINKS[term.name](*numbers), term.text))
        except (TypeError, ValueError):
            names = [field.name for field in fields(LINKS[term.name]())]
            raise InputError(f"the transform {term.text!r} has wrong numbers; expected ({', '.join(names)})") from None
    return tuple(links)


def _checked(link: Link, word: str) -> Link:
    values = [getattr(link, field.name) for field in fields(link)]
    if not all(math.isfinite(value) and 0 <= value <= 4096 for value in values):
        raise InputError(f"the transform {word!r} has numbers that cannot be; expected finite ones, from 0")
    if isinstance(link, Scale) and not 0 < link.low <= link.high:
        raise InputError(f"the transform {word!r} scales from {link.low} to {link.high}; expected 0 < low <= high")
    return link


def chain_text(links: Sequence[Link]) -> str:
    """The inverse of parse_chain."""
    names = {kind: name for name, kind in LINKS.items()}
    return " ".join(
        f"{names[type(link)]}({','.join(number_text(getattr(link, field.name)) for field in fields(link))})"
        for link in links
    )

"""Random transforms of the pictures being optimised, so that the result does not depend on one exact framing.

A transform takes pictures and a generator and gives `views` versions of each (crops, say), those of one picture
adjacent in the batch. Every picture gets the same random draws, so that a picture made in a batch is the picture made
alone.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.images.filters import bilinear
from convscope.images.sampling import sampled


@dataclass(frozen=True)
class Views:
    """What the network is shown in one step, or a part of it.

    images: `each` views of every picture, those of the first picture first. share: the weight of this part in the
    step; the shares of a step's parts add up to 1.
    """

    images: Float[Tensor, "m c h w"]
    each: int = 1
    share: float = 1.0


@runtime_checkable
class Transform(Protocol):
    """How the pictures of one step are shown to the network."""

    @property
    def views(self) -> int:
        """How many views of each picture are in memory at once."""

    def parts(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Iterator[Views]:
        """The views of one step, in parts: each is used and let go before the next is made."""

    def describe(self) -> dict[str, Any]:
        """The options as plain JSON values."""


class OneBatch(ABC):
    """A transform whose views are one batch: pictures `n c h w` to `n*views c h' w'`."""

    @property
    @abstractmethod
    def views(self) -> int:
        """How many views of each picture one call gives."""

    @abstractmethod
    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "m c hh ww"]:
        """The views, those of the first picture first; `parts` gives them as one part."""

    def parts(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Iterator[Views]:
        """All of them at once."""
        yield Views(self(pictures, generator), self.views)


@dataclass(frozen=True)
class Plain(OneBatch):
    """The pictures as they are."""

    views: int = 1

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        return pictures

    def describe(self) -> dict[str, Any]:
        return {"kind": "plain"}


@dataclass(frozen=True)
class Crops(OneBatch):
    """Random crops resized to one size: the target must be reached at every scale and place.

    views: crops of each picture in every step. size: their (height, width) in pixels, at most the picture's own.
    scale: least and greatest side of a crop, as a share of the picture's. rotate: greatest rotation, in radians.
    flip: mirror half of them. noise: standard deviation of normal noise added, for values in [0,1].
    """

    views: int = 4
    size: tuple[int, int] = (128, 128)
    scale: tuple[float, float] = (0.4, 1.0)
    rotate: float = 0.2
    flip: bool = True
    noise: float = 0.05

    def __post_init__(self) -> None:
        if self.views < 1 or not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise InputError(f"crops: {self.views} of scale {self.scale}; expected at least 1, 0 < low <= high <= 1")

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        k = self.views
        share = _uniform(k, *self.scale, generator)
        room = 1 - share
        x, y = (_uniform(k, -1, 1, generator) * room for _ in range(2))
        angle = _uniform(k, -self.rotate, self.rotate, generator)
        mirror = torch.where(torch.rand(k, generator=generator) < 0.5, -1.0, 1.0) if self.flip else torch.ones(k)
        images = _sampled(pictures, share, x, y, angle, mirror, self.size)
        return _noisy(images, self.views, self.noise, generator)

    def describe(self) -> dict[str, Any]:
        options = asdict(self)
        return {"kind": "crops", "looks": options.pop("views"), **options}  # the name that results are saved with


@dataclass(frozen=True)
class Wobble(OneBatch):
    """The whole picture, shifted, scaled and rotated a little: for units with a small receptive field.

    jitter: greatest shift in pixels. scale: least and greatest enlargement. rotate: greatest rotation, in radians.

    Source: the robustness transforms of Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017).
    """

    jitter: float = 8.0
    scale: tuple[float, float] = (0.9, 1.1)
    rotate: float = 0.17
    noise: float = 0.0

    @property
    def views(self) -> int:
        return 1

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        height, width = pictures.shape[-2:]
        share = 1 / _uniform(1, *self.scale, generator)
        x = _uniform(1, -self.jitter, self.jitter, generator) * 2 / width
        y = _uniform(1, -self.jitter, self.jitter, generator) * 2 / height
        angle = _uniform(1, -self.rotate, self.rotate, generator)
        images = _sampled(pictures, share, x, y, angle, torch.ones(1), (height, width))
        return _noisy(images, 1, self.noise, generator)

    def describe(self) -> dict[str, Any]:
        return {"kind": "wobble", **asdict(self)}


@dataclass(frozen=True)
class Sized(OneBatch):
    """Another transform, resized to one size: for networks that run at no other."""

    inner: Transform
    size: tuple[int, int]

    @property
    def views(self) -> int:
        return self.inner.views

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        (views,) = self.inner.parts(pictures, generator)
        return bilinear(views.images, self.size)

    def describe(self) -> dict[str, Any]:
        return {**self.inner.describe(), "size": list(self.size)}


def _uniform(k: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(k, generator=generator)


def _noisy(images: Tensor, views: int, sd: float, generator: torch.Generator) -> Tensor:
    """With normal noise: a different one on each view of a picture, the same for every picture."""
    if sd <= 0:
        return images
    noise = torch.randn((views, *images.shape[1:]), generator=generator).to(images.device)
    return images + sd * noise.repeat(images.shape[0] // views, 1, 1, 1)


def _sampled(
    pictures: Tensor,
    share: Tensor,
    x: Tensor,
    y: Tensor,
    angle: Tensor,
    mirror: Tensor,
    size: tuple[int, int],
) -> Tensor:
    """Views by one affine sampling: centres in [-1,1], shares of the side, angles, mirrorings; edges are reflected."""
    n, channels = pictures.shape[:2]
    height, width = pictures.shape[-2:]
    cos, sin = share * angle.cos(), share * angle.sin()
    aspect = height / width
    rows = torch.stack([mirror * cos, -sin * aspect, x, mirror * sin / aspect, cos, y], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), [len(share), channels, *size], align_corners=False).to(pictures)
    grid = grid.repeat(n, 1, 1, 1)
    repeated = pictures.repeat_interleave(len(share), 0) if len(share) > 1 else pictures
    return sampled(repeated, grid)


def turned(pictures: Float[Tensor, "n c h w"], angle: float) -> Float[Tensor, "n c h w"]:
    """The pictures rotated about their centre by an angle in radians; the edge is reflected."""
    one, none = torch.ones(1), torch.zeros(1)
    height, width = pictures.shape[-2:]
    return _sampled(pictures, one, none, none, torch.tensor([angle]), one, (height, width))


def smallest_side(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size` scaled so that its short side is `side`, but never enlarged."""
    factor = min(1.0, side / min(size))
    return math.ceil(size[0] * factor), math.ceil(size[1] * factor)

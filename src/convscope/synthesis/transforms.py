"""Random looks at the pictures being made, so that what is found holds from every side.

A transform takes pictures and a generator and gives `looks` views of each, side by side in the batch. The views are
the same for every picture, so that a picture made in a batch is the picture made alone.
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


@dataclass(frozen=True)
class Looks:
    """Some of the looks of one step. views: `each` of them for every picture, those of the first picture first.

    share: what they count for in the step; the shares of a step's parts add up to 1.
    """

    views: Float[Tensor, "m c h w"]
    each: int = 1
    share: float = 1.0


@runtime_checkable
class Transform(Protocol):
    """How pictures are looked at in one step."""

    @property
    def looks(self) -> int:
        """How many views of each picture are in memory at once."""

    def parts(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Iterator[Looks]:
        """The looks of one step; each part is dealt with before the next is made."""

    def describe(self) -> dict[str, Any]:
        """The options as plain JSON values."""


class Whole(ABC):
    """A transform whose looks are one part: pictures `n c h w` to `n*looks c h' w'`."""

    @property
    @abstractmethod
    def looks(self) -> int:
        """How many views of each picture one call gives."""

    @abstractmethod
    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "m c hh ww"]:
        """The views, those of the first picture first."""

    def parts(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Iterator[Looks]:
        """All of them at once."""
        yield Looks(self(pictures, generator), self.looks)


@dataclass(frozen=True)
class Plain(Whole):
    """The pictures as they are."""

    looks: int = 1

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        return pictures

    def describe(self) -> dict[str, Any]:
        return {"kind": "plain"}


@dataclass(frozen=True)
class Crops(Whole):
    """Random crops brought to one size: what is found must be found at every scale and place.

    looks: crops of each picture in every step. size: their (height, width) in pixels, at most the picture's own.
    scale: least and greatest side of a crop, as a share of the picture's. rotate: greatest turn, in radians.
    flip: mirror half of them. noise: standard deviation of normal noise added, for values in [0,1].
    """

    looks: int = 4
    size: tuple[int, int] = (128, 128)
    scale: tuple[float, float] = (0.4, 1.0)
    rotate: float = 0.2
    flip: bool = True
    noise: float = 0.05

    def __post_init__(self) -> None:
        if self.looks < 1 or not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise InputError(f"crops: {self.looks} of scale {self.scale}; expected at least 1, 0 < low <= high <= 1")

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        k = self.looks
        share = _uniform(k, *self.scale, generator)
        room = 1 - share
        x, y = (_uniform(k, -1, 1, generator) * room for _ in range(2))
        angle = _uniform(k, -self.rotate, self.rotate, generator)
        mirror = torch.where(torch.rand(k, generator=generator) < 0.5, -1.0, 1.0) if self.flip else torch.ones(k)
        views = _views(pictures, share, x, y, angle, mirror, self.size)
        return _noisy(views, self.looks, self.noise, generator)

    def describe(self) -> dict[str, Any]:
        return {"kind": "crops", **asdict(self)}


@dataclass(frozen=True)
class Wobble(Whole):
    """One view of the whole picture, shifted, scaled and turned a little: for units that see a small part.

    jitter: greatest shift in pixels. scale: least and greatest enlargement. rotate: greatest turn, in radians.

    Source: the robustness transforms of Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017).
    """

    jitter: float = 8.0
    scale: tuple[float, float] = (0.9, 1.1)
    rotate: float = 0.17
    noise: float = 0.0

    @property
    def looks(self) -> int:
        return 1

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        height, width = pictures.shape[-2:]
        share = 1 / _uniform(1, *self.scale, generator)
        x = _uniform(1, -self.jitter, self.jitter, generator) * 2 / width
        y = _uniform(1, -self.jitter, self.jitter, generator) * 2 / height
        angle = _uniform(1, -self.rotate, self.rotate, generator)
        views = _views(pictures, share, x, y, angle, torch.ones(1), (height, width))
        return _noisy(views, 1, self.noise, generator)

    def describe(self) -> dict[str, Any]:
        return {"kind": "wobble", **asdict(self)}


@dataclass(frozen=True)
class Sized(Whole):
    """What another transform shows, brought to one size: for networks that run at no other."""

    inner: Transform
    size: tuple[int, int]

    @property
    def looks(self) -> int:
        return self.inner.looks

    def __call__(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Tensor:
        (looks,) = self.inner.parts(pictures, generator)
        return F.interpolate(looks.views, self.size, mode="bilinear", align_corners=False)

    def describe(self) -> dict[str, Any]:
        return {**self.inner.describe(), "size": list(self.size)}


def _uniform(k: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(k, generator=generator)


def _noisy(views: Tensor, looks: int, sd: float, generator: torch.Generator) -> Tensor:
    if sd <= 0:
        return views
    noise = torch.randn((looks, *views.shape[1:]), generator=generator).to(views.device)
    return views + sd * noise.repeat(views.shape[0] // looks, 1, 1, 1)


def _views(
    pictures: Tensor,
    share: Tensor,
    x: Tensor,
    y: Tensor,
    angle: Tensor,
    mirror: Tensor,
    size: tuple[int, int],
) -> Tensor:
    """Views with these centres (in [-1,1]), shares of the side, turns and mirrorings; the edge is reflected."""
    n, channels = pictures.shape[:2]
    height, width = pictures.shape[-2:]
    cos, sin = share * angle.cos(), share * angle.sin()
    aspect = height / width
    rows = torch.stack([mirror * cos, -sin * aspect, x, mirror * sin / aspect, cos, y], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), [len(share), channels, *size], align_corners=False).to(pictures)
    grid = grid.repeat(n, 1, 1, 1)
    repeated = pictures.repeat_interleave(len(share), 0) if len(share) > 1 else pictures
    return F.grid_sample(repeated, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def turned(pictures: Float[Tensor, "n c h w"], angle: float) -> Float[Tensor, "n c h w"]:
    """The pictures turned about their middle by an angle in radians; the edge is reflected."""
    one, none = torch.ones(1), torch.zeros(1)
    height, width = pictures.shape[-2:]
    return _views(pictures, one, none, none, torch.tensor([angle]), one, (height, width))


def smallest_side(size: tuple[int, int], wanted: int) -> tuple[int, int]:
    """`size` scaled so that its short side is `wanted`, but never enlarged."""
    factor = min(1.0, wanted / min(size))
    return math.ceil(size[0] * factor), math.ceil(size[1] * factor)

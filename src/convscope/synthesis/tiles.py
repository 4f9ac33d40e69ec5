"""A large picture shown to the network tile by tile, so that memory does not grow with it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.synthesis.transforms import Views

LEAST = 32


@dataclass(frozen=True)
class Tiles:
    """The whole picture, shifted around its edges by a random amount and cut into tiles of at most `size` pixels.

    Each tile is a pass of its own, weighted by its area. As the cuts fall elsewhere in every step, no seam stays.

    jitter: greatest shift in pixels; None for any, so that the cuts leave no trace.

    Source: the tiled gradients of Mordvintsev et al., "DeepDreaming with TensorFlow" (2016).
    """

    size: int = 512
    jitter: int | None = None

    def __post_init__(self) -> None:
        if self.size < LEAST:
            raise InputError(f"the tile is {self.size} pixels; expected at least {LEAST}")

    @property
    def views(self) -> int:
        return 1

    def parts(self, pictures: Float[Tensor, "n c h w"], generator: torch.Generator) -> Iterator[Views]:
        height, width = pictures.shape[-2:]
        most = self.jitter
        reach = (height, width) if most is None else (min(most, height), min(most, width))
        shift = [int(torch.randint(max(1, side), (), generator=generator)) for side in reach]
        for top, bottom in cuts(height, self.size):
            for left, right in cuts(width, self.size):
                tile = _window(pictures, (top + shift[0], bottom + shift[0]), (left + shift[1], right + shift[1]))
                yield Views(tile, 1, (bottom - top) * (right - left) / (height * width))

    def describe(self) -> dict[str, Any]:
        return {"kind": "tiles", **asdict(self)}


def cuts(length: int, most: int) -> list[tuple[int, int]]:
    """A length in equal parts of at most `most`."""
    count = -(-length // most)
    edges = [round(i * length / count) for i in range(count + 1)]
    return list(pairwise(edges))


def _window(pictures: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """A part of the picture; beyond an edge it goes on at the opposite one."""
    for axis, (low, high) in ((2, rows), (3, columns)):
        side = pictures.shape[axis]
        low, high = low % side, (high - 1) % side + 1
        if low < high:
            pictures = pictures.narrow(axis, low, high - low)
        else:
            pictures = torch.cat([pictures.narrow(axis, low, side - low), pictures.narrow(axis, 0, high)], axis)
    return pictures

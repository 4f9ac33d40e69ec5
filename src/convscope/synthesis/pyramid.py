"""Pictures as a Laplacian pyramid: a coarse picture and the detail that each finer level adds."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from convscope.images.filters import bilinear
from convscope.synthesis.images import Coloured

COARSEST = 8
"""Levels are halved until the short side is about this many pixels."""


class Pyramid(Coloured):
    """A sum of pictures of all scales, each enlarged to the full size, in decorrelated colours, through a sigmoid.

    An optimiser step changes large structures as readily as small ones, as in Fourier space, but locally.

    Source: Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code" (1983); for synthesis, Mordvintsev et
    al., "DeepDreaming with TensorFlow" (2016).
    """

    def __init__(self, n: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__(channels)
        count = max(1, 1 + int(math.log2(max(1, min(size) / COARSEST))))
        sizes = [(math.ceil(size[0] / 2**i), math.ceil(size[1] / 2**i)) for i in range(count)]
        self.levels = nn.ParameterList(torch.zeros(n, channels, *level) for level in sizes)

    def _plain(self) -> Float[Tensor, "n c h w"]:
        coarse: Tensor = self.levels[-1]
        for level in reversed(list(self.levels)[:-1]):
            coarse = level + _enlarged(coarse, level)
        return coarse

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        rest = self._decoded(pictures)
        for level, coarser in zip(self.levels, [*list(self.levels)[1:], None], strict=True):
            if coarser is None:
                level.copy_(rest)
                return
            small = F.interpolate(rest, coarser.shape[-2:], mode="bilinear", align_corners=False, antialias=True)
            level.copy_(rest - _enlarged(small, rest))
            rest = small


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return bilinear(x, (like.shape[-2], like.shape[-1]))

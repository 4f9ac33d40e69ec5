"""Pictures with a fixed Fourier magnitude, that of photographs or 1/f; only the phase is optimised."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convscope.errors import InputError
from convscope.synthesis.images import Coloured, frequencies

SPREAD = 1.0
"""The standard deviation of the decorrelated values before the sigmoid, which magnitudes of 1/f are scaled to."""


class Phase(Coloured):
    """The phases of a Fourier transform, under a fixed magnitude: that of photographs, or 1/f, which is near it.

    With the magnitude fixed, only the phase is optimised, so contrast cannot grow. `encode` is lossy: it keeps only
    the phase of the start.

    photographs: those whose magnitudes are taken, `m c h w` in [0,1], each `h w` the picture's size; without any, 1/f.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained
    Optimization" (NeurIPS 2023). Departs from it in the colours, which are decorrelated first.
    """

    def __init__(
        self, n: int, channels: int, size: tuple[int, int], photographs: Float[Tensor, "m c h w"] | None = None
    ) -> None:
        super().__init__(channels)
        self.size = size
        height, width = size
        self.phase = nn.Parameter(torch.zeros(n, channels, height, width // 2 + 1))
        self.register_buffer("magnitude", self._magnitude_of(channels, photographs), persistent=False)
        self.magnitude: Tensor

    def _magnitude_of(self, channels: int, photographs: Tensor | None) -> Float[Tensor, "c h w"]:
        if photographs is None:
            return _one_over_f(channels, self.size)
        if photographs.shape[1:] != (channels, *self.size):
            raise InputError(f"the photographs are {tuple(photographs.shape[1:])}; expected {(channels, *self.size)}")
        magnitude: Tensor = torch.fft.rfft2(self._decoded(photographs)).abs().mean(0)
        return magnitude

    def _plain(self) -> Float[Tensor, "n c h w"]:
        plain: Tensor = torch.fft.irfft2(torch.polar(self.magnitude.expand_as(self.phase), self.phase), s=self.size)
        return plain

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        self.phase.copy_(torch.fft.rfft2(self._decoded(pictures)).angle())


def _one_over_f(channels: int, size: tuple[int, int]) -> Float[Tensor, "c h w"]:
    """1/f, scaled so that pictures of random phases have the standard deviation SPREAD."""
    magnitude = (1 / frequencies(size)).repeat(channels, 1, 1)
    magnitude[:, 0, 0] = 0
    turns = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    some = torch.fft.irfft2(torch.polar(magnitude, 2 * torch.pi * turns), s=size)
    scaled: Tensor = magnitude * (SPREAD / some.std(dim=(1, 2), keepdim=True))
    return scaled

"""Pictures whose Fourier magnitudes are fixed to those of photographs; only the phases are optimised."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convscope.synthesis.images import EPS, Image, colour_matrix

SPREAD = 1.0
"""The standard deviation of the decorrelated values before the sigmoid, which the magnitudes are scaled to."""


class Phase(Image):
    """The phases of a Fourier transform, under a fixed magnitude: 1/f, as in photographs.

    What cannot be had by raising contrast must be had by form. No inverse exists: a start gives its phases alone.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained
    Optimization" (NeurIPS 2023).
    """

    def __init__(self, n: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        height, width = size
        self.phase = nn.Parameter(torch.zeros(n, channels, height, width // 2 + 1))
        down = torch.fft.fftfreq(height)[:, None]
        across = torch.fft.rfftfreq(width)[None, :]
        frequency = (down.square() + across.square()).sqrt().clamp_min(1 / max(height, width))
        magnitude = (1 / frequency).repeat(channels, 1, 1)
        magnitude[:, 0, 0] = 0
        turns = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
        some = torch.fft.irfft2(torch.polar(magnitude, 2 * torch.pi * turns), s=size)
        magnitude = magnitude * (SPREAD / some.std(dim=(1, 2), keepdim=True))
        self.register_buffer("magnitude", magnitude, persistent=False)
        matrix = colour_matrix(channels)
        self.register_buffer("colour", matrix, persistent=False)
        self.register_buffer("uncolour", torch.linalg.inv(matrix), persistent=False)
        self.magnitude: Tensor
        self.colour: Tensor
        self.uncolour: Tensor

    def forward(self) -> Float[Tensor, "n c h w"]:
        plain = torch.fft.irfft2(torch.polar(self.magnitude.expand_as(self.phase), self.phase), s=self.size)
        return torch.einsum("ij,njhw->nihw", self.colour, plain).sigmoid()

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        plain = torch.einsum("ij,njhw->nihw", self.uncolour, pictures.clamp(EPS, 1 - EPS).logit())
        self.phase.copy_(torch.fft.rfft2(plain).angle())

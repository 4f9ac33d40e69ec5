"""What is optimised: an image as parameters. `forward` gives pictures in [0,1]; `encode` is its inverse."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

EPS = 1e-3
"""Pictures are kept this far from black and white when they are encoded: a sigmoid never reaches its ends."""

# Directions in which the colours of natural photographs vary, and how much: the square root of their covariance.
# Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017); figures as published with it.
COLOUR_SQRT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


class Image(nn.Module, ABC):
    """Pictures `n c h w` in [0,1], as parameters that an optimiser moves."""

    @abstractmethod
    def forward(self) -> Float[Tensor, "n c h w"]:
        """The pictures."""

    @abstractmethod
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        """Set the parameters so that `forward` gives these pictures (within EPS of black and white)."""


class Pixels(Image):
    """One number per pixel, through a sigmoid."""

    def __init__(self, n: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(n, channels, *size))

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.values.sigmoid()

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        self.values.copy_(pictures.clamp(EPS, 1 - EPS).logit())

    @torch.no_grad()
    def scatter(self, sd: float, generator: torch.Generator) -> None:
        """Start from faint normal noise, the same for every picture."""
        noise = torch.randn(self.values.shape[1:], generator=generator)
        self.values.copy_((sd * noise).expand_as(self.values))


class Fourier(Image):
    """Frequencies in place of pixels, scaled as in natural photographs, and colours that vary independently.

    A step of an optimiser then moves all frequencies alike, where in pixels it would mostly move the highest.

    decay: the power of the frequency by which it is scaled down. decorrelate: whether colours are decorrelated
    (3 channels only).

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017), "Preconditioning".
    """

    def __init__(
        self, n: int, channels: int, size: tuple[int, int], *, decay: float = 1.0, decorrelate: bool = True
    ) -> None:
        super().__init__()
        self.size = size
        height, width = size
        self.spectrum = nn.Parameter(torch.zeros(n, channels, height, width // 2 + 1, 2))
        down = torch.fft.fftfreq(height)[:, None]
        across = torch.fft.rfftfreq(width)[None, :]
        frequency = (down.square() + across.square()).sqrt().clamp_min(1 / max(height, width))
        scale = frequency.pow(-decay) * (height * width) ** 0.5 / 4
        self.register_buffer("scale", scale[..., None], persistent=False)
        matrix = torch.eye(channels)
        if decorrelate and channels == 3:
            matrix = torch.tensor(COLOUR_SQRT)
            matrix = matrix / matrix.norm(dim=0).max()
        self.register_buffer("colour", matrix, persistent=False)
        self.register_buffer("uncolour", torch.linalg.inv(matrix), persistent=False)
        self.scale: Tensor
        self.colour: Tensor
        self.uncolour: Tensor

    def forward(self) -> Float[Tensor, "n c h w"]:
        spectrum = torch.view_as_complex((self.spectrum * self.scale).contiguous())
        plain = torch.fft.irfft2(spectrum, s=self.size)
        return torch.einsum("ij,njhw->nihw", self.colour, plain).sigmoid()

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        plain = torch.einsum("ij,njhw->nihw", self.uncolour, pictures.clamp(EPS, 1 - EPS).logit())
        self.spectrum.copy_(torch.view_as_real(torch.fft.rfft2(plain)) / self.scale)

    @torch.no_grad()
    def scatter(self, sd: float, generator: torch.Generator) -> None:
        """Start from faint noise with the spectrum of photographs, the same for every picture."""
        noise = torch.randn(self.spectrum.shape[1:], generator=generator)
        self.spectrum.copy_((sd * noise).expand_as(self.spectrum))

"""Image parameterisations, the thing that is optimised: `forward` gives pictures in [0,1]; `encode` is its inverse."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

EPS = 1e-3
"""Pictures are kept this far from black and white when they are encoded: a sigmoid never reaches its ends."""

# Directions in which the colours of natural photographs vary, and how much: the square root of their covariance.
# Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017); figures as published with it.
COLOUR_SQRT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def colour_matrix(channels: int) -> Float[Tensor, "c c"]:
    """From decorrelated colours to red, green and blue; for other numbers of channels they are left as they are."""
    if channels != 3:
        return torch.eye(channels)
    matrix = torch.tensor(COLOUR_SQRT)
    scaled: Tensor = matrix / matrix.norm(dim=0).max()
    return scaled


class Image(nn.Module, ABC):
    """Pictures `n c h w` in [0,1], as parameters that an optimiser moves."""

    @abstractmethod
    def forward(self) -> Float[Tensor, "n c h w"]:
        """The pictures."""

    @abstractmethod
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        """Set the parameters so that `forward` gives these pictures (within EPS of black and white)."""

    def project(self) -> None:
        """Called after each step: project the parameters onto those allowed."""

    @torch.no_grad()
    def add_noise(self, sd: float, generator: torch.Generator, *, same: bool = True) -> None:
        """Add normal noise of standard deviation `sd` to the parameters, the same for every picture if `same`."""
        for parameter in self.parameters():
            shape = parameter.shape[1:] if same else parameter.shape
            parameter.add_(sd * torch.randn(shape, generator=generator).to(parameter.device))
        self.project()


class Coloured(Image):
    """An image in decorrelated colours, through a sigmoid: `_plain` gives the values before both."""

    def __init__(self, channels: int, *, decorrelate: bool = True) -> None:
        super().__init__()
        matrix = colour_matrix(channels) if decorrelate else torch.eye(channels)
        self.register_buffer("colour", matrix, persistent=False)
        self.register_buffer("uncolour", torch.linalg.inv(matrix), persistent=False)
        self.colour: Tensor
        self.uncolour: Tensor

    @abstractmethod
    def _plain(self) -> Float[Tensor, "n c h w"]:
        """The decorrelated values."""

    def forward(self) -> Float[Tensor, "n c h w"]:
        mixed: Tensor = torch.einsum("ij,njhw->nihw", self.colour, self._plain())
        return mixed.sigmoid()

    def _decoded(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The decorrelated values of pictures: the inverse of `forward` above `_plain`."""
        plain: Tensor = torch.einsum("ij,njhw->nihw", self.uncolour, pictures.clamp(EPS, 1 - EPS).logit())
        return plain


def frequencies(size: tuple[int, int]) -> Float[Tensor, "h w"]:
    """The frequency of each term of a real Fourier transform, in cycles per pixel; that of the mean is held above 0."""
    height, width = size
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None, :]
    frequency: Tensor = (down.square() + across.square()).sqrt().clamp_min(1 / max(height, width))
    return frequency


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


class Raw(Image):
    """The pixels themselves, clamped to [0,1] after each step: for plain gradient steps."""

    def __init__(self, n: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.full((n, channels, *size), 0.5))

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.values * 1.0

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        self.values.copy_(pictures.clamp(0, 1))

    @torch.no_grad()
    def project(self) -> None:
        self.values.clamp_(0, 1)


class Fourier(Coloured):
    """Frequencies in place of pixels, scaled as in natural photographs, and colours that vary independently.

    An optimiser step then changes all frequencies alike; in pixels it would mostly change the highest.

    decay: the power of the frequency by which it is scaled down. decorrelate: whether colours are decorrelated
    (3 channels only).

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017), "Preconditioning".
    """

    def __init__(
        self, n: int, channels: int, size: tuple[int, int], *, decay: float = 1.0, decorrelate: bool = True
    ) -> None:
        super().__init__(channels, decorrelate=decorrelate)
        self.size = size
        height, width = size
        self.spectrum = nn.Parameter(torch.zeros(n, channels, height, width // 2 + 1, 2))
        scale = frequencies(size).pow(-decay) * (height * width) ** 0.5 / 4
        self.register_buffer("scale", scale[..., None], persistent=False)
        self.scale: Tensor

    def _plain(self) -> Float[Tensor, "n c h w"]:
        spectrum = torch.view_as_complex((self.spectrum * self.scale).contiguous())
        plain: Tensor = torch.fft.irfft2(spectrum, s=self.size)
        return plain

    @torch.no_grad()
    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        self.spectrum.copy_(torch.view_as_real(torch.fft.rfft2(self._decoded(pictures))) / self.scale)

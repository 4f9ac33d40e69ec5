"""A picture that is made only where a mask allows it, and elsewhere stays a photograph."""

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.synthesis.images import Image


class Masked(Image):
    """photograph + mask * (inner - photograph): what the network sees is what will be there in the end.

    inner: any image of the same size. photograph: `1 c h w`. mask: `1 1 h w` in [0,1], or one number.
    """

    def __init__(self, inner: Image, photograph: Float[Tensor, "1 c h w"], mask: Float[Tensor, "1 1 h w"]) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("photograph", photograph, persistent=False)
        self.register_buffer("mask", mask, persistent=False)
        self.photograph: Tensor
        self.mask: Tensor

    def forward(self) -> Float[Tensor, "n c h w"]:
        made: Tensor = self.inner()
        plain = made.detach()
        share = (self.mask > 0) / self.mask.clamp_min(1e-3)
        whole = plain + share * (made - plain)  # the value of made; its steps are as large under a faint mask
        return self.photograph + self.mask * (whole - self.photograph)

    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        self.inner.encode(pictures)

    def settle(self) -> None:
        self.inner.settle()

    def scatter(self, sd: float, generator: torch.Generator, *, alike: bool = True) -> None:
        """As the image inside does."""
        self.inner.scatter(sd, generator, alike=alike)

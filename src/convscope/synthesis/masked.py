"""A picture that is optimised only where a mask allows it, and elsewhere stays a photograph."""

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.synthesis.images import Image


class Masked(Image):
    """photograph + mask * (inner - photograph): the network sees the picture as it will be returned.

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
        # the values of made; its gradients are scaled up, so that steps are as large under a faint mask
        whole = plain + share * (made - plain)
        return self.photograph + self.mask * (whole - self.photograph)

    def encode(self, pictures: Float[Tensor, "n c h w"]) -> None:
        self.inner.encode(pictures)

    def project(self) -> None:
        self.inner.project()

    def add_noise(self, sd: float, generator: torch.Generator, *, same: bool = True) -> None:
        """As the inner image does."""
        self.inner.add_noise(sd, generator, same=same)

"""A picture with the colours of a photograph: only the luminance is optimised."""

from jaxtyping import Float
from torch import Tensor

from convscope.images.filters import luma
from convscope.synthesis.images import Image


class KeepColours(Image):
    """photograph + luma(inner) - luma(photograph), clamped to [0,1]: the network sees the colours of the result.

    inner: any image of the same size. photograph: `1 3 h w`.

    Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer" (2016), luminance-only transfer; here
    at every step, not once at the end.
    """

    def __init__(self, inner: Image, photograph: Float[Tensor, "1 3 h w"]) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("colours", photograph - luma(photograph), persistent=False)
        self.colours: Tensor

    def forward(self) -> Float[Tensor, "n 3 h w"]:
        made: Tensor = self.inner()
        return (self.colours + luma(made)).clamp(0, 1)

    def encode(self, pictures: Float[Tensor, "n 3 h w"]) -> None:
        self.inner.encode(pictures)

    def project(self) -> None:
        self.inner.project()

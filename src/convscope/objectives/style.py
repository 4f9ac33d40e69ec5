"""Objectives of style transfer: the content of one picture, the textures of another."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.objectives.diversity import gram
from convscope.objectives.expression import Objective
from convscope.objectives.likeness import OfLayer
from convscope.objectives.units import named
from convscope.taps.record import Recording


@dataclass(frozen=True, eq=False)
class Content(OfLayer):
    """Minus `scale` times the mean squared distance of a layer's activations to those of a photograph.

    given: its activations, `1 c h w`; None where it is looked at beside the picture, as when that is made in tiles.

    Source: Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style" (2015), eq. 1.
    """

    given: Float[Tensor, "1 c h w"] | None = None
    scale: float = 1.0

    @property
    def compares(self) -> bool:
        return self.given is None

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        given = recording.companion(self.layer) if self.given is None else self.given
        if given is None:
            raise InputError(f"{self} compares with a photograph, and there is none")
        return -self.scale * recording.per_picture((recording[self.layer] - given).square().mean((1, 2, 3)))

    def text(self) -> str:
        return f"content({named(self.layer)})"


@dataclass(frozen=True, eq=False)
class Style(OfLayer):
    """Minus `scale` times the squared distance of a layer's mean Gram matrix to a given one, `c c`.

    guide: which mask says where in the picture it counts, if any. covered: the mean of that mask.

    Of a picture looked at in parts the matrix of the whole is gathered first, so that parts need not each have it.

    Source: Gatys, Ecker and Bethge (2015), eqs. 3 and 4; masks after Gatys et al., "Controlling Perceptual Factors in
    Neural Style Transfer" (CVPR 2017), section 4.
    """

    given: Float[Tensor, "c c"]
    scale: float = 1.0
    guide: int | None = None
    covered: float = 1.0

    @property
    def gathers(self) -> bool:
        return True

    def gather(self, recording: Recording) -> dict[Objective, Tensor]:
        return {self: self._grams(recording)}

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        grams = self._grams(recording)
        whole = recording.means.get(self)
        if whole is not None:  # the value of the whole, the gradient of this part
            grams = whole + grams - grams.detach()
        return -self.scale * (grams - self.given).square().sum((1, 2))

    def _grams(self, recording: Recording) -> Float[Tensor, "n c c"]:
        maps = recording[self.layer]
        if self.guide is not None:
            share = recording.guide(self.guide, (maps.shape[2], maps.shape[3])) / self.covered
            maps = maps * share.repeat(len(maps) // len(share), 1, 1, 1).sqrt()
        grams = mean_gram(maps)
        return grams.view(-1, recording.views, *grams.shape[1:]).mean(1)

    def text(self) -> str:
        return f"style({named(self.layer)})"


def mean_gram(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
    """The Gram matrix over the number of positions, so that pictures of any size compare."""
    return gram(maps) / (maps.shape[2] * maps.shape[3])


def distance_scale(given: Tensor) -> float:
    """What a squared distance to this is multiplied by, to be 1 for an empty picture."""
    return 1 / max(float(torch.sum(given.double().square())), 1e-30)

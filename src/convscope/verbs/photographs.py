"""Photographs at their own proportions, and what goes with them: masks, and pictures to fit."""

from dataclasses import replace

import torch
from torch import Tensor

from convscope.errors import InputError
from convscope.models.photograph import ImageLike, Photograph, open_photograph
from convscope.models.spec import InputSpec
from convscope.synthesis.schedule import Size

PROPORTIONS = 0.1
"""How much a mask or another picture may be stretched to fit, as a share."""
MOST_UNASKED = 640
"""The long side where no size is asked for."""


def opened_whole(
    spec: InputSpec, image: ImageLike | Photograph, size: int | None, most: int = MOST_UNASKED
) -> Photograph:
    """A photograph at its own proportions. size: its long side; its own, at most `most`, unless given."""
    if isinstance(image, Photograph):
        raise InputError(
            "the picture was made ready for a network; expected the picture itself, at its own proportions"
        )
    first = open_photograph(image, replace(spec, size=(16, 16)), fit="stretch")
    height, width = first.record["size"]
    factor = (size or min(most, max(height, width))) / max(height, width)
    hw = max(1, round(height * factor)), max(1, round(width * factor))
    return open_photograph(image, replace(spec, size=hw), fit="stretch")


def open_mask(mask: ImageLike, size: Size) -> Photograph:
    """A picture that is white where something goes, in grey at this size. Raises InputError for other proportions."""
    return same_proportions(mask, size, "mask", channels=1)


def same_proportions(image: ImageLike, size: Size, what: str, *, channels: int) -> Photograph:
    """A picture brought to a size whose proportions are about its own. Raises InputError, naming it, for others."""
    result = open_photograph(image, InputSpec(size=size, channels=channels, range=(0, 1)), fit="stretch")
    height, width = result.record["size"]
    if abs(height * size[1] / (width * size[0]) - 1) > PROPORTIONS:
        raise InputError(
            f"the {what} is {width}x{height} pixels and the picture {size[1]}x{size[0]}; expected the same proportions"
        )
    return result


def allowed(mask: Photograph | None, photograph: Photograph, strength: float) -> Tensor | None:
    """Where and how much the photograph may change, `1 1 h w`; None for everywhere and wholly."""
    if mask is None:
        return None if strength >= 1 else torch.full((1, 1, *photograph.hw), float(strength))
    return mask.tensor() * strength

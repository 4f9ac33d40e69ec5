"""What a picture is compared with, or covered by: a colour, its own mean, itself blurred, noise."""

import re

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.images.filters import blurred

NAMES = ("black", "grey", "white", "mean", "blur", "noise")
BLUR = 0.05
"""The standard deviation of the blur, in parts of the picture's short side."""


def filled(
    picture: Float[Tensor, "1 c h w"], fill: str, generator: torch.Generator, option: str
) -> Float[Tensor, "1 c h w"]:
    """A picture of the same size: a name of NAMES, a number in [0,1], or one number for each channel ("1,0.5,0").

    mean: the picture's own mean colour. blur: the picture, blurred widely. noise: uniform over all values. Raises
    InputError, naming the option.
    """
    match fill:
        case "black" | "grey" | "white":
            return torch.full_like(picture, {"black": 0.0, "grey": 0.5, "white": 1.0}[fill])
        case "mean":
            return picture.mean((2, 3), keepdim=True).expand_as(picture).clone()
        case "blur":
            return blurred(picture, BLUR * min(picture.shape[-2:]))
        case "noise":
            return torch.rand(picture.shape, generator=generator).to(picture.device)
    if not is_fill(fill):
        raise InputError(
            f"{option} is {fill!r}; expected {', '.join(NAMES)}, a number from 0 to 1, or a colour as 1,0.5,0"
        )
    try:
        numbers = [float(word) for word in fill.split(",")]
    except ValueError:
        raise InputError(f"{option} is {fill!r}; expected numbers from 0 to 1") from None
    if len(numbers) not in (1, picture.shape[1]) or not all(0 <= number <= 1 for number in numbers):
        raise InputError(f"{option} is {fill!r}; expected 1 or {picture.shape[1]} numbers from 0 to 1")
    return (
        torch.tensor(numbers, dtype=picture.dtype, device=picture.device).view(1, -1, 1, 1).expand_as(picture).clone()
    )


def is_fill(text: str) -> bool:
    """Whether a text is a name of NAMES or reads as a colour, and so never the path of a picture."""
    return text in NAMES or re.fullmatch(r"\s*[\d.]+(e-?\d+)?\s*(,\s*[\d.]+\s*)*", text) is not None


def check_fill(fill: str, channels: int, option: str) -> None:
    """Raises InputError for what `filled` cannot make of a picture with so many channels."""
    filled(torch.zeros(1, channels, 1, 1), fill, torch.Generator(), option)

"""What a picture is before the first step."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

StartName = Literal["noise", "grey", "blank", "black", "uniform", "normal", "random", "gradient"]
STARTS: tuple[str, ...] = get_args(StartName)


def start_pictures(
    name: str, channels: int, size: tuple[int, int], generator: torch.Generator
) -> Float[Tensor, "1 c h w"] | None:
    """One picture in [0,1] by name; None for "noise", which each kind of image makes in its own way.

    grey: halfway. blank: white. black. uniform: noise of 118 to 138 of 255. normal: noise about mid grey, of
    standard deviation 0.1. random: noise over all values. gradient: from one colour to another, across and down.
    """
    shape = (1, channels, *size)
    match name:
        case "grey":
            return torch.full(shape, 0.5)
        case "blank":
            return torch.ones(shape)
        case "black":
            return torch.zeros(shape)
        case "uniform":
            return (128 + 20 * (torch.rand(shape, generator=generator) - 0.5)) / 255
        case "normal":
            return (0.5 + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1)
        case "random":
            return torch.rand(shape, generator=generator)
        case "gradient":
            down = torch.linspace(0, 1, size[0])[:, None].expand(size)
            across = torch.linspace(0, 1, size[1])[None, :].expand(size)
            planes = [across, down, 1 - across]
            return torch.stack([0.15 + 0.7 * planes[i % 3] for i in range(channels)])[None]
        case _:
            return None

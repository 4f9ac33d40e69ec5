"""Filters of pictures as tensors `n c h w`: blurring, resizing, brightness."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.images.luma import LUMA


def blurred(x: Float[Tensor, "n c h w"], sd: float) -> Float[Tensor, "n c h w"]:
    """A Gaussian blur of standard deviation `sd` pixels, cut at three of these.

    Beyond the edge the picture is mirrored, or, where it is smaller than the kernel's reach, its edge goes on.
    """
    reach = int(3 * sd + 0.5)
    if reach < 1:
        return x.clone()
    places = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-places.square() / (2 * sd * sd))
    kernel = kernel / kernel.sum()
    channels = x.shape[1]
    for axis in (2, 3):
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        side = [0, 0, reach, reach] if axis == 2 else [reach, reach, 0, 0]
        mode = "reflect" if x.shape[axis] > reach else "replicate"
        x = F.conv2d(F.pad(x, side, mode=mode), kernel.view(shape).repeat(channels, 1, 1, 1), groups=channels)
    return x


def bilinear(x: Float[Tensor, "n c h w"], size: Sequence[int]) -> Float[Tensor, "n c hh ww"]:
    """At another size, interpolated linearly between the pixels' centres; without a filter where it gets smaller."""
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=False)


@torch.no_grad()
def resized(pictures: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c hh ww"]:
    """Pictures at another size, by an antialiased bicubic filter, kept in [0,1]."""
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    return F.interpolate(pictures, size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)


def luma(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The luminance of each pixel, in [0,1]."""
    weights = torch.tensor(LUMA, dtype=pictures.dtype, device=pictures.device).view(1, 3, 1, 1)
    return (pictures * weights).sum(1, keepdim=True)

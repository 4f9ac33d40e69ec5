"""How a network is trained. Everything random is a function of (seed, epoch, picture), so that no step depends on the
ones before it but by the weights."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.images.sampling import sampled

WARM = 0.05
"""The share of the steps over which the learning rate rises to its full value."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """epochs: at most. batch: pictures a step. lr: the highest learning rate, of AdamW. patience: epochs without a
    lower loss on the pictures held out after which it ends. class_weights: what each class counts in the loss.
    augment: whether pictures are mirrored, shifted, scaled and lightened at random."""

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    patience: int
    seed: int
    class_weights: Sequence[float]
    augment: bool = True

    def rate(self, step: int, total: int) -> float:
        """The learning rate of a step: a short rise, then a cosine down to zero."""
        warm = max(1, round(WARM * total))
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))

    def order(self, epoch: int, count: int) -> list[int]:
        """The order of the pictures in an epoch."""
        order: list[int] = torch.randperm(count, generator=generator(self.seed, "order", epoch)).tolist()
        return order


def generator(*parts: object) -> torch.Generator:
    """A source of random numbers that is a function of these parts."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


SCALE, SHIFT, LIGHT = 0.2, 0.08, 0.15
"""Of augmentation: how much a picture is enlarged at most, shifted (of its side) and lightened or darkened."""


def augmented(
    pictures: Float[Tensor, "b c h w"], seed: int, epoch: int, indices: Sequence[int]
) -> Float[Tensor, "b c h w"]:
    """Pictures in [0,1], each mirrored (half of them), enlarged, shifted and lightened by its own random numbers."""
    drawn = torch.stack([torch.rand(5, generator=generator(seed, "augment", epoch, index)) for index in indices])
    mirror = torch.where(drawn[:, 0] < 0.5, -1.0, 1.0)
    scale = 1 / (1 + SCALE * drawn[:, 1])
    theta = torch.zeros(len(pictures), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = mirror * scale, scale
    theta[:, :, 2] = (2 * drawn[:, 2:4] - 1) * SHIFT
    grid = F.affine_grid(theta.to(pictures.device), list(pictures.shape), align_corners=False)
    moved = sampled(pictures, grid)
    light = 1 + LIGHT * (2 * drawn[:, 4] - 1)
    return (moved * light.to(pictures.device).view(-1, 1, 1, 1)).clamp(0, 1)

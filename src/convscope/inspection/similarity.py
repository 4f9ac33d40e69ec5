"""How alike two networks see the same pictures, layer by layer and channel by channel."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

FLAT = 1e-6
"""A channel whose variance is below this share of the layer's largest does not vary."""


@dataclass
class Moments:
    """Sums over all positions of all pictures of what a layer gives in one network and in the other; batch by batch.

    Each position of each picture is one sample of `a` and `b` channels.
    """

    count: int = 0
    first: Tensor | None = None
    second: Tensor | None = None
    own: Tensor | None = None
    other: Tensor | None = None
    cross: Tensor | None = None

    def add(self, before: Float[Tensor, "n a h w"], after: Float[Tensor, "n b h w"]) -> None:
        """What a batch gives, in both."""
        x, y = (one.double().permute(0, 2, 3, 1).flatten(0, 2) for one in (before, after))
        self.count += len(x)
        self.first, self.second = _sum(self.first, x.sum(0)), _sum(self.second, y.sum(0))
        self.own, self.other = _sum(self.own, x.T @ x), _sum(self.other, y.T @ y)
        self.cross = _sum(self.cross, x.T @ y)

    def _centred(self) -> tuple[Tensor, Tensor, Tensor]:
        assert self.first is not None
        assert self.second is not None
        assert self.own is not None
        assert self.other is not None
        assert self.cross is not None
        n = self.count
        return (
            self.own - torch.outer(self.first, self.first) / n,
            self.other - torch.outer(self.second, self.second) / n,
            self.cross - torch.outer(self.first, self.second) / n,
        )

    def cka(self) -> float | None:
        """Linear centred kernel alignment: 1 for features that are the same but for a rotation and a scale, 0 for
        unrelated ones; None where one of the two does not vary, or there are fewer than three samples.

        Source: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019), equation 4; with
        positions as samples.
        """
        if self.count < 3:
            return None
        own, other, cross = self._centred()
        size = float(own.norm() * other.norm())
        return min(1.0, float(cross.square().sum()) / size) if size > 0 else None

    def correlations(self) -> Float[Tensor, " c"]:
        """Of each channel in the one with the same channel in the other; 1 where neither varies, 0 where one does not.

        Raises ValueError where the two have not as many channels.
        """
        own, other, cross = self._centred()
        if own.shape != other.shape:
            raise ValueError(f"{len(own)} and {len(other)} channels")
        variances = torch.stack([own.diagonal(), other.diagonal()]).clamp_min(0)
        flat = variances <= FLAT * variances.max(1, keepdim=True).values
        result = cross.diagonal() / variances.prod(0).sqrt().clamp_min(1e-300)
        result = torch.where(flat.any(0), flat.all(0).double(), result)
        return result.clamp(-1, 1).float()


def _sum(total: Tensor | None, more: Tensor) -> Tensor:
    return more if total is None else total + more

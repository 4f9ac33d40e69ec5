"""The pictures of a training, in memory as far as there is room."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import Photograph

KEPT_BYTES = 3_000_000_000
"""Of pictures that are kept; those beyond are opened each time."""


class Pictures:
    """Pictures by their paths, as a network sees them."""

    def __init__(self, net: Network, fit: Fit) -> None:
        self.net, self.fit = net, fit
        self._kept: dict[str, np.ndarray] = {}
        self._bytes = 0

    def open(self, path: str) -> UInt8[np.ndarray, "h w c"]:
        """One picture. Raises ImageError."""
        if path in self._kept:
            return self._kept[path]
        pixels = (self.photograph(path).pixels * 255).round().astype(np.uint8)
        if self._bytes + pixels.nbytes <= KEPT_BYTES:
            self._kept[path], self._bytes = pixels, self._bytes + pixels.nbytes
        return pixels

    def photograph(self, path: str) -> Photograph:
        """One picture as the network was shown it."""
        return self.net.photograph(path, fit=self.fit)

    def batch(self, paths: Sequence[str]) -> Float[Tensor, "b c h w"]:
        """Several, in [0,1]."""
        pixels = np.stack([self.open(path) for path in paths])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255

    def by_number(self, paths: Sequence[str]) -> Callable[[Sequence[int]], Float[Tensor, "b c h w"]]:
        """Batches of a list of pictures, by their numbers in it."""
        return lambda indices: self.batch([paths[i] for i in indices])

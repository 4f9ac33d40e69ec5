"""Figures about a layer's activations."""

from typing import Any

from jaxtyping import Float
from torch import Tensor


def channel_statistics(maps: Float[Tensor, "c h w"]) -> dict[str, list[Any]]:
    """For each channel: `mean`, `max`, `zeros` (share of positions at exactly zero) and `where` (row, column of the
    maximum; the first one of equals)."""
    flat = maps.flatten(1)
    top, place = flat.max(1)
    width = maps.shape[2]
    return {
        "mean": flat.mean(1).tolist(),
        "max": top.tolist(),
        "zeros": (flat == 0).to(flat.dtype).mean(1).tolist(),
        "where": [[index // width, index % width] for index in place.tolist()],
    }

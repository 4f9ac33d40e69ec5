"""Which channels of a layer make a class activation map: all, the strongest, or those that are named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError

Ranking = Literal["contribution", "weight", "activation"]


@dataclass(frozen=True)
class ChannelChoice:
    """channels: by number; all unless given. top: of these only so many, the first by `ranking`.

    ranking: by a channel's mean over positions of its weight times its activation (what it adds to the map), of its
    weight (which may be great though the channel is silent), or of its activation. Of signed maps the first two count
    by magnitude.
    """

    channels: tuple[int, ...] | None = None
    top: int | None = None
    ranking: Ranking = "contribution"

    @property
    def everything(self) -> bool:
        return self.channels is None and self.top is None

    def of(
        self, activations: Float[Tensor, "1 k h w"], weights: Float[Tensor, "1 k _ _"] | None, signed: bool, layer: str
    ) -> list[int]:
        """The channels, the strongest first where they are ranked. weights: None where there are none yet.

        Raises InputError for a channel that the layer does not have.
        """
        count = activations.shape[1]
        among = list(range(count)) if self.channels is None else list(dict.fromkeys(self.channels))
        check_channels(among, count, layer)
        if self.top is None:
            return among
        if self.top > len(among):
            raise InputError(f"top is {self.top}; expected at most the {len(among)} channels that {layer!r} has")
        if self.ranking == "activation" or weights is None:
            strength = activations.mean((0, 2, 3))
        else:
            strength = (weights * activations if self.ranking == "contribution" else weights).mean((0, 2, 3))
            strength = strength.abs() if signed else strength
        order = strength[among].argsort(descending=True, stable=True)
        return [among[int(i)] for i in order[: self.top]]


def check_channels(channels: Sequence[int], count: int, layer: str) -> None:
    """Raises InputError for a channel that a layer of so many does not have, and for none."""
    beyond = [channel for channel in channels if not 0 <= channel < count]
    if beyond or not channels:
        given = beyond[0] if beyond else "empty"
        raise InputError(f"channels is {given}; the layer {layer!r} has channels 0 to {count - 1}")


EVERY = ChannelChoice()


def only(weights: Float[Tensor, "1 k _ _"], channels: list[int]) -> Float[Tensor, "1 k _ _"]:
    """The weights, zero but for these channels."""
    kept = torch.zeros(weights.shape[1], dtype=torch.bool, device=weights.device)
    kept[channels] = True
    return weights * kept.view(1, -1, 1, 1)

"""An objective on pictures that are partly masked out, batch by batch."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.taps.batching import batches, images_at_once
from convscope.taps.record import record

AT_ONCE = 32
"""Masked pictures in a batch, at most."""
Masks = Callable[[int, int], Float[Tensor, "n 1 h w"]]
"""Gives the masks from a first to a last one, in [0,1]."""


def masked_values(
    net: Network,
    picture: Float[Tensor, "1 c h w"],
    objective: Objective,
    masks: Masks,
    count: int,
    take: Callable[[Float[Tensor, "n 1 h w"], Float[Tensor, " n"]], None],
) -> Iterator[int]:
    """Hand over the objective on the picture behind each of `count` masks, batch by batch; yields how many are done.

    take: is given the masks of a batch and the values. Where a mask is 0 the picture shows the colour that the
    network's preprocessing takes to zero.
    """
    neutral = net.spec.neutral(picture)
    taps, folding = sorted(objective.taps()), net.folding()

    def work(first: int, last: int) -> None:
        here = masks(first, last)
        with torch.no_grad():
            values = objective.value(record(net, neutral + here * (picture - neutral), taps, folding=folding))
        take(here, values)

    at_once = images_at_once(net, taps, (picture.shape[-2], picture.shape[-1]), AT_ONCE)
    for done, _ in batches(count, at_once, work, "masked pictures"):
        yield done

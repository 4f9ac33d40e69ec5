"""Is what convscope reads of a network what its own framework says? Measured on noise."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from convscope.errors import InputError
from convscope.models.heads import score_count
from convscope.models.layers import ports
from convscope.models.network import Network

PICTURES = 4
"""Noise pictures that are compared; as many as show a batch axis taken for another."""
REPEATS = 5
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Checked:
    """What a check measured.

    difference: the largest between what the framework gives and what comes of our logits. same_first: of how many
    pictures the first guess is the same. ratio: seconds of our pass over those of the framework's.
    """

    pictures: int
    difference: float
    same_first: int
    ratio: float

    @property
    def passed(self) -> bool:
        """Whether the two agree, to rounding."""
        return self.difference <= TOLERANCE and self.same_first == self.pictures


def check(net: Network, seed: int = 0) -> Checked:
    """Run noise through the network's own framework and through our handle.

    Raises InputError where there are no class scores to compare.
    """
    if not net.has_classes:
        raise InputError(f"{net.name} gives no class scores; there is nothing to compare")
    generator = torch.Generator().manual_seed(seed)
    count = 1 if net.one_at_a_time else PICTURES
    pictures = torch.rand((count, net.spec.channels, *net.spec.hw), generator=generator)
    with torch.no_grad():
        prepared = net.spec.preprocess(pictures.to(net.device, net.dtype))
        scores = net.scores(net.run(pictures), count)
        ours = [scores, net.probabilities(scores)]
        pairs = [(_apart(one, own), one, own) for own in _answers(net.native(prepared)) for one in ours]
        seconds = [_seconds(lambda: net.run(pictures)), _seconds(lambda: net.native(prepared))]
    if not pairs:
        raise InputError(f"what {net.name} itself gives has no row of scores for each picture")
    difference, one, own = min(pairs, key=lambda pair: pair[0])
    same = int((own.argmax(1).cpu() == one.argmax(1).cpu()).sum()) if own.shape == one.shape else 0
    return Checked(count, difference, same, seconds[0] / seconds[1])


def _answers(output: object) -> list[torch.Tensor]:
    """The tensors in what a framework gave that may be class scores or probabilities."""
    return [one.flatten(1) for one in ports(output).values() if one.ndim > 1 and score_count(tuple(one.shape))]


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.cpu() - other.cpu()).abs().max()) if one.shape == other.shape else float("inf")


def _seconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)

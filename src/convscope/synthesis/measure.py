"""The values of objectives on finished pictures and on photographs, without transforms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.images.filters import resized
from convscope.models.network import Network
from convscope.objectives.expression import Objective, taps_of
from convscope.objectives.units import Logit, Probability
from convscope.synthesis.ascent import evaluate
from convscope.synthesis.plan import runs_at
from convscope.synthesis.schedule import Size
from convscope.synthesis.tiles import Tiles
from convscope.synthesis.transforms import Plain
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP, Tap

TILE = 512
AT_ONCE = 16
MOST_REAL = 2000


@torch.no_grad()
def measured(net: Network, objective: Objective, pictures: Tensor) -> np.ndarray:
    """The objective on each picture, `(n,)`: classes at the network's own size, the rest tile by tile."""
    taps = taps_of([objective])
    pictures = resized(pictures, size_seen(net, taps, (pictures.shape[-2], pictures.shape[-1])))
    values = [evaluate(net, [objective], one[None], Tiles(TILE, 0), torch.Generator()) for one in pictures]
    return torch.cat(values).float().cpu().numpy().astype(np.float32)


def size_seen(net: Network, taps: Sequence[Tap], size: Size) -> Size:
    """`size`, or the network's own for classes and where the network runs at no other."""
    tile = min(size[0], TILE), min(size[1], TILE)
    own = SCORES_TAP in taps or net.spec.fixed_size or runs_at(net, taps, tile) != tile
    return net.spec.hw if own else size


def reached(
    net: Network, objectives: Sequence[Objective], pictures: Tensor, size: Size
) -> tuple[np.ndarray, list[float | None]]:
    """Each objective on its finished picture, and for classes the probability, without transforms."""
    values, probabilities = [], []
    sizes: dict[tuple[Tap, ...], Size] = {}
    for index, objective in enumerate(objectives):
        taps = tuple(taps_of([objective]))
        if taps not in sizes:
            sizes[taps] = size_seen(net, taps, size)
        picture = resized(pictures[index : index + 1], sizes[taps])
        both: list[Objective] = [objective]
        is_class = isinstance(objective, Logit) and not isinstance(objective, Probability)
        if is_class:
            both.append(Probability(objective.label))  # type: ignore[attr-defined]
        with torch.no_grad():
            repeated = picture.expand(len(both), -1, -1, -1)
            on_picture = evaluate(net, both, repeated, Plain(), torch.Generator()).tolist()
        values.append(on_picture[0])
        probabilities.append(on_picture[1] if is_class else None)
    return np.asarray(values, dtype=np.float32), probabilities


class Real:
    """The values of objectives on photographs: `values` has an array `(photographs,)` for each.

    given: what the photographs are opened from, a batch at a time. records: the recipe entry of each.
    """

    def __init__(self, net: Network, given: Sequence[Any], objectives: Sequence[Objective]) -> None:
        self.records: list[dict[str, Any]] = []
        taps = taps_of(objectives)
        per_batch: dict[Objective, list[np.ndarray]] = {objective: [] for objective in objectives}
        at_once = 1 if net.one_at_a_time else AT_ONCE
        for first in range(0, len(given), at_once):
            photographs = [net.photograph(one) for one in given[first : first + at_once]]
            self.records += [photograph.record for photograph in photographs]
            pictures = torch.cat([photograph.tensor(net.device) for photograph in photographs])
            with torch.no_grad():
                recording = record(net, pictures, taps) if taps else Recording(net, {}, pictures)
                for objective, values in per_batch.items():
                    values.append(objective.value(recording).float().cpu().numpy().astype(np.float32))
        self.values = {objective: np.concatenate(values) for objective, values in per_batch.items()}

    def beside(self, objectives: Sequence[Objective], values: np.ndarray) -> dict[str, Any]:
        """Values of objectives against those on the photographs, as facts."""
        real = [self.values[objective] for objective in objectives]
        return {
            "real": len(self.records),
            "real_most": [float(one.max()) for one in real],
            "real_middle": [float(np.median(one)) for one in real],
            "above_real": [float((one < value).mean()) for one, value in zip(real, values, strict=True)],
        }

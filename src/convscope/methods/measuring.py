"""What objectives are on finished pictures and on photographs, as the network sees them without transforms."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective, taps_of
from convscope.synthesis.ascent import evaluate
from convscope.synthesis.plan import runs_at
from convscope.synthesis.schedule import resized
from convscope.synthesis.tiles import Tiles
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP

TILE = 512
AT_ONCE = 16
MOST_REAL = 2000
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


@torch.no_grad()
def measured(net: Network, objective: Objective, pictures: Tensor) -> np.ndarray:
    """The objective on each picture, `(n,)`: classes at the network's own size, the rest tile by tile."""
    pictures = as_seen(net, objective, pictures)
    values = [evaluate(net, [objective], one[None], Tiles(TILE, 0), torch.Generator()) for one in pictures]
    return torch.cat(values).cpu().numpy().astype(np.float32)


def as_seen(net: Network, objective: Objective, pictures: Tensor) -> Tensor:
    """The pictures at the network's own size where an objective asks for classes, or the network runs at no other."""
    height, width = (min(side, TILE) for side in pictures.shape[-2:])
    own = SCORES_TAP in objective.taps() or net.spec.fixed_size
    if own or runs_at(net, sorted(objective.taps()), (height, width)) != (height, width):
        return resized(pictures, net.spec.hw)
    return pictures


class Real:
    """What objectives are on photographs: `values`, for each objective an array `(photographs,)`.

    given: what the photographs are opened from, some at a time. records: what is known of each.
    """

    def __init__(self, net: Network, given: Sequence[Any], objectives: Sequence[Objective]) -> None:
        self.records: list[dict[str, Any]] = []
        taps = taps_of(objectives)
        found: dict[Objective, list[np.ndarray]] = {objective: [] for objective in objectives}
        for first in range(0, len(given), AT_ONCE):
            photographs = [net.photograph(one) for one in given[first : first + AT_ONCE]]
            self.records += [photograph.record for photograph in photographs]
            pictures = torch.cat([photograph.tensor(net.device) for photograph in photographs])
            with torch.no_grad():
                recording = record(net, pictures, taps) if taps else Recording(net, {}, pictures)
                for objective, values in found.items():
                    values.append(objective.value(recording).cpu().numpy().astype(np.float32))
        self.values = {objective: np.concatenate(values) for objective, values in found.items()}


def several_of(given: Any) -> list[Any]:
    """One picture, several, or the files of a folder by name. Raises InputError."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    if isinstance(given, str | Path) and Path(given).is_dir():
        several = sorted(file for file in Path(given).iterdir() if file.suffix.lower() in PICTURES)
    if not 0 < len(several) <= MOST_REAL:
        raise InputError(f"{len(several)} photographs are given in {given!r:.80}; expected 1 to {MOST_REAL}")
    return several

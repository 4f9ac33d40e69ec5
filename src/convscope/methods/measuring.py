"""What an objective is on finished pictures, as the network sees them without transforms."""

import numpy as np
import torch
from torch import Tensor

from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.synthesis.ascent import evaluate
from convscope.synthesis.schedule import resized
from convscope.synthesis.tiles import Tiles
from convscope.taps.tap import SCORES_TAP

TILE = 512


@torch.no_grad()
def measured(net: Network, objective: Objective, pictures: Tensor) -> np.ndarray:
    """The objective on each picture, `(n,)`: classes at the network's own size, the rest tile by tile."""
    if SCORES_TAP in objective.taps() or net.spec.fixed_size:
        pictures = resized(pictures, net.spec.hw)
    values = [evaluate(net, [objective], one[None], Tiles(TILE, 0), torch.Generator()) for one in pictures]
    return torch.cat(values).cpu().numpy().astype(np.float32)

"""Optimisers by name, over the parameters of an image."""

from typing import Literal

import torch
from torch import nn

from convscope.synthesis.ascent import Optimiser

OptimiserName = Literal["adam", "nadam", "rmsprop", "sgd", "lbfgs"]

TINY = 1e-18
"""Adam's own epsilon of 1e-8 would stop it on networks whose gradients are tiny, such as untrained ones."""
DEFAULT_RATES: dict[str, float] = {"adam": 0.05, "nadam": 0.05, "rmsprop": 0.02, "sgd": 1.0, "lbfgs": 1.0}
"""The rate where an optimiser is chosen and no rate."""


def optimiser(name: OptimiserName, image: nn.Module, rate: float) -> Optimiser:
    """The optimiser of that name. L-BFGS remembers ten steps, and takes one of fixed length `rate` at a time."""
    parameters = list(image.parameters())
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, eps=TINY)
        case "nadam":
            return torch.optim.NAdam(parameters, lr=rate, eps=TINY)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate, eps=TINY)
        case "sgd":
            return torch.optim.SGD(parameters, lr=rate)
        case "lbfgs":
            return torch.optim.LBFGS(
                parameters, lr=rate, max_iter=1, history_size=10, tolerance_grad=0, tolerance_change=0
            )

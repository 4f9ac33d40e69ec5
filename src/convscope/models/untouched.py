"""The network is left as it was found: mode, requires_grad, random state; also when something raises."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(root: nn.Module) -> Iterator[None]:
    """Run `root` in evaluation mode with frozen parameters, then put every flag back as it was.

    Frozen parameters mean that a backward pass computes no gradient for weights, and that no graph is kept below
    the first tensor that asks for one.
    """
    modes = [(module, module.training) for module in root.modules() if module.training]
    wanting = [parameter for parameter in root.parameters() if parameter.requires_grad]
    state = torch.get_rng_state()
    try:
        for module, _ in modes:
            module.training = False
        for parameter in wanting:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter in wanting:
            parameter.requires_grad_(True)
        torch.set_rng_state(state)

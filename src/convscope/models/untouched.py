"""The network is left as it was found: mode, requires_grad, random state; also when something raises."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(root: nn.Module) -> Iterator[None]:
    """Run `root` in evaluation mode with frozen parameters, then put every flag back as it was.

    Frozen parameters mean that a backward pass computes no gradient for weights, and that no graph is kept below
    the first tensor that asks for one. A network that draws random numbers all the same draws the same each time.
    """
    modules = list(root.modules())  # walked once: this is done for every pass
    modes = [(module, module.training) for module in modules if module.training]
    values = [value for module in modules for value in module._parameters.values() if value is not None]
    wanting = [value for value in values if value.requires_grad]
    devices = sorted({value.device.index for value in values if value.is_cuda})
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
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

"""What a call must leave as it was: the network, and the process."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

import convscope as cs


def snapshot(net: cs.Network) -> dict[str, Any]:
    """All that a call must leave as it was, but for Python's random state, which the checker of types draws from."""
    root = net.adapter.root
    modules = {id(m): m for m in (*root.modules(), *net.adapter.modules().values())}
    return {
        "hooks": [
            (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks), len(m._backward_pre_hooks))
            for m in modules.values()
        ],
        "identities": list(modules),
        "training": [m.training for m in modules.values()],
        "requires_grad": [p.requires_grad for p in root.parameters()],
        "grads": [p.grad is None for p in root.parameters()],
        "values": {name: _bytes(value) for name, value in root.state_dict().items()},
        "attributes": [_plain(m) for m in modules.values()],
        "strides": [p.stride() for p in root.parameters() if not torch.nn.parameter.is_lazy(p)],
        "torch's random state": torch.get_rng_state().tolist(),
        "numpy's random state": str(np.random.get_state(legacy=False)),
        "threads": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": torch.is_autocast_enabled("cpu"),
    }


def _bytes(value: Any) -> Any:
    """What a parameter or buffer holds, so that NaN is itself."""
    if not isinstance(value, Tensor) or torch.nn.parameter.is_lazy(value):
        return repr(value)
    return value.detach().contiguous().flatten().view(torch.uint8).tolist()


def _plain(module: torch.nn.Module) -> dict[str, str]:
    """A module's own attributes that are no modules or parameters, and how long each is."""
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return {name: f"{id(value)} {len(value) if isinstance(value, list | dict) else ''}" for name, value in own.items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not as it was."""
    return [name for name, value in before.items() if value != after[name]]


def assert_as_found(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert not changed(before, after)

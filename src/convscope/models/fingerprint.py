"""Whether a network's weights are what they were: told at little cost, and told for ever by their hash."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

State = tuple[Any, ...]


def state_of(root: nn.Module) -> State:
    """Something that differs once a weight has changed: of each parameter and buffer where it lies, how often it was
    written as autograd counts, and its middle number, for what is written past autograd (`.data`); and each `eps`."""
    values = tuple(
        (value.data_ptr(), 0 if value.is_inference() else value._version, _middle(value)) for value in _held(root)
    )
    return values, tuple(module.eps for module in root.modules() if isinstance(getattr(module, "eps", None), float))


def _held(root: nn.Module) -> Iterator[Tensor]:
    for module in root.modules():
        for value in (*module._parameters.values(), *module._buffers.values()):
            if value is not None and not nn.parameter.is_lazy(value):
                yield value


def _middle(value: Tensor) -> str:
    """A text, as NaN is not what it is."""
    return str(value.detach().flatten()[value.numel() // 2].item()) if value.numel() else ""


def hash_of(root: nn.Module, is_weight: Callable[[str], bool]) -> str:
    """SHA-256 of all weights (parameters and buffers) with their names."""
    digest = hashlib.sha256()
    for name, value in root.state_dict().items():
        if isinstance(value, Tensor) and is_weight(name):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            plain = value.detach().cpu().contiguous()
            digest.update(plain.view(torch.uint8).numpy().data if plain.ndim else plain.numpy().tobytes())
    return digest.hexdigest()

"""Whether a network's weights are what they were: told at little cost, and told for ever by their hash."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

State = tuple[Any, ...]


class Fingerprint:
    """Tells whether a network's weights are what they were, without reading them all."""

    def __init__(self, root: nn.Module) -> None:
        self._root = root
        self._lie: tuple[tuple[int, int], ...] = ()
        self._middles: list[list[Tensor]] = []

    def state(self) -> State:
        """Something that differs once a weight has changed: of each parameter and buffer where it lies, how often it
        was written as autograd counts, and its middle number, for what is written past autograd (`.data`); and each
        `eps`."""
        modules = list(self._root.modules())
        held = list(_held(modules))
        lie = tuple((id(value), value.data_ptr()) for value in held)
        if lie != self._lie:
            self._lie, self._middles = lie, _middles(held)
        written = tuple(0 if value.is_inference() else value._version for value in held)
        numbers = tuple(torch.stack(views).cpu().view(torch.uint8).numpy().tobytes() for views in self._middles)
        eps = tuple(e for module in modules if isinstance(e := vars(module).get("eps"), float))
        return lie, written, numbers, eps


def _middles(held: Sequence[Tensor]) -> list[list[Tensor]]:
    """Views of the tensors' middle numbers, by type and device. Their bytes are compared: NaN is not what it is."""
    alike: dict[Any, list[Tensor]] = {}
    for value in held:
        if value.numel():
            view = value.detach()[tuple(side // 2 for side in value.shape)]
            alike.setdefault((value.dtype, value.device), []).append(view)
    return list(alike.values())


def _held(modules: Iterable[nn.Module]) -> Iterator[Tensor]:
    for module in modules:
        for value in (*module._parameters.values(), *module._buffers.values()):
            if value is not None and not nn.parameter.is_lazy(value):
                yield value


def hash_of(root: nn.Module, is_weight: Callable[[str], bool]) -> str:
    """SHA-256 of all weights (parameters and buffers) with their names."""
    digest = hashlib.sha256()
    for name, value in root.state_dict().items():
        if isinstance(value, Tensor) and is_weight(name):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            plain = value.detach().cpu().contiguous()
            digest.update(plain.view(torch.uint8).numpy().data if plain.ndim else plain.numpy().tobytes())
    return digest.hexdigest()

"""The network is left as it was found: mode, requires_grad, what a pass writes; also when something raises."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Written:
    """Something of its own that a network's forward pass writes: a parameter, a buffer, a module, or a plain
    attribute."""

    module: nn.Module
    name: str

    def lend(self, lent: dict[int, Tensor]) -> tuple[Any, Any]:
        """Swap a tensor for a copy that the pass may write into (a later backward pass still needs what was written).
        Returns what `put_back` wants. lent: the copies so far, by the tensor's id."""
        value = _entries(self.module).get(self.name, _ABSENT)
        if isinstance(value, Tensor):
            if id(value) not in lent:
                copy = value.detach().clone()
                lent[id(value)] = nn.Parameter(copy, False) if isinstance(value, nn.Parameter) else copy
            self._home()[self.name] = lent[id(value)]
        return value, value.copy() if isinstance(value, list | dict) else None

    def put_back(self, was: tuple[Any, Any]) -> None:
        """The inverse of lend."""
        value, copy = was
        home = self._home()
        if value is _ABSENT:
            home.pop(self.name, None)
            return
        if isinstance(value, list) and copy is not None:
            value[:] = copy
        elif isinstance(value, dict) and copy is not None:
            value.clear()
            value.update(copy)
        home[self.name] = value

    @property
    def holds_tensor(self) -> bool:
        """Whether it is a parameter or buffer."""
        return self.name in self.module._parameters or self.name in self.module._buffers

    def _home(self) -> Any:
        """Where the module keeps it."""
        parts = (self.module._parameters, self.module._buffers, self.module._modules)
        return next((part for part in parts if self.name in part), vars(self.module))


class _Absent:
    pass


_ABSENT = _Absent()
_KEPT_BY_TORCH = ("training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")


def _entries(module: nn.Module) -> dict[str, Any]:
    """What a module holds under a name, but for what torch itself keeps there."""
    plain = {name: value for name, value in vars(module).items() if name not in _KEPT_BY_TORCH and "hook" not in name}
    parts = (module._parameters, module._buffers, module._modules)  # of a scripted module, no dicts
    return plain | {name: value for part in parts for name, value in part.items()}


class Watched:
    """What a network holds before a pass, to be compared with what it holds behind it. attributes: whether all that is
    assigned anew is the pass's own doing; else counts, tensors and modules alone."""

    def __init__(self, root: nn.Module, attributes: bool) -> None:
        self._attributes = attributes
        self._before = [
            (module, {name: (value, _copy(value)) for name, value in _entries(module).items()})
            for module in root.modules()
        ]

    def written(self) -> list[tuple[Written, tuple[Any, Any]]]:
        """What was assigned anew, or has grown by tensors, and what was there before; not what was written in place."""
        result: list[tuple[Written, tuple[Any, Any]]] = []
        for module, before in self._before:
            now = _entries(module)
            for name in before.keys() | now.keys():
                was, copy = before.get(name, (_ABSENT, None))
                value = now.get(name, _ABSENT)
                if value is not was and (self._attributes or _is_state(value) or _is_state(was)):
                    result.append((Written(module, name), (was, None)))
                elif value is was and copy is not None and _holds_other_tensors(value, copy):
                    result.append((Written(module, name), (was, copy)))
        return result

    def places(self, tensors: Sequence[Tensor]) -> list[Written]:
        """Where these parameters and buffers are held."""
        return [
            Written(module, name)
            for module, before in self._before
            for name, (value, _) in before.items()
            if any(value is tensor for tensor in tensors)
        ]


def _copy(value: Any) -> Any:
    """A list or dictionary as it is now, to be compared with what it holds later."""
    return value.copy() if isinstance(value, list | dict) else None


def _holds_other_tensors(now: Any, before: Any) -> bool:
    """Whether a list or dictionary was given tensors, or lost some."""
    pairs = [list(x.values()) if isinstance(x, dict) else x for x in (now, before)]
    if len(pairs[0]) == len(pairs[1]) and all(a is b for a, b in zip(*pairs, strict=True)):
        return False
    return any(isinstance(value, Tensor) for part in pairs for value in part)


def _is_state(value: Any) -> bool:
    """Whether a value is one that a forward pass leaves behind: a tensor, a module, a count, several tensors."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(part, Tensor) for part in value)
    return isinstance(value, Tensor | nn.Module) or (isinstance(value, int | float) and not isinstance(value, bool))


def overwrite(tensor: Tensor, values: Tensor) -> None:
    """Values written into a parameter or buffer, whatever mode it was made in."""
    with torch.inference_mode(tensor.is_inference()), torch.no_grad():
        tensor.copy_(values)


@contextmanager
def untouched(root: nn.Module, written: Sequence[Written] = ()) -> Iterator[None]:
    """Run `root` in evaluation mode with frozen parameters, then put every flag back as it was.

    Frozen parameters mean that a backward pass computes no gradient for weights, and that no graph is kept below
    the first tensor that asks for one. written: what else is put back.
    """
    modules = list(root.modules())  # walked once: this is done for every pass
    modes = [(module, module.training) for module in modules]
    values = [value for module in modules for value in module._parameters.values() if value is not None]
    wanting = [value for value in values if value.requires_grad]
    lent: dict[int, Tensor] = {}
    before = [place.lend(lent) for place in written]
    try:
        for module, training in modes:
            if training:
                module.training = False
        for parameter in wanting:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            if module.training != training:
                module.training = training
        for parameter in wanting:
            with torch.inference_mode(parameter.is_inference()):  # of one made in that mode it is allowed there alone
                parameter.requires_grad_(True)
        for place, was in zip(written, before, strict=True):
            place.put_back(was)

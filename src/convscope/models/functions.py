"""Sums and concatenations that no module makes, as places that can be read: calls of functions in a forward pass.

Networks whose branches meet in plain code (`x = x + self.branch(x)`) have their most telling maps there.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SUM, CAT = "<sum>", "<cat>"
"""What stands for a module's name; no module is named so."""
KINDS = {SUM: "Sum", CAT: "Concatenation"}
_FUNCTIONS: dict[Any, str] = {
    torch.add: SUM, Tensor.add: SUM, Tensor.add_: SUM, torch.cat: CAT, torch.concat: CAT, torch.concatenate: CAT,
}  # fmt: skip
_IN_PLACE = {Tensor.add_}


def terms(args: Any, kwargs: Any) -> tuple[Any, ...]:
    """What a function is given by place or as `other=`."""
    return (*args, kwargs["other"]) if kwargs and "other" in kwargs else tuple(args)


def is_sum(func: Any) -> bool:
    """Whether a function adds two tensors."""
    return _FUNCTIONS.get(func) == SUM


class Calls(TorchFunctionMode):
    """While active, this thread's sums and concatenations are told to `listen(kind, inputs, output)`; what it returns,
    unless None, goes on in place of the output."""

    def __init__(self, listen: Callable[[str, Any, Any], Any]) -> None:
        super().__init__()
        self._listen = listen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = _FUNCTIONS.get(func)
        changed = (
            self._listen(kind, terms(args, kwargs), result) if kind is not None and isinstance(result, Tensor) else None
        )
        if changed is None:
            return result
        return result.copy_(changed) if func in _IN_PLACE else changed

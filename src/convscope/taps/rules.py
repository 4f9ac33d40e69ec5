"""Rules that change the way back through activation functions, as functions are called: modules, in place, fused.

Nothing of the network is replaced: while a rule is on, each call of a rectifier (ReLU, ReLU6, a clamp) that this
thread makes goes through the rule's own function.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_INF = float("inf")


class _Redirect(torch.autograd.Function):
    """A clamp to [low, high]. Where its gradient is blocked in all of a picture, it is let through as far as a step
    along it would bring the clamped values back into the range."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float, wanted: Tensor) -> Tensor:
        ctx.save_for_backward(x, wanted)
        ctx.bounds = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        x, wanted = ctx.saved_tensors
        low, high = ctx.bounds
        gradient = gradients[0]
        plain = gradient * ((x > low) & (x < high))
        outward = ((x <= low) & (gradient < 0)) | ((x >= high) & (gradient > 0))
        let = torch.where(outward, torch.zeros_like(gradient), gradient)
        blocked = plain.flatten(1).eq(0).all(1) & wanted.repeat_interleave(len(x) // len(wanted)).to(x.device)
        return torch.where(blocked.view(-1, *[1] * (x.ndim - 1)), let, plain), None, None, None


class _Rectifiers(TorchFunctionMode):
    """Sends rectifiers through _Redirect. Gradients are of what is maximised: uphill is positive."""

    def __init__(self, wanted: Tensor) -> None:
        super().__init__()
        self.wanted = wanted

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = _bounds(func, args, kwargs)
        if found is None:
            return func(*args, **kwargs)
        x, low, high, in_place = found
        if not x.requires_grad or len(x) % len(self.wanted):
            return func(*args, **kwargs)
        if in_place:
            return x.copy_(_Redirect.apply(x.clone(), low, high, self.wanted))  # type: ignore[no-untyped-call]
        return _Redirect.apply(x, low, high, self.wanted)  # type: ignore[no-untyped-call]


_RELU = {F.relu, torch.relu, Tensor.relu}
_RELU_IN_PLACE = {torch.relu_, Tensor.relu_}
_RELU6 = {F.relu6}
_CLAMP = {F.hardtanh, torch.clamp, Tensor.clamp, torch.clip, Tensor.clip, torch.clamp_min, Tensor.clamp_min}


def _bounds(func: Any, args: Any, kwargs: Any) -> tuple[Tensor, float, float, bool] | None:
    """The tensor that a call rectifies, the range, and whether it does so in place; None for any other call."""
    if not args or not isinstance(args[0], Tensor):
        return None
    in_place = bool(kwargs.get("inplace", False)) or (func is F.relu and len(args) > 1 and bool(args[1]))
    if func in _RELU:
        return args[0], 0.0, _INF, in_place
    if func in _RELU_IN_PLACE:
        return args[0], 0.0, _INF, True
    if func in _RELU6:
        return args[0], 0.0, 6.0, in_place or (len(args) > 1 and bool(args[1]))
    if func not in _CLAMP:
        return None
    names = ("min_val", "max_val") if func is F.hardtanh else ("min", "max")
    given = dict(zip(names, args[1:], strict=False)) | {key: kwargs[key] for key in names if key in kwargs}
    defaults = (-1.0, 1.0) if func is F.hardtanh else (None, None)
    low, high = (given.get(name, default) for name, default in zip(names, defaults, strict=True))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return None
    place = in_place or (func is F.hardtanh and len(args) > 3 and bool(args[3]))
    return args[0], -_INF if low is None else float(low), _INF if high is None else float(high), place


@contextmanager
def redirected(wanted: Tensor) -> Iterator[None]:
    """Within it, pictures for which a rectifier blocks every gradient get the one that would wake it up.

    wanted: which pictures of the batch, `(n,)`; each may be there in several looks, side by side.

    Source: the gradient override of Lucid (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017).
    """
    with _Rectifiers(wanted):
        yield

"""Rules that change the way back through activation functions, as functions are called: modules, in place, fused.

Nothing of the network is replaced: while a rule is on, each call of a rectifier (ReLU, ReLU6, a clamp) that this
thread makes goes through the rule's own function.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from convscope.errors import InputError

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


class _Guide(torch.autograd.Function):
    """A clamp to [low, high] that lets back only what is positive; guided: and only where the clamp did nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float, guided: bool) -> Tensor:
        ctx.save_for_backward((x > low) & (x < high) if guided else x.new_zeros(0))
        ctx.guided = guided
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        gradient = gradients[0].relu()
        return gradient * ctx.saved_tensors[0] if ctx.guided else gradient, None, None, None


class _Rectifiers(TorchFunctionMode):
    """Sends rectifiers through a function `instead(x, low, high)`. count: how often; passed: how often a gradient came
    by another activation function, which is left as it is."""

    def __init__(self, instead: Callable[[Tensor, float, float], Tensor], fits: Callable[[Tensor], bool]) -> None:
        super().__init__()
        self.instead, self.fits, self.count, self.passed = instead, fits, 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = _bounds(func, args, kwargs)
        if result is None:
            self.passed += func in _OTHERS and isinstance(args[0], Tensor) and args[0].requires_grad
            return func(*args, **kwargs)
        x, low, high, in_place = result
        if not x.requires_grad or not self.fits(x):
            return func(*args, **kwargs)
        self.count += 1
        return x.copy_(self.instead(x.clone(), low, high)) if in_place else self.instead(x, low, high)


_RELU = {F.relu, torch.relu, Tensor.relu}
_RELU_IN_PLACE = {torch.relu_, Tensor.relu_}
_RELU6 = {F.relu6}
_HARDTANH = {F.hardtanh, F.hardtanh_}
_THRESHOLD = {F.threshold, torch.threshold, vars(F)["threshold_"]}
_CLAMP = {torch.clamp, Tensor.clamp, torch.clip, Tensor.clip, torch.clamp_min, Tensor.clamp_min}
_CLAMP_IN_PLACE = {
    torch.clamp_, Tensor.clamp_, torch.clip_, Tensor.clip_, torch.clamp_min_, Tensor.clamp_min_,
}  # fmt: skip
_OTHERS = {
    F.leaky_relu, F.prelu, F.rrelu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.hardswish, F.softplus,
}  # fmt: skip
_MAXIMUM = {torch.maximum, Tensor.maximum, torch.fmax, Tensor.fmax}


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
    if func in _MAXIMUM or func is torch.max or func is Tensor.max:
        return _maximum(args, kwargs)
    if func in _THRESHOLD:
        return _threshold(func, args, kwargs)
    if func not in _CLAMP | _CLAMP_IN_PLACE | _HARDTANH:
        return None
    names = ("min_val", "max_val") if func in _HARDTANH else ("min", "max")
    given = dict(zip(names, args[1:], strict=False)) | {key: kwargs[key] for key in names if key in kwargs}
    defaults = (-1.0, 1.0) if func in _HARDTANH else (None, None)
    low, high = (_number(given.get(name, default)) for name, default in zip(names, defaults, strict=True))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return None
    place = in_place or func in _CLAMP_IN_PLACE or func is F.hardtanh_
    place = place or (func is F.hardtanh and len(args) > 3 and bool(args[3]))
    return args[0], -_INF if low is None else float(low), _INF if high is None else float(high), place


def _number(bound: Any) -> Any:
    """A bound that is given as a tensor of one number, as that number."""
    return bound.item() if isinstance(bound, Tensor) and bound.numel() == 1 and not bound.requires_grad else bound


def _maximum(args: Any, kwargs: Any) -> tuple[Tensor, float, float, bool] | None:
    """The maximum of a tensor and a number, in either order."""
    several = [*args, *([kwargs["other"]] if "other" in kwargs else [])]
    if len(several) != 2 or kwargs.keys() - {"other"} or not all(isinstance(each, Tensor) for each in several):
        return None
    x, low = several if several[0].requires_grad else several[::-1]
    low = _number(low)
    return None if isinstance(low, Tensor) else (x, float(low), _INF, False)


def _threshold(func: Any, args: Any, kwargs: Any) -> tuple[Tensor, float, float, bool] | None:
    """A threshold whose values below are the threshold itself, which is a clamp."""
    names = ("threshold", "value", "inplace")
    given = dict(zip(names, args[1:], strict=False)) | kwargs
    if given["threshold"] != given["value"]:
        return None
    return args[0], float(given["value"]), _INF, bool(given.get("inplace")) or func is vars(F)["threshold_"]


@contextmanager
def redirected(wanted: Tensor) -> Iterator[None]:
    """Within it, pictures for which a rectifier blocks every gradient get the one that would wake it up.

    wanted: which pictures of the batch, `(n,)`; each may be there in several views, adjacent.

    Source: the gradient override of Lucid (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017).
    """

    def instead(x: Tensor, low: float, high: float) -> Tensor:
        result: Tensor = _Redirect.apply(x, low, high, wanted)  # type: ignore[no-untyped-call]
        return result

    with _Rectifiers(instead, lambda x: len(x) % len(wanted) == 0):
        yield


@dataclass
class Acting:
    """What a rule has acted on so far: rectifiers, and other activation functions that it passed over."""

    _mode: _Rectifiers

    @property
    def note(self) -> str:
        """What the reader of a picture has to know of it; empty where the rule acted on every activation function."""
        count, passed = self._mode.count, self._mode.passed
        if not passed:
            return ""
        return (
            f"the rule acts on rectifiers alone, {count} of {count + passed} activation functions here; through the "
            "others (SiLU, GELU, leaky ReLU and the like) the plain gradient goes back"
        )


@contextmanager
def guided() -> Iterator[Acting]:
    """Within it, rectifiers let back only positive gradients, and these only where they were open.

    Raises InputError, when left, where there was no rectifier to act on.

    Source: Springenberg et al., "Striving for Simplicity: The All Convolutional Net" (2015), section 3.4.
    """
    with _positive("guided backpropagation", True) as acting:
        yield acting


@contextmanager
def deconvolved() -> Iterator[Acting]:
    """Within it, rectifiers let back only positive gradients, where they were closed too. With this rule the gradient
    is the deconvnet's projection: max pooling goes back by its switches, a convolution (strided too) by its transpose,
    batch norm by its scale, average pooling and sums evenly.

    Raises InputError, when left, where there was no rectifier to act on.

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 2.1. Departs
    from it in batch norm and average pooling, which it does not have.
    """
    with _positive("the deconvnet", False) as acting:
        yield acting


@contextmanager
def _positive(what: str, guided: bool) -> Iterator[Acting]:
    def instead(x: Tensor, low: float, high: float) -> Tensor:
        result: Tensor = _Guide.apply(x, low, high, guided)  # type: ignore[no-untyped-call]
        return result

    with _Rectifiers(instead, lambda x: True) as rectifiers:
        yield Acting(rectifiers)
    if not rectifiers.count:
        raise InputError(
            f"{what} changes how rectifiers (ReLU, ReLU6, clamps) are gone back through, and there is none on the way "
            "to the target: take another method"
        )

"""How operations are carried out on parts of maps, by operation: sliding windows, what goes by position, means."""

from collections.abc import Callable, Sequence
from functools import cache
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map_only

from convscope.attribution.incremental.regions import (
    Changed,
    Clean,
    Part,
    channels_first,
    native_order,
    tensor_of,
    values_in,
)
from convscope.taps.tape import Step, Value

aten = torch.ops.aten
FULL = 0.6
"""From which share of a map on the whole of it is computed: regions cost copying, and odd shapes."""

Rule = Callable[[Clean, Step, dict[int, Changed]], Part | Tensor | None]
RULES: dict[Any, Rule] = {}
"""What is done on parts, by operation; None from a rule leaves it to whole maps."""


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def decorate(rule: Rule) -> Rule:
        for name in names:
            packet = getattr(aten, name, None)
            for overload in packet.overloads() if packet is not None else ():
                RULES[getattr(packet, overload)] = rule
        return rule

    return decorate


@_rule("convolution")
def _convolution(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    value, weight, bias, stride, padding, dilation, transposed, _, groups = step.args
    part = changed[value.number]
    if transposed or not isinstance(part, Part) or part.axes != (2, 3) or weight.ndim != 4:
        return None
    kernel = weight.shape[2:]
    if tuple(kernel) == (1, 1) and tuple(stride) == (1, 1) and not any(padding):
        out = torch.convolution(part.tensor, weight, bias, [1, 1], [0, 0], [1, 1], False, [0, 0], groups)
        return Part(out, part.rows, part.columns)

    def convolved(x: Tensor) -> Tensor:
        return torch.convolution(x, weight, bias, stride, [0, 0], dilation, False, [0, 0], groups)

    return _slid(clean, step, part, kernel, stride, padding, dilation, 0.0, convolved)


def _slid(
    clean: Clean,
    step: Step,
    part: Part,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    fill: float,
    work: Callable[[Tensor], Tensor],
) -> Part | None:
    """A sliding window over what it needs to see."""
    value, gives = step.args[0], step.gives[0]
    assert gives is not None
    height, width = gives.clean.shape[-2:]
    rows = part.rows.through(kernel[0], stride[0], padding[0], dilation[0], height)
    columns = part.columns.through(kernel[1], stride[1], padding[1], dilation[1], width)
    if rows.size * columns.size >= FULL * height * width:
        return None
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    needs = (rows.size - 1) * stride[0] + reach[0], (columns.size - 1) * stride[1] + reach[1]
    below = (height - 1) * stride[0] + reach[0] - part.rows.whole - padding[0]
    beyond = (width - 1) * stride[1] + reach[1] - part.columns.whole - padding[1]
    pads = padding[0], max(0, below), padding[1], max(0, beyond)
    window = clean.window(
        value, part, rows.start * stride[0], needs[0], columns.start * stride[1], needs[1], (2, 3), pads, fill
    )
    return Part(work(window), rows, columns)


@_rule("max_pool2d_with_indices", "max_pool2d")
def _max_pool(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    kernel, stride, padding, dilation = _pooling(step.args, 2)
    part = changed[step.args[0].number]
    if not isinstance(part, Part) or part.axes != (2, 3):
        return None
    return _slid(
        clean,
        step,
        part,
        kernel,
        stride,
        padding,
        dilation,
        -inf,
        lambda x: F.max_pool2d(x, kernel, stride, 0, dilation),
    )


@_rule("avg_pool2d")
def _avg_pool(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    kernel, stride, padding, dilation = _pooling(step.args, 1)
    ceil_mode, with_pads, divisor = (*step.args, *(None, None, None, False, True, None)[len(step.args) - 1 :])[4:7]
    part = changed[step.args[0].number]
    if ceil_mode or divisor or (any(padding) and not with_pads):
        return None
    if not isinstance(part, Part) or part.axes != (2, 3):
        return None
    return _slid(clean, step, part, kernel, stride, padding, dilation, 0.0, lambda x: F.avg_pool2d(x, kernel, stride))


def _pooling(args: Sequence[Any], settings: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Kernel, stride, padding and dilation of a pooling operation, which may leave the last ones out."""
    kernel = _pair(args[1])
    stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
    padding = _pair(args[3]) if len(args) > 3 else [0, 0]
    dilation = _pair(args[4]) if settings == 2 and len(args) > 4 else [1, 1]
    return kernel, stride, padding, dilation


def _pair(given: Sequence[int]) -> list[int]:
    return [given[0], given[-1]]


@_rule("constant_pad_nd")
def _padded(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    part, pads, gives = changed[step.args[0].number], step.args[1], step.gives[0]
    if not isinstance(part, Part) or part.axes != (2, 3) or len(pads) > 4 or min(pads) < 0 or gives is None:
        return None
    left, _, top, _ = (*pads, 0, 0)[:4]
    height, width = gives.clean.shape[-2:]
    return Part(part.tensor, part.rows.shifted(top, height), part.columns.shifted(left, width))


@_rule("permute")
def _permuted(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    part, order = changed[step.args[0].number], [axis % 4 for axis in step.args[1]]
    if not isinstance(part, Part) or order[0] != 0:
        return None
    axes = order.index(part.axes[0]), order.index(part.axes[1])
    return Part(part.tensor.permute(order), part.rows, part.columns, axes) if axes[0] < axes[1] else None


@_rule("mean")
def _mean(clean: Clean, step: Step, changed: dict[int, Changed]) -> Tensor | None:
    """The mean over all positions: the clean one, and what the part adds to it."""
    value = step.args[0]
    part = changed[value.number]
    over = step.args[1] if len(step.args) > 1 else None
    if not isinstance(part, Part) or not over or step.kwargs or {axis % 4 for axis in over} != set(part.axes):
        return None
    rows, columns = part.rows, part.columns
    before = clean.window(value, None, rows.start, rows.size, columns.start, columns.size, part.axes)
    added = (channels_first(part.tensor, part.axes) - before).sum((2, 3)) / (rows.whole * columns.whole)
    mean = channels_first(value.clean, part.axes).mean((2, 3)) + added
    if len(step.args) > 2 and step.args[2]:
        return native_order(mean[:, :, None, None], part.axes)
    return mean


_POINTWISE = (
    "relu relu_ relu6 relu6_ hardtanh hardtanh_ clamp clamp_ clamp_min clamp_min_ clamp_max sigmoid sigmoid_ silu "
    "silu_ gelu elu elu_ leaky_relu leaky_relu_ hardswish hardswish_ hardsigmoid hardsigmoid_ tanh tanh_ softplus "
    "mish mish_ threshold neg exp sqrt rsqrt abs square pow clone detach alias _to_copy lift_fresh_copy mul mul_ add "
    "add_ sub sub_ div div_ rsub maximum minimum native_batch_norm _native_batch_norm_legit_no_training contiguous "
    "copy_"
)


@_rule(*_POINTWISE.split())
def _pointwise(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    """Operations on each position by itself, of one or several maps."""
    return _by_position(clean, step, changed)


@_rule("cat")
def _joined(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    axis = (step.args[1] if len(step.args) > 1 else 0) % 4
    axes = next(one.axes for value in step.args[0] if isinstance(one := changed.get(value.number), Part))
    return None if axis == 0 or axis in axes else _by_position(clean, step, changed)


def _by_position(clean: Clean, step: Step, changed: dict[int, Changed]) -> Part | None:
    values = values_in((step.args, step.kwargs))
    parts = [one for value in values if isinstance(one := changed.get(value.number), Part)]
    first, gives = parts[0], step.gives[0]
    if gives is None or gives.clean.ndim != 4 or any(part.axes != first.axes for part in parts):
        return None
    rows, columns, axes = first.rows, first.columns, first.axes
    for part in parts[1:]:
        rows, columns = rows.joined(part.rows), columns.joined(part.columns)
    if any(_placed(x, axes) for x in tree_flatten((step.args, step.kwargs))[0] if isinstance(x, Tensor)):
        return None

    def there(value: Value) -> Tensor:
        """A value where the region is."""
        one = changed.get(value.number)
        if isinstance(one, Part) and one.rows.same(rows) and one.columns.same(columns):
            return one.tensor
        if not isinstance(one, Part) and not _placed(value.clean, axes):
            return value.clean
        part = one if isinstance(one, Part) else None
        return native_order(clean.window(value, part, rows.start, rows.size, columns.start, columns.size, axes), axes)

    args, kwargs = tree_map_only(Value, there, (step.args, step.kwargs))
    overwrite = clean.may_overwrite(step, changed) and args[0] is tensor_of(changed[step.args[0].number])
    out = carried_out(step.op, args, kwargs, overwrite)
    return Part(out[0] if isinstance(out, tuple) else out, rows, columns, axes)


def _placed(tensor: Tensor, axes: tuple[int, int]) -> bool:
    """Whether a tensor has a value for each position."""
    missing = 4 - tensor.ndim
    return any(axis >= missing and tensor.shape[axis - missing] > 1 for axis in axes)


def carried_out(op: Any, args: Any, kwargs: Any, overwrite: bool) -> Any:
    """An operation's result; `overwrite`: written over its first argument, where there is such an operation.

    One that was taken down as writing in place gives a result of its own otherwise.
    """
    inside, outside = _twins(op)
    if overwrite and inside is not None and _fits(args):
        return inside(*args, **kwargs)
    if outside is not None:
        return outside(*args, **kwargs)
    return op(args[0].clone(), *args[1:], **kwargs)


def _fits(args: Any) -> bool:
    """Whether the result is of the first argument's shape and type."""
    first = args[0]
    others = [x for x in args[1:] if isinstance(x, Tensor)]
    return all(x.dtype == first.dtype and _spreads(x, first) for x in others)


def _spreads(x: Tensor, first: Tensor) -> bool:
    """Whether `x` can be spread over `first`."""
    sides = zip(reversed(x.shape), reversed(first.shape), strict=False)
    return x.ndim <= first.ndim and all(a in (1, b) for a, b in sides)


_WRITES = {"relu", "hardtanh", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "elu", "mish", "clamp", "clamp_min", "add", "sub", "mul", "div"}  # fmt: skip  # noqa: E501


@cache
def _twins(op: Any) -> tuple[Any, Any]:
    """The operation that does the same in place, and the one that does it in a tensor of its own; None for neither."""
    name = op._schema.name.removeprefix("aten::")
    plain = name.removesuffix("_") if op._schema.is_mutable else name

    def overload(of: str) -> Any:
        packet = getattr(aten, of, None)
        return getattr(packet, op._overloadname, None) if packet is not None else None

    return overload(f"{plain}_") if plain in _WRITES else None, overload(plain) if op._schema.is_mutable else op


def views(step: Step) -> bool:
    """Whether what an operation gives may share the memory of what it was given."""
    shares = any(given.alias_info is not None and not given.alias_info.is_write for given in step.op._schema.arguments)
    return shares or step.op in (aten.reshape.default, aten._unsafe_view.default, aten.as_strided_.default)

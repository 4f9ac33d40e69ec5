"""The receptive field of every map, read off the operations of one real forward pass.

Working on operations and not on module classes, it is right for residual, branching, functional and Keras networks
alike. Where an operation is not known, the field is undefined from there on; it is never guessed.

Source: the recurrence of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks"
(Distill, 2019): a window of k steps over a map with field r and stride j gives field r + (k-1) j.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

Pair = tuple[float, float]


@dataclass(frozen=True)
class Field:
    """`size`: the pixels (height, width) that one position sees (infinite: all); `stride`: pixels between positions."""

    size: Pair = (1.0, 1.0)
    stride: Pair = (1.0, 1.0)

    def window(self, kernel: Any, stride: Any, dilation: Any = 1) -> "Field":
        k, s, d = _pair(kernel), _pair(stride), _pair(dilation)
        return Field(
            (
                self.size[0] + (k[0] - 1) * d[0] * self.stride[0],
                self.size[1] + (k[1] - 1) * d[1] * self.stride[1],
            ),
            (self.stride[0] * s[0], self.stride[1] * s[1]),
        )

    def joined(self, other: "Field") -> "Field":
        """Two maps put together: the wider field; the stride of the one that still has positions."""
        mine, theirs = math.isinf(self.size[0]), math.isinf(other.size[0])
        stride = other.stride if mine and not theirs else self.stride
        return Field((max(self.size[0], other.size[0]), max(self.size[1], other.size[1])), stride)


GLOBAL = Field((math.inf, math.inf), (math.inf, math.inf))

_SAME = {
    "view", "_unsafe_view", "reshape", "permute", "transpose", "t", "expand", "squeeze", "unsqueeze",
    "select", "split", "split_with_sizes", "chunk", "unbind", "alias", "detach", "clone", "contiguous", "_to_copy",
    "lift_fresh", "cat", "stack", "constant_pad_nd", "copy_", "dropout", "native_dropout",
    "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "_batch_norm_no_update",
}  # fmt: skip
_VIEWS = {"view", "_unsafe_view", "reshape"}
_WHOLE = {"_adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "sum", "amax", "max", "native_group_norm"}


class FieldTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, follows the receptive field of every tensor that comes from `image`."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._fields: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._fields[image] = Field()

    def field(self, tensor: Tensor) -> Field | None:
        """The field of a tensor made under the tracker; None where it is undefined."""
        found: Field | None = self._fields.get(tensor)  # type: ignore[no-untyped-call]
        return found

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf in self._fields]
        if inputs:
            field = _propagate(func, args, out, [self._fields[tensor] for tensor in inputs])
            for leaf in tree_leaves(out):
                if isinstance(leaf, Tensor):
                    self._fields[leaf] = field
        return out


def _propagate(func: Any, args: tuple[Any, ...], out: Any, fields: list[Field | None]) -> Field | None:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields):
        return None
    name = func.overloadpacket.__name__
    rule = _RULES.get(name)
    if rule is not None:
        return rule(known[0], args)
    if name in _VIEWS and not _keeps_sides(args[0], out):
        return None
    if name in _WHOLE:
        return GLOBAL if _is_global(name, args) else None
    if name in _SAME or torch.Tag.pointwise in func.tags:
        field = known[0]
        for other in known[1:]:
            field = field.joined(other)
        return field
    return None


def _convolution(field: Field, args: tuple[Any, ...]) -> Field | None:
    weight, stride, dilation, transposed = args[1], args[3], args[5], args[6]
    return None if transposed or weight.ndim != 4 else field.window(tuple(weight.shape[2:]), stride, dilation)


def _max_pool(field: Field, args: tuple[Any, ...]) -> Field:
    stride = args[2] if len(args) > 2 and args[2] else args[1]
    return field.window(args[1], stride, args[4] if len(args) > 4 else 1)


def _avg_pool(field: Field, args: tuple[Any, ...]) -> Field:
    return field.window(args[1], args[2] if len(args) > 2 and args[2] else args[1])


def _slice(field: Field, args: tuple[Any, ...]) -> Field | None:
    """Every nth position: the stride grows. Along channels nothing changes; which side is which, four axes tell."""
    step = args[4] if len(args) > 4 else 1
    if step == 1:
        return field
    if args[0].ndim != 4:
        return None
    axis = (args[1] if len(args) > 1 else 0) % 4
    down, across = (step if axis == 2 else 1), (step if axis == 3 else 1)
    return Field(field.size, (field.stride[0] * down, field.stride[1] * across))


def _batch_norm(field: Field, args: tuple[Any, ...]) -> Field:
    return GLOBAL if args[5] else field  # with statistics of the batch, each position sees all


def _keeps_sides(before: Tensor, after: Any) -> bool:
    """Whether a view leaves rows and columns what they were; to a list of numbers no position is left to be wrong."""
    return isinstance(after, Tensor) and (after.ndim <= 2 or after.shape[-2:] == before.shape[-2:])


def _layer_norm(field: Field, args: tuple[Any, ...]) -> Field:
    return field if len(args[1]) == 1 else GLOBAL


_RULES: dict[str, Callable[[Field, tuple[Any, ...]], Field | None]] = {
    "convolution": _convolution,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "native_layer_norm": _layer_norm,
    "slice": _slice,
    "native_batch_norm": _batch_norm,
}


def _is_global(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a reduction takes the whole map; over channels alone it would be another matter."""
    if name == "native_group_norm" or name.startswith(("_adaptive", "adaptive")):
        return True
    dims = args[1] if len(args) > 1 else None
    if dims is None or not isinstance(args[0], Tensor) or args[0].ndim != 4:
        return dims is None
    positive = {dim % 4 for dim in ([dims] if isinstance(dims, int) else dims)}
    return positive >= {2, 3} or positive >= {1, 2}


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    values = [int(v) for v in value]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])

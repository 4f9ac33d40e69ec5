"""The receptive field of every map, read off the operations of one real forward pass.

Working on operations and not on module classes, it is right for residual, branching, functional and Keras networks
alike. Where an operation is not known, the field is undefined from there on; it is never guessed.

Source: the recurrences of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks"
(Distill, 2019): a window of k steps over a map with field r, stride j and first centre s gives field r + (k-1) j and,
with p positions of padding before it, first centre s + ((k-1)/2 - p) j.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from convscope.models.axes import Dims, kind_of
from convscope.models.axis_rules import Call, product_operands, reduced_dims

Pair = tuple[float, float]


@dataclass(frozen=True)
class Field:
    """`size`: the pixels (height, width) that one position sees (infinite: all); `stride`: pixels between positions;
    `start`: the pixel (row, column) at the centre of what the first position sees, the first pixel being 0; `centre`:
    the same, each pixel counted by how much it matters, as the energy of the kernels on the way tells. Of kernels that
    are symmetric, or have not learned, the two are one; padding on one side is often unlearned by the kernels."""

    size: Pair = (1.0, 1.0)
    stride: Pair = (1.0, 1.0)
    start: Pair = (0.0, 0.0)
    centre: Pair = (0.0, 0.0)

    def window(
        self, kernel: Any, stride: Any, dilation: Any = 1, padding: Any = 0, middle: Pair | None = None
    ) -> "Field":
        """The field behind a window that slides over this map. middle: where in the window the weights have their
        centre of mass, in steps from its first; half-way unless given."""
        k, s, d, p = _pair(kernel), _pair(stride), _pair(dilation), _pair(padding)
        reach = [(k[i] - 1) * d[i] for i in (0, 1)]
        weighted = middle or ((k[0] - 1) / 2, (k[1] - 1) / 2)
        size, step, start, centre = [], [], [], []
        for i in (0, 1):
            size.append(self.size[i] + reach[i] * self.stride[i] if reach[i] else self.size[i])
            step.append(self.stride[i] * s[i])
            start.append(self.start[i] + (reach[i] / 2 - p[i]) * self.stride[i])
            centre.append(self.centre[i] + (weighted[i] * d[i] - p[i]) * self.stride[i])
        return Field((size[0], size[1]), (step[0], step[1]), (start[0], start[1]), (centre[0], centre[1]))

    def moved(self, down: float, right: float) -> "Field":
        """The field of a map whose first position is so many positions further."""
        by = down * self.stride[0], right * self.stride[1]
        start, centre = ((at[0] + by[0], at[1] + by[1]) for at in (self.start, self.centre))
        return replace(self, start=start, centre=centre)

    def everywhere(self) -> "Field":
        """Positions where they were, each of which sees the whole picture."""
        return replace(self, size=(math.inf, math.inf))

    def joined(self, other: "Field") -> "Field":
        """Two maps put together: what either sees; positions are those of the one that has some."""
        size, stride, start, centre = zip(*(_joined_along(self, other, i) for i in (0, 1)), strict=True)
        return Field(size, stride, start, centre)


def _joined_along(one: Field, other: Field, i: int) -> tuple[float, float, float, float]:
    """Size, stride, start and centre of two maps put together, on one side."""
    if math.isinf(one.stride[i]) or math.isinf(other.stride[i]):
        placed = other if math.isinf(one.stride[i]) else one
        return max(one.size[i], other.size[i]), placed.stride[i], placed.start[i], placed.centre[i]
    if math.isinf(one.size[i]) or math.isinf(other.size[i]):
        placed = other if math.isinf(one.size[i]) else one
        return math.inf, one.stride[i], placed.start[i], placed.centre[i]
    low = min(field.start[i] - (field.size[i] - 1) / 2 for field in (one, other))
    high = max(field.start[i] + (field.size[i] - 1) / 2 for field in (one, other))
    return high - low + 1, one.stride[i], (low + high) / 2, (one.centre[i] + other.centre[i]) / 2


GLOBAL = Field((math.inf, math.inf), (math.inf, math.inf))
"""The field of what has no positions and comes from the whole picture."""


def field_after(
    call: Call, args: Sequence[Any], dims: Dims, out: Tensor, fields: Sequence[Field | None]
) -> Field | None:
    """The field of what an operation gave; None where it is undefined.

    args: what it was given, in the order of its schema. dims: the axes of what it gave. fields: those of the tensors
    given that depend on the picture.
    """
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or not known:
        return None
    field = known[0]
    for other in known[1:]:
        field = field.joined(other)
    rule = _RULES.get(call.name)
    if rule is not None:
        return rule(field, call, args)
    if call.name in _MOVES:
        return field if _placed(dims) >= _placed(call.dims("self") or ()) or out.ndim <= 2 else None
    return field if call.name in _SAME or call.pointwise else None


_MOVES = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "expand", "squeeze", "unsqueeze",
    "repeat",
}  # fmt: skip
_SAME = {
    "alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh", "stack", "copy_", "dropout", "native_dropout",
    "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "_batch_norm_no_update",
}  # fmt: skip


def _placed(dims: Dims) -> set[int]:
    """The axes of rows and columns that a tensor has, whole or in pieces."""
    return {piece.axis for dim in dims for piece in dim if piece.kind in ("h", "w")}


def _on_map(call: Call) -> tuple[Dims, bool] | None:
    """The axes of a map that an operation slides over, and whether its columns come before its rows."""
    dims = call.dims("input", "self")
    if dims is None or len(dims) != 4:
        return None
    kinds = kind_of(dims[2]), kind_of(dims[3])
    if "?" in kinds or "c" in kinds or "m" in kinds or "t" in kinds:
        return None
    return dims, kinds[0] == "w" or kinds[1] == "h"


def _slid(
    field: Field, call: Call, kernel: Any, stride: Any, dilation: Any, padding: Any, middle: Pair | None = None
) -> Field | None:
    found = _on_map(call)
    if found is None:
        return None
    window = [_pair(value) for value in (kernel, stride, dilation, padding)]
    if found[1]:
        window, middle = [(b, a) for a, b in window], middle and (middle[1], middle[0])
    return field.window(window[0], window[1], window[2], window[3], middle)


def _middle(weight: Tensor) -> Pair | None:
    """Where kernels `out in kh kw` have their centre of mass, in steps from the first: the gradient's energy behind
    independent kernels is spread by their squares."""
    if weight.shape[2:].numel() == 1 or not weight.is_floating_point():
        return None
    energy = weight.detach().double().square().sum((0, 1))
    whole = float(energy.sum())
    if not 0 < whole < math.inf:
        return None
    down, across = (torch.arange(side, dtype=torch.float64, device=energy.device) for side in energy.shape)
    return float((energy.sum(1) * down).sum()) / whole, float((energy.sum(0) * across).sum()) / whole


def _convolution(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    weight, stride, padding, dilation, transposed = args[1], *args[3:7]
    if transposed or weight.ndim != 4 or call.dims("weight") is not None:
        return None
    return _slid(field, call, tuple(weight.shape[2:]), stride, dilation, padding, _middle(weight))


def _pool(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    given = call.given
    stride = given.get("stride") or given["kernel_size"]
    return _slid(field, call, given["kernel_size"], stride, given.get("dilation", 1), given.get("padding", 0))


def _adaptive(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    """A pooling to a given size is one of fixed windows where it divides the map evenly."""
    before, after = call.given["self"].shape[-2:], _pair(call.given["output_size"])
    if after == (1, 1):
        return GLOBAL
    if before[0] % after[0] or before[1] % after[1]:
        return None
    window = (before[0] // after[0], before[1] // after[1])
    return _slid(field, call, window, window, 1, 0)


def _padded(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    """Positions before the first shift it; reflected or repeated ones see what is within already."""
    found, pads = _on_map(call), list(call.given.get("pad") or call.given["padding"])
    if found is None or len(pads) > 4 or call.name.endswith("1d"):
        return field if found is not None and not any(pads[:4]) else None
    left, top = (pads[0], pads[2]) if len(pads) > 2 else (pads[0], 0)
    return field.moved(-left, -top) if found[1] else field.moved(-top, -left)


def _slice(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    """Every nth position: the stride grows. Of channels or pictures nothing changes."""
    dims, shape = call.dims("self"), call.given["self"].shape
    if dims is None:
        return None
    at, start, step = call.given.get("dim", 0), call.given.get("start") or 0, call.given.get("step", 1)
    start = max(0, start + shape[at] if start < 0 else start)
    return _taken(field, dims, at % len(dims), start, step, whole=(start, step) == (0, 1))


def _taken(field: Field, dims: Dims, at: int, start: int, step: int, whole: bool = False) -> Field | None:
    """Positions `start`, `start + step`, ... of one axis."""
    kind = kind_of(dims[at])
    if kind in ("h", "w"):
        i = 0 if kind == "h" else 1
        moved = field.moved(start, 0) if i == 0 else field.moved(0, start)
        stride = list(field.stride)
        stride[i] *= step
        return replace(moved, stride=(stride[0], stride[1]))
    return field if whole or not _placed((dims[at],)) else None


def _split(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    dims = call.dims("self")
    if dims is None:
        return None
    return None if _placed((dims[call.given.get("dim", 0)],)) else field


def _joined(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    """Maps side by side in channels keep their positions; one behind the other has none that could be told."""
    at = call.given.get("dim", 0)
    several = [
        dims for x in call.given["tensors"] if (dims := call.of(x)) is not None and len(dims) > abs(at) - (at < 0)
    ]
    return None if any(_placed((dims[at],)) for dims in several) else field


def _reduction(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    dims = call.dims("self")
    if dims is None:
        return None
    gone = {piece.kind for i in reduced_dims(call) for piece in dims[i]}
    kept = {piece.kind for i, dim in enumerate(dims) if i not in reduced_dims(call) for piece in dim}
    if not gone & {"h", "w"}:
        return field if not gone & {"?", "m", "t"} else field.everywhere()
    if kept & {"h", "w"}:
        axes = [i for i, kind in enumerate("hw") if kind in gone]
        pairs = [[math.inf if i in axes else value[i] for i in (0, 1)] for value in (field.size, field.stride)]
        return Field((pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1]), field.start, field.centre)
    return GLOBAL


def _product(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    """A matrix over channels leaves positions what they are; over positions, or two maps by each other, mixes all."""
    a, b = product_operands(call)
    left, right = call.dims(a), call.dims(b)
    if left is not None and right is None:
        return field if all(piece.kind == "c" for piece in left[-1]) else field.everywhere()
    return field.everywhere()


def _along(field: Field, call: Call, args: Sequence[Any]) -> Field | None:
    """A softmax, or a norm, over some axes: over channels alone each position stays by itself."""
    dims = call.dims("self", "input")
    if dims is None:
        return None
    over: Any = call.given.get("dim")
    if over is None:
        over = range(-len(call.given["normalized_shape"]), 0)
    some = [over] if isinstance(over, int) else list(over)
    return field.everywhere() if any(_placed((dims[i],)) for i in some) else field


def _batch_norm(field: Field, call: Call, args: Sequence[Any]) -> Field:
    return field.everywhere() if args[5] else field  # with statistics of the batch, each position sees all


Rule = Callable[[Field, Call, Sequence[Any]], Field | None]


def _rules(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, Rule] = {
    **_rules("convolution", _convolution),
    **_rules("max_pool2d max_pool2d_with_indices avg_pool2d", _pool),
    **_rules("_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d", _adaptive),
    **_rules("constant_pad_nd reflection_pad2d replication_pad2d", _padded),
    **_rules("slice", _slice),
    **_rules("select unbind split split_with_sizes chunk unsafe_split", _split),
    **_rules("cat", _joined),
    **_rules("mean sum amax amin max min var std var_mean linalg_vector_norm", _reduction),
    **_rules("mm addmm bmm baddbmm linear", _product),
    **_rules("_softmax _log_softmax native_layer_norm", _along),
    **_rules("native_batch_norm", _batch_norm),
    **_rules("native_group_norm", lambda field, call, args: field.everywhere()),
    **_rules(
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
        "_scaled_dot_product_efficient_attention",
        lambda field, call, args: field.everywhere(),
    ),
}


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    values = [int(v) for v in value]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])

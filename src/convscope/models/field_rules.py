"""What operations do to the receptive field of what they are given."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from convscope.models.axes import Dims, kind_of
from convscope.models.axis_computing import product_operands, reduced_dims
from convscope.models.operation import Call, rules_for
from convscope.models.receptive import GLOBAL, Field, Pair, pair


def field_after(call: Call, dims: Dims, out: Tensor, fields: Sequence[Field | None]) -> Field | None:
    """The field of what an operation gave; None where it is undefined.

    dims: the axes of what it gave. fields: those of the tensors given that depend on the picture.
    """
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or not known:
        return None
    field = known[0]
    for other in known[1:]:
        field = field.joined(other)
    rule = _RULES.get(call.name)
    if rule is not None:
        return rule(field, call)
    if call.name in _MOVES:
        return field if _whole(dims) >= _whole(call.dims("self") or ()) or out.ndim <= 2 else None
    if call.name in _SAME or call.pointwise:
        return field
    kept = all(_whole(dims) == _whole(given) for x in call.followed if _whole(given := call.of(x) or ()))
    return field if kept and call.name in _ENTRY_BY_ENTRY else None


_MOVES = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "expand", "squeeze", "unsqueeze",
    "repeat",
}  # fmt: skip
_SAME = {
    "alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh", "stack", "copy_", "dropout", "native_dropout",
    "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "_batch_norm_no_update",
}  # fmt: skip


_ENTRY_BY_ENTRY = {
    "hardswish", "prelu", "_prelu_kernel", "log_sigmoid_forward", "glu", "channel_shuffle", "native_channel_shuffle",
    "index", "index_select",
}  # fmt: skip
"""What is done position by position, though aten does not call it pointwise; where the positions stay."""


def _whole(dims: Dims) -> set[int]:
    """The axes of rows and columns that a tensor has whole, be it in pieces, none of them among channels."""
    sizes: dict[int, int] = {}
    whole: dict[int, int] = {}
    for dim in dims:
        for piece in dim if not any(other.kind == "c" for other in dim) else ():
            if piece.kind in ("h", "w"):
                sizes[piece.axis] = sizes.get(piece.axis, 1) * piece.size
                whole[piece.axis] = piece.whole
    return {axis for axis, size in sizes.items() if size == whole[axis]}


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
    result = _on_map(call)
    if result is None:
        return None
    window = [pair(value) for value in (kernel, stride, dilation, padding)]
    if result[1]:
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


def _convolution(field: Field, call: Call) -> Field | None:
    given, weight = call.given, call.given["weight"]
    if given["transposed"] or weight.ndim != 4 or call.dims("weight") is not None:
        return None
    kernel = tuple(weight.shape[2:])
    return _slid(field, call, kernel, given["stride"], given["dilation"], given["padding"], _middle(weight))


def _pool(field: Field, call: Call) -> Field | None:
    given = call.given
    stride = given.get("stride") or given["kernel_size"]
    return _slid(field, call, given["kernel_size"], stride, given.get("dilation", 1), given.get("padding", 0))


def _adaptive(field: Field, call: Call) -> Field | None:
    """A pooling to a given size is one of fixed windows where it divides the map evenly."""
    before, after = call.given["self"].shape[-2:], pair(call.given["output_size"])
    if after == (1, 1):
        return GLOBAL
    if before[0] % after[0] or before[1] % after[1]:
        return None
    window = (before[0] // after[0], before[1] // after[1])
    return _slid(field, call, window, window, 1, 0)


def _padded(field: Field, call: Call) -> Field | None:
    """Positions before the first shift it; reflected or repeated ones see what is within already."""
    dims, pads = call.dims("self"), list(call.given.get("pad") or call.given["padding"])
    if dims is None:
        return None
    for back, before in enumerate(pads[::2], 1):
        kind = kind_of(dims[-back])
        if kind in ("h", "w"):
            field = field.moved(-before, 0) if kind == "h" else field.moved(0, -before)
        elif _placed((dims[-back],)) and any(pads[2 * back - 2 : 2 * back]):
            return None
    return field


def _turned(field: Field, call: Call) -> Field | None:
    """Entries put elsewhere along some axes: along rows or columns nothing is where it was."""
    dims, over = call.dims("self"), call.given.get("dims")
    if dims is None:
        return None
    some = [over] if isinstance(over, int) else list(over or range(len(dims)))
    return None if any(_placed((dims[i],)) for i in some) else field


def _unfolded(field: Field, call: Call) -> Field | None:
    """Windows along one axis."""
    dims, size, step = call.dims("self"), call.given["size"], call.given["step"]
    kind = kind_of(dims[call.given["dimension"]]) if dims is not None else None
    if kind not in ("h", "w"):
        return None if dims is not None and _placed((dims[call.given["dimension"]],)) else field
    window = (size, 1), (step, 1)
    return field.window(*(pair if kind == "h" else pair[::-1] for pair in window))


def _enlarged(field: Field, call: Call) -> Field | None:
    """An enlarged map, between whose positions it is interpolated (or which are repeated)."""
    result = _on_map(call)
    after = call.given.get("output_size")
    if result is None or result[1] or after is None or call.given.get("align_corners"):
        return None
    reach = 0 if "nearest" in call.name else 3 if "bicubic" in call.name else 1
    step = [before / now for before, now in zip(call.given["self"].shape[-2:], after, strict=True)]
    if max(step) > 1:
        return None
    first = field.moved((step[0] - 1) / 2, (step[1] - 1) / 2)
    size = tuple(field.size[i] + reach * field.stride[i] for i in (0, 1))
    stride = tuple(field.stride[i] * step[i] for i in (0, 1))
    return replace(first, size=(size[0], size[1]), stride=(stride[0], stride[1]))


def _slice(field: Field, call: Call) -> Field | None:
    """Every nth position: the stride grows. Of channels or pictures nothing changes."""
    dims, shape = call.dims("self"), call.given["self"].shape
    if dims is None:
        return None
    at, start, step = call.given.get("dim", 0), call.given.get("start") or 0, call.given.get("step", 1)
    start = max(0, start + shape[at] if start < 0 else start)
    kind = kind_of(dims[at])
    if kind not in ("h", "w"):
        return field if (start, step) == (0, 1) or not _placed((dims[at],)) else None
    moved = field.moved(start, 0) if kind == "h" else field.moved(0, start)
    down, across = field.stride
    return replace(moved, stride=(down * step, across) if kind == "h" else (down, across * step))


def _split(field: Field, call: Call) -> Field | None:
    dims = call.dims("self")
    if dims is None:
        return None
    return None if _placed((dims[call.given.get("dim", 0)],)) else field


def _joined(field: Field, call: Call) -> Field | None:
    """Maps side by side in channels keep their positions; one behind the other has none that could be told."""
    at = call.given.get("dim", 0)
    several = [
        dims for x in call.given["tensors"] if (dims := call.of(x)) is not None and len(dims) > abs(at) - (at < 0)
    ]
    return None if any(_placed((dims[at],)) for dims in several) else field


def _reduction(field: Field, call: Call) -> Field | None:
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


def _product(field: Field, call: Call) -> Field | None:
    """A matrix over channels leaves positions what they are; over positions, or two maps by each other, mixes all."""
    a, b = product_operands(call)
    left, right = call.dims(a), call.dims(b)
    own = call.field_of(call.given[a] if left is not None else call.given[b])  # positions are those of the left factor
    if own is None:
        return None
    if left is not None and right is None and all(piece.kind == "c" for piece in left[-1]):
        return own
    return own.everywhere()


def _attention(field: Field, call: Call) -> Field | None:
    own = call.field_of(call.given["query"])
    return None if own is None else own.everywhere()


def _along(field: Field, call: Call) -> Field | None:
    """A softmax, or a norm, over some axes: over channels alone each position stays by itself."""
    dims = call.dims("self", "input")
    if dims is None:
        return None
    over: Any = call.given.get("dim")
    if over is None:
        over = range(-len(call.given["normalized_shape"]), 0)
    some = [over] if isinstance(over, int) else list(over)
    return field.everywhere() if any(_placed((dims[i],)) for i in some) else field


def _batch_norm(field: Field, call: Call) -> Field:
    return (
        field.everywhere() if call.given["training"] else field
    )  # with statistics of the batch, each position sees all


Rule = Callable[[Field, Call], Field | None]
_RULES: dict[str, Rule] = {
    **rules_for("convolution", _convolution),
    **rules_for("max_pool2d max_pool2d_with_indices avg_pool2d", _pool),
    **rules_for("_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d", _adaptive),
    **rules_for("constant_pad_nd reflection_pad2d replication_pad2d", _padded),
    **rules_for("slice", _slice),
    **rules_for("select unbind split split_with_sizes chunk unsafe_split", _split),
    **rules_for("cat", _joined),
    **rules_for("mean sum amax amin max min var std var_mean linalg_vector_norm", _reduction),
    **rules_for("mm addmm bmm baddbmm linear", _product),
    **rules_for("_softmax _log_softmax _safe_softmax native_layer_norm", _along),
    **rules_for("native_batch_norm", _batch_norm),
    **rules_for("native_group_norm", lambda field, call: field.everywhere()),
    **rules_for(
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
        "_scaled_dot_product_efficient_attention",
        _attention,
    ),
    **rules_for("flip roll", _turned),
    **rules_for("unfold", _unfolded),
    **rules_for("upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d", _enlarged),
}

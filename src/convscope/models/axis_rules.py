"""What operations do to the axes of what they are given: one rule for each family of operations.

An operation without a rule keeps axes where it keeps the shape; otherwise what it gives is unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convscope.models.axes import Dim, Dims, Kind, cut, fresh, kind_of, like, met, unknown, viewed


@dataclass(frozen=True)
class Call:
    """One operation. given: its arguments by their names in the schema. of: the axes of a tensor that depends on the
    picture, None for any other."""

    name: str
    pointwise: bool
    given: Mapping[str, Any]
    of: Callable[[Any], Dims | None]

    def dims(self, *names: str) -> Dims | None:
        """The axes of the first of these arguments that there is."""
        value = next((self.given[name] for name in names if name in self.given), None)
        return self.of(value) if isinstance(value, Tensor) else None

    @property
    def followed(self) -> list[Tensor]:
        """The tensors given that depend on the picture."""
        return [x for x in _tensors(self.given.values()) if self.of(x) is not None]


def axes_after(call: Call, outs: Sequence[Tensor]) -> list[Dims]:
    """The axes of each tensor that an operation gave."""
    rule = _RULES.get(call.name)
    if rule is not None:
        found = rule(call, outs)
        if found is not None:
            fits = zip(found, outs, strict=True)
            return [dims if len(dims) == out.ndim else unknown(out.shape) for dims, out in fits]
    return [_unchanged(call, out) for out in outs]


def _unchanged(call: Call, out: Tensor) -> Dims:
    tensors = call.followed
    if call.pointwise or all(_fits(x, out) for x in tensors):
        return met([dims for x in tensors if (dims := call.of(x)) is not None], out.shape)
    same = next((x for x in tensors if x.shape == out.shape), None)
    dims = None if same is None else call.of(same)
    return unknown(out.shape) if dims is None else dims


def _fits(x: Tensor, out: Tensor) -> bool:
    """Whether a tensor can be an operand, entry by entry, of what came out."""
    sizes = zip(reversed(x.shape), reversed(out.shape), strict=False)
    return x.ndim <= out.ndim and x.numel() > 1 and all(ours in (1, theirs) for ours, theirs in sizes)


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found


Rule = Callable[[Call, Sequence[Tensor]], list[Dims] | None]


def _view(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    after = None if dims is None else viewed(dims, outs[0].shape)
    return None if after is None else [after]


def _permute(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    return None if dims is None else [tuple(dims[i] for i in call.given["dims"])]


def _transpose(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    order = list(range(len(dims)))
    a, b = (call.given["dim0"], call.given["dim1"]) if call.name != "t" else (0, -1)
    if order:
        order[a], order[b] = order[b], order[a]
    return [tuple(dims[i] for i in order)]


def _unsqueeze(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at = call.given["dim"] % (len(dims) + 1)
    return [(*dims[:at], (), *dims[at:])]


def _squeeze(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims, shape = call.dims("self"), call.given["self"].shape
    if dims is None:
        return None
    asked = call.given.get("dim")
    some = {i % len(dims) for i in _list(asked)} if asked is not None else set(range(len(dims)))
    return [tuple(dim for i, dim in enumerate(dims) if not (i in some and shape[i] == 1))]


def _expand(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    before = (1,) * (outs[0].ndim - len(dims)) + tuple(call.given["self"].shape)
    padded = ((),) * (outs[0].ndim - len(dims)) + dims
    sizes = zip(padded, before, outs[0].shape, strict=True)
    return [tuple(dim if was == now else fresh("?", now) for dim, was, now in sizes)]


def _repeat(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    padded = ((),) * (outs[0].ndim - len(dims)) + dims
    times = zip(padded, call.given["repeats"], strict=True)
    return [tuple(dim if count == 1 else (*fresh("?", count), *dim) for dim, count in times)]


def _select(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at = call.given.get("dim", 0) % len(dims)
    return [(*dims[:at], *dims[at + 1 :])] * len(outs)


def _slice(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at, size = call.given.get("dim", 0) % len(dims), outs[0].shape[call.given.get("dim", 0)]
    start = call.given.get("start") or 0
    start = start + call.given["self"].shape[at] if start < 0 else start
    step = call.given.get("step", 1)
    new = cut(dims[at], start, size) if step == 1 else like(dims[at], size)
    return [(*dims[:at], new, *dims[at + 1 :])]


def _split(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at, start, found = call.given.get("dim", 0) % len(dims), 0, []
    for out in outs:
        found.append((*dims[:at], cut(dims[at], start, out.shape[at]), *dims[at + 1 :]))
        start += out.shape[at]
    return found


def _cat(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    given = [x for x in call.given["tensors"] if x.numel() or x.ndim > 1]
    several = [call.of(x) for x in given]
    known = [dims for dims in several if dims is not None]
    at = call.given.get("dim", 0) % outs[0].ndim
    if not known or any(len(dims) != outs[0].ndim for dims in known):
        return None
    others = met(
        [(*dims[:at], (), *dims[at + 1 :]) for dims in known], [*outs[0].shape[:at], 1, *outs[0].shape[at + 1 :]]
    )
    kinds = {kind_of(dims[at]) for dims in known} - {None}
    size = outs[0].shape[at]
    if len(known) == len(several) and "b" in kinds and len(kinds) == 1:
        new: Dim = (*fresh("?", len(known)), *known[0][at])  # pictures behind pictures: rows, part by part
    elif kinds <= {"c"}:
        new = fresh("c", size)
    elif len(kinds) == 1 and len(known) == len(several):
        new = fresh(kinds.pop() or "?", size)
    else:
        new = fresh("t" if kinds <= {"t"} else "?", size)
    return [(*others[:at], new, *others[at + 1 :])]


def _stack(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    known = [dims for x in call.given["tensors"] if (dims := call.of(x)) is not None]
    at = call.given.get("dim", 0) % outs[0].ndim
    shape = [*outs[0].shape[:at], *outs[0].shape[at + 1 :]]
    others = met(known, shape)
    return [(*others[:at], fresh("?", outs[0].shape[at]), *others[at:])]


def _reduced(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    gone = reduced_dims(call)
    if outs[0].ndim == len(dims):
        return [tuple(() if i in gone else dim for i, dim in enumerate(dims))] * len(outs)
    return [tuple(dim for i, dim in enumerate(dims) if i not in gone)] * len(outs)


def reduced_dims(call: Call) -> set[int]:
    """The axes that a reduction takes away."""
    count = call.given["self"].ndim
    asked = call.given.get("dim")
    return {i % count for i in _list(asked)} if asked is not None and _list(asked) else set(range(count))


def _list(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def mixed(dim: Dim) -> Kind:
    """What comes of an axis that a matrix is laid over: channels, or positions mixed with each other."""
    return "m" if dim and all(piece.kind in ("h", "w", "t", "m") for piece in dim) else "c"


def product_operands(call: Call) -> tuple[str, str]:
    """The names of the two factors of a matrix product."""
    return next(pair for pair in _FACTORS if pair[0] in call.given and pair[1] in call.given)


_FACTORS = (("mat1", "mat2"), ("batch1", "batch2"), ("self", "mat2"), ("input", "weight"), ("self", "vec"))


def _product(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    a, b = product_operands(call)
    left, right = call.dims(a), call.dims(b)
    shape = outs[0].shape
    if call.name == "linear":
        return None if left is None else [(*left[:-1], fresh(mixed(left[-1]), shape[-1]))]
    if left is None and right is None:
        return None
    if right is None and left is not None:
        return [(*left[:-1], fresh(mixed(left[-1]), shape[-1]))] if call.name != "mv" else [left[:-1]]
    if left is None and right is not None:
        return [(*right[:-2], fresh(mixed(right[-2]), shape[-2]), right[-1])] if call.name != "mv" else None
    assert left is not None
    assert right is not None
    return [(*left[:-1], right[-1])]


def _attention(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    query, value = call.dims("query"), call.dims("value")
    if query is None or value is None:
        return None
    return [(*query[:-1], value[-1]), *(unknown(out.shape) for out in outs[1:])]


def positions(dims: Dims, shape: Sequence[int]) -> tuple[Dim, ...]:
    """The axes behind the first two after an operation that works on positions, such as a convolution."""
    kinds = [_position_kind(dim) for dim in dims[2:]]
    if len(kinds) == 2 and all(kind in ("?", None) for kind in kinds):
        kinds = ["h", "w"]  # nothing is known of either: what a convolution slides over is rows and columns
    if len(kinds) == 2 and None in kinds:
        other = kinds[1 - kinds.index(None)]
        kinds[kinds.index(None)] = {"h": "w", "w": "h"}.get(str(other), "?")  # type: ignore[call-overload]
    return tuple(fresh(kind or "?", size) for kind, size in zip(kinds, shape[2:], strict=True))


def _position_kind(dim: Dim) -> Kind | None:
    """What an axis that is slid over is; rows with the fine ones among them elsewhere are coarse rows."""
    if not dim:
        return None
    if len(dim) == 1:
        coarse = dim[0].step * dim[0].size == dim[0].whole
        return dim[0].kind if (coarse or dim[0].complete) and dim[0].kind not in ("b", "c") else "?"
    return "t" if all(piece.kind in ("h", "w", "t") for piece in dim) else "?"


def _convolution(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("input")
    if dims is None or len(dims) != outs[0].ndim or outs[0].ndim not in (3, 4):
        return None
    return [(dims[0], fresh("c", outs[0].shape[1]), *positions(dims, outs[0].shape))]


def _pooled(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self", "input")
    if dims is None or outs[0].ndim != 4 or len(dims) != 4:
        return None
    one = (dims[0], dims[1], *positions(dims, outs[0].shape))
    return [one] * len(outs)


def _padded(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    before = call.given["self"].shape
    sizes = zip(dims, before, outs[0].shape, strict=True)
    return [tuple(dim if was == now else like(dim, now) for dim, was, now in sizes)]


def _shuffled(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None or len(dims) != 4:
        return None
    return [(dims[0], fresh("c", outs[0].shape[1]), *positions(dims, outs[0].shape))]


def _indexed(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    if call.name == "index_select":
        at = call.given["dim"] % len(dims)
    else:
        used = [i for i, index in enumerate(call.given["indices"]) if index is not None]
        index = call.given["indices"][used[0]] if len(used) == 1 else None
        if index is None or index.ndim != 1 or index.dtype == torch.bool:
            return [unknown(outs[0].shape)]
        at = used[0]
    return [(*dims[:at], like(dims[at], outs[0].shape[at]), *dims[at + 1 :])]


def _sorted(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at = call.given.get("dim", -1) % max(1, len(dims))
    return [(*dims[:at], fresh("?", out.shape[at]), *dims[at + 1 :]) for out in outs]


def _rules(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: Mapping[str, Rule] = {
    **_rules("view _unsafe_view reshape _reshape_alias view_copy _reshape_copy", _view),
    **_rules("permute permute_copy", _permute),
    **_rules("transpose t transpose_ t_ transpose_copy", _transpose),
    **_rules("unsqueeze unsqueeze_ unsqueeze_copy", _unsqueeze),
    **_rules("squeeze squeeze_ squeeze_copy", _squeeze),
    **_rules("expand expand_copy", _expand),
    **_rules("repeat", _repeat),
    **_rules("select unbind select_copy", _select),
    **_rules("slice slice_copy", _slice),
    **_rules("split split_with_sizes chunk unsafe_split unsafe_chunk split_with_sizes_copy", _split),
    **_rules("cat concat", _cat),
    **_rules("stack", _stack),
    **_rules(
        "mean sum amax amin max min var std var_mean std_mean logsumexp norm linalg_vector_norm prod median any all "
        "argmax argmin nansum",
        _reduced,
    ),
    **_rules("mm addmm bmm baddbmm linear mv", _product),
    **_rules(
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
        "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention "
        "_scaled_dot_product_attention_math",
        _attention,
    ),
    **_rules("convolution _convolution mkldnn_convolution cudnn_convolution", _convolution),
    **_rules(
        "max_pool2d max_pool2d_with_indices avg_pool2d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d "
        "fractional_max_pool2d upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d "
        "_upsample_bilinear2d_aa upsample_bicubic2d _upsample_bicubic2d_aa grid_sampler_2d mkldnn_max_pool2d",
        _pooled,
    ),
    **_rules("constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d pad", _padded),
    **_rules("pixel_shuffle pixel_unshuffle", _shuffled),
    **_rules("index index_select", _indexed),
    **_rules("sort topk", _sorted),
}

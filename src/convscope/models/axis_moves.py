"""What views, permutations, selections and joins do to axes: nothing is computed, entries only find other places."""

from collections.abc import Sequence

import torch
from torch import Tensor

from convscope.models.axes import Dim, Dims, cut, fresh, kind_of, like, met, unknown, viewed
from convscope.models.operation import Call, Rule, numbers, rules_for


def _put(dims: Dims, at: int, *new: Dim) -> Dims:
    """The axes with others in place of one; without it where none is given."""
    return (*dims[:at], *new, *dims[at + 1 :])


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
    some = {i % len(dims) for i in numbers(asked)} if asked is not None else set(range(len(dims)))
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
    return [_put(dims, at)] * len(outs)


def _slice(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at, size = call.given.get("dim", 0) % len(dims), outs[0].shape[call.given.get("dim", 0)]
    start = call.given.get("start") or 0
    start = start + call.given["self"].shape[at] if start < 0 else start
    step = call.given.get("step", 1)
    new = cut(dims[at], start, size) if step == 1 else like(dims[at], size)
    return [_put(dims, at, new)]


def _split(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at, start, result = call.given.get("dim", 0) % len(dims), 0, []
    for out in outs:
        result.append(_put(dims, at, cut(dims[at], start, out.shape[at])))
        start += out.shape[at]
    return result


def _cat(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    given = [x for x in call.given["tensors"] if x.numel() or x.ndim > 1]
    several = [call.of(x) for x in given]
    known = [dims for dims in several if dims is not None]
    at = call.given.get("dim", 0) % outs[0].ndim
    if not known or any(len(dims) != outs[0].ndim for dims in known):
        return None
    others = met([_put(dims, at, ()) for dims in known], [*outs[0].shape[:at], 1, *outs[0].shape[at + 1 :]])
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
    return [_put(others, at, new)]


def _stack(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    known = [dims for x in call.given["tensors"] if (dims := call.of(x)) is not None]
    at = call.given.get("dim", 0) % outs[0].ndim
    shape = [*outs[0].shape[:at], *outs[0].shape[at + 1 :]]
    others = met(known, shape)
    return [(*others[:at], fresh("?", outs[0].shape[at]), *others[at:])]


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
    return [_put(dims, at, like(dims[at], outs[0].shape[at]))]


def _halved(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at = call.given.get("dim", -1) % len(dims)
    return [_put(dims, at, like(dims[at], outs[0].shape[at]))]


def _unfolded(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    """Windows along one axis: the windows are positions, what is in one of them counts among the channels."""
    dims = call.dims("self")
    if dims is None:
        return None
    at = call.given["dimension"] % len(dims)
    return [(*_put(dims, at, like(dims[at], outs[0].shape[at])), fresh("c", outs[0].shape[-1]))]


def _sorted(call: Call, outs: Sequence[Tensor]) -> list[Dims] | None:
    dims = call.dims("self")
    if dims is None:
        return None
    at = call.given.get("dim", -1) % max(1, len(dims))
    return [_put(dims, at, fresh("?", out.shape[at])) for out in outs]


MOVES: dict[str, Rule] = {
    **rules_for("view _unsafe_view reshape _reshape_alias view_copy _reshape_copy", _view),
    **rules_for("permute permute_copy", _permute),
    **rules_for("transpose t transpose_ t_ transpose_copy", _transpose),
    **rules_for("unsqueeze unsqueeze_ unsqueeze_copy", _unsqueeze),
    **rules_for("squeeze squeeze_ squeeze_copy", _squeeze),
    **rules_for("expand expand_copy", _expand),
    **rules_for("repeat", _repeat),
    **rules_for("select unbind select_copy", _select),
    **rules_for("slice slice_copy", _slice),
    **rules_for("split split_with_sizes chunk unsafe_split unsafe_chunk split_with_sizes_copy", _split),
    **rules_for("cat concat", _cat),
    **rules_for("stack", _stack),
    **rules_for("index index_select", _indexed),
    **rules_for("sort topk gather", _sorted),
    **rules_for("glu", _halved),
    **rules_for("unfold", _unfolded),
}

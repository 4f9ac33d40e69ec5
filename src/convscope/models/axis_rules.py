"""What operations do to the axes of what they are given: one rule for each family of operations.

An operation without a rule keeps axes where it keeps the shape; otherwise what it gives is unknown.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from convscope.models.axes import Dims, met, unknown
from convscope.models.axis_computing import COMPUTING
from convscope.models.axis_moves import MOVES
from convscope.models.operation import Call, Rule

_RULES: Mapping[str, Rule] = MOVES | COMPUTING


def axes_after(call: Call, outs: Sequence[Tensor]) -> list[Dims]:
    """The axes of each tensor that an operation gave."""
    rule = _RULES.get(call.name)
    if rule is not None:
        result = rule(call, outs)
        if result is not None:
            fits = zip(result, outs, strict=True)
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

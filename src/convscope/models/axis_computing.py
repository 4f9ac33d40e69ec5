"""What operations that compute do to axes: reductions, products, convolutions, pooling, padding."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from convscope.models.axes import Dim, Dims, Kind, fresh, kind_of, like, unknown
from convscope.models.operation import Call, Rule, numbers, rules_for

_REDUCTIONS = (
    "mean", "sum", "amax", "amin", "max", "min", "var", "std", "var_mean", "std_mean", "logsumexp", "norm",
    "linalg_vector_norm", "prod", "median", "any", "all", "argmax", "argmin", "nansum",
)  # fmt: skip
_FACTORS = (("mat1", "mat2"), ("batch1", "batch2"), ("self", "mat2"), ("input", "weight"), ("self", "vec"))


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
    return {i % count for i in numbers(asked)} if asked is not None and numbers(asked) else set(range(count))


def over_pictures(call: Call) -> bool:
    """Whether an operation works across the pictures of a batch: a mean over them, a softmax, a norm with statistics
    of the batch, a product."""
    given = call.given

    def pictures(dims: Dims | None, axes: Iterable[int]) -> bool:
        return dims is not None and any(piece.kind == "b" for i in axes for piece in dims[i])

    if call.name in _REDUCTIONS:
        dims = call.dims("self")
        return dims is not None and pictures(dims, reduced_dims(call))
    if call.name in ("_softmax", "_log_softmax", "cumsum", "sort", "topk"):
        return pictures(call.dims("self"), [given.get("dim", -1)])
    if call.name == "native_batch_norm" and given.get("training"):
        dims = call.dims("input")
        return dims is not None and pictures(dims, [i for i in range(len(dims)) if i != 1])
    if call.name in ("mm", "addmm", "bmm", "baddbmm", "linear"):
        a, b = product_operands(call)
        return pictures(call.dims(a), [-1]) or (call.name != "linear" and pictures(call.dims(b), [-2]))
    return False


def mixed(dim: Dim) -> Kind:
    """What comes of an axis that a matrix is laid over: channels, or positions mixed with each other."""
    return "m" if dim and all(piece.kind in ("h", "w", "t", "m") for piece in dim) else "c"


def product_operands(call: Call) -> tuple[str, str]:
    """The names of the two factors of a matrix product."""
    return next(pair for pair in _FACTORS if pair[0] in call.given and pair[1] in call.given)


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
    shape = outs[0].shape
    first, channels = dims[0], fresh("c", shape[1])
    pictures = call.batch[0].size if call.batch else 1
    if len(first) == 1 and kind_of(first) == "?" and shape[0] == pictures:
        first = call.batch  # of an axis of that size in this place nothing else can be meant
    elif dims[1] and pictures > 1 and dims[1][0] in call.batch and call.given.get("groups", 1) % pictures == 0:
        channels = (*call.batch, *fresh("c", shape[1] // pictures))  # kernels of its own for each picture
    return [(first, channels, *positions(dims, shape))]


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


COMPUTING: dict[str, Rule] = {
    **rules_for(
        " ".join(_REDUCTIONS),
        _reduced,
    ),
    **rules_for("mm addmm bmm baddbmm linear mv", _product),
    **rules_for(
        "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
        "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention "
        "_scaled_dot_product_attention_math",
        _attention,
    ),
    **rules_for("convolution _convolution mkldnn_convolution cudnn_convolution", _convolution),
    **rules_for(
        "max_pool2d max_pool2d_with_indices avg_pool2d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d "
        "fractional_max_pool2d upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d "
        "_upsample_bilinear2d_aa upsample_bicubic2d _upsample_bicubic2d_aa grid_sampler_2d mkldnn_max_pool2d",
        _pooled,
    ),
    **rules_for("constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d pad", _padded),
    **rules_for("pixel_shuffle pixel_unshuffle", _shuffled),
}

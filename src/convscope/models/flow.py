"""What one forward pass does, operation by operation: what each tensor's axes are, what it sees of the picture, from
which tensors it comes, whether random numbers were drawn, and what the network wrote over of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from convscope.models.axes import Dims, fresh, like, unknown
from convscope.models.axis_computing import over_pictures
from convscope.models.axis_rules import axes_after
from convscope.models.draws import Generators, drawn, draws, parts_of
from convscope.models.field_rules import field_after
from convscope.models.operation import Call, named
from convscope.models.receptive import Field


@dataclass(frozen=True)
class Known:
    """What is known of a tensor that comes from the picture. node: its number in the graph of the pass."""

    dims: Dims
    field: Field | None
    node: int


@dataclass(frozen=True)
class Graph:
    """The tensors of a pass that come from the picture, in order: for each those it was made from, and the operation
    that made it. The picture itself is the first. left: those of which a number left torch (`.item()`, `float()`, an
    `if`), to do what cannot be followed."""

    parents: Sequence[tuple[int, ...]]
    made_by: Sequence[str]
    left: Sequence[int] = ()

    def passed_by_all(self, ends: Sequence[int]) -> set[int]:
        """The tensors that every path from the picture to any of `ends` goes through."""
        needed = set(ends)
        for node in range(len(self.parents) - 1, -1, -1):
            if node in needed:
                needed.update(self.parents[node])
        furthest = dict.fromkeys(needed, -1)
        for node in needed:
            for parent in self.parents[node]:
                furthest[parent] = max(furthest[parent], node)
        for end in ends:
            furthest[end] = len(self.parents)
        result: set[int] = set()
        reach = 0
        for node in sorted(needed):
            if reach <= node:
                result.add(node)
            reach = max(reach, furthest[node])
        return result


class Flow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, follows all that comes from `images` (`b c h w`, preprocessed) in this thread.

    own: the network's parameters and buffers. written: copies of those that an operation wrote over, made before.
    drew: whether torch's random numbers were drawn; they come from generators of our own. mixes: whether anything was
    done across the pictures of the batch.
    """

    def __init__(self, images: Tensor, own: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._own: dict[int, list[Tensor]] = {}  # several may share one memory
        for value in own:
            if value.numel():
                self._own.setdefault(_place(value), []).append(value)
        self.written: list[tuple[Tensor, Tensor]] = []
        self._known: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._parents: list[tuple[int, ...]] = []
        self._made_by: list[str] = []
        self._written_over: dict[int, tuple[Any, Known, tuple[int, ...], tuple[int, ...]]] = {}
        self._generators = Generators()
        self.drew = self.mixes = False
        self._left: list[int] = []
        kinds = ("b", "c", "h", "w")
        dims = tuple(fresh(kind, size) for kind, size in zip(kinds, images.shape, strict=True))  # type: ignore[arg-type]
        self._batch = dims[0]
        self._add(images, dims, Field(), (), "picture")

    def known(self, tensor: Tensor) -> Known | None:
        """What is known of a tensor; None where it does not come from the picture, or was not followed."""
        result: Known | None = self._known.get(tensor)  # type: ignore[no-untyped-call]
        return result if result is not None else self._in_memory_written(tensor)

    @property
    def graph(self) -> Graph:
        return Graph(tuple(self._parents), tuple(self._made_by), tuple(self._left))

    def _add(self, tensor: Tensor, dims: Dims, field: Field | None, parents: tuple[int, ...], made_by: str) -> Known:
        known = Known(dims, field, len(self._parents))
        self._parents.append(parents)
        self._made_by.append(made_by)
        self._known[tensor] = known
        return known

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        whole = parts_of(self, func, args, kwargs)
        if whole is not NotImplemented:
            return whole
        self._keep_what_is_written(func, args, kwargs)
        if draws(func, args, kwargs):
            self.drew = True
            out = drawn(func, args, kwargs, self._generators)
        else:
            out = func(*args, **kwargs)
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        sources = [known for x in inputs if (known := self.known(x)) is not None]
        if sources and func.overloadpacket.__name__ not in _SHAPED_AFTER:
            self._follow(func, args, kwargs, out, sources)
        return out

    def _keep_what_is_written(self, func: Any, args: Any, kwargs: Any) -> None:
        """Before an operation writes over a parameter or buffer: a copy of it."""
        batch_norm = func.overloadpacket.__name__ in ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm")
        if not (func._schema.is_mutable or (batch_norm and args[5])):
            return
        given = named(func, args, kwargs)
        writes = [a.name for a in func._schema.arguments if a.alias_info and a.alias_info.is_write]
        targets = list(args[3:5]) if batch_norm else tree_leaves([given.get(name) for name in writes])
        for target in targets:
            for own in self._own.get(_place(target), ()) if isinstance(target, Tensor) else ():
                if not any(own is kept for kept, _ in self.written):
                    self.written.append((own, own.detach().clone()))

    def _follow(self, func: Any, args: Any, kwargs: Any, out: Any, sources: Sequence[Known]) -> None:
        outs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        given = named(func, args, kwargs)
        name = func.overloadpacket.__name__
        call = Call(
            name.removesuffix("_") if name != "_" else name,
            torch.Tag.pointwise in func.tags,
            given,
            self._dims,
            self._field,
            self._batch,
        )
        self.mixes = self.mixes or over_pictures(call)
        if name == "_local_scalar_dense":
            self._left.append(max(known.node for known in sources))
        parents = tuple(sorted({known.node for known in sources}))
        several = axes_after(call, outs)
        fields = [known.field for known in sources]
        writes = func._schema.is_mutable
        for leaf, dims in zip(outs, several, strict=True):
            before = self._sharing(leaf) if writes else []
            known = self._add(leaf, dims, field_after(call, dims, leaf, fields), parents, call.name)
            if writes:
                self._spread(leaf, known, before)

    def _dims(self, value: Any) -> Dims | None:
        known = self.known(value) if isinstance(value, Tensor) else None
        return None if known is None else known.dims

    def _field(self, value: Any) -> Field | None:
        known = self.known(value) if isinstance(value, Tensor) else None
        return None if known is None else known.field

    def _sharing(self, tensor: Tensor) -> list[tuple[Tensor, Known]]:
        """Other tensors that live in the same memory, such as what a view is a view of."""
        place = _place(tensor)
        return [(x, known) for x, known in self._known.items() if x is not tensor and _place(x) == place]  # type: ignore[no-untyped-call]

    def _spread(self, tensor: Tensor, known: Known, sharing: Sequence[tuple[Tensor, Known]]) -> None:
        """What is written into a tensor is in all that share its memory."""
        for other, was in sharing:
            self._add(other, was.dims, was.field, (was.node, known.node), "write")
        self._written_over[_place(tensor)] = (tensor.untyped_storage(), known, tuple(tensor.shape), tensor.stride())

    def _in_memory_written(self, tensor: Tensor) -> Known | None:
        """A tensor that itself was not followed, but a part of which was written over by what was."""
        if not self._written_over or tensor.layout is not torch.strided:
            return None
        result = self._written_over.get(_place(tensor))
        if result is None:
            return None
        _, known, shape, stride = result
        if tensor.ndim != len(shape) or tensor.stride() != stride:
            return Known(unknown(tensor.shape), None, known.node)
        sizes = zip(known.dims, shape, tensor.shape, strict=True)
        dims = tuple(dim if was == now else like(dim, now) for dim, was, now in sizes)
        return Known(dims, known.field if tuple(tensor.shape[-2:]) == shape[-2:] else None, known.node)


_SHAPED_AFTER = {
    "new_zeros", "new_ones", "new_empty", "new_full", "new_empty_strided", "zeros_like", "ones_like", "empty_like",
    "full_like", "rand_like", "randn_like", "randint_like",
}  # fmt: skip
"""What takes the shape of a tensor and nothing of what is in it."""


def _place(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr() or -id(tensor)
    except (NotImplementedError, RuntimeError):  # sparse tensors and the like have no storage
        return -id(tensor)

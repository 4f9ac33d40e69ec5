"""Which axis of a tensor is which: pictures, channels, rows or columns.

An axis of a tensor is written as a tuple of pieces, outermost first: one piece for a plain axis, several where axes
were merged (`flatten`, windows), none where its size is 1. Viewing splits and merges pieces, permuting moves them, so
that what is rows stays known as rows through any number of such steps. The operations are in axis_rules.py; what a
whole tensor's axes amount to is in layout.py.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

Kind = Literal["b", "c", "h", "w", "t", "m", "?"]
"""b: pictures. c: channels. h, w: rows and columns of the picture. t: positions in one dimension. m: rows or columns
mixed by a matrix, as an MLP over tokens does. ?: unknown."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Piece:
    """A part of an axis: `size` entries that lie `step` apart on the axis `axis`, which has `whole` entries."""

    kind: Kind
    size: int
    step: int
    axis: int
    whole: int

    @property
    def complete(self) -> bool:
        return self.size == self.whole


Dim = tuple[Piece, ...]
Dims = tuple[Dim, ...]


def fresh(kind: Kind, size: int) -> Dim:
    """A new axis; of size 1 there is nothing to follow."""
    return () if size == 1 else (Piece(kind, size, 1, next(_numbers), size),)


def unknown(shape: Sequence[int]) -> Dims:
    """Axes of which nothing is known."""
    return tuple(fresh("?", size) for size in shape)


def joined(pieces: Sequence[Piece]) -> Dim:
    """Neighbouring pieces of one axis that follow on each other become one."""
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        if last is not None and last.axis == piece.axis and last.step == piece.step * piece.size:
            result[-1] = replace(last, size=last.size * piece.size, step=piece.step)
        else:
            result.append(piece)
    return tuple(result)


def viewed(dims: Dims, shape: Sequence[int]) -> Dims | None:
    """The axes after a view of other `shape`; None where it cuts through an axis in a way that cannot be followed."""
    left = [piece for dim in dims for piece in dim]
    new: list[Dim] = []
    for size in shape:
        taken: list[Piece] = []
        need = size
        while need > 1:
            if not left:
                return None
            piece = left.pop(0)
            if need % piece.size == 0:
                taken.append(piece)
                need //= piece.size
            elif piece.size % need == 0:
                inner = piece.size // need
                taken.append(replace(piece, size=need, step=piece.step * inner))
                left.insert(0, replace(piece, size=inner))
                need = 1
            else:
                return None
        new.append(joined(taken))
    return tuple(_finer(dim, new) for dim in new) if not left else None


def _finer(dim: Dim, dims: Sequence[Dim]) -> Dim:
    """Rows with channels between them, as pixel shuffling makes them, are rows twice (or so) as fine."""
    if len(dims) < 4 or len(dim) < 2 or dim[0].kind not in ("h", "w") or not dim[0].complete:
        return dim
    return fresh(dim[0].kind, prod(p.size for p in dim)) if all(p.kind == "c" for p in dim[1:]) else dim


def kind_of(dim: Dim) -> Kind | None:
    """What a whole axis is; None for one of size 1, "?" for a merged or partial one."""
    if not dim:
        return None
    return dim[0].kind if len(dim) == 1 and dim[0].complete else "?"


def like(dim: Dim, size: int) -> Dim:
    """An axis of the same kind, of another size."""
    kind = "c" if dim and all(piece.kind == "c" for piece in dim) else kind_of(dim)
    return fresh("?" if kind is None else kind, size)


def cut(dim: Dim, start: int, size: int) -> Dim:
    """So many entries of an axis, from `start`."""
    if size == prod(piece.size for piece in dim):
        return dim
    for outer in range(1, len(dim)):
        inner = prod(piece.size for piece in dim[outer:])
        if size == inner and start % inner == 0:
            return dim[outer:]  # one of several parts that had been joined
    return like(dim, size)


def agreed(first: Dim, second: Dim) -> Dim:
    """An axis on which two tensors meet, as in a sum: what is known of either."""
    if first == second or not second:
        return first
    if not first:
        return second
    ours, theirs = _certainty(first), _certainty(second)
    if ours != theirs:
        return first if ours > theirs else second
    same = [p.kind for p in first] == [p.kind for p in second] and [p.size for p in first] == [p.size for p in second]
    return first if same else fresh("?", prod(piece.size for piece in first))


def _certainty(dim: Dim) -> int:
    """How much is known of an axis: what it is; of which pieces it is made; nothing that could be told."""
    if kind_of(dim) in ("b", "c", "h", "w", "t"):
        return 2
    return 0 if all(piece.kind in ("?", "m") for piece in dim) else 1


def met(tensors: Sequence[Dims], shape: Sequence[int]) -> Dims:
    """The axes of what an operation entry by entry gives, its operands brought to one `shape`."""
    result: list[Dim] = [() for _ in shape]
    for dims in tensors:
        for back in range(1, min(len(dims), len(shape)) + 1):
            result[-back] = agreed(result[-back], dims[-back])
    sizes = zip(result, shape, strict=True)
    return tuple(dim if prod(p.size for p in dim) == size else fresh("?", size) for dim, size in sizes)

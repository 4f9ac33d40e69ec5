"""How a layer's own tensor is read as maps `b c h w`, and how maps are written back into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.axes import Dim, Dims, Piece

Role = Literal["b", "r", "c", "h", "w", "n"]
"""b: pictures. r: rows of the batch that belong to one picture. c: channels. h, w: positions. n: a list of tokens."""
Pair = tuple[float, float]
_ORDER = "brchwn"
MOST_ROWS = 16
"""Of a layer that gives so many rows for each picture, each can be asked for by itself."""


@dataclass(frozen=True)
class Part:
    """A part of an axis of the tensor: what it holds, how many entries, and how far these lie apart in what all parts
    of that role make up; and whether it is the outermost of them, which grows with the picture."""

    role: Role
    size: int
    step: int = 1
    outermost: bool = True


@dataclass(frozen=True)
class Layout:
    """The axes of a tensor, each as its parts, outermost first. row: which of `rows` in the batch for each picture."""

    dims: tuple[tuple[Part, ...], ...]
    row: int = 0

    @property
    def rows(self) -> int:
        """How many rows of the batch belong to each picture."""
        return prod(part.size for part in self._parts if part.role == "r")

    @property
    def tokens(self) -> bool:
        """Whether it is a list without positions on the picture."""
        return any(part.role == "n" for part in self._parts)

    @property
    def vector(self) -> bool:
        """Whether it has channels alone."""
        return {part.role for part in self._parts} <= {"b", "r", "c"} and len(self.dims) <= 2

    @property
    def _parts(self) -> list[Part]:
        return [part for dim in self.dims for part in dim]

    @property
    def _plain(self) -> bool:
        """Whether it is `b c h w` already."""
        return tuple(part.role for dim in self.dims for part in dim) == ("b", "c", "h", "w") and len(self.dims) == 4

    def _sorted(self) -> list[int]:
        parts = self._parts
        return sorted(range(len(parts)), key=lambda i: (_ORDER.index(parts[i].role), -parts[i].step, i))

    def _sizes(self, shape: Sequence[int], count: int, scale: Pair) -> list[int] | None:
        """The size of each part in a tensor of a shape made from so many pictures; None where it does not fit."""
        sizes: list[int] = []
        for dim, size in zip(self.dims, shape, strict=True):
            here = [_now(part, count, scale) for part in dim]
            if len(dim) == 1 and dim[0].role != "b":
                here = [size]
            if prod(here) != size:
                return None
            sizes += here
        return sizes

    def read(self, tensor: Tensor, count: int, layer: str, scale: Pair = (1.0, 1.0)) -> Float[Tensor, "b c h w"]:
        """A layer's tensor, made from `count` pictures, as maps: vectors have one position, tokens a column of them.

        scale: height and width of the pictures, in those of the network's own input size.

        Raises InputError where its rows are not the pictures, or its positions not those of pictures of that scale.
        """
        tensor = self._batched(tensor, count)
        sizes = self._sizes(tensor.shape, count, scale) if tensor.ndim == len(self.dims) else None
        if sizes is None:
            told = "x".join(map(str, tensor.shape))
            raise InputError(
                f"the layer {layer!r} gave a tensor of {told} for {count} picture{'s' * (count != 1)}: not the "
                "shape it has at the network's own input size: take pictures of that size"
            )
        if self._plain:
            return tensor
        order = self._sorted()
        if sizes != list(tensor.shape):
            tensor = tensor.reshape(sizes)
        if order != sorted(order):
            tensor = tensor.permute(order)
        roles = [self._parts[i].role for i in order]
        shape = [prod(sizes[i] for i, role in zip(order, roles, strict=True) if role == kind) for kind in _ORDER]
        batch, rows, channels, height, width, tokens = shape
        if rows > 1:
            tensor = tensor.reshape(batch, rows, -1)[:, self.row]
        new = (batch, channels, height * tokens, width)
        return tensor if tuple(tensor.shape) == new else tensor.reshape(new)

    def write(self, maps: Float[Tensor, "b c h w"], like: Tensor, scale: Pair = (1.0, 1.0)) -> Tensor:
        """The inverse of `read`: a tensor such as `like` that holds these maps (and what `like` has in other rows)."""
        if self._plain and like.ndim == 4:
            return maps
        count = len(maps)
        batched = self._batched(like, count)
        sizes, order = self._sizes(batched.shape, count, scale), self._sorted()
        assert sizes is not None
        sorted_sizes = [sizes[i] for i in order]
        if self.rows > 1:
            rest = batched.reshape(sizes).permute(order).reshape(count, self.rows, -1).clone()
            rest[:, self.row] = maps.reshape(count, -1)
            maps = rest
        back = [order.index(i) for i in range(len(order))]
        return maps.reshape(sorted_sizes).permute(back).reshape(like.shape)

    def _batched(self, tensor: Tensor, count: int) -> Tensor:
        """A vector with the axis of pictures that `squeeze` takes away where there is one picture alone."""
        return tensor[None] if count == 1 and self.vector and tensor.ndim == len(self.dims) - 1 else tensor


def _now(part: Part, count: int, scale: Pair) -> int:
    """The size of a part at another number and size of pictures; of rows and columns, of their outermost parts."""
    if part.role == "b":
        return count
    if part.role not in ("h", "w") or not part.outermost:
        return part.size
    return max(1, round(part.size * scale["hw".index(part.role)]))


VECTOR = Layout(((Part("b", 0),), (Part("c", 0),)))
MAP = Layout(((Part("b", 0),), (Part("c", 0),), (Part("h", 0),), (Part("w", 0),)))


def layout_of(dims: Dims, shape: Sequence[int], batch: int) -> Layout | None:
    """What the axes of a tensor of a shape amount to; None where they cannot be read as pictures, channels, positions.

    batch: how many pictures it was made from.
    """
    if len(shape) in (1, 2) and shape[0] == batch:
        return VECTOR if len(shape) == 2 else Layout(VECTOR.dims[:1])
    if batch == 1 and shape and shape[0] != 1:
        return None
    roles = _filled([_roles(dim, dims) for dim in dims], shape, batch)
    return Layout(tuple(map(tuple, roles))) if roles is not None and _sound(roles, dims, batch) else None


def _roles(dim: Dim, dims: Dims) -> list[Part]:
    """One axis as its parts. With pictures in it, what is no position is rows; with channels in it, all is channels."""
    kinds = {piece.kind for piece in dim}
    if "b" not in kinds and "c" not in kinds and len(dim) == 1 and _is_coarse(dim[0], dims):
        return [Part(_place(dim[0]), dim[0].size)]
    result = []
    for piece in dim:
        if piece.kind == "b":
            result.append(Part("b", piece.size, piece.step))
        elif "c" in kinds or piece.kind not in ("h", "w"):
            result.append(Part("r" if "b" in kinds else "c" if "c" in kinds else "n", piece.size))
        else:
            result.append(Part(_place(piece), piece.size, piece.step, piece.step * piece.size == piece.whole))
    return result


def _place(piece: Piece) -> Role:
    return "h" if piece.kind == "h" else "w"


def _is_coarse(piece: Piece, dims: Dims) -> bool:
    """Whether it is every so many rows, the rows between being among the channels."""
    if piece.complete or piece.kind not in ("h", "w") or piece.step * piece.size != piece.whole:
        return False
    return any(_has_channels(dim) and piece.axis in {other.axis for other in dim} for dim in dims)


def _filled(roles: list[list[Part]], shape: Sequence[int], batch: int) -> list[list[Part]] | None:
    """Axes of size 1, and one of which nothing is known, get the roles that are still to be had, in order."""
    have = {part.role for dim in roles for part in dim}
    unknown = [dim for dim in roles if [part.role for part in dim] == ["n"]]
    if "c" not in have and len(shape) > 1 and unknown:
        if len(unknown) > 1:
            return None
        unknown[0][0] = Part("c", unknown[0][0].size)
        have.add("c")
    lone = len(shape) == 3 and not have & {"h", "w"}  # a list of tokens, or of vectors: it has no rows and columns
    missing = [role for role in ("b", "c", "h", "w") if role not in have and not (lone and role in ("h", "w"))]
    for dim in roles:
        if not dim and missing and not (missing[0] == "b" and batch > 1):
            dim.append(Part(missing.pop(0), 1))  # type: ignore[arg-type]
    return roles


def _sound(roles: Sequence[Sequence[Part]], dims: Dims, batch: int) -> bool:
    """Whether there are pictures and channels, and either positions, one axis of each, or one list of tokens."""
    parts = [part for dim in roles for part in dim]
    have = [part.role for part in parts]
    if (batch > 1 and prod(part.size for part in parts if part.role == "b") != batch) or "c" not in have:
        return False
    if have.count("n") > 1 or ("n" in have and {"h", "w"} & set(have)):
        return False
    for kind in ("h", "w"):
        axes = {piece.axis for dim in dims for piece in dim if piece.kind == kind and not _has_channels(dim)}
        steps = [part.step for part in parts if part.role == kind]
        if len(axes) > 1 or len(set(steps)) < len(steps):
            return False
    return True


def _has_channels(dim: Dim) -> bool:
    return any(piece.kind == "c" for piece in dim)

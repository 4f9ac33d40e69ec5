"""Regions of maps that differ from the clean ones, for many pictures at once: where they lie, and their values."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import tree_flatten

from convscope.taps.tape import Step, Value


@dataclass(frozen=True)
class Span:
    """The rows (or columns) `start` to `start + size` of a map that has `whole` of them; a start for each picture.

    The size is the same for all pictures, so that they can go on as one batch.
    """

    start: np.ndarray
    size: int
    whole: int

    def through(self, kernel: int, stride: int, padding: int, dilation: int, out: int) -> "Span":
        """What a sliding window makes of it: the part of its `out` results that see any of these rows."""
        reach = dilation * (kernel - 1)
        first = np.maximum(-((reach - padding - self.start) // stride), 0)
        last = np.minimum((self.start + self.size - 1 + padding) // stride, out - 1)
        return _within(first, last, out)

    def shifted(self, before: int, out: int) -> "Span":
        """The same rows of a map that has more of them, `before` of these at its beginning."""
        return Span(self.start + before, self.size, out)

    def joined(self, other: "Span") -> "Span":
        """The least span that holds both."""
        first = np.minimum(self.start, other.start)
        last = np.maximum(self.start + self.size, other.start + other.size) - 1
        return _within(first, last, self.whole)

    def same(self, other: "Span") -> bool:
        return self.size == other.size and bool((self.start == other.start).all())


def _within(first: np.ndarray, last: np.ndarray, whole: int) -> Span:
    """The span of rows `first` to `last`, with the size of the widest, moved to lie inside."""
    size = min(max(1, int((last - first).max()) + 1), whole)
    return Span(np.clip(first, 0, whole - size), size, whole)


@dataclass(frozen=True)
class Part:
    """A value that differs from the clean one in a part: `tensor` is that part, in the value's own order of axes."""

    tensor: Tensor
    rows: Span
    columns: Span
    axes: tuple[int, int] = (2, 3)


Changed = Part | Tensor
"""A part, or a whole batch."""


class Clean:
    """The clean values, to take windows from; what is prepared for that is kept.

    shared: ids of tensors that have views. spent: ids whose last use is the current operation (safe to overwrite).
    """

    def __init__(self, shared: set[int]) -> None:
        self._flat: dict[tuple[Any, ...], tuple[Tensor, int]] = {}
        self.shared = shared
        self.spent: set[int] = set()

    def may_overwrite(self, step: Step, changed: dict[int, Changed]) -> bool:
        """Whether an operation may write its result over its first argument, as nothing else needs that."""
        first = step.args[0] if step.args else None
        if not isinstance(first, Value) or first.number not in self.spent or first.number in self.shared:
            return False
        one = changed.get(first.number)
        return one is not None and tensor_of(one)._base is None

    def window(
        self,
        value: Value,
        part: Part | None,
        top: np.ndarray,
        height: int,
        left: np.ndarray,
        width: int,
        axes: tuple[int, int],
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        fill: float = 0.0,
    ) -> Float[Tensor, "n c height width"]:
        """A window of the value for each picture: the clean values, with the part laid over them.

        pads: how many rows and columns of `fill` there are before the first and behind the last: top, bottom, left,
        right. Windows are counted from there.
        """
        flat, across = self._flattened(value, axes, pads, fill)
        at = (top[:, None] + np.arange(height))[:, :, None] * across + (left[:, None] + np.arange(width))[:, None, :]
        index = torch.from_numpy(at.reshape(-1)).to(flat.device)
        result = flat.index_select(0, index).view(len(top), height, width, -1).permute(0, 3, 1, 2)
        if part is not None:
            down, right = part.rows.start + pads[0] - top, part.columns.start + pads[2] - left
            paste(result, channels_first(part.tensor, axes), down, right)
        return result

    def _flattened(
        self, value: Value, axes: tuple[int, int], pads: tuple[int, int, int, int], fill: float
    ) -> tuple[Tensor, int]:
        """The clean value as positions by channels, padded, and how many positions a row has."""
        key = (value.number, axes, pads, fill)
        if key not in self._flat:
            maps = channels_first(value.clean, axes)
            top, bottom, left, right = pads
            maps = F.pad(maps, (left, right, top, bottom), value=fill) if any(pads) else maps
            self._flat[key] = maps[0].permute(1, 2, 0).reshape(-1, maps.shape[1]), maps.shape[3]
        return self._flat[key]


def tensor_of(changed: Changed) -> Tensor:
    return changed.tensor if isinstance(changed, Part) else changed


def values_in(given: Any) -> list[Value]:
    return [x for x in tree_flatten(given)[0] if isinstance(x, Value)]


def channels_first(tensor: Tensor, axes: tuple[int, int]) -> Tensor:
    """A view of `tensor` as `n c h w`."""
    channel = 6 - sum(axes)  # of the axes 1, 2, 3 the one that is left
    return tensor if axes == (2, 3) else tensor.permute(0, channel, *axes)


def native_order(maps: Tensor, axes: tuple[int, int]) -> Tensor:
    """The inverse of `channels_first`."""
    if axes == (2, 3):
        return maps
    channel = 6 - sum(axes)
    order = [0, 0, 0, 0]
    order[channel], order[axes[0]], order[axes[1]] = 1, 2, 3
    return maps.permute(order)


def paste(onto: Tensor, maps: Tensor, down: np.ndarray, right: np.ndarray) -> None:
    """Lay maps over others, each at its own offset; what hangs over the edge is left out."""
    places = np.stack([down, right], 1)
    turns = np.flatnonzero((np.diff(places, axis=0) != 0).any(1)) + 1
    for first, last in pairwise([0, *turns.tolist(), len(places)]):  # neighbours at the same offset go together
        y, x = places[first].tolist()
        y0, x0 = max(y, 0), max(x, 0)
        y1, x1 = min(y + maps.shape[2], onto.shape[2]), min(x + maps.shape[3], onto.shape[3])
        if y0 < y1 and x0 < x1:
            onto[first:last, :, y0:y1, x0:x1] = maps[first:last, :, y0 - y : y1 - y, x0 - x : x1 - x]

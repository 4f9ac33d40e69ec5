"""The receptive field of every map, read off the operations of one real forward pass.

Working on operations and not on module classes, it is right for residual, branching, functional and Keras networks
alike. Where an operation is not known, the field is undefined from there on; it is never guessed.

Source: the recurrences of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks"
(Distill, 2019): a window of k steps over a map with field r, stride j and first centre s gives field r + (k-1) j and,
with p positions of padding before it, first centre s + ((k-1)/2 - p) j.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

Pair = tuple[float, float]


@dataclass(frozen=True)
class Field:
    """`size`: the pixels (height, width) that one position sees (infinite: all); `stride`: pixels between positions;
    `start`: the pixel (row, column) at the centre of what the first position sees, the first pixel being 0; `centre`:
    the same, each pixel weighted by how much it matters, as the energy of the kernels on the way tells. For symmetric
    kernels the two are one; with padding on one side, kernels often learn to look to the other."""

    size: Pair = (1.0, 1.0)
    stride: Pair = (1.0, 1.0)
    start: Pair = (0.0, 0.0)
    centre: Pair = (0.0, 0.0)

    def window(
        self, kernel: Any, stride: Any, dilation: Any = 1, padding: Any = 0, middle: Pair | None = None
    ) -> "Field":
        """The field behind a window that slides over this map. middle: where in the window the weights have their
        centre of mass, in steps from its first; half-way unless given."""
        k, s, d, p = pair(kernel), pair(stride), pair(dilation), pair(padding)
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
    if one.stride[i] != other.stride[i]:  # no sum position by position: what is at the places of the first sees all
        return math.inf, one.stride[i], one.start[i], one.centre[i]
    if math.isinf(one.size[i]) or math.isinf(other.size[i]):
        placed = one if math.isinf(other.size[i]) else other
        return math.inf, placed.stride[i], placed.start[i], placed.centre[i]
    low = min(field.start[i] - (field.size[i] - 1) / 2 for field in (one, other))
    high = max(field.start[i] + (field.size[i] - 1) / 2 for field in (one, other))
    return high - low + 1, one.stride[i], (low + high) / 2, (one.centre[i] + other.centre[i]) / 2


GLOBAL = Field((math.inf, math.inf), (math.inf, math.inf))
"""The field of what has no positions and comes from the whole picture."""


def pair(value: Any) -> tuple[int, int]:
    """One number for both sides, or one for each."""
    if isinstance(value, int):
        return value, value
    values = [int(v) for v in value]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])

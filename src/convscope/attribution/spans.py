"""Where a small part of a map lies, for many pictures at once, and how operations move and widen it."""

from dataclasses import dataclass

import numpy as np


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

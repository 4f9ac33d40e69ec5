"""Batches: halved and repeated where memory runs out."""

import pytest

import convscope as cs
from convscope.taps.batching import in_batches


def test_in_batches_halves_and_repeats_what_failed() -> None:
    done: list[tuple[int, int]] = []

    def work(first: int, last: int) -> None:
        if last - first > 3:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        done.append((first, last))

    assert in_batches(10, 8, work, "work") <= 3
    assert [i for first, last in done for i in range(first, last)] == list(range(10))

    def hopeless(first: int, last: int) -> None:
        raise MemoryError

    with pytest.raises(cs.ConvscopeError, match="memory ran out"):
        in_batches(4, 2, hopeless, "work")

"""Memory that runs out: told apart from other failures, whichever way torch, NumPy, Pillow or the system puts it; and
batches halved for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convscope.errors import ConvscopeError, OutOfMemoryError

_SAYS = (
    "DefaultCPUAllocator", "std::bad_alloc", "could not create a primitive", "could not create a memory",
    "not enough memory", "Cannot allocate memory", "out of memory", "unable to mmap",
)  # fmt: skip
"""torch, on the processor, and oneDNN raise a plain RuntimeError with one of these in it; so does the system."""


@contextmanager
def memory_watched(work: str) -> Iterator[None]:
    """Raises OutOfMemoryError where memory runs out inside; also to be put over a function.

    work: what was being done, for the message.
    """
    try:
        yield
    except ConvscopeError:
        raise
    except Exception as error:
        if not isinstance(error, MemoryError) and not any(text in str(error) for text in _SAYS):
            raise
        raise OutOfMemoryError(f"memory ran out ({work}): take a smaller size, or fewer at once") from error


def attempted(work: Callable[[], object], count: int, what: str, *, least: int = 1) -> int:
    """Do the work of a batch of so many. Returns `count` where it is done, and half of it, which is what to take next,
    where memory ran out.

    `work` must leave nothing of a batch that failed. least: below it a batch is not halved. Raises OutOfMemoryError
    where that does not fit either.
    """
    try:
        with memory_watched(what):
            work()
    except OutOfMemoryError:
        if count <= least:
            raise
        return count // 2
    return count

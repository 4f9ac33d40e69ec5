"""Memory that runs out is told apart from other failures, whichever way torch, NumPy, Pillow or the system puts it."""

from collections.abc import Iterator
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

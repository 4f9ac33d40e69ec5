"""Memory that runs out is told apart from a network that fails, whichever way torch puts it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from convscope.errors import OutOfMemoryError

_SAYS = (
    "DefaultCPUAllocator", "std::bad_alloc", "could not create a primitive", "could not create a memory",
    "not enough memory", "Cannot allocate memory", "out of memory",
)  # fmt: skip
"""torch, on the processor, and oneDNN raise a plain RuntimeError with one of these in it."""


@contextmanager
def memory_watched(work: str) -> Iterator[None]:
    """Raises OutOfMemoryError where memory runs out inside. work: what was being done, for the message."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = str(error)
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not any(x in told for x in _SAYS):
            raise
        raise OutOfMemoryError(f"memory ran out ({work}): take a smaller size, or fewer at once") from error

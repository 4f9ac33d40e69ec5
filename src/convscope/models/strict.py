"""Pillow, which has its settings for the whole process, for a moment as decoding wants it."""

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from PIL import ImageFile, _imaging

_ALONE = threading.RLock()


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Pillow neither fills in what a file lacks nor writes to stderr; one thread at a time, as all this is the
    process's, and it is put back.

    LOAD_TRUNCATED_IMAGES, if the process has set it, is off. Warnings are not given. Pillow's log goes to the handlers
    that there are, but not to stderr for want of one. libtiff, which writes to file descriptor 2 by itself, is told
    not to, where it can be reached: the descriptor itself is left alone, as other threads write to it.
    """
    handler, log = logging.NullHandler(), logging.getLogger("PIL")
    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        log.addHandler(handler)
        speaking = [(set_handler, set_handler(None)) for set_handler in _libtiff()]
        try:
            yield
        finally:
            for set_handler, before in speaking:
                set_handler(before)
            log.removeHandler(handler)
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


@cache
def _libtiff() -> tuple[Any, ...]:
    """libtiff's functions that set who is told of errors and warnings, and return who was. They are found by way of
    the library of Pillow's that is linked to it; where that holds it hidden, there are none."""
    try:
        library = ctypes.CDLL(_imaging.__file__)
        result = library.TIFFSetErrorHandler, library.TIFFSetWarningHandler
    except (OSError, AttributeError, TypeError):
        return ()
    for function in result:
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
    return result

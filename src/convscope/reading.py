"""Reading a file's bytes without being held up: no pipe that waits, no device without an end, no file above a limit."""

import os
import stat
from pathlib import Path
from typing import Literal

Why = Literal["missing", "folder", "special", "large", "unreadable"]

_ONCE = 1 << 20
"""How much is asked for at once where the file's size is not known."""


class ReadError(Exception):
    """A file that was not read. Its text goes on from the file's name: f"{str(path)!r} {error}".

    why: "missing", "folder", "special" (a pipe, a device, a socket), "large" (above the limit), or "unreadable".
    """

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


def regular_bytes(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Never waits for a writer, and never holds much more than `most` bytes.

    Pipes, devices and sockets are refused before they are opened, files above `most` bytes before they are read, or
    as soon as they grow above it.

    Raises ReadError, and MemoryError where `most` bytes are more than there is room for.
    """
    try:
        _check(os.stat(path), most)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(path, flags)
        try:
            result = os.fstat(handle)
            _check(result, most)  # what is opened may be another file by now
            return _read(handle, result.st_size, most)
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise ReadError("missing", "does not exist") from None
    except IsADirectoryError:
        raise ReadError("folder", "is a folder") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ReadError("unreadable", f"cannot be read: {reason or type(error).__name__}") from None


def _check(found: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise ReadError("folder", "is a folder")
    if not stat.S_ISREG(found.st_mode):
        kinds = ((stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"))
        kind = next((name for is_kind, name in kinds if is_kind(found.st_mode)), "special file")
        raise ReadError("special", f"is a {kind}; expected a regular file: copy what it gives into one")
    if found.st_size > most:
        raise _too_large(f"{_amount(found.st_size)} large", most)


def _read(handle: int, size: int, most: int) -> bytes:
    """All of an open file. Its size is asked for at once, so that an ordinary file is read without a second copy."""
    parts, have = [], 0
    while part := os.read(handle, max(_ONCE, min(size, most) + 1 - have)):
        parts.append(part)
        have += len(part)
        if have > most:
            raise _too_large("larger than it says, or still growing", most)
    return b"".join(parts)


def _too_large(what: str, most: int) -> ReadError:
    return ReadError("large", f"is {what}; the limit is {_amount(most)}")


def _amount(count: int) -> str:
    """A number of bytes in words."""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"

"""Writing files whole or not at all, and reading them whole."""

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convscope.errors import ResultError
from convscope.reading import ReadError, regular_bytes
from convscope.render.pdf import check_pdf
from convscope.writing import fresh_file

KEY = "convscope"
"""The name of the text in a PNG, and of the array in an .npz, that holds the recipe as JSON."""


MOST_FILE = 1 << 30
"""Bytes of a picture or an animation that is read."""
TRIED = 1 << 16
"""Bytes written to see whether there is room."""
MOST_NESTED = 64
"""How deep the JSON in a file may be nested."""
PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".pdf")
ENDINGS = (*PICTURES, ".npz")


def check_ending(path: str | Path, endings: Sequence[str] = ENDINGS) -> None:
    """Raises ResultError, before any work, for a file that a result cannot be saved as, or not there; MissingExtraError
    where it takes a package that is not installed."""
    folder, suffix = os.path.isdir(path), Path(path).suffix.lower()
    if folder or suffix not in endings:
        what = "is a folder" if folder else f"ends in {suffix!r}" if suffix else "has no ending"
        *others, last = endings
        known = f"{', '.join(others)} or {last}" if others else last
        raise ResultError(f"{str(path)!r} {what}; results are saved as {known}")
    if suffix == ".pdf":
        check_pdf()
    check_place(path)


def check_place(path: str | Path) -> None:
    """Raises ResultError where no file can be made in a file's folder, or in the last of its folders that there are;
    also where the disk is full, and where there is a pipe or a device of that name."""
    try:
        folder = next(parent for parent in _target(path).parents if parent.exists())
        with tempfile.TemporaryFile(dir=folder, prefix=".convscope-") as file:
            file.write(bytes(TRIED))
            file.flush()
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise ResultError(f"{str(path)!r} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _target(path: str | Path) -> Path:
    """The file that is written: where a link leads. Raises ResultError for a pipe, a device and the like."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ResultError(f"{str(path)!r} is no regular file (a pipe or a device): results are written to files")
    return Path(os.path.realpath(path))


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write a file by way of a temporary one beside it, so that a failure leaves nothing half-written.

    Folders that are missing are made. Of a link, the file it leads to is written. Raises ResultError where the file
    cannot be written.
    """
    path = Path(path)
    try:
        with fresh_file(_target(path)) as fresh:
            fresh.write_bytes(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResultError(f"{str(path)!r} cannot be written: {reason}") from None
    return path


def read_whole(path: Path, most: int = MOST_FILE) -> bytes:
    """A regular file's bytes. Raises ResultError where it is not there, is larger than `most` or cannot be read."""
    try:
        return regular_bytes(path, most)
    except ReadError as error:
        text = f"no file {str(path)!r}" if error.why == "missing" else f"{str(path)!r} {error}"
        raise ResultError(text) from None


def parsed(text: str, path: Path) -> dict[str, Any]:
    """The JSON in a file, which has to be an object. Raises ResultError, also where it is nested without end."""
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):  # ValueError: no JSON, or a number of thousands of digits
        about = None
    if not isinstance(about, dict) or _deeper(about, MOST_NESTED):
        raise ResultError(f"the recipe in {str(path)!r} cannot be read")
    return about


def _deeper(value: Any, most: int) -> bool:
    """Whether lists and objects lie in each other more than so many times."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)

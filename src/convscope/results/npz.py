"""Results as .npz: arrays and the recipe in one archive. A file may be a stranger's, so its sizes are bounded."""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convscope.errors import ResultError
from convscope.results.files import KEY, parsed, read_whole

MOST_BYTES = 4 << 30
"""Of an archive, packed or unpacked."""
MODEST_BYTES, MOST_PACKED = 256 << 20, 100
"""Above so many bytes unpacked, at most so many times what the file has: a small one that unpacks to much is a bomb."""
MOST_MEMBERS = 5000
MOST_TEXT = 64 << 20
"""Bytes of the recipe and the facts."""
NUMBERS = "biuf"
"""The kinds of arrays in a result: bool, integers, floats."""


def npz_bytes(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> bytes:
    """Arrays and `about` as one compressed .npz."""
    if KEY in arrays:
        raise ResultError(f"an array cannot be named {KEY!r}; that name holds the recipe")
    data = npz_within(arrays, about, None)
    assert data is not None
    return data


def npz_within(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], most: int | None) -> bytes | None:
    """The same in at most so many bytes; None where it would have more, or an array has the recipe's name."""
    if KEY in arrays:
        return None
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        # What np.savez_compressed does, but for names: there a layer called "file" would be an error.
        for name, array in {KEY: text, **arrays}.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # np.load takes this ending off again
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            if most is not None and buffer.tell() > most:
                return None  # before all of them are packed
    return buffer.getvalue() if most is None or buffer.tell() <= most else None


def read_npz(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The inverse of npz_bytes. Nothing in the file can run code, nor take more memory than MOST_BYTES allows.

    Raises ResultError for what is no result.
    """
    return npz_parts(read_whole(path, MOST_BYTES), path)


def npz_parts(data: bytes, path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """`read_npz` of the bytes of an .npz, which came from a file at `path`."""
    try:
        if not data.startswith(b"PK"):  # an archive inside another file, as a PNG carries one, is not this file
            raise ValueError("it is no archive")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if f"{KEY}.npy" not in archive.namelist() and KEY not in archive.namelist():
                raise ResultError(f"{str(path)!r} holds no recipe of convscope")
            _check_sizes(archive, len(data), path)
            arrays = {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in archive.infolist()}
    except ResultError:
        raise
    except Exception as error:  # zip files can be broken in any way
        raise ResultError(f"{str(path)!r} is not an .npz that can be read: {error}") from None
    text = arrays.pop(KEY)
    if text.dtype != np.uint8 or text.nbytes > MOST_TEXT:
        raise ResultError(f"the recipe in {str(path)!r} cannot be read")
    return arrays, parsed(text.tobytes().decode("utf-8", "replace"), path)


def _check_sizes(archive: zipfile.ZipFile, packed: int, path: Path) -> None:
    """Raises ResultError, before anything is unpacked, for more than a result has."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise ResultError(f"{str(path)!r} holds {len(members)} arrays; expected at most {MOST_MEMBERS}")
    unpacked = sum(member.file_size for member in members)
    most = min(MOST_BYTES, max(MODEST_BYTES, MOST_PACKED * packed))
    if unpacked > most:
        raise ResultError(
            f"{str(path)!r} has {packed / 1e6:.3g} MB and would unpack to {unpacked / 1e6:.3g} MB; expected at most "
            f"{most / 1e6:.3g} MB"
        )


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """A member's array. Raises ValueError where it is none, or is not as long as it says."""
    with archive.open(entry) as member:
        data = io.BytesIO(member.read(entry.file_size))
    version = np.lib.format.read_magic(data)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(data)
    if dtype.kind not in NUMBERS:
        raise ValueError(f"{entry.filename!r:.60} holds {dtype!s:.40}; expected plain numbers")
    if math.prod(shape) * dtype.itemsize != entry.file_size - data.tell():
        raise ValueError(f"{entry.filename!r:.60} is not as long as it says")
    data.seek(0)
    array: np.ndarray = np.lib.format.read_array(data, allow_pickle=False)
    return array

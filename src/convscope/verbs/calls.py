"""What all verbs share: writing the recipe of a call."""

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.results.recipe import Recipe

PACKAGES = ("convscope", "torch", "numpy", "pillow")


def recipe_of(
    method: str,
    net: Network,
    options: Mapping[str, Any],
    *,
    photograph: Photograph | None = None,
    others: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    notes: tuple[str, ...] = (),
) -> Recipe:
    """The recipe of a call. others: the records of further pictures that went in, by the argument that took them.

    What the network does not say of its input becomes a note, as do the notes of the pictures.
    """
    inputs: dict[str, Any] = {"image": photograph.record} if photograph else {}
    inputs |= {name: list(records) for name, records in (others or {}).items() if records}
    of_pictures = [*(photograph.record.get("notes", ()) if photograph else ())]
    for name, records in (others or {}).items():
        of_pictures += [f"{name}: {note}" for record in records for note in record.get("notes", ())]
    return Recipe(
        method=method,
        network=describe(net),
        options=options,
        inputs=inputs,
        machine=machine(net),
        notes=tuple(dict.fromkeys([*net.notes, *of_pictures, *notes])),
    )


def plain_number(value: Any) -> Any:
    """A number of NumPy's or torch's as one of Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) or (isinstance(value, Tensor) and value.ndim == 0) else value


def counted(count: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def describe(net: Network) -> dict[str, Any]:
    """Which network this is: how to load it again, and the hash of its weights."""
    return {
        "name": net.name,
        "source": net.source,
        "options": net.options,
        "weights_sha256": net.weights_hash(),
        "input": net.spec.describe(),
    }


def machine(net: Network) -> dict[str, Any]:
    """What the bytes of a result may depend on besides the recipe."""
    return {
        "versions": {package: _version(package) for package in _packages(net)} | {"python": platform.python_version()},
        "device": str(net.device),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
    }


def _packages(net: Network) -> tuple[str, ...]:
    """The packages that had a hand in it."""
    return (*PACKAGES, "keras") if type(net.adapter).__name__ == "KerasAdapter" else PACKAGES


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

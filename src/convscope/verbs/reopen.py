"""The network and the pictures of a recipe, opened again: given, or found within reach, and checked by their hashes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from convscope.errors import NetworkError, NotFetchedError, ResultError
from convscope.models.find import kind_of
from convscope.models.load import load_model
from convscope.models.network import Network
from convscope.models.photograph import ImageLike
from convscope.models.reference import NetworkRef
from convscope.models.spec import InputSpec
from convscope.plain import shown
from convscope.results.files import read_whole
from convscope.results.recipe import Call
from convscope.verbs.reach import Reach

WORDS = (None, "none", "imagenet")
"""The `weights` of a named network that are no file."""
MOST_TIMES, MOST_NAMED, MOST_OF_FILE = 4, 1024, 2048
"""How large a side of the input may be: of a named network so many times its own, or so many pixels; of a file's."""
ELSE = "give the network with --model (net=...)"


def network_of(
    told: NetworkRef, given: Network | str | Path | None, reach: Reach, *, trust: bool, device: str | None
) -> Network:
    """The network that a reference names. given: it, or a name or file to load it from in place of the reference's.

    Raises ResultError where it is not here, may not be read or fetched, or is not what it was.
    """
    if isinstance(given, Network):
        net = given
        _check_contract(told.input, net)
    else:
        net = _loaded(told, given, reach, trust, device)
    if net.weights_hash() != told.weights_sha256:
        raise ResultError(
            f"the weights of {net.name} are not those of the recipe (SHA-256 {net.weights_hash()[:12]}…, "
            f"expected {told.weights_sha256[:12]}…)"
        )
    return net


def _loaded(told: NetworkRef, given: str | Path | None, reach: Reach, trust: bool, device: str | None) -> Network:
    """The network from where the reference says, or else from what the user names, with the reference's contract."""
    options = dict(told.options)
    source = told.source if given is None else str(given)
    if not source:
        raise ResultError(f"the network {told.name!r} was a live module: give it with replay(..., net=...)")
    place, kind = source, kind_of(source)
    if given is None and kind == "code":
        raise ResultError(f"the network is made by code, {source!r}, which no recipe may run: {ELSE}, and --trust")
    if given is None and kind == "file":
        place = str(reach.find(source, "the network", ELSE))
    if kind == "file" or (given is not None and kind == "name" and options.get("weights") not in WORDS):
        options.pop("weights", None)
    elif options.get("weights") not in WORDS:
        options["weights"] = str(reach.find(options["weights"], "the weights file", ELSE))
    spec, named = told.input, kind == "name"
    if not named:
        _check_size(told.name, spec, MOST_OF_FILE)
    try:
        net = load_model(
            place,
            input=None if named else spec,
            trust=trust,
            device=device,
            download=reach.download or given is not None,
            **options,
        )
    except NotFetchedError as error:
        raise ResultError(f"{error}: say --download (download=True) to allow it, or {ELSE}") from None
    except NetworkError as error:
        raise ResultError(f"the recipe's network cannot be loaded: {error}") from None
    if named:
        _check_size(told.name, spec, max(MOST_NAMED, MOST_TIMES * max(net.spec.hw)))
        net.spec = spec
    # The recipe of the replay is that of the original, wherever the network lies now.
    net.name, net.source, net.options = told.name, told.source, dict(told.options)
    return net


def _check_size(name: str, spec: InputSpec, most: int) -> None:
    """Raises ResultError, before any pass, for an input so large that a pass could take minutes and all memory."""
    if max(spec.hw) > most:
        raise ResultError(
            f"the recipe's input of {spec.height}x{spec.width} pixels is too large for {shown(name)}; expected at most "
            f"{most} a side: if you trust it, load the network at that size yourself and give it with net=..."
        )


def device_of(machine: Mapping[str, Any]) -> str | None:
    """The graphics card that a result was made on. Raises ResultError where there is none."""
    device = machine.get("device", "cpu")
    if not device.startswith("cuda"):
        return None
    if not torch.cuda.is_available():
        raise ResultError(
            "this was made on a graphics card, and there is none: --device cpu (device='cpu') makes it here, "
            "though not to the bit"
        )
    return str(device)


def _check_contract(spec: InputSpec, net: Network) -> None:
    """Raises ResultError where a network that was given takes its pictures otherwise than the recipe's."""
    now, was = (json.loads(json.dumps(one.describe())) for one in (net.spec, spec))
    other = sorted(name for name in now if now[name] != was[name])
    if other:
        told = ", ".join(f"{name} {now[name]}, then {was[name]}" for name in other)
        raise ResultError(f"the network given takes its input otherwise than that of the recipe: {told}")


def pictures_of(call: Call, image: ImageLike | None, net: Network, reach: Reach) -> dict[str, Any]:
    """The pictures of a call, by their names among its inputs; the same to the byte.

    image: the photograph, where the user gives it: the first of the inputs.
    """
    result: dict[str, Any] = {}
    for i, (name, told) in enumerate(call.inputs.items()):
        if i == 0 and image is not None:
            result[name] = _given(told, image, net)
        elif isinstance(told, list):
            result[name] = [_found(record, name, reach, i == 0) for record in told]
        else:
            result[name] = _found(told, name, reach, i == 0)
    return result


def _found(record: Mapping[str, Any], name: str, reach: Reach, first: bool) -> Path:
    """The file of a picture, within reach. Its bytes are those of the recipe: no other file is opened as a picture.

    first: whether it is the photograph that the call is of, which the user may give.
    """
    told = record.get("path")
    if told is None and first:
        raise ResultError("the photograph of the recipe is not here, it was no file: give it with image=...")
    if told is None:
        raise ResultError(f"a picture of this result ({name}) was no file: make it again in Python")
    what = "the photograph" if first else f"the picture ({name})"
    give = "give it with --image (image=...)" if first else "make it again with the picture given"
    path = reach.find(told, what, give)
    if hashlib.sha256(read_whole(path)).hexdigest() != record["sha256"]:
        raise ResultError(
            f"{what} {str(path)!r} is not that of the recipe (expected SHA-256 {record['sha256'][:12]}…): {give}"
        )
    return path


def _given(record: Mapping[str, Any], image: ImageLike, net: Network) -> ImageLike:
    """The photograph that the user gives, where it is that of the recipe. Raises ResultError."""
    result = net.photograph(image).record["sha256"]
    if result != record["sha256"]:
        raise ResultError(
            f"the photograph is not that of the recipe (SHA-256 {result[:12]}…, expected {record['sha256'][:12]}…)"
        )
    return image

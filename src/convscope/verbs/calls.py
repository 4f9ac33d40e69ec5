"""Calls: the recipe of one that was made, and carrying one out again."""

import inspect
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from convscope.attribution.method import Method
from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.models.reference import NetworkRef
from convscope.progress import Watch
from convscope.results.recipe import Call, Recipe
from convscope.results.result import Result
from convscope.verbs.table import VERBS

PACKAGES = ("convscope", "torch", "numpy", "pillow")
Given = Photograph | Sequence[Photograph | Mapping[str, Any]] | None
"""A picture that went in, or several; of these their records will do."""


def recipe_of(
    verb: str,
    nets: Network | Sequence[Network],
    options: Mapping[str, Any],
    inputs: Mapping[str, Given] | None = None,
    *,
    notes: Sequence[str] = (),
    stopped: bool = False,
    references: Sequence[NetworkRef] | None = None,
    batch: int = 1,
) -> Recipe:
    """The recipe of a call. options: with nothing left open; methods as values. inputs: the pictures that went in, by
    the argument that took them. references: of the networks, where they are known already. batch: how many pictures
    went through the network at once, which changes how it rounds.

    What the networks do not say of their input becomes a note, as do the notes of the pictures: those of the first as
    they are, those of others after the argument's name.
    """
    networks = [nets] if isinstance(nets, Network) else list(nets)
    plain = {name: _plain(value) for name, value in options.items()}
    records = {name: _records(given) for name, given in (inputs or {}).items() if given is not None and given != []}
    for name, value in options.items():
        records |= {place: picture.record for place, picture in _pictures_in(name, value).items()}
    call = Call(verb, [one.to_dict() for one in references or map(NetworkRef.of, networks)], records, plain)
    others = [f"{net.name}: {note}" for net in networks[1:] for note in net.notes]
    told = [*networks[0].notes, *others, *_notes_of(records), *notes]
    return Recipe(call, machine(networks, batch), tuple(dict.fromkeys(told)), stopped)


def _plain(value: Any) -> Any:
    """An option as plain JSON."""
    if isinstance(value, Method):
        return value.to_dict()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _records(given: Given) -> Any:
    if isinstance(given, Photograph):
        return given.record
    return [picture.record if isinstance(picture, Photograph) else picture for picture in given or ()]


def _pictures_in(place: str, value: Any) -> dict[str, Photograph]:
    """The photographs among the options of methods, by their place in the call: "methods.1.baseline"."""
    if isinstance(value, Method):
        return {f"{place}.{name}": getattr(value, name) for name in value.pictures()}
    result: dict[str, Photograph] = {}
    for i, one in enumerate(value if isinstance(value, list | tuple) else ()):
        result |= _pictures_in(f"{place}.{i}", one)
    return result


def _notes_of(records: Mapping[str, Any]) -> list[str]:
    notes: list[str] = []
    for i, (name, given) in enumerate(records.items()):
        for record in given if isinstance(given, list) else [given]:
            notes += [note if i == 0 else f"{name}: {note}" for note in record.get("notes", ())]
    return notes


def function_of(verb: str) -> Callable[..., Any]:
    """The function of a verb that is in the table."""
    module, _, name = VERBS[verb].home.partition(":")
    result: Callable[..., Any] = getattr(import_module(module), name)
    return result


def carried_out(call: Call, nets: Sequence[Network], pictures: Mapping[str, Any], watch: Watch) -> Result:
    """Make a call that was checked. pictures: by the argument that takes them, or by their place among its options."""
    function = function_of(call.verb)
    options = Call("", options=call.options).options  # a copy
    for place in [place for place in pictures if "." in place]:
        _put(options, place.split("."), pictures[place])
    given = {name: picture for name, picture in pictures.items() if "." not in name}
    watched = {"watch": watch} if "watch" in inspect.signature(function).parameters else {}
    by_place = [one for one in inspect.signature(function).parameters.values() if one.annotation is Network]
    taken = list(nets) if len(by_place) > 1 else [list(nets) if len(nets) > 1 else nets[0]]
    result: Result = function(*taken, **options, **given, **watched)
    return result


def _put(holder: Any, path: Sequence[str], value: Any) -> None:
    """Set what lies at a path of keys and numbers."""
    for key in path[:-1]:
        holder = holder[int(key)] if isinstance(holder, list) else holder[key]
    holder[path[-1]] = value


def counted(count: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def machine(nets: Sequence[Network], batch: int = 1) -> dict[str, Any]:
    """What the bytes of a result may depend on besides the call."""
    packages = dict.fromkeys([*PACKAGES, *(package for net in nets for package in net.packages)])
    return {
        "versions": {package: _version(package) for package in packages} | {"python": platform.python_version()},
        "device": str(nets[0].device),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        **({"batch": batch} if batch > 1 else {}),
    }


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

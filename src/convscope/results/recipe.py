"""The call that made a result, as plain JSON, and its recipe: everything that is needed to make it again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convscope.errors import ResultError
from convscope.results.format1 import from_format_1

MOST_NOTE = 10_000
"""Letters of a note: a sentence or two have fewer."""
FORMAT = 2
"""Raised when an older convscope could no longer read a recipe."""
_PLACES = ("path", "given")
"""What a picture's record says of where it lay, which makes no difference to the result."""


@dataclass(frozen=True)
class Call:
    """What is to be done, as plain JSON.

    verb: which. networks: each as `models.reference.NetworkRef` describes it, with the SHA-256 of its weights. inputs:
    the pictures by the name of the argument that takes them, with their SHA-256; a list for an argument that takes
    several. options: every other argument, with nothing left open.
    """

    verb: str
    networks: Sequence[Any] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("networks", list), ("inputs", dict), ("options", dict)):
            object.__setattr__(self, name, json.loads(json.dumps(kind(getattr(self, name)))))

    def to_dict(self) -> dict[str, Any]:
        """The call as plain JSON values."""
        parts = {"networks": self.networks, "inputs": self.inputs, "options": self.options}
        return {"verb": self.verb, **json.loads(json.dumps(parts))}

    @property
    def key(self) -> str:
        """The SHA-256 of what is done: the same for the same network and pictures, wherever their files lie."""
        told = self.to_dict()
        told["networks"] = [{name: one.get(name) for name in ("weights_sha256", "input")} for one in told["networks"]]
        told["inputs"] = {name: _without_places(value) for name, value in told["inputs"].items()}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _without_places(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    return {name: part for name, part in value.items() if name not in _PLACES} if isinstance(value, dict) else value


@dataclass(frozen=True)
class Recipe:
    """The call that made a result, and what else its bytes and its reader depend on. All values are plain JSON.

    machine: versions, device and threads. notes: what a reader of the result has to know (an unknown input range, a
    unit that gave no gradient). stopped: whether the work was stopped, so that the result is not whole.
    """

    call: Call
    machine: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stopped: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "machine", json.loads(json.dumps(dict(self.machine))))
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    def verb(self) -> str:
        """The verb that made the result."""
        return self.call.verb

    @property
    def network(self) -> Mapping[str, Any]:
        """The first of the networks; empty where there is none."""
        return self.call.networks[0] if self.call.networks else {}

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the call."""
        return self.call.options

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The pictures of the call."""
        return self.call.inputs

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {
            "format": FORMAT,
            **self.call.to_dict(),
            "machine": json.loads(json.dumps(self.machine)),
            "notes": list(self.notes),
            "stopped": self.stopped,
        }

    @staticmethod
    def from_dict(values: Any) -> "Recipe":
        """The inverse of to_dict; recipes of format 1 are read, too. Raises ResultError for what is no recipe."""
        given = values.get("format") if isinstance(values, dict) else None
        if isinstance(values, dict) and (given not in (1, FORMAT) or isinstance(given, bool)):
            raise ResultError(
                f"the recipe is of format {given!r}; this convscope reads 1 and {FORMAT}: use a newer one"
            )
        told = from_format_1(values) if given == 1 else values
        if not _is_recipe(told):
            raise ResultError("the recipe in the file cannot be read; expected one written by convscope")
        call = Call(told["verb"], told["networks"], told["inputs"], told["options"])
        return Recipe(call, told["machine"], tuple(told.get("notes", ())), told.get("stopped", False))


def _is_recipe(values: Any) -> bool:
    return (
        isinstance(values, dict)
        and isinstance(values.get("verb"), str)
        and isinstance(values.get("networks"), list)
        and all(isinstance(values.get(part), dict) for part in ("inputs", "options", "machine"))
        and isinstance(values.get("notes", []), list)
        and all(isinstance(note, str) and len(note) <= MOST_NOTE for note in values.get("notes", []))
        and isinstance(values.get("stopped", False), bool)
    )

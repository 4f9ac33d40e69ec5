"""The recipe of a result: everything that is needed to make it again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from convscope.errors import ResultError

MOST_NOTE = 10_000
"""Letters of a note: a sentence or two have fewer."""
FORMAT = 1
"""Raised when an older convscope could no longer read a recipe."""


@dataclass(frozen=True)
class Recipe:
    """Who made a result, from what, and how. All values are plain JSON.

    method: the verb. network: its source, name, and the SHA-256 of its weights. options: every argument of the call,
    defaults included. inputs: the photographs, by name and SHA-256. machine: versions, device and threads.
    notes: what a reader of the result has to know (an unknown input range, a unit that gave no gradient).
    """

    method: str
    network: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("network", "options", "inputs", "machine"):
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))
        object.__setattr__(self, "notes", tuple(self.notes))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {"format": FORMAT, **asdict(self), "notes": list(self.notes)}

    @staticmethod
    def from_dict(values: Any) -> "Recipe":
        """The inverse of to_dict. Raises ResultError for what is no recipe."""
        parts = ("network", "options", "inputs", "machine")
        if (
            not isinstance(values, dict)
            or not isinstance(values.get("method"), str)
            or not all(isinstance(values.get(part), dict) for part in parts)
            or not isinstance(values.get("notes", []), list)
            or not all(isinstance(note, str) and len(note) <= MOST_NOTE for note in values.get("notes", []))
        ):
            raise ResultError("the recipe in the file cannot be read; expected one written by convscope")
        if values.get("format") != FORMAT or isinstance(values["format"], bool):
            raise ResultError(
                f"the recipe is of format {values.get('format')!r}; this convscope reads {FORMAT}: use a newer one"
            )
        return Recipe(values["method"], **{part: values[part] for part in parts}, notes=tuple(values.get("notes", ())))

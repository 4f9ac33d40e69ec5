"""What a series of hybrid varies: options and their values, from text or a mapping."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from convscope.errors import InputError
from convscope.objectives.expression import Objective
from convscope.verbs.calls import plain_number

MOST_VARIATIONS = 64
VARIED: Mapping[str, type] = {
    "target": str, "method": str, "layer": str, "top": int, "ranking": str, "effect": str, "intensity": float,
    "colours": str, "hot": float, "soft": float, "lines": int,
}  # fmt: skip
"""What a series can vary, and of which type it is."""


def series_of(vary: Mapping[str, Sequence[Any]] | str | None) -> dict[str, list[Any]]:
    """What varies, by option. Raises InputError."""
    expected = "expected such as 'intensity: 0.3, 1, 2' or 'top: 4, 64; effect: blur, invert'"
    if vary is None:
        return {}
    if isinstance(vary, str):
        parts = [part.partition(":") for part in vary.split(";") if part.strip()]
        twice = [
            name.strip() for i, (name, _, _) in enumerate(parts) if name.strip() in {p[0].strip() for p in parts[:i]}
        ]
        if twice:
            raise InputError(f"vary names {twice[0]} twice; expected all its values after one name")
        vary = {name.strip(): [word.strip() for word in words.split(",")] for name, _, words in parts}
    if not isinstance(vary, Mapping) or not 1 <= len(vary) <= 2:
        raise InputError(f"vary is of {_listed(vary)}; {expected}, one option or two")
    found: dict[str, list[Any]] = {}
    for name, values in vary.items():
        if name not in VARIED:
            raise InputError(f"vary is of {name!r}; expected one of {', '.join(VARIED)}")
        if isinstance(values, str) or not isinstance(values, Iterable) or not (several := [*map(plain_number, values)]):
            raise InputError(f"vary has no values of {name}; {expected}")
        try:
            found[name] = [_value(name, value) for value in several]
        except (TypeError, ValueError):
            raise InputError(f"vary of {name} is {several}; expected {VARIED[name].__name__}s; {expected}") from None
    if (count := int(np.prod([len(values) for values in found.values()]))) > MOST_VARIATIONS:
        raise InputError(f"vary makes {count} pictures; expected at most {MOST_VARIATIONS}")
    return found


def _listed(vary: Any) -> str:
    return ", ".join(map(str, vary)) or "nothing" if isinstance(vary, Mapping) else repr(vary)


def _value(name: str, value: Any) -> Any:
    kind = VARIED[name]
    if name == "target":
        return text_of(value)
    return kind(value) if not isinstance(value, kind) else value


def text_of(target: Objective | str | int | None) -> str | int | None:
    """A target as a recipe keeps it."""
    return str(target) if isinstance(target, Objective) else target

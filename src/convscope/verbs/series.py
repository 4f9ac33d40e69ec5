"""What a series of hybrid varies: options and their values, from text or a mapping."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from convscope.attribution.method import Method
from convscope.errors import InputError
from convscope.objectives.expression import Objective
from convscope.options import About, Field, fields_of, plain_number

MOST_VARIATIONS = 64
VARIED = ("target", "method", "effect", "intensity", "colours", "hot", "soft", "lines")
"""What a series can vary, beside the options of its method."""


def varied(verb: Callable[..., Any], methods: Sequence[type[Method]]) -> dict[str, Field]:
    """What a series can vary: options of the verb, then those of its methods."""
    own = fields_of(verb)
    result = {name: own.get(name) or Field(name, str, About(name), None) for name in VARIED}
    for method in methods:
        result |= {name: field for name, field in method.options().items() if name not in result}
    return result


def series_of(vary: Mapping[str, Sequence[Any]] | str | None, fields: Mapping[str, Field]) -> dict[str, list[Any]]:
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
    result: dict[str, list[Any]] = {}
    if (
        count := int(np.prod([len(values) for values in vary.values() if hasattr(values, "__len__")]))
    ) > MOST_VARIATIONS:
        raise InputError(f"vary makes {count} pictures; expected at most {MOST_VARIATIONS}")
    for name, values in vary.items():
        if name not in fields:
            raise InputError(f"vary is of {name!r}; expected one of {', '.join(fields)}")
        if isinstance(values, str) or not isinstance(values, Iterable) or not (several := [*map(plain_number, values)]):
            raise InputError(f"vary has no values of {name}; {expected}")
        try:
            result[name] = [_value(fields[name], value) for value in several]
        except InputError as error:
            raise InputError(f"vary: {error}; {expected}") from None
    return result


def _listed(vary: Any) -> str:
    return ", ".join(map(str, vary)) or "nothing" if isinstance(vary, Mapping) else repr(vary)


def _value(field: Field, value: Any) -> Any:
    if isinstance(value, Objective):
        return str(value)
    if field.name == "target":
        return value
    if isinstance(value, str):
        value = field.read(value)
    return field.taken(value) if field.name != "method" else value


def text_of(target: Objective | str | int | None) -> str | int | None:
    """A target as a recipe keeps it."""
    return str(target) if isinstance(target, Objective) else target

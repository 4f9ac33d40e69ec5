"""Whether values read from a file are of a type: plain JSON."""

import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

MOST_TEXT = 1_000_000
"""Letters of a text: a direction over all channels of a wide layer is long."""
MOST_ITEMS = 100_000
"""Entries of a list: a network may have so many labels."""
MOST_WHOLE = 2**63
"""Of whole numbers, either way."""


def fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON is of a type, of bounded size: no picture, network or objective."""
    origin, members = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return fits(value, members[0])
    if origin in (Union, UnionType):
        return any(fits(value, member) for member in members)
    if origin is Literal:
        return isinstance(value, str) and value in members
    if origin in (Sequence, list):
        return isinstance(value, list) and len(value) <= MOST_ITEMS and all(fits(one, members[0]) for one in value)
    if origin in (Mapping, dict):
        return (
            isinstance(value, dict)
            and len(value) <= MOST_ITEMS
            and all(fits(name, members[0]) and fits(one, members[1]) for name, one in value.items())
        )
    if kind is Any:
        return any(fits(value, plain) for plain in (NoneType, bool, int, float, str))
    return _is_plain(value, kind)


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is str:
        return isinstance(value, str) and len(value) <= MOST_TEXT
    if kind in (bool, NoneType, None):
        return isinstance(value, bool) if kind is bool else value is None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return kind in (int, float) and -MOST_WHOLE <= value < MOST_WHOLE
    return kind is float and math.isfinite(value)


def has_form(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON has the form of a type: text, numbers, lists and objects where it says so, of any
    length and size. Any is anything."""
    origin, members = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return any(has_form(value, member) for member in members)
    if origin is Sequence:
        return isinstance(value, list) and all(has_form(one, members[0]) for one in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(has_form(one, members[1]) for one in value.values())
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return origin is Any or (isinstance(value, origin) and (origin is bool or not isinstance(value, bool)))


def shown(value: Any) -> str:
    """A value in a message: one line, not too long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

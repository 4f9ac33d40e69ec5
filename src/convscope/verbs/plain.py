"""Whether values read from a file are what the signature of a verb asks for: plain JSON of bounded size."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from PIL import Image

MOST_TEXT = 1_000_000
"""Letters of a text: a direction over all channels of a wide layer is long."""
MOST_ITEMS = 100_000
"""Entries of a list: a network may have so many labels."""
MOST_WHOLE = 2**63
"""Of whole numbers, either way."""


def fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON is of a type. No value is a picture, a network or an objective."""
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


def takes_picture(kind: Any) -> bool:
    """Whether an argument of a type takes a picture, or several."""
    return any(
        takes_picture(get_args(member)[0]) if _is_list(member) else member is Image.Image for member in _of(kind)
    )


def takes_pictures(kind: Any) -> bool:
    """Whether it takes several."""
    return any(_is_list(member) and takes_picture(get_args(member)[0]) for member in _of(kind))


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is Sequence


def _of(kind: Any) -> Iterator[Any]:
    """The types of a union, or the one."""
    if get_origin(kind) is Annotated:
        yield from _of(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from _of(member)
    else:
        yield kind


def shown(value: Any) -> str:
    """A value in a message: one line, not too long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

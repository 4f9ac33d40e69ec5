"""One typed signature per verb feeds every front end; this is what its options are typed with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from convscope.errors import InputError

MOST_SEED = 2**63 - 1
MOST_NUMBERS = 100_000


@dataclass(frozen=True)
class About:
    """What an option means, in the words that every front end shows; with bounds where it is a number."""

    text: str
    least: float | None = None
    most: float | None = None


def check_given(verb: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raises InputError for an option outside the bounds or the words that the verb's signature states."""
    hints = get_type_hints(verb, include_extras=True)
    for name, value in given.items():
        hint = hints.get(name)
        if value is None or get_origin(hint) is not Annotated:
            continue
        kind, about = get_args(hint)[:2]
        words = words_of(kind)
        if words and value not in words:
            raise InputError(f"{name} is {value!r}; expected one of {', '.join(words)}")
        if not isinstance(about, About) or about.least is None or about.most is None:
            continue
        if not (hasattr(value, "__float__") and about.least <= value <= about.most):
            raise InputError(f"{name} is {value}; expected {about.least:.12g} to {about.most:.12g}")


def words_of(kind: Any) -> tuple[str, ...]:
    """The words that a type allows: those of its Literal, also where it may be None."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return next((words for words in map(words_of, get_args(kind)) if words), ())
    return ()


def numbers_of(text: str) -> list[int]:
    """Whole numbers from text such as 3,7,10-15. Raises InputError."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"the numbers {text!r} cannot be read; expected such as 3,7,10-15")
        if int(last or first) < int(first):
            raise InputError(f"the numbers {part!r} go backwards; expected low-high")
        if int(last or first) - int(first) >= MOST_NUMBERS:
            raise InputError(f"the numbers {part!r} are too many; expected at most {MOST_NUMBERS}")
        found += range(int(first), int(last or first) + 1)
    return found

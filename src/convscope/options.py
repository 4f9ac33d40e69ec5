"""What a function or a dataclass takes, as data: one typed signature feeds Python, the command line and the docs."""

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from functools import cache, wraps
from types import UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from PIL import Image

from convscope.errors import InputError, near_matches

MOST_SEED = 2**63 - 1
MOST_NUMBERS = 100_000
NEEDED = inspect.Parameter.empty
"""The default of what has none."""
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class About:
    """What an option means, in the words that every front end shows; with bounds where it is a number.

    unset: what stands in where it is not given, such as "an eighth of the side". was: the name that it had before, by
    which it may still be given. choices: words that it takes, where its type does not say them. before: what recipes
    did that were made before there was this option; replaying them does the same.
    """

    text: str
    least: float | None = None
    most: float | None = None
    unset: str = ""
    was: str = ""
    choices: tuple[str, ...] = ()
    before: Any = None


@dataclass(frozen=True)
class Field:
    """One argument: its name, its type without the About, what it means, its default (NEEDED where it has none).

    positional: whether it may be given by its place; front ends ask for such arguments first.
    """

    name: str
    kind: Any
    about: About
    default: Any
    positional: bool = False

    @property
    def picture(self) -> Literal["", "one", "several"]:
        """Whether it takes a picture, or several."""
        if not takes_picture(self.kind):
            return ""
        return "several" if takes_pictures(self.kind) else "one"

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes; empty where it takes others too."""
        return self.about.choices or words_of(self.kind)

    @property
    def members(self) -> tuple[Any, ...]:
        """The types that its value may have."""
        return get_args(self.kind) if get_origin(self.kind) in (Union, UnionType) else (self.kind,)

    @property
    def numbers(self) -> bool:
        """Whether it takes whole numbers, as text such as 3,7,10-15."""
        return Sequence[int] in self.members

    @property
    def stands_in(self) -> str:
        """What is used where it is not given, in words; empty where nothing is."""
        if self.about.unset or self.default in (None, NEEDED, False):
            return self.about.unset
        return text_of(self.default)

    def taken(self, value: Any) -> Any:
        """A value as it is used, a plain one. Raises InputError for one that cannot be."""
        if value is None:
            return None
        value = plain_number(value)
        if self.numbers:
            return _whole_numbers(self.name, value)
        if self.choices and not (isinstance(value, str) and value in self.choices):
            raise InputError(f"{self.name} is {value!r}; expected one of {', '.join(self.choices)}")
        self._check_type(value)
        least, most = self.about.least, self.about.most
        if least is not None and most is not None and not (hasattr(value, "__float__") and least <= value <= most):
            raise InputError(f"{self.name} is {value}; expected {least:.12g} to {most:.12g}")
        return value

    def _check_type(self, value: Any) -> None:
        """Raises InputError for a value that is none of the plain types that the option has."""
        plain = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        kinds = [kind for kind in self.members if kind is not type(None)]
        if not kinds or not all(kind in plain for kind in kinds):
            return
        right = any(
            isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
            for kind in (*kinds, *([int] if float in kinds else []))
        )
        if not right:
            raise InputError(f"{self.name} is {value!r}; expected {' or '.join(plain[kind] for kind in kinds)}")

    def read(self, text: str) -> Any:
        """The value that a text says. Raises InputError."""
        if self.numbers:
            return numbers_of(text)
        if bool in self.members:
            value = {"true": True, "yes": True, "false": False, "no": False}.get(text.lower())
            if value is None:
                raise InputError(f"{self.name} is {text!r}; expected true or false")
            return value
        for kind in (int, float):
            if kind in self.members and text.isascii():
                with suppress(ValueError):
                    return kind(text)
        if str not in self.members and {int, float} & {*self.members}:
            what = "a number" if float in self.members else "a whole number"
            raise InputError(f"{self.name} is {text!r}; expected {what}")
        return text


@cache
def fields_of(what: Callable[..., Any]) -> Mapping[str, Field]:
    """The arguments of a function, or the fields of a dataclass, that have an About; by name, in order."""
    hints = get_type_hints(what, include_extras=True)
    result: dict[str, Field] = {}
    for parameter in inspect.signature(what).parameters.values():
        hint = hints.get(parameter.name)
        if get_origin(hint) is not Annotated:
            continue
        kind, *extras = get_args(hint)
        about = next((extra for extra in extras if isinstance(extra, About)), None)
        if about is not None:
            default = None if is_dataclass(what) and parameter.default is NEEDED else parameter.default
            positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not is_dataclass(what)
            result[parameter.name] = Field(parameter.name, kind, about, default, positional)
    return result


def check_given(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raises InputError for an option outside the bounds or the words that the signature states."""
    fields = fields_of(function)
    for name, value in given.items():
        if name in fields:
            fields[name].taken(value)


def renamed(function: Callable[P, R]) -> Callable[P, R]:
    """A function that also takes its options by the names that they had before (About.was)."""
    before = {field.about.was: name for name, field in fields_of(function).items() if field.about.was}

    @wraps(function)
    def called(*given: P.args, **options: P.kwargs) -> R:
        for old in before.keys() & options.keys():
            if before[old] in options:
                raise InputError(f"{old} and {before[old]} are the same option: give {before[old]} alone")
            options[before[old]] = options.pop(old)
        return function(*given, **options)

    return called


def by_present_name(fields: Mapping[str, Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options by the names that they have now, where some are given by those that they had before."""
    before = {field.about.was: name for name, field in fields.items() if field.about.was}
    twice = [old for old in given if old in before and given.get(before[old]) is not None]
    if twice:
        raise InputError(f"{twice[0]} and {before[twice[0]]} are the same option: give {before[twice[0]]} alone")
    return {before.get(name, name) if name not in fields else name: value for name, value in given.items()}


def unknown_option(name: str, of: str, known: Sequence[str], elsewhere: Sequence[str] = ()) -> InputError:
    """The error for an option that there is not. elsewhere: what does take it."""
    if elsewhere:
        return InputError(f"{name} is no option of {of}; it is one of {', '.join(elsewhere)}")
    near = near_matches(name, known)
    hint = f"near matches: {', '.join(near)}" if near else f"it takes {', '.join(known) or 'none'}"
    return InputError(f"{name} is no option of {of}; {hint}")


def words_of(kind: Any) -> tuple[str, ...]:
    """The words that a type allows: those of its Literal, also where it may be None."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return next((words for words in map(words_of, get_args(kind)) if words), ())
    return ()


def text_of(value: Any) -> str:
    """A plain value as it is written in text; the inverse of Field.read."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def plain_number(value: Any) -> Any:
    """A number of NumPy's or torch's as one of Python's; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    try:
        return tuple(operator.index(number) for number in value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; expected whole numbers, such as [3, 7]") from None


def numbers_of(text: str) -> list[int]:
    """Whole numbers from text such as 3,7,10-15. Raises InputError."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"the numbers {text!r} cannot be read; expected such as 3,7,10-15")
        if int(last or first) < int(first):
            raise InputError(f"the numbers {part!r} go backwards; expected low-high")
        if int(last or first) - int(first) >= MOST_NUMBERS:
            raise InputError(f"the numbers {part!r} are too many; expected at most {MOST_NUMBERS}")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def takes_picture(kind: Any) -> bool:
    """Whether an argument of a type takes a picture, or several."""
    return any(
        takes_picture(get_args(member)[0]) if is_list(member) else member is Image.Image for member in kinds_of(kind)
    )


def takes_pictures(kind: Any) -> bool:
    """Whether it takes several."""
    return any(is_list(member) and takes_picture(get_args(member)[0]) for member in kinds_of(kind))


def is_list(kind: Any) -> bool:
    return get_origin(kind) is Sequence


def kinds_of(kind: Any) -> Iterator[Any]:
    """The types of a union, or the one."""
    if get_origin(kind) is Annotated:
        yield from kinds_of(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from kinds_of(member)
    else:
        yield kind

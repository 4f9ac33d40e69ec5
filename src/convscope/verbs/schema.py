"""The schema of calls. One that comes with a stranger's file is checked whole before anything it names is opened."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from convscope.attribution.method import PHOTOGRAPH, Method, method_class, method_of
from convscope.errors import InputError, ResultError
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.reference import MOST_PATH, NetworkRef, is_hash, is_path
from convscope.options import by_present_name, check_given, fields_of, is_list, kinds_of, takes_picture, takes_pictures
from convscope.plain import fits, shown
from convscope.results.recipe import Call, Recipe
from convscope.synthesis.measure import MOST_REAL
from convscope.synthesis.starts import STARTS

MOST_NETWORKS = 201
MOST_THREADS = 4096
MOST_METHODS = 1000
_WORDS: Mapping[str, Callable[[str], bool]] = {"start": STARTS.__contains__}
"""The arguments that are a picture or a word, and which words. A path is never one: a picture is found by its hash."""


@dataclass(frozen=True)
class Takes:
    """What the calls of a verb hold, read off its signature.

    options: their types, by name; needed: those without a default; methods: those that are attribution methods.
    pictures: by name, whether there may be several; shown: those without a default.
    """

    options: Mapping[str, Any]
    needed: frozenset[str]
    methods: frozenset[str]
    pictures: Mapping[str, bool]
    shown: frozenset[str]


def takes_of(verb: Callable[..., Any]) -> Takes:
    """What the calls of a verb hold."""
    hints = get_type_hints(verb, include_extras=True)
    given = {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in inspect.signature(verb).parameters.items()
        if not (name == "watch" or parameter.kind is inspect.Parameter.VAR_KEYWORD or _takes_network(hints[name]))
    }
    pictures = {name: takes_pictures(hints[name]) for name in given if takes_picture(hints[name])}
    options = {name: hints[name] for name in given if name not in pictures or name in _WORDS}
    return Takes(
        options,
        frozenset(name for name in options if given[name]),
        frozenset(name for name in options if takes_method(hints[name])),
        pictures,
        frozenset(name for name in pictures if given[name]),
    )


def _takes_network(kind: Any) -> bool:
    """Whether an argument of a type takes a network, or several."""
    return any(
        _takes_network(get_args(member)[0]) if is_list(member) else member is Network for member in kinds_of(kind)
    )


def takes_method(kind: Any) -> bool:
    """Whether an argument of a type takes an attribution method, or several."""
    return any(takes_method(get_args(member)[0]) if is_list(member) else member is Method for member in kinds_of(kind))


def checked(recipe: Recipe, verb: Callable[..., Any]) -> Call:
    """The call of a recipe, its options by the names that they have now.

    Raises ResultError, in one line, where no call of the verb would have written it.
    """
    call = recipe.call
    if not 1 <= len(call.networks) <= MOST_NETWORKS:
        raise _wrong("networks", call.networks, f"1 to {MOST_NETWORKS}")
    for network in call.networks:
        try:
            NetworkRef.from_dict(network)
        except InputError as error:
            raise ResultError(f"the recipe cannot be followed: {error}") from None
    _check_machine(recipe.machine)
    takes = takes_of(verb)
    try:
        options = by_present_name(fields_of(verb), call.options)
    except InputError as error:
        raise ResultError(f"the recipe cannot be followed: {error}") from None
    for name, field in fields_of(verb).items():
        if field.about.before is not None:
            options.setdefault(name, field.about.before)
    call = Call(call.verb, call.networks, call.inputs, options)
    places = _check_options(call, verb, takes)
    _check_inputs(call, takes, places)
    return call


def _wrong(field: str, value: Any, expected: str) -> ResultError:
    return ResultError(f"the recipe cannot be followed: {field} is {shown(value)}; expected {expected}")


def _check_options(call: Call, verb: Callable[..., Any], takes: Takes) -> set[str]:
    """Check the options; returns the places among them that hold the word for a picture."""
    strange = sorted(set(call.options) - set(takes.options))
    if strange:
        told = ", ".join(" ".join(option.split())[:40] for option in strange[:5])
        raise ResultError(
            f"the recipe has options that {call.verb} does not know ({told}): was it made by a newer convscope?"
        )
    missing = sorted(takes.needed - set(call.options))
    if missing:
        raise ResultError(f"the recipe cannot be followed: it does not say which {' and '.join(missing)}")
    places: set[str] = set()
    for option, value in call.options.items():
        if option in takes.methods:
            places |= _check_methods(option, value)
        elif option in _WORDS and option in takes.pictures:
            if value is not None and not (fits(value, str) and _WORDS[option](value)):
                raise _wrong(f"options.{option}", value, "a word; pictures belong among the inputs, with their hash")
        elif not fits(value, takes.options[option]):
            raise _wrong(f"options.{option}", value, f"what {call.verb} takes")
    try:
        check_given(verb, {name: value for name, value in call.options.items() if name not in takes.methods})
    except InputError as error:
        raise ResultError(f"the recipe cannot be followed: {error}") from None
    return places


def _check_methods(place: str, value: Any) -> set[str]:
    """Check a method, or a list of them; returns the places that hold the word for a picture."""
    if isinstance(value, list) and 1 <= len(value) <= MOST_METHODS:
        places: set[str] = set()
        for i, one in enumerate(value):
            places |= _check_methods(f"{place}.{i}", one)
        return places
    if isinstance(value, str) and fits(value, str):
        try:
            value = method_of(value).to_dict()
        except InputError as error:
            raise ResultError(f"the recipe cannot be followed: {error}") from None
    if not isinstance(value, dict) or not fits(value.get("name"), str):
        raise _wrong(f"options.{place}", value, "a method with its options")
    try:
        kind = method_class(value["name"])
        for name, given in value.items():
            field = kind.options().get(name)
            if name != "name" and not (isinstance(given, dict) or fits(given, Any) or fits(given, list[int])):
                raise _wrong(f"options.{place}.{name}", given, f"what {kind.name} takes")
            if isinstance(given, dict) and field is not None:
                _check_methods(f"{place}.{name}", given)
            if isinstance(given, str) and not fits(given, str):
                raise _wrong(f"options.{place}.{name}", given, "a short text")
        method_of(value)
    except InputError as error:
        raise ResultError(f"the recipe cannot be followed: {error}") from None
    places = set()
    for name, is_word in kind.picture_options.items():
        given = value.get(name)
        if given == PHOTOGRAPH:
            places.add(f"{place}.{name}")
        elif isinstance(given, str) and not is_word(given):
            raise _wrong(
                f"options.{place}.{name}",
                given,
                "a name or a colour; pictures belong among the inputs, with their hash",
            )
    return places


def _check_inputs(call: Call, takes: Takes, places: set[str]) -> None:
    strange = sorted(set(call.inputs) - set(takes.pictures) - places)
    if strange:
        raise ResultError(f"the recipe cannot be followed: {call.verb} takes no picture {shown(strange[0])}")
    missing = sorted((takes.shown | places) - set(call.inputs))
    if missing:
        raise ResultError(f"the recipe does not say which photograph it is of (inputs.{missing[0]})")
    for name, given in call.inputs.items():
        if name in takes.pictures and takes.pictures[name] and isinstance(given, list):
            if not 1 <= len(given) <= MOST_REAL:
                raise _wrong(f"inputs.{name}", given, "a list of pictures")
            for record in given:
                _check_record(name, record)
        else:
            _check_record(name, given)


_RECORD: Mapping[str, Any] = {
    "given": str,
    "path": str,
    "mode": str,
    "done": list[str],
    "size": list[int],
    "fit": Fit,
}
"""What may be known of a picture besides its hash."""


def _check_record(name: str, record: Any) -> None:
    if not isinstance(record, dict) or not is_hash(record.get("sha256")):
        raise ResultError(f"the recipe does not say which photograph it is of (inputs.{name} has no SHA-256)")
    for key, kind in _RECORD.items():
        if key in record and not fits(record[key], kind):
            raise _wrong(f"inputs.{name}.{key}", record[key], "what convscope writes there")
    if not is_path(record.get("path", "")):
        raise _wrong(f"inputs.{name}.path", record["path"], f"a path of at most {MOST_PATH} letters")


def _check_machine(told: Mapping[str, Any]) -> None:
    kinds: Mapping[str, Any] = {
        "versions": dict[str, str],
        "device": str,
        "threads": int,
        "processor": str,
        "batch": int,
    }
    for key, kind in kinds.items():
        if key in told and not fits(told[key], kind):
            raise _wrong(f"machine.{key}", told[key], "what convscope writes there")
    if not re.fullmatch(r"[a-z]+(:\d{1,3})?", told.get("device", "cpu")):
        raise _wrong("machine.device", told["device"], "a device, such as cpu or cuda:0")
    if not 1 <= told.get("threads", 1) <= MOST_THREADS:
        raise _wrong("machine.threads", told["threads"], f"1 to {MOST_THREADS}")

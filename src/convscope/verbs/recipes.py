"""The schema of recipes. One that comes with a stranger's file is checked whole before anything it names is opened."""

import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from convscope.attribution.fills import is_fill
from convscope.errors import InputError, ResultError
from convscope.models.fitting import Fit
from convscope.models.spec import InputSpec
from convscope.options import check_given
from convscope.results.recipe import Recipe
from convscope.synthesis.measure import MOST_REAL
from convscope.synthesis.starts import STARTS
from convscope.verbs.plain import fits, shown, takes_picture, takes_pictures

MOST_PATH = 4096
"""Letters of a path, or of the name of a network."""
MOST_INPUT = 2**26
"""Numbers in a network's input: 4096x4096 pixels in colour have fewer."""
MOST_SIDE = 8192
MOST_BESIDE = 200
"""Networks beside the first."""
MOST_THREADS = 4096
PHOTOGRAPH = "photograph"
"""What an option says whose picture is among the inputs."""
_WORDS: Mapping[str, Callable[[str], bool]] = {"start": STARTS.__contains__, "baseline": is_fill}
"""The options that are a picture or a word, and which words. A path is never one: pictures are found by their hash."""
_AMONG_INPUTS = {"content": "image", "start": "image"}
"""The arguments whose picture is recorded by another name than their own."""


@dataclass(frozen=True)
class Takes:
    """What the recipes of a verb hold, read off its signature.

    options: their types, by name; needed: those without a default; words: those that are a word or else a picture.
    pictures: by their name among the inputs, whether there may be several; shown: those without a default.
    """

    options: Mapping[str, Any]
    needed: frozenset[str]
    words: frozenset[str]
    pictures: Mapping[str, bool]
    shown: frozenset[str]


def takes_of(verb: Callable[..., Any]) -> Takes:
    """What the recipes of a verb hold."""
    hints = get_type_hints(verb, include_extras=True)
    given = {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in inspect.signature(verb).parameters.items()
        if name not in ("net", "watch")
    }
    pictures = {name: _AMONG_INPUTS.get(name, name) for name in given if takes_picture(hints[name])}
    options = {name: hints[name] for name in given if name not in pictures or name in _WORDS}
    return Takes(
        options,
        frozenset(name for name in options if given[name]),
        frozenset(options) & frozenset(pictures),
        {record: takes_pictures(hints[name]) for name, record in pictures.items()},
        frozenset(record for name, record in pictures.items() if given[name]),
    )


def check_recipe(recipe: Recipe, verbs: Mapping[str, Callable[..., Any]]) -> None:
    """Raises ResultError, in one line, for a recipe that no call of one of these verbs would have written."""
    _check_network(recipe.network)
    _check_machine(recipe.machine)
    options = dict(recipe.options)
    beside = options.pop("beside", []) if recipe.method == "compare" else []
    if not isinstance(beside, list) or len(beside) > MOST_BESIDE:
        raise _wrong("options.beside", beside, f"a list of at most {MOST_BESIDE} networks")
    for other in beside:
        _check_network(other)
    if recipe.method == "assess":
        heatmap = options.pop("heatmap", None)
        if not isinstance(heatmap, dict):
            raise _wrong("options.heatmap", heatmap, "the options of a heatmap")
        _check_options("explain", verbs["explain"], heatmap, {})
    _check_options(recipe.method, verbs[recipe.method], options, recipe.inputs)
    _check_inputs(recipe, takes_of(verbs[recipe.method]))


def _wrong(field: str, value: Any, expected: str) -> ResultError:
    return ResultError(f"the recipe cannot be followed: {field} is {shown(value)}; expected {expected}")


def _check_options(name: str, verb: Callable[..., Any], options: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    takes = takes_of(verb)
    strange = sorted(set(options) - set(takes.options))
    if strange:
        told = ", ".join(" ".join(option.split())[:40] for option in strange[:5])
        raise ResultError(
            f"the recipe has options that {name} does not know ({told}): was it made by a newer convscope?"
        )
    missing = sorted(takes.needed - set(options) - {"heatmap"})
    if missing:
        raise ResultError(f"the recipe cannot be followed: it does not say which {' and '.join(missing)}")
    for option, value in options.items():
        if option in takes.words:
            _check_word(option, value, _AMONG_INPUTS.get(option, option) in inputs)
        elif not fits(value, takes.options[option]):
            raise _wrong(f"options.{option}", value, f"what {name} takes")
    try:
        check_given(verb, {option: value for option, value in options.items() if option not in takes.words})
    except InputError as error:
        raise ResultError(f"the recipe cannot be followed: {error}") from None


def _check_word(option: str, value: Any, recorded: bool) -> None:
    """Raises ResultError for an option that is a picture or a word, where it is neither."""
    if (value == PHOTOGRAPH and isinstance(value, str)) != recorded:
        raise _wrong(
            f"options.{option}", value, f"{PHOTOGRAPH!r} where its picture is among the inputs, and only there"
        )
    if value is not None and not recorded and not (fits(value, str) and _WORDS[option](value)):
        raise _wrong(
            f"options.{option}", value, "a name or a colour; pictures belong among the inputs, with their hash"
        )


def _check_inputs(recipe: Recipe, takes: Takes) -> None:
    strange = sorted(set(recipe.inputs) - set(takes.pictures))
    if strange:
        raise ResultError(f"the recipe cannot be followed: {recipe.method} takes no picture {shown(strange[0])}")
    missing = sorted(takes.shown - set(recipe.inputs))
    if missing:
        raise ResultError(f"the recipe does not say which photograph it is of (inputs.{missing[0]})")
    for name, records in recipe.inputs.items():
        if name == "image":
            _check_record(name, records)
            continue
        if not isinstance(records, list) or not 1 <= len(records) <= (MOST_REAL if takes.pictures[name] else 1):
            raise _wrong(f"inputs.{name}", records, "a list of pictures" if takes.pictures[name] else "one picture")
        for record in records:
            _check_record(name, record)


_RECORD: Mapping[str, Any] = {
    "given": str, "path": str, "mode": str, "done": list[str], "size": list[int], "fit": Fit,
}  # fmt: skip
"""What may be known of a picture besides its hash."""


def _check_record(name: str, record: Any) -> None:
    if not isinstance(record, dict) or not _is_hash(record.get("sha256")):
        raise ResultError(f"the recipe does not say which photograph it is of (inputs.{name} has no SHA-256)")
    for key, kind in _RECORD.items():
        if key in record and not fits(record[key], kind):
            raise _wrong(f"inputs.{name}.{key}", record[key], "what convscope writes there")
    if not _is_path(record.get("path", "")):
        raise _wrong(f"inputs.{name}.path", record["path"], f"a path of at most {MOST_PATH} letters")


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_path(value: Any) -> bool:
    """Whether a value is a path of bounded length, in letters that this machine's files can have."""
    if not isinstance(value, str) or len(value) > MOST_PATH or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True


_NETWORK: Mapping[str, Any] = {"name": str, "options": dict[str, Any | list[str]], "input": dict[str, Any | list[Any]]}
_LOADED_WITH: Mapping[str, Any] = {"weights": str | None, "labels": list[str], "output": int | str}


def _check_network(told: Any) -> None:
    if not isinstance(told, Mapping):
        raise _wrong("a network", told, "its name, source, input and hash")
    for key, kind in _NETWORK.items():
        if not fits(told.get(key), kind):
            raise _wrong(f"network.{key}", told.get(key), "what convscope writes there")
    source, weights = told.get("source"), told["options"].get("weights") or ""
    if source is not None and not _is_path(source):
        raise _wrong("network.source", source, f"a name or a path of at most {MOST_PATH} letters, or null")
    if not _is_hash(told.get("weights_sha256")):
        raise _wrong("network.weights_sha256", told.get("weights_sha256"), "64 digits of a SHA-256")
    for key, value in told["options"].items():
        if key not in _LOADED_WITH or not fits(value, _LOADED_WITH[key]):
            raise ResultError(f"the recipe's network cannot be read: options.{shown(key)} is {shown(value)}")
    if not _is_path(weights):
        raise _wrong("network.options.weights", weights, f"a word or a path of at most {MOST_PATH} letters")
    spec_of(told["input"])


def spec_of(told: Mapping[str, Any]) -> InputSpec:
    """A network's input contract from a recipe. Raises ResultError for one that cannot be, or is unreasonably large."""
    number = float | None
    kinds = {
        "size": list[int], "channels": int, "range": list[float] | None, "mean": number | list[float],
        "std": number | list[float], "order": str, "fixed_size": bool,
    }  # fmt: skip
    known = {field.name for field in fields(InputSpec)}
    for key, kind in kinds.items():
        if key in told and not fits(told[key], kind):
            raise _wrong(f"network.input.{key}", told[key], "what InputSpec takes")
    size = told.get("size", [])
    if len(size) != 2 or not all(1 <= side <= MOST_SIDE for side in size):
        raise _wrong("network.input.size", size, f"[height, width] of 1 to {MOST_SIDE} pixels")
    if size[0] * size[1] * told.get("channels", 3) > MOST_INPUT:
        raise _wrong("network.input", dict(told), f"at most {MOST_INPUT} numbers in all")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in told.items() if key in known
    }
    try:
        return InputSpec(**values)
    except InputError as error:
        raise ResultError(f"the recipe cannot be followed: {error}") from None


def _check_machine(told: Mapping[str, Any]) -> None:
    kinds: Mapping[str, Any] = {"versions": dict[str, str], "device": str, "threads": int, "processor": str}
    for key, kind in kinds.items():
        if key in told and not fits(told[key], kind):
            raise _wrong(f"machine.{key}", told[key], "what convscope writes there")
    if not re.fullmatch(r"[a-z]+(:\d{1,3})?", told.get("device", "cpu")):
        raise _wrong("machine.device", told["device"], "a device, such as cpu or cuda:0")
    if not 1 <= told.get("threads", 1) <= MOST_THREADS:
        raise _wrong("machine.threads", told["threads"], f"1 to {MOST_THREADS}")

"""A method of explain with its options, as a line of text: "occlusion patch=16 stride=8"."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from convscope.errors import InputError, UnknownNameError
from convscope.options import numbers_of
from convscope.verbs.attributions import METHODS
from convscope.verbs.attributions.case import Method
from convscope.verbs.explain import MethodName, explain


@dataclass(frozen=True)
class Way:
    """A method, the words its options were given in, and what they say."""

    method: MethodName
    words: tuple[str, ...]
    options: Mapping[str, Any]

    @property
    def about(self) -> Method:
        return METHODS[self.method]

    @property
    def text(self) -> str:
        """The line that gives this way again."""
        return shlex.join((self.method, *self.words))

    @property
    def title(self) -> str:
        return self.about.title + (f" ({' '.join(self.words)})" if self.words else "")


def way_of(text: str) -> Way:
    """A way from its line. Raises InputError for an option that the method does not take, or that cannot be read."""
    try:
        name, *words = shlex.split(text) or [""]
    except ValueError as error:
        raise InputError(f"the method {text!r} cannot be read: {error}") from None
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    options: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in METHODS[name].takes:
            takes = ", ".join(METHODS[name].takes)
            raise InputError(f"{word!r} is no option of {name}; expected some of {takes}, such as 'occlusion patch=16'")
        options[key] = _said(key, value)
    return Way(name, tuple(words), options)  # type: ignore[arg-type]


def _said(name: str, text: str) -> Any:
    """What a word says, by the type that the option has in `explain`."""
    members = get_args(get_type_hints(explain)[name])
    if Sequence[int] in members:
        return numbers_of(text)
    if bool in members:
        said = {"true": True, "yes": True, "false": False, "no": False}.get(text.lower())
        if said is None:
            raise InputError(f"{name} is {text!r}; expected true or false")
        return said
    if name == "baseline" and Path(text).is_file():
        raise InputError(
            f"baseline is the file {text!r}; expected a name such as blur: photographs are for explain alone"
        )
    kind = next((kind for kind in (str, int, float) if kind in members), str)
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}; expected a number") from None

"""The errors a user can meet, as one tree. Each says what was given, what was expected and what to do.

ConvscopeError
├── InputError            an argument that cannot be used
│   ├── ImageError        a picture file or array that cannot be read
│   ├── TargetError       a target that cannot be understood
│   └── UnknownNameError  no such layer, channel, label, network or method; carries the near matches
├── NetworkError          a network that cannot be loaded or run
│   ├── MissingExtraError an optional package is absent; says what to install
│   ├── NotFetchedError   weights that would have to be downloaded, where that was not asked for
│   ├── NotFiniteError    an objective that is infinite, or no number
│   └── OutOfMemoryError  memory ran out; callers that work in batches halve them and go on
├── ResultError           a file that is no result, or that cannot be made again
└── Stopped               work that was stopped; carries the result as far as it is
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convscope.results.result import Result


class ConvscopeError(Exception):
    """Any error that convscope raises on purpose; its text is one line."""


class InputError(ConvscopeError):
    """An argument that cannot be used."""


class ImageError(InputError):
    """A picture that cannot be read or used."""


class TargetError(InputError):
    """A target that cannot be understood."""


MOST_SHOWN = 200
"""Letters that are shown of a name that does not exist."""


class UnknownNameError(InputError):
    """A name that does not exist; `near` holds existing names like it."""

    def __init__(self, kind: str, given: str, known: Iterable[str], hint: str = "") -> None:
        names = list(known)
        self.given = given
        self.near = near_matches(given, names)
        shown = given if len(given) <= MOST_SHOWN else f"{given[:MOST_SHOWN]}…"
        text = f"no {kind} named {shown!r}"
        if self.near:
            text += f"; near matches: {', '.join(self.near)}"
        elif 0 < len(names) <= 12:
            text += f"; there are: {', '.join(names)}"
        super().__init__(f"{text}. {hint}" if hint else text)


class NetworkError(ConvscopeError):
    """A network that cannot be loaded or run."""


class MissingExtraError(NetworkError):
    """An optional package is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the package {package!r}, which is not installed: pip install 'convscope[{extra}]'"
        )


class NotFetchedError(NetworkError):
    """Weights that are not here, where nothing may be downloaded."""


class OutOfMemoryError(NetworkError):
    """Memory ran out. Whoever works in batches halves them and goes on."""


class NotFiniteError(NetworkError):
    """An objective that is infinite, or no number."""


class ResultError(ConvscopeError):
    """A file that is no result of convscope, or a recipe that cannot be followed."""


class Stopped(ConvscopeError):  # noqa: N818  (it is no fault)
    """Work that was stopped, by Ctrl-C or by a watch that raised Cancel. See `convscope.progress.keeping`.

    result: the work as far as it was done, or None where that is nothing worth keeping.
    """

    result: "Result | None"

    def __init__(self, message: str, result: "object" = None) -> None:
        super().__init__(message)
        self.result = result  # type: ignore[assignment]


def near_matches(given: str, known: Iterable[str], most: int = 5) -> list[str]:
    """The names in `known` that are most like `given`: those with it as a word of theirs, close spellings, and names
    that contain it."""
    lowered: dict[str, str] = {}
    for name in known:
        lowered.setdefault(name.lower(), name)
    wanted = given.lower()
    words = sorted((name for name in lowered if wanted in re.split(r"[^a-z0-9]+", name)), key=len)
    close = get_close_matches(wanted, lowered, n=most, cutoff=0.6)
    inside = [name for name in lowered if wanted and (wanted in name or name in wanted)]
    inside.sort(key=lambda name: -SequenceMatcher(None, wanted, name).ratio())
    return [lowered[name] for name in dict.fromkeys([*words, *close, *inside])][:most]

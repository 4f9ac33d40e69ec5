"""What a user says of a network's input: all of it, or the parts that replace what the network itself tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from convscope.errors import InputError
from convscope.models.spec import InputSpec

Input = InputSpec | Mapping[str, Any] | int | str | None
"""As load_model takes it: a whole InputSpec; some of its fields; its size as a number or text."""

_SIZE = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?(?:x(\d{1,4}))?")


@dataclass(frozen=True)
class Stated:
    """What was said of the input. whole: all of it; else parts: fields of InputSpec by name, maybe none."""

    whole: InputSpec | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.whole is not None or bool(self.parts)

    def over(self, own: InputSpec | None, name: str = "the network") -> InputSpec:
        """The contract: what was said, and for the rest what the network tells of itself.

        Raises InputError where the size is known from neither, or is not the only one that the network runs at.
        """
        if self.whole is not None:
            return self.whole
        if own is None:
            if "size" not in self.parts:
                raise InputError(
                    f"the size of the pictures that {name} takes is not known: say it with --input 224 "
                    "(input=cs.InputSpec(size=224, ...))"
                )
            return InputSpec(**self.parts)
        result = replace(own, **self.parts)
        if own.fixed_size and result.hw != own.hw:
            raise InputError(
                f"{name} runs at {own.height}x{own.width} pixels alone; given {result.height}x{result.width}"
            )
        return result


def stated(given: Input) -> Stated:
    """What was said, from any of the forms in which it is. Raises InputError for what is no contract."""
    if given is None:
        return Stated()
    if isinstance(given, InputSpec):
        return Stated(given)
    if isinstance(given, Mapping):
        names = [part.name for part in fields(InputSpec)]
        if unknown := [name for name in given if name not in names]:
            raise InputError(f"input has {unknown[0]!r}; expected some of {', '.join(names)}")
        return Stated(None, {name: value for name, value in given.items() if value is not None})
    return Stated(None, _size(str(given)))


def _size(text: str) -> dict[str, Any]:
    """The size, and the channels where they are told: "64", "64x48" (height, width), "64x64x1"."""
    told = _SIZE.fullmatch(text.strip().lower())
    if told is None:
        raise InputError(
            f"input is {text!r}; expected a size such as 224, 64x48 (height x width) or 64x64x1 (channels)"
        )
    height, width, channels = told.groups()
    size = {"size": (int(height), int(width or height))}
    return size | ({"channels": int(channels)} if channels else {})

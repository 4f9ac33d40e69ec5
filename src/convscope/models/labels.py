"""The names of a network's classes, and finding one by name or number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from convscope.errors import InputError, UnknownNameError
from convscope.reading import ReadError, regular_bytes


@dataclass(frozen=True)
class Labels:
    """Names of the classes, in order. `names` is empty where the network has none."""

    names: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """The name of a class, or its number as text where it has none."""
        return self.names[index] if 0 <= index < len(self.names) else str(index)

    def find(self, wanted: str | int, classes: int) -> int:
        """The number of a class given by name (case does not matter) or number.

        Raises UnknownNameError, with near matches, for a name that is not there; InputError for a number outside
        0..classes-1 and for a name that several classes have.
        """
        named = isinstance(wanted, str) and self._named(wanted)
        if isinstance(wanted, int) or (not named and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", wanted)):
            index = int(wanted)
            if not 0 <= index < classes:
                raise InputError(f"class {index} is not there; this network has classes 0 to {classes - 1}")
            return index
        if not self.names:
            raise InputError(
                f"class {wanted!r} was given by name, but this network has no labels: give its number "
                f"(0 to {classes - 1}) or load it with labels=[...]"
            )
        hits = self._named(wanted)
        if not hits:
            raise UnknownNameError("class", wanted, self.names)
        if len(hits) > 1:
            raise InputError(f"several classes are named {wanted!r}: say one of the numbers {hits}")
        return hits[0]

    def _named(self, wanted: str) -> list[int]:
        """The classes of that name: spelled so, or else nearly so."""
        return [i for i, name in enumerate(self.names) if name == wanted] or [
            i for i, name in enumerate(self.names) if _key(name) == _key(wanted)
        ]


def _key(name: str) -> str:
    """What two spellings of a name have in common."""
    return " ".join(name.lower().replace("_", " ").split())


def ensure_labels(labels: Labels | Sequence[str] | str | Path | None) -> Labels:
    """Labels from any of the forms that users give; text is the path of a file with one a line."""
    if labels is None:
        return Labels()
    if isinstance(labels, Labels):
        return labels
    if isinstance(labels, str | Path):
        return labels_from(Path(labels))
    return Labels(tuple(str(name).strip() for name in labels))


MOST_OF_FILE = 10_000_000
"""Bytes of a file of labels."""


def labels_from(path: Path) -> Labels:
    """The names in a text file, a class a line; numbers before them are left out where all lines have them in order,
    as Teachable Machine writes them ("0 cat"). Raises InputError."""
    expected = "expected a text file with the name of a class on each line"
    try:
        text = regular_bytes(path, MOST_OF_FILE).decode("utf-8-sig")
    except ReadError as error:
        raise InputError(f"labels: {str(path)!r} {error}; {expected}") from None
    except UnicodeDecodeError:
        raise InputError(f"labels: {str(path)!r} is no text (UTF-8); {expected}") from None
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or not all(lines):
        raise InputError(f"labels: {str(path)!r} has no name on line {lines.index('') + 1 if lines else 1}")
    if all(line.split()[0].rstrip(":,") == str(i) and len(line.split()) > 1 for i, line in enumerate(lines)):
        lines = [line.split(maxsplit=1)[1] for line in lines]
    return Labels(tuple(lines))


def imagenet_labels() -> Labels:
    """The 1000 classes of ImageNet-1k (names as torchvision spells them, BSD-3)."""
    text = files("convscope.models").joinpath("data/imagenet_labels.txt").read_text(encoding="utf-8")
    return Labels(tuple(text.splitlines()))

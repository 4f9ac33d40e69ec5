"""The names of a network's classes, and finding one by name or number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from convscope.errors import InputError, UnknownNameError


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


def ensure_labels(labels: Labels | Sequence[str] | None) -> Labels:
    """Labels from any of the forms that users give."""
    if labels is None:
        return Labels()
    if isinstance(labels, Labels):
        return labels
    if isinstance(labels, str):
        raise InputError(f"labels is the text {labels!r}; expected a list of names, one for each class")
    return Labels(tuple(str(name).strip() for name in labels))


def imagenet_labels() -> Labels:
    """The 1000 classes of ImageNet-1k (names as torchvision spells them, BSD-3)."""
    text = files("convscope.models").joinpath("data/imagenet_labels.txt").read_text(encoding="utf-8")
    return Labels(tuple(text.splitlines()))

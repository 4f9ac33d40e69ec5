"""The small language of transforms, schedules and gradient changes: `pad(12) scale(0.9,1.1) flip`.

Names, each with numbers in parentheses where it takes any. Whether a name is known, and which numbers it takes, is for
the caller to say.
"""

import re
from dataclasses import dataclass

_PIECE = re.compile(r"[^\s(]+(?:\([^)]*\))?")
_TERM = re.compile(r"(\w+)(?:\(([^()]*)\))?")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Term:
    """One name and its numbers. text: as it was written. name: "" where it is not of this form."""

    text: str
    name: str
    inside: str = ""

    def numbers(self) -> list[float | None]:
        """The numbers in the parentheses; None for one that is left out, as in `octaves(,2)`. Raises ValueError."""
        if not self.inside.strip():
            return []
        return [_number(word.strip()) for word in self.inside.split(",")]


def read_terms(text: str) -> list[Term]:
    """The terms of a text, in order. Raises ValueError where its parentheses are not balanced."""
    pieces = _PIECE.findall(text)
    if "".join("".join(pieces).split()) != "".join(text.split()):
        raise ValueError(f"{text!r} has parentheses that are not balanced")
    terms = []
    for piece in pieces:
        match = _TERM.fullmatch(piece)
        terms.append(Term(piece, match[1], match[2] or "") if match else Term(piece, ""))
    return terms


def _number(word: str) -> float | None:
    if not word:
        return None
    if not _NUMBER.fullmatch(word):  # float() would also take nan, inf and 1_000
        raise ValueError(f"{word!r} is not a number")
    return float(word)

"""What convscope writes of a network into the files that it saves it in: labels, input contract, licence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convscope.errors import InputError
from convscope.models.labels import Labels
from convscope.models.spec import InputSpec
from convscope.plain import fits

CARD = "convscope.json"
"""The member of a `.pt2` or `.keras` archive that holds it."""
KEY = "convscope"
"""Its key among the metadata of a `.safetensors` file."""
FORMAT = 1
MOST = 50_000_000
"""Letters."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a file says of the network in it.

    architecture: the name that builds it, without its weights; empty where the file holds all. labels: of its classes.
    input: its contract. output: which output holds the scores, as load_model takes it. note: where its weights come
    from, with their licence. training: how it was trained.
    """

    architecture: str = ""
    labels: Labels = field(default_factory=Labels)
    input: InputSpec | None = None
    output: int | str | tuple[int | str, str] | None = None
    note: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The card as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                "architecture": self.architecture,
                "labels": list(self.labels.names),
                "input": self.input.describe() if self.input else None,
                "output": self.output,
                "note": self.note,
                "training": dict(self.training),
            }
        )


_KINDS: Mapping[str, Any] = {"architecture": str, "labels": list[str], "note": str}


def card_from(text: str | None) -> Card | None:
    """The inverse of Card.text; None for what is no card. Raises InputError for one of a later convscope."""
    if not text or len(text) > MOST:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not all(fits(told.get(key), kind) for key, kind in _KINDS.items()):
        return None
    if told.get("format") != FORMAT:
        raise InputError(f"the network was saved by a later convscope (format {told.get('format')!r}): use a newer one")
    given, training = told.get("input"), told.get("training")
    return Card(
        architecture=told["architecture"],
        labels=Labels(tuple(told["labels"])),
        input=InputSpec.from_dict(given) if isinstance(given, dict) else None,
        output=_output(told.get("output")),
        note=told["note"],
        training=training if isinstance(training, dict) else {},
    )


def _output(told: Any) -> int | str | tuple[int | str, str] | None:
    """Which output holds the scores; None for what does not say it."""
    if isinstance(told, list) and len(told) == 2 and isinstance(told[0], int | str) and isinstance(told[1], str):
        return told[0], told[1]
    return told if isinstance(told, int | str) and not isinstance(told, bool) else None

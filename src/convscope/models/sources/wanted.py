"""What was asked for besides a network's name; the same for every source of networks."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.models.class_scores import Output
from convscope.models.labels import Labels
from convscope.models.spec import InputSpec


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The arguments of load_model, as it takes them; None where nothing was said."""

    input: InputSpec | None
    labels: Sequence[str] | Labels | None
    output: Output
    weights: str | None
    trust: bool
    download: bool

"""One typed signature per verb feeds every front end; this is what its options are typed with."""

from dataclasses import dataclass

MOST_SEED = 2**63 - 1


@dataclass(frozen=True)
class About:
    """What an option means, in the words that every front end shows; with bounds where it is a number."""

    text: str
    least: float | None = None
    most: float | None = None

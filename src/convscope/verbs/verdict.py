"""The figures of an assessment in sentences."""

from collections.abc import Mapping, Sequence

import numpy as np

LEAD = 0.1
"""How far the areas under two curves are apart, in parts of the larger, to be told apart."""
COMPLETE = 0.1
"""The gap, in parts of the difference, up to which an attribution is said to add up."""
STAYS, LIKE_EDGES = 0.5, 0.5
"""The rank correlations above which a map is said not to depend on the network, and to be much like edges."""


def curve_words(areas: Mapping[str, float]) -> list[str]:
    """A sentence on each curve, from the areas under it and under those of moved maps."""
    covered = lead(areas["moved_deletion"], areas["deletion"])
    shown = lead(areas["insertion"], areas["moved_insertion"])
    return [
        better("Covering what is hot first", covered, "takes the score sooner")
        + f" (area {areas['deletion']:.2f}, moved {areas['moved_deletion']:.2f}).",
        better("Showing what is hot first", shown, "brings the score sooner")
        + f" (area {areas['insertion']:.2f}, moved {areas['moved_insertion']:.2f}).",
    ]


def edge_words(likeness: float) -> str:
    """A sentence on the rank correlation with an edge detector."""
    much = "much" if likeness > LIKE_EDGES else "little"
    return f"It is {much} like what an edge detector gives (rank correlation {likeness:.2f})."


def gap_words(gap: float, difference: float) -> str:
    """A sentence on how far an attribution's sum is from the difference that it should be."""
    share = abs(gap) / max(abs(difference), 1e-12)
    told = f"to within {share:.1%}" if share <= COMPLETE else f"no better than to within {share:.0%}: be wary"
    return f"Its values add up to the score's difference from the baseline {told}."


def randomised_words(likeness: Sequence[float], of_class: bool) -> list[str]:
    """Sentences on how a map stands when weights are shuffled: rank correlations, NaN where there was no map."""
    known = [share for share in likeness if not np.isnan(share)]
    words = []
    if len(known) < len(likeness):
        words.append(
            f"In {len(likeness) - len(known)} of {len(likeness)} stages the shuffled network gave no map, or one that "
            "is the same everywhere: of these nothing is said."
        )
    if not known:
        return words
    if not np.isnan(likeness[-1]) and likeness[-1] > STAYS:
        words.append(
            f"With all weights shuffled the map is much the same (rank correlation {likeness[-1]:.2f}): it shows the "
            "picture rather than what the network learned. Do not rely on it."
        )
    elif len(likeness) > 1 and likeness[0] > 0.9:
        then = "it does not depend on which class is asked for" if of_class else "it owes little to that layer"
        words.append(
            f"With the weights of the last layer before the target shuffled the map hardly changes (rank correlation "
            f"{likeness[0]:.2f}): {then}."
        )
    else:
        shares = ", ".join(f"{share:.2f}" for share in known)
        then = "changes" if min(known) <= STAYS else "hardly changes"
        means = "it depends on what was learned" if min(known) <= STAYS else "be wary"
        words.append(f"The map {then} when weights are shuffled (rank correlation {shares}): {means}.")
    return words


def lead(more: float, less: float) -> float:
    """How far one area is above another, in parts of the larger."""
    return (more - less) / max(abs(more), abs(less), 1e-9)


def better(doing: str, lead: float, then: str) -> str:
    """A sentence on how a curve stands beside that of the moved map."""
    if lead > LEAD:
        return f"{doing} {then} than elsewhere: the score rests on it"
    return f"{doing} does no more than elsewhere" if lead > -LEAD else f"{doing} does less than elsewhere: be wary"

"""Objectives as a reader sees them: with the names of classes in place of their numbers."""

from convscope.models.network import Network
from convscope.objectives.expression import Objective, Scaled, Sum, number_text
from convscope.objectives.units import Logit


def in_words(net: Network, objective: Objective) -> str:
    """An objective as text, its classes by their names."""
    if isinstance(objective, Logit) and isinstance(objective.label, int):
        return net.labels.name(objective.label)
    if isinstance(objective, Scaled):
        return f"{number_text(objective.weight)}*{in_words(net, objective.term)}"
    if not isinstance(objective, Sum):
        return str(objective)
    words = in_words(net, objective.terms[0])
    for term in objective.terms[1:]:
        less = isinstance(term, Scaled) and term.weight < 0
        text = in_words(net, -term if less else term)
        words += f" {'-' if less else '+'} {text.removeprefix('1*') if less else text}"
    return words

"""What explain, compare, hybrid and assess ask: a target of a network, by a method; checked before any work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from convscope.attribution.method import Method, methods
from convscope.attribution.method import method_of as method_of
from convscope.errors import InputError
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.strongest import Strongest, strongest_of
from convscope.objectives.text import ensure_objective
from convscope.objectives.units import Channel
from convscope.options import Field, plain_number

Target = Objective | str | int
GivenMethod = Method | str | Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """A target and a method of a network. target: bound; None for the first guess."""

    net: Network
    target: Objective | Strongest | None
    method: Method

    def on(self, photograph: Photograph, fit: Fit) -> "Question":
        """The question of one picture, with nothing left open but the first guess: `target` is an objective or None,
        `method` is resolved and the photographs among its options are opened."""
        target = self.target
        if isinstance(target, Strongest):
            target = target.on(self.net, photograph.tensor(self.net.device), mean=self.method.strongest_is_mean)
        opened = {name: self.net.photograph(given, fit=fit) for name, given in self.method.pictures().items()}
        method = replace(self.method, **opened) if opened else self.method
        return Question(self.net, target, method.resolved(self.net, target))

    @property
    def objective(self) -> Objective | None:
        """The target, of a question of one picture."""
        assert not isinstance(self.target, Strongest)
        return self.target


def question_of(
    net: Network, target: Target | None, method: GivenMethod, options: Mapping[str, Any] | None = None
) -> Question:
    """The question, checked. options: the method's, as `method_of` takes them.

    Raises what `explain` would for a target, a method and its options: UnknownNameError, TargetError, InputError.
    """
    asked = method_of(method, options)
    target = plain_number(target)
    if target is None:
        if asked.targeted or net.has_classes:
            _ = net.classes  # raises where there are none, or where labels do not agree with them
        asked.resolved(net, None)
        return Question(net, None, asked)
    if not asked.targeted:
        raise InputError(f"{asked.name} is the same for every target: leave the target out")
    strongest = strongest_of(target)
    if strongest is not None:
        strongest = strongest.bind(net)
        objective: Objective = Channel(strongest.layer, strongest.channel or 0).bind(net)
    else:
        objective = _bound(net, target)
    asked.resolved(net, objective)
    return Question(net, strongest or objective, asked)


def _bound(net: Network, target: Target) -> Objective:
    objective = ensure_objective(target).bind(net)
    if not objective.taps():
        raise InputError(f"{objective} reads the picture alone, not the network; name a class, channel or neuron")
    return objective


def options_of_methods() -> dict[str, list[tuple[str, Field]]]:
    """The options of all attribution methods, and of which methods each is."""
    result: dict[str, list[tuple[str, Field]]] = {}
    for method in methods():
        for name, field in method.options().items():
            result.setdefault(name, []).append((method.name, field))
    return result

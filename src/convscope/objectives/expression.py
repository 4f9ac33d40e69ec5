"""The algebra of objectives: frozen expressions, always maximised, one value per picture.

`channel("mixed4a", 20) - 0.1 * total_variation()` is such an expression. It prints as it is written on the command
line, compares, turns to JSON and back, and knows what it needs to read. The same expression says what to optimise
and what to explain.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.taps.record import Recording
from convscope.taps.tap import Tap


class Objective(ABC):
    """Something to ask of a network. Its value is `(n,)`, one number per picture; higher is more."""

    @abstractmethod
    def taps(self) -> frozenset[Tap]:
        """What has to be recorded for `value`."""

    @abstractmethod
    def bind(self, net: Network) -> "Objective":
        """The same objective with its names checked against a network: labels become numbers, layers exist.

        Raises UnknownNameError or InputError, saying what is wrong.
        """

    @abstractmethod
    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        """The value for each picture of a recording."""

    @abstractmethod
    def text(self) -> str:
        """The objective as it is written on the command line."""

    def inner(self) -> "tuple[Objective, ...]":
        """The objectives that it is made of."""
        return ()

    @property
    def has_place(self) -> bool:
        """Whether it asks about one place of a map, so that the picture must have the network's own size."""
        return any(objective.has_place for objective in self.inner())

    @property
    def compares(self) -> bool:
        """Whether it compares with a photograph that is looked at beside the pictures."""
        return any(objective.compares for objective in self.inner())

    @property
    def gathers(self) -> bool:
        """Whether there is anything to `gather`."""
        return any(objective.gathers for objective in self.inner())

    def gather(self, recording: Recording) -> "dict[Objective, Tensor]":
        """Means over positions that have to be known of the whole picture before `value` can be told of a part."""
        return {key: mean for objective in self.inner() for key, mean in objective.gather(recording).items()}

    def __str__(self) -> str:
        return self.text()

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum(_terms(self) + _terms(other))

    def __radd__(self, other: object) -> "Objective":
        return self if other == 0 else NotImplemented  # so that sum() adds objectives

    def __sub__(self, other: "Objective") -> "Objective":
        return self + (-other) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, weight: float) -> "Objective":
        return Scaled(float(weight), self) if isinstance(weight, int | float) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Objective":
        if divisor == 0:
            raise InputError(f"{self} is divided by 0; expected any other number")
        return self * (1 / divisor)

    def __neg__(self) -> "Objective":
        return self * -1.0


@dataclass(frozen=True)
class Scaled(Objective):
    """An objective times a number."""

    weight: float
    term: Objective

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise InputError(f"the weight of {self.term} is {self.weight}; expected a finite number")
        if isinstance(self.term, Scaled):
            object.__setattr__(self, "weight", self.weight * self.term.weight)
            object.__setattr__(self, "term", self.term.term)
            self.__post_init__()

    def inner(self) -> tuple[Objective, ...]:
        return (self.term,)

    def taps(self) -> frozenset[Tap]:
        return self.term.taps()

    def bind(self, net: Network) -> Objective:
        return Scaled(self.weight, self.term.bind(net))

    def value(self, recording: Recording) -> Tensor:
        return self.weight * self.term.value(recording)

    def text(self) -> str:
        return f"{number_text(self.weight)}*{self.term.text()}"


@dataclass(frozen=True)
class Sum(Objective):
    """Several objectives added."""

    terms: tuple[Objective, ...] = field(default=())

    def __mul__(self, weight: float) -> Objective:
        if not isinstance(weight, int | float):
            return NotImplemented
        return Sum(tuple(term * weight for term in self.terms))

    __rmul__ = __mul__

    def inner(self) -> tuple[Objective, ...]:
        return self.terms

    def taps(self) -> frozenset[Tap]:
        return frozenset(taps_of(self.terms))

    def bind(self, net: Network) -> Objective:
        return Sum(tuple(term.bind(net) for term in self.terms))

    def value(self, recording: Recording) -> Tensor:
        first, *others = (term.value(recording) for term in self.terms)
        for other in others:
            first = first + other
        return first

    def text(self) -> str:
        words = self.terms[0].text()
        for term in self.terms[1:]:
            text = term.text()
            if isinstance(term, Scaled) and term.weight < 0:
                size = -term.weight
                text = term.term.text() if size == 1 else Scaled(size, term.term).text()
                words += f" - {text}"
            else:
                words += f" + {text}"
        return words


def taps_of(objectives: Iterable[Objective]) -> list[Tap]:
    """All that has to be recorded for several objectives, in order."""
    return sorted(frozenset[Tap]().union(*(objective.taps() for objective in objectives)))


def number_text(number: float) -> str:
    """A number as text that reads back as exactly the same number, without a needless `.0`."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(float(number))


def _terms(objective: Objective) -> tuple[Any, ...]:
    return objective.terms if isinstance(objective, Sum) else (objective,)

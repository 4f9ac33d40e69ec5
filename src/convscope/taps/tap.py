"""A tap: the name of a place in a network where something can be read."""

from dataclasses import dataclass

from convscope.models.layers import Layer
from convscope.models.network import Network

SCORES = "scores"
"""The class scores (logits) of the network, as a place that can be read."""


@dataclass(frozen=True, order=True)
class Tap:
    """A layer's output, by the name that `net.layers()` gives it (`name`, `name#call`, `name[port]`)."""

    layer: str

    def __str__(self) -> str:
        return self.layer

    def resolve(self, net: Network) -> Layer:
        """The layer that is meant. Raises UnknownNameError, with near matches."""
        return net.layer(self.layer)


SCORES_TAP = Tap(SCORES)


def ensure_tap(tap: "Tap | str") -> Tap:
    """A tap from its name."""
    return tap if isinstance(tap, Tap) else Tap(tap)

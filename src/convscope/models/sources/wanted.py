"""What was asked for besides a network's name; the same for every source of networks."""

from dataclasses import dataclass, field

from convscope.models.class_scores import Output
from convscope.models.labels import Labels
from convscope.models.stated import Stated


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The arguments of load_model, read. labels, weights: None where nothing was said."""

    input: Stated = field(default_factory=Stated)
    labels: Labels | None = None
    output: Output = None
    weights: str | None = None
    trust: bool = False
    download: bool = True

    def labels_or(self, own: Labels | None = None) -> Labels:
        """The names of the classes that were given, or else the network's own."""
        return self.labels if self.labels is not None else own or Labels()

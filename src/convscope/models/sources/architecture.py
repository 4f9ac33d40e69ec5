"""A network of a known architecture: with its trained weights, random ones, or those of a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec
from convscope.models.state_files import seeded, with_weights

RANDOM = "none"
"""Asks for random weights (seed 0)."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a source knows of a network.

    build: makes it for so many classes, for its usual number where None is given. spec: its input contract.
    trained: makes it with its trained weights; None where there are none to be had, and it stays random. labels: of
    the classes that it was trained for. about: its weights and their licence. of_file:
    what has to be known where weights come from a file. package: whose code it is, if not ours.
    aliases: other names that the field has for layers, with their own.
    """

    build: Callable[[int | None], nn.Module]
    spec: InputSpec
    trained: Callable[[], nn.Module] | None
    labels: Labels = field(default_factory=Labels)
    about: str = ""
    of_file: str = ""
    package: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)


def assembled(name: str, source: str, wanted: Wanted, known: Architecture) -> Network:
    """The network. name: what to call it. source: the text that loads it again.

    wanted.weights: None for the trained ones, "none" for random ones, or a file; one of another number of classes is
    taken, too.
    """
    weights = wanted.weights
    own = known.labels
    if weights in (None, RANDOM):
        with seeded():
            module = known.build(None) if weights == RANDOM or known.trained is None else known.trained()
    else:
        module, own = with_weights(known.build, Path(weights), name), Labels()
    about = {None: known.about, RANDOM: "random weights"}.get(
        weights, f"weights of {weights}" + f"; {known.of_file}" * bool(known.of_file)
    )
    return Network(
        TorchAdapter(module.eval(), packages=(known.package,) if known.package else ()),
        name=name,
        spec=wanted.input.over(known.spec, name),
        labels=wanted.labels_or(own),
        source=source,
        options={"weights": weights} if weights else {},
        output=wanted.output,
        note=about,
        aliases=known.aliases,
        trained=weights != RANDOM and (weights is not None or known.trained is not None),
    )


def holding(module: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """A module with its own weights, by the names that it has for them."""
    module.load_state_dict(dict(state))
    return module

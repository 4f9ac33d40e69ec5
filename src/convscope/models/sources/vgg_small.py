"""A small VGG with random weights, to be trained from scratch."""

from convscope.models.network import Network
from convscope.models.sources.architecture import Architecture, assembled
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec
from convscope.models.vgg import CLASSES, NARROW, SmallVGG, relu_names


def load(name: str, wanted: Wanted) -> Network:
    """The network, whose weights are random unless a file of them is given."""
    return assembled(
        name,
        name,
        wanted,
        Architecture(
            build=lambda classes: SmallVGG(classes or CLASSES),
            trained=None,
            spec=InputSpec(size=224, range=(0.0, 1.0), mean=0.5, std=0.25),
            aliases=relu_names(NARROW, lambda block, position: f"features.block{block}_relu{position}"),
            about="random weights",
        ),
    )

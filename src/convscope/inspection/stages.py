"""Which layers to show of a network too deep to show whole."""

from collections.abc import Sequence

from convscope.inspection.kernels import layers_with_kernels
from convscope.models.layers import PICTURES, Layer
from convscope.models.network import Network

GROUPS = ("Sequential", "ModuleList", "ModuleDict", "Functional")


def stages(net: Network) -> list[Layer]:
    """The layers a person would call the network's stages, in order: its blocks, or else its convolutions."""
    maps = [layer for layer in net.layers() if layer.is_map and layer.module != PICTURES]
    blocks = [layer for layer in maps if layer.container and layer.kind not in GROUPS]
    if len(blocks) >= 3:
        return blocks
    kernels = set(layers_with_kernels(net))
    convolutions = [layer for layer in maps if layer.name in kernels]
    return convolutions or maps


def spread(layers: Sequence[Layer], count: int) -> list[Layer]:
    """`count` of the layers, the middles of as many equal parts."""
    if len(layers) <= count:
        return list(layers)
    return [layers[int((i + 0.5) * len(layers) / count)] for i in range(count)]

"""Which layers to look at: by name or pattern, or where none are asked for, to explain, to dream, to invert, to show,
for style and content."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from convscope.errors import InputError
from convscope.models.flow import Graph
from convscope.models.layers import PICTURES, Layer, layer_named, map_layers

_POOLS = ("max_pool", "avg_pool", "adaptive", "upsample", "constant_pad_nd")
_VIEWS = {
    "view",
    "_unsafe_view",
    "permute",
    "transpose",
    "clone",
    "alias",
    "detach",
    "contiguous",
    "unsqueeze",
    "squeeze",
}


def named_layers(layers: Sequence[Layer], names: Sequence[str] | str | None) -> list[Layer]:
    """Layers by name or pattern, in the order of the network; without names, all that do not only group others."""
    if names is None:
        return [layer for layer in layers if not layer.container and layer.layout is not None]
    wanted = [names] if isinstance(names, str) else list(names)
    if not wanted:
        raise InputError("layers is empty; expected at least one name, or None for all layers")
    chosen: set[str] = set()
    for name in wanted:
        exact = any(layer.name == name for layer in layers)
        matching = [] if exact else [layer.name for layer in layers if fnmatchcase(layer.name, name)]
        if "*" in name and not matching:
            raise InputError(f"no layer matches {name!r}; all layers: net.layers() or `convscope layers`")
        chosen.update(matching or [layer_named(layers, name).name])
    return [layer for layer in layers if layer.name in chosen]


@dataclass(frozen=True)
class Recommended:
    """A layer, and what its reader has to know of the choice."""

    layer: Layer
    note: str = ""


def recommended(
    layers: Sequence[Layer], nodes: Mapping[str, int], graph: Graph, ends: Sequence[int]
) -> Recommended | None:
    """The last layer with positions through which everything goes that `ends` depend on; None where there is none.

    nodes: which tensor of the graph each layer gave. A pooled map is passed over for the one before it. Where several
    layers return the same tensor: the module that computed it, else the outermost container. Where no such layer lies
    late, because paths go round the late ones or those have no positions, the note says so.

    Source: Selvaraju et al., "Grad-CAM" (2017), section 3: the last convolutional layer is the best compromise
    between high-level meaning and detail in place. That all must go through it is what makes the map account for the
    whole score.
    """
    maps = [layer for layer in layers if layer.is_map and layer.module != PICTURES and layer.name in nodes]
    fitting = [layer for layer in maps if nodes[layer.name] < max(ends, default=len(graph.parents))]
    if not fitting:
        return None
    passed = graph.passed_by_all(ends) if ends else set()
    kept = [layer for layer in fitting if _computes(layer, layers, nodes, graph)]
    through = [layer for layer in kept if nodes[layer.name] in passed]
    asked = [layer for layer in maps if nodes[layer.name] in ends]
    if (
        asked
    ):  # what is asked for is a map itself: the layer with the fewest positions tells more than the one before it
        deep = [layer for layer in kept if layer.channels not in {other.channels for other in asked}] or kept
        chosen = _named(_coarsest(deep), layers, nodes) if deep else None
        return None if chosen is None else Recommended(chosen, "" if chosen in through else _ROUND.format(chosen.name))
    if not through:
        return Recommended(_named(_coarsest(kept), layers, nodes), _NONE.format(_coarsest(kept).name)) if kept else None
    chosen = _named(through[-1], layers, nodes)
    return Recommended(chosen, _told(chosen, layers, nodes, graph, ends))


_ROUND = "the map is that of {!r}, the last layer with the fewest positions; paths go round it"
_NONE = "no layer with positions carries all that the answer rests on: {!r} was taken, and paths go round it"


def _coarsest(layers: Sequence[Layer]) -> Layer:
    """The last of those with the fewest positions."""
    fewest = min(layer.shape[1] * layer.shape[2] for layer in layers)
    return [layer for layer in layers if layer.shape[1] * layer.shape[2] == fewest][-1]


def _named(layer: Layer, layers: Sequence[Layer], nodes: Mapping[str, int]) -> Layer:
    """Of the layers that gave the same tensor the one that computed it, or else the outermost that groups it."""
    same = [other for other in layers if nodes.get(other.name) == nodes[layer.name] and other.is_map]
    computing = [other for other in same if other.is_feature]
    return computing[0] if computing and not computing[0].container else (computing or same)[-1]


def _computes(layer: Layer, layers: Sequence[Layer], nodes: Mapping[str, int], graph: Graph) -> bool:
    """Whether the tensor that a layer gave is computed, and not merely a pooled, padded or enlarged one."""
    node = nodes[layer.name]
    first = next(other for other in layers if nodes.get(other.name) == node)
    if not first.container and not first.is_feature:
        return False
    while graph.made_by[node] in _VIEWS and graph.parents[node]:
        node = graph.parents[node][0]
    return not graph.made_by[node].lstrip("_").startswith(_POOLS)


def _told(chosen: Layer, layers: Sequence[Layer], nodes: Mapping[str, int], graph: Graph, ends: Sequence[int]) -> str:
    """What is to be said where much is computed behind the chosen layer that has no positions, or goes past it."""
    if chosen.layout is not None and chosen.layout.rows > 1:
        return f"{chosen.name!r} is the first of {chosen.layout.rows} rows that this layer gives for each picture"
    node = nodes[chosen.name]
    if graph.left and node not in graph.passed_by_all([*ends, *graph.left]):
        return (
            "a number taken from the picture leaves torch within the network (.item(), float(), an if): what it does "
            f"past {chosen.name!r} is not followed"
        )
    behind = [
        layer
        for layer in layers
        if not layer.container
        and layer.parameters
        and (nodes.get(layer.name) or 0) > node
        and layer.name != chosen.name
    ]
    tokens = [layer for layer in behind if layer.tokens or layer.layout is None]
    if len(tokens) > 2:
        return (
            f"behind {chosen.name!r} lie {len(behind)} layers with weights, such as {tokens[-1].name!r}, most of them "
            "without positions on the picture (lists of tokens, vectors)"
        )
    maps = [layer for layer in behind if layer.is_map]
    if len(maps) > 2:
        return (
            f"{chosen.name!r} is the last layer through which all goes that the answer rests on; later ones with "
            f"positions, such as {maps[-1].name!r}, carry a part of it"
        )
    return ""


MOST_STYLE_LAYERS = 5
_ACTIVATIONS = ("relu", "silu", "gelu", "elu", "swish", "mish", "activation")


def _by_size(layers: Sequence[Layer]) -> list[list[Layer]]:
    """The activations (or, for want of any, all layers) of each size of maps, from large to small."""
    maps = map_layers(layers)
    acts = [layer for layer in maps if any(word in layer.kind.lower() for word in _ACTIVATIONS)]
    acts = acts or [layer for layer in maps if layer.is_feature] or maps
    if not acts:
        raise InputError("the network has no layer whose output has positions, which style needs")
    sizes = sorted({layer.shape[1:] for layer in acts}, reverse=True)
    return [[layer for layer in acts if layer.shape[1:] == size] for size in sizes]


def style_layers_of(layers: Sequence[Layer]) -> list[str]:
    """The first activation of each of the first five sizes of maps."""
    return [group[0].name for group in _by_size(layers)[:MOST_STYLE_LAYERS]]


def content_layers_of(layers: Sequence[Layer], count: int) -> list[str]:
    """The middle activation of the last but one size of maps; for a count of 2 of the last one too."""
    groups = _by_size(layers)
    first = max(0, len(groups) - 2)
    return [group[(len(group) - 1) // 2].name for group in groups[first : first + count]]


MOST_LAYERS = 5


def spread_layers(layers: Sequence[Layer]) -> list[str]:
    """Layers from early to late: of each size of map the last one before it shrinks; at most MOST_LAYERS."""
    maps = map_layers(layers)
    ends = [a for a, b in zip(maps, [*maps[1:], None], strict=True) if b is None or a.shape[1:] != b.shape[1:]]
    kept = [layer for layer in ends if "pool" not in layer.kind.lower()] or ends
    if not kept:
        raise InputError("the network has no layer whose output has positions: name a layer")
    places = np.linspace(0, len(kept) - 1, min(MOST_LAYERS, len(kept))).round().astype(int)
    return [kept[i].name for i in dict.fromkeys(places.tolist())]


def dream_layer(layers: Sequence[Layer]) -> str:
    """A layer two thirds down: deep enough for forms, not so deep that they dissolve."""
    maps = map_layers(layers)
    if not maps:
        raise InputError("the network has no layer whose output has positions: give a target")
    return maps[round(0.62 * (len(maps) - 1))].name


def middle_layer(layers: Sequence[Layer]) -> str | None:
    """The middle one of the layers with positions; None where there is none."""
    maps = map_layers(layers)
    return maps[len(maps) // 2].name if maps else None


_GROUPS = ("Sequential", "ModuleList", "ModuleDict", "Functional")


def stages(layers: Sequence[Layer], with_kernels: Collection[str]) -> list[Layer]:
    """The layers a person would call the network's stages, in order: its blocks, or else its convolutions.

    with_kernels: the names of the layers that have weights to show.
    """
    maps = [layer for layer in layers if layer.is_map and layer.module != PICTURES]
    blocks = [layer for layer in maps if layer.container and layer.kind not in _GROUPS]
    if len(blocks) >= 3:
        return blocks
    return [layer for layer in maps if layer.name in with_kernels] or maps


def evenly(layers: Sequence[Layer], count: int) -> list[Layer]:
    """`count` of the layers, the middles of as many equal parts."""
    if len(layers) <= count:
        return list(layers)
    return [layers[int((i + 0.5) * len(layers) / count)] for i in range(count)]

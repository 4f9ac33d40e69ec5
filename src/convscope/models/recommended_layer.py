"""The layer at which an answer is explained where none is asked for, as Grad-CAM needs one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convscope.models.flow import Graph
from convscope.models.layers import PICTURES, Layer

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

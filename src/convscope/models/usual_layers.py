"""Which layers to look at: by name or pattern, or where none are asked for, to dream, to invert, to show, for style
and content."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from convscope.errors import InputError
from convscope.models.layers import PICTURES, Layer, layer_named, map_layers


def named_layers(layers: Sequence[Layer], names: Sequence[str] | str | None) -> list[Layer]:
    """Layers by name or pattern, in the order of the network; without names, all that do not only group others."""
    if names is None:
        return [layer for layer in layers if not (layer.container or layer.inner) and layer.layout is not None]
    wanted = [names] if isinstance(names, str) else list(names)
    if not wanted:
        raise InputError("layers is empty; expected at least one name, or None for all layers")
    chosen: set[str] = set()
    for name in wanted:
        exact = any(name in (layer.name, layer.alias) for layer in layers)
        matching = (
            [] if exact else [layer.name for layer in layers if fnmatchcase(layer.name, name) and not layer.inner]
        )
        if "*" in name and not matching:
            raise InputError(f"no layer matches {name!r}; all layers: net.layers() or `convscope layers`")
        chosen.update(matching or [layer_named(layers, name).name])
    return [layer for layer in layers if layer.name in chosen]


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


def evenly(layers: Sequence[Any], count: int) -> list[Any]:
    """`count` of the layers (or of what is given in their place), the middles of as many equal parts."""
    if len(layers) <= count:
        return list(layers)
    return [layers[int((i + 0.5) * len(layers) / count)] for i in range(count)]

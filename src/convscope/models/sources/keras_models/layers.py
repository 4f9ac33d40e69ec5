"""The layers of a Keras model by name, wherever they are kept: in a list of layers, or in attributes."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from convscope.models.sources.keras_models.backend import keras_on_torch


def sublayers(layer: Any) -> list[Any]:
    """The layers that a layer or model keeps, in the order in which it got them; Keras follows its attributes."""
    if not isinstance(layer, keras_on_torch().layers.Layer):
        return []
    inside: list[Any] = layer._flatten_layers(recursive=False, include_self=False)
    return [one for one in inside if not isinstance(one, keras_on_torch().layers.InputLayer)]


def groups_others(layer: Any) -> bool:
    """Whether a layer only groups others: it keeps some, and no weights beside theirs."""
    inside = sublayers(layer)
    theirs = {id(weight) for one in inside for weight in one.weights}
    return bool(inside) and all(id(weight) in theirs for weight in layer.weights)


def named_layers(model: Any) -> dict[str, nn.Module]:
    """Every layer by its name, `outer/inner` where layers keep others; one that is kept twice, once."""
    result: dict[str, nn.Module] = {}
    seen: set[int] = {id(model)}
    for name, layer in _walk(model, "", seen):
        free, count = name, 1
        while free in result:  # names are the user's: two layers of a custom one may have the same
            count += 1
            free = f"{name}_{count}"
        result[free] = layer
    return result


def _walk(model: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, nn.Module]]:
    for layer in sublayers(model):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        name = prefix + layer.name
        yield name, layer
        yield from _walk(layer, f"{name}/", seen)

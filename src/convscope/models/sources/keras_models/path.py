"""The way of a picture into a Keras model, up to the first layer with weights: what is done to it before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.models.sources.keras_models.backend import keras_on_torch
from convscope.models.sources.keras_models.layers import sublayers


@dataclass(frozen=True)
class Step:
    """An operation on the way. numbers: the one number, or one a channel, that it calculates with; empty without."""

    operation: Any
    numbers: tuple[float, ...] = ()


Chain = tuple[Step, ...]
MOST_CHAINS = 64
COLOURS = (1, 3, 4)
"""Channels that pictures have."""


def chains(model: Any) -> list[Chain]:
    """The ways from the input to a layer with weights, this one included; of a model that branches before, several."""
    result: list[Chain] = []
    for chain, _ in _into(model):
        result.append(chain)
        if len(result) == MOST_CHAINS:
            break
    return result


def _into(operation: Any, node: Any = None) -> Iterator[tuple[Chain, bool]]:
    """The ways through an operation, each with whether it has come to weights."""
    graph = getattr(operation, "_functional", None) or operation
    nodes = getattr(graph, "_nodes_by_depth", None)
    inputs = getattr(graph, "inputs", None)
    if nodes and inputs:
        ordered = [one for depth in sorted(nodes, reverse=True) for one in nodes[depth]]
        yield from _follow(inputs[0], ordered)
    elif isinstance(operation, keras_on_torch().Model):
        yield _in_order(sublayers(operation))
    else:
        yield (Step(operation, _numbers(node)),), _has_weights(operation)


def _follow(tensor: Any, nodes: Sequence[Any]) -> Iterator[tuple[Chain, bool]]:
    takers = [node for node in nodes if any(one is tensor for one in node.input_tensors)]
    if not takers:
        yield (), False
    for node in takers:
        for chain, ended in _into(node.operation, node):
            if ended:
                yield chain, True
                continue
            for rest, ends in _follow(node.outputs[0], nodes):
                yield chain + rest, ends


def _in_order(layers: Sequence[Any]) -> tuple[Chain, bool]:
    """Of a model of one's own class: its layers in the order in which it got them."""
    chain: Chain = ()
    for layer in layers:
        more, ended = next(_into(layer))
        chain += more
        if ended:
            return chain, True
    return chain, False


def _has_weights(operation: Any) -> bool:
    learned = bool(getattr(operation, "weights", ()))
    return learned and type(operation).__name__ != "Normalization"  # its mean and variance are of the pictures


def _numbers(node: Any) -> tuple[float, ...]:
    """The number, or the numbers of the channels, among the arguments of an operation such as `picture / 255`."""
    given = [] if node is None else [*node.arguments.args, *node.arguments.kwargs.values()]
    found = [numbers for one in given if (numbers := _constant(one))]
    return found[0] if len(found) == 1 else ()


def _constant(value: Any) -> tuple[float, ...]:
    if isinstance(value, bool) or type(value).__name__ == "KerasTensor":
        return ()
    if not isinstance(value, int | float) and not hasattr(value, "shape"):
        return ()
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float)
    along_one_axis = array.size == max(array.shape, default=1)
    return tuple(array.ravel().tolist()) if along_one_axis and array.size in COLOURS else ()


@dataclass(frozen=True)
class Scaling:
    """A picture times `scale` plus `offset`, each one number or one for each channel."""

    scale: np.ndarray
    offset: np.ndarray

    @property
    def takes(self) -> tuple[float, float] | None:
        """The range of pictures that it was written for; None where it does not say."""
        if float(np.abs(self.scale).max()) <= BYTES or float(np.abs(self.offset).min()) >= MEAN_OF_BYTES:
            return 0.0, 255.0
        to = np.broadcast_arrays(self.offset, self.scale + self.offset)
        signed = bool(np.allclose(to[0], -1, atol=0.01) and np.allclose(to[1], 1, atol=0.01))
        return (0.0, 1.0) if signed else None


MEAN_OF_BYTES = 16.0
"""What is as large as this and taken off a picture is a mean of bytes: Caffe's were 104 to 124."""
BYTES = 0.05
"""A scale at most this large makes small numbers of bytes: 1/255 is 0.004, and over a channel's deviation 0.02."""


def scaling(step: Step) -> Scaling | None:
    """What a Rescaling layer, or arithmetic with numbers, does to the picture; None for another step."""
    kind = type(step.operation).__name__
    if kind == "Rescaling":
        offset = np.asarray(step.operation.offset, dtype=float)
        return Scaling(np.asarray(step.operation.scale, dtype=float), offset)
    numbers = np.asarray(step.numbers, dtype=float)
    if not numbers.size or not numbers.all():
        return None
    if kind in ("TrueDivide", "Divide"):
        return Scaling(1 / numbers, np.asarray(0.0))
    if kind == "Multiply":
        return Scaling(numbers, np.asarray(0.0))
    if kind in ("Add", "Subtract") and float(np.abs(numbers).min()) >= MEAN_OF_BYTES:
        return Scaling(np.asarray(1.0), numbers if kind == "Add" else -numbers)
    return None

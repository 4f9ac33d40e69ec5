"""Objectives that read a network: a channel, a neuron, a layer, a direction, a class."""

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError, TargetError, UnknownNameError
from convscope.models.network import Network
from convscope.objectives.expression import Objective, number_text
from convscope.taps.record import Recording
from convscope.taps.tap import SCORES_TAP, Tap


def _check_channel(net: Network, name: str, channel: int) -> None:
    channels = net.layer(name).channels
    if not 0 <= channel < channels:
        raise InputError(f"channel {channel} is not in {name!r}; its channels are 0 to {channels - 1}")


@dataclass(frozen=True)
class Channel(Objective):
    """The mean activation of one channel over all positions."""

    layer: str
    channel: int

    def taps(self) -> frozenset[Tap]:
        return frozenset({Tap(self.layer)})

    def bind(self, net: Network) -> Objective:
        _check_channel(net, self.layer, self.channel)
        return replace(self, layer=net.layer(self.layer).name)

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        return recording.per_picture(recording[self.layer][:, self.channel].mean((1, 2)))

    def text(self) -> str:
        return f"{named(self.layer)}:{self.channel}"


@dataclass(frozen=True)
class Neuron(Objective):
    """The activation of one channel at one position, row `y` and column `x` of the map."""

    layer: str
    channel: int
    y: int
    x: int

    @property
    def has_place(self) -> bool:
        return True

    def taps(self) -> frozenset[Tap]:
        return frozenset({Tap(self.layer)})

    def bind(self, net: Network) -> Objective:
        _check_channel(net, self.layer, self.channel)
        height, width = (*net.layer(self.layer).shape[1:], 1, 1)[:2]
        if not (0 <= self.y < height and 0 <= self.x < width):
            raise InputError(
                f"position {self.y},{self.x} is not in {self.layer!r}; its rows are 0 to {height - 1}, "
                f"its columns 0 to {width - 1}"
            )
        return replace(self, layer=net.layer(self.layer).name)

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        maps = recording[self.layer]
        if self.y >= maps.shape[2] or self.x >= maps.shape[3]:
            raise InputError(
                f"position {self.y},{self.x} is not in the {maps.shape[2]}x{maps.shape[3]} map that {self.layer!r} "
                "has at this picture size"
            )
        return recording.per_picture(maps[:, self.channel, self.y, self.x])

    def text(self) -> str:
        return f"{named(self.layer)}:{self.channel}@{self.y},{self.x}"


@dataclass(frozen=True)
class LayerL2(Objective):
    """How strongly a whole layer answers: the mean of the squares of all its activations (Deep Dream's objective).

    Source: Mordvintsev, Olah and Tyka, "Inceptionism" (2015).
    """

    layer: str

    def taps(self) -> frozenset[Tap]:
        return frozenset({Tap(self.layer)})

    def bind(self, net: Network) -> Objective:
        try:
            return replace(self, layer=net.layer(self.layer).name)
        except UnknownNameError as error:
            if any(self.layer.lower() == name.lower() for name in net.labels.names):
                raise TargetError(f"{error}. A class is asked for as class:{self.layer}") from None
            raise

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        return recording.per_picture(recording[self.layer].square().mean((1, 2, 3)))

    def text(self) -> str:
        return named(self.layer)


@dataclass(frozen=True)
class Direction(Objective):
    """The mean over positions of the activations' component along a vector, one number per channel."""

    layer: str
    vector: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.vector)):
            raise InputError(f"the direction in {self.layer!r} holds numbers that are not finite; expected finite ones")

    def taps(self) -> frozenset[Tap]:
        return frozenset({Tap(self.layer)})

    def bind(self, net: Network) -> Objective:
        channels = net.layer(self.layer).channels
        if len(self.vector) != channels:
            raise InputError(f"the direction has {len(self.vector)} numbers; {self.layer!r} has {channels} channels")
        if not any(self.vector):
            raise InputError(f"the direction in {self.layer!r} is all zeros; expected a vector with some length")
        return replace(self, layer=net.layer(self.layer).name)

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        maps = recording[self.layer]
        vector = torch.tensor(self.vector, dtype=maps.dtype, device=maps.device)
        return recording.per_picture(maps.mean((2, 3)) @ (vector / vector.norm()))

    def text(self) -> str:
        return f"direction({named(self.layer)}, {', '.join(map(number_text, self.vector))})"


@dataclass(frozen=True)
class Logit(Objective):
    """The score of a class before the softmax."""

    label: str | int

    def taps(self) -> frozenset[Tap]:
        return frozenset({SCORES_TAP})

    def bind(self, net: Network) -> Objective:
        return type(self)(net.class_index(self.label))

    def _column(self, scores: Tensor) -> Tensor:
        if not isinstance(self.label, int):
            raise InputError(f"the class {self.label!r} is not looked up yet: bind the objective to a network first")
        return scores[:, self.label]

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        return recording.per_picture(self._column(recording.scores))

    def text(self) -> str:
        return f"class:{_quoted(self.label)}"


@dataclass(frozen=True)
class Probability(Logit):
    """The probability of a class: softmax over all classes (sigmoid of a lone one, or where the network has that)."""

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        return recording.per_picture(self._column(recording.probabilities))

    def text(self) -> str:
        return f"p:{_quoted(self.label)}"


def _quoted(label: str | int) -> str:
    """A class as text: names that would be read otherwise are quoted."""
    if isinstance(label, int):
        return str(label)
    clear = re.fullmatch(r"[^\s\"\\()](?:[^\"\\()]*[^\s\"\\()])?", label)
    return label if clear and not re.search(r"\s[+-]\s", label) and not label.isdigit() else _in_quotes(label)


def named(layer: str) -> str:
    """A layer as text: names that would be read otherwise are quoted."""
    misleading = layer in ("class", "p") or ":" in layer
    return _in_quotes(layer) if misleading or re.search(r'[\s*@"\\(),]|^$', layer) else layer


def _in_quotes(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def channel(layer: str, channel: int) -> Objective:
    """The mean activation of a channel: `layer:channel`."""
    return Channel(layer, int(channel))


def neuron(layer: str, channel: int, y: int, x: int) -> Objective:
    """The activation of a channel at row y and column x of its map: `layer:channel@y,x`."""
    return Neuron(layer, int(channel), int(y), int(x))


def layer(layer: str) -> Objective:
    """The mean squared activation of a whole layer: `layer`."""
    return LayerL2(layer)


def direction(layer: str, vector: Sequence[float]) -> Objective:
    """The mean component of a layer's activations along a vector with one number per channel."""
    return Direction(layer, tuple(float(number) for number in vector))


def logit(label: str | int) -> Objective:
    """The score of a class, by name or number, before the softmax: `class:zebra`."""
    return Logit(_plain(label))


def probability(label: str | int) -> Objective:
    """The probability of a class, by name or number: `p:zebra`."""
    return Probability(_plain(label))


def _plain(label: Any) -> str | int:
    """A label as text or a plain number, whatever kind of number it came as."""
    return label if isinstance(label, str) else operator.index(label)

"""The class scores of a network: which output holds them, how many, and what turns them into probabilities."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError, NetworkError, UnknownNameError
from convscope.models.adapter import Squash
from convscope.models.heads import as_scores, score_count, unsquashed
from convscope.models.labels import Labels
from convscope.models.layers import PICTURES, Port, ports
from convscope.models.trace import Trace

Output = int | str | tuple[int | str, str] | None
"""Which output holds the class scores, and what turns them into probabilities; see load_model."""
_SAYABLE = ("softmax", "sigmoid")
SQUASHED: Mapping[Squash, str] = {
    "softmax": "the network gives probabilities alone: its class scores here are their logarithms",
    "sigmoid": "the network gives probabilities alone: its class scores here are their log-odds",
    "log_softmax": "the network gives logarithms of probabilities alone: these are its class scores here",
    "log_sigmoid": "the network gives logarithms of probabilities alone: its class scores here are their log-odds",
}
"""What a reader has to know of scores whose logits are out of reach."""


def output_of(text: str | None) -> Output:
    """The same from a command line: "1" or "logits", "sigmoid", "1,sigmoid"."""
    if text is None:
        return None
    port, comma, squash = (part.strip() for part in text.partition(","))
    first = int(port) if port.isdecimal() else port
    return (first, squash) if comma else first


def check_output(output: Output) -> None:
    """Raises InputError for what says neither which output holds the scores nor what they go through."""
    _asked(output)


def _asked(output: Output) -> tuple[Port, Squash | None]:
    """Which output was asked for, and what turns its logits into probabilities."""
    port: Any = None
    squash: Any = None
    if isinstance(output, tuple | list):
        port, squash = output
    elif output in _SAYABLE:
        squash = output
    else:
        port = output
    if squash is not None and squash not in _SAYABLE:
        raise InputError(f"output is {output!r}; expected a position or name, 'softmax' or 'sigmoid', or both")
    return port, squash


class ClassScores:
    """name, hw: the network's name and input size, for messages. wanted: what was asked for, as load_model takes it."""

    def __init__(self, name: str, trace: Trace, labels: Labels, hw: tuple[int, int], wanted: Output) -> None:
        self._name, self._trace, self._labels, self._hw = name, trace, labels, hw
        self._port, self._squash = _asked(wanted)

    @property
    def are_there(self) -> bool:
        """Whether there are class scores, and it can be told which output holds them."""
        try:
            self.output  # noqa: B018 - asked whether it can be told
        except InputError:
            return False
        return score_count(self._trace.outputs[self.output]) is not None

    @cached_property
    def output(self) -> Port:
        """Which output holds them. Raises InputError where none does, or several do."""
        shapes = self._trace.outputs
        if self._port is not None:
            if self._port not in shapes:
                raise UnknownNameError("output", str(self._port), [str(port) for port in shapes])
            return self._port
        if "logits" in shapes:
            return "logits"
        flat = [port for port, shape in shapes.items() if score_count(shape) is not None]
        if len(flat) == 1:
            return flat[0]
        told = ", ".join(f"{port}: {'x'.join(map(str, shape[1:]))}" for port, shape in shapes.items()) or "none"
        if not flat:
            told = told.removeprefix("None: ")
            raise InputError(f"{self._name} gives no class scores (its output is {told}): {self._instead()}")
        raise InputError(
            f"{self._name} has several outputs of class scores ({told}): say which with --scores NAME "
            "(load_model(..., output=NAME))"
        )

    def _instead(self) -> str:
        """What can be asked of a network without class scores."""
        maps = [layer for layer in self._trace.layers if layer.is_map and layer.module != PICTURES]
        return f"ask for a layer or a channel, such as {maps[-1].name}:0" if maps else "ask for a layer or a channel"

    @property
    def classes(self) -> int:
        """How many classes there are; see Network.classes."""
        shape = self._trace.outputs[self.output]
        count = score_count(shape)
        if count is None:
            raise InputError(f"the output of {self._name} is {shape[1:]}, not one score for each class")
        if not shape[0]:
            told = "x".join(map(str, shape))
            raise InputError(f"{self._name} gives no row of scores for a picture: its output is {told}")
        if shape[0] != self._trace.batch and len(shape) > 1:
            rows, rest = divmod(shape[0], self._trace.batch)
            told = f"{rows} rows of scores for each picture" if not rest else f"{shape[0]} rows of scores for two"
            raise InputError(
                f"{self._name} gives {told} of {self._hw[0]}x{self._hw[1]}: is that the size it was made for "
                "(InputSpec(size=...))?"
            )
        named = len(self._labels.names)
        if named and named != count:
            if count == 1 and named == 2:
                return 2
            raise InputError(
                f"{named} labels were given; {self._name} has {count} class score{'s' * (count > 1)}: "
                f"give one label for each{', or two for the one sigmoid' * (count == 1)}"
            )
        return count

    @property
    def squashed(self) -> Squash | None:
        """What the scores went through, where the logits before it are out of reach."""
        return self._trace.squashed.get(self.output)

    @property
    def squash(self) -> Squash | None:
        """What turns logits into probabilities: as the user says, or what the network itself puts behind its logits."""
        if self._squash is not None:
            return self._squash
        modular = next((kind for kind, port in self._trace.heads.values() if port == self.output), None)
        return modular or self.squashed

    def read(self, output: Any, pictures: int | None) -> Float[Tensor, "b k"]:
        """The logits in what a pass returned; see Network.scores."""
        classes = self.classes
        given = ports(output)
        tensor = given[self.output] if self.output in given else given[None]
        tensor = tensor.dequantize() if tensor.is_quantized else tensor
        if not tensor.is_floating_point():
            raise NetworkError(
                f"the class scores of {self._name} are of type {tensor.dtype}; expected floats: give the network "
                "without what turns them into that (an argmax, say)"
            )
        if self.squashed is not None:
            tensor = unsquashed(tensor, self.squashed)
        own = score_count(self._trace.outputs[self.output]) or 1
        pictures = pictures or (len(tensor) if tensor.ndim > 1 else tensor.numel() // own)
        tensor = as_scores(tensor, pictures, own)
        if tensor.shape != (pictures, own):
            raise InputError(
                f"{self._name} gave {'x'.join(map(str, tensor.shape))} class scores for {pictures} "
                f"picture{'s' * (pictures != 1)}; expected {pictures}x{own}: is the InputSpec's size the network's own?"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise NetworkError(
                f"the class scores of {self._name} are not finite: look at its weights and at the InputSpec's range"
            )
        return torch.cat([-tensor, tensor], 1) if classes > own else tensor

    def probabilities(self, scores: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """What the scores amount to; see Network.probabilities."""
        alone = scores.shape[1] == 1 or score_count(self._trace.outputs[self.output]) == 1
        return scores.sigmoid() if alone or self.squash in ("sigmoid", "log_sigmoid") else scores.softmax(1)

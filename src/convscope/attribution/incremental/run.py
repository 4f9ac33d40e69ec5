"""What a network answers to pictures that differ from one in a small part: only what the part can change is computed.

The clean picture's activations are kept. For each operation, and for all pictures of a batch at once, the region that
can differ is worked out, its surroundings are gathered from the clean activations, and the operation is carried out
on that window alone. Once the regions fill the map, the rest is carried out on whole maps.

Source: the idea is that of Nakandala, Kumar and Papakonstantinou, "Incremental and Approximate Inference for Faster
Occlusion-based Deep CNN Explanations" (SIGMOD 2019); here for any network whose operations are known, and exact.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._pytree import tree_map_only

from convscope.attribution.incremental.operations import RULES, carried_out, views
from convscope.attribution.incremental.regions import (
    Changed,
    Clean,
    Part,
    Span,
    channels_first,
    paste,
    tensor_of,
    values_in,
)
from convscope.models.folding import Folding
from convscope.models.network import Network
from convscope.taps.record import Recording
from convscope.taps.tap import Tap
from convscope.taps.tape import Step, Tape, Value, tape_of

aten = torch.ops.aten


class NotFollowedError(Exception):
    """The network does something that cannot be carried out on regions or on a larger batch."""


class Incremental:
    """One network and one picture, ready to be asked about changed parts of it.

    Raises NotFollowedError where it cannot be done. `clean` is what the taps are for the picture itself; `largest` how
    many numbers the largest tensor of the last call had.
    """

    def __init__(self, net: Network, image: Float[Tensor, "1 c h w"], taps: Sequence[Tap], folding: Folding) -> None:
        self.net = net
        self.tape: Tape = tape_of(net, image, taps, folding)
        if self.tape.unclear:
            raise NotFollowedError(self.tape.unclear)
        if any(_over_the_batch(step) for step in self.tape.steps):
            raise NotFollowedError("it normalises over the pictures of a batch")
        if any(_keeps_a_state(step) for step in self.tape.steps):
            raise NotFollowedError("it has a recurrent layer, which keeps a state for each picture")
        self.clean: Recording = self.tape.recording
        self._given = [values_in((step.args, step.kwargs)) for step in self.tape.steps]
        self._last = {value.number: index for index, values in enumerate(self._given) for value in values}
        self._last |= {value.number: len(self.tape.steps) for value in self.tape.taps.values()}
        shared = {
            v.number for step, given in zip(self.tape.steps, self._given, strict=True) if views(step) for v in given
        }
        self._windows = Clean(shared | {self.tape.picture.number})
        self.largest = 0

    @torch.no_grad()
    def __call__(
        self, patches: Float[Tensor, "n c ph pw"], tops: np.ndarray, lefts: np.ndarray
    ) -> dict[Tap, Float[Tensor, "n ..."]]:
        """What the taps are for the picture with each of the patches laid over it."""
        height, width = self.tape.picture.clean.shape[-2:]
        rows, columns = Span(tops, patches.shape[-2], height), Span(lefts, patches.shape[-1], width)
        changed: dict[int, Changed] = {self.tape.picture.number: Part(patches, rows, columns)}
        count = len(patches)
        self.largest = 0
        for index, step in enumerate(self.tape.steps):
            given = self._given[index]
            ending = [value.number for value in given if self._last[value.number] == index]
            if any(value.number in changed for value in given):
                self._windows.spent = set(ending)
                results = self._carried_out(step, given, changed, count)
                for value, result in zip(step.gives, results, strict=True):
                    if value is not None and value.number in self._last and result is not None:
                        changed[value.number] = result
                        self.largest = max(self.largest, tensor_of(result).numel())
            for number in ending:
                changed.pop(number, None)
        whole = {tap: self._whole(value, changed, count) for tap, value in self.tape.taps.items()}
        if any(len(tensor) != count for tensor in whole.values()):
            raise NotFollowedError("it joins or splits the pictures of a batch")
        return whole

    def _carried_out(
        self, step: Step, given: Sequence[Value], changed: dict[int, Changed], count: int
    ) -> Sequence[Changed | None]:
        """What an operation gives, on parts if it can be."""
        parts = [changed[value.number] for value in given if value.number in changed]
        more = any(value is not None and value.number in self._last for value in step.gives[1:])
        if all(isinstance(part, Part) for part in parts) and not more:
            rule = RULES.get(step.op)
            result = rule(self._windows, step, changed) if rule is not None else None
            if result is not None:
                return [result, *[None] * (len(step.gives) - 1)]
        args, kwargs = tree_map_only(Value, lambda value: self._whole(value, changed, count), (step.args, step.kwargs))
        out = _on_batch(step, args, kwargs, count, self._windows.may_overwrite(step, changed))
        several = out if isinstance(out, tuple | list) else (out,)
        return [x if isinstance(x, Tensor) else None for x in several]

    def _whole(self, value: Value, changed: dict[int, Changed], count: int) -> Tensor:
        """A value for the whole batch."""
        part = changed.get(value.number)
        if part is None:
            clean = value.clean
            return clean.expand(count, *clean.shape[1:]) if clean.ndim and clean.shape[0] == 1 else clean
        if isinstance(part, Tensor):
            return part
        if part.rows.size == part.rows.whole and part.columns.size == part.columns.whole:
            return part.tensor
        last = value.clean.is_contiguous(memory_format=torch.channels_last)
        whole = torch.empty(
            (count, *value.clean.shape[1:]),
            dtype=value.clean.dtype,
            device=value.clean.device,
            memory_format=torch.channels_last if last else torch.contiguous_format,
        ).copy_(value.clean)
        paste(
            channels_first(whole, part.axes),
            channels_first(part.tensor, part.axes),
            part.rows.start,
            part.columns.start,
        )
        changed[value.number] = whole
        return whole


def _over_the_batch(step: Step) -> bool:
    """Whether an operation's result for one picture depends on the others of its batch."""
    given = zip(step.op._schema.arguments, step.args, strict=False)
    trained = any(argument.name == "training" and value is True for argument, value in given)
    return trained and "batch_norm" in step.op._schema.name


def _keeps_a_state(step: Step) -> bool:
    """Whether an operation is given, beside what depends on the picture, a state of the size of the batch. With another
    batch some of these end the whole process."""
    return any(word in step.op._schema.name for word in ("rnn", "lstm", "gru"))


_SHAPED = {aten.view.default, aten._unsafe_view.default, aten.reshape.default}


def _on_batch(step: Step, args: Any, kwargs: Any, count: int, overwrite: bool) -> Any:
    """An operation on whole maps, of more pictures than it was taken down with.

    overwrite: whether its first argument is no longer needed.
    """
    op = step.op
    if op in _SHAPED or op in (aten.expand.default, aten.as_strided_.default):
        size = list(args[1])
        if not size or size[0] not in (1, -1):
            raise NotFollowedError(f"{op} brings the batch and other axes together")
        size[0] = count if size[0] == 1 else -1
        if op is aten.as_strided_.default:
            if tuple(size) != tuple(args[0].shape):
                raise NotFollowedError(f"{op} looks into memory")
            return args[0]
        return args[0].reshape(size) if op in _SHAPED else args[0].expand(size)
    if op is aten.native_group_norm.default:
        args = (*args[:3], count, *args[4:])
    return carried_out(op, args, kwargs, overwrite)

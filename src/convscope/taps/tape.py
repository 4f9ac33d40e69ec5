"""The operations of one forward pass, as torch carries them out: what each was given, and what it gave.

It is taken down below the modules, so it is the same for functions, operations in place and layers of Keras. It costs
one pass, where tracing the network into a graph takes seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from convscope.models.draws import parts_of
from convscope.models.folding import Folding
from convscope.models.network import Network
from convscope.taps.record import Recording, record
from convscope.taps.tap import Tap


@dataclass(eq=False)
class Value:
    """What an operation gave, or the picture that went in: its number on the tape, and what it was for one picture."""

    number: int
    clean: Tensor


@dataclass(frozen=True)
class Step:
    """One operation. args, kwargs: what it was given, with a Value for every tensor that depends on the picture.

    gives: what it gave, in order; None for what is no tensor.
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    gives: tuple[Value | None, ...]


@dataclass(frozen=True)
class Tape:
    """The operations between a picture and the taps, in order. unclear: why it cannot be followed; empty if it can."""

    picture: Value
    steps: Sequence[Step]
    taps: dict[Tap, Value]
    recording: Recording
    unclear: str


class _Taking(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Takes down every operation on what depends on the picture."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.of: dict[int, Value] = {}
        self.kept: list[Tensor] = []
        self.steps: list[Step] = []
        self.clear = True

    def value(self, tensor: Tensor) -> Value:
        """A new value; a tensor that is written over has a new one from then on."""
        result = Value(len(self.kept), tensor)
        self.kept.append(tensor)  # so that no other tensor gets its id
        self.of[id(tensor)] = result
        return result

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        whole = parts_of(self, func, args, kwargs)
        if whole is not NotImplemented:
            return whole
        flat = tree_flatten((args, kwargs))[0]
        alive = [x for x in flat if isinstance(x, Tensor) and id(x) in self.of]
        if not alive:
            return func(*args, **kwargs)
        given = tree_map_only(Tensor, lambda x: self.of.get(id(x), x), (args, kwargs))
        if func._schema.is_mutable:
            self._written(args[0])
        out = func(*args, **kwargs)
        several = out if isinstance(out, tuple | list) else (out,)
        gives = tuple(self.value(x) if isinstance(x, Tensor) else None for x in several)
        self.steps.append(Step(func, given[0], given[1], gives))
        return out

    def _written(self, target: Any) -> None:
        """Before `target` is written over: keep what it was. Others that share its memory cannot be followed."""
        before = self.of.get(id(target)) if isinstance(target, Tensor) else None
        if before is None:
            self.clear = False
            return
        place = target.untyped_storage().data_ptr()
        if any(x is not target and x.untyped_storage().data_ptr() == place for x in self.kept):
            self.clear = False
        before.clean = target.clone()


@torch.no_grad()
def tape_of(net: Network, image: Tensor, taps: Sequence[Tap], folding: Folding) -> Tape:
    """Take down one pass of a picture, `1 c h w` in [0,1], up to the last of the taps."""
    with torch.inference_mode(False), _Taking() as taking:
        picture = taking.value(image)
        recording = record(net, image, taps, folding=folding)
    ends = {tap: taking.of[id(tensor)] for tap, tensor in recording.items() if id(tensor) in taking.of}
    needed = {value.number for value in ends.values()}
    steps = []
    for step in reversed(taking.steps):
        if any(value is not None and value.number in needed for value in step.gives):
            steps.append(step)
            needed |= {v.number for v in tree_flatten((step.args, step.kwargs))[0] if isinstance(v, Value)}
    unclear = "" if taking.clear else "it writes over tensors that are seen elsewhere too"
    if len(ends) < len(set(taps)):
        unclear = "what is asked for does not depend on the picture"
    return Tape(picture, steps[::-1], ends, recording, unclear)

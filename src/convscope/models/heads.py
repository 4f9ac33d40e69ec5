"""What a network ends in: a softmax or sigmoid, as a module whose logits can be taken, or as a function."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from convscope.models.adapter import Squash


@dataclass(frozen=True)
class Head:
    """squash: what the logits went through. call: the module and which of its calls did it; None for a function."""

    squash: Squash
    call: tuple[str, int] | None


class Squashers(TorchFunctionMode):
    """Notes what softmax and sigmoid give where they are called as functions. The tensors are kept alive, so that
    no other can take their place in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Squash, Tensor, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = _SQUASHING.get(func)
        if kind is not None and isinstance(result, Tensor) and result.ndim and prod(result.shape[2:]) == 1:
            self.seen.append((kind, result, result.clone()))
        return result


_SQUASHING: dict[Any, Squash] = {
    torch.softmax: "softmax", F.softmax: "softmax", Tensor.softmax: "softmax", torch.special.softmax: "softmax",
    torch.sigmoid: "sigmoid", F.sigmoid: "sigmoid", Tensor.sigmoid: "sigmoid", torch.special.expit: "sigmoid",
    torch.log_softmax: "log_softmax", F.log_softmax: "log_softmax", Tensor.log_softmax: "log_softmax",
    torch.special.log_softmax: "log_softmax", F.logsigmoid: "log_sigmoid",
}  # fmt: skip


def head_of(
    output: Tensor,
    modules: Sequence[tuple[tuple[str, int], Squash, Tensor, Tensor]],
    functions: Sequence[tuple[Squash, Tensor, Tensor]],
) -> Head | None:
    """What made an output of the network, among the calls that squash; None where it is plain numbers.

    modules, functions: for each call what it gave, and a copy of that.
    """
    modular = [(call, kind) for call, kind, live, was in modules if _is_it(output, live, was)]
    if modular:
        return Head(modular[-1][1], modular[-1][0])
    functional = [kind for kind, live, was in functions if _is_it(output, live, was)]
    if functional:
        return Head(functional[-1], None)
    if output.ndim == 2 and output.shape[1] > 1 and output.is_floating_point():
        if _is_distribution(output):
            return Head("softmax", None)
        if bool((output <= 0).all()) and _is_distribution(output.exp()):
            return Head("log_softmax", None)
    return None


def _is_it(output: Tensor, live: Tensor, was: Tensor) -> bool:
    """Whether an output is (a view of) what an earlier call gave, and was not changed since."""
    same = output.untyped_storage().data_ptr() == live.untyped_storage().data_ptr()
    return same and output.numel() == was.numel() and torch.equal(output.flatten(), was.flatten())


def _is_distribution(tensor: Tensor) -> bool:
    return bool((tensor >= 0).all()) and bool(((tensor.sum(1) - 1).abs() < 1e-3).all())


def unsquashed(scores: Tensor, squash: Squash) -> Tensor:
    """Scores that are squashed to what is given: logarithms of probabilities, or log-odds of each."""
    kind = torch.finfo(scores.dtype)
    match squash:
        case "sigmoid":
            return torch.logit(scores, eps=kind.eps)
        case "log_sigmoid":
            return scores - torch.log(-torch.expm1(scores.clamp_max(-kind.eps)))
        case "log_softmax":
            return scores
        case _:
            return scores.clamp_min(kind.tiny).log()


def score_count(shape: Sequence[int]) -> int | None:
    """How many class scores an output of a shape, the batch first, holds for each picture; None for another output.

    `b k`, `b` (one score) and `b k 1 1` are scores.
    """
    if not shape or prod(shape[2:]) != 1:
        return None
    return shape[1] if len(shape) > 1 else 1


def as_scores(output: Tensor, pictures: int, classes: int) -> Tensor:
    """An output as `b k`; also where the batch was squeezed away because there was one picture alone."""
    if pictures == 1 and output.ndim < 2 and output.numel() == classes:
        return output.reshape(1, classes)
    return output.flatten(1) if output.ndim > 1 else output.reshape(-1, 1)

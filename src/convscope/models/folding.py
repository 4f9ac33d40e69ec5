"""Batch norms folded into convolutions, channels last in memory: a faster forward pass with the same outcome.

Nothing of the network is replaced: while a pass runs, this thread's calls of `conv2d` and `batch_norm` with known
weights are answered with folded ones. What is folded is found by watching one pass, and believed only after the
folded pass gave what the plain one gives.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from convscope.models.layers import ports

_CONV = {F.conv2d, torch.conv2d}
AGREE = 1e-3
"""How far the folded pass may be from the plain one, in standard deviations of the plain one's output."""


@dataclass(frozen=True)
class _Pair:
    """A convolution and the batch norm behind it. shown: the modules whose output is the convolution's own."""

    weight: Tensor
    bias: Tensor | None
    norm: Mapping[str, Any]
    shown: frozenset[str]

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution that does both."""
        mean, var = self.norm["running_mean"].double(), self.norm["running_var"].double()
        gain = torch.rsqrt(var + self.norm["eps"])
        if self.norm["weight"] is not None:
            gain = gain * self.norm["weight"].double()
        shift = (self.bias.double() if self.bias is not None else 0.0) - mean
        shift = shift * gain
        if self.norm["bias"] is not None:
            shift = shift + self.norm["bias"].double()
        weight = self.weight.double() * gain.view(-1, 1, 1, 1)
        return weight.to(self.weight.dtype), shift.to(self.weight.dtype)


@dataclass(frozen=True)
class Folding:
    """What was found: pairs to fold, and whether channels go last in memory."""

    pairs: Sequence[_Pair] = ()
    channels_last: bool = False
    weights: Mapping[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def prepared(self, images: Tensor) -> Tensor:
        """Preprocessed pictures in the memory format that suits."""
        return images.contiguous(memory_format=torch.channels_last) if self.channels_last else images

    def folding(self, tapped: Sequence[str] = ()) -> AbstractContextManager[Any]:
        """Fold while inside, but for convolutions whose own output is to be seen."""
        hidden = [pair for pair in self.pairs if not pair.shown.intersection(tapped)]
        if not hidden:
            return nullcontext()
        return _Folding(
            {id(pair.weight): self.weights[id(pair.weight)] for pair in hidden},
            {id(pair.norm["running_mean"]) for pair in hidden},
        )


PLAIN = Folding()
"""The network as it stands."""


class _Folding(TorchFunctionMode):
    def __init__(self, weights: Mapping[int, tuple[Tensor, Tensor]], norms: set[int]) -> None:
        super().__init__()
        self.weights, self.norms = weights, norms

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _CONV and len(args) > 1 and id(args[1]) in self.weights:
            weight, bias = self.weights[id(args[1])]
            return func(args[0], weight, bias, *args[3:], **{k: v for k, v in (kwargs or {}).items() if k != "bias"})
        if func is F.batch_norm and id(_named(args, kwargs or {})["running_mean"]) in self.norms:
            return args[0]
        return func(*args, **(kwargs or {}))


def _named(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of F.batch_norm by name, with its defaults."""
    names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    defaults = {"weight": None, "bias": None, "training": False, "momentum": 0.1, "eps": 1e-5}
    return defaults | dict(zip(names, args, strict=False)) | dict(kwargs)


class _Watching(TorchFunctionMode):
    """Notes which batch norm is given which convolution's output."""

    def __init__(self) -> None:
        super().__init__()
        self.convolved: list[tuple[Tensor, Tensor, Tensor | None]] = []
        self.pairs: list[tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]] = []
        self.norms: list[dict[str, Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in _CONV and len(args) > 1:
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            self.convolved.append((result, args[1], bias))
        elif func is F.batch_norm:
            norm = _named(args, kwargs)
            self.norms.append(norm)
            before = next((found for found in self.convolved if found[0] is args[0]), None)
            if before is not None and not norm["training"] and norm["running_mean"] is not None:
                self.pairs.append((*before, norm))
        return result


def fold_norms(forward: Callable[[Tensor], Any], modules: Mapping[str, nn.Module], sample: Tensor) -> Folding:
    """Find what can be folded where `forward` runs (in evaluation mode) on pictures like `sample`, preprocessed."""
    shown: list[tuple[str, Tensor]] = []

    def noting(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            shown.extend((name, tensor) for tensor in ports(output).values())

        return hook

    handles = [module.register_forward_hook(noting(name)) for name, module in modules.items()]
    try:
        with torch.no_grad(), _Watching() as watching:
            plain = ports(forward(sample))
    finally:
        for handle in handles:
            handle.remove()
    uses = [id(weight) for _, weight, _ in watching.convolved]
    norms = [id(norm["running_mean"]) for norm in watching.norms]
    pairs = [
        _Pair(weight, bias, norm, frozenset(name for name, tensor in shown if tensor is output))
        for output, weight, bias, norm in watching.pairs
        if uses.count(id(weight)) == 1 and norms.count(id(norm["running_mean"])) == 1
    ]
    with torch.no_grad():
        weights = {id(pair.weight): pair.folded() for pair in pairs}
    all_folded = len(pairs) == len(watching.norms)
    for folding in (Folding(pairs, True, weights), Folding(pairs, False, weights)):
        if (folding.channels_last and not all_folded) or not (pairs or folding.channels_last):
            continue
        if _agrees(forward, folding, sample, plain):
            return folding
    return PLAIN


def _agrees(forward: Callable[[Tensor], Any], folding: Folding, sample: Tensor, plain: Mapping[Any, Tensor]) -> bool:
    try:
        with torch.no_grad(), folding.folding():
            result = ports(forward(folding.prepared(sample)))
    except Exception:  # a `view` that needs another memory format, say: then the plain pass is the one to take
        return False
    return result.keys() == plain.keys() and all(
        result[port].shape == tensor.shape
        and bool(((result[port] - tensor).abs().max() <= AGREE * tensor.float().std(correction=0) + 1e-6).all())
        for port, tensor in plain.items()
        if tensor.is_floating_point() and tensor.numel()
    )

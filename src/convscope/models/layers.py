"""The layers of a network, as one forward pass shows them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from convscope.models.adapter import Adapter, Squash
from convscope.models.receptive import Field, FieldTracker
from convscope.models.untouched import untouched

INPUT = "input"
"""The name under which the network's input, as its first layer is given it, can be recorded."""
PICTURES = ""
"""The `module` of that layer: no module is named so."""
RESERVED = (INPUT, "scores")
"""Names that mean something else than a module; a module of that name is listed with `_` behind it."""


Port = int | str | None


@dataclass(frozen=True)
class Layer:
    """One layer that can be tapped.

    name: the network's own name; `name#1` is the second call of a module that is used more than once, and `name[0]`
        the first of several outputs.
    kind: its class. channels: of its output. shape: (c, h, w) of a map, (c,) of a vector.
    parameters: numbers learned in it and below it. container: whether it only groups other layers.
    tokens: whether the output is `b n c`, a list without positions on the picture; its shape is (c, n, 1).
    stride: pixels (down, across) between neighbouring positions; receptive_field: pixels (height, width) that one
        position can see, at most the picture. Both None for vectors and where they are undefined.
    """

    name: str
    kind: str
    channels: int
    shape: tuple[int, ...]
    parameters: int
    container: bool = False
    stride: tuple[int, int] | None = None
    receptive_field: tuple[int, int] | None = None
    module: str = ""
    call: int = 0
    port: Port = None
    tokens: bool = False

    @property
    def is_feature(self) -> bool:
        """Whether it computes something, and does not merely pool, drop or shape what it is given."""
        return not any(word in self.kind.lower() for word in _NOT_FEATURES)

    @property
    def is_map(self) -> bool:
        """Whether the output has positions on the picture (more than one)."""
        return len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1 and not self.tokens


@dataclass(frozen=True)
class _Firing:
    module: str
    call: int
    port: Port
    shape: tuple[int, ...]
    tokens: bool
    field: Field | None


@dataclass(frozen=True)
class Trace:
    """What one forward pass shows: the layers in order of completion, and the network's outputs by port.

    heads: the calls of modules that end the network with a softmax or sigmoid, whose logits are to be had from what
        they are given, and the port of the network's output that each fills.
    outputs: shape of each output, without the batch. squashed: the outputs that are probabilities as they stand,
        without a module whose logits could be taken. random: whether the pass drew random numbers.
    """

    layers: tuple[Layer, ...]
    heads: Mapping[tuple[str, int], tuple[Squash, Port]]
    outputs: Mapping[Port, tuple[int, ...]]
    squashed: Mapping[Port, Squash]
    random: bool = False


def trace(adapter: Adapter, sample: Tensor) -> Trace:
    """Run `sample` (`1 c h w`, preprocessed) once and write down what happens."""
    modules = adapter.modules()
    firings: list[_Firing] = []
    squashing: list[tuple[tuple[str, int], Squash, Tensor, Tensor]] = []
    calls: dict[str, int] = dict.fromkeys(modules, 0)
    handles = []
    tracker = FieldTracker(sample)

    def listen(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            for port, tensor in ports(output).items():
                shape, tokens = _shape(adapter.to_channels_first(name, tensor))
                firings.append(_Firing(name, calls[name], port, shape, tokens, tracker.field(tensor)))
                found = adapter.squashed(name, inputs) if len(shape) == 1 else None
                if found is not None:
                    squashing.append(((name, calls[name]), found[1], tensor, tensor.clone()))
            calls[name] += 1

        return hook

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(listen(name)))
        with untouched(adapter.root), torch.no_grad(), tracker, _Squashers() as squashers:
            state = torch.get_rng_state()
            given = ports(adapter.forward(sample))
            random = not torch.equal(state, torch.get_rng_state())
    finally:
        for handle in handles:
            handle.remove()
    height, width = sample.shape[-2:]
    first = Layer(INPUT, "Input", sample.shape[1], tuple(sample.shape[1:]), 0, False, (1, 1), (1, 1), PICTURES)
    heads: dict[tuple[str, int], tuple[Squash, Port]] = {}
    squashed: dict[Port, Squash] = {}
    for port, tensor in given.items():
        modular = [(key, kind) for key, kind, live, was in squashing if _is_it(tensor, live, was)]
        if modular:
            key, kind = modular[-1]
            heads[key] = kind, port
            continue
        functional = [kind for kind, live, was in squashers.seen if _is_it(tensor, live, was)]
        if functional:
            squashed[port] = functional[-1]
        elif _is_distribution(tensor):
            squashed[port] = "softmax"
    return Trace(
        layers=(first, *(_layer(adapter, modules, firing, calls, (height, width)) for firing in firings)),
        heads=heads,
        outputs={port: tuple(tensor.shape[1:]) for port, tensor in given.items()},
        squashed=squashed,
        random=random,
    )


class _Squashers(TorchFunctionMode):
    """Notes what softmax and sigmoid give where they are called as functions. The tensors are kept alive, so that
    no other can take their place in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Squash, Tensor, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = _SQUASHING.get(func)
        if kind is not None and isinstance(result, Tensor) and result.ndim == 2:
            self.seen.append((kind, result, result.clone()))
        return result


_SQUASHING: dict[Any, Squash] = {
    torch.softmax: "softmax", F.softmax: "softmax", Tensor.softmax: "softmax",
    torch.sigmoid: "sigmoid", F.sigmoid: "sigmoid", Tensor.sigmoid: "sigmoid", torch.special.expit: "sigmoid",
}  # fmt: skip


def _is_it(output: Tensor, live: Tensor, was: Tensor) -> bool:
    """Whether an output is (a view of) what an earlier call gave, and was not changed since."""
    same = output.untyped_storage().data_ptr() == live.untyped_storage().data_ptr()
    return same and output.numel() == was.numel() and torch.equal(output.flatten(), was.flatten())


def _shape(tensor: Tensor) -> tuple[tuple[int, ...], bool]:
    """A layer's shape without the batch, channels first, and whether it is one of tokens."""
    if tensor.ndim == 3:
        return (tensor.shape[2], tensor.shape[1], 1), True
    return tuple(tensor.shape[1:]), False


def map_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Those whose output has positions, and which neither contain others nor are the pictures that are put in."""
    return [layer for layer in layers if layer.is_map and layer.module != PICTURES and not layer.container]


def recommended_layer(layers: Sequence[Layer]) -> Layer | None:
    """The layer to explain an answer at: the last one whose output has positions, before any pooling.

    Source: Selvaraju et al., "Grad-CAM" (2017), section 3: the last convolutional layer is the best compromise
    between high-level meaning and detail in place.
    """
    fitting = map_layers(layers)
    kept = [layer for layer in fitting if layer.is_feature]
    return kept[-1] if kept else None


_NOT_FEATURES = ("pool", "dropout", "flatten", "identity", "upsample", "padding")


def _is_distribution(tensor: Tensor) -> bool:
    if tensor.ndim != 2 or tensor.shape[1] < 2 or not tensor.is_floating_point():
        return False
    return bool((tensor >= 0).all()) and bool(((tensor.sum(1) - 1).abs() < 1e-3).all())


def ports(output: Any) -> dict[Port, Tensor]:
    """The tensors that a module gave: {None: tensor} for a plain one, else by position or key."""
    if isinstance(output, Tensor):
        return {None: output}
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items() if isinstance(value, Tensor)}
    if isinstance(output, tuple | list):
        return {i: value for i, value in enumerate(output) if isinstance(value, Tensor)}
    return {}


def _layer(
    adapter: Adapter,
    modules: Mapping[str, nn.Module],
    firing: _Firing,
    calls: Mapping[str, int],
    size: tuple[int, int],
) -> Layer:
    name = firing.module
    while name in RESERVED or (name != firing.module and name in modules):
        name += "_"
    if calls[firing.module] > 1:
        name += f"#{firing.call}"
    if firing.port is not None:
        name += f"[{firing.port}]"
    is_map = len(firing.shape) == 3 and firing.shape[1] * firing.shape[2] > 1
    stride = field = None
    if firing.field is not None and is_map and not math.isinf(firing.field.stride[0]):
        stride = (int(firing.field.stride[0]), int(firing.field.stride[1]))
        field = (int(min(firing.field.size[0], size[0])), int(min(firing.field.size[1], size[1])))
    module = modules[firing.module]
    return Layer(
        name=name,
        kind=type(module).__name__,
        channels=firing.shape[0] if firing.shape else 1,
        shape=firing.shape,
        parameters=sum(value.numel() for name, value in module.named_parameters() if adapter.is_weight(name)),
        container=adapter.is_container(firing.module),
        stride=stride,
        receptive_field=field,
        module=firing.module,
        call=firing.call,
        port=firing.port,
        tokens=firing.tokens,
    )

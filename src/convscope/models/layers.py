"""The layers of a network, as one forward pass shows them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convscope.models.adapter import Adapter, Squash
from convscope.models.receptive import Field, FieldTracker
from convscope.models.untouched import untouched

INPUT = "input"
"""The name under which the network's input, as its first layer is given it, can be recorded."""


@dataclass(frozen=True)
class Layer:
    """One layer that can be tapped.

    name: the network's own name; `name#1` is the second call of a module that is used more than once, and `name[0]`
        the first of several outputs.
    kind: its class. channels: of its output. shape: (c, h, w) of a map, (c,) of a vector.
    parameters: numbers learned in it and below it. container: whether it only groups other layers.
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
    port: int | str | None = None

    @property
    def is_map(self) -> bool:
        """Whether the output has positions (more than one)."""
        return len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1


@dataclass(frozen=True)
class _Firing:
    module: str
    call: int
    port: int | str | None
    shape: tuple[int, ...]
    field: Field | None


@dataclass(frozen=True)
class Trace:
    """What one forward pass shows: the layers in order of completion, and the network's outputs by port.

    heads: the modules that end the network with a softmax or sigmoid, whose logits are to be had from what they are
        given, and the port of the network's output that each fills.
    outputs: shape of each output, without the batch. sums_to_one: whether each, as it stands, is a distribution.
    """

    layers: tuple[Layer, ...]
    heads: Mapping[str, tuple[Squash, int | str | None]]
    outputs: Mapping[int | str | None, tuple[int, ...]]
    sums_to_one: Mapping[int | str | None, bool]


def trace(adapter: Adapter, sample: Tensor) -> Trace:
    """Run `sample` (`1 c h w`, preprocessed) once and write down what happens."""
    modules = adapter.modules()
    firings: list[_Firing] = []
    squashing: dict[str, tuple[Squash, int]] = {}
    calls: dict[str, int] = dict.fromkeys(modules, 0)
    handles = []
    tracker = FieldTracker(sample)

    def listen(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            for port, tensor in ports(output).items():
                shape = tuple(adapter.to_channels_first(name, tensor).shape[1:])
                firings.append(_Firing(name, calls[name], port, shape, tracker.field(tensor)))
                found = adapter.squashed(name, inputs) if len(shape) == 1 else None
                if found is not None:
                    squashing[name] = found[1], tensor.data_ptr()
            calls[name] += 1

        return hook

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(listen(name)))
        with untouched(adapter.root), torch.no_grad(), tracker:
            given = ports(adapter.forward(sample))
    finally:
        for handle in handles:
            handle.remove()
    height, width = sample.shape[-2:]
    first = Layer(INPUT, "Input", sample.shape[1], tuple(sample.shape[1:]), 0, False, (1, 1), (1, 1), INPUT)
    ends = {tensor.data_ptr(): port for port, tensor in given.items()}
    return Trace(
        layers=(first, *(_layer(adapter, modules, firing, calls, (height, width)) for firing in firings)),
        heads={name: (kind, ends[pointer]) for name, (kind, pointer) in squashing.items() if pointer in ends},
        outputs={port: tuple(tensor.shape[1:]) for port, tensor in given.items()},
        sums_to_one={port: _is_distribution(tensor) for port, tensor in given.items()},
    )


def recommended_layer(layers: Sequence[Layer]) -> Layer | None:
    """The layer to explain an answer at: the last one whose output has positions, before any pooling.

    Source: Selvaraju et al., "Grad-CAM" (2017), section 3: the last convolutional layer is the best compromise
    between high-level meaning and detail in place.
    """
    fitting = [layer for layer in layers if layer.is_map and layer.module != INPUT and not layer.container]
    kept = [layer for layer in fitting if not any(word in layer.kind.lower() for word in _NOT_FEATURES)]
    return kept[-1] if kept else None


_NOT_FEATURES = ("pool", "dropout", "flatten", "identity", "upsample", "padding")


def _is_distribution(tensor: Tensor) -> bool:
    if tensor.ndim != 2 or tensor.shape[1] < 2 or not tensor.is_floating_point():
        return False
    return bool((tensor >= 0).all()) and bool(((tensor.sum(1) - 1).abs() < 1e-3).all())


def ports(output: Any) -> dict[int | str | None, Tensor]:
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
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        container=adapter.is_container(firing.module),
        stride=stride,
        receptive_field=field,
        module=firing.module,
        call=firing.call,
        port=firing.port,
    )

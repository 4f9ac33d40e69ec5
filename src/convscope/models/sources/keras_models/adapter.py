"""A Keras model as a network: its layers by name, its logits, its kernels."""

import copy
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import NetworkError
from convscope.models.adapter import Squash
from convscope.models.card import CARD
from convscope.models.sources.keras_models.backend import keras_on_torch
from convscope.models.sources.keras_models.contract import format_of
from convscope.models.sources.keras_models.layers import groups_others, named_layers

BEFORE = ".pre"
"""Behind a layer's name: what it gives before the activation that is fused into it."""


class Before(nn.Module):
    """Stands where a fused layer hands over to its activation, to be listened to."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def _gated(activation: Any, gate: Before, x: Tensor) -> Any:
    return activation(gate(x))


def _activation_of(layer: Any) -> Any:
    """A layer's activation, behind the gate too."""
    activation = getattr(layer, "activation", None)
    return activation.args[0] if isinstance(activation, partial) and activation.func is _gated else activation


def _is_fused(layer: Any) -> bool:
    """Whether a layer that computes by weights ends in an activation function of its own."""
    keras = keras_on_torch()
    kinds = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.SeparableConv2D)
    activation = getattr(layer, "activation", None)
    fitting = isinstance(layer, (*kinds, keras.layers.DepthwiseConv2D))
    return fitting and not isinstance(activation, nn.Module) and activation not in (None, keras.activations.linear)


class KerasAdapter:
    """A Keras 3 model on the torch backend, with the names of its layers (`outer/inner` where models nest)."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._modules = named_layers(model)
        self._gates = {
            f"{name}{BEFORE}": (layer, Before()) for name, layer in self._modules.items() if _is_fused(layer)
        }
        self._format = format_of(model)

    @property
    def root(self) -> nn.Module:
        root: nn.Module = self._model
        return root

    @property
    def plain_modules(self) -> bool:
        return False  # Keras notes on its layers what was built and called

    @property
    def packages(self) -> tuple[str, ...]:
        return ("keras",)

    def copied(self) -> "KerasAdapter":
        return KerasAdapter(copy.deepcopy(self._model))

    def modules(self) -> Mapping[str, nn.Module]:
        return self._modules | {name: gate for name, (_, gate) in self._gates.items()}

    def changed(self) -> bool:
        now = named_layers(self._model)
        return now.keys() != self._modules.keys() or any(now[name] is not self._modules[name] for name in now)

    def kind(self, name: str) -> str:
        return type(self.modules()[name]).__name__

    def is_container(self, name: str) -> bool:
        return name not in self._gates and groups_others(self._modules[name])

    def is_inner(self, name: str) -> bool:
        return name in self._gates

    def is_weight(self, name: str) -> bool:
        return not name.endswith("/seed_generator_state")  # of Dropout and augmentation

    def forward(self, images: Tensor) -> Any:
        with self._through_gates():
            given = images if self._format == "channels_first" else images.permute(0, 2, 3, 1)
            return self._model(given, training=False)

    @contextmanager
    def _through_gates(self) -> Iterator[None]:
        """Within it what fused layers give goes through their gates before the activation, where those are listened
        to."""
        heard: list[tuple[Any, Any, Before]] = []
        for one, gate in self._gates.values():
            layer: Any = one
            if gate._forward_hooks:
                heard.append((layer, layer.activation, gate))
        try:
            for layer, activation, gate in heard:
                layer.activation = partial(_gated, activation, gate)
            yield
        finally:
            for layer, activation, _ in heard:
                layer.activation = activation

    def native(self, images: Tensor) -> Any:
        given = images if self._format == "channels_first" else images.permute(0, 2, 3, 1)
        answer = self._model.predict_on_batch(given.cpu().numpy())
        if isinstance(answer, dict):
            return {name: torch.as_tensor(value) for name, value in answer.items()}
        if isinstance(answer, list | tuple):
            return tuple(torch.as_tensor(value) for value in answer)
        return torch.as_tensor(answer)

    def squashed(self, name: str, inputs: tuple[Any, ...]) -> tuple[Tensor, Squash] | None:
        if name in self._gates:
            return None
        layer: Any = self._modules[name]
        keras = keras_on_torch()
        if not inputs or not isinstance(inputs[0], Tensor):
            return None
        if isinstance(layer, keras.layers.Softmax):
            return inputs[0], "softmax"
        activation = _activation_of(layer)
        functions = keras.activations
        kinds: dict[Any, Squash] = {
            functions.softmax: "softmax",
            functions.log_softmax: "softmax",
            functions.sigmoid: "sigmoid",
            functions.log_sigmoid: "sigmoid",
        }
        if activation not in kinds:
            return None
        if isinstance(layer, keras.layers.Activation):
            return inputs[0], kinds[activation]
        if isinstance(layer, keras.layers.Dense):
            return _dense_logits(layer, inputs[0]), kinds[activation]
        return None

    def kernel(self, name: str) -> Tensor | None:
        if name in self._gates:
            return None
        layer: Any = self._modules[name]
        keras = keras_on_torch()
        value = getattr(getattr(layer, "kernel", None), "value", None)
        if not isinstance(value, Tensor):
            return None
        value = value.detach()
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            height, width, channels, multiplier = value.shape
            return value.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
        if isinstance(layer, keras.layers.Conv2DTranspose):
            return value.permute(2, 3, 0, 1)
        if value.ndim == 4:
            return value.permute(3, 2, 0, 1)
        return value.T if value.ndim == 2 else None

    def with_head(self, name: str, classes: int) -> "KerasAdapter":
        keras = keras_on_torch()
        model = copy.deepcopy(self._model)
        layer = named_layers(model)[name]
        if not isinstance(layer, keras.layers.Dense):
            raise NetworkError(f"the last layer {name!r} is a {self.kind(name)}; expected a Dense one")
        try:
            drawn = keras.initializers.GlorotUniform(seed=int(torch.randint(2**31, ())))
            new = keras.layers.Dense(classes, activation="softmax", name=layer.name, kernel_initializer=drawn)
            return KerasAdapter(keras.Model(model.inputs, new(layer.input), name=model.name))
        except (AttributeError, ValueError) as error:
            text = " ".join(str(error).split())[:160]
            raise NetworkError(f"the last layer {name!r} is not at the end of the Keras model itself: {text}") from None

    def set_head(self, name: str, weight: Tensor, bias: Tensor | None) -> None:
        layer: Any = self._modules[name]
        layer.kernel.assign(weight.T)
        if bias is not None:
            layer.bias.assign(bias)

    @property
    def trains_whole(self) -> bool:
        return False

    @property
    def saved_as(self) -> str:
        return ".keras"

    def save(self, path: Path, example: Tensor, card: str) -> None:
        self._model.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(zipfile.ZipInfo(CARD), card)


def _dense_logits(layer: Any, inputs: Tensor) -> Tensor:
    """What a Dense layer gives before its activation."""
    if getattr(layer, "quantization_mode", None):  # its kernel has a scale: let the layer itself multiply
        activation = layer.activation
        try:
            layer.activation = keras_on_torch().activations.linear
            quantised: Tensor = layer.quantized_call(inputs)  # `call` would take the small numbers as they are
            return quantised
        finally:
            layer.activation = activation
    logits = torch.matmul(inputs, layer.kernel.value)
    return logits if layer.bias is None else logits + layer.bias.value

"""The same weights as a torch and as a Keras network give the same answers, feature maps and heatmaps."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.method import method_of
from convscope.attribution.table import METHODS
from tests.contracts.verbs import SMALLER
from tests.networks import LABELS, noise, seeded

SIDE, CLASSES = 32, len(LABELS)
SPEC = cs.InputSpec(size=SIDE, range=(0, 255), mean=(100.0, 110.0, 120.0), std=50.0, order="BGR")
CLOSE = 1e-4


class Torch(nn.Module):
    """Convolutions with and without bias, batch norm, a depthwise one, a stride, a sum, a pool and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8, eps=1e-3)
        self.pool = nn.MaxPool2d(2)
        self.wide = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.narrow = nn.Conv2d(8, 12, 1)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, bias=False)
        self.scores = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.norm(torch.relu(self.first(x))))
        x = torch.relu(self.narrow(self.wide(x)))
        x = x + torch.relu(self.deep(x))
        return self.scores(x.mean((2, 3)))


def keras_twin(module: Torch) -> Any:
    """The Keras network of the same layers and weights."""
    import keras

    layers = keras.layers
    start = layers.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(start)
    x = layers.MaxPooling2D(2, name="pool")(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="wide")(x)
    x = layers.Conv2D(12, 1, activation="relu", name="narrow")(x)
    x = layers.Add()([x, layers.Conv2D(12, 3, padding="same", use_bias=False, activation="relu", name="deep")(x)])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(start, layers.Dense(CLASSES, activation="softmax", name="answer")(x))
    kernel = {name: getattr(module, name).weight.detach().numpy() for name in ("first", "wide", "narrow", "deep")}
    bias = {name: getattr(module, name).bias.detach().numpy() for name in ("first", "wide", "narrow")}
    for name in ("first", "narrow"):
        model.get_layer(name).set_weights([kernel[name].transpose(2, 3, 1, 0), bias[name]])
    model.get_layer("wide").set_weights([kernel["wide"].transpose(2, 3, 0, 1), bias["wide"]])
    model.get_layer("deep").set_weights([kernel["deep"].transpose(2, 3, 1, 0)])
    norm = module.norm
    states = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    model.get_layer("norm").set_weights([state.detach().numpy() for state in states if state is not None])
    dense = module.scores
    model.get_layer("answer").set_weights([dense.weight.detach().numpy().T, dense.bias.detach().numpy()])
    return model


@cache
def twins() -> tuple[cs.Network, cs.Network]:
    module = seeded(Torch)
    assert isinstance(module, Torch)
    torch_net = cs.load_model(module, input=SPEC, labels=LABELS)
    return torch_net, cs.load_model(keras_twin(module), input=SPEC, labels=LABELS)


def same(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, atol=CLOSE * max(1.0, float(np.abs(a).max())), rtol=0)


def test_answers() -> None:
    scores = [net.scores(net.run(noise(n=3, size=SIDE)), 3).numpy() for net in twins()]
    same(*scores)
    assert np.ptp(scores[0]) > 0.01  # they do answer


@pytest.mark.parametrize("name", ["first", "norm", "pool", "wide", "narrow", "deep"])
def test_feature_maps(name: str) -> None:
    first, second = twins()
    fused = name + ".pre"  # what a Keras layer gives before the activation that is part of it
    other = fused if fused in {layer.name for layer in second.layers(inner=True)} else name
    image = noise(size=SIDE)
    same(cs.activations(first, image, name).arrays[name], cs.activations(second, image, other).arrays[other])


@pytest.mark.parametrize("method", METHODS)
def test_heatmaps(method: str) -> None:
    options = SMALLER.get(method, {})
    target = "class:3" if method_of(method).targeted else None
    maps = [cs.explain(net, noise(size=SIDE), target, method=method, **options) for net in twins()]
    same(maps[0].arrays["map"], maps[1].arrays["map"])
    same(maps[0].arrays["score"], maps[1].arrays["score"])
    assert np.ptp(maps[0].arrays["map"]) > 0

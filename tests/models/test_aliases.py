"""Names that the field has for layers, beside the network's own."""

from collections.abc import Callable

import pytest
import torch

import convscope as cs
from convscope.models.vgg import BLOCKS, relu_names
from tests.networks import noise


@pytest.fixture(scope="module")
def net() -> cs.Network:
    return cs.load_model("vgg_small", input=32)


OWN, ALIAS = "features.block3_relu2", "relu3_2"
CALLS: dict[str, Callable[[cs.Network, str], cs.Result]] = {
    "activations": lambda net, name: cs.activations(net, noise(0), name),
    "channel": lambda net, name: cs.visualize(net, f"{name}:3", steps=2),
    "neuron": lambda net, name: cs.visualize(net, f"{name}:3@1,2", steps=2),
    "sum": lambda net, name: cs.visualize(net, f"{name}:3 - 0.5*{name}:1", steps=2),
    "layer": lambda net, name: cs.dream(net, noise(0), name, steps=2, schedule="single"),
    "explain at": lambda net, name: cs.explain(net, noise(0), 1, layer=name),
    "explain": lambda net, name: cs.explain(net, noise(0), f"{name}:3"),
    "invert": lambda net, name: cs.invert(net, noise(0), name, steps=2),
    "stylize": lambda net, name: cs.stylize(
        net, noise(0), noise(1), content_layers=name, style_layers=f"relu1_1,{name}", steps=2, schedule="single"
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_alias_is_the_layer(call: str, net: cs.Network) -> None:
    one, other = (CALLS[call](net, name) for name in (OWN, ALIAS))
    assert one.arrays.keys() == other.arrays.keys()
    for name in one.arrays:
        assert one.arrays[name].tobytes() == other.arrays[name].tobytes()
    assert ALIAS not in str(one.recipe.options)


def test_the_networks_own_name_comes_first() -> None:
    module = torch.nn.Sequential()
    module.add_module("relu1_1", torch.nn.Conv2d(3, 4, 3))
    module.add_module("other", torch.nn.Conv2d(4, 5, 3))
    net = cs.load_model(module, input=16)
    named = cs.Network(net.adapter, name="x", spec=net.spec, labels=net.labels, aliases={"relu1_1": "other"})
    assert named.layer("relu1_1").channels == 4
    assert [layer.alias for layer in named.layers()] == ["", "", ""]


def test_the_names_of_vgg16() -> None:
    names = relu_names(BLOCKS, lambda block, position: f"block{block}_conv{position}")
    assert len(names) == 13
    assert names["relu4_2"] == "block4_conv2"
    assert "relu1_3" not in names


def fused() -> tuple[object, cs.Network]:
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, activation="relu", name="a"),
            layers.SeparableConv2D(5, 3, activation="elu", name="b"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", name="c"),
        ]
    )
    return model, cs.load_model(model, input=cs.InputSpec(size=16, range=(0, 1), mean=0, std=1))


@pytest.mark.filterwarnings("ignore")
def test_what_a_fused_layer_gives_before_its_activation() -> None:
    model, net = fused()
    assert [layer.name for layer in net.layers()] == ["input", "a", "b", "global_average_pooling2d", "c"]
    assert [layer.name for layer in net.layers(inner=True) if layer.inner] == ["a.pre", "b.pre", "c.pre"]
    picture = noise(0, size=16)
    seen = cs.record(net, picture, ["a.pre", "a", "b.pre", "b", "c.pre", "scores"])
    assert torch.equal(seen["a"], seen["a.pre"].relu())
    assert float(seen["a.pre"].min()) < 0
    assert torch.allclose(seen["b"], torch.nn.functional.elu(seen["b.pre"]), atol=1e-6)
    assert torch.allclose(seen["c.pre"][..., 0, 0], seen.scores, atol=1e-6)
    assert net.layer("a.pre").centre == net.layer("a").centre
    made = cs.visualize(net, "a.pre:2", steps=3)
    assert made.arrays["images"].shape[1:3] == (16, 16) or made.arrays["images"].ndim == 4
    before = [layer.activation for layer in model.layers if hasattr(layer, "activation")]  # type: ignore[attr-defined]
    cs.explain(net, picture, 1, layer="b.pre")
    cs.activations(net, picture, ["a.pre", "a*"])
    after = [layer.activation for layer in model.layers if hasattr(layer, "activation")]  # type: ignore[attr-defined]
    assert all(one is other for one, other in zip(before, after, strict=True))

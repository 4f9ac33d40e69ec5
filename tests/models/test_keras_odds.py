"""Keras models as people have them: channels first, layers in attributes, preprocessing inside, int8, two inputs."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convscope as cs
from convscope.errors import InputError, NetworkError
from tests.networks import noise

keras = pytest.importorskip("keras")
L = keras.layers
SPEC = cs.InputSpec(size=16, range=(0, 1), mean=0.0, std=1.0)


@keras.saving.register_keras_serializable("odds")
class Block(keras.layers.Layer):  # type: ignore[misc]
    """A custom layer that keeps its layers in attributes, a list and a dict; one of them is used twice."""

    def __init__(self, filters: int = 4, **more: Any) -> None:
        super().__init__(**more)
        self.filters = filters
        self.first = L.Conv2D(filters, 3, padding="same", name="conv")
        self.act = L.ReLU(name="act")
        self.several = [L.Conv2D(filters, 1, name="point"), L.Conv2D(filters, 1, name="side")]
        self.named = {"last": L.Conv2D(filters, 1, name="last")}

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        for layer in (*self.several, self.named["last"]):
            layer.build((*shape[:3], self.filters))
        self.built = True

    def call(self, x: Any) -> Any:
        x = self.act(self.first(x))
        for layer in self.several:
            x = self.act(layer(x))
        return self.named["last"](x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


class Own(keras.Model):  # type: ignore[misc]
    """A model of one's own class."""

    def __init__(self, scale: float | None = 1 / 255) -> None:
        super().__init__(name="own")
        self.scaled = L.Rescaling(scale, name="scaled") if scale else None
        self.block = Block(3, name="block")
        self.head = keras.Sequential([L.GlobalAveragePooling2D(name="pool"), L.Dense(3, name="out")], name="head")

    def call(self, x: Any) -> Any:
        x = x if self.scaled is None else self.scaled(x)
        return self.head(self.block(self.block(x)))


class Two(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="two")
        self.conv, self.pool = L.Conv2D(2, 3), L.GlobalAveragePooling2D()

    def call(self, x: Any, mask: Any) -> Any:
        return self.pool(self.conv(x * mask))


def ended(x: Any, classes: int = 3, **more: Any) -> Any:
    return L.Dense(classes, **more)(L.GlobalAveragePooling2D()(x))


def graph(*layers: Any, shape: tuple[int, ...] = (16, 16, 3), **more: Any) -> Any:
    """A model of these, a convolution and a head."""
    start = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(start, ended(L.Conv2D(4, 3, name="conv")(x), **more))


def names(net: cs.Network) -> list[str]:
    return [layer.name for layer in net.layers() if layer.name != "input"]


# --- layers in attributes ----------------------------------------------------------------------------------------

INSIDE = ["block/conv", "block/act", "block/point", "block/side", "block/last", "block"]


def test_layers_of_a_custom_layer_are_reached() -> None:
    net = cs.load_model(graph(Block(name="block")), input=SPEC)
    found = [name for name in names(net) if name.startswith("block")]
    assert {name.partition("#")[0] for name in found} == set(INSIDE)
    picture = noise(1, size=16)
    block = next(layer for layer in net.adapter.root.layers if layer.name == "block")  # type: ignore[union-attr, attr-defined]
    wanted = block.first(picture.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)[0]
    assert np.allclose(cs.activations(net, picture, "block/conv").arrays["block/conv"], wanted.detach(), atol=1e-6)
    assert cs.weights(net, "block/side").arrays["weights"].shape == (4, 4, 1, 1)
    assert net.layer("block").container
    assert not net.layer("block/conv").container
    assert cs.explain(net, picture, 1, layer="block/conv").arrays["coarse"].shape == (16, 16)


def test_a_layer_that_is_kept_twice_is_there_once() -> None:
    shared = L.Conv2D(4, 3, padding="same", name="shared")
    inside = keras.Sequential([keras.Input((16, 16, 4)), shared], name="inside")
    start = keras.Input((16, 16, 4))
    net = cs.load_model(keras.Model(start, ended(inside(shared(start)))), input=cs.InputSpec(size=16, channels=4))
    assert list(net.adapter.modules())[:2] == ["shared", "inside"]
    assert len({id(module) for module in net.adapter.modules().values()}) == len(net.adapter.modules())


def test_layers_of_one_name_are_told_apart() -> None:
    class Pair(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="pair")
            self.both = [L.ReLU(name="act"), L.ReLU(name="act")]

        def call(self, x: Any) -> Any:
            return self.both[1](self.both[0](x) - 0.5)

    net = cs.load_model(graph(Pair()), input=SPEC)
    picture = noise(4, size=16)
    found = cs.activations(net, picture, ["pair/act", "pair/act_2"]).arrays
    assert np.allclose(found["pair/act"], picture[0], atol=1e-6)
    assert np.allclose(found["pair/act_2"], (picture[0] - 0.5).relu(), atol=1e-6)


def test_a_convolution_whose_activation_is_a_layer_groups_nothing() -> None:
    start = keras.Input((16, 16, 3))
    net = cs.load_model(keras.Model(start, ended(L.Conv2D(4, 3, activation=L.ReLU(), name="conv")(start))), input=SPEC)
    assert not net.layer("conv").container
    assert cs.weights(net, "conv").arrays["weights"].shape == (4, 3, 3, 3)


def test_a_model_of_ones_own_class_tells_its_layers_and_its_range() -> None:
    model = Own()
    model(torch.zeros(1, 16, 16, 3))
    net = cs.load_model(model)
    assert (net.spec.hw, net.spec.channels, net.spec.range) == ((16, 16), 3, (0.0, 255.0))
    assert {"scaled", "block", "block/conv", "block/last", "head", "head/pool", "head/out"} <= {
        name.partition("#")[0] for name in names(net)
    }
    assert net.recommended_layer().name.partition("#")[0] in ("block", "block/last")
    plain = Own(None)
    plain(torch.zeros(1, 16, 16, 3))
    assert cs.load_model(plain).spec.unknown == ("range", "mean", "std")


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, as it saves
def test_a_custom_layer_comes_back_from_a_file(tmp_path: Path) -> None:
    model = graph(L.Rescaling(1 / 255), Block(name="block"))
    model.save(tmp_path / "art.keras")
    net = cs.load_model(str(tmp_path / "art.keras"))
    assert net.spec.range == (0.0, 255.0)
    found = [
        cs.activations(one, noise(2, size=16), "block/last").arrays["block/last"] for one in (net, cs.load_model(model))
    ]
    assert np.allclose(*found, atol=1e-6)


# --- channels first ----------------------------------------------------------------------------------------------


def first(**more: Any) -> dict[str, Any]:
    return {"data_format": "channels_first", **more}


def channels_first(inside: bool) -> Any:
    start = x = keras.Input((3, 16, 20))
    x = L.Rescaling(1 / 255)(x)
    convolution = L.Conv2D(5, 3, name="conv", **first())
    x = keras.Sequential([keras.Input((3, 16, 20)), convolution], name="base")(x) if inside else convolution(x)
    return keras.Model(start, L.Dense(3)(L.GlobalAveragePooling2D(**first())(x)))


@pytest.mark.parametrize("inside", [False, True])
def test_channels_first_is_told_by_the_first_layer_that_says(inside: bool) -> None:
    model = channels_first(inside)
    net = cs.load_model(model)
    assert (net.spec.hw, net.spec.channels, net.spec.range) == ((16, 20), 3, (0.0, 255.0))
    picture = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    name = "base/conv" if inside else "conv"
    layer = net.adapter.modules()[name]
    wanted = layer(picture)[0].detach()  # the Rescaling takes back what the range does
    assert np.allclose(cs.activations(net, picture, name).arrays[name], wanted, atol=1e-5)
    assert net.layer(name).shape == (5, 14, 18)


@pytest.mark.parametrize("config", ["channels_first", "channels_last"])
def test_without_a_layer_that_says_the_shape_tells(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "image_data_format", lambda: config)

    def dense(*shape: int) -> Any:
        return keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(3)])

    for shape, hw, channels in (((3, 16, 20), (16, 20), 3), ((16, 20, 3), (16, 20), 3), ((28, 28, 1), (28, 28), 1)):
        spec = cs.load_model(dense(*shape)).spec
        assert (spec.hw, spec.channels) == (hw, channels)
    spec = cs.load_model(dense(5, 6, 7)).spec
    assert (spec.hw, spec.channels) == (((6, 7), 5) if config == "channels_first" else ((5, 6), 7))


def test_a_permutation_before_the_first_layer_is_followed() -> None:
    start = keras.Input((16, 20, 3))
    x = L.Conv2D(5, 3, name="conv", **first())(L.Permute((3, 1, 2))(start))
    net = cs.load_model(keras.Model(start, L.Dense(3)(L.GlobalAveragePooling2D(**first())(x))))
    assert (net.spec.hw, net.spec.channels) == ((16, 20), 3)
    assert net.layer("conv").shape == (5, 14, 18)


# --- what is done to the picture before the first weights ---------------------------------------------------------


def nested(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((16, 16, 3)), *layers])


def branching(left: Any, right: Any) -> Any:
    start = keras.Input((16, 16, 3))
    ways = [L.Conv2D(2, 3)(way(start)) for way in (left, right)]
    return keras.Model(start, ended(L.Concatenate()(ways)))


UNKNOWN = (None, ("range", "mean", "std"))
BYTES, SHARES = ((0.0, 255.0), ()), ((0.0, 1.0), ())
MEAN = [0.485, 0.456, 0.406]
MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "nothing": (graph, UNKNOWN),
    "rescaling": (lambda: graph(L.Rescaling(1 / 255)), BYTES),
    "to both sides of zero": (lambda: graph(L.Rescaling(1 / 127.5, offset=-1)), BYTES),
    "by channel": (
        lambda: graph(L.Rescaling([1 / 58.4, 1 / 57.1, 1 / 57.4], offset=[-2.1, -2.0, -1.8])), BYTES,
    ),
    "shares to both sides": (lambda: graph(L.Rescaling(2.0, offset=-1.0)), SHARES),
    "a scale that says nothing": (lambda: graph(L.Rescaling(3.0)), UNKNOWN),
    "after others": (lambda: graph(*(L.RandomFlip() for _ in range(5)), L.Rescaling(1 / 255)), BYTES),
    "after weights": (lambda: graph(L.Conv2D(3, 3, padding="same"), L.Rescaling(1 / 255)), UNKNOWN),
    "in a base": (lambda: graph(nested(L.Rescaling(1 / 255), L.Conv2D(3, 3))), BYTES),
    "in a base of layers alone": (lambda: graph(nested(L.RandomFlip(), L.Rescaling(1 / 255))), BYTES),
    "behind a base": (lambda: graph(nested(L.RandomFlip()), nested(L.Rescaling(1 / 255))), BYTES),
    "behind a base with weights": (
        lambda: graph(nested(L.Conv2D(3, 3, padding="same")), L.Rescaling(1 / 255)), UNKNOWN,
    ),
    "two deep": (lambda: graph(nested(nested(L.Rescaling(1 / 255)), L.Conv2D(3, 3))), BYTES),
    "a division": (lambda: graph(lambda x: x / 255.0), BYTES),
    "a division less one": (lambda: graph(lambda x: x / 127.5 - 1.0), BYTES),
    "as applications do": (lambda: graph(keras.applications.mobilenet_v2.preprocess_input), BYTES),
    "a product": (lambda: graph(lambda x: x * (1 / 255)), BYTES),
    "a mean": (lambda: graph(L.Normalization(mean=MEAN, variance=MEAN)), (None, ("range",))),
    "a mean of shares": (lambda: graph(L.Rescaling(1 / 255), L.Normalization(mean=MEAN, variance=MEAN)), BYTES),
    "on both branches": (lambda: branching(L.Rescaling(1 / 255), L.Rescaling(1 / 127.5, offset=-1)), BYTES),
    "on one branch": (lambda: branching(L.Rescaling(1 / 255), L.RandomFlip()), UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_done_to_the_picture_tells_its_range(kind: str) -> None:
    make, (wanted, unknown) = MODELS[kind]
    spec = cs.load_model(make()).spec
    assert (spec.range, spec.unknown) == (wanted, unknown)
    assert (spec.warning is None) == (not unknown)
    if unknown == ("range",):
        assert "the network's input range is unknown" in str(spec.warning)


# --- heads ---------------------------------------------------------------------------------------------------------

HEADS = {
    "softmax": lambda x: ended(x, activation="softmax"),
    "log_softmax": lambda x: ended(x, activation="log_softmax"),
    "activation softmax": lambda x: L.Activation("softmax")(ended(x)),
    "activation log_softmax": lambda x: L.Activation("log_softmax")(ended(x)),
    "sigmoid": lambda x: ended(x, activation="sigmoid"),
    "log_sigmoid": lambda x: ended(x, activation="log_sigmoid"),
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_scores_are_those_before_what_ends_the_head(kind: str) -> None:
    keras.utils.set_random_seed(0)
    start = keras.Input((16, 16, 3))
    model = keras.Model(start, HEADS[kind](L.Conv2D(4, 3)(start)))
    dense = next(layer for layer in model.layers if isinstance(layer, L.Dense))
    net = cs.load_model(model, input=SPEC)
    picture = noise(5, size=16)
    pooled = model.layers[1](picture.permute(0, 2, 3, 1)).mean((1, 2))
    logits = (pooled @ dense.kernel.value + dense.bias.value)[0].detach()
    many = "sigmoid" in kind
    shares = logits.sigmoid() if many else logits.softmax(0)
    for guess in net.predict(picture, top=3)[0]:
        assert guess.score == pytest.approx(float(logits[guess.index]), abs=1e-5)
        assert guess.probability == pytest.approx(float(shares[guess.index]), abs=1e-5)
    assert float(cs.explain(net, picture, 1).arrays["score"]) == pytest.approx(float(logits[1]), abs=1e-5)


@pytest.mark.parametrize(("bits", "close"), [("int8", 0.05), ("int4", 0.5)])
@pytest.mark.parametrize("bias", [True, False])
def test_logits_of_a_quantised_dense_layer(bias: bool, bits: str, close: float) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), L.Flatten(), L.Dense(4, activation="softmax", use_bias=bias, name="head")]
    )
    picture = noise(6, size=16)
    whole = cs.load_model(model, input=SPEC).predict(picture, top=4)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the InputLayer, which has nothing to quantise
        model.quantize(bits)
    assert model.layers[-1].quantization_mode == bits
    net = cs.load_model(model, input=SPEC)
    probabilities = model(picture.permute(0, 2, 3, 1), training=False)[0].detach()
    found = net.predict(picture, top=4)[0]
    for guess in found:
        assert guess.probability == pytest.approx(float(probabilities[guess.index]), abs=1e-5)
    reached = {guess.index: guess.score for guess in found}
    for guess in whole:  # to what so few bits keep
        assert reached[guess.index] == pytest.approx(guess.score, abs=close)
    assert model.layers[-1].activation is keras.activations.softmax, "the layer is left as it was"


# --- more than one picture -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"input": SPEC}])
def test_a_model_of_two_inputs_is_refused_by_name(given: dict[str, Any]) -> None:
    left, right = keras.Input((16, 16, 3), name="photo"), keras.Input((4,), name="age")
    model = keras.Model([left, right], L.Concatenate()([ended(left), right]), name="both")
    with pytest.raises(InputError, match=r"both takes 2 inputs \(photo, age\); expected one picture: wrap it"):
        cs.load_model(model, **given)


def test_a_call_that_takes_two_says_so() -> None:
    net = cs.load_model(Two(), input=SPEC)
    with pytest.raises(NetworkError, match="takes more than one picture; wrap it"):
        net.layers()


def test_one_input_by_name_is_one_picture() -> None:
    start = keras.Input((16, 16, 3), name="photo")
    model = keras.Model({"photo": start}, ended(L.Conv2D(4, 3)(start)))
    assert cs.load_model(model).spec.hw == (16, 16)


@pytest.mark.parametrize("shape", [(16, 3), (4, 16, 16, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    model = keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(2)])
    with pytest.raises(InputError, match="expected one picture"):
        cs.load_model(model)

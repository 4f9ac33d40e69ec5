"""HDF5 files with arithmetic in them, as Keras 2 and Keras 3 write it."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import pytest
import torch
from keras import ops
from keras.src.legacy.saving.saving_utils import model_from_config

import convscope as cs
from convscope.errors import NetworkError
from convscope.models.sources.keras_models.older_configs import OPERATIONS, todays
from tests.networks import noise

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, as it saves
VECTOR = [0.5, 1.5, 2.5]
CALLED: dict[str, tuple[dict[str, Any], Any]] = {
    "math.add": ({"y": 0.25, "name": None}, lambda x: x + 0.25),
    "__operators__.add": ({"y": VECTOR}, lambda x: x + torch.tensor(VECTOR)),
    "nn.bias_add": ({"bias": VECTOR, "data_format": None}, lambda x: x + torch.tensor(VECTOR)),
    "math.subtract": ({"y": 1.0}, lambda x: x - 1.0),
    "__operators__.sub": ({"y": 1.0}, lambda x: x - 1.0),
    "math.multiply": ({"y": [[[VECTOR]]]}, lambda x: x * torch.tensor([[[VECTOR]]])),
    "__operators__.mul": ({"y": 3.0}, lambda x: x * 3.0),
    "math.truediv": ({"y": 127.5, "name": None}, lambda x: x / 127.5),
    "math.divide": ({"y": 4.0}, lambda x: x / 4.0),
    "__operators__.truediv": ({"y": 4.0}, lambda x: x / 4.0),
    "math.maximum": ({"y": 0.5}, lambda x: ops.maximum(x, 0.5)),
    "math.minimum": ({"y": 0.5}, lambda x: ops.minimum(x, 0.5)),
    "math.pow": ({"y": 2.0}, lambda x: x * x),
    "math.negative": ({}, lambda x: -x),
    "math.abs": ({}, ops.abs),
    "math.square": ({}, ops.square),
    "math.sqrt": ({}, ops.sqrt),
    "math.exp": ({}, ops.exp),
    "math.log": ({}, ops.log),
    "math.tanh": ({}, ops.tanh),
    "math.sigmoid": ({}, ops.sigmoid),
    "math.reduce_mean": ({"axis": [1, 2], "keepdims": True}, lambda x: ops.mean(x, [1, 2], keepdims=True)),
    "math.reduce_sum": ({"axis": 3}, lambda x: ops.sum(x, 3)),
    "math.reduce_max": ({"axis": [1, 2], "keepdims": False}, lambda x: ops.max(x, [1, 2])),
    "nn.relu": ({}, ops.relu),
    "nn.relu6": ({"name": "a"}, ops.relu6),
    "nn.sigmoid": ({}, ops.sigmoid),
    "nn.tanh": ({}, ops.tanh),
    "nn.silu": ({}, ops.silu),
    "nn.swish": ({}, ops.silu),
    "nn.elu": ({}, ops.elu),
    "nn.gelu": ({"approximate": False}, lambda x: ops.gelu(x, approximate=False)),
    "nn.leaky_relu": ({"alpha": 0.3}, lambda x: ops.leaky_relu(x, 0.3)),
    "nn.softmax": ({"axis": 2}, lambda x: ops.softmax(x, 2)),
    "cast": ({"dtype": "float32"}, lambda x: x),
    "clip_by_value": ({"clip_value_min": 0.2, "clip_value_max": 0.4}, lambda x: ops.clip(x, 0.2, 0.4)),
    "reshape": ({"shape": [-1, 16, 3]}, lambda x: ops.reshape(x, (-1, 16, 3))),
    "expand_dims": ({"axis": 1}, lambda x: ops.expand_dims(x, 1)),
    "squeeze": ({"axis": None}, ops.squeeze),
    "compat.v1.squeeze": ({"axis": None}, ops.squeeze),
    "image.resize": ({"size": [2, 2], "method": "bilinear"}, lambda x: ops.image.resize(x, (2, 2))),
    "__operators__.getitem": (
        {"slice_spec": [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]},
        lambda x: x.flip(-1),
    ),
}
"""What each is called with in a file of Keras 2, and what it does."""


def layer_of(function: str, arguments: dict[str, Any], before: str, name: str) -> dict[str, Any]:
    """A function as Keras 2 writes it."""
    kind = "SlicingOpLambda" if "getitem" in function else "TFOpLambda"
    config = {"name": name, "trainable": True, "dtype": "float32", "function": function}
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": [[before, 0, 0, arguments]]}


def start_of(name: str, side: int) -> dict[str, Any]:
    config = {"batch_input_shape": [None, side, side, 3], "dtype": "float32", "sparse": False, "ragged": False}
    return {"class_name": "InputLayer", "config": {**config, "name": name}, "name": name, "inbound_nodes": []}


def old_model(function: str, arguments: dict[str, Any]) -> Any:
    """A model of one function, from a configuration of Keras 2."""
    layers = [start_of("in", 4), layer_of(function, arguments, "in", "op")]
    inside = {"name": "m", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [["op", 0, 0]]}
    return model_from_config(json.loads(json.dumps(todays({"class_name": "Functional", "config": inside}))))


FULL = {"start": None, "stop": None, "step": None}


def test_every_function_is_tried() -> None:
    assert set(CALLED) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ([{"class_name": "__ellipsis__"}, 1], lambda x: x[..., 1]),
        ([FULL, {"start": 1, "stop": 3, "step": None}], lambda x: x[:, 1:3]),
        ([FULL, {"start": None, "stop": None, "step": -1}], lambda x: x.flip(1)),
        ([FULL, FULL, {"start": None, "stop": None, "step": -1}, FULL], lambda x: x.flip(2)),
    ],
)
def test_parts_of_a_tensor(spec: list[Any], expected: Any) -> None:
    x = noise(2, size=4, n=2).permute(0, 2, 3, 1)
    assert torch.equal(old_model("__operators__.getitem", {"slice_spec": spec})([x]), expected(x))


@pytest.mark.parametrize("function", CALLED)
def test_a_function_of_tensorflow(function: str) -> None:
    arguments, expected = CALLED[function]
    model = old_model(function, arguments)
    x = 0.1 + 0.8 * torch.rand((2, 4, 4, 3), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model([x]), expected(x), atol=1e-6, rtol=0)


def transfer(inside: Any) -> Any:
    """What transfer learning makes: arithmetic on the picture, a trunk as one layer, and a new head."""
    start = keras.Input((16, 16, 3), name="start")
    x = ops.subtract(ops.true_divide(start, 127.5), 1.0)
    x = keras.layers.GlobalAveragePooling2D()(inside(x))
    return keras.Model(start, keras.layers.Dense(3, name="answer")(x))


def trunk() -> Any:
    keras.utils.set_random_seed(0)
    start = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="deep")(start)
    x = keras.layers.Add()([x, keras.layers.DepthwiseConv2D(3, padding="same")(x)])
    return keras.Model(start, x, name="trunk")


@pytest.mark.parametrize("version", [2, 3])
def test_transfer_learning_in_hdf5(version: int, tmp_path: Path) -> None:
    model, path = transfer(trunk()), tmp_path / "net.h5"
    model.save(path)
    if version == 2:
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            divide, subtract, inside = config["config"]["layers"][1:4]
            config["config"]["layers"][1:3] = [
                layer_of("math.truediv", {"y": 127.5, "name": None}, "start", divide["config"]["name"]),
                layer_of(
                    "math.subtract", {"y": 1.0, "name": None}, divide["config"]["name"], subtract["config"]["name"]
                ),
            ]
            for layer in inside["config"]["layers"]:
                if layer["class_name"] == "DepthwiseConv2D":
                    layer["config"]["groups"] = 1
            file.attrs["model_config"] = json.dumps(config)
    written = path.read_bytes()
    net = cs.load_model(path, labels=["a", "b", "c"])
    assert path.read_bytes() == written
    assert (net.spec.range, net.spec.unknown) == ((0.0, 255.0), ())
    assert "trunk/deep" in {layer.name for layer in net.layers()}
    images = noise(3, size=16, n=2)
    expected = model(255 * images.permute(0, 2, 3, 1))
    torch.testing.assert_close(net.scores(net.run(images), 2), expected, atol=1e-5, rtol=0, check_device=False)
    file = tmp_path / "map.png"
    cs.explain(net, images[:1], "class:b", layer="trunk/deep").save(file)
    cs.replay(file, image=images[:1])


def test_a_function_that_is_not_known(tmp_path: Path) -> None:
    model, path = transfer(trunk()), tmp_path / "net.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        name = config["config"]["layers"][1]["config"]["name"]
        config["config"]["layers"][1] = layer_of("io.read_file", {}, "start", name)
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(NetworkError, match=r"TensorFlow's function 'io.read_file', for which Keras 3 has no layer"):
        cs.load_model(path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = "[1, 2"
    with pytest.raises(NetworkError, match="model_config is no JSON object"):
        cs.load_model(path)


def test_the_mean_that_caffe_took_off_is_of_bytes(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    start = keras.Input((16, 16, 3), name="start")
    x = keras.applications.vgg16.preprocess_input(start)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    model = keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    net = cs.load_model(model, labels=["a", "b", "c"])
    assert (net.spec.range, net.spec.order, net.spec.unknown) == ((0.0, 255.0), "RGB", ())
    path = tmp_path / "net.h5"
    model.save(path)
    again = cs.load_model(path)
    images = noise(1, size=16)
    torch.testing.assert_close(again.scores(again.run(images)), net.scores(net.run(images)))

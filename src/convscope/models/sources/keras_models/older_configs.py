"""The configuration in an HDF5 file, as Keras 2 or 3 wrote it, in the form that Keras 3 reads.

Keras 2 wrote arithmetic on tensors (`x / 127.5`, `x[..., ::-1]`, as `preprocess_input` does) as layers of TensorFlow's
functions, and gave DepthwiseConv2D `groups`. Keras 3 writes arithmetic as operations without their module, and does not
find them again. Only what is in the tables here is translated: nothing of the file names code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from convscope.errors import NetworkError

_FUNCTION_LAYERS = ("TFOpLambda", "SlicingOpLambda")
PICTURE = 4
"""Axes of a batch of pictures, as what a slice of Keras 2 is taken of does not tell its own."""
_HOMES = ("numpy", "nn", "math", "core", "image")


@dataclass(frozen=True)
class _Operation:
    """One of Keras 3's. options: its own by those of TensorFlow's function. second: the argument that is a tensor or
    number beside the first."""

    home: str
    name: str
    options: Mapping[str, str]
    second: str = ""


_AXES = {"axis": "axis", "keepdims": "keepdims"}
_ADD = _Operation("numpy", "Add", {}, "y")
_SUBTRACT = _Operation("numpy", "Subtract", {}, "y")
_MULTIPLY = _Operation("numpy", "Multiply", {}, "y")
_DIVIDE = _Operation("numpy", "TrueDivide", {}, "y")
OPERATIONS: Mapping[str, _Operation] = {
    "math.add": _ADD, "__operators__.add": _ADD, "nn.bias_add": _Operation("numpy", "Add", {}, "bias"),
    "math.subtract": _SUBTRACT, "__operators__.sub": _SUBTRACT,
    "math.multiply": _MULTIPLY, "__operators__.mul": _MULTIPLY,
    "math.truediv": _DIVIDE, "math.divide": _DIVIDE, "__operators__.truediv": _DIVIDE,
    "math.maximum": _Operation("numpy", "Maximum", {}, "y"), "math.minimum": _Operation("numpy", "Minimum", {}, "y"),
    "math.pow": _Operation("numpy", "Power", {}, "y"),
    "math.negative": _Operation("numpy", "Negative", {}), "math.abs": _Operation("numpy", "Absolute", {}),
    "math.square": _Operation("numpy", "Square", {}), "math.sqrt": _Operation("numpy", "Sqrt", {}),
    "math.exp": _Operation("numpy", "Exp", {}), "math.log": _Operation("numpy", "Log", {}),
    "math.tanh": _Operation("numpy", "Tanh", {}), "math.sigmoid": _Operation("nn", "Sigmoid", {}),
    "math.reduce_mean": _Operation("numpy", "Mean", _AXES), "math.reduce_sum": _Operation("numpy", "Sum", _AXES),
    "math.reduce_max": _Operation("numpy", "Max", _AXES),
    "nn.relu": _Operation("nn", "Relu", {}), "nn.relu6": _Operation("nn", "Relu6", {}),
    "nn.sigmoid": _Operation("nn", "Sigmoid", {}), "nn.tanh": _Operation("numpy", "Tanh", {}),
    "nn.silu": _Operation("nn", "Silu", {}), "nn.swish": _Operation("nn", "Silu", {}),
    "nn.elu": _Operation("nn", "Elu", {}), "nn.gelu": _Operation("nn", "Gelu", {"approximate": "approximate"}),
    "nn.leaky_relu": _Operation("nn", "LeakyRelu", {"alpha": "negative_slope"}),
    "nn.softmax": _Operation("nn", "Softmax", {"axis": "axis"}),
    "cast": _Operation("core", "Cast", {"dtype": "dtype"}),
    "clip_by_value": _Operation("numpy", "Clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "reshape": _Operation("numpy", "Reshape", {"shape": "newshape"}),
    "expand_dims": _Operation("numpy", "ExpandDims", {"axis": "axis"}),
    "squeeze": _Operation("numpy", "Squeeze", {"axis": "axis"}),
    "compat.v1.squeeze": _Operation("numpy", "Squeeze", {"axis": "axis"}),
    "image.resize": _Operation("image", "Resize", {"size": "size", "method": "interpolation"}),
    "__operators__.getitem": _Operation("numpy", "GetItem", {}, "slice_spec"),
}  # fmt: skip
"""TensorFlow's functions, as Keras 2 named them, and what they are in Keras 3."""
_FLIP = _Operation("numpy", "Flip", {"axis": "axis"})
_SAME = {"name", "data_format", "validate_indices", "antialias", "preserve_aspect_ratio", "num_or_size_splits"}
"""Arguments that change nothing where they are None, False or the usual layout."""


def todays(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a model, and of those inside it, as Keras 3 reads it; the same where nothing is to be done.

    Raises NetworkError for a function that is not in OPERATIONS.
    """
    inside = config.get("config")
    if not isinstance(inside, dict):
        return dict(config)
    if config.get("class_name") == "DepthwiseConv2D" and "groups" in inside:
        return {**config, "config": {name: value for name, value in inside.items() if name != "groups"}}
    if config.get("class_name") in _FUNCTION_LAYERS:
        return _of_function(config)
    if _is_operation(config):
        home = operation_home(str(config["class_name"]))
        if home is None:
            return dict(config)
        nodes = [_without_ellipsis(node) for node in config["inbound_nodes"]]
        return {**config, "module": home, "registered_name": config["class_name"], "inbound_nodes": nodes}
    result = dict(inside)
    if isinstance(inside.get("layers"), list):
        result["layers"] = [todays(layer) for layer in inside["layers"]]
    if isinstance(inside.get("layer"), dict):  # what TimeDistributed and its like hold
        result["layer"] = todays(inside["layer"])
    return {**config, "config": result}


def _is_operation(config: Mapping[str, Any]) -> bool:
    """Whether Keras 3 wrote it as an operation: no layer, as it has nothing that could be trained, and no module."""
    nodes = config.get("inbound_nodes")
    written_by_3 = isinstance(nodes, list) and bool(nodes) and isinstance(nodes[0], dict)
    return written_by_3 and "trainable" not in config["config"] and "module" not in config


def _of_function(config: Mapping[str, Any]) -> dict[str, Any]:
    """A layer of a function of TensorFlow's as an operation of Keras 3."""
    inside = config["config"]
    function = str(inside.get("function", "__operators__.getitem"))
    operation = OPERATIONS.get(function)
    if operation is None:
        raise NetworkError(
            f"the file uses TensorFlow's function {function!r}, for which Keras 3 has no layer: load it where it was "
            "made, put a layer in its place, and save it as .keras"
        )
    nodes, options = [], {}
    for node in config.get("inbound_nodes", ()):
        first, given = [*node[:3]], dict(node[3]) if len(node) > 3 else {}
        turned = _turned(given.get("slice_spec"))
        if turned is not None:  # Keras 3 takes no slice that runs backwards
            operation, given = _FLIP, {"axis": turned}
        arguments = [_tensor(first)]
        if operation.second:
            arguments.append(_argument(given.pop(operation.second, None)))
        options = {operation.options[name]: given.pop(name) for name in list(given) if name in operation.options}
        if unknown := [name for name, value in given.items() if name not in _SAME and value not in (None, False)]:
            raise NetworkError(
                f"the file gives TensorFlow's {function!r} the argument {unknown[0]!r}, which is unknown"
            )
        nodes.append({"args": arguments, "kwargs": {}})
    name = config.get("name", inside.get("name"))
    return {
        "module": f"keras.src.ops.{operation.home}",
        "class_name": operation.name,
        "registered_name": operation.name,
        "config": {"name": name} | {key: value for key, value in options.items() if value is not None},
        "name": name,
        "inbound_nodes": nodes,
    }


def _tensor(reference: list[Any]) -> dict[str, Any]:
    """What a layer gave, by its name, the number of the call, and of the output; its shape is found anew."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None], "dtype": "float32", "keras_history": reference},
    }


def _argument(value: Any) -> Any:
    """What an operation is given beside its first tensor: a number, another tensor, numbers, or parts of a slice."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return _tensor(value)
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return _spelt_out([_part(part) for part in value], PICTURE)
    if isinstance(value, list):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    return value


def _turned(spec: Any) -> int | None:
    """The one axis that a slice turns round and leaves whole, as `x[..., ::-1]` does; None for another slice."""
    if not isinstance(spec, list):
        return None
    backwards = {"start": None, "stop": None, "step": -1}
    whole = ({"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": None})
    axes = [axis for axis, part in enumerate(spec) if part == backwards]
    if len(axes) != 1 or any(part not in whole for axis, part in enumerate(spec) if axis != axes[0]):
        return None
    return axes[0] - len(spec) if whole[0] in spec[: axes[0]] else axes[0]


def _without_ellipsis(node: Any) -> Any:
    """A call of an operation as Keras 3 wrote it, in whose slices `...` is spelt out."""
    arguments = node.get("args")
    if not isinstance(arguments, list) or len(arguments) != 2 or not isinstance(arguments[1], list):
        return node
    shape = arguments[0].get("config", {}).get("shape", ()) if isinstance(arguments[0], dict) else ()
    return {**node, "args": [arguments[0], _spelt_out(arguments[1], len(shape) or PICTURE)]}


def _spelt_out(parts: list[Any], axes: int) -> list[Any]:
    """A slice with whole axes in place of `...`, which Keras writes into HDF5 files but does not read from them."""
    places = [place for place, part in enumerate(parts) if _is_ellipsis(part)]
    if not places:
        return parts
    whole = [_part({}) for _ in range(axes - len(parts) + 1)]
    return [*parts[: places[0]], *whole, *parts[places[0] + 1 :]]


def _is_ellipsis(part: Any) -> bool:
    return isinstance(part, dict) and part.get("class_name") == "__ellipsis__"


def _part(part: Any) -> Any:
    if isinstance(part, dict) and not _is_ellipsis(part):
        return {"class_name": "__slice__", "config": {key: part.get(key) for key in ("start", "stop", "step")}}
    return part


def operation_home(name: str) -> str | None:
    """The module of Keras's operation of a name; None where there is none."""
    for part in _HOMES:
        module = import_module(f"keras.src.ops.{part}")
        found = vars(module).get(name)
        if isinstance(found, type) and issubclass(found, module.Operation) and found.__module__ == module.__name__:
            return str(module.__name__)
    return None

"""What a Keras model wants at its input, read from the model: its shape, its channels' place, its range."""

from typing import Any

from convscope.errors import InputError
from convscope.models.sources.keras_models.backend import keras_on_torch
from convscope.models.sources.keras_models.layers import sublayers
from convscope.models.sources.keras_models.path import COLOURS, Chain, chains, scaling
from convscope.models.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec

CAFFE_MEAN = (103.939, 116.779, 123.68)
"""BGR, 0..255: what Caffe's networks of 2014 had subtracted."""

# What keras.applications expects, by the mode its preprocess_input documents.
_CAFFE = {"VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"}
_TORCH = {"DenseNet121", "DenseNet169", "DenseNet201"}
_MINUS_ONE_TO_ONE = {
    "InceptionV3", "InceptionResNetV2", "Xception", "MobileNet", "MobileNetV2", "NASNetLarge", "NASNetMobile",
    "ResNet50V2", "ResNet101V2", "ResNet152V2",
}  # fmt: skip


def application_spec(name: str, model: Any) -> InputSpec:
    """What keras.applications says of the network of that name."""
    height, width, channels = _input_shape(model)
    size = (height or 224, width or 224)
    if name in _CAFFE:
        return InputSpec(size=size, channels=channels, range=(0, 255), mean=CAFFE_MEAN, std=1.0, order="BGR")
    if name in _TORCH:
        return InputSpec(size=size, channels=channels, range=(0, 1), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if name in _MINUS_ONE_TO_ONE:
        return InputSpec(size=size, channels=channels, range=(-1, 1), mean=0.0, std=1.0)
    return InputSpec(size=size, channels=channels, range=(0, 255), mean=0.0, std=1.0)  # the model rescales itself


def spec_of(model: Any, size: tuple[int, int] | None = None) -> InputSpec:
    """What a model tells of its input: size and channels; the range where it begins by rescaling.

    size: what to take where it does not fix one. Raises InputError where neither is there.
    """
    height, width, channels = _input_shape(model)
    if size is not None:
        height, width = height or size[0], width or size[1]
    if not height or not width:
        raise InputError(
            f"the Keras model {model.name} does not fix its input size: say it with --input 224 "
            "(input=InputSpec(size=(h, w), ...))"
        )
    told = {_told(chain) for chain in chains(model)}
    known, inside = told.pop() if len(told) == 1 else (None, False)
    mean, std = (0.0, 1.0) if inside else (None, None)
    return InputSpec(size=(height, width), channels=channels, range=known, mean=mean, std=std)


def _told(chain: Chain) -> tuple[tuple[float, float] | None, bool]:
    """The range of pictures that the first layers of a chain take, and whether the model itself takes off their mean.

    A Normalization layer does not say of which range its mean and variance are.
    """
    for step in chain:
        scale = scaling(step)
        if scale is not None:
            return scale.takes, scale.takes is not None
        if type(step.operation).__name__ == "Normalization":
            return None, True
    return None, False


def check_one_picture(model: Any) -> None:
    """Raises InputError for a model of several inputs."""
    inputs = getattr(model, "inputs", None)
    if isinstance(inputs, list | tuple) and len(inputs) > 1:
        names = ", ".join(str(one.name) for one in inputs)
        raise InputError(
            f"the Keras model {model.name} takes {len(inputs)} inputs ({names}); expected one picture: wrap it in a "
            "model that takes the picture alone and gives it the others"
        )


def _input_shape(model: Any) -> tuple[int | None, int | None, int]:
    shape = _shape_of(model)
    if not isinstance(shape, tuple | list) or len(shape) != 4:
        raise InputError(
            f"the Keras model {model.name} takes {shape or 'what it does not say'}; expected one picture (batch, h, w, "
            "channels): say it with --input 224x224x3 (input=InputSpec(size=(h, w), ...))"
        )
    if format_of(model) == "channels_first":
        return shape[2], shape[3], int(shape[1] or 3)
    return shape[1], shape[2], int(shape[3] or 3)


def _shape_of(model: Any) -> Any:
    """The shape of the model's input; of a model of one's own class the one that it was built for."""
    inputs = getattr(model, "inputs", None)
    if isinstance(inputs, list | tuple) and len(inputs) == 1:
        return tuple(inputs[0].shape)
    return ((model.get_build_config() if model.built else None) or {}).get("input_shape")


def format_of(model: Any) -> str:
    """Where the channels of the model's input are, "channels_first" or "channels_last"."""
    for chain in chains(model):
        for step in chain:
            if type(step.operation).__name__ in ("Permute", "Transpose", "Reshape"):
                break  # what comes after it has its channels elsewhere
            if result := _format(step.operation):
                return result
    shape = _shape_of(model)
    if isinstance(shape, tuple | list) and len(shape) == 4:
        # as the size of a side these are too few
        first, last = shape[1] in COLOURS, shape[3] in COLOURS
        if first != last:
            return "channels_first" if first else "channels_last"
    return str(keras_on_torch().config.image_data_format())


def _format(layer: Any) -> str | None:
    """The format that a layer states, or the first of its own layers that states one."""
    stated = getattr(layer, "data_format", None)
    if stated in ("channels_first", "channels_last") and type(layer).__name__ != "Flatten":  # which goes by none
        return str(stated)
    return next((result for inner in sublayers(layer) if (result := _format(inner))), None)

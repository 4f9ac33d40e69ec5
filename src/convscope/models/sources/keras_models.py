"""Keras 3 networks, run by Keras's torch backend. The only file that imports keras.

A Keras layer is a torch module, so hooks work on it as on any other; what differs is kept here: names, channels
last, kernels stored as `kh kw in out`, and activations fused into layers.
"""

import copy
import io
import os
import random
import re
import sys
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convscope.errors import InputError, MissingExtraError, NetworkError, NotFetchedError, UnknownNameError
from convscope.models.adapter import Squash
from convscope.models.class_scores import Output
from convscope.models.labels import Labels, ensure_labels, imagenet_labels
from convscope.models.network import Network
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


class KerasAdapter:
    """A Keras 3 model on the torch backend, with the names of its layers (`outer/inner` where models nest)."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._modules = dict(_walk(model))
        formats = [getattr(layer, "data_format", None) for layer in self._modules.values()]
        known = [value for value in formats if value in ("channels_first", "channels_last")]
        self._default = known[0] if known else _keras().config.image_data_format()

    @property
    def root(self) -> nn.Module:
        root: nn.Module = self._model
        return root

    def copied(self) -> "KerasAdapter":
        return KerasAdapter(copy.deepcopy(self._model))

    def modules(self) -> Mapping[str, nn.Module]:
        return self._modules

    def changed(self) -> bool:
        now = dict(_walk(self._model))
        return now.keys() != self._modules.keys() or any(now[name] is not self._modules[name] for name in now)

    def is_container(self, name: str) -> bool:
        return bool(getattr(self._modules[name], "layers", ()))

    def is_weight(self, name: str) -> bool:
        return not name.endswith("/seed_generator_state")  # of Dropout and augmentation

    def forward(self, images: Tensor) -> Any:
        return self._model(images if self._default == "channels_first" else images.permute(0, 2, 3, 1), training=False)

    def squashed(self, name: str, inputs: tuple[Any, ...]) -> tuple[Tensor, Squash] | None:
        layer: Any = self._modules[name]
        keras = _keras()
        if not inputs or not isinstance(inputs[0], Tensor):
            return None
        if isinstance(layer, keras.layers.Softmax):
            return inputs[0], "softmax"
        activation = getattr(layer, "activation", None)
        functions = keras.activations
        kinds: dict[Any, Squash] = {
            functions.softmax: "softmax", functions.log_softmax: "softmax", functions.sigmoid: "sigmoid",
            functions.log_sigmoid: "sigmoid",
        }  # fmt: skip
        if activation not in kinds:
            return None
        if isinstance(layer, keras.layers.Activation):
            return inputs[0], kinds[activation]
        if isinstance(layer, keras.layers.Dense):
            return _dense_logits(layer, inputs[0]), kinds[activation]
        return None

    def kernel(self, name: str) -> Tensor | None:
        layer: Any = self._modules[name]
        keras = _keras()
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


def _dense_logits(layer: Any, inputs: Tensor) -> Tensor:
    """What a Dense layer gives before its activation."""
    if getattr(layer, "quantization_mode", None):  # its kernel has a scale: let the layer itself multiply
        activation = layer.activation
        try:
            layer.activation = _keras().activations.linear
            quantised: Tensor = layer.call(inputs)
            return quantised
        finally:
            layer.activation = activation
    logits = torch.matmul(inputs, layer.kernel.value)
    return logits if layer.bias is None else logits + layer.bias.value


def _walk(model: Any, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    keras = _keras()
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        name = prefix + layer.name
        yield name, layer
        if getattr(layer, "layers", None):
            yield from _walk(layer, f"{name}/")


def load(
    name: Any,
    *,
    input: InputSpec | None,
    labels: Sequence[str] | Labels | None,
    output: Output,
    weights: str | None,
    trust: bool,
    download: bool,
) -> Network:
    """A Keras network: a name of keras.applications, a `.keras` file, or a live model."""
    keras = _keras()
    if not isinstance(name, str):
        if weights is not None:
            raise InputError("weights= is for named networks; a live model brings its own")
        return _network(name, name.name, None, {}, input, ensure_labels(labels), output, "a live Keras model")
    if name.endswith(".keras"):
        if weights is not None:
            raise InputError("weights= is for named networks; a .keras file brings its own")
        model = _load_file(Path(name), trust)
        return _network(model, Path(name).stem, name, {}, input, ensure_labels(labels), output, "saved by Keras")
    kinds = {kind: value for kind, value in vars(keras.applications).items() if isinstance(value, type(load))}
    if name not in kinds:
        raise UnknownNameError("Keras application", name, kinds)
    if weights not in (None, "none", "imagenet"):
        _check_version()
    model = _application(kinds[name], name, weights, download)
    with_labels = imagenet_labels() if labels is None and weights in (None, "imagenet") else ensure_labels(labels)
    options = {"weights": weights} if weights else {}
    note = {"none": "random weights", None: "ImageNet weights"}.get(weights, f"weights of {weights}")
    spec = input or _application_spec(name, model)
    return _network(model, name, f"keras:{name}", options, spec, with_labels, output, note)


def _network(
    model: Any,
    name: str,
    source: str | None,
    options: dict[str, Any],
    spec: InputSpec | None,
    labels: Labels,
    output: Output,
    note: str,
) -> Network:
    return Network(
        KerasAdapter(model), name=name, spec=spec or _spec_of(model), labels=labels, source=source,
        options=options, output=output, note=note,
    )  # fmt: skip


def _application(build: Any, name: str, weights: str | None, download: bool) -> Any:
    try:
        with _BUILDING, _seeded(0), _fresh_names(), redirect_stdout(_Downloads()), _fetching(name, download):
            return build(weights="imagenet" if weights is None else None if weights == "none" else weights)
    except NotFetchedError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        url = re.search(r"https?://\S+", text)
        if weights is None and url:
            file = url.group().rstrip(":").rsplit("/", 1)[-1]
            folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
            raise NetworkError(
                f"the weights of keras:{name} could not be fetched: put {file} into {folder}, "
                "or ask for random ones with weights='none' (--weights none)"
            ) from None
        raise NetworkError(f"keras:{name} cannot be built with weights {weights!r}: {text[:300]}") from None


_BUILDING = threading.RLock()
"""Building a network changes what the whole process has: random states, the numbers of layers, how Keras fetches."""


class _Refused(BaseException):
    """Of a download. No Exception: after one of these Keras removes the file that it would have replaced."""


@contextmanager
def _fetching(name: str, allowed: bool) -> Iterator[None]:
    """Unless allowed, this thread downloads nothing within it. Raises NotFetchedError where Keras would."""
    from keras.src.utils import file_utils

    fetch, owner = file_utils.urlretrieve, threading.get_ident()

    def refused(url: str, *given: Any) -> Any:
        if threading.get_ident() != owner:
            return fetch(url, *given)
        raise _Refused(url.rsplit("/", 1)[-1])

    try:
        if not allowed:
            file_utils.urlretrieve = refused
        yield
    except _Refused as file:
        raise NotFetchedError(f"the weights of keras:{name} are not here ({file}) and would be downloaded") from None
    finally:
        file_utils.urlretrieve = fetch


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Keras draws its first weights from global random states: set them, and put them back."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            _keras().utils.set_random_seed(seed)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextmanager
def _fresh_names() -> Iterator[None]:
    """Keras numbers layers through the whole process: count from the start, so that a network has its names each
    time, and put the counts back."""
    from keras.src.backend.common import global_state

    key = "object_name_uids"
    before = global_state.get_global_attribute(key)
    global_state.set_global_attribute(key, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(key, before)


class _Downloads(io.TextIOBase):
    """Keras tells of downloads on standard output, which belongs to --json. This sends that to standard error, the
    announcement only when something follows it: of a download that fails, the error says all."""

    def __init__(self) -> None:
        self._announced = ""

    def write(self, text: str) -> int:
        if "Downloading data from" in text or (self._announced and not text.strip()):
            self._announced += text
        else:
            sys.stderr.write(self._announced + text)
            self._announced = ""
        return len(text)


SAFE_KERAS = (3, 14, 1)
"""The first that refuses HDF5 files whose weights lie in other files: external data, links and virtual data."""


def _check_version() -> None:
    """Raises NetworkError where this Keras would let a file read others."""
    found = str(_keras().__version__)
    if tuple(int(number) for number in re.findall(r"\d+", found)[:3]) < SAFE_KERAS:
        wanted = ".".join(map(str, SAFE_KERAS))
        raise NetworkError(
            f"Keras {found} does not refuse every file whose weights lie in other files of this machine: "
            f"pip install 'keras>={wanted}'"
        )


def _load_file(path: Path, trust: bool) -> Any:
    _check_version()
    if not zipfile.is_zipfile(path):
        raise NetworkError(f"{str(path)!r} is no .keras file (a zip archive saved by Keras 3)")
    try:
        with warnings.catch_warnings(record=True) as warned:  # of a file that cannot be loaded, the error says all
            model = _keras().saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        if not trust and "safe" in text.lower():
            raise NetworkError(
                f"{str(path)!r} holds code of its own (a Lambda layer, say), which is not run: "
                "if you trust whoever made it, say --trust (trust=True)"
            ) from None
        raise NetworkError(f"{str(path)!r} cannot be loaded by Keras: {text}") from None
    for one in warned:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return model


def _application_spec(name: str, model: Any) -> InputSpec:
    height, width, channels = _input_shape(model)
    size = (height or 224, width or 224)
    if name in _CAFFE:
        return InputSpec(size=size, channels=channels, range=(0, 255), mean=CAFFE_MEAN, std=1.0, order="BGR")
    if name in _TORCH:
        return InputSpec(size=size, channels=channels, range=(0, 1), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if name in _MINUS_ONE_TO_ONE:
        return InputSpec(size=size, channels=channels, range=(-1, 1), mean=0.0, std=1.0)
    return InputSpec(size=size, channels=channels, range=(0, 255), mean=0.0, std=1.0)  # the model rescales itself


def _spec_of(model: Any) -> InputSpec:
    """What a saved model tells of its input: size and channels; the range where it begins by rescaling."""
    height, width, channels = _input_shape(model)
    if not height or not width:
        raise InputError(
            f"the Keras model {model.name} does not fix its input size: give input=InputSpec(size=(h, w), ...)"
        )
    rescales = any(type(layer).__name__ == "Rescaling" for layer in model.layers[:3])
    if rescales:
        return InputSpec(size=(height, width), channels=channels, range=(0, 255), mean=0.0, std=1.0)
    return InputSpec(size=(height, width), channels=channels)


def _input_shape(model: Any) -> tuple[int | None, int | None, int]:
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise InputError(f"the Keras model {model.name} takes {shape}; expected one picture (batch, h, w, channels)")
    if _keras().config.image_data_format() == "channels_first":
        return shape[2], shape[3], int(shape[1])
    return shape[1], shape[2], int(shape[3] or 3)


def _keras() -> Any:
    """Keras on its torch backend; which backend it runs on is fixed when it is first imported."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        raise MissingExtraError("a Keras network", "keras", "keras") from None
    if keras.config.backend() != "torch":
        raise NetworkError(
            f"Keras runs on its {keras.config.backend()} backend here; convscope needs torch: set "
            "KERAS_BACKEND=torch before anything imports keras"
        )
    return keras

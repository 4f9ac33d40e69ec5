"""Opening Keras networks: by the name of an application, from a file, or live."""

import os
import re
from pathlib import Path
from typing import Any

from convscope.errors import InputError, NetworkError, NotFetchedError, UnknownNameError
from convscope.models.labels import imagenet_labels
from convscope.models.network import Network
from convscope.models.sources.keras_models.backend import check_version, keras_on_torch
from convscope.models.sources.keras_models.building import building
from convscope.models.sources.keras_models.contract import application_spec
from convscope.models.sources.keras_models.files import load_file
from convscope.models.sources.keras_models.handle import network_of
from convscope.models.sources.wanted import Wanted
from convscope.models.vgg import BLOCKS, DEEPER, relu_names

_VGG = {"VGG16": BLOCKS, "VGG19": DEEPER}
"""Whose convolutions end in their rectifiers: block4_conv2 is what papers call relu4_2."""


def load(name: Any, wanted: Wanted) -> Network:
    """A Keras network: a name of keras.applications, a file, or a live model."""
    if not isinstance(name, str):
        check_brings_its_own(wanted, "a live model")
        return network_of(name, wanted, name=name.name, note="a live Keras model")
    if suffix := Path(name).suffix.lower():
        check_brings_its_own(wanted, f"a {suffix} file")
        return load_file(Path(name), wanted)
    keras = keras_on_torch()
    kinds = {kind: value for kind, value in vars(keras.applications).items() if isinstance(value, type(load))}
    if name not in kinds:
        raise UnknownNameError("Keras application", name, kinds)
    weights = wanted.weights
    if weights not in (None, "none", "imagenet"):
        check_version()
    model = _application(kinds[name], name, weights, wanted.download)
    return network_of(
        model,
        wanted,
        name=name,
        source=f"keras:{name}",
        options={"weights": weights} if weights else {},
        own=application_spec(name, model),
        labels=imagenet_labels() if weights in (None, "imagenet") else None,
        note={"none": "random weights", None: "ImageNet weights"}.get(weights, f"weights of {weights}"),
        trained=weights != "none",
        aliases=relu_names(_VGG[name], lambda block, position: f"block{block}_conv{position}")
        if name in _VGG
        else None,
    )


def check_brings_its_own(wanted: Wanted, what: str) -> None:
    """Raises InputError where weights were given for a network that brings its own."""
    if wanted.weights is not None:
        raise InputError(f"weights= is for named networks; {what} brings its own")


def _application(build: Any, name: str, weights: str | None, download: bool) -> Any:
    try:
        with building(name, download):
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

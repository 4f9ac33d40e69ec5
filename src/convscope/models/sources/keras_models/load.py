"""Opening Keras networks: by the name of an application, from a file, or live."""

import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from convscope.errors import InputError, NetworkError, NotFetchedError, UnknownNameError
from convscope.models.class_scores import Output
from convscope.models.labels import Labels, ensure_labels, imagenet_labels
from convscope.models.network import Network
from convscope.models.sources.keras_models.adapter import KerasAdapter
from convscope.models.sources.keras_models.backend import check_version, keras_on_torch
from convscope.models.sources.keras_models.building import building
from convscope.models.sources.keras_models.contract import application_spec, check_one_picture, spec_of
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec


def load(name: Any, wanted: Wanted) -> Network:
    """A Keras network: a name of keras.applications, a `.keras` file, or a live model."""
    weights, labels, output = wanted.weights, wanted.labels, wanted.output
    keras = keras_on_torch()
    if not isinstance(name, str):
        if weights is not None:
            raise InputError("weights= is for named networks; a live model brings its own")
        return _network(name, name.name, None, {}, wanted.input, ensure_labels(labels), output, "a live Keras model")
    if name.endswith(".keras"):
        if weights is not None:
            raise InputError("weights= is for named networks; a .keras file brings its own")
        model = _load_file(Path(name), wanted.trust)
        return _network(model, Path(name).stem, name, {}, wanted.input, ensure_labels(labels), output, "saved by Keras")
    kinds = {kind: value for kind, value in vars(keras.applications).items() if isinstance(value, type(load))}
    if name not in kinds:
        raise UnknownNameError("Keras application", name, kinds)
    if weights not in (None, "none", "imagenet"):
        check_version()
    model = _application(kinds[name], name, weights, wanted.download)
    with_labels = imagenet_labels() if labels is None and weights in (None, "imagenet") else ensure_labels(labels)
    options = {"weights": weights} if weights else {}
    note = {"none": "random weights", None: "ImageNet weights"}.get(weights, f"weights of {weights}")
    spec = wanted.input or application_spec(name, model)
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
    check_one_picture(model)
    return Network(
        KerasAdapter(model),
        name=name,
        spec=spec or spec_of(model),
        labels=labels,
        source=source,
        options=options,
        output=output,
        note=note,
    )


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


def _load_file(path: Path, trust: bool) -> Any:
    check_version()
    if not zipfile.is_zipfile(path):
        raise NetworkError(f"{str(path)!r} is no .keras file (a zip archive saved by Keras 3)")
    try:
        with warnings.catch_warnings(record=True) as warned:  # of a file that cannot be loaded, the error says all
            model = keras_on_torch().saving.load_model(path, compile=False, safe_mode=not trust)
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

"""Keras models from files: `.keras`, HDF5 of any age, and what Teachable Machine exports."""

import json
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.errors import InputError, NetworkError
from convscope.models.card import CARD, card_from
from convscope.models.labels import Labels, labels_from
from convscope.models.network import Network
from convscope.models.sources.keras_models.backend import check_version, keras_on_torch
from convscope.models.sources.keras_models.handle import network_of
from convscope.models.sources.keras_models.older_configs import todays
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec

TEACHABLE, LABELS = "keras_model.h5", "labels.txt"
"""The files that Teachable Machine's Keras export consists of."""
MOST_OF_MEMBER = 2 << 30
"""Bytes of a file in an archive."""


def load_file(path: Path, wanted: Wanted) -> Network:
    """A saved model, with the labels in the file or in a labels.txt beside it.

    Raises NetworkError where Keras cannot load it, or it holds code and is not trusted.
    """
    check_version()
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with _unpacked(path) as folder:
            net = load_file(folder / TEACHABLE, wanted)
        net.name, net.source = path.stem, str(path)
        return net
    model = _keras_archive(path, wanted.trust) if suffix == ".keras" else _hdf5(path, wanted.trust)
    card = card_from(_member(path, CARD)) if suffix == ".keras" else None
    labels = card.labels if card else _labels_beside(path, model)
    options = {"labels": list(labels.names)} if labels and not card else {}
    own = card.input if card else _teachable_contract(path, model)
    note = card.note if card else "a Keras export of Teachable Machine" if own else f"saved by Keras as {suffix}"
    return network_of(
        model, wanted, name=path.stem, source=str(path), options=options, own=own, labels=labels, note=note
    )


def _keras_archive(path: Path, trust: bool) -> Any:
    if not zipfile.is_zipfile(path):
        raise NetworkError(f"{str(path)!r} is no .keras file (a zip archive saved by Keras 3)")
    return _loaded(path, trust)


def _hdf5(path: Path, trust: bool) -> Any:
    import h5py

    if not h5py.is_hdf5(path):
        raise NetworkError(f"{str(path)!r} is no HDF5 file")
    with h5py.File(path, "r") as file:
        told = file.attrs.get("model_config")
    if told is None:
        raise NetworkError(
            f"{str(path)!r} holds weights alone: name the network they are of, as in --model keras:VGG16 --weights "
            f"{path.name}"
        )
    config = _json(path, told)
    present = todays(config)
    if present == config:
        return _loaded(path, trust)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(present)
        return _loaded(copy, trust, name=str(path))


def _json(path: Path, text: Any) -> dict[str, Any]:
    try:
        result = json.loads(text)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        raise NetworkError(f"{str(path)!r} does not tell its layers: its model_config is no JSON object")
    return result


def _loaded(path: Path, trust: bool, name: str | None = None) -> Any:
    """The model in a file. name: of the file that it was copied from, for messages."""
    name = name or str(path)
    try:
        with warnings.catch_warnings(record=True) as warned:  # of a file that cannot be loaded, the error says all
            model = keras_on_torch().saving.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:
        text = " ".join(str(error).split())
        if not trust and ("safe_mode" in text or "lambda" in text.lower()):
            raise NetworkError(
                f"{name!r} holds code of its own (a Lambda layer, say), which is not run: "
                "if you trust whoever made it, say --trust (trust=True)"
            ) from None
        if "custom" in text.lower() or "Unknown layer" in text or "Could not locate class" in text:
            raise NetworkError(
                f"{name!r} uses classes that Keras does not know: {text[:160]}; load it in Python where they are "
                "defined, and give the model to load_model"
            ) from None
        raise NetworkError(f"{name!r} cannot be loaded by Keras: {text[:300]}") from None
    for one in warned:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return model


def _labels_beside(path: Path, model: Any) -> Labels | None:
    """The names in a labels.txt beside the file, where there are as many as the model has classes."""
    beside = path.parent / LABELS
    if not beside.is_file():
        return None
    try:
        labels = labels_from(beside)
    except InputError:
        return None
    scores = getattr(model, "output_shape", (0,))[-1]
    fits = len(labels.names) == scores or (scores == 1 and len(labels.names) == 2)  # against it, and for it
    return labels if fits else None


def _teachable_contract(path: Path, model: Any) -> InputSpec | None:
    """What Teachable Machine's own example does to a picture (x/127.5 - 1), for the files that it exports: a
    keras_model.h5 with a labels.txt whose lines are numbered."""
    labels = path.parent / LABELS
    shape: Any = getattr(model, "input_shape", ())
    if path.name != TEACHABLE or not labels.is_file() or len(shape) != 4 or None in shape[1:]:
        return None
    lines = labels.read_text(encoding="utf-8-sig", errors="replace").rstrip().splitlines()
    if not all(line.split()[:1] == [str(i)] for i, line in enumerate(lines)):
        return None
    return InputSpec(size=(shape[1], shape[2]), channels=shape[3], range=(-1.0, 1.0), mean=0.0, std=1.0)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The model and labels in an archive, in a folder for a while; its own paths are not followed."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name in (TEACHABLE, LABELS):
            data = _member(path, name, whole=True)
            if data is not None:
                (Path(folder) / name).write_bytes(data)
                found.append(name)
        if TEACHABLE not in found:
            raise NetworkError(
                f"{str(path)!r} has no {TEACHABLE}; expected a Keras export of Teachable Machine (Export Model, "
                "Tensorflow, Keras), or a network file that is not packed"
            )
        yield Path(folder)


def _member(path: Path, name: str, *, whole: bool = False) -> Any:
    """A file in an archive by its own name, wherever it lies there; as text unless `whole`. None without one."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if PurePosixPath(info.filename).name == name and not info.is_dir():
                    if info.file_size > MOST_OF_MEMBER:
                        raise NetworkError(f"{name} in {str(path)!r} is too large")
                    with archive.open(info) as file:
                        data = file.read(MOST_OF_MEMBER)
                    return data if whole else data.decode("utf-8", errors="replace")
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise NetworkError(f"{str(path)!r} cannot be read as an archive: {error}") from None
    return None

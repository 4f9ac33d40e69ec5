"""What a training leaves in its folder: the network, its labels, its answers, and a page of all this."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convscope.datasets.labelled import relative
from convscope.errors import ConvscopeError
from convscope.models.card import Card
from convscope.models.find import kind_of
from convscope.models.load import load_model
from convscope.models.network import Network
from convscope.models.saving import exported, weights_file
from convscope.progress import Watch
from convscope.results.files import write_whole
from convscope.results.table import write_table
from convscope.results.training import Training, confusion_of
from convscope.training.loop import State
from convscope.verbs.calls import recipe_of
from convscope.verbs.train.judging import Judged
from convscope.verbs.train.page import page_of

NETWORK, LABELS, PREDICTIONS, TOLD, PAGE = "network", "labels.txt", "predictions.csv", "training.json", "index.html"


def written(
    judged: Judged, began: Network, folder: Path, data: Path, options: Mapping[str, Any], watch: Watch
) -> Training:
    """All files, and the result. began: the network that training began with."""
    net = judged.net
    card = _card(net, began, options)
    notes = list(judged.notes)
    files = []
    if net.adapter.trains_whole:
        written, note = _weights(net, folder, card)
        files.append(written)
        notes += [note] if note else []
    try:
        files.append(exported(net, folder / NETWORK, card))
    except ConvscopeError as error:
        notes.append(str(error))
    _remove_others(folder, files)
    files.append(_labels_file(net, folder))
    rows = [row | {"path": relative(row["path"], data)} for row in judged.rows()]
    files.append(write_table(folder / PREDICTIONS, rows, list(rows[0])))
    result = _result(judged, began, options, notes, [])
    files.append(write_whole(folder / PAGE, page_of(result, judged, data, watch).encode()))
    told = dict(result.summary().data) | {"options": dict(options), "history": result.arrays["history"].tolist()}
    files.append(write_whole(folder / TOLD, json.dumps(told, indent=1).encode()))
    return _result(judged, began, options, notes, [str(file) for file in files])


def written_so_far(
    net: Network,
    state: State,
    counts: tuple[int, int],
    began: Network,
    folder: Path,
    options: Mapping[str, Any],
    told: str,
) -> Training:
    """The network of a training that was stopped, and the result as far as it is. counts: of the pictures to train by
    and of those held out."""
    card = _card(net, began, options)
    network = _weights(net, folder, card)[0] if net.adapter.trains_whole else exported(net, folder / NETWORK, card)
    _remove_others(folder, [network])
    files = [network, _labels_file(net, folder)]
    k = len(net.labels.names)
    return Training(
        {
            "history": _history(state),
            "probabilities": np.zeros((0, k), dtype=np.float32),
            "labels": np.zeros(0, dtype=np.float32),
            "confusion": np.zeros((k, k), dtype=np.float32),
        },
        Training.needs,
        recipe_of("train", began, options, notes=[told], stopped=True),
        {
            "accuracy": state.history[state.best].held_accuracy,
            "classes": list(net.labels.names),
            "trained": counts[0],
            "held_out": counts[1],
            "epochs": len(state.history),
            "best": state.best + 1,
            "frozen": options["frozen"],
            "files": [str(file) for file in files],
            "finished": False,
        },
    )


def _weights(net: Network, folder: Path, card: Card) -> tuple[Path, str]:
    """The weights, in a file that builds the network again where that can be done, and what has to be known of it."""
    path = folder / f"{NETWORK}.safetensors"
    why = "the network is known to this process alone"
    if card.architecture:
        weights_file(net, path, card)
        try:
            again = load_model(path, trust=True)  # code that it is made by was run here before
            same = again.weights_hash() == net.weights_hash()
            why = "what it is made by gives another network"
            if same:
                return path, ""
        except ConvscopeError as error:
            why = str(error)
    weights_file(net, path, replace(card, architecture=""))
    return path, f"{path.name} holds weights alone, which load with the code that made the network ({why})"


def _remove_others(folder: Path, files: Sequence[Path]) -> None:
    """Remove the networks of an earlier training in this folder, which would be taken for this one."""
    for ending in (".safetensors", ".pt2", ".keras"):
        other = folder / f"{NETWORK}{ending}"
        if other not in files:
            other.unlink(missing_ok=True)


def _card(net: Network, began: Network, options: Mapping[str, Any]) -> Card:
    source = began.architecture
    if kind_of(source) == "code" and source.rpartition(":")[0].endswith(".py"):
        source = str(Path(source).absolute())  # so that it is found from another folder, too
    return Card(
        architecture=source,
        labels=net.labels,
        input=net.spec,
        output=net.output,
        note=net.note,
        training=dict(options),
    )


def _labels_file(net: Network, folder: Path) -> Path:
    return write_whole(folder / LABELS, "".join(f"{name}\n" for name in net.labels.names).encode())


def _history(state: State) -> np.ndarray:
    rows = [[epoch.loss, epoch.accuracy, epoch.held_loss, epoch.held_accuracy] for epoch in state.history]
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def _result(judged: Judged, began: Network, options: Mapping[str, Any], notes: list[str], files: list[str]) -> Training:
    names, held = judged.net.labels.names, judged.held
    labels, probabilities = judged.labels[-held:], judged.probabilities[-held:]
    named = probabilities.argmax(1)
    confusion = confusion_of(labels, named, len(names))
    counts = confusion.sum(1)
    return Training(
        {
            "history": _history(judged.state),
            "probabilities": probabilities,
            "labels": labels.astype(np.float32),
            "confusion": confusion.astype(np.float32),
        },
        Training.needs,
        recipe_of("train", began, options, notes=notes),
        {
            "accuracy": float((named == labels).mean()),
            "chance": float(counts.max() / held),
            "classes": list(names),
            "per_class": [
                {
                    "name": name,
                    "count": int(counts[i]),
                    "accuracy": float(confusion[i, i] / counts[i]) if counts[i] else 0.0,
                }
                for i, name in enumerate(names)
            ],
            "trained": len(judged.items) - held,
            "held_out": held,
            "epochs": len(judged.state.history),
            "best": judged.state.best + 1,
            "frozen": judged.frozen,
            "worst": judged.worst(),
            "files": files,
            "broken": judged.broken,
        },
    )

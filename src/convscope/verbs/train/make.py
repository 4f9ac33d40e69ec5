"""`convscope.train`: a network that tells the classes of a folder apart, new or fine-tuned."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from convscope.datasets.labelled import Dataset, from_folder, with_hashes, without
from convscope.datasets.split import Parts, split, weights_of
from convscope.datasets.table import from_table
from convscope.errors import ImageError, InputError, ResultError
from convscope.memory import memory_watched
from convscope.models.find import kind_of
from convscope.models.fitting import Fit
from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.new_head import Head, features, head_of, with_classes
from convscope.options import MOST_SEED, About, check_given
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.results.files import check_place
from convscope.results.training import Training
from convscope.taps.batching import images_at_once
from convscope.training.learners import Frozen, HeadLearner, Learner, NetworkLearner, frozen_up_to
from convscope.training.loop import State, Trainer
from convscope.training.plan import Plan
from convscope.verbs.train.judging import AT_ONCE, judged
from convscope.verbs.train.pictures import Pictures
from convscope.verbs.train.saving import written, written_so_far
from convscope.verbs.verb import verb

RESUME = "resume.state"
"""Where training is, in the folder of its results: the same call goes on from there."""
SAVED_EVERY = 20.0
"""Seconds between writing that down."""
ALL, NONE = "all", "none"
TAKEN = "taken for a trained network, so its last layer alone was trained: frozen='none' trains all"
"""Of a network of which nobody says whether its weights were trained."""


@dataclass(frozen=True)
class _Usual:
    """What stands in where an option of training is not given."""

    epochs: int
    batch: int
    lr: float
    patience: int


USUAL = {"head": _Usual(60, 32, 3e-3, 15), "fine": _Usual(10, 16, 3e-4, 4), "scratch": _Usual(30, 16, 1e-3, 10)}
"""For the last layer alone, for a trained network, and for one from scratch."""


@memory_watched("train")
@verb
def train(
    net: Network,
    data: str | Path,
    out: str | Path,
    *,
    frozen: Annotated[
        str | None,
        About(
            "what keeps its weights: all (but the last layer), none, or a layer with all before it",
            unset="all for a trained network, none for a random one",
        ),
    ] = None,
    epochs: Annotated[
        int | None, About("passes over the pictures, at most", 1, 100000, unset="60, 10 or 30, as little is trained")
    ] = None,
    lr: Annotated[float | None, About("the highest learning rate", 1e-9, 10, unset="0.003, 0.0003 or 0.001")] = None,
    batch: Annotated[int | None, About("pictures a step", 1, 4096, unset="32 or 16")] = None,
    patience: Annotated[
        int | None, About("epochs without getting better, then it ends", 1, 100000, unset="15, 4 or 10")
    ] = None,
    held_out: Annotated[float, About("the share of each class that is not trained by but judged", 0.01, 0.9)] = 0.2,
    group: Annotated[str, About("a pattern in file names; pictures for which it is the same stay together")] = "",
    augment: Annotated[bool, About("mirror, shift, enlarge and lighten pictures at random")] = True,
    balanced: Annotated[bool, About("let each class count the same, however many pictures it has")] = True,
    seed: Annotated[int, About("of the split, the order and all that is random", 0, MOST_SEED)] = 0,
    fit: Annotated[Fit, About("how pictures are brought to the network's size")] = "crop",
    watch: Watch = unwatched,
) -> Training:
    """Train a copy of a network to tell the classes of a folder apart. The network itself is left alone.

    data: a folder with a folder of pictures for each class; or with train/ and val/ (valid, validation, dev, test)
        that have these; or a table, .csv or .parquet, with the columns path, label and, if it says the parts, split.
    out: a folder for the results: `network.safetensors` (which load_model takes), `network.pt2` or `network.keras`,
        `labels.txt`, `predictions.csv`, `training.json`, `index.html`, and `resume.state`, from which the same call
        goes on where it was stopped.

    With frozen="all" what the last layer is given is computed once for each picture, plain and mirrored, so that
    training takes seconds. Order and augmentation are functions of seed, epoch and picture: a training that was killed
    and goes on ends as one that never was.

    Raises InputError for data that cannot be trained by, and ResultError where `out` holds another training.
    """
    options = {
        "frozen": frozen, "epochs": epochs, "lr": lr, "batch": batch, "patience": patience, "held_out": held_out,
        "group": group, "augment": augment, "balanced": balanced, "seed": seed, "fit": fit,
    }  # fmt: skip
    check_given(train, options)
    taken_for_trained = frozen is None and net.trained and (net.source is None or kind_of(net.source) == "code")
    frozen = frozen or (ALL if net.trained else NONE)
    if frozen != ALL and not net.adapter.trains_whole:
        raise InputError(f"frozen is {frozen!r}; of {net.name} the last layer alone can be trained here: 'all'")
    if frozen not in (ALL, NONE):
        net.layer(frozen)
    usual = USUAL["head" if frozen == ALL else "fine" if net.trained else "scratch"]
    folder = Path(out)
    check_place(folder / RESUME)
    job = _Job(net, folder, watch, fit)
    settled: dict[str, Any] = {}
    with keeping(lambda: job.done, lambda: job.so_far(settled)):
        dataset = job.read(Path(data))
        parts = split(dataset, held_out, seed, group)
        job.head = head_of(net)
        plan = Plan(
            epochs=epochs or usual.epochs, batch=batch or usual.batch, lr=lr or usual.lr, weight_decay=1e-4,
            patience=patience or usual.patience, seed=seed, augment=augment,
            class_weights=weights_of(parts.train, len(dataset.classes)) if balanced else [1.0] * len(dataset.classes),
        )  # fmt: skip
        settled |= options | {"frozen": frozen}
        settled |= {name: getattr(plan, name) for name in ("epochs", "lr", "batch", "patience")}
        trained, state = job.train(dataset, parts, plan, frozen, _key(net, dataset, settled))
        job.done = "stopped when it was trained, before all was written; the same command writes it"
        notes, broken = job.notes(dataset, parts), dict(dataset.broken)
        if taken_for_trained:
            notes = (*notes, TAKEN)
        result = judged(trained, state, frozen, parts, job.pictures, notes, broken, watch)
        return written(result, net, folder, Path(data), settled, watch)


def _key(net: Network, dataset: Dataset, options: dict[str, Any]) -> str:
    """What names a training: the network, the pictures and the options."""
    told = [net.weights_hash(), net.spec.describe(), dataset.key, options]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class _Job:
    """The parts of a training, one after the other."""

    def __init__(self, net: Network, folder: Path, watch: Watch, fit: Fit) -> None:
        self.net, self.folder, self.watch = net, folder, watch
        self.pictures = Pictures(net, fit)
        self.done = "stopped before training began"
        """How far it is, in words."""
        self.head: Head
        """The last layer, which is replaced."""
        self.under_way: tuple[Trainer, Network, int, int] | None = None
        """What is trained, the network that it is put into, and how many pictures there are to train by and judge."""

    def read(self, data: Path) -> Dataset:
        """The pictures that can be read, with their classes."""
        if data.is_dir():
            found = from_folder(data)
        elif data.suffix.lower() in (".csv", ".parquet") and data.is_file():
            found = from_table(data)
        else:
            raise InputError(f"no folder or table {str(data)!r}; expected a folder for each class, or FILE.csv")
        dataset = with_hashes(found)
        broken: dict[str, str] = {}
        for i, item in enumerate(dataset.items):
            self.watch(Progress(f"reading {dataset.form}", i, len(dataset.items), f"{len(dataset.classes)} classes"))
            try:
                self.pictures.open(item.path)
            except ImageError as error:
                broken[item.path] = str(error)
        return without(dataset, broken)

    def notes(self, dataset: Dataset, parts: Parts) -> tuple[str, ...]:
        """What a reader has to know of the pictures."""
        broken = dataset.broken
        told = [f"{len(broken)} files could not be read and were left out ({broken[0][0]})"] if broken else []
        return (*told, *parts.notes)

    def train(self, dataset: Dataset, parts: Parts, plan: Plan, frozen: str, key: str) -> tuple[Network, State]:
        """The network, trained from where an earlier call was stopped, or from the start."""
        labels = Labels(dataset.classes)
        fresh = with_classes(self.net, labels, plan.seed, self.head)
        learner = self._head(fresh, parts, plan) if frozen == ALL else self._network(fresh, parts, plan, frozen)
        labels_of = [[item.label for item in part] for part in (parts.train, parts.held_out)]
        trainer = Trainer(learner, labels_of[0], labels_of[1], plan, independent=fresh.independent)
        file = self.folder / RESUME
        if file.exists() and not trainer.resume(file, key):
            raise ResultError(
                f"{str(self.folder)!r} holds another training (other pictures, options or network): choose another "
                f"folder, or remove {str(file)!r}"
            )
        self.under_way = trainer, fresh, len(parts.train), len(parts.held_out)
        self._run(trainer, file, key)
        return self._network_of(trainer, fresh, len(parts.train)), trainer.state

    def _network_of(self, trainer: Trainer, fresh: Network, count: int) -> Network:
        """The network with the weights of the best epoch so far."""
        trainer.finish()
        if isinstance(trainer.learner, HeadLearner):
            head = trainer.learner.module
            bias = None if head.bias is None else head.bias.detach()
            fresh.adapter.set_head(self.head.module, head.weight.detach(), bias)
        fresh.adapter.root.requires_grad_(False)
        note = f"trained on {count} pictures; began as {self.net.name} ({self.net.note or 'a module'})"
        name = self.folder.name or "network"
        return Network(
            fresh.adapter,
            name=name,
            spec=fresh.spec,
            labels=fresh.labels,
            output=fresh.output,
            note=note,
            aliases=fresh.aliases,
        )

    def so_far(self, options: Mapping[str, Any]) -> Training | None:
        """Of a training that was stopped: the network of the best epoch so far, written; None before there is one."""
        if self.under_way is None or self.under_way[0].state.best < 0:
            return None
        trainer, fresh, count, held = self.under_way
        net = self._network_of(trainer, fresh, count)
        return written_so_far(net, trainer.state, (count, held), self.net, self.folder, options, self.done)

    def _head(self, fresh: Network, parts: Parts, plan: Plan) -> HeadLearner:
        """The last layer, with what it is given for each picture: plain and, with augmentation, mirrored too."""
        views = [False, True] if plan.augment else [False]
        train = torch.stack([self._features([i.path for i in parts.train], mirrored) for mirrored in views])
        held = self._features([item.path for item in parts.held_out], False)
        bias = getattr(fresh.adapter.modules()[self.head.module], "bias", None) is not None
        return HeadLearner(train, held, len(fresh.labels.names), plan.seed, bias=bias)

    def _features(self, paths: Sequence[str], mirrored: bool) -> torch.Tensor:
        at_once = 1 if self.net.one_at_a_time else images_at_once(self.net, [], self.net.spec.hw, AT_ONCE)
        found = []
        for first in range(0, len(paths), at_once):
            self.watch(Progress("features" + " of mirrored pictures" * mirrored, first, len(paths)))
            pictures = self.pictures.batch(paths[first : first + at_once])
            found.append(features(self.net, self.head, pictures.flip(3) if mirrored else pictures).cpu())
        return torch.cat(found)

    def _network(self, fresh: Network, parts: Parts, plan: Plan, frozen: str) -> Learner:
        return NetworkLearner(
            fresh,
            self.head,
            self.pictures.by_number([item.path for item in parts.train]),
            self.pictures.by_number([item.path for item in parts.held_out]),
            frozen=Frozen() if frozen == NONE else frozen_up_to(fresh, frozen),
            seed=plan.seed,
            augment=plan.augment,
        )

    def _run(self, trainer: Trainer, file: Path, key: str) -> None:
        """All steps, with the state written down now and then, at the end, and when it is stopped."""
        file.parent.mkdir(parents=True, exist_ok=True)
        saved = time.monotonic()
        try:
            for state in trainer.run():
                if time.monotonic() - saved > SAVED_EVERY:
                    self._save(trainer, file, key)
                    saved = time.monotonic()
                epochs = len(state.history)
                accuracy = f"accuracy {100 * state.history[-1].held_accuracy:.1f} %" if epochs else ""
                self.watch(Progress("training", state.step, trainer.total, accuracy))
        finally:
            if trainer.between:
                self._save(trainer, file, key)

    def _save(self, trainer: Trainer, file: Path, key: str) -> None:
        """Write down where training is; `done` tells the step that is written, whatever comes after it."""
        trainer.save(file, key)
        state = trainer.state
        self.done = (
            f"stopped after {state.step} of {trainer.total} steps ({len(state.history)} of {trainer.plan.epochs} "
            "epochs); the same command goes on from there"
        )

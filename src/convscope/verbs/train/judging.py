"""One pass of the trained network over all pictures: every figure and view is made from what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from convscope.datasets.labelled import Item
from convscope.datasets.split import Parts
from convscope.models.network import Network
from convscope.progress import Progress, Watch
from convscope.taps.batching import images_at_once
from convscope.training.loop import State
from convscope.verbs.train.pictures import Pictures

AT_ONCE = 32
WORST = 12
"""Pictures with the highest loss that are told and shown."""


@dataclass(frozen=True)
class Judged:
    """What the network answers. items: those trained by, then those held out. probabilities: `n k`, of all of them.
    state: where training ended. notes: on the pictures, which `pictures` opens."""

    net: Network
    items: tuple[Item, ...]
    held: int
    probabilities: np.ndarray
    state: State
    frozen: str
    notes: tuple[str, ...]
    broken: dict[str, str]
    pictures: Pictures

    @property
    def labels(self) -> np.ndarray:
        """The true class of each picture, by number."""
        return np.array([item.label for item in self.items])

    @property
    def losses(self) -> np.ndarray:
        """Minus the logarithm of the probability that each picture's true class was given."""
        own = self.probabilities[np.arange(len(self.items)), self.labels]
        losses: np.ndarray = -np.log(np.maximum(own, 1e-12))
        return losses

    def rows(self) -> list[dict[str, Any]]:
        """A row for each picture: its path and part, its class, the class named, and their probabilities."""
        names, named, losses = self.net.labels.names, self.probabilities.argmax(1), self.losses
        first = len(self.items) - self.held
        return [
            {
                "path": item.path,
                "part": "held out" if i >= first else "train",
                "label": names[item.label],
                "predicted": names[named[i]],
                "probability": round(float(self.probabilities[i, named[i]]), 6),
                "probability_of_label": round(float(self.probabilities[i, item.label]), 6),
                "loss": round(float(losses[i]), 6),
                "sha256": item.sha256,
            }
            for i, item in enumerate(self.items)
        ]

    def worst(self) -> list[dict[str, Any]]:
        """The rows of the pictures held out with the highest loss, the highest first."""
        held = self.rows()[len(self.items) - self.held :]
        return sorted(held, key=lambda row: (-row["loss"], row["path"]))[:WORST]


def judged(
    net: Network,
    state: State,
    frozen: str,
    parts: Parts,
    pictures: Pictures,
    notes: tuple[str, ...],
    broken: dict[str, str],
    watch: Watch,
) -> Judged:
    """The answers of a trained network to all pictures."""
    items = (*parts.train, *parts.held_out)
    probabilities = _probabilities(net, [item.path for item in items], pictures, watch)
    return Judged(net, items, len(parts.held_out), probabilities, state, frozen, notes, broken, pictures)


def _probabilities(net: Network, paths: Sequence[str], pictures: Pictures, watch: Watch) -> np.ndarray:
    at_once = 1 if net.one_at_a_time else images_at_once(net, [], net.spec.hw, AT_ONCE)
    found = []
    for first in range(0, len(paths), at_once):
        watch(Progress("judging", first, len(paths)))
        some = paths[first : first + at_once]
        with torch.no_grad():
            scores = net.scores(net.run(pictures.batch(some)), len(some))
            found.append(net.probabilities(scores).float().cpu().numpy())
    return np.concatenate(found)

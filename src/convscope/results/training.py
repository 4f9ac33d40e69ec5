"""What a training returns: how it went, and how the network answers to the pictures that were held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from convscope.render.confusion import confusion_figure
from convscope.render.figure import Figure
from convscope.render.plot import line_plot
from convscope.render.raster import raster
from convscope.render.style import PLAIN, Style
from convscope.results.facts import Facts, Summary
from convscope.results.result import Axes, Result

COLUMNS = ("loss", "accuracy", "held_loss", "held_accuracy")
"""What the columns of `history` are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingFacts(Facts):
    """accuracy: of the pictures held out. chance: of always naming their most frequent class. per_class: name, count
    and accuracy of each, of those held out. trained, held_out: how many pictures. epochs: done. best: the one whose
    weights were kept, from 1. worst: the pictures held out with the highest loss. files: written. broken: pictures
    that could not be read, with the reason."""

    accuracy: float = 0.0
    chance: float = 0.0
    classes: Sequence[str] = ()
    per_class: Sequence[Mapping[str, Any]] = ()
    trained: int = 0
    held_out: int = 0
    epochs: int = 0
    best: int = 0
    frozen: str = ""
    worst: Sequence[Mapping[str, Any]] = ()
    files: Sequence[str] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    finished: bool = True


class Training(Result, kind="training", facts=TrainingFacts):
    """Arrays: `history` (`epochs columns`: loss, accuracy, held_loss, held_accuracy), `probabilities` (`n k`, of the
    pictures held out), `labels` (`n`, their classes by number) and `confusion` (`k k`: true class by class named)."""

    facts: TrainingFacts

    needs: ClassVar[Axes] = {
        "history": ("epochs", "columns"),
        "probabilities": ("n", "k"),
        "labels": ("n",),
        "confusion": ("k", "k"),
    }

    def summary(self) -> Summary:
        facts = self.facts
        data = {
            "accuracy": facts.accuracy,
            "chance": facts.chance,
            "per_class": list(facts.per_class),
            "epochs": facts.epochs,
            "broken": dict(facts.broken),
        }
        rows = [(one["name"], str(one["count"]), f"{100 * one['accuracy']:.1f} %") for one in facts.per_class]
        said = f"{100 * facts.accuracy:.1f} % of {facts.held_out} pictures held out"
        said += f" (always the most frequent class: {100 * facts.chance:.1f} %)" if facts.chance else ""
        said += f"; {facts.epochs} epochs" if facts.finished else f"; after {facts.epochs} epochs"
        return Summary(data, lines=[said], columns=("class", "held out", "accuracy"), rows=rows)

    def curve(self) -> Image.Image:
        """The accuracy after each epoch, with the line that the most frequent class alone would give."""
        return raster(self._curve())

    def confusion(self) -> Image.Image:
        """What the pictures of each class were taken for."""
        return raster(self._confusion(PLAIN))

    def figure(self, style: Style) -> Figure:
        """The learning curve above the confusion matrix."""
        curve = [self._curve()] if len(self.arrays["history"]) else []
        return Figure.stacked([*curve, self._confusion(style)])

    def _curve(self) -> Figure:
        history = self.arrays["history"]
        places = [str(i + 1) for i in range(len(history))]
        lines = {
            "held out": history[:, COLUMNS.index("held_accuracy")].tolist(),
            "trained by": history[:, COLUMNS.index("accuracy")].tolist(),
        }
        if self.facts.chance:
            lines["chance"] = [self.facts.chance] * len(history)
        return line_plot(places, lines, width=720, title="accuracy by epoch", figures=False)

    def _confusion(self, style: Style) -> Figure:
        title = style.named("pictures held out")
        return confusion_figure(self.arrays["confusion"].astype(int), self.facts.classes, title=title)


def confusion_of(labels: np.ndarray, named: np.ndarray, classes: int) -> np.ndarray:
    """How often pictures of each class (rows) were given each name (columns)."""
    return np.bincount(labels * classes + named, minlength=classes * classes).reshape(classes, classes)

"""What a prediction returns: the classes that a network names for a photograph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convscope.render.figure import Figure
from convscope.render.guess_bars import bars_beside
from convscope.render.style import Style
from convscope.results.facts import Facts, Summary
from convscope.results.result import Axes, Result


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionsFacts(Facts):
    """guesses: the first classes, each with index, label, score and probability. title: of the picture."""

    guesses: Sequence[Mapping[str, Any]] = ()
    title: str = ""


class Predictions(Result, kind="predictions", facts=PredictionsFacts):
    """Arrays: `scores` (`classes`: the logits), `probabilities` (`classes`) and `image`, the picture as the network saw
    it (`h w 3`, bytes). Facts: `guesses`, the first few, each with its index, label, probability and score."""

    facts: PredictionsFacts

    needs: ClassVar[Axes] = {"scores": ("classes",), "probabilities": ("classes",), "image": ("h", "w", "c")}

    def summary(self) -> Summary:
        rows = [(one["label"], f"{100 * one['probability']:.1f} %", f"{one['score']:.2f}") for one in self.guesses]
        return Summary({"guesses": self.guesses}, columns=("class", "probability", "score"), rows=rows)

    @property
    def guesses(self) -> list[Mapping[str, Any]]:
        """The first classes, best first."""
        return list(self.facts.guesses)

    def figure(self, style: Style) -> Figure:
        """The photograph, and beside it the first classes with their probabilities."""
        bars = [(guess["label"], guess["probability"]) for guess in self.guesses]
        return bars_beside(self.arrays["image"], bars, title=style.named(self.facts.title))

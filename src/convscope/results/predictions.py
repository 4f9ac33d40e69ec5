"""What a prediction returns: the classes that a network names for a photograph."""

from typing import Any, ClassVar

from PIL import Image

from convscope.render.bars import bars_beside
from convscope.results.result import Axes, Result


class Predictions(Result):
    """Arrays: `scores` (`classes`: the logits), `probabilities` (`classes`) and `image`, the picture as the network saw
    it (`h w 3`, bytes). Facts: `guesses`, the first few, each with its index, label, probability and score."""

    needs: ClassVar[Axes] = {"scores": ("classes",), "probabilities": ("classes",), "image": ("h", "w", "c")}

    @property
    def guesses(self) -> list[dict[str, Any]]:
        """The first classes, best first."""
        return list(self.facts["guesses"])

    def image(self) -> Image.Image:
        """The photograph, and beside it the first classes with their probabilities."""
        bars = [(guess["label"], guess["probability"]) for guess in self.guesses]
        return bars_beside(self.arrays["image"], bars, title=self.facts["title"])

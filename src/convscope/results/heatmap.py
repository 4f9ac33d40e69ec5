"""What an explanation returns: a map over the photograph."""

import numpy as np
from PIL import Image

from convscope.render.colour import MapName
from convscope.render.grid import Bar
from convscope.render.overlay import heat_figure, overlay
from convscope.results.result import Result


class Heatmap(Result):
    """Arrays: `map` (`h w`, the size of the picture), `coarse` (the layer's own resolution), `score`, and `image`,
    the picture as the network saw it (`h w 3`, bytes). Values are unscaled."""

    def scale(self) -> tuple[float, float, MapName]:
        """The lowest and highest value to show, and the colours: from zero, or about zero where there are negatives."""
        low, high = float(self.arrays["map"].min()), float(self.arrays["map"].max())
        if low < 0:
            reach = max(-low, high)
            return -reach, reach, "signed"
        return 0.0, high, "inferno"

    def image(self, *, low: float | None = None, high: float | None = None, strength: float = 0.75) -> Image.Image:
        """Photograph and overlay side by side with a colour bar. `low` and `high` fix the scale, to compare maps."""
        own_low, own_high, colours = self.scale()
        bar = Bar(own_low if low is None else low, own_high if high is None else high, colours, self.facts["unit"])
        return heat_figure(
            self.arrays["image"], self.arrays["map"], bar, title=self.facts["title"],
            subtitle=self.facts["subtitle"], strength=strength,
        )  # fmt: skip

    def overlay(self, *, low: float | None = None, high: float | None = None, strength: float = 0.75) -> Image.Image:
        """The overlay alone, at the picture's own size."""
        own_low, own_high, colours = self.scale()
        scale = own_low if low is None else low, own_high if high is None else high
        pixels = overlay(self.arrays["image"], self.arrays["map"], *scale, map=colours, strength=strength)
        return Image.fromarray(np.ascontiguousarray(pixels))

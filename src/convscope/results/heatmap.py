"""What an explanation returns: a map over the photograph."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from convscope.errors import ResultError
from convscope.render.colour import MapName, colourise, scale_of, themed, to_bytes
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.grid import paragraph
from convscope.render.overlay import KINDS, class_figure, framed, heat_figure, overlay
from convscope.render.raster import raster
from convscope.render.style import PLAIN, Style, ThemeName
from convscope.results.facts import Summary
from convscope.results.heatmap_facts import HeatmapFacts as HeatmapFacts
from convscope.results.result import Axes, Result

CLOSE = 0.4
"""Pixel maps whose non-zero area is below this share of the picture are shown cropped to it."""
LEAST = 12
"""Pixels on the short side of such a part, at least."""
CLIP = 99.5
"""Of maps by the pixel, the percentile from which on values are shown as one: a few pixels outdo all others."""
SIDES = "blue: against, orange: for"
"""What the colours of a signed map say, in both themes."""
CLIPPED = f"clipped at the {CLIP:g}th percentile"


class Heatmap(Result, kind="heatmap", facts=HeatmapFacts):
    """Arrays: `map` (`h w`, the size of the picture), `coarse` (the layer's own resolution), `score`, and `image`,
    the picture as the network saw it (`h w 3`, bytes). Values are unscaled.

    The fact `display` says how it is shown: "region" is laid on the photograph; "fine", a map by the pixel, stands
    beside it, and "coloured" too, with the attribution in the picture's own colours between.
    """

    facts: HeatmapFacts

    needs: ClassVar[Axes] = {"map": ("h", "w"), "coarse": ("rows", "columns"), "score": (), "image": ("h", "w", "c")}

    def summary(self) -> Summary:
        kept = (
            "target",
            "method",
            "layer",
            "label",
            "probability",
            "channels",
            "gap",
            "steps",
            "evaluations",
            "winners",
        )
        data = {name: self.facts[name] for name in kept if name in self.facts}
        data["score"] = float(self.arrays["score"]) if "score" in self.arrays else None
        data["highest"] = float(self.arrays["map"].max())
        lines = [f"{self.facts.title}, {self.facts.subtitle}"]
        if self.facts.gap is not None and self.facts.difference is not None:
            share = abs(self.facts.gap) / max(abs(self.facts.difference), 1e-12)
            lines.append(
                f"completeness gap {self.facts.gap:.3g}, {share:.1%} of the difference, after {self.facts.steps} steps"
            )
        return Summary(data, lines)

    @property
    def display(self) -> str:
        """How the map is shown: "region", "fine" or "coloured"."""
        return self.facts.display

    def scale(self) -> tuple[float, float, MapName]:
        """The lowest and highest value to show, and the colours: from zero, or about zero where there are negatives."""
        values = self.arrays["map"]
        top, bottom, left, right = self.seen_part() or (0, None, 0, None)
        low, high, colours = scale_of_maps(values[top:bottom, left:right], self.display != "region")
        return (float(values.min()) if self.facts.from_lowest else low), high, colours

    def _between(self, low: float | None, high: float | None) -> tuple[float, float, MapName]:
        """The scale, but for the ends that are given."""
        own_low, own_high, colours = self.scale()
        return own_low if low is None else low, own_high if high is None else high, colours

    def image(
        self,
        *,
        low: float | None = None,
        high: float | None = None,
        strength: float = 0.75,
        theme: ThemeName = "dark",
        columns: int | None = None,
        scale: float = 1.0,
        title: bool = True,
    ) -> Image.Image:
        """Photograph and map side by side with a colour bar. `low` and `high` fix the scale, to compare maps.

        strength: how much the colours cover the photograph. The others are those of any result.
        """
        style = self.fitting(Style(theme, columns, scale, title))
        return raster(self.figure(style, low=low, high=high, strength=strength), theme, scale)

    def figure(
        self, style: Style, *, low: float | None = None, high: float | None = None, strength: float = 0.75
    ) -> Figure:
        """Photograph and map side by side with a colour bar, laid out."""
        least, most, colours = self._between(low, high)
        bar = Bar(least, most, themed(colours, style.theme, laid=self.display == "region"), self._legend(colours))
        shown = self._shown(style.theme, low, high, strength)
        tiles = [self.arrays["image"], shown]
        names = ["the photograph", "the map"]
        if self.display == "coloured":
            tiles.insert(1, self.colours())
            names = ["the photograph", "in its colours, about mid grey", "the map: the greatest of the colours"]
        box = self.seen_part()
        if box is not None:
            top, bottom, left, right = box
            whole = framed(tiles[0], box)
            tiles = [whole, *(tile[top:bottom, left:right] for tile in tiles)]
            names = ["the photograph", "the part that the target sees", *names[1:]]
        figure = heat_figure(
            tiles,
            bar,
            title=style.named(self.facts.title),
            subtitle=style.named(self.facts.subtitle),
            captions=names if len(names) > 2 else (),
        )
        if not self.notes:
            return figure
        return Figure.stacked([figure, paragraph([f"Note: {note}." for note in self.notes], figure.width, "faint")])

    def _legend(self, colours: MapName) -> str:
        """What the colours say."""
        of = f"{self.facts.method_title}, unscaled".removeprefix(", ")
        told = of if self.display == "region" else f"attribution, {CLIPPED}"
        return f"{told}; {SIDES}" if colours == "signed" else told

    def seen_part(self) -> tuple[int, int, int, int] | None:
        """Top, bottom, left and right of the part of the picture that a target sees which does not see all of it, as a
        neuron of an early layer: where there is any attribution, of the picture's proportions. None for the others."""
        if self.display == "region" or "attribution" not in self.arrays:
            return None
        parts = np.abs(self.arrays["attribution"]).max(0)
        ys, xs = np.nonzero(parts > 1e-6 * float(parts.max()))
        height, width = parts.shape
        if not len(ys):
            return None
        middle = (ys.min() + ys.max() + 1) / 2, (xs.min() + xs.max() + 1) / 2
        share = max((np.ptp(ys) + 1) / height, (np.ptp(xs) + 1) / width, LEAST / min(height, width))
        if share**2 >= CLOSE:
            return None
        tall, wide = round(share * height), round(share * width)
        top = min(max(0, round(middle[0] - tall / 2)), height - tall)
        left = min(max(0, round(middle[1] - wide / 2)), width - wide)
        return top, top + tall, left, left + wide

    def figures(self, style: Style) -> dict[str, Figure]:
        """The picture; of occlusion of a class also "winners": which class is named first with the window there."""
        several = {"picture": self.figure(style)}
        return several | {"winners": self._winners(style)} if self.facts.winners is not None else several

    def winners(self) -> Image.Image:
        """The photograph in the colour of the class that is named first when the window is there."""
        return raster(self._winners(PLAIN))

    def _winners(self, style: Style) -> Figure:
        patch, stride = self.facts.patch, self.facts.stride
        if self.facts.winners is None or patch is None or stride is None:
            raise ResultError("which class wins where is known of occlusion of a class alone")
        places = self.arrays["winner"].astype(int)
        named = places[places >= 0]
        numbers, counts = np.unique(named, return_counts=True)
        order = [int(numbers[i]) for i in np.argsort(-counts, kind="stable")]
        ranks = np.full(places.shape, -1)
        for rank, index in enumerate(order):
            ranks[places == index] = min(rank, len(KINDS))
        size = self.arrays["image"].shape[:2]
        rows, columns = (
            np.clip(np.rint((np.arange(side) + 0.5 - window / 2) / step), 0, count - 1).astype(int)
            for side, window, step, count in zip(size, patch, stride, places.shape, strict=True)
        )
        shares = dict(zip(numbers.tolist(), (counts / places.size).tolist(), strict=True))
        legend = [(self.facts.winners[str(index)], shares[index]) for index in order]
        return class_figure(
            self.arrays["image"],
            ranks[np.ix_(rows, columns)],
            legend,
            title=style.named("which class wins with a window there"),
            subtitle=style.named(f"occlusion, windows of {patch[0]}x{patch[1]} pixels"),
            unknown=1 - len(named) / places.size,
        )

    def shown(
        self, *, low: float | None = None, high: float | None = None, strength: float = 0.75
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The map as it is shown: laid on the photograph, or one by the pixel by itself."""
        return self._shown("dark", low, high, strength)

    def _shown(
        self, theme: ThemeName, low: float | None, high: float | None, strength: float
    ) -> UInt8[np.ndarray, "h w 3"]:
        least, most, colours = self._between(low, high)
        heat = self.arrays["map"]
        if self.display != "region":
            return colourise(heat, least, most, themed(colours, theme))
        return overlay(self.arrays["image"], heat, least, most, map=colours, strength=strength, theme=theme)

    def colours(self) -> UInt8[np.ndarray, "h w 3"]:
        """The attribution as a picture about mid grey: what is brighter or more of a colour speaks for the target."""
        parts = self.arrays["attribution"].transpose(1, 2, 0)
        parts = parts[..., :3] if parts.shape[2] >= 3 else parts[..., :1].repeat(3, axis=2)
        top, bottom, left, right = self.seen_part() or (0, None, 0, None)
        most = float(np.percentile(np.abs(parts[top:bottom, left:right]), CLIP)) or 1.0
        return to_bytes(0.5 + 0.5 * parts / most)

    def overlay(self, *, low: float | None = None, high: float | None = None, strength: float = 0.75) -> Image.Image:
        """The overlay alone, at the picture's own size."""
        least, most, colours = self._between(low, high)
        pixels = overlay(self.arrays["image"], self.arrays["map"], least, most, map=colours, strength=strength)
        return Image.fromarray(np.ascontiguousarray(pixels))


def scale_of_maps(maps: Float[np.ndarray, "*shape"], fine: bool) -> tuple[float, float, MapName]:
    """The lowest and highest value to show of maps that share a scale, and the colours.

    From zero, or about zero where there are negatives; of maps by the pixel (fine) up to the percentile CLIP.
    """
    if not fine:
        return scale_of(maps)
    low, high = float(maps.min()), float(maps.max())
    most = float(np.percentile(np.abs(maps), CLIP)) or max(-low, high)
    return (-most, most, "signed") if low < 0 else (0.0, most, "inferno")

"""What inverting a layer returns: pictures that it takes for the photograph, and how like it they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from convscope.render.colour import as_rgb
from convscope.render.figure import Figure
from convscope.render.grid import MIN_WIDTH, sheet
from convscope.render.plot import line_plot
from convscope.render.style import Style
from convscope.render.text import figure
from convscope.results.facts import Summary
from convscope.results.pictures import Pictures, PicturesFacts
from convscope.results.result import Axes

MOST_TILE = 224


@dataclass(frozen=True, kw_only=True, eq=False)
class InversionFacts(PicturesFacts):
    """layers, tv: of each picture its layer, and what total variation counted."""

    layers: Sequence[str] = ()
    tv: Sequence[float] = ()


class Inversion(Pictures, kind="inversion", facts=InversionFacts):
    """Arrays: `images` (`n h w c`), `values` (`n`, the squared distance of the features over their squared length),
    `similarity` (`n`, to the photograph, in [0,1]) and `photograph` (`h w c`). Facts: `layers` and `tv`, of each."""

    facts: InversionFacts

    needs: ClassVar[Axes] = {**Pictures.needs, "similarity": ("n",), "photograph": ("h", "w", "c")}

    def summary(self) -> Summary:
        pictures, rows = [], []
        parts = zip(self.facts.layers, self.facts.tv, self.arrays["values"], self.arrays["similarity"], strict=True)
        for layer, tv, value, like in parts:
            pictures.append({"layer": layer, "tv": tv, "distance": float(value), "similarity": float(like)})
            rows.append((layer, f"{tv:g}", f"{float(value):.4g}", f"{float(like):.3f}"))
        columns = ("layer", "total variation", "features' distance", "similarity")
        return Summary({"pictures": pictures}, columns=columns, rows=rows)

    def figure(self, style: Style) -> Figure:
        """The photograph, a row of pictures for each total variation, and the similarities as a plot."""
        if "frames" in self.arrays:
            return self.contact_sheet(style)
        photograph = as_rgb(self.arrays["photograph"])
        factor = min(1.0, MOST_TILE / photograph.shape[1])
        size = max(1, round(photograph.shape[0] * factor)), max(1, round(photograph.shape[1] * factor))
        layers = list(dict.fromkeys(self.facts.layers))
        weights = list(dict.fromkeys(self.facts.tv))
        tiles, captions = [], []
        for weight in weights:
            tiles.append(photograph)
            captions.append(f"the photograph\nits row: {_named(weight)}")
            for index, (of, layer) in enumerate(zip(self.facts.tv, self.facts.layers, strict=True)):
                if of == weight:
                    tiles.append(as_rgb(self.arrays["images"][index]))
                    captions.append(f"{layer}\nsimilarity {figure(float(self.arrays['similarity'][index]))}")
        grid = sheet(
            tiles,
            tile=size,
            columns=style.across(1 + len(layers)),
            captions=captions,
            title=style.named(self.facts.title),
            subtitle=style.named(self.facts.subtitle),
        )
        if len(layers) < 2:
            return grid
        lines = {
            _named(weight): [
                float(value) for value, of in zip(self.arrays["similarity"], self.facts.tv, strict=True) if of == weight
            ]
            for weight in weights
        }
        return Figure.stacked(
            [grid, line_plot(layers, lines, width=max(grid.width, MIN_WIDTH), title="similarity to the photograph")]
        )


def _named(weight: float) -> str:
    return f"total variation {weight:g}" if weight else "no total variation"

"""What `diff` returns: how two networks see the same pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convscope.render.captions import apart
from convscope.render.colour import as_rgb
from convscope.render.figure import Figure
from convscope.render.grid import sheet
from convscope.render.overlay import overlay
from convscope.render.plot import line_plot
from convscope.render.style import Style
from convscope.results.facts import Facts, Summary
from convscope.results.heatmap import scale_of_maps
from convscope.results.result import Axes, Result

WIDE = 900
SIDE = 168
"""Pixels of a picture in the sheet."""
TOLD = 12
"""Units that are told in short."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DifferenceFacts(Facts):
    """networks: the names of the two. layers: those that both have, in order. units: those that changed most, each with
    its layer, channel and correlation. guesses: for each picture what each network named, with its probability, and
    whether the heatmaps are of that class."""

    networks: Sequence[str] = ()
    layers: Sequence[str] = ()
    units: Sequence[Mapping[str, Any]] = ()
    guesses: Sequence[Sequence[Mapping[str, Any]]] = ()
    pictured: Sequence[str] = ()


class Difference(Result, kind="difference", facts=DifferenceFacts):
    """Arrays: `cka` (`layers`, 0 to 1, 1 where features are the same but for a rotation and scale), `correlation`
    (`units`, of those that changed most, before with after), `images` (`n h w 3`, bytes), `maps` (`n networks h w`,
    Grad-CAM, unscaled) and `pictures` (`k networks h w 3` in [0,1], what units look for in the one and the other)."""

    facts: DifferenceFacts

    needs: ClassVar[Axes] = {
        "cka": ("layers",),
        "correlation": ("units",),
        "images": ("n", "h", "w", "c"),
        "maps": ("n", "networks", "h", "w"),
    }

    def summary(self) -> Summary:
        cka = self.arrays["cka"]
        least = int(cka.argmin()) if len(cka) else 0
        said = [f"{' and '.join(self.facts.networks)}: {len(cka)} layers in both"]
        if len(cka):
            said.append(f"least alike at {self.facts.layers[least]} (CKA {cka[least]:.2f}), mean {cka.mean():.2f}")
        rows = [
            (f"{unit['layer']}:{unit['channel']}", f"{unit['correlation']:.2f}") for unit in self.facts.units[:TOLD]
        ]
        data = {
            "layers": dict(zip(self.facts.layers, map(float, cka), strict=True)),
            "units": list(self.facts.units),
            "guesses": list(self.facts.guesses),
        }
        return Summary(data, said, ("changed most", "correlation"), rows)

    def _plot(self) -> Figure:
        """How alike the layers are, in order."""
        title = f"linear CKA of {' and '.join(self.facts.networks)}, from the first layer to the last"
        return line_plot(
            self.facts.layers, {"CKA": self.arrays["cka"].tolist()}, width=WIDE, title=title, figures=False
        )

    def figure(self, style: Style) -> Figure:
        """The plot, the heatmaps of both networks, and what the units that changed most look for in both."""
        parts = [self._plot()] if len(self.arrays["cka"]) else []
        if len(self.arrays["images"]):
            parts.append(self._heatmaps(style))
        if "pictures" in self.arrays and len(self.arrays["pictures"]):
            parts.append(self._units(style))
        return Figure.stacked(parts)

    def _heatmaps(self, style: Style) -> Figure:
        tiles, captions = [], []
        for picture, maps, guesses in zip(self.arrays["images"], self.arrays["maps"], self.facts.guesses, strict=True):
            tiles.append(picture)
            captions.append("the picture")
            for heat, guess, name in zip(maps, guesses, self.facts.networks, strict=True):
                low, high, _ = scale_of_maps(heat, False)
                tiles.append(overlay(picture, heat, low, high, theme=style.theme))
                captions.append(f"{name}\n{guess['label']} · {100 * guess['probability']:.1f} %")
        return sheet(tiles, tile=(SIDE, SIDE), columns=3, title=style.named("what each looked at"), captions=captions)

    def _units(self, style: Style) -> Figure:
        tiles = [as_rgb(one) for pair in self.arrays["pictures"] for one in pair]
        captions = [f"{unit}\n{name}" for unit in self.facts.pictured for name in self.facts.networks]
        title, under = apart(style.named("what units look for"), captions)
        return sheet(tiles, tile=(SIDE, SIDE), columns=4, title=title, captions=under)

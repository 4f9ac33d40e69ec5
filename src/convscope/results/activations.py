"""What looking at a network returns: the activations of its layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convscope.render.colour import colourise, own_scale, scale_of, themed
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.grid import columns_for, paragraph, sheet, tile_size
from convscope.render.style import Style
from convscope.results.facts import Facts, Summary
from convscope.results.result import Result

OVERVIEW_LAYERS, OVERVIEW_CHANNELS = 40, 16
"""How many layers one picture shows, and how many channels of each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ActivationsFacts(Facts):
    """scale: which maps share colours. layers: of each its kind, the channels kept, and statistics of each channel."""

    scale: str = "channel"
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Activations(Result, kind="activations", facts=ActivationsFacts):
    """Arrays: one `c h w` per layer, by its name. Facts: per layer the channels kept and the statistics of each
    (mean, max, share of zeros, where the maximum is)."""

    facts: ActivationsFacts
    in_tiles = True

    def summary(self) -> Summary:
        rows = []
        for name, array in self.arrays.items():
            about = self.facts.layers[name]
            zeros = sum(about["zeros"]) / len(about["zeros"])
            rows.append({"name": name, "shape": list(array.shape), "max": max(about["max"]), "zeros": zeros})
        count = len(self.arrays)
        return Summary({"layers": rows}, [f"{count} layer{'s' * (count > 1)} of {self.recipe.network.get('name', '')}"])

    def figures(self, style: Style) -> dict[str, Figure]:
        """One labelled sheet per layer, all its channels side by side; what is inactive is dark (on white paper, pale,
        where there are values below zero)."""
        return {name: self._sheet(style, name) for name in self.arrays}

    def figure(self, style: Style) -> Figure:
        """The sheet of the one layer; of several layers, the first channels of a selection through the depth."""
        names = list(self.arrays)
        if len(names) == 1:
            return self._sheet(style, names[0])
        rows = [self._sheet(style, name, most=OVERVIEW_CHANNELS) for name in self._shown()]
        width = max(row.width for row in rows)
        return Figure.stacked([*rows, *([paragraph(self.cuts, width)] if self.cuts else [])])

    def _shown(self) -> list[str]:
        """The layers of the picture: all, or of many some from the first to the last."""
        names = list(self.arrays)
        if len(names) <= OVERVIEW_LAYERS:
            return names
        return [names[round(i)] for i in np.linspace(0, len(names) - 1, OVERVIEW_LAYERS)]

    @property
    def cuts(self) -> tuple[str, ...]:
        """The layers and the channels that are not in the one picture."""
        shown, told = self._shown(), []
        if len(self.arrays) == 1:
            return ()
        if missing := [name for name in self.arrays if name not in shown]:
            told.append(
                f"the picture shows {len(shown)} of {len(self.arrays)} layers; for the others name them, or save into "
                f"a folder. Not shown: {', '.join(missing)}"
            )
        if more := sum(len(self.arrays[name]) > OVERVIEW_CHANNELS for name in shown):
            told.append(
                f"the picture shows the first {OVERVIEW_CHANNELS} channels of a layer, and {more} of its layers have "
                "more: name one layer, or save into a folder, for all"
            )
        return tuple(told)

    def _sheet(self, style: Style, name: str, most: int | None = None) -> Figure:
        """One layer's channels (at most `most` of them) as a labelled picture; of several layers its name stays."""
        maps = self.arrays[name]
        count = len(maps) if most is None else min(most, len(maps))
        about = self.facts.layers[name]
        channels: list[int] = about["channels"]
        vector = maps.shape[1:] == (1, 1)
        shared = self.facts.scale == "shared" or vector
        low, high, colours = scale_of(maps)
        drawn = themed(colours, style.theme)
        tiles = []
        for index in range(count):
            own = (low, high) if shared else own_scale(maps[index], signed=low < 0)
            tiles.append(colourise(maps[index], *own, drawn))
        tile = (24, 24) if vector else tile_size(maps.shape[1:], count)
        columns = style.across(min(count, OVERVIEW_CHANNELS) if most else columns_for(count, tile))
        listed = channels[:count] == list(range(channels[0], channels[0] + count))
        label = "activation" if shared else f"activation; each channel on its own scale, 0 to {_top(colours)}"
        bar = Bar(low, high, drawn, label) if shared else Bar(_low(low), 1, drawn, label)
        return sheet(
            tiles,
            tile=tile,
            columns=columns,
            title=name if most else style.named(name),
            subtitle=style.named(_subtitle(about, maps.shape, count)),
            captions=() if listed else [str(channel) for channel in channels[:count]],
            numbered=listed and count > 1,
            first_number=channels[0],
            bar=bar,
        )


def _low(low: float) -> float:
    return -1.0 if low < 0 else 0.0


def _top(colours: str) -> str:
    return "±1 = its largest value" if colours == "signed" else "1 = its maximum"


def _subtitle(about: Mapping[str, Any], shape: tuple[int, ...], shown: int) -> str:
    channels, height, width = shape
    size = f"{channels} channels of {height}x{width}" if height * width > 1 else f"{channels} numbers"
    some = "" if shown == channels else f", the first {shown} shown"
    silent = sum(1 for share in about["zeros"] if share == 1)
    return f"{about['kind']}, {size}{some}" + (f"; {silent} inactive" if silent else "")

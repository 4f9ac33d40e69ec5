"""What compare returns: maps of methods, targets and networks on scales that they share."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from convscope.images.ranks import ranks
from convscope.render.board import Row, board
from convscope.render.colour import MapName, colourise, themed
from convscope.render.colour_bar import Bar
from convscope.render.figure import Figure
from convscope.render.overlay import overlay
from convscope.render.page import page, pixels_uri
from convscope.render.style import Style, ThemeName
from convscope.render.text import figure
from convscope.results.facts import Facts, Summary
from convscope.results.files import ENDINGS, check_ending
from convscope.results.heatmap import CLIPPED, SIDES, scale_of_maps
from convscope.results.result import Axes, Result
from convscope.results.styled import check_unstyled

SIDE, ON_PAGE = 224, 112
"""Pixels on the long side of a tile in the picture; of a map's values on the page."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardFacts(Facts):
    """networks: their names. methods: of each its title, name, what it tells, how it is shown. titles: what targets are
    called; shares: what each network says of each. scale: which maps share one.
    """

    networks: Sequence[str] = ()
    methods: Sequence[Mapping[str, Any]] = ()
    titles: Sequence[str] = ()
    shares: Sequence[Sequence[str]] = ()
    targets: Sequence[str] = ()
    scale: str = "method"
    title: str = ""


class Board(Result, kind="board", facts=BoardFacts):
    """Arrays: `maps` (`networks methods targets h w`, unscaled), `values` (`networks targets`, each target's value) and
    `image` (`h w 3`, bytes). Facts: the names of all, and `scale`, which maps share one."""

    facts: BoardFacts
    endings = (*ENDINGS, ".html")

    needs: ClassVar[Axes] = {
        "maps": ("networks", "methods", "targets", "h", "w"),
        "values": ("networks", "targets"),
        "image": ("h", "w", "c"),
    }

    def summary(self) -> Summary:
        data = {name: self.facts[name] for name in ("networks", "targets", "titles", "shares", "scale")}
        data["highest"] = self.arrays["maps"].max((3, 4)).tolist()
        return Summary(data, [self.facts.title])

    def figure(self, style: Style) -> Figure:
        """The photograph, then a row for each method and network with its scale beside it."""
        rows = [
            Row(
                self._name(n, m),
                [self._tile(n, m, t, style.theme) for t in range(len(self.facts.titles))],
                self._bar(n, m, style.theme),
                self._ends(n, m),
            )
            for m, n in self._order()
        ]
        columns = [f"{title}\n{more}" for title, more in zip(self.facts.titles, self._under(), strict=True)]
        title, subtitle = style.named(self.facts.title), style.named(self._told())
        return board(self.arrays["image"], columns, rows, side=SIDE, title=title, subtitle=subtitle)

    def _order(self) -> list[tuple[int, int]]:
        """The rows: for each method its networks, one below the other."""
        networks, methods = self.arrays["maps"].shape[:2]
        return [(m, n) for m in range(methods) for n in range(networks)]

    def _name(self, n: int, m: int) -> str:
        several = len(self.facts.networks) > 1
        title: str = self.facts.methods[m]["title"]
        return f"{title}\n{self.facts.networks[n]}" if several else title

    def _under(self) -> list[str]:
        """Below each target's name, what the networks say of it."""
        names = self.facts.networks
        if len(names) == 1:
            return [shares[0] for shares in self.facts.shares]
        return [
            ", ".join(f"{name} {share}" for name, share in zip(names, shares, strict=True))
            for shares in self.facts.shares
        ]

    def _told(self) -> str:
        words: dict[str, str] = {
            "method": "the maps of a method share one scale",
            "all": "all maps share one scale",
            "network": "the maps of a method and network share one scale",
            "each": "each map has a scale of its own: colours of two maps cannot be compared",
            "rank": "colours tell the share of pixels that are colder: all maps can be compared",
        }
        told = words[self.facts.scale]
        told = told if self._ranked is not None else f"unscaled; {told}"
        signed = any(self._bar(n, m).map == "signed" for m, n in self._order())
        told = f"{told}; {SIDES}" if signed else told
        fine = any(self._display(m) != "region" for m in range(len(self.facts.methods)))
        return f"{told}; pixel maps are {CLIPPED}" if fine and self._ranked is None else told

    def _display(self, m: int) -> str:
        return str(self.facts.methods[m].get("display", self.facts.methods[m].get("look", "region")))

    @cached_property
    def _ranked(self) -> np.ndarray | None:
        """The ranks of the maps, where these are drawn in place of the values."""
        if self.facts.scale != "rank":
            return None
        maps = self.arrays["maps"]
        return np.stack([_shares(one) for one in maps.reshape(-1, *maps.shape[3:])]).reshape(maps.shape)

    def _drawn(self, n: int, m: int, t: int) -> Float[np.ndarray, "h w"]:
        """The values that are drawn: those of the map, or their ranks."""
        values: np.ndarray = (self.arrays["maps"] if self._ranked is None else self._ranked)[n, m, t]
        return values

    @cached_property
    def _scales(self) -> list[list[list[tuple[float, float, MapName]]]]:
        """The lowest and highest value to show and the colours, by network, method and target."""
        maps = self.arrays["maps"]
        networks, methods, targets = (range(count) for count in maps.shape[:3])
        fine = [self._display(m) != "region" for m in methods]
        match self.facts.scale:
            case "rank":
                return [[[(0.0, 1.0, "viridis")] * len(targets) for _ in methods] for _ in networks]
            case "each":
                return [[self._own(maps[n, m], m, fine[m]) for m in methods] for n in networks]
            case "network":
                return [[[self._of(maps[n, m], m, fine[m])] * len(targets) for m in methods] for n in networks]
            case "all":
                return [[[scale_of_maps(maps, any(fine))] * len(targets) for _ in methods] for _ in networks]
            case _:
                of = [self._of(maps[:, m], m, fine[m]) for m in methods]
                return [[[one] * len(targets) for one in of] for _ in networks]

    def _own(self, maps: np.ndarray, m: int, fine: bool) -> list[tuple[float, float, MapName]]:
        """The scales of the maps of a row, each its own; all about zero where one of them has negatives."""
        scales = [self._of(one, m, fine) for one in maps]
        signed = any(colours == "signed" for *_, colours in scales)
        return [(-high, high, "signed") for _, high, _ in scales] if signed else scales

    def _of(self, shared: np.ndarray, m: int, fine: bool) -> tuple[float, float, MapName]:
        """The scale of maps of a method that share one."""
        low, high, colours = scale_of_maps(shared, fine)
        return float(shared.min()) if self.facts.methods[m]["from_lowest"] else low, high, colours

    def _bar(self, n: int, m: int, theme: ThemeName = "dark") -> Bar:
        """The scale of a row."""
        low, high, colours = self._scales[n][m][0]
        return Bar(low, high, themed(colours, theme, laid=self._laid(m)))

    def _laid(self, m: int) -> bool:
        """Whether the maps of a method are laid on the photograph."""
        return self._display(m) == "region" and self._ranked is None

    def _ends(self, n: int, m: int) -> tuple[str, str]:
        """What stands at the lower and the upper end of a row's scale: numbers, unless each map has its own."""
        bar = self._bar(n, m)
        if self.facts.scale != "each":
            return figure(bar.low), figure(bar.high)
        lowest = "least" if self.facts.methods[m]["from_lowest"] else "0"
        return ("-most" if bar.low < 0 else lowest), "most"

    def _tile(self, n: int, m: int, t: int, theme: ThemeName = "dark") -> UInt8[np.ndarray, "h w 3"]:
        low, high, colours = self._scales[n][m][t]
        values = self._drawn(n, m, t)
        if not self._laid(m):
            return colourise(values, low, high, themed(colours, theme))
        return overlay(self.arrays["image"], values, low, high, map=colours, theme=theme)

    def page(self) -> str:
        """The board as a page that stands alone: what the pointer is on is marked in every map, with its values, and
        on every scale; a scale shows what lies above a value."""
        columns = zip(self.facts.titles, self._under(), strict=True)
        rows = [self._row(n, m) for m, n in self._order()]
        kept = ("least", "most", "rows", "columns", "data", "low", "high")  # of each cell
        data = [
            {
                "low": row["low"],
                "high": row["high"],
                "cells": [{key: cell[key] for key in kept} for cell in row["cells"]],
            }
            for row in rows
        ]
        return page(
            "board.html",
            title=self.facts.title,
            told=self._told(),
            photograph=pixels_uri(self.arrays["image"], quality=90),
            apart=self.facts.scale == "each",
            mean=_times(self.arrays["image"].shape, ON_PAGE),
            columns=[{"title": title, "under": under} for title, under in columns],
            rows=rows,
            data=data,
            several=len(self.facts.networks) > 1,
            notes=list(self.notes),
            recipe=self.recipe.to_dict(),
        )

    def _row(self, n: int, m: int) -> dict[str, Any]:
        """A row of the page."""
        bar = self._bar(n, m)
        ramp = np.linspace(bar.high, bar.low, 128)[:, None].repeat(8, 1)
        cells = []
        for t in range(len(self.facts.titles)):
            low, high, _ = self._scales[n][m][t]
            values = _packed(_smaller(self._drawn(n, m, t), ON_PAGE))
            cells.append({"picture": pixels_uri(self._tile(n, m, t), quality=88), "low": low, "high": high, **values})
        return {
            "method": self.facts.methods[m]["title"],
            "about": self.facts.methods[m]["about"],
            "network": self.facts.networks[n],
            "low": bar.low,
            "high": bar.high,
            "cells": cells,
            "ends": self._ends(n, m),
            "ramp": pixels_uri(colourise(ramp, bar.low, bar.high, bar.map)),
        }

    def file_bytes(self, suffix: str, picture: str | None, style: Style) -> bytes:
        """`.html` is the page, the others as of any result."""
        if suffix != ".html":
            return super().file_bytes(suffix, picture, style)
        check_unstyled(suffix, style)
        return self.page().encode()


def check_board_ending(path: str | Path) -> None:
    """Raises ResultError, before any work, for a file that a board cannot be saved as."""
    check_ending(path, Board.endings)


def _shares(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """For each pixel the share of pixels that are colder, half of those that are alike counted."""
    shares: np.ndarray = (ranks(values) - 0.5) / values.size
    return shares


def _smaller(values: Float[np.ndarray, "h w"], side: int) -> Float[np.ndarray, "rows columns"]:
    """A map with at most so many values on its long side, each the mean of those it stands for."""
    height, width = values.shape
    factor = min(1.0, side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small: np.ndarray = np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX))
    return small


def _times(shape: tuple[int, ...], side: int) -> int:
    """How many pixels of a map one value on the page is the mean of, to a side."""
    return max(1, round(max(shape[:2]) / side))


def _packed(values: Float[np.ndarray, "h w"]) -> dict[str, Any]:
    """A map as text: 16 bits a value between its least and its greatest."""
    least, most = float(values.min()), float(values.max())
    parts = np.rint((values - least) / ((most - least) or 1.0) * 65535).astype("<u2")
    data = base64.b64encode(parts.tobytes()).decode("ascii")
    return {"least": least, "most": most, "rows": values.shape[0], "columns": values.shape[1], "data": data}

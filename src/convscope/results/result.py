"""What every method returns: named arrays with axes, and the recipe that made them."""

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from convscope.errors import ResultError
from convscope.memory import memory_watched
from convscope.render.figure import Figure
from convscope.render.raster import raster
from convscope.render.style import PLAIN, Style, ThemeName
from convscope.results.facts import Facts, Summary
from convscope.results.files import ENDINGS, PICTURES, check_ending, write_whole
from convscope.results.formats import picture_file
from convscope.results.npz import npz_bytes, npz_within
from convscope.results.recipe import Recipe
from convscope.results.styled import check_unstyled, no_tiles

Axes = Mapping[str, tuple[str, ...]]
"""The names of the axes of arrays, by the arrays' names."""
NUMBERS_IN_PNG = 4_000_000
"""Arrays that take more bytes than this, packed, stay out of PNG files."""
FACTS_IN_PNG = 100_000
"""Facts longer than this many characters stay out of PNG files (they are always in the .npz)."""


NOTEBOOK = 90
"""JPEG quality of pictures in notebooks, which hold one copy of each."""
KINDS: dict[str, type["Result"]] = {}
"""The kinds of results, by what files call them."""


@dataclass(frozen=True, eq=False)
class Result(ABC):
    """Named arrays, unscaled, and the recipe that made them. It shows itself in a notebook.

    arrays: NumPy arrays by name; the docstring of each method says which. axes: the names of their axes.
    facts: what else was found, as plain JSON (labels, statistics). recipe: how to make it again.
    """

    arrays: Mapping[str, np.ndarray]
    axes: Axes
    recipe: Recipe
    facts: Mapping[str, Any] = field(default_factory=dict)

    kind: ClassVar[str] = ""
    """What files call results of this kind."""
    needs: ClassVar[Axes] = {}
    """The arrays that a result of this kind has, with their axes; `n`, `h` and `w` are the same in all of them."""
    facts_kind: ClassVar[type[Facts]] = Facts
    """The class of its facts."""
    endings: ClassVar[tuple[str, ...]] = ENDINGS
    """The endings of files that results of this kind are saved as."""
    in_tiles: ClassVar[bool] = False
    """Whether results of this kind are drawn as sheets of tiles."""

    def __init_subclass__(cls, *, kind: str = "", facts: type[Facts] | None = None) -> None:
        super().__init_subclass__()
        cls.facts_kind = facts or cls.facts_kind
        if kind:
            cls.kind = kind
            KINDS[kind] = cls

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", self.facts_kind.of(self.facts))
        object.__setattr__(self, "axes", {name: tuple(axes) for name, axes in self.axes.items()})
        for name, array in self.arrays.items():
            if len(self.axes.get(name, ())) != array.ndim:
                raise ResultError(f"the array {name!r} has {array.ndim} axes, named {self.axes.get(name)}")

    @abstractmethod
    def figure(self, style: Style) -> Figure:
        """The result as one picture, laid out."""

    def figures(self, style: Style) -> dict[str, Figure]:
        """The result as pictures with names, laid out; most results are one, named "picture"."""
        return {"picture": self.figure(style)}

    def image(
        self, *, theme: ThemeName = "dark", columns: int | None = None, scale: float = 1.0, title: bool = True
    ) -> Image.Image:
        """The result as one picture.

        theme: "dark" or "light". columns: tiles in a row, of a result that is a sheet of tiles. scale: how many times
        as large; words stay sharp. title: with title and subtitle.
        """
        return self.drawn(Style(theme, columns, scale, title))

    def drawn(self, style: Style) -> Image.Image:
        """The result as one picture in a style."""
        return raster(self.figure(self.fitting(style)), style.theme, style.scale)

    def pictures(
        self, *, theme: ThemeName = "dark", columns: int | None = None, scale: float = 1.0, title: bool = True
    ) -> dict[str, Image.Image]:
        """The result as pictures with names; most results are one, named "picture". The options are those of image."""
        style = self.fitting(Style(theme, columns, scale, title))
        return {name: raster(one, theme, scale) for name, one in self.figures(style).items()}

    def fitting(self, style: Style) -> Style:
        """The style. Raises InputError where this result cannot be drawn in it."""
        if style.columns is not None and not self.tiled:
            raise no_tiles(self.kind)
        return style

    @property
    def tiled(self) -> bool:
        """Whether it is drawn as a sheet of tiles, of which `columns` may say how many stand in a row."""
        return self.in_tiles

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of this result has to know."""
        return self.recipe.notes

    @property
    def cuts(self) -> tuple[str, ...]:
        """What `image()` leaves out of the arrays, in words; nothing is left out in silence."""
        return ()

    def notes_in(self, path: str | Path) -> tuple[str, ...]:
        """What a reader of the file has to know: a picture may show less than the result holds."""
        return self.notes + (self.cuts if Path(path).suffix.lower() in PICTURES else ())

    def about(self) -> dict[str, Any]:
        """The recipe, facts and axes as plain JSON."""
        axes = {name: list(names) for name, names in self.axes.items()}
        return {"kind": self.kind, "recipe": self.recipe.to_dict(), "facts": dict(self.facts), "axes": axes}

    def summary(self) -> Summary:
        """What the result says in short, for programs and for people."""
        return Summary({"verb": self.recipe.verb, "arrays": {name: list(a.shape) for name, a in self.arrays.items()}})

    @memory_watched("drawing the result")
    def png(self) -> bytes:
        """The picture as PNG, with the recipe inside, but not the arrays."""
        return picture_file(".png", self.figure(PLAIN), PLAIN, recipe_and_facts(self))

    @memory_watched("drawing the result")
    def save(
        self,
        path: str | Path,
        picture: str | None = None,
        *,
        theme: ThemeName = "dark",
        columns: int | None = None,
        scale: float = 1.0,
        title: bool = True,
    ) -> Path:
        """Write the result: `.npz` keeps every array exactly; `.png`, `.jpg`, `.svg` and `.pdf` (which takes the extra
        `pdf`) are the picture with the recipe inside, a `.png` also with the arrays, unless they are large.

        picture: which one of `pictures`; the result as one picture unless named. theme, columns, scale, title: as for
        `image`.

        Raises ResultError for any other ending, and where the file cannot be written; nothing is left half-written.
        InputError for what this result cannot be drawn with.
        """
        check_ending(path, self.endings)
        style = self.fitting(Style(theme, columns, scale, title))
        return write_whole(path, self.file_bytes(Path(path).suffix.lower(), picture, style))

    def file_bytes(self, suffix: str, picture: str | None, style: Style) -> bytes:
        """The result as a file of that ending."""
        if suffix != ".npz":
            return self._picture(suffix, picture, style)
        check_unstyled(suffix, style)
        return npz_bytes(self.arrays, self.about())

    def _picture(self, suffix: str, name: str | None, style: Style) -> bytes:
        """The picture, or one of them, as a file of that ending."""
        about = recipe_and_facts(self, style)
        if name is None:
            arrays = self.numbers() if suffix == ".png" else b""
            return picture_file(suffix, self.figure(style), style, about, arrays)
        figures = self.figures(style)
        if name not in figures:
            raise ResultError(f"this result has no picture {name!r}; it has {', '.join(figures)}")
        return picture_file(suffix, figures[name], style, about | {"picture": name})

    def numbers(self) -> bytes:
        """The arrays as an .npz that a PNG carries; none where they are large."""
        return npz_within(self.arrays, self.about(), NUMBERS_IN_PNG) or b""

    @memory_watched("drawing the result")
    def save_pictures(
        self,
        folder: str | Path,
        *,
        theme: ThemeName = "dark",
        columns: int | None = None,
        scale: float = 1.0,
        title: bool = True,
    ) -> list[Path]:
        """Write each of `pictures` into a folder as PNG with the recipe inside; returns the files."""
        style = self.fitting(Style(theme, columns, scale, title))
        written: dict[str, Path] = {}
        about = recipe_and_facts(self, style)
        for name, figure in self.figures(style).items():
            plain = own = file_name(name)
            count = 1
            while own.lower() in written:  # two layers may differ in letters that files cannot hold, or in case
                count += 1
                own = f"{plain}-{count}"
            data = picture_file(".png", figure, style, about | {"picture": name})
            written[own.lower()] = write_whole(Path(folder) / f"{own}.png", data)
        return list(written.values())

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in self.arrays.items())
        return f"<convscope {self.recipe.verb}: {shapes if len(shapes) < 400 else f'{len(self.arrays)} arrays'}>"

    def _repr_html_(self) -> str:
        from convscope.render.page import data_uri

        notes = "".join(f"<p>⚠ {html.escape(note)}</p>" for note in self.notes)
        text = html.escape(repr(self))
        picture = f'<img alt="{text}" src="{data_uri(self.image(), quality=NOTEBOOK)}" style="max-width:100%">'
        return f"{picture}{notes}"


def recipe_and_facts(result: Result, style: Style = PLAIN) -> dict[str, Any]:
    """What a picture file carries: the recipe, the facts unless they are very long, and how it is drawn."""
    about: dict[str, Any] = {"recipe": result.recipe.to_dict()}
    facts = dict(result.facts)
    if len(json.dumps(facts)) <= FACTS_IN_PNG:
        about["facts"] = facts
    if told := style.told():
        about["style"] = told
    return about


def recipe_text(result: Result, style: Style = PLAIN) -> str:
    """The same as JSON."""
    return json.dumps(recipe_and_facts(result, style))


def file_name(name: str) -> str:
    """A layer's name as a file's: what file systems do not like becomes `_`."""
    return "".join(letter if letter.isalnum() or letter in "._-#" else "_" for letter in name) or "_"

"""A result of which a file holds the picture and the recipe, but not the numbers."""

import html
from typing import NoReturn

import numpy as np

from convscope.errors import ResultError
from convscope.render.figure import Figure
from convscope.render.style import Style
from convscope.results.recipe import Recipe
from convscope.results.result import Result

AXES = {"picture": ("h", "w", "c")}
NO_NUMBERS = "the numbers of this result are not in the picture: save it as .npz"
NO_PICTURE = "an .svg or .pdf gives back its recipe, but no picture: replay it, or save the result as .png or .npz"


class _Arrays(dict[str, np.ndarray]):
    """The picture; whoever asks for another array is told where it is."""

    def __missing__(self, name: str) -> NoReturn:
        raise KeyError(NO_NUMBERS)


class SavedPicture(Result, kind="picture"):
    """A result read from a picture file: the picture itself, array `picture` (`h w 3`, bytes), and its recipe."""

    def figure(self, style: Style) -> Figure:
        """The picture, pixel for pixel."""
        if "picture" not in self.arrays:
            raise ResultError(NO_PICTURE)
        return Figure.of(self.arrays["picture"])

    def numbers(self) -> bytes:
        """None: all there is, is the picture."""
        return b""

    def _repr_html_(self) -> str:
        return super()._repr_html_() if "picture" in self.arrays else f"<p>{html.escape(f'{self!r}: {NO_PICTURE}')}</p>"

    @staticmethod
    def of(picture: np.ndarray | None, recipe: Recipe, facts: dict[str, object]) -> "SavedPicture":
        """What was read from a picture file. picture: None where none can be read."""
        if picture is None:
            return SavedPicture(_Arrays(), {}, recipe, facts)
        return SavedPicture(_Arrays(picture=picture), AXES, recipe, facts)

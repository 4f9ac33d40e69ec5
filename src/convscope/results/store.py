"""Results back from files."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convscope.errors import ConvscopeError, ResultError
from convscope.plain import shown
from convscope.render.animation import ENDINGS as MOVING
from convscope.render.animation import animation_text, last_picture
from convscope.render.figure import Figure
from convscope.render.style import Style
from convscope.results import (  # noqa: F401  (each says there which kinds of results there are)
    activations,
    assessment,
    board,
    difference,
    heatmap,
    inversion,
    page,
    pictures,
    predictions,
    training,
    variations,
    weights,
)
from convscope.results.files import parsed, read_whole
from convscope.results.format1 import KIND_OF
from convscope.results.npz import read_npz
from convscope.results.png import read_png
from convscope.results.recipe import Recipe
from convscope.results.result import KINDS, Result


class SavedPicture(Result, kind="picture"):
    """A result read from a PNG: the picture itself, array `picture` (`h w 3`, bytes), and its recipe."""

    def figure(self, style: Style) -> Figure:
        """The picture, pixel for pixel."""
        return Figure.of(self.arrays["picture"])


_PICTURE = {"picture": ("h", "w", "c")}


def _told(about: dict[str, Any], path: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe and the facts in a file."""
    facts = about.get("facts", {})
    if not isinstance(facts, dict):
        raise ResultError(f"the facts in {str(path)!r} cannot be read")
    return Recipe.from_dict(about.get("recipe")), facts


def _are_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _check_arrays(result: Result, path: Path) -> None:
    """Raises ResultError where arrays that a result of this kind has are missing, or of another shape."""
    sides: dict[str, int] = {}
    for name, wanted in result.needs.items():
        array = result.arrays.get(name)
        if array is None or result.axes[name] != wanted:
            found = "is missing" if array is None else f"has the shape {array.shape}"
            raise ResultError(f"the array {name!r} in {str(path)!r} {found}; expected {' '.join(wanted) or 'a number'}")
        for axis, side in zip(wanted, array.shape, strict=True):
            if axis in ("n", "h", "w") and sides.setdefault(axis, side) != side:
                raise ResultError(
                    f"the arrays in {str(path)!r} are of different sizes: {axis} is {sides[axis]} and {side}"
                )


def picture_of(result: Result, path: Path) -> Image.Image:
    """A result from a file as one picture. Raises ResultError where its arrays and facts do not go together."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of values that are not finite, which a file may hold
            return result.image()
    except ConvscopeError:
        raise
    except Exception as error:  # facts may be anything
        text = " ".join(str(error).split())[:100]
        raise ResultError(f"the result in {str(path)!r} cannot be shown ({type(error).__name__}: {text})") from None


def load_result(path: str | Path) -> Result:
    """A result from a file: an `.npz` gives back every array exactly, a `.png` the picture and its recipe, an
    animation its last picture and its recipe.

    Raises ResultError for a file that is no result of convscope.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".png":
        picture, about = read_png(path)
        recipe, facts = _told(about, path)
        which = {"picture": about["picture"]} if isinstance(about.get("picture"), str) else {}
        return SavedPicture({"picture": np.asarray(picture)}, _PICTURE, recipe, facts | which)
    if suffix in MOVING:
        data = read_whole(path)
        text = animation_text(data, suffix)
        if text is None:
            raise ResultError(f"{str(path)!r} holds no recipe of convscope")
        recipe, facts = _told(parsed(text, path), path)
        return SavedPicture({"picture": last_picture(data, suffix)}, _PICTURE, recipe, facts)
    if suffix == ".npz":
        held, about = read_npz(path)
        recipe, facts = _told(about, path)
        kind = about.get("kind", KIND_OF.get(recipe.verb, recipe.verb))
        if not isinstance(kind, str) or kind not in KINDS:
            raise ResultError(f"{str(path)!r} is a result of {shown(kind)}, which this convscope does not know")
        axes = about.get("axes", {})
        if not isinstance(axes, dict) or not all(_are_names(names) for names in axes.values()):
            raise ResultError(f"the names of the axes in {str(path)!r} cannot be read")
        if set(held) == {"picture"} and axes == {name: list(names) for name, names in _PICTURE.items()}:
            return SavedPicture(held, _PICTURE, recipe, facts)
        named = {name: tuple(names) for name, names in axes.items()}
        misfit = KINDS[kind].facts_kind.misfit(facts)
        if misfit:
            raise ResultError(f"among the facts in {str(path)!r}, {misfit}: not what convscope writes there")
        result = KINDS[kind](held, named, recipe, facts)
        _check_arrays(result, path)
        return result
    raise ResultError(f"{str(path)!r} ends in {suffix!r}; expected a result, .png, .npz, .gif, .webp or .mp4")

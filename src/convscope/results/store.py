"""Results back from files."""

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convscope.errors import ConvscopeError, InputError, ResultError
from convscope.plain import shown
from convscope.render.animation import ENDINGS as MOVING
from convscope.render.animation import animation_text, last_picture
from convscope.render.pdf import pdf_metadata
from convscope.render.style import Style
from convscope.render.svg import svg_metadata
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
from convscope.results.files import ENDINGS, parsed, read_whole
from convscope.results.format1 import KIND_OF
from convscope.results.formats import JPEG, read_jpeg
from convscope.results.npz import npz_parts, read_npz
from convscope.results.png import read_png
from convscope.results.recipe import Recipe
from convscope.results.result import KINDS, Result
from convscope.results.saved import AXES, SavedPicture


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
    """A result from a file. An `.npz` gives back every array exactly, and so does a `.png` that carries them; else a
    `.png` or `.jpg` gives the picture and its recipe, an animation its last picture, an `.svg` or `.pdf` the recipe.

    Raises ResultError for a file that is no result of convscope.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _result(*read_npz(path), path)
    if suffix == ".png":
        picture, about, arrays = read_png(path)
        if arrays is None or isinstance(about.get("picture"), str):
            return _saved(np.asarray(picture), about, path)
        result = _result(*npz_parts(arrays, path), path)
        if result.recipe.to_dict() != about.get("recipe"):
            raise ResultError(f"the numbers in {str(path)!r} are of another recipe than its picture")
        return result
    return load_picture(path)


def load_picture(path: str | Path) -> SavedPicture:
    """The picture in a picture file with its recipe, whatever numbers the file has. Its facts also say how it was
    drawn (`style`), and which of several pictures it is (`picture`).

    Raises ResultError for a file that is no picture of convscope.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    pixels: Image.Image | np.ndarray | None = None
    if suffix == ".png":
        pixels, about, _ = read_png(path)
    elif suffix in (*JPEG, *DRAWN):
        pixels, text = read_jpeg(path) if suffix in JPEG else (None, DRAWN[suffix](read_whole(path)))
        about = _parsed(text, path)
    elif suffix in MOVING:
        data = read_whole(path)
        about = _parsed(animation_text(data, suffix), path)
        _told(about, path)
        pixels = last_picture(data, suffix)
    else:
        known = ", ".join((*ENDINGS, *MOVING[:-1]))
        raise ResultError(f"{str(path)!r} ends in {suffix!r}; expected a result, {known} or {MOVING[-1]}")
    return _saved(None if pixels is None else np.asarray(pixels), about, path)


def pixels_in(data: bytes, suffix: str) -> np.ndarray | None:
    """The picture in the bytes of a file of that ending, the last of an animation; None of what holds no pixels."""
    if suffix in MOVING:
        return last_picture(data, suffix)
    if suffix in DRAWN:
        return None
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def style_of(saved: SavedPicture, path: Path) -> Style:
    """How the picture in a file was drawn. Raises ResultError where that cannot be read."""
    told = saved.facts.get("style", {})
    try:
        return Style(**told)
    except (TypeError, InputError):
        raise ResultError(f"how the picture in {str(path)!r} was drawn cannot be read") from None


DRAWN: Mapping[str, Callable[[bytes], str | None]] = {".svg": svg_metadata, ".pdf": pdf_metadata}
"""The endings of files that hold no pixels, and what reads the recipe in them."""


def _parsed(text: str | None, path: Path) -> dict[str, Any]:
    if not text:
        raise ResultError(
            f"{str(path)!r} holds no recipe of convscope: it was made by another program, or saved again by one"
        )
    return parsed(text, path)


def _saved(picture: np.ndarray | None, about: dict[str, Any], path: Path) -> SavedPicture:
    recipe, facts = _told(about, path)
    which = {"picture": about["picture"]} if isinstance(about.get("picture"), str) else {}
    style = {"style": about["style"]} if isinstance(about.get("style"), dict) else {}
    return SavedPicture.of(picture, recipe, facts | which | style)


def _result(held: dict[str, np.ndarray], about: dict[str, Any], path: Path) -> Result:
    """A result of its own kind from its arrays and what was written of them. Raises ResultError where these are not
    such as convscope writes."""
    recipe, facts = _told(about, path)
    kind = about.get("kind", KIND_OF.get(recipe.verb, recipe.verb))
    if not isinstance(kind, str) or kind not in KINDS:
        raise ResultError(f"{str(path)!r} is a result of {shown(kind)}, which this convscope does not know")
    axes = about.get("axes", {})
    if not isinstance(axes, dict) or not all(_are_names(names) for names in axes.values()):
        raise ResultError(f"the names of the axes in {str(path)!r} cannot be read")
    if set(held) == {"picture"} and axes == {name: list(names) for name, names in AXES.items()}:
        return SavedPicture.of(held["picture"], recipe, facts)
    named = {name: tuple(names) for name, names in axes.items()}
    misfit = KINDS[kind].facts_kind.misfit(facts)
    if misfit:
        raise ResultError(f"among the facts in {str(path)!r}, {misfit}: not what convscope writes there")
    result = KINDS[kind](held, named, recipe, facts)
    _check_arrays(result, path)
    return result

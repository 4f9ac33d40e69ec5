"""Results back from files."""

from pathlib import Path

import numpy as np
from PIL import Image

from convscope.errors import ResultError
from convscope.results.activations import Activations
from convscope.results.files import read_npz, read_png
from convscope.results.heatmap import Heatmap
from convscope.results.pictures import Pictures
from convscope.results.recipe import Recipe
from convscope.results.result import Result
from convscope.results.weights import Weights


class SavedPicture(Result):
    """A result read from a PNG: the picture itself, array `picture` (`h w 3`, bytes), and its recipe."""

    def image(self) -> Image.Image:
        """The picture, pixel for pixel."""
        return Image.fromarray(self.arrays["picture"])


KINDS: dict[str, type[Result]] = {
    "activations": Activations,
    "explain": Heatmap,
    "visualize": Pictures,
    "weights": Weights,
}


def load_result(path: str | Path) -> Result:
    """A result from a file: an `.npz` gives back every array exactly, a `.png` the picture and its recipe.

    Raises ResultError for a file that is no result of convscope.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".png":
        picture, about = read_png(path)
        recipe = Recipe.from_dict(about.get("recipe"))
        arrays = {"picture": np.asarray(picture)}
        return SavedPicture(arrays, {"picture": ("h", "w", "c")}, recipe, about.get("facts", {}))
    if suffix == ".npz":
        held, about = read_npz(path)
        recipe = Recipe.from_dict(about.get("recipe"))
        if recipe.method not in KINDS:
            raise ResultError(f"{str(path)!r} is a result of {recipe.method!r}, which this convscope does not know")
        axes = {name: tuple(names) for name, names in about.get("axes", {}).items()}
        return KINDS[recipe.method](held, axes, recipe, about.get("facts", {}))
    raise ResultError(f"{str(path)!r} ends in {suffix!r}; expected a result, .png or .npz")

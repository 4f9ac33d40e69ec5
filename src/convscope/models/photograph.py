"""The one door for photographs: any picture a person may give becomes `h w c` numbers in [0,1], or one clear error.

What is done on the way (in decoding.py, exif.py, pixels.py, fitting.py) is recorded, so that a recipe can do it
again: rotation by EXIF, alpha laid on a background, the first frame of an animation, colour profiles, and how the
picture was brought to the network's size.
What a reader of the result has to know (transparency that was lost, values that are dark) is in the record's "notes".
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from convscope.errors import ImageError
from convscope.memory import memory_watched
from convscope.models.arrays import array_values, channels_last
from convscope.models.decoding import check_size, decoded_file, decoded_picture, reason
from convscope.models.fitting import WHOLE, Fit, Shrunk, most_shrinking, resize
from convscope.models.pixels import as_channels, picture_values
from convscope.models.spec import InputSpec

ImageLike = str | Path | Image.Image | np.ndarray | Tensor


def listed(given: Any) -> list[Any]:
    """What an argument holds that takes one picture or several, or none."""
    return list(given) if isinstance(given, list | tuple) else [] if given is None else [given]


@dataclass(frozen=True)
class Photograph:
    """A picture as the network will see it. `pixels`: `h w c` in [0,1]; `record`: what was given and done."""

    pixels: Float[np.ndarray, "h w c"]
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.pixels.shape[:2]
        return height, width

    def tensor(self, device: torch.device | str = "cpu") -> Float[Tensor, "1 c h w"]:
        """The picture as a batch of one, `1 c h w` in [0,1]."""
        return torch.from_numpy(np.ascontiguousarray(self.pixels.transpose(2, 0, 1))).unsqueeze(0).to(device)


def open_photograph(image: "ImageLike | Photograph", spec: InputSpec, *, fit: Fit = "crop") -> Photograph:
    """Read a picture and bring it to the size and channels that a network wants.

    image: a file's path, a PIL picture, a NumPy array (`h w`, `h w c`; integers, or floats in [0,1]) or a tensor
        (`c h w` or `1 c h w`). Which value is white depends on its type alone; see arrays.
    fit: "crop" scales the short side to the network's size and cuts the middle out; "pad" scales the long side and
        fills the rest with mid grey; "stretch" scales both sides.

    Of a file of more than LARGE (24 million) pixels no more is decoded, or kept, than the network's size wants: the
    result differs by some thousandths, at hard edges by up to 0.02. `record["size"]` is that of the whole picture,
    upright, all the same.

    Raises ImageError for whatever is no picture, is broken, is empty or is unreasonably large, and OutOfMemoryError.
    """
    if isinstance(image, Photograph):
        if image.pixels.shape != (*spec.hw, spec.channels):
            raise ImageError(f"the photograph is {image.pixels.shape}; expected {(*spec.hw, spec.channels)}")
        return image
    if fit not in get_args(Fit):
        raise ImageError(f"fit is {fit!r}; expected one of {', '.join(get_args(Fit))}")
    with memory_watched("reading a picture"):
        planes, hw, shrunk, record = _read(image, spec, fit)
        record |= {"size": list(hw), "fit": fit}
        if "sha256" not in record:
            record["sha256"] = hashlib.sha256(np.stack(planes).tobytes()).hexdigest()
        pixels = np.stack([resize(plane, hw, spec.hw, fit, shrunk) for plane in planes], axis=-1)
        return Photograph(np.clip(pixels, 0.0, 1.0), record)


def _read(
    image: ImageLike, spec: InputSpec, fit: Fit
) -> tuple[list[np.ndarray], tuple[int, int], Shrunk, dict[str, Any]]:
    """The planes that a network takes, (height, width) of the whole picture, how much smaller than that the planes
    are, and the record."""
    if isinstance(image, Tensor | np.ndarray):
        given = "tensor" if isinstance(image, Tensor) else "array"
        record: dict[str, Any] = {"given": given}
        array = channels_last(image) if isinstance(image, Tensor) else image
        planes = as_channels(array_values(array, spec.channels, record), spec.channels, record)
        height, width = planes[0].shape
        check_size(width, height)
        return planes, (height, width), WHOLE, record
    if isinstance(image, str | Path):
        decoded, record = decoded_file(Path(image), spec.hw, fit)
    elif isinstance(image, Image.Image):
        decoded, record = decoded_picture(image)
    else:
        raise ImageError(f"a picture was given as {type(image).__name__}; expected a path, PIL, NumPy array or tensor")
    try:
        check_size(decoded.size[1], decoded.size[0])
        by = most_shrinking(decoded.size, spec.hw, fit) if decoded.shrunk == WHOLE else 1
        array, shrunk = picture_values(decoded, spec.channels, by, record)
        return as_channels(array, spec.channels, record), decoded.size, shrunk, record
    except ImageError as error:
        raise ImageError(f"{record['path']!r}: {error}" if "path" in record else str(error)) from None
    except MemoryError:
        raise
    except Exception as error:  # a mode that Pillow cannot convert
        raise ImageError(f"a picture of mode {record['mode']} cannot be used: {reason(error)}") from None

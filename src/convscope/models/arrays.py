"""Arrays and tensors become `h w c` floats in [0,1].

Values, of files too, are scaled by their type, or by what the file declares, never by how large they happen to be:

    bool                        0 and 1
    unsigned whole numbers      0 to the largest of the type
    signed whole numbers        0 to 255 (int8 cannot hold that, and is refused)
    floats                      0 to 1
    Pillow's mode I;16 and I    0 to 65535, or to what the file declares (see decoding)
    Pillow's mode F             0 to 1
    Pillow's other modes        0 to 255
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.errors import ImageError
from convscope.models.decoding import reason

DARK = 8
"""A picture of more than 8 bits whose brightest value is below this part of white is noted."""


def channels_last(tensor: Tensor) -> np.ndarray:
    """A tensor `c h w`, `1 c h w` or `h w` as an array `h w c` or `h w`. Raises ImageError for others."""
    try:
        if tensor.is_complex():
            raise TypeError("complex numbers")
        plain = tensor.detach().cpu()
        whole = not plain.is_floating_point() or plain.dtype in (torch.float32, torch.float64, torch.float16)
        array: np.ndarray = (plain if whole else plain.float()).numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise ImageError(
            f"a picture tensor of {tensor.dtype} cannot be read ({reason(error)}); expected plain"
        ) from None
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3:
        return array.transpose(1, 2, 0)
    if array.ndim == 2:
        return array
    raise ImageError(f"a picture tensor has shape {tuple(tensor.shape)}; expected c h w or 1 c h w")


def array_values(array: np.ndarray, channels: int, record: dict[str, Any]) -> np.ndarray:
    """An array `h w`, `h w c` or `1 h w c` as `h w c` floats in [0,1]; `channels` of a network are known as a `c`.

    Raises ImageError for other shapes, types and values.
    """
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise ImageError(f"a picture array has shape {array.shape}; expected h w or h w c, nothing empty")
    known = {1, 3, 4, channels}
    if array.shape[2] not in known:
        raise ImageError(
            f"a picture array has shape {array.shape}; expected h w c with c one of {sorted(known)}"
            + (" (this looks like c h w: transpose it, or give a tensor)" if array.shape[0] in known else "")
        )
    record |= {"mode": str(array.dtype), "done": []}
    if array.dtype == bool:
        pass
    elif np.issubdtype(array.dtype, np.unsignedinteger):
        white = int(np.iinfo(array.dtype).max)
        if white > 255:
            note_if_dark(int(array.max()), white, record)
        array = array.astype(np.float64) / white
    elif array.dtype == np.int8:
        raise ImageError("a picture array is of int8, which cannot hold 0 to 255; give uint8, or floats in [0,1]")
    elif np.issubdtype(array.dtype, np.integer):
        _check_values(array, 255, "give uint16 for 0 to 65535, or divide by what is white and give floats")
        array = array / 255
    elif np.issubdtype(array.dtype, np.floating):
        _check_values(array, 1, "divide by what is white, such as 255")
    else:
        raise ImageError(f"a picture array is of type {array.dtype}; expected integers or floats")
    return array.astype(np.float32)


def _check_values(array: np.ndarray, high: int, way_out: str) -> None:
    if not np.isfinite(array).all():
        raise ImageError("a picture array holds values that are not finite; expected numbers in [0,1]")
    low, top = float(array.min()), float(array.max())
    if low < -1e-4 or top > high * (1 + 1e-4):
        raise ImageError(
            f"a picture array of {array.dtype} goes from {low:.3g} to {top:.3g}; expected 0 to {high}: {way_out}"
        )


def note_if_dark(top: int, white: int, record: dict[str, Any]) -> None:
    """Note that a picture's brightest value is below an eighth of white; its values stay as they are."""
    if 0 < top < white / DARK:
        used = f"{top.bit_length()} of {white.bit_length()} bits"
        say(record, "notes", f"the picture's values use only {used}: it may be dark; scale it first")


def say(record: dict[str, Any], where: str, text: str) -> None:
    """Add a line to the record's "done" or "notes", once."""
    lines = record.setdefault(where, [])
    if text not in lines:
        lines.append(text)

"""Pictures from what a user gives for several: files, folders, patterns, lists of these, and tensors of a batch."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from convscope.errors import ImageError
from convscope.models.photograph import ImageLike, Photograph

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""What is taken for a picture in a folder."""
Images = ImageLike | Photograph | Iterable[ImageLike | Photograph]


def pictures_in(given: Images) -> list[ImageLike | Photograph]:
    """The pictures that are given, in order, none of them opened yet.

    given: a file; a folder, of which all picture files are meant, those of folders in it among them, by name; a pattern
    such as "photos/*.jpg"; a picture; a tensor or array of several, `n c h w` or `n h w c`; or a list of any of these.

    Raises ImageError where a folder or a pattern has no picture, or nothing was given. A file that is not there is
    found out when it is opened.
    """
    if isinstance(given, str | Path):
        return [*_files(given)]
    if isinstance(given, Tensor | np.ndarray) and given.ndim == 4 and len(given) != 1:
        return [*given]
    if isinstance(given, Iterable) and not isinstance(given, Tensor | np.ndarray):
        several = [picture for one in given for picture in pictures_in(one)]
        if not several:
            raise ImageError("no picture was given; expected at least one")
        return several
    single: Any = given
    return [single]


def stream_of(given: Images) -> tuple[Iterator[ImageLike | Photograph], int]:
    """The pictures as `pictures_in` gives them, and how many; of an iterator, such as a generator or a data loader, one
    after the other as they are asked for, and 0: nobody knows how many it has."""
    if isinstance(given, Iterable) and not isinstance(given, str | Sequence | Set | Tensor | np.ndarray):
        return (picture for one in given for picture in pictures_in(one)), 0
    pictures = pictures_in(given)
    return iter(pictures), len(pictures)


def _files(given: str | Path) -> list[str]:
    """The files of a path or pattern."""
    path = Path(given)
    if os.path.isdir(path):  # os.path's answer is no, not an error, for a name that no file can have
        result = sorted(str(file) for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not result:
            raise ImageError(f"the folder {str(path)!r} has no picture ({', '.join(SUFFIXES)})")
        return result
    if not os.path.exists(path) and glob.has_magic(str(given)):
        result = sorted(file for file in glob.glob(str(given), recursive=True) if Path(file).is_file())
        if not result:
            raise ImageError(f"no file matches {str(given)!r}")
        return result
    return [str(given)]


def name_of(picture: ImageLike | Photograph, number: int) -> str:
    """What a picture is called in messages and tables: its path, or its number."""
    if isinstance(picture, Photograph):
        return str(picture.record.get("path", f"picture {number}"))
    return str(picture) if isinstance(picture, str | Path) else f"picture {number}"

"""What replay may read and fetch. A recipe may come from a stranger, and names files and networks.

The law: a file that lies in the folder of the result or below it may be read; any other needs the user's word, and
without it is not touched at all, not even to see whether it is there. Nothing is downloaded without a word. What is
read has to have the hash that the recipe says.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from convscope.errors import ResultError


@dataclass(frozen=True)
class Reach:
    """How far a recipe reaches. folder: that of the result. files: whether files elsewhere may be read, too.
    download: whether weights may be downloaded."""

    folder: Path
    files: bool = False
    download: bool = False

    def find(self, told: str, what: str, give: str) -> Path:
        """A file that a recipe names: where it says, seen from here or from the result, or of that name beside the
        result. give: how the user can hand it over. Raises ResultError where there is none within reach."""
        places = [Path(told), self.folder / told, self.folder / Path(told).name]
        near = [place for place in places if self.files or self._within(place)]
        for place in near:
            if os.path.isfile(place):
                return place
        if places[0] not in near:
            raise ResultError(
                f"{what} {told!r} lies outside the folder of the result ({str(self.folder)!r}): {give}, put it beside "
                "the result, or say --files (files=True) to let this recipe read files elsewhere"
            )
        raise ResultError(f"{what} {told!r} is not here: {give}, or put it beside the result")

    def _within(self, place: Path) -> bool:
        """Whether a path lies in the folder or below, as it is written and, if so, wherever its links lead."""
        real = os.path.realpath(self.folder)
        written = os.path.abspath(place)
        if not any(_below(written, folder) for folder in (os.path.abspath(self.folder), real)):
            return False
        return _below(os.path.realpath(place), real)


def _below(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)

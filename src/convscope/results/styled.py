"""What is said where a result, or a file, cannot be drawn as was asked for."""

from convscope.errors import InputError
from convscope.render.style import Style


def no_tiles(kind: str) -> InputError:
    """What is raised where columns are given for what has none to choose."""
    return InputError(
        f"columns is of sheets of tiles; a result of kind {kind!r} is none, or one whose rows mean something: "
        "leave it out"
    )


UNDRAWN = (".npz", ".html")
"""The endings of files that are no picture of a result."""


def check_unstyled(suffix: str, style: Style) -> None:
    """Raises InputError where a style is given for a file that is not drawn in it."""
    if told := style.told():
        names = ", ".join(told)
        raise InputError(f"{names}: of pictures; a {suffix} file is written as it is, leave out what was given")

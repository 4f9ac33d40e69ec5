"""What the commands share that make pictures step by step: the file, its frames, and what is said of each picture."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.command import Common, Outcome
from convscope.results.pictures import check_picture_ending, showable
from convscope.results.result import Result

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help=".png, .jpg, .svg, .pdf, .npz, or in motion .gif, .webp, .mp4.")
]


def framed(out: Path | None, usual: str, options: dict[str, Any]) -> Path:
    """The file to write; where that moves, all frames are kept unless others were asked for. Raises ResultError."""
    file = out or Path(usual)
    if check_picture_ending(file) and options["frames"] is None and not options.get("zoom"):
        options["frames"] = "all"
    return file


def save_pictures(common: Common, result: Result, target: Path) -> Outcome:
    """Write pictures to a file, and say what each reached."""
    return common.saved(result, showable(result, target))

"""`convscope replay`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from convscope.cli.command import PICTURE, Common, Outcome, command
from convscope.cli.progress import Watcher
from convscope.errors import ResultError
from convscope.render.style import PLAIN, Style
from convscope.results.pictures import check_picture_ending
from convscope.results.result import Result
from convscope.results.saved import SavedPicture
from convscope.results.store import DRAWN, load_picture, load_result, picture_of, pixels_in, style_of
from convscope.results.styled import UNDRAWN
from convscope.verbs.replay import replay


@command(
    "replay",
    shares=("device", "trust", *PICTURE),
    examples=[
        "replay zebra.png --out again.png",
        "replay cam.png --image cat.jpg",
        "replay out/cam.png --files",
        "replay cam.png --model mine.keras",
    ],
)
def main(
    common: Common,
    file: Annotated[Path, typer.Argument(help="A result of convscope: a picture, .npz, .gif, .webp or .mp4.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write, as for the original.")] = None,
    image: Annotated[str | None, typer.Option(help="The photograph, if it is no longer where the recipe says.")] = None,
    networks: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="The network, in place of the recipe's; of several each in turn."),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Let the recipe read files outside the folder of the result.")
    ] = False,
    download: Annotated[bool, typer.Option("--download", help="Let the recipe's network fetch its weights.")] = False,
) -> Outcome:
    """Make a result again from the recipe inside it, and say whether it came out the same.

    Of what the recipe names, files in the folder of the result and below are read; others, and downloads, only when
    asked for.
    """
    suffix = file.suffix.lower()
    original = load_result(file) if suffix == ".npz" else load_picture(file)
    target = out or file.with_name(f"{file.stem}-again{file.suffix}")
    check_picture_ending(target)
    was = style_of(original, file) if isinstance(original, SavedPicture) else PLAIN
    style = common.style(PLAIN if target.suffix.lower() in UNDRAWN else was)
    common.check_look(None, target)
    before = None if suffix in DRAWN else np.asarray(picture_of(original, file))
    with Watcher() as watch:
        result = replay(
            file,
            net=networks or None,
            image=image,
            device=common.device,
            trust=common.trust,
            files=files,
            download=download,
            watch=watch,
        )
    which = original.facts.get("picture") if suffix != ".npz" else None
    if which is not None and which not in (again := result.pictures()):
        raise ResultError(f"the recipe in {str(file)!r} gives no picture {which!r}; it gives {', '.join(again)}")
    saved = result.save(target, which, **style.options)
    same = None if before is None else _same(before, result, suffix, which, was)
    notes = result.notes if which is not None else result.notes_in(saved)
    return Outcome([saved], {"same_pixels": same}, [_said(same, original)], notes)


def _same(before: np.ndarray, result: Result, suffix: str, which: str | None, style: Style) -> bool:
    """Whether a result shows the pixels of the file that it was made again from."""
    after = pixels_in(result.file_bytes(".png" if suffix == ".npz" else suffix, which, style), suffix)
    return after is not None and before.shape == after.shape and bool((before == after).all())


def _said(same: bool | None, original: Result) -> str:
    """Whether the result came out the same, and if not why that may be."""
    if same is None:
        return "made again; the file holds no pixels to compare"
    if same:
        return "the same pixels"
    batch = original.recipe.machine.get("batch", 1)
    why = (
        "what was made then was stopped before it was done"
        if original.recipe.stopped
        else f"it was made in a batch of {batch}, whose last digits differ"
        if batch > 1
        else "another machine, version or number of threads?"
    )
    return f"NOT the same pixels ({why})"

"""`convscope replay`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from convscope.cli.command import Common, Outcome, command
from convscope.cli.progress import Watcher
from convscope.errors import ResultError
from convscope.render.animation import ENDINGS as MOVING
from convscope.results.pictures import check_picture_ending
from convscope.results.store import load_result, picture_of
from convscope.verbs.replay import replay


@command(
    "replay",
    shares=("device", "trust"),
    examples=[
        "replay zebra.png --out again.png",
        "replay cam.png --image cat.jpg",
        "replay out/cam.png --files",
        "replay cam.png --model mine.keras",
    ],
)
def main(
    common: Common,
    file: Annotated[Path, typer.Argument(help="A result of convscope: .png, .npz, .gif, .webp or .mp4.")],
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
    original = load_result(file)
    target = out or file.with_name(f"{file.stem}-again{file.suffix}")
    check_picture_ending(target)
    before = np.asarray(picture_of(original, file))
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
    which = original.facts.get("picture") if file.suffix.lower() == ".png" else None
    again = result.pictures() if which is not None else {}
    if which is not None and which not in again:
        raise ResultError(f"the recipe in {str(file)!r} gives no picture {which!r}; it gives {', '.join(again)}")
    saved = result.save(target, which)
    if file.suffix.lower() in MOVING and target.suffix.lower() == file.suffix.lower():
        after = np.asarray(load_result(saved).image())  # the last frames of the two files
    else:
        after = np.asarray(again[which] if which is not None else result.image())
    same = before.shape == after.shape and bool((before == after).all())
    said = "the same pixels"
    if not same:
        batch = original.recipe.machine.get("batch", 1)
        why = (
            "what was made then was stopped before it was done"
            if original.recipe.stopped
            else f"it was made in a batch of {batch}, whose last digits differ"
            if batch > 1
            else "another machine, version or number of threads?"
        )
        said = f"NOT the same pixels ({why})"
    notes = result.notes if which is not None else result.notes_in(saved)
    return Outcome([saved], {"same_pixels": same}, [said], notes)

"""`convscope activations`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.command import DRAWN, Common, Outcome, command
from convscope.cli.many import BatchOf, Many, Table, check_many, is_many
from convscope.cli.telling import told
from convscope.errors import InputError
from convscope.results.files import ENDINGS, check_ending, check_place
from convscope.results.result import Result
from convscope.results.styled import check_unstyled
from convscope.verbs.activations import activations

NO_FOLDERS = (
    ".gif",
    ".webp",
    ".mp4",
    ".tif",
    ".tiff",
    ".bmp",
    ".html",
    ".npy",
    ".zip",
)


@command(
    "activations",
    verb=activations,
    shares=DRAWN,
    examples=[
        "activations cat.jpg --out cat/",
        "activations cat.jpg stem.act 'blocks.*.project' --out cat/",
        "activations cat.jpg blocks.4 --channels 0-7 --scale shared --out blocks4.png",
        "activations cat.jpg --out cat.npz",
        "activations photos/ blocks.10 --out arrays/ --table arrays.csv",
    ],
)
def main(
    common: Common,
    photo: Annotated[str, typer.Argument(help="A picture file; or a folder, or a pattern such as 'photos/*.jpg'.")],
    layers: Annotated[list[str] | None, typer.Argument(help="Names or patterns; all layers unless given.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A folder for one picture per layer, or FILE.png, .jpg, .svg, .pdf, .npz."),
    ] = None,
    table: Table = None,
    batch: BatchOf = None,
    **options: object,
) -> Outcome:
    """What each layer answers to a photograph: every channel side by side, one picture per layer.

    Of a folder of photographs the arrays of each, as .npz.
    """
    if out is not None and out.suffix.lower() in NO_FOLDERS:
        raise InputError(f"--out is {str(out)!r}; expected a folder, or a file that ends in {', '.join(ENDINGS)}")
    if is_many([photo]):
        folder = out or Path("activations")
        check_many(folder, table)
        check_unstyled(".npz", common.style())
        many = Many(activations, lambda result, name: _row(result, folder / f"{name}.npz"), COLUMNS, "picture")
        return many.run(common.load(), [photo], layers or None, table=table, batch=batch, **options)
    if table is not None:
        raise InputError("--table is for several pictures: give a folder, or a pattern such as 'photos/*.jpg'")
    target = out or Path(f"{Path(photo).stem}-activations")
    whole = target.suffix.lower() in ENDINGS
    if whole:
        check_ending(target)
    else:
        check_place(target / "layer.png")
    net = common.load()
    result = activations(net, photo, layers or None, **options)  # type: ignore[arg-type]
    files = [result.save(target, **common.look)] if whole else result.save_pictures(target, **common.look)
    return told(result.summary(), files, result.notes_in(target))


COLUMNS = ("layers", "file")


def _row(result: Result, file: Path) -> tuple[list[Path], dict[str, Any]]:
    """Save the arrays of one of many pictures; its file and its row of the table."""
    saved = result.save(file)
    return [saved], {"layers": len(result.arrays), "file": str(saved)}

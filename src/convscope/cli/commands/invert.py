"""`convscope invert`."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.arguments import Photo, Saved
from convscope.cli.command import MADE, Common, Outcome, command
from convscope.results.files import check_ending
from convscope.verbs.invert import invert


@command(
    "invert",
    verb=invert,
    shares=MADE,
    examples=[
        "invert cat.jpg --out inversions.png",
        "invert cat.jpg stem.act blocks.4 blocks.10 --tv both",
        "invert cat.jpg block1_relu2 block3_relu3 -m vgg16_hed",
        "invert cat.jpg blocks.9 --caricature --steps 60",
    ],
)
def main(
    common: Common,
    photo: Photo,
    layers: Annotated[list[str] | None, typer.Argument(help="Names or patterns; five unless given.")] = None,
    out: Saved = None,
    **options: object,
) -> Outcome:
    """What a layer still knows of a photograph: pictures that it takes for it, and how like it they are."""
    file = out or Path(f"{Path(photo).stem}-inversion.png")
    check_ending(file)
    net = common.load()
    return common.made(invert, net, photo, layers or None, save=lambda result: common.saved(result, file), **options)

"""`convscope diff`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.arguments import Saved
from convscope.cli.command import DRAWN, Common, Outcome, command
from convscope.results.files import check_ending
from convscope.verbs.diff import diff


@command(
    "diff",
    verb=diff,
    shares=DRAWN[1:],
    examples=[
        "diff efficientnet_lite0 trained/ photos/",
        "diff before.pt2 after.pt2 cat.jpg coffee.jpg --trust --out moved.png",
    ],
)
def main(
    common: Common,
    before: Annotated[str, typer.Argument(help="A network: a name, a file, or a folder of train.")],
    after: Annotated[str, typer.Argument(help="Another, of the same plan.")],
    images: Annotated[list[str], typer.Argument(help="Pictures, folders or patterns.")],
    weights_after: Annotated[
        str | None, typer.Option(help="FILE of weights for AFTER; --weights are those of BEFORE.")
    ] = None,
    out: Saved = None,
    **options: object,
) -> Outcome:
    """How two networks see the same pictures: layers, channels, heatmaps, and what channels look for."""
    file = out or Path("diff.png")
    check_ending(file)
    nets = [common.load(before), replace(common, weights=weights_after).load(after)]
    return common.made(diff, *nets, images, save=lambda result: common.saved(result, file), **options)

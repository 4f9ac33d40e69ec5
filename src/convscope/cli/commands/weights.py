"""`convscope weights`."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.arguments import Saved
from convscope.cli.command import Common, Outcome, command
from convscope.cli.telling import told
from convscope.results.files import check_ending
from convscope.results.result import file_name
from convscope.verbs.weights import weights


@command("weights", examples=["weights stem.conv", "weights blocks.4.depthwise --out kernels.png"])
def main(
    common: Common,
    layer: Annotated[str, typer.Argument(help="A layer with kernels; see convscope layers.")],
    out: Saved = None,
) -> Outcome:
    """What a layer has learned: its kernels as a labelled mosaic, all on one scale."""
    target = out or Path(f"weights-{file_name(layer)}.png")
    check_ending(target)
    result = weights(common.load(), layer)
    file = result.save(target)
    return told(result.summary(), [file], result.notes_in(target))

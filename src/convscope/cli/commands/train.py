"""`convscope train`."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.command import NETWORK, Common, Outcome, command
from convscope.cli.telling import told
from convscope.results.training import Training
from convscope.verbs.train import train


@command(
    "train",
    verb=train,
    shares=NETWORK,
    examples=[
        "train drawings/ --out trained/",
        "train drawings/ --out trained/ --model vgg_small --epochs 20",
        "train drawings/ --out trained/ --frozen blocks.10",
        "explain drawings/a/1.png --model trained/",
    ],
)
def main(
    common: Common,
    data: Annotated[Path, typer.Argument(help="A folder with a folder for each class; or FILE.csv: path, label.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder for the network, its answers and a page.")],
    **options: object,
) -> Outcome:
    """Train a network to tell the pictures of several folders apart, or go on where it was stopped."""
    return common.made(train, common.load(), data, out, save=_told, **options)


def _told(result: Training) -> Outcome:
    return told(result.summary(), [Path(file) for file in result.facts.files], result.notes)

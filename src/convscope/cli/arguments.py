"""Arguments and options that several commands have by themselves."""

from pathlib import Path
from typing import Annotated

import typer

Saved = Annotated[Path | None, typer.Option("--out", "-o", help="FILE.png or FILE.npz.")]
Photo = Annotated[str, typer.Argument(help="A picture file.")]
Explained = Annotated[
    str | None,
    typer.Option("--target", "-t", help="class:NAME, layer:channel, sums; the first guess unless given."),
]

"""Arguments and options that several commands have by themselves."""

from typing import Annotated

import typer

Photo = Annotated[str, typer.Argument(help="A picture file.")]
Explained = Annotated[
    str | None,
    typer.Option("--target", "-t", help="class:NAME, layer:channel, sums; the first guess unless given."),
]

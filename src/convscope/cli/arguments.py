"""Arguments and options that several commands have by themselves."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.verbs.table import METHODS

Saved = Annotated[Path | None, typer.Option("--out", "-o", help="FILE.png, .jpg, .svg, .pdf or .npz.")]
Photo = Annotated[str, typer.Argument(help="A picture file.")]
Explained = Annotated[
    str | None,
    typer.Option("--target", "-t", help="class:NAME, layer:channel, sums; the first guess unless given."),
]
ByMethod = Annotated[
    str,
    typer.Option(
        "--method",
        help=f"How the heatmap is made: {', '.join(METHODS)}; or with options, as 'rise samples=500'.",
        autocompletion=lambda incomplete: [name for name in METHODS if name.startswith(incomplete)],
    ),
]
OfMethod = dict[str, Any] | None
"""The options of attribution methods that were given: what `command(methods=True)` hands over as `of_method`."""

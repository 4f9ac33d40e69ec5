"""`convscope compare`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import OfMethod, Photo
from convscope.cli.command import DEFAULT_MODEL, DRAWN, Common, Outcome, command
from convscope.results.board import check_board_ending
from convscope.verbs.compare import USUAL, compare


@command(
    "compare",
    verb=compare,
    methods=True,
    shares=DRAWN[1:],
    examples=[
        "compare cat.jpg --out board.html",
        "compare cat.jpg --target class:tabby --target 'class:tiger cat' --out board.png",
        "compare cat.jpg --method grad_cam --method occlusion --patch 16",
        "compare cat.jpg --method grad_cam --method 'occlusion patch=16 stride=8' --method rise --scale rank",
        "compare cat.jpg --model efficientnet_lite0 --model keras:VGG16",
    ],
)
def main(
    common: Common,
    photo: Photo,
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", help="Several: a column each; the first guesses unless given.")
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", help=f"Several: a row each, with options; {', '.join(USUAL)} unless given."),
    ] = None,
    titles: Annotated[
        list[str] | None, typer.Option("--title", help="What each row is called; the method and options unless given.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="Several: a row each; see convscope models.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="FILE.html, .png, .jpg, .svg, .pdf or .npz.")] = None,
    of_method: OfMethod = None,
    **options: Any,
) -> Outcome:
    """Heatmaps side by side on shared scales: methods by targets by networks. As .html with a linked pointer."""
    file = out or Path(f"{Path(photo).stem}-board.html")
    check_board_ending(file)
    nets = [common.load(name) for name in models or [DEFAULT_MODEL]]
    return common.made(
        compare,
        nets,
        photo,
        target,
        save=lambda result: common.saved(result, file),
        methods=methods or USUAL,
        titles=titles or None,
        **options,
        **(of_method or {}),
    )

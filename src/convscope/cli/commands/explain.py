"""`convscope explain`."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.command import Common, Outcome, command
from convscope.methods.explain import explain
from convscope.results.files import check_ending


@command(
    "explain",
    verb=explain,
    examples=[
        "explain cat.jpg --out cam.png",
        "explain cat.jpg --target 'class:tiger cat'",
        "explain cat.jpg --target 'class:tabby - class:tiger cat' --signed",
        "explain cat.jpg --layer blocks.10 --out cam.npz",
    ],
)
def main(
    common: Common,
    photo: Annotated[str, typer.Argument(help="A picture file.")],
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="class:NAME, layer:channel, sums; the first guess unless given."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="FILE.png or FILE.npz.")] = None,
    **options: object,
) -> Outcome:
    """Which parts of a photograph speak for an answer: a heatmap laid on it, with its scale."""
    if out is not None:
        check_ending(out)
    net = common.load()
    result = explain(net, photo, target, **options)  # type: ignore[arg-type]
    file = result.save(out or Path(f"{Path(photo).stem}-{result.recipe.options['method']}.png"))
    told = {key: result.facts[key] for key in ("target", "layer", "label", "probability") if key in result.facts}
    data = {**told, "score": float(result.arrays["score"]), "highest": float(result.arrays["map"].max())}
    return Outcome([file], data, [f"{result.facts['title']}, at {result.facts['layer']}"], result.notes)

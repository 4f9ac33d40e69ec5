"""`convscope explain`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import ByMethod, Explained, OfMethod
from convscope.cli.command import DRAWN, Common, Outcome, command
from convscope.cli.many import BatchOf, Many, Photos, Table, check_many, is_many
from convscope.cli.telling import told
from convscope.errors import InputError
from convscope.results.files import check_ending
from convscope.results.heatmap import Heatmap
from convscope.results.result import Result
from convscope.verbs.explain import explain
from convscope.verbs.question import method_of


@command(
    "explain",
    verb=explain,
    shares=DRAWN,
    methods=True,
    examples=[
        "explain cat.jpg --out cam.png",
        "explain mistakes/ --out heatmaps/ --table mistakes.csv",
        "explain cat.jpg --target 'class:tiger cat'",
        "explain cat.jpg --target 'class:tabby - class:tiger cat' --signed",
        "explain cat.jpg --layer blocks.10 --out cam.npz",
        "explain cat.jpg --method integrated_gradients --baseline blur",
        "explain cat.jpg --method occlusion --patch 16 --stride 8 --share 0.3 --winners classes.png",
        "explain cat.jpg --top 16",
        "explain cat.jpg --method 'rise samples=500'",
        "explain cat.jpg --method deconvnet --target 'strongest(blocks.5)'",
    ],
)
def main(
    common: Common,
    photos: Photos,
    target: Explained = None,
    method: ByMethod = "grad_cam",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="FILE.png, .jpg, .svg, .pdf or .npz; of several pictures a folder."),
    ] = None,
    table: Table = None,
    batch: BatchOf = None,
    winners: Annotated[
        Path | None, typer.Option(help="FILE.png: of occlusion, which class wins with the window where.")
    ] = None,
    of_method: OfMethod = None,
    **options: object,
) -> Outcome:
    """Which parts of a photograph speak for an answer: a heatmap laid on it, with its scale.

    Of several pictures, or a folder of them, a heatmap each, and with --table a row each.
    """
    asked = method_of(method, of_method)
    if is_many(photos) or table is not None:
        if winners is not None:
            raise InputError("--winners is for one picture; several were given, or a table")
        folder = out or Path("heatmaps")
        check_many(folder, table)

        def save(result: Result, name: str) -> tuple[list[Path], dict[str, Any]]:
            return _row(common, result, folder / f"{name}-{asked.name}.png")

        many = Many(explain, save, COLUMNS, "heatmap")
        return many.run(common.load(), photos, target, asked, table=table, batch=batch, **options)
    (photo,) = photos
    file = out or Path(f"{Path(photo).stem}-{asked.name}.png")
    for given in (file, winners):
        if given is not None:
            check_ending(given)
    if winners is not None and not asked.gives_winners:
        raise InputError(f"--winners is of methods that tell which class wins where; {asked.name} does not")
    net = common.load()
    return common.made(
        explain, net, photo, target, asked, save=lambda result: _saved(common, result, file, winners), **options
    )


COLUMNS = ("class", "probability", "target", "score", "file")


def _row(common: Common, result: Result, file: Path) -> tuple[list[Path], dict[str, Any]]:
    """Save one of many heatmaps; its file and its row of the table."""
    facts = result.facts
    guess = facts.get("guess", {})
    row = {"class": guess.get("label"), "probability": guess.get("probability"), "target": facts["target"]}
    score = float(result.arrays["score"]) if "score" in result.arrays else None
    saved = result.save(file, **common.look)
    return [saved], {**row, "score": score, "file": str(saved)}


def _saved(common: Common, result: Heatmap, file: Path, winners: Path | None) -> Outcome:
    summary = result.summary()
    files, lines = [result.save(file, **common.look)], list(summary.lines)
    if winners is not None and result.facts.winners is not None:
        files.append(result.save(winners, "winners", **common.look))
    elif winners is not None:
        lines.append(f"{winners} was not written: {result.facts.target} reads no class scores, so none wins")
    return told(replace(summary, lines=lines), files, result.notes)

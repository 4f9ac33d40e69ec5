"""`convscope predict`."""

from pathlib import Path
from typing import Any

from rich.table import Table as Lines

from convscope.cli.arguments import Saved
from convscope.cli.command import DRAWN, Common, Outcome, command
from convscope.cli.many import BatchOf, Many, Photos, Table, is_many
from convscope.errors import ResultError
from convscope.results.files import check_ending
from convscope.results.result import Result
from convscope.results.table import check_table
from convscope.verbs.predict import predict

COLUMNS = ("class", "index", "probability", "score")


@command(
    "predict",
    verb=predict,
    shares=DRAWN,
    examples=[
        "predict cat.jpg",
        "predict photos/ --top 1 --table predictions.csv",
        "predict cat.jpg dog.jpg --model keras:ResNet50 --json",
        "predict cat.jpg --out cat-classes.png",
    ],
)
def main(
    common: Common, photos: Photos, out: Saved = None, table: Table = None, batch: BatchOf = None, **options: Any
) -> Outcome:
    """Which classes a network sees in a photograph, or in many."""
    if out is not None:
        check_ending(out)
        if is_many(photos):
            raise ResultError("--out is for one picture; of several give --table")
    if table is not None:
        check_table(table)
    net = common.load()
    lines = Lines(box=None, pad_edge=False, header_style="dim")
    for title in ("picture", "class", "probability", "score"):
        lines.add_column(title, justify="right" if title in ("probability", "score") else "left")

    def save(result: Result, name: str) -> tuple[list[Path], dict[str, Any]]:
        path = result.recipe.inputs["image"]["path"]
        for i, guess in enumerate(result.facts["guesses"]):
            shown = "" if i else path
            lines.add_row(shown, guess["label"], f"{100 * guess['probability']:.1f} %", f"{guess['score']:.2f}")
        first = result.facts["guesses"][0]
        row = {"class": first["label"], **{key: first[key] for key in COLUMNS[1:]}}
        return [result.save(out, **common.look)] if out else [], {**row, "guesses": result.facts["guesses"]}

    outcome = Many(predict, save, COLUMNS, "picture").run(net, photos, table=table, batch=batch, **options)
    return Outcome(outcome.files, outcome.data, [lines], outcome.notes, outcome.stopped)

"""`convscope report`."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.arguments import Photo
from convscope.cli.command import Common, Outcome, command
from convscope.results.result import Result
from convscope.verbs.report import report


@command(
    "report",
    verb=report,
    examples=[
        "report cat.jpg --out cat/",
        "report cat.jpg --out cat.html --filters 12",
        "report cat.jpg --model keras:VGG16 --out vgg/",
    ],
)
def main(
    common: Common,
    photo: Photo,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder, or FILE.html.")] = None,
    **options: object,
) -> Outcome:
    """One page on one photograph and one network: what it sees, where, how, and what it looks for.

    The page is one file that needs nothing else: open it in a browser, mail it. Ctrl-C keeps what is done.
    """
    net = common.load()
    return common.made(report, net, photo, out or Path(f"{Path(photo).stem}-report"), save=_told, **options)


def _told(result: Result) -> Outcome:
    guesses = result.facts["guesses"]
    data = {
        "predictions": guesses,
        "seconds": {name: round(value, 2) for name, value in result.facts["seconds"].items()},
        "finished": result.facts["finished"],
    }
    best = f"{guesses[0]['label']}, {100 * guesses[0]['probability']:.1f} %" if guesses else "no classes"
    said = f"{best}; {sum(result.facts['seconds'].values()):.0f} s"
    return Outcome([result.facts["path"]], data, [said], result.notes)

"""`convscope hybrid`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import ByMethod, Explained, OfMethod, Photo, Saved
from convscope.cli.command import DRAWN, Common, Outcome, command
from convscope.cli.telling import told
from convscope.results.files import check_ending, check_place
from convscope.results.variations import Variations
from convscope.verbs.hybrid import hybrid


@command(
    "hybrid",
    verb=hybrid,
    shares=DRAWN,
    methods=True,
    examples=[
        "hybrid cat.jpg --out hot.png",
        "hybrid cat.jpg --effect posterise --lines 6",
        "hybrid cat.jpg --effect swap --other cat-dream.png",
        "hybrid cat.jpg --effect colours --colours jet --hot 0 --soft 0 --intensity 0.4",
        "hybrid cat.jpg --vary 'top: 4, 32, 256; intensity: 0.2, 0.4, 0.8' --each cat-series/",
        "hybrid cat.jpg --effect mask --out mask.png",
        "hybrid cat.jpg --method occlusion --patch 16 --effect posterise",
    ],
)
def main(
    common: Common,
    photo: Photo,
    target: Explained = None,
    method: ByMethod = "grad_cam",
    out: Saved = None,
    each: Annotated[Path | None, typer.Option(help="A folder: each picture of a series by itself, too.")] = None,
    of_method: OfMethod = None,
    **options: Any,
) -> Outcome:
    """A photograph altered only where a heatmap is hot: colours, contour lines, posterised, inverted, swapped."""
    file = out or Path(f"{Path(photo).stem}-{'series' if options['vary'] else options['effect']}.png")
    check_ending(file)
    if each is not None:
        check_place(each / "picture.png")
    net = common.load()

    def saved(result: Variations) -> Outcome:
        files = [result.save(file, **common.look), *(result.save_pictures(each, **common.look) if each else [])]
        return told(result.summary(), files, result.notes)

    return common.made(hybrid, net, photo, target, save=saved, method=method, **options, **(of_method or {}))

"""`convscope assess`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import Explained, Photo, Saved
from convscope.cli.command import MADE, Common, Outcome, command
from convscope.errors import Stopped
from convscope.progress import Watch
from convscope.results.files import check_ending
from convscope.results.trust import Trust
from convscope.verbs.assess import assess
from convscope.verbs.explain import MethodName, explain


@command(
    "assess",
    verb=assess,
    shares=MADE[:4],
    examples=[
        "assess cat.jpg --out trust.png",
        "assess cat.jpg --method guided_backprop",
        "assess cat.jpg --method integrated_gradients --target class:tabby --box 20,40,200,220",
    ],
)
def main(
    common: Common,
    photo: Photo,
    target: Explained = None,
    method: Annotated[MethodName, typer.Option(help="How the heatmap is made; see convscope explain.")] = "grad_cam",
    layer: Annotated[str | None, typer.Option(help="The layer to look at, as in convscope explain.")] = None,
    out: Saved = None,
    **options: Any,
) -> Outcome:
    """Whether a heatmap can be believed: deletion, insertion, randomisation, edges, in figures and words."""
    file = out or Path(f"{Path(photo).stem}-{method}-trust.png")
    check_ending(file)
    net = common.load()

    def assessed(watch: Watch) -> Trust:
        try:
            heatmap = explain(net, photo, target, method=method, layer=layer, watch=watch)
        except Stopped as stopped:  # half a map is not assessed
            raise Stopped(str(stopped), None) from None
        return assess(net, photo, heatmap, watch=watch, **options)

    return common.made(assessed, save=lambda result: _saved(result, file))


def _saved(result: Trust, file: Path) -> Outcome:
    kept = ("target", "method", "areas", "randomised", "edges", "gap", "pointing", "words")
    data = {key: result.facts[key] for key in kept if key in result.facts}
    return Outcome([result.save(file)], data, result.facts["words"], result.notes)

"""`convscope assess`."""

from pathlib import Path
from typing import Any

from convscope.cli.arguments import ByMethod, Explained, OfMethod, Photo, Saved
from convscope.cli.command import DRAWN, Common, Outcome, command
from convscope.results.files import check_ending
from convscope.verbs.assess import assess
from convscope.verbs.question import method_of


@command(
    "assess",
    verb=assess,
    shares=DRAWN,
    methods=True,
    examples=[
        "assess cat.jpg --out assessed.png",
        "assess cat.jpg --method guided_backprop",
        "assess cat.jpg --method occlusion --patch 16",
        "assess cat.jpg --method integrated_gradients --target class:tabby --box 20,40,200,220",
    ],
)
def main(
    common: Common,
    photo: Photo,
    target: Explained = None,
    method: ByMethod = "grad_cam",
    out: Saved = None,
    of_method: OfMethod = None,
    **options: Any,
) -> Outcome:
    """Whether a heatmap can be believed: deletion, insertion, randomisation, edges, in figures and words."""
    asked = method_of(method, of_method)
    file = out or Path(f"{Path(photo).stem}-{asked.name}-assessed.png")
    check_ending(file)
    net = common.load()
    return common.made(
        assess, net, photo, save=lambda result: common.saved(result, file), target=target, method=asked, **options
    )

"""`convscope visualize`."""

from typing import Annotated, Any

import typer

from convscope.cli.command import MADE, Common, Outcome, command
from convscope.cli.pictures import Out, framed, save_pictures
from convscope.results.result import file_name
from convscope.verbs.presets import VISUALIZE
from convscope.verbs.visualize import visualize


@command(
    "visualize",
    verb=visualize,
    shares=MADE,
    presets={"Presets": VISUALIZE},
    examples=[
        "visualize class:zebra --out zebra.png",
        "visualize blocks.10.project:5",
        "visualize blocks.4.expand:0-15 --out filters.png",
        "visualize 'class:zebra - 0.5*class:horse cart' --seed 3",
        "visualize class:zebra --start cat.jpg --steps 32",
        "visualize class:zebra --frames 0,7,15,30,96 --out sheet.png",
        "visualize class:zebra --out zebra.gif",
        "visualize class:dalmatian --preset gerretsen",
        "visualize class:tiger --parameterisation phase --magnitude cat.jpg --magnitude coffee.jpg",
    ],
)
def main(
    common: Common,
    targets: Annotated[list[str], typer.Argument(help="layer:channel, layer:0-15, layer:3@4,5, class:NAME, sums.")],
    out: Out = None,
    **options: Any,
) -> Outcome:
    """What a filter, a neuron, a layer or a class looks for: a picture made to drive it high.

    Several targets, or a range of channels, make one sheet. The picture carries its recipe: convscope replay makes
    it again.
    """
    target = framed(out, f"{file_name('-'.join(targets))[:80]}.png", options)
    net = common.load()
    return common.made(
        visualize,
        net,
        targets,
        save=lambda result: save_pictures(common, result, target),
        **options,
    )

"""`convscope visualize`."""

from pathlib import Path
from typing import Annotated

import typer

from convscope.cli.command import MADE, Common, Outcome, command
from convscope.methods.presets import VISUALIZE
from convscope.methods.visualize import visualize
from convscope.results.pictures import check_picture_ending, showable
from convscope.results.result import Result, file_name


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
        "visualize class:tiger --image phase --magnitude cat.jpg --magnitude coffee.jpg",
    ],
)
def main(
    common: Common,
    targets: Annotated[list[str], typer.Argument(help="layer:channel, layer:0-15, layer:3@4,5, class:NAME, sums.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=".png, .npz, or in motion .gif, .webp, .mp4.")] = None,
    magnitude: Annotated[
        list[str] | None, typer.Option(help="For --image phase: photographs whose Fourier magnitude to take.")
    ] = None,
    real: Annotated[
        Path | None, typer.Option(help="A folder of photographs (or one) to compare the values reached with.")
    ] = None,
    **options: object,
) -> Outcome:
    """What a filter, a neuron, a layer or a class looks for: a picture that drives it as high as can be.

    Several targets, or a range of channels, make one sheet. The picture carries its recipe: convscope replay makes
    it again.
    """
    target = out or Path(f"{file_name('-'.join(targets))[:80]}.png")
    if check_picture_ending(target) and options["frames"] is None:
        options["frames"] = "all"
    net = common.load()
    return common.made(
        visualize,
        net,
        targets,
        save=lambda result: save_pictures(result, target),
        magnitude=magnitude,
        real=real,
        **options,
    )


def save_pictures(result: Result, target: Path) -> Outcome:
    """Write pictures to a file, and say what each reached."""
    rows, lines = [], []
    for caption, value, share in zip(
        result.facts["captions"], result.arrays["values"], result.facts["probabilities"], strict=True
    ):
        rows.append({"target": caption, "value": float(value), "probability": share})
        share = "" if share is None else f", probability {share:.3f}"
        lines.append(f"{caption}: {value:.4g}{share}")
    if "real" in result.facts:
        count = result.facts["real"]
        for i, row in enumerate(rows):
            row |= {name: result.facts[name][i] for name in ("real_most", "real_middle", "above_real")}
            lines[i] += f"; {count} photographs: at most {row['real_most']:.4g}, in the middle {row['real_middle']:.4g}"
    return Outcome([result.save(showable(result, target))], {"pictures": rows}, lines, result.notes)

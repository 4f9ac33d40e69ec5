"""`convscope stylize`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.command import MADE, Common, Outcome, command
from convscope.cli.pictures import Out, framed, save_pictures
from convscope.errors import InputError
from convscope.verbs.presets import STYLE
from convscope.verbs.stylize import stylize


@command(
    "stylize",
    verb=stylize,
    shares=MADE,
    presets={"Presets": STYLE},
    examples=[
        "stylize cat.jpg painting.jpg -m vgg16_hed --out cat-painted.png",
        "stylize cat.jpg painting.jpg --size 1024 --scale 0.5",
        "stylize cat.jpg painting.jpg --colours content",
        "stylize cat.jpg one.jpg two.jpg --shares 2,1",
        "stylize cat.jpg one.jpg two.jpg --region left.png --region right.png",
        "stylize cat.jpg painting.jpg --mask sky.png --frames 0,20,80,240",
        "stylize cat.jpg painting.jpg -m vgg16_hed --preset gerretsen",
    ],
)
def main(
    common: Common,
    photo: Annotated[str, typer.Argument(help="A picture file: the content.")],
    styles: Annotated[list[str], typer.Argument(help="Picture files: the styles.")],
    out: Out = None,
    shares: Annotated[str | None, typer.Option(help="How much each style counts, such as 2,1.")] = None,
    regions: Annotated[
        list[str] | None, typer.Option("--region", help="For each style, a picture that is white where it goes.")
    ] = None,
    **options: Any,
) -> Outcome:
    """A photograph in the style of other pictures. VGG16's layers suit it best: convscope models fetch vgg16_hed."""
    file = framed(out, f"{Path(photo).stem}-style.png", options)
    numbers = None if shares is None else _numbers(shares)
    net = common.load()
    return common.made(
        stylize,
        net,
        photo,
        styles,
        save=lambda result: save_pictures(common, result, file),
        shares=numbers,
        regions=regions,
        **options,
    )


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"shares is {text!r}; expected numbers such as 2,1") from None

"""`convscope dream`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import Photo
from convscope.cli.command import MADE, Common, Outcome, command
from convscope.cli.pictures import Out, framed, save_pictures
from convscope.verbs.dream import dream
from convscope.verbs.presets import DREAM, LUCID


@command(
    "dream",
    verb=dream,
    shares=MADE,
    presets={"Presets for a layer": DREAM, "Presets for a class": LUCID},
    examples=[
        "dream cat.jpg --out dream.png",
        "dream cat.jpg --target 'blocks.9 + 0.5*blocks.4' --schedule 'octaves(5,1.4)'",
        "dream rocket.jpg --target class:goldfish",
        "dream cat.jpg --target class:tiger --frames 0,7,15,30,50,80 --out frames.png",
        "dream cat.jpg --zoom 60 --size 400 --out zoom.mp4",
        "dream large.jpg --size 3000",
    ],
)
def main(
    common: Common,
    photo: Photo,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="A layer, channel or class, sums; a layer unless given.")
    ] = None,
    out: Out = None,
    **options: Any,
) -> Outcome:
    """What a network sees in a photograph, painted into it: Deep Dream of layers, Lucid dream of classes."""
    file = framed(out, f"{Path(photo).stem}-dream.png", options)
    net = common.load()
    return common.made(dream, net, photo, target, save=lambda result: save_pictures(common, result, file), **options)

"""The pictures of these pages, made by the library itself: `make docs` runs this from the repository's root."""

from pathlib import Path

import convscope as cs
from convscope.render.colour import as_rgb
from convscope.render.grid import sheet

PHOTO = "examples/photographs/cat.jpg"
OUT = Path("docs/pictures")


def main() -> None:
    """Make every picture but that of the report, which is a photograph of a page in a browser."""
    net = cs.load_model("efficientnet_lite0")
    cs.explain(net, PHOTO, "class:tiger cat").save(OUT / "cam.png")
    cs.activations(net, PHOTO, "stem.act").save(OUT / "stem.act.png")
    cs.weights(net, "stem.conv").save(OUT / "weights.png")
    filters = ["blocks.2:0,9,20,17", "blocks.4.expand:3,30,77,120", "blocks.7:1,10,33,50"]
    cs.visualize(net, filters, views="wobble", size=160).save(OUT / "filters.png")
    cs.visualize(net, ["blocks.13:26,112,56,104", "blocks.14:5,20,40,60"]).save(OUT / "deep.png")
    classes = ["zebra", "tiger", "ostrich", "espresso", "dalmatian", "monarch", "castle", "missile"]
    cs.visualize(net, [cs.logit(name) for name in classes]).save(OUT / "classes.png")
    cs.invert(net, PHOTO, tv="both").save(OUT / "inversions.png")
    _dreams(net)


def _dreams(net: cs.Network) -> None:
    """A cat at four depths; a rocket before, and as two classes."""
    layers = ["blocks.3", "blocks.6", "blocks.9", "blocks.12"]
    _sheet([cs.dream(net, PHOTO, layer, size=480) for layer in layers], layers, 2, "dreams.png")
    rocket = "examples/photographs/rocket.jpg"
    before = cs.dream(net, rocket, "class:goldfish", size=448, steps=1, strength=0.0)
    made = [cs.dream(net, rocket, f"class:{name}", size=448) for name in ("goldfish", "peacock")]
    _sheet([before, *made], ["the photograph", "class:goldfish", "class:peacock"], 3, "lucid.png")


def _sheet(results: list[cs.Result], captions: list[str], columns: int, name: str) -> None:
    tiles = [as_rgb(result.arrays["images"][0]) for result in results]
    size = tiles[0].shape[0], tiles[0].shape[1]
    sheet(tiles, tile=size, columns=columns, captions=captions).save(OUT / name)


if __name__ == "__main__":
    main()

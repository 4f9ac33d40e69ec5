"""The pictures of these pages, made by the library itself: `make docs` runs this from the repository's root."""

from pathlib import Path

import convscope as cs

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


if __name__ == "__main__":
    main()

"""The pictures of these pages, made by the library itself: `make docs` runs this from the repository's root."""

import tempfile
from pathlib import Path

import numpy as np
from examples.calvino.pictures import KINDS

import convscope as cs
from convscope.attribution.method import methods
from convscope.models.sources.vgg16_hed import fetch
from convscope.render.colour import as_rgb
from convscope.render.effects import EFFECTS
from convscope.render.grid import sheet
from convscope.render.raster import raster

PHOTO, ROCKET = "examples/photographs/cat.jpg", "examples/photographs/rocket.jpg"
STYLE = "examples/styles/strokes.jpg"
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
    _synthesis(net)
    _dreams(net)
    _explanations(net)
    _hybrids(net)
    _trained(net)
    vgg = _vgg16_hed()
    _filters(vgg)
    _styles(net, vgg)


def _vgg16_hed() -> cs.Network:
    try:
        return cs.load_model("vgg16_hed")
    except cs.ConvscopeError:
        fetch()
        return cs.load_model("vgg16_hed")


def _synthesis(net: cs.Network) -> None:
    """One unit a depth; several pictures of one unit; a picture coming into being; caricatures."""
    depths = ["stem.act:21", "blocks.2:9", "blocks.4.expand:30", "blocks.7:10", "blocks.10.expand:7", "class:monarch"]
    cs.visualize(net, depths).save(OUT / "depths.png")
    cs.visualize(net, "blocks.9.expand:12", variants=6, size=160).save(OUT / "variants.png")
    cs.visualize(net, "class:monarch", frames="0,2,7,15,30,96").save(OUT / "morphing.png")
    cs.invert(
        net, "examples/photographs/coffee.jpg", ["blocks.2", "blocks.5", "blocks.9"], caricature=True, steps=60
    ).save(OUT / "caricatures.png")
    magnitudes = [PHOTO, ROCKET, "examples/photographs/coffee.jpg"]
    made = [
        cs.visualize(net, "class:castle", parameterisation="phase", optimiser="nadam", lr=0.5),
        cs.visualize(net, "class:castle", parameterisation="phase", optimiser="nadam", lr=0.5, magnitude=magnitudes),
        cs.visualize(net, "class:castle", parameterisation="pyramid"),
        cs.visualize(net, "class:castle"),
    ]
    _sheet(made, ["phase, 1/f", "phase, of photographs", "pyramid", "fourier"], 4, "images.png")


def _filters(vgg: cs.Network) -> None:
    """Filters of VGG16 as the sources show them, and by their own ways; one unit projected back."""
    cs.explain(vgg, PHOTO, "strongest(block4_conv3)", method="deconvnet").save(OUT / "deconvnet.png")
    cs.visualize(vgg, [cs.channel("block3_conv1", i) for i in range(16)], size=128).save(OUT / "vgg16.png")
    units = ["block3_conv1:1", "block4_conv3:300"]
    ways = ["default", "strika", "gerretsen", "holbrook", "calvino"]
    made = [
        cs.visualize(vgg, unit, preset=way, size=128, start=PHOTO if way == "calvino" else None)
        for unit in units
        for way in ways
    ]
    _sheet(made, ways * 2, 5, "sources.png")
    cs.invert(vgg, PHOTO, [f"block{i}_relu2" for i in range(1, 6)], tv="both", steps=150).save(
        OUT / "inversions_vgg16.png"
    )


def _styles(net: cs.Network, vgg: cs.Network) -> None:
    """A cat in brush strokes: on two networks, in its own colours, in finer strokes, by the paper's losses."""
    size = 320
    before = cs.stylize(vgg, PHOTO, STYLE, size=size, strength=0.0, steps=1, schedule="single")
    made = [
        before,
        cs.stylize(vgg, PHOTO, STYLE, size=size),
        cs.stylize(vgg, PHOTO, STYLE, size=size, colours="content"),
        cs.stylize(vgg, PHOTO, STYLE, size=size, scale=0.5),
        cs.stylize(vgg, PHOTO, STYLE, size=size, preset="gerretsen", steps=150),
        cs.stylize(net, PHOTO, STYLE, size=size),
    ]
    captions = [
        "the photograph",
        "default",
        "colours='content'",
        "scale=0.5",
        "gerretsen, 150 steps",
        "efficientnet_lite0",
    ]
    _sheet(made, captions, 3, "styles.png")


def _dreams(net: cs.Network) -> None:
    """A cat at four depths; a rocket before, and as two classes."""
    layers = ["blocks.3", "blocks.6", "blocks.9", "blocks.12"]
    _sheet([cs.dream(net, PHOTO, layer, size=480) for layer in layers], layers, 2, "dreams.png")
    before = cs.dream(net, ROCKET, "class:goldfish", size=448, steps=1, strength=0.0)
    made = [cs.dream(net, ROCKET, f"class:{name}", size=448) for name in ("goldfish", "peacock")]
    _sheet([before, *made], ["the photograph", "class:goldfish", "class:peacock"], 3, "lucid.png")
    frames = "0,7,15,30,50,80,110,180"
    cs.dream(net, ROCKET, "class:goldfish", size=448, preset="gerretsen", frames=frames).save(OUT / "lucid_frames.png")
    cs.dream(net, PHOTO, "blocks.9", size=320, zoom=24, frames="0,48").save(OUT / "zoom.png")


def _explanations(net: cs.Network) -> None:
    """One photograph explained in many ways; a unit projected back; what can be believed of two of the maps."""
    tiles, names = [], []
    (OUT / "explain").mkdir(exist_ok=True)
    for kind in methods():
        method = kind.name
        made = cs.explain(net, PHOTO, method=kind())
        early = cs.explain(net, PHOTO, method="layer_cam", layer="blocks.4") if method == "layer_cam" else made
        if method not in ("deconvnet", "occlusion"):  # their pages show another picture
            early.image().convert("RGB").save(OUT / "explain" / f"{method}.jpg", quality=86)
        tiles.append(made.shown())  # type: ignore[attr-defined]
        names.append(kind.title)
    explained = sheet(
        tiles, tile=(224, 224), columns=5, captions=names, title="one answer, explained in fifteen ways",
        subtitle="efficientnet_lite0 on the cat; each on its own scale, maps by the pixel beside the photograph",
    )  # fmt: skip
    raster(explained).save(OUT / "explanations.png")
    cs.explain(net, ROCKET, "class:missile", method="occlusion", patch=24, stride=8).save(OUT / "occlusion.png")
    ways = ["grad_cam", "integrated_gradients", "occlusion patch=32 stride=16", "rise"]
    cs.compare(net, PHOTO, methods=ways).save(OUT / "board.png")
    cs.assess(net, PHOTO, cs.explain(net, PHOTO)).save(OUT / "assessed.png")


def _hybrids(net: cs.Network) -> None:
    """A photograph altered where it is hot, in each way; and a series, as in the source."""
    dreamt = cs.dream(net, PHOTO, "blocks.9")
    cs.hybrid(net, PHOTO, vary={"effect": list(EFFECTS)}, other=dreamt, lines=3).save(OUT / "hybrids.png")
    series = {"top": [2, 8, 64, 1280], "intensity": [0.3, 0.6, 1.2]}
    cs.hybrid(net, PHOTO, vary=series, colours="jet", hot=0, soft=0).save(OUT / "series.png")


def _trained(net: cs.Network) -> None:
    """A network trained on two sets of pictures made in code, and what that changed."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder, "pictures")
        for number, (name, make) in enumerate(KINDS.items()):
            (pictures / name).mkdir(parents=True)
            for i in range(120):
                make(np.random.default_rng([0, number, i])).save(pictures / name / f"{i:03d}.png")
        trained = cs.train(net, pictures, Path(folder, "trained"), frozen="blocks.7", epochs=4)
        trained.save(OUT / "training.png")
        shown = [pictures / "hand_made" / "003.png", pictures / "computer_made" / "005.png", PHOTO]
        cs.diff(net, cs.load_model(Path(folder, "trained")), shown).save(OUT / "diff.png")


def _sheet(results: list[cs.Result], captions: list[str], columns: int, name: str) -> None:
    tiles = [as_rgb(result.arrays["images"][0]) for result in results]
    size = tiles[0].shape[0], tiles[0].shape[1]
    raster(sheet(tiles, tile=size, columns=columns, captions=captions)).save(OUT / name)


if __name__ == "__main__":
    main()

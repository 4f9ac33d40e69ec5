"""Gerretsen and Grinsztajn (2019): the seven figures.

    python -m examples.gerretsen build/gerretsen
    python -m examples.gerretsen build/gerretsen --model keras:InceptionV3   # the source's own, but for figures 4 and 5

Filters by depth (1), class pictures by the softmax (2) and by the logit with total variation and the L6 norm (3),
inversions with and without total variation and their similarity (4), style (5), Deep Dream by shallow and deep layers
(6), a Lucid dream with its frames (7).
"""

import convscope as cs
from examples.shared import PHOTOGRAPHS, STROKES, example

CLASSES = ("water ouzel", "dalmatian", "monarch", "green snake")
FRAMES = "0,7,15,30,50,80,110,180"


def main() -> None:
    run = example(__doc__, "efficientnet_lite0")
    net = run.load()
    maps = [layer.name for layer in net.layers() if layer.is_map and layer.is_feature and not layer.container][1:]
    depths = [maps[int(share * (len(maps) - 1))] for share in (0.03, 0.3, 0.6)]
    cat, coffee = PHOTOGRAPHS / "cat.jpg", PHOTOGRAPHS / "coffee.jpg"
    run.save(cs.visualize(net, [f"{name}:0-3" for name in depths], steps=run.steps(96)), "figure-1.png")
    for number, aim, options in (
        (2, cs.probability, {"penalty": ""}),
        (3, cs.logit, {}),
    ):
        targets = [aim(name) for name in CLASSES]
        made = cs.visualize(net, targets, preset="gerretsen", steps=run.steps(300), **options)
        run.save(made, f"figure-{number}.png")
    run.save(cs.invert(net, coffee, tv="both", steps=run.steps(200)), "figure-4.png")
    style = cs.load_model("vgg16_hed") if run.model == "efficientnet_lite0" else net
    run.save(cs.stylize(style, cat, STROKES, preset="gerretsen", size=224, steps=run.steps(500)), "figure-5.png")
    for name in (depths[0], depths[2]):
        run.save(cs.dream(net, cat, name, preset="gerretsen", steps=run.steps(10)), f"figure-6-{name}.png")
    frames = "every 5" if run.quick else FRAMES
    lucid = cs.dream(net, coffee, "class:goldfish", preset="gerretsen", frames=frames, steps=run.steps(26))
    run.save(lucid, "figure-7.png")


if __name__ == "__main__":
    main()

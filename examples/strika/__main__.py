"""Strika (2019): filters of a VGG16 by depth, from several starts, grown by a fifth at a time, as a collage.

    python -m examples.strika build/strika
    python -m examples.strika build/strika --model keras:VGG16      # the source's own network

It asked, as future work, for the picture at every iteration: that is the last one here.
"""

import convscope as cs
from examples.shared import example

DEPTHS = ("block1_relu2", "block2_relu2", "block3_relu3", "block4_relu3", "block5_relu3")
LR = 0.02
"""The source stretches the contrast of what plain steps give; larger steps come to the same."""
STARTS = ("uniform", "grey", "gradient", "black")


def main() -> None:
    run = example(__doc__, "vgg16_hed")
    net = run.load()
    for depth in DEPTHS:
        made = cs.visualize(net, f"{depth}:3,5", preset="strika", lr=LR, size=160, steps=run.steps(15))
        run.save(made, f"filters-{depth}.png")
    for start in STARTS:
        made = cs.visualize(net, "block5_conv1:28", preset="strika", lr=LR, start=start, size=160, steps=run.steps(15))
        run.save(made, f"start-{start}.png")
    grown = cs.visualize(
        net, "block4_relu2:66", preset="strika", lr=LR, schedule="grow(64,1.2)", size=320, steps=run.steps(15)
    )
    run.save(grown, "grown.png")
    collage = [f"block5_conv2:{i}" for i in range(4 if run.quick else 9)]
    run.save(cs.visualize(net, collage, views="wobble", size=128, steps=run.steps(64)), "collage.png")
    morph = cs.visualize(net, "block4_conv3:300", preset="strika", lr=LR, size=160, frames="all", steps=run.steps(15))
    run.save(morph, "morph.gif")


if __name__ == "__main__":
    main()

"""Strika (2019): filters of a VGG16 by depth, from several starts, grown by a fifth at a time, as a collage.

    python -m examples.strika build/strika
    python -m examples.strika build/strika --model keras:VGG16      # the source's own network

It asked, as future work, for the picture at every iteration: that is the last one here.
"""

import convscope as cs
from examples.shared import example

DEPTHS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
STARTS = ("uniform", "grey", "gradient", "black")


def main() -> None:
    run = example(__doc__, "vgg16_hed")
    net = run.load()
    for depth in DEPTHS:
        made = cs.visualize(net, f"{depth}:0-1", preset="strika", size=160, steps=run.steps(15))
        run.save(made, f"filters-{depth}.png")
    for start in STARTS:
        made = cs.visualize(net, "block5_conv1:28", preset="strika", start=start, size=160, steps=run.steps(15))
        run.save(made, f"start-{start}.png")
    grown = cs.visualize(
        net, "block4_conv2:66", preset="strika", schedule="grow(64,1.2)", size=320, steps=run.steps(15)
    )
    run.save(grown, "grown.png")
    collage = [f"block5_conv2:{i}" for i in range(4 if run.quick else 9)]
    run.save(cs.visualize(net, collage, views="wobble", size=128, steps=run.steps(64)), "collage.png")
    morph = cs.visualize(net, "block4_conv3:300", preset="strika", size=160, frames="all", steps=run.steps(15))
    run.save(morph, "morph.gif")


if __name__ == "__main__":
    main()

"""Calvino (2020): what a network sees that tells hand-made from computer-made pictures.

    python -m examples.calvino build/calvino

Two sets of pictures are made in code; a small VGG is trained on them from scratch at 224 pixels; then: every channel of
its first layers for two pictures that it never saw (figures 3 and 4), filters by gradient ascent from these (figure 5),
heatmaps for both classes (figure 8), and the artist's series (figure 9).
"""

import numpy as np

import convscope as cs
from examples.calvino.pictures import KINDS
from examples.shared import example

COUNT, EPOCHS = 200, 12
FILTERS = ("features.block3_conv1:1", "features.block4_conv3:30")


def main() -> None:
    run = example(__doc__, "vgg_small")
    pictures = run.out / "pictures"
    for number, (name, make) in enumerate(KINDS.items()):
        (pictures / name).mkdir(parents=True, exist_ok=True)
        for i in range(20 if run.quick else COUNT):
            make(np.random.default_rng([0, number, i])).save(pictures / name / f"{i:03d}.png")
    trained = cs.train(run.load(), pictures, run.out / "trained", frozen="none", epochs=2 if run.quick else EPOCHS)
    print(f"accuracy on pictures held out: {100 * trained.facts.accuracy:.1f} %")
    run.save(trained, "training.png")
    net = cs.load_model(run.out / "trained")
    photographs = []
    for number, (name, make) in enumerate(KINDS.items()):
        photographs.append(run.out / f"{name}.png")
        make(np.random.default_rng([1, number, 7])).save(photographs[-1])  # of another seed: it never saw them
    for photo in photographs:
        maps = cs.activations(net, photo, ["features.block1_*", "features.block2_*"])
        maps.save_pictures(run.out / f"layers-{photo.stem}")
        run.save(cs.activations(net, photo, "features.block1_conv1"), f"figure-3-{photo.stem}.png")
        for target in FILTERS:
            made = cs.visualize(net, target, start=photo, preset="calvino", size=224, steps=run.steps(40))
            run.save(made, f"figure-5-{photo.stem}-{target.partition('.')[2].replace(':', '-')}.png")
    first = [f"features.block3_conv1:{i}" for i in range(8 if run.quick else 48)]
    run.save(cs.visualize(net, first, preset="calvino", start="noise", size=96, steps=run.steps(40)), "figure-5d.png")
    for photo in photographs:
        board = cs.compare(net, photo, [f"class:{name}" for name in KINDS], methods=["grad_cam"])
        run.save(board, f"figure-8-{photo.stem}.png")
        series = {"top": [2, 8, 32, 96], "intensity": [0.4, 0.8, 1.6]}
        run.save(cs.hybrid(net, photo, vary=series, colours="jet", hot=0, soft=0), f"figure-9-{photo.stem}.png")
        run.save(cs.hybrid(net, photo, effect="invert", lines=6), f"hybrid-{photo.stem}.png")


if __name__ == "__main__":
    main()

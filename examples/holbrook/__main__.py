"""Holbrook (2020): feature maps over the pictures that their filters look for, by depth.

    python -m examples.holbrook build/holbrook
    python -m examples.holbrook build/holbrook --model keras:ResNet50V2      # the source's own network

Above: what a filter answers to a photograph; below: a picture made for it in Fourier space, with decorrelated colours
and random affine transforms. Layers become deeper from left to right.
"""

import numpy as np

import convscope as cs
from convscope.render.colour import as_rgb, colourise
from convscope.render.grid import sheet
from convscope.render.raster import raster
from examples.shared import PHOTOGRAPHS, example

CHANNELS, SIDE = 2, 192


def main() -> None:
    run = example(__doc__, "efficientnet_lite0")
    net = run.load()
    maps = [layer for layer in net.layers() if layer.is_map and layer.is_feature and not layer.container][1:]
    depths = [maps[int(share * (len(maps) - 1))] for share in (0.02, 0.2, 0.4, 0.6, 0.8)]
    photo = PHOTOGRAPHS / "cat.jpg"
    found = cs.activations(net, photo, [layer.name for layer in depths])
    for row in range(CHANNELS):
        tiles, names = [], []
        chosen = []
        for layer in depths:
            strongest = np.argsort(-found.arrays[layer.name].max((1, 2)), kind="stable")
            chosen.append((layer.name, int(strongest[row * 3])))
        for name, channel in chosen:
            values = found.arrays[name][channel]
            tiles.append(colourise(values, 0.0, max(float(values.max()), 1e-6), "inferno"))
            names.append(f"{name}:{channel}")
        made = cs.visualize(
            net, [f"{name}:{channel}" for name, channel in chosen], preset="holbrook", size=SIDE, steps=run.steps(192)
        )
        tiles += [as_rgb(picture) for picture in made.arrays["images"]]
        names += ["what it looks for"] * len(chosen)
        laid_out = sheet(tiles, tile=(SIDE, SIDE), columns=len(depths), captions=names, title=f"{net.name} on the cat")
        run.save(raster(laid_out), f"maps-over-pictures-{row + 1}.png")


if __name__ == "__main__":
    main()

"""The lecture on understanding convnets: weights, occlusion of both kinds, integrated gradients, deconvnet, dream.

    python -m examples.slides build/slides
    python -m examples.slides build/slides --model keras:VGG16      # a network of the lecture's time

The nine strongest patches of a unit over many pictures are the atlas's, and come with it.
"""

import convscope as cs
from examples.shared import PHOTOGRAPHS, example


def main() -> None:
    run = example(__doc__, "efficientnet_lite0")
    net = run.load()
    cat, rocket = PHOTOGRAPHS / "cat.jpg", PHOTOGRAPHS / "rocket.jpg"
    first = next(layer.name for layer in net.layers() if net.kernel(layer.module) is not None)
    maps = [layer for layer in net.layers() if layer.is_map and layer.is_feature and not layer.container][1:]
    deep = maps[int(0.7 * (len(maps) - 1))].name
    run.save(cs.weights(net, first), "weights.png")
    run.save(cs.activations(net, cat, first), "activations.png")
    patch, stride = (64, 32) if run.quick else (24, 8)
    run.save(cs.explain(net, rocket, method=cs.Occlusion(patch=patch, stride=stride)), "occlusion-class.png")
    strongest = cs.explain(net, rocket, f"strongest({deep})", method=cs.Occlusion(patch=patch, stride=stride))
    run.save(strongest, "occlusion-layer.png")
    run.save(cs.explain(net, cat, method="integrated_gradients"), "integrated-gradients.png")
    run.save(cs.explain(net, cat, method="deconvnet"), "deconvnet.png")
    run.save(cs.explain(net, cat, method="guided_backprop"), "guided-backpropagation.png")
    run.save(cs.visualize(net, ["class:goose", "class:ostrich"], steps=run.steps(96)), "classes.png")
    run.save(cs.dream(net, cat, steps=run.steps(12)), "dream.png")


if __name__ == "__main__":
    main()

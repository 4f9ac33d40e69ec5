"""Class pictures and filter sheets beside torch-lucent's, in one process of the second environment (`make bench-zoo`).

`python -m benchmarks.against_lucent transfer [ours] [theirs]`: class pictures on efficientnet_lite0, by our default
and by lucent's (128 pixels, 512 steps), of as many classes; judged by networks that they were not made for.
`python -m benchmarks.against_lucent speed`: steps a second of a sheet of 16 filters on VGG16's shape, at the same
layer, canvas and transforms.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import kornia
import kornia.geometry.transform as moved
import numpy as np
import torch
from torch import Tensor, nn

import convscope as cs
from benchmarks.networks import vgg16
from benchmarks.transfer import JUDGES, SEED, rates
from convscope.synthesis.transform_chain import ROBUST

# lucent 0.1.8 looks for these where kornia no longer has them
for name in ("get_rotation_matrix2d", "warp_affine", "rotate", "translate"):
    setattr(kornia, name, getattr(moved, name))

from lucent.optvis import objectives, param, render, transform  # noqa: E402

SHEET, CANVAS, STEPS = 16, 224, 2
LAYERS = ("features.7", "features.28")
"""The fourth and the last of VGG16's 13 convolutions."""


class Prepared(nn.Module):
    """A network behind its own preprocessing, as lucent does none but torchvision's; its scores are named `labels`."""

    def __init__(self, net: cs.Network) -> None:
        super().__init__()
        self.spec, self.body, self.labels = net.spec, net.adapter.root, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.labels(self.body(self.spec.preprocess(x)))
        return found


def transfer(ours: int = 100, theirs: int = 12) -> list[tuple[str, ...]]:
    """Seconds a class, and of each judge how often the class is its first guess, and among its first five."""
    net = cs.load_model(JUDGES[0])
    classes = torch.randperm(1000, generator=torch.Generator().manual_seed(SEED))
    found = [("how", "classes", "s a class", *(f"{name[13:]}: 1st / 5" for name in JUDGES))]

    def our_pictures(some: Tensor) -> Tensor:
        made = cs.visualize(net, [cs.logit(int(index)) for index in some])
        return torch.from_numpy(made.arrays["images"]).permute(0, 3, 1, 2)

    def their_pictures(some: Tensor) -> Tensor:
        model = Prepared(net).eval()
        made = [
            render.render_vis(model, f"labels:{int(index)}", preprocess=False, progress=False, show_image=False)[0]
            for index in some
        ]
        return torch.from_numpy(np.concatenate(made)).permute(0, 3, 1, 2)

    work: tuple[tuple[str, int, Callable[[Tensor], Tensor]], ...] = (
        ("lucent, defaults", theirs, their_pictures), ("convscope, default", theirs, our_pictures),
        ("convscope, default", ours, our_pictures),
    )  # fmt: skip
    cs.visualize(net, "class:0", steps=1)  # what is done once is not timed
    for how, count, make in work:
        start = time.perf_counter()
        pictures = make(classes[:count])
        seconds = (time.perf_counter() - start) / count
        judged = (rates(cs.load_model(name), pictures, classes[:count]) for name in JUDGES)
        found.append((how, str(count), f"{seconds:.1f}", *(f"{first:.2f} / {five:.2f}" for first, five in judged)))
        print("  ".join(found[-1]), file=sys.stderr, flush=True)
    return found


def speed() -> list[tuple[str, ...]]:
    """Seconds a step of each, taking turns, and their ratio."""
    net = vgg16()
    found = [("layer", "lucent s a step", "ours", "times faster")]
    for layer in LAYERS:
        seconds: dict[str, list[float]] = {"lucent": [], "ours": []}
        for turn in range(3):
            for name, sheet in (("lucent", _their_sheet), ("ours", _our_sheet)):
                found_now = sheet(net, layer)
                if turn:
                    seconds[name].append(found_now)
        theirs, ours = (min(values) for values in seconds.values())
        found.append((layer, f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.2f}"))
    return found


def _their_sheet(net: cs.Network, layer: str) -> float:
    model: Any = net.adapter.root.eval()
    name = layer.replace(".", "_")
    objective = sum(
        (objectives.channel(name, i, batch=i) for i in range(1, SHEET)), objectives.channel(name, 0, batch=0)
    )
    return _marginal(
        lambda steps: render.render_vis(
            model, objective, param_f=lambda: param.image(CANVAS, batch=SHEET), thresholds=(steps,), progress=False,
            show_image=False, transforms=list(transform.standard_transforms),
        )
    )  # fmt: skip


def _our_sheet(net: cs.Network, layer: str) -> float:
    targets = [cs.channel(layer, i) for i in range(SHEET)]
    return _marginal(lambda steps: cs.visualize(net, targets, size=CANVAS, views=ROBUST, steps=steps))


def _marginal(work: Callable[[int], object]) -> float:
    """Seconds a step, without what a call does once."""
    times = []
    for steps in (1, 1 + STEPS):
        start = time.perf_counter()
        work(steps)
        times.append(time.perf_counter() - start)
    return (times[1] - times[0]) / STEPS


if __name__ == "__main__":
    table = speed() if sys.argv[1:2] == ["speed"] else transfer(*map(int, sys.argv[2:]))
    for row in table:
        print("  ".join(row))

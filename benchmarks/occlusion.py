"""Occlusion with 16-pixel windows beside captum's, on the same positions: seconds, and how far the maps differ.

captum is given its better setting of 1 and 16 positions at once. "operations": by how much fewer multiply-accumulates
there are when only what a window can change is computed. `python -m benchmarks.occlusion [network]` for one network.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from captum.attr import Occlusion
from scipy.stats import spearmanr
from torch.utils.flop_counter import FlopCounterMode

import convscope as cs
from benchmarks.networks import resnet50, vgg16
from convscope.results.result import Result

PATCH = 16
NETWORKS: dict[str, tuple[Callable[[], cs.Network], float]] = {
    "VGG16's shape": (vgg16, 7.0),
    "ResNet-50's shape": (resnet50, 2.5),
    "efficientnet_lite0": (lambda: cs.load_model("efficientnet_lite0"), 3.0),
}
"""The networks, and how many times faster is the goal."""
COARSE_STRIDE, COARSE_SHARE, COARSE_GOAL = 4, 0.25, 15.0
PHOTOGRAPHS = ("cat", "coffee", "rocket")


def rows(only: str = "") -> list[tuple[str, ...]]:
    """A row for each network and stride, and for coarse to fine on each photograph."""
    found = [("network", "stride", "captum s", "convscope s", "times faster", "operations", "difference", "goal")]
    for name, (make, goal) in NETWORKS.items():
        if only not in name:
            continue
        net = make()
        picture = net.photograph("examples/photographs/cat.jpg").tensor()
        net.layers()
        for stride in (16, 8):
            theirs, wanted = _captum(net, picture, stride)
            ours, result = _timed(lambda net=net, p=picture, s=stride: _ours(net, p, s))
            difference = np.abs(result.arrays["map"] - wanted).max() / np.ptp(wanted)
            found.append((
                name, str(stride), f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.2f}",
                f"{_fewer(net, picture, stride):.2f}", f"{difference:.1e}",
                "met" if theirs / ours >= goal else f"MISSED {goal}",
            ))  # fmt: skip
            print("  ".join(found[-1]), file=sys.stderr, flush=True)
    if only in "coarse efficientnet_lite0":
        found += [_coarse(name) for name in PHOTOGRAPHS]
    return found


def _coarse(photograph: str) -> tuple[str, ...]:
    """Coarse to fine against captum's whole map: the speed-up, and the rank correlation of the two."""
    net = cs.load_model("efficientnet_lite0")
    net.layers()
    picture = net.photograph(f"examples/photographs/{photograph}.jpg").tensor()
    theirs, wanted = _captum(net, picture, COARSE_STRIDE, (16,))
    ours, result = _timed(lambda: _ours(net, picture, COARSE_STRIDE, share=COARSE_SHARE))
    likeness = float(spearmanr(result.arrays["map"].ravel(), wanted.ravel()).statistic)
    met = theirs / ours >= COARSE_GOAL and likeness >= 0.95
    row = (
        f"lite0, {photograph}, share {COARSE_SHARE}", str(COARSE_STRIDE), f"{theirs:.2f}", f"{ours:.2f}",
        f"{theirs / ours:.2f}", "", f"rank correlation {likeness:.3f}", "met" if met else f"MISSED {COARSE_GOAL}",
    )  # fmt: skip
    print("  ".join(row), file=sys.stderr, flush=True)
    return row


def _ours(net: cs.Network, picture: torch.Tensor, stride: int, **more: Any) -> Result:
    return cs.explain(net, picture, 7, method="occlusion", patch=PATCH, stride=stride, fill=0.5, **more)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def _captum(
    net: cs.Network, picture: torch.Tensor, stride: int, at_once: tuple[int, ...] = (1, 16)
) -> tuple[float, np.ndarray]:
    """Seconds of the better setting, and the map."""
    module, prepared = net.adapter.root, net.spec.preprocess(picture)
    grey = net.spec.preprocess(torch.full((1, 3, 1, 1), 0.5))[0, :, 0, 0]
    base = grey.view(1, 3, 1, 1).expand_as(prepared)
    best, found = float("inf"), np.zeros(())
    for count in at_once:
        with torch.no_grad():
            seconds, maps = _timed(
                lambda count=count: Occlusion(module).attribute(
                    prepared, sliding_window_shapes=(3, PATCH, PATCH), strides=(3, stride, stride), baselines=base,
                    target=7, perturbations_per_eval=count,
                )
            )  # fmt: skip
        best, found = min(best, seconds), maps[0, 0].numpy()
    return best, found


def _fewer(net: cs.Network, picture: torch.Tensor, stride: int) -> float:
    """How many times fewer operations there are than in a pass for each position."""
    with torch.no_grad(), FlopCounterMode(display=False) as one:
        net.run(picture)
    with FlopCounterMode(display=False) as all_:
        result = _ours(net, picture, stride)
    return one.get_total_flops() * result.arrays["coarse"].size / all_.get_total_flops()


if __name__ == "__main__":
    for row in rows(*sys.argv[1:]):
        print("  ".join(row))

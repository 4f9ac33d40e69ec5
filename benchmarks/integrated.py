"""Integrated gradients beside captum's default (50 points), to the same completeness gap: seconds, steps, gaps."""

import time

import torch
from captum.attr import IntegratedGradients

import convscope as cs
from benchmarks.networks import resnet50

GOAL = 1.5
PHOTOGRAPHS = ("cat", "coffee", "rocket")


def rows() -> list[tuple[str, ...]]:
    """One row for each network and photograph; the gaps are in parts of the scores' difference."""
    found = [("network, picture", "captum s", "its gap", "convscope s", "gap", "steps", "times faster", "goal")]
    for name, net in (("lite0", cs.load_model("efficientnet_lite0")), ("ResNet-50's shape", resnet50())):
        net.layers()
        for photograph in PHOTOGRAPHS:
            found.append(_row(f"{name}, {photograph}", net, f"examples/photographs/{photograph}.jpg"))
    return found


def _row(name: str, net: cs.Network, photograph: str) -> tuple[str, ...]:
    picture = net.photograph(photograph).tensor()
    target = net.predict(photograph, top=1)[0][0].index
    module = net.adapter.root.eval()
    prepared, black = (net.spec.preprocess(x) for x in (picture, torch.zeros_like(picture)))
    start = time.perf_counter()
    theirs = IntegratedGradients(module).attribute(prepared, black, target=target)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        difference = float(module(prepared)[0, target] - module(black)[0, target])
    gap = abs(float(theirs.double().sum()) - difference) / abs(difference)
    start = time.perf_counter()
    ours = cs.explain(net, picture, target, method="integrated_gradients", tolerance=min(1.0, max(gap, 1e-6)))
    own = time.perf_counter() - start
    own_gap = abs(ours.facts["gap"] / ours.facts["difference"])
    return (
        name, f"{seconds:.2f}", f"{gap:.4f}", f"{own:.2f}", f"{own_gap:.4f}", str(ours.facts["steps"]),
        f"{seconds / own:.2f}", "met" if seconds / own >= GOAL and own_gap <= max(gap, 1e-6) else f"MISSED {GOAL}",
    )  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print("  ".join(row))

"""Recording an early layer costs in proportion to its depth: time and operations, as shares of the whole pass."""

import torch

import convscope as cs
from benchmarks.networks import macs, vgg16
from benchmarks.timing import in_turns

LAYERS = ("features.3", "features.10", "features.20", "features.29")


def rows() -> list[tuple[str, ...]]:
    """One row per layer of a VGG16-shaped network."""
    net = vgg16()
    picture = torch.rand((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    counts = macs(net)
    names = [layer.name for layer in net.layers()]

    def record(layer: str) -> None:
        with torch.no_grad():
            cs.record(net, picture, [layer])

    work = {layer: (lambda layer=layer: record(layer)) for layer in (*LAYERS, "scores")}
    seconds = in_turns(work)
    found = [("recorded up to", "share of the time", "share of the operations")]
    for layer in LAYERS:
        below = sum(count for name, count in counts.items() if names.index(name) <= names.index(layer))
        time_share = seconds[layer] / seconds["scores"]
        found.append((layer, f"{time_share:.2f}", f"{below / sum(counts.values()):.2f}"))
    return found

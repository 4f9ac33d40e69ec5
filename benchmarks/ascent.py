"""What a step of the ascent costs, over the bare forward and backward at the same batch and size; bare ones with and
without folded batch norms."""

import torch

import convscope as cs
from benchmarks.networks import vgg16
from benchmarks.timing import in_turns
from convscope.models.folding import PLAIN, Folding
from convscope.objectives.text import parse_target
from convscope.synthesis.ascent import ascend
from convscope.synthesis.images import Fourier
from convscope.synthesis.transforms import Crops, Transform, Wobble
from convscope.taps.record import record

CASES = (
    ("efficientnet_lite0", "class:zebra", 1, Crops()),
    ("efficientnet_lite0", "blocks.4.expand:3", 8, Wobble()),
    ("VGG16's shape", "features.10:3", 4, Wobble()),
)


def rows() -> list[tuple[str, ...]]:
    """One row per case."""
    networks = {"efficientnet_lite0": cs.load_model("efficientnet_lite0"), "VGG16's shape": vgg16()}
    found = [("network", "target", "pictures", "bare step ms", "our step / bare", "our step / bare, norms folded")]
    for name, text, count, transform in CASES:
        base, folded, ours = _measure(networks[name], text, count, transform)
        found.append((name, text, str(count), f"{base * 1e3:.0f}", f"{ours / base:.2f}", f"{ours / folded:.2f}"))
    return found


def _measure(net: cs.Network, text: str, count: int, transform: Transform) -> tuple[float, float, float]:
    objective = parse_target(text).bind(net)
    taps = sorted(objective.taps())
    side = 224 if isinstance(transform, Crops) else 128
    generator = torch.Generator().manual_seed(0)
    image = Fourier(count, 3, (side, side))
    image.add_noise(0.01, generator)
    with torch.no_grad():
        shape = transform(image(), generator).shape
    folding = net.folding()
    steps = ascend(
        net, [objective] * count, image, torch.optim.Adam(image.parameters(), lr=0.05),
        transform=transform, steps=10**6, generator=generator, folding=folding,
    )  # fmt: skip

    def bare(how: Folding) -> None:
        views = torch.rand(shape, requires_grad=True)
        recording = record(net, views, taps, folding=how)
        torch.autograd.grad(recording[taps[0]].sum(), views)

    seconds = in_turns({"bare": lambda: bare(PLAIN), "folded": lambda: bare(folding), "ours": lambda: next(steps)})
    return seconds["bare"], seconds["folded"], seconds["ours"]

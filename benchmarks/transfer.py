"""Class pictures that a network they were not made for recognises: rates, and seconds a class.

Pictures of classes drawn by a seed are made on efficientnet_lite0 with a preset, and shown to it, lite1,
lite2 and mobilenet_v2 (`convscope models fetch mobilenet_v2`).
`python -m benchmarks.transfer [classes] [preset]` makes another number of classes than the table.
"""

import sys
import time

import torch

import convscope as cs
from convscope.images.filters import resized

CLASSES, SEED = 100, 7
JUDGES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v2")


def rows(count: int = CLASSES, preset: str = "default") -> list[tuple[str, ...]]:
    """One row: seconds a class, then of each judge how often the class is its first guess, and among its first five."""
    net = cs.load_model(JUDGES[0])
    classes = torch.randperm(1000, generator=torch.Generator().manual_seed(SEED))[:count]
    cs.visualize(net, "class:0", steps=1)  # what is done once is not timed
    start = time.perf_counter()
    made = cs.visualize(net, [cs.logit(int(index)) for index in classes], preset=preset)
    seconds = (time.perf_counter() - start) / count
    pictures = torch.from_numpy(made.arrays["images"]).permute(0, 3, 1, 2)
    found = [f"{preset}, {count} classes", f"{seconds:.1f}"]
    for name in JUDGES:
        first, five = rates(cs.load_model(name), pictures, classes)
        found.append(f"{first:.2f} / {five:.2f}")
    return [("how", "s a class", *(f"{name.removeprefix('efficientnet_')}: 1st / 5" for name in JUDGES)), tuple(found)]


@torch.no_grad()
def rates(judge: cs.Network, pictures: torch.Tensor, classes: torch.Tensor) -> tuple[float, float]:
    guesses = torch.cat([
        judge.scores(judge.run(resized(some, judge.spec.hw))).topk(5).indices for some in pictures.split(16)
    ])  # fmt: skip
    hits = guesses == classes[:, None]
    return float(hits[:, 0].float().mean()), float(hits.any(1).float().mean())


if __name__ == "__main__":
    for row in rows(*(int(word) if word.isdigit() else word for word in sys.argv[1:])):  # type: ignore[arg-type]
        print("  ".join(row))

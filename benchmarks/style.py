"""Style transfer against the plain loop of Gatys at equal final loss.

The plain loop is what neural-style-pt and most others do: L-BFGS on the pixels at the final size, begun from the
content, with the losses written out on forward hooks. Both minimise the same sum, so that their losses compare.
"""

import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

import convscope as cs
from convscope.models.photograph import open_photograph

PHOTO, STYLE = "examples/photographs/cat.jpg", "examples/styles/strokes.jpg"
CONTENT_LAYER = "block4_relu2"
STYLE_LAYERS = tuple(f"block{i}_relu1" for i in range(1, 6))
STYLE_WEIGHT, TV_WEIGHT = 20.0, 0.2
PATIENCE = 4.0
"""The plain loop is given so many times our seconds to get as far."""


def rows(size: int = 256) -> list[tuple[str, ...]]:
    """Seconds and loss of each; the plain loop's seconds are those at which its loss is first as low as ours."""
    net = cs.load_model("vgg16_hed")
    start = time.perf_counter()
    made = cs.stylize(net, PHOTO, STYLE, size=size)
    ours = time.perf_counter() - start
    reached = -float(made.arrays["values"][0])
    content, style = _pictures(*made.arrays["images"].shape[1:3])
    found = [("how", "seconds", "loss", "against ours")]
    found.append(("convscope, default", f"{ours:.1f}", f"{reached:.3f}", "1"))
    for name in ("lbfgs", "adam"):
        seconds, loss = 0.0, float("inf")
        for seconds, loss in _plain_loop(net, content, style, name):
            if loss <= reached or seconds > PATIENCE * ours:
                break
        mark = "" if loss <= reached else "not reached: more than "
        found.append((f"plain loop, {name}", f"{seconds:.1f}", f"{loss:.3f}", f"{mark}{seconds / ours:.2f}"))
    return found


def _pictures(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Content and style at the sizes at which ours were."""
    content = open_photograph(PHOTO, cs.InputSpec(size=(height, width)), fit="stretch")
    style = open_photograph(STYLE, cs.InputSpec(size=max(height, width)), fit="stretch")  # it is square
    return content.tensor(), style.tensor()


def _plain_loop(net: cs.Network, content: Tensor, style: Tensor, name: str) -> Iterator[tuple[float, float]]:
    """(seconds, loss) after each evaluation."""
    modules = dict(net.adapter.root.named_modules())
    seen: dict[str, Tensor] = {}
    handles = [
        modules[layer].register_forward_hook(lambda module, inputs, output, layer=layer: seen.update({layer: output}))
        for layer in (CONTENT_LAYER, *STYLE_LAYERS)
    ]
    try:
        yield from _descend(net, content, style, name, seen)
    finally:
        for handle in handles:
            handle.remove()


def _descend(
    net: cs.Network, content: Tensor, style: Tensor, name: str, seen: dict[str, Tensor]
) -> Iterator[tuple[float, float]]:
    def forward(picture: Tensor) -> None:
        net.adapter.root(net.spec.preprocess(picture))

    def gram(maps: Tensor) -> Tensor:
        flat = maps[0].flatten(1)
        return flat @ flat.T / flat.shape[1]

    with torch.no_grad():
        forward(style)
        grams = {layer: gram(seen[layer]) for layer in STYLE_LAYERS}
        forward(content)
        kept = seen[CONTENT_LAYER].clone()
    picture = content.clone().requires_grad_()
    torch_optimiser = (
        torch.optim.LBFGS([picture], lr=1.0, max_iter=1, history_size=100, tolerance_grad=0, tolerance_change=0)
        if name == "lbfgs"
        else torch.optim.Adam([picture], lr=0.02)
    )
    start, told = time.perf_counter(), [0.0]

    def closure() -> Tensor:
        torch_optimiser.zero_grad()
        forward(picture)
        loss = F.mse_loss(seen[CONTENT_LAYER], kept) / kept.square().mean()
        for layer in STYLE_LAYERS:
            off = (gram(seen[layer]) - grams[layer]).square().sum() / grams[layer].square().sum()
            loss = loss + STYLE_WEIGHT / len(STYLE_LAYERS) * off
        down, across = picture.diff(dim=2).abs().mean(), picture.diff(dim=3).abs().mean()
        loss = loss + TV_WEIGHT * (down + across)
        loss.backward()
        told[0] = float(loss.detach())
        return loss.detach()

    while True:
        torch_optimiser.step(closure)
        with torch.no_grad():
            picture.clamp_(0, 1)
        yield time.perf_counter() - start, told[0]


if __name__ == "__main__":
    for row in rows():
        print("  ".join(row))

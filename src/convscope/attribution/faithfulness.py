"""Whether a map can be believed: what its order does to the score, what it owes to the network, and what to edges."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.fills import BLUR
from convscope.images.filters import blurred
from convscope.models.folding import PLAIN, Folding
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.taps.batching import images_at_once, in_batches
from convscope.taps.record import record

AT_ONCE = 32


def order_of(heat: Float[np.ndarray, "h w"]) -> np.ndarray:
    """The rank of each pixel, 0 for the hottest; equals in reading order."""
    ranks = np.empty(heat.size, dtype=np.int64)
    ranks[np.argsort(-heat.ravel(), kind="stable")] = np.arange(heat.size)
    return ranks.reshape(heat.shape)


def curve(
    net: Network,
    picture: Float[Tensor, "1 c h w"],
    objective: Objective,
    heat: Float[np.ndarray, "h w"],
    fractions: Sequence[float],
    *,
    inserting: bool,
    folding: Folding = PLAIN,
    seen: Callable[[int], None] = lambda done: None,
) -> Float[np.ndarray, " points"]:
    """The objective when the hottest fractions of the picture are shown alone, or taken away.

    inserting: they are laid over the blurred picture; else they are covered with the colour that the preprocessing
    takes to zero.

    Source: Petsiuk, Das and Saenko, "RISE" (2018), section 4.1.
    """
    ranks = torch.from_numpy(order_of(heat)).to(picture.device)
    blur = blurred(picture, BLUR * min(heat.shape))
    below = blur if inserting else net.spec.neutral(picture).expand_as(picture)
    taps = sorted(objective.taps())
    values: list[float] = []

    def some(first: int, last: int) -> None:
        hot = torch.stack([ranks < round(share * ranks.numel()) for share in fractions[first:last]])[:, None]
        shown = torch.where(hot if inserting else ~hot, picture, below)
        with torch.no_grad():
            values.extend(objective.value(record(net, shown, taps, folding=folding)).tolist())
        seen(last)

    at_once = images_at_once(net, taps, (picture.shape[-2], picture.shape[-1]), AT_ONCE)
    in_batches(len(fractions), at_once, some, "the curve")
    return np.array(values)


def area(fractions: Sequence[float], values: Float[np.ndarray, " points"]) -> float:
    """The area under a curve, by trapezoids."""
    return float(np.trapezoid(values, fractions))


def moved(heat: Float[np.ndarray, "h w"], seed: int) -> Float[np.ndarray, "h w"]:
    """The same map somewhere else, around the edges: as smooth, as large, and of another place."""
    rng = np.random.default_rng(seed)
    quarter = [side // 4 for side in heat.shape]
    shifts = [int(rng.integers(q, max(q + 1, side - q))) for q, side in zip(quarter, heat.shape, strict=True)]
    return np.roll(heat, shifts, axis=(0, 1))


def edges(picture: Float[Tensor, "1 c h w"]) -> Float[np.ndarray, "h w"]:
    """What an edge detector that knows no network makes of a picture: the length of Sobel's gradient."""
    grey = picture.mean(1, keepdim=True)
    across = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.T])[:, None]
    result: np.ndarray = (
        F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernels).norm(dim=1)[0].float().cpu().numpy()
    )
    return result


def weights_of(net: Network, module: str) -> list[Tensor]:
    """What a module has learned: its numbers, those of its own parts among them. Empty for one that has none."""
    result = net.adapter.modules().get(module)
    return [] if result is None else [value for value in result.parameters() if value.is_floating_point()]


@torch.no_grad()
def shuffle(net: Network, layers: Sequence[str], generator: torch.Generator) -> None:
    """Put the weights of layers in random order, in place: what they have learned is gone, their size is not."""
    for layer in layers:
        for value in weights_of(net, layer):
            order = torch.randperm(value.numel(), generator=generator).to(value.device)
            value.copy_(value.flatten()[order].view_as(value))

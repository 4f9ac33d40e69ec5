"""Attribution by showing the network masked pictures: Score-CAM's masks are a layer's channels, RISE's are random."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.errors import Stopped
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.progress import Cancel
from convscope.taps.batching import in_batches, looks_at_once
from convscope.taps.record import record

AT_ONCE = 32
"""Masked pictures in a batch, at most."""


def masked_values(
    net: Network, image: Float[Tensor, "1 c h w"], objective: Objective,
    masks: Callable[[int, int], Float[Tensor, "n 1 h w"]], count: int,
    take: Callable[[Float[Tensor, "n 1 h w"], Float[Tensor, " n"]], None], seen: Callable[[int], None],
) -> None:  # fmt: skip
    """Hand over the objective on the picture behind each of `count` masks in [0,1], batch by batch.

    masks: gives those from a first to a last one. take: is given masks and values. What is masked out is the colour
    that the network's preprocessing takes to zero.
    """
    grey = net.spec.neutral(image)
    taps, way = sorted(objective.taps()), net.quickened()

    def some(first: int, last: int) -> None:
        here = masks(first, last)
        with torch.no_grad():
            values = objective.value(record(net, grey + here * (image - grey), taps, way=way))
        take(here, values)
        seen(last)

    at_once = looks_at_once(net, taps, (image.shape[-2], image.shape[-1]), AT_ONCE)
    in_batches(count, at_once, some, "masked pictures")


def score_cam(
    net: Network, image: Float[Tensor, "1 c h w"], objective: Objective, activations: Float[Tensor, "1 k rows columns"],
    seen: Callable[[int], None], *, channels: Sequence[int] | None = None,
) -> Float[Tensor, "rows columns"]:  # fmt: skip
    """The channels of a layer, weighted by the softmax of what the objective is on the picture behind each of them.

    channels: those to try; all unless given. Signed, at the layer's resolution. The masks are spread evenly over the
    picture, as the paper has them.

    Source: Wang et al., "Score-CAM" (2020), equations 3 to 6; the baseline of equation 3 falls out of the softmax.
    """
    tried = activations[0] if channels is None else activations[0, list(channels)]
    size = image.shape[-2], image.shape[-1]

    def masks(first: int, last: int) -> Tensor:
        maps = F.interpolate(tried[first:last, None].float(), size, mode="bilinear", align_corners=False)
        low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
        return ((maps - low) / (high - low).clamp_min(1e-8)).to(image.dtype)

    values: list[Tensor] = []
    masked_values(net, image, objective, masks, len(tried), lambda _, found: values.append(found), seen)
    weights = torch.cat(values).softmax(0)
    return (weights[:, None, None] * tried).sum(0)


def rise(
    net: Network, image: Float[Tensor, "1 c h w"], objective: Objective, *, samples: int, cells: int, kept: float,
    generator: torch.Generator, seen: Callable[[int], None],
) -> Float[Tensor, "h w"]:  # fmt: skip
    """The mean of random masks, weighted by the objective on the picture behind each, over the share that is kept.

    cells: of the coarse grid that each mask is enlarged from, on the short side. kept: the share of cells that show
    the picture. Raises Stopped on Ctrl-C, with the map of the masks that are done.

    Source: Petsiuk, Das and Saenko, "RISE" (2018), equations 6 and section 3.3.
    """
    height, width = image.shape[-2:]
    side = min(height, width)
    grid = round(cells * height / side), round(cells * width / side)
    cell = -(-height // grid[0]), -(-width // grid[1])
    seeds = torch.randint(2**62, (samples,), generator=generator).tolist()

    def one(seed: int) -> Tensor:
        generator.manual_seed(seed)
        coarse = (torch.rand((1, 1, *grid), generator=generator) < kept).float()
        large = F.interpolate(
            coarse, ((grid[0] + 1) * cell[0], (grid[1] + 1) * cell[1]), mode="bilinear", align_corners=False
        )
        down = int(torch.randint(cell[0], (), generator=generator))
        right = int(torch.randint(cell[1], (), generator=generator))
        return large[:, :, down : down + height, right : right + width]

    def masks(first: int, last: int) -> Tensor:
        return torch.cat([one(seed) for seed in seeds[first:last]]).to(image.device)

    total, done = torch.zeros((height, width), dtype=torch.float64), 0

    def take(some: Tensor, values: Tensor) -> None:
        nonlocal done
        total.add_((values.view(-1, 1, 1) * some[:, 0]).sum(0).double().cpu())
        done += len(some)

    try:
        masked_values(net, image, objective, masks, samples, take, seen)
    except (KeyboardInterrupt, Cancel):
        if not done:
            raise
        raise Stopped(f"stopped after {done} of {samples} masks", (total / (done * kept)).float()) from None
    return (total / (samples * kept)).float()

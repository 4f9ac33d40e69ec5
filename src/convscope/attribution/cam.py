"""Class activation maps: the channels of a layer, weighted by how much an objective depends on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP, Tap


@dataclass(frozen=True)
class Cam:
    """Maps of one picture for several objectives. maps: `k h w`, the layer's resolution, unscaled. values: `k`."""

    objectives: tuple[Objective, ...]
    maps: Float[Tensor, "k h w"]
    values: Float[Tensor, " k"]
    scores: Float[Tensor, "1 classes"] | None


Choose = Callable[[Recording], Sequence[Objective]]
"""Objectives (bound) that are chosen when the scores are known, such as the classes guessed first."""


@torch.inference_mode(False)
def grad_cam(
    net: Network,
    image: Float[Tensor, "1 c h w"],
    objectives: Sequence[Objective] | Choose,
    layer: str,
    *,
    signed: bool = False,
) -> Cam:
    """Grad-CAM of one picture: one forward pass, and for each objective the way back to `layer` and no further.

    For feature maps A_k and an objective y: alpha_k is the mean over positions of dy/dA_k, and the map is
    ReLU(sum_k alpha_k A_k); signed keeps what speaks against the objective as well.

    Raises InputError where the layer has no positions, or where the objective does not depend on it.

    Source: Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.
    """
    found = net.layer(layer)
    if not found.is_map:
        raise InputError(
            f"the layer {layer!r} has no positions (its output is {'x'.join(map(str, found.shape))}); choose one with "
            f"a map, such as {net.recommended_layer().name!r}"
        )
    tap = Tap(layer)
    chosen_later = callable(objectives)
    needed = {tap, SCORES_TAP} if chosen_later else {tap}
    if not callable(objectives):
        needed |= {need for objective in objectives for need in objective.taps()}
    recording = record(net, image, sorted(needed), gradients=True)
    bound = tuple(objectives(recording) if callable(objectives) else objectives)
    activations = recording[tap].detach()
    maps, values = [], []
    with torch.enable_grad():
        for objective in bound:
            value = objective.value(recording)
            gradient = recording.gradients(value, [tap]).get(tap)
            if gradient is None:
                raise InputError(f"{objective} does not depend on the layer {layer!r}: choose an earlier layer")
            weights = gradient.mean((2, 3), keepdim=True)
            maps.append((weights * activations).sum(1)[0])
            values.append(value.detach())
    stacked = torch.stack(maps)
    scores = recording.scores.detach() if SCORES_TAP in recording else None
    return Cam(bound, stacked if signed else stacked.relu(), torch.cat(values), scores)


def enlarge(maps: Float[Tensor, "k h w"], size: tuple[int, int]) -> Float[Tensor, "k hh ww"]:
    """Maps at the picture's size, interpolated so that each cell's centre stays over the part it stands for."""
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]

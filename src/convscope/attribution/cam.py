"""Class activation maps: the channels of a layer, weighted by how much an objective depends on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.chosen import EVERY, Chosen, only
from convscope.errors import InputError, NotFiniteError
from convscope.models.layers import Layer
from convscope.models.network import Network
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP, Tap


@dataclass(frozen=True)
class Cam:
    """Maps of one picture for several objectives. maps: `k h w`, the layer's resolution, unscaled. values: `k`.
    channels: for each objective those that its map is made of, where not all were wanted."""

    objectives: tuple[Objective, ...]
    maps: Float[Tensor, "k h w"]
    values: Float[Tensor, " k"]
    scores: Float[Tensor, "1 classes"] | None
    channels: tuple[tuple[int, ...], ...] = ()


Kind = Literal["grad_cam", "grad_cam_pp", "layer_cam", "hires_cam"]
Choose = Callable[[Recording], Sequence[Objective]]
"""Objectives (bound) that are chosen when the scores are known, such as the classes guessed first."""


@torch.inference_mode(False)
def gradient_cam(
    net: Network,
    image: Float[Tensor, "1 c h w"],
    objectives: Sequence[Objective] | Choose,
    layer: str,
    *,
    kind: Kind = "grad_cam",
    signed: bool = False,
    chosen: Chosen = EVERY,
) -> Cam:
    """A class activation map of one picture: one forward pass, and for each objective the way back to `layer` and no
    further.

    For feature maps A_k, an objective y and its gradient G_k = dy/dA_k the map is ReLU of a sum over channels k:
    grad_cam: mean(G_k) A_k. grad_cam_pp: sum over positions (weighed by G_k^2 / (2 G_k^2 + sum(A_k) G_k^3)) of
    ReLU(G_k), times A_k. layer_cam: ReLU(G_k) A_k. hires_cam: G_k A_k. signed: without that last ReLU, so that what
    speaks against the objective stays. chosen: which channels the sum is over.

    Raises InputError where the layer has no positions, or where the objective does not depend on it.

    Source: Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2; Chattopadhyay et al., "Grad-CAM++" (2018),
    equations 5 and 19; Jiang et al., "LayerCAM" (2021), equations 4 to 6; Draelos and Carin, "HiResCAM" (2020).
    """
    check_map(net, layer)
    tap = Tap(layer)
    needed = {tap, SCORES_TAP} if callable(objectives) else {tap}
    if not callable(objectives):
        needed |= {need for objective in objectives for need in objective.taps()}
    recording = record(net, image, sorted(needed), gradients=True)
    bound = tuple(objectives(recording) if callable(objectives) else objectives)
    activations = recording[tap].detach()
    check_activations(activations, layer)
    maps, values, channels = [], [], []
    with torch.enable_grad():
        for objective in bound:
            value = objective.value(recording)
            gradient = recording.gradients(value, [tap]).get(tap)
            if gradient is None:
                raise no_gradient(net, image, objective, tap)
            check_finite(gradient, objective)
            weights = _weights(kind, activations, gradient)
            if not chosen.everything:
                channels.append(tuple(chosen.of(activations, weights, signed, layer)))
                weights = only(weights, list(channels[-1]))
            maps.append((weights * activations).sum(1)[0])
            values.append(value.detach())
    stacked = torch.stack(maps)
    scores = recording.scores.detach() if SCORES_TAP in recording else None
    return Cam(bound, stacked if signed else stacked.relu(), torch.cat(values), scores, tuple(channels))


def check_activations(activations: Tensor, layer: str) -> None:
    """Raises NotFiniteError where a layer gives infinite values, or none."""
    if not bool(torch.isfinite(activations).all()):
        raise NotFiniteError(f"the layer {layer!r} gives values that are not finite (NaN or infinite)")


def check_map(net: Network, layer: str) -> None:
    """Raises InputError where a layer has no positions."""
    found = net.layer(layer)
    if not found.is_map:
        raise InputError(
            f"the layer {layer!r} has no positions (its output is {'x'.join(map(str, found.shape))}); choose one with "
            f"a map, such as {net.recommended_layer().name!r}"
        )


def _weights(kind: Kind, activations: Tensor, gradient: Tensor) -> Tensor:
    """What each activation counts, by channel or by position."""
    match kind:
        case "hires_cam":
            return gradient
        case "layer_cam":
            return F.relu(gradient)
        case "grad_cam_pp":
            squares = gradient.square()
            below = 2 * squares + activations.sum((2, 3), keepdim=True) * squares * gradient
            share = torch.where(gradient != 0, squares / torch.where(below == 0, 1.0, below), 0.0)
            weights: Tensor = (share * gradient.relu()).sum((2, 3), keepdim=True)
            return weights
        case _:
            return gradient.mean((2, 3), keepdim=True)


def eigen_cam(activations: Float[Tensor, "1 c h w"]) -> Float[Tensor, "h w"]:
    """The first principal component of a layer's activations over positions: where the layer answers, to whatever.

    Zero is what the layer answers in the mean; the sign is chosen so that it grows with the activations' length.

    Source: Muhammad and Yeasin, "Eigen-CAM" (2020). Departs from it in that the mean over positions is taken off first,
    as the usual programs do: otherwise the component is much like that mean everywhere.
    """
    channels, height, width = activations.shape[1:]
    rows = activations[0].reshape(channels, -1).T.double()
    centred = rows - rows.mean(0)
    along = centred @ torch.linalg.svd(centred, full_matrices=False)[2][0]
    length = rows.norm(dim=1)
    sign = -1.0 if float(((along - along.mean()) * (length - length.mean())).sum()) < 0 else 1.0
    found: Tensor = (sign * along).view(height, width)
    return found.to(activations.dtype)


def enlarge(
    maps: Float[Tensor, "k h w"], size: tuple[int, int], layer: Layer | None = None
) -> Float[Tensor, "k hh ww"]:
    """Maps at the picture's size, interpolated linearly between the centres of what the cells see.

    layer: the layer that the maps are of, which says where these centres lie (Layer.centre); without it, or where they
    are not known, the cells are spread evenly over the picture. Beyond the outermost centres a map goes on as it is
    there.
    """
    if layer is None or layer.centre is None or layer.stride is None:
        return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    down, across = (_between(maps.shape[1 + i], size[i], layer.centre[i], layer.stride[i]).to(maps) for i in (0, 1))
    return down @ maps @ across.T


def _between(cells: int, pixels: int, start: float, stride: float) -> Float[Tensor, "pixels cells"]:
    """How much each cell counts at each pixel, on one axis. start: the pixel at the first cell's centre."""
    at = ((torch.arange(pixels, dtype=torch.float64) - start) / stride).clamp(0, cells - 1)
    return (1 - (at[:, None] - torch.arange(cells, dtype=torch.float64)).abs()).clamp_min(0)

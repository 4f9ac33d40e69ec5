"""Class activation maps: the channels of a layer, weighted by how much an objective depends on them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.channels import EVERY, ChannelChoice, Ranking, check_channels, only
from convscope.attribution.layers import check_activations, check_has_positions, layer_for
from convscope.attribution.method import Attribution, Job, Method
from convscope.errors import InputError
from convscope.images.filters import bilinear
from convscope.models.folding import PLAIN, Folding
from convscope.models.layers import Layer
from convscope.models.network import Network
from convscope.objectives.dependence import check_finite, no_gradient
from convscope.objectives.expression import Objective
from convscope.objectives.units import Logit
from convscope.options import About
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP, Tap

Weighting = Literal["mean", "squares", "positive", "each"]
Choose = Callable[[Recording], Sequence[Objective]]
"""Objectives (bound) that are chosen when the scores are known, such as the classes guessed first."""


@dataclass(frozen=True, kw_only=True)
class LayerMethod(Method):
    """A method that looks at the channels of one layer."""

    layer: Annotated[
        str | None,
        About("the layer to look at", unset="the last with positions that all goes through"),
    ] = None
    signed: Annotated[bool, About("keep what speaks against the target, below zero")] = False

    def resolved(self, net: Network, objective: Objective | None) -> "LayerMethod":
        return replace(self, layer=layer_for(net, objective, self.layer))

    def shown(self, maps: Tensor) -> Tensor:
        """Maps as they are told: without what speaks against the target, unless signed."""
        return maps if self.signed else maps.relu()


@dataclass(frozen=True, kw_only=True)
class ChannelMethod(LayerMethod):
    """A method whose map can be made of some channels of the layer."""

    channels: Annotated[
        Sequence[int] | None, About("the channels that make the map, such as 3,7,10-15", unset="all")
    ] = None
    top: Annotated[int | None, About("only so many channels, the first by their ranking", 1, 1000000)] = None

    def resolved(self, net: Network, objective: Objective | None) -> "ChannelMethod":
        method = replace(self, layer=layer_for(net, objective, self.layer))
        if method.channels is not None:
            check_channels(method.channels, net.layer(str(method.layer)).channels, str(method.layer))
        return method

    @property
    def choice(self) -> ChannelChoice:
        """Which channels it takes."""
        return ChannelChoice(None if self.channels is None else tuple(self.channels), self.top)

    def facts(self, net: Network, channels: Sequence[int]) -> dict[str, Any]:
        """Which channels a map is made of."""
        whole = net.layer(str(self.layer)).channels
        return {"channels": list(channels), "made_of": f"{len(channels)} of {whole} channels"}


@dataclass(frozen=True, kw_only=True)
class GradientCAM(ChannelMethod):
    """A map by gradients at a layer: one forward pass, and one backward pass to the layer and no further."""

    weighting: ClassVar[Weighting]
    batched: ClassVar[bool] = True

    ranking: Annotated[
        Ranking | None,
        About("channels by what they add to the map, their weight, or their activation", unset="contribution"),
    ] = None

    def resolved(self, net: Network, objective: Objective | None) -> "ChannelMethod":
        if self.ranking is not None and self.top is None:
            raise InputError("ranking is for top: give how many channels, such as top=32")
        ranked = self if self.top is None else replace(self, ranking=self.ranking or "contribution")
        return super(GradientCAM, ranked).resolved(net, objective)

    @property
    def choice(self) -> ChannelChoice:
        return replace(super().choice, ranking=self.ranking or "contribution")

    def run(self, job: Job) -> Iterator[Attribution]:
        yield from self.run_batch(job.net, job.picture, [job.objective])

    def run_batch(
        self, net: Network, pictures: Float[Tensor, "n c h w"], objectives: Sequence[Objective | None]
    ) -> list[Attribution]:
        cams = gradient_cam(
            net,
            pictures,
            _guessing(objectives),
            str(self.layer),
            weighting=self.weighting,
            signed=self.signed,
            choice=self.choice,
            folding=net.folding() if len(pictures) > 1 else PLAIN,
        )
        values = cams.values.tolist()
        return [
            Attribution(
                objective,
                values[i],
                cams.maps[i],
                None if cams.scores is None else cams.scores[i : i + 1],
                facts=self.facts(net, cams.channels[i]) if cams.channels else {},
            )
            for i, objective in enumerate(cams.objectives)
        ]


def _guessing(objectives: Sequence[Objective | None]) -> Sequence[Objective] | Choose:
    """The objectives, of which those that are None are the class named first for their picture."""
    given = [objective for objective in objectives if objective is not None]
    if len(given) == len(objectives):
        return given

    def choose(recording: Recording) -> list[Objective]:
        guesses = recording.scores.argmax(1).tolist()
        return [
            Logit(guess) if objective is None else objective
            for guess, objective in zip(guesses, objectives, strict=True)
        ]

    return choose


@dataclass(frozen=True, kw_only=True)
class GradCAM(GradientCAM, name="grad_cam", title="Grad-CAM"):
    """Channels weighted by the mean of their gradient over positions.

    For feature maps A_k and the gradient G_k = dy/dA_k of the objective y the map is ReLU(sum over k of mean(G_k) A_k).

    Source: Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.
    """

    weighting: ClassVar[Weighting] = "mean"
    about: ClassVar[str] = "channels weighted by their mean gradient"
    coarse: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(GradientCAM, name="grad_cam_pp", title="Grad-CAM++"):
    """Channels weighted by a weighted mean of their positive gradients, so that small instances count as large ones.

    The weight of a channel is the sum over positions of a ReLU(G_k), with a = G_k^2 / (2 G_k^2 + sum(A_k) G_k^3).

    Source: Chattopadhyay et al., "Grad-CAM++" (2018), equations 5 and 19.
    """

    weighting: ClassVar[Weighting] = "squares"
    about: ClassVar[str] = "made for several things of one kind"


@dataclass(frozen=True, kw_only=True)
class LayerCAM(GradientCAM, name="layer_cam", title="LayerCAM"):
    """Each activation weighted by its own positive gradient: ReLU(sum over k of ReLU(G_k) A_k).

    Source: Jiang et al., "LayerCAM" (2021), equations 4 to 6.
    """

    weighting: ClassVar[Weighting] = "positive"
    about: ClassVar[str] = "sharp in early layers too"


@dataclass(frozen=True, kw_only=True)
class HiResCAM(GradientCAM, name="hires_cam", title="HiResCAM"):
    """Each activation weighted by its own gradient: ReLU(sum over k of G_k A_k).

    Source: Draelos and Carin, "Use HiResCAM instead of Grad-CAM" (2020).
    """

    weighting: ClassVar[Weighting] = "each"
    about: ClassVar[str] = "what the layer's positions add to the score"


@dataclass(frozen=True)
class Cams:
    """One map for each objective. objectives: `k`. maps: `k h w`, the layer's resolution, unscaled. values: `k`.

    scores: of the classes, for each picture, where they were computed. channels: for each objective those that its map
    is made of, where not all were wanted.
    """

    objectives: tuple[Objective, ...]
    maps: Float[Tensor, "k h w"]
    values: Float[Tensor, " k"]
    scores: Float[Tensor, "n classes"] | None
    channels: tuple[tuple[int, ...], ...] = ()


@torch.inference_mode(False)
def gradient_cam(
    net: Network,
    pictures: Float[Tensor, "n c h w"],
    objectives: Sequence[Objective] | Choose,
    layer: str,
    *,
    weighting: Weighting = "mean",
    signed: bool = False,
    choice: ChannelChoice = EVERY,
    folding: Folding = PLAIN,
) -> Cams:
    """Class activation maps of several objectives on one picture, or of several pictures, each for its own objective.

    One forward pass; on one picture a backward pass to `layer` for each objective, on several one for all.
    weighting: what an activation counts: by its channel's "mean" gradient or Grad-CAM++'s "squares", by its own
    gradient ("each") or what of that is "positive". signed: keep what speaks against the objective. choice: which
    channels the sum is over.

    Raises InputError where the layer has no positions, or where an objective does not depend on it.
    """
    check_has_positions(net, layer)
    tap = Tap(layer)
    needed = {tap, SCORES_TAP} if callable(objectives) else {tap}
    if not callable(objectives):
        needed |= {need for objective in objectives for need in objective.taps()}
    recording = record(net, pictures, sorted(needed), gradients=True, folding=folding)
    bound = tuple(objectives(recording) if callable(objectives) else objectives)
    activations = recording[tap].detach()
    check_activations(activations, layer)
    with torch.enable_grad():
        if len(pictures) > 1:
            values, gradients = _of_a_batch(net, pictures, bound, recording, tap)
            activations_of = [activations[i : i + 1] for i in range(len(bound))]
        else:
            parts = [_of_one(net, pictures, objective, recording, tap) for objective in bound]
            values, gradients = torch.cat([part[0] for part in parts]), [part[1] for part in parts]
            activations_of = [activations] * len(bound)
    maps, channels = [], []
    for activation, gradient in zip(activations_of, gradients, strict=True):
        weights = _weights(weighting, activation, gradient)
        if not choice.everything:
            channels.append(tuple(choice.of(activation, weights, signed, layer)))
            weights = only(weights, list(channels[-1]))
        maps.append((weights * activation).sum(1)[0])
    stacked = torch.stack(maps)
    scores = recording.scores.detach() if SCORES_TAP in recording else None
    return Cams(bound, stacked if signed else stacked.relu(), values, scores, tuple(channels))


def _of_one(
    net: Network, picture: Tensor, objective: Objective, recording: Recording, tap: Tap
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n k h w"]]:
    """The values of one objective, and its gradient at the layer."""
    value = objective.value(recording)
    gradient = recording.gradients(value, [tap]).get(tap)
    if gradient is None:
        raise no_gradient(net, picture, objective, tap)
    check_finite(gradient, objective)
    return value.detach(), gradient


def _of_a_batch(
    net: Network, pictures: Tensor, objectives: Sequence[Objective], recording: Recording, tap: Tap
) -> tuple[Float[Tensor, " n"], list[Float[Tensor, "1 k h w"]]]:
    """The value of each picture's own objective and its gradient at the layer: one backward pass for all."""
    values_of = {objective: objective.value(recording) for objective in dict.fromkeys(objectives)}
    values = torch.stack([values_of[objective][i] for i, objective in enumerate(objectives)])
    gradient = recording.gradients(values, [tap]).get(tap)
    if gradient is None:
        raise no_gradient(net, pictures, objectives[0], tap)
    if not bool(torch.isfinite(gradient).all()):
        for part, objective in zip(gradient, objectives, strict=True):
            check_finite(part, objective)
    return values.detach(), [gradient[i : i + 1] for i in range(len(objectives))]


def _weights(weighting: Weighting, activations: Tensor, gradient: Tensor) -> Tensor:
    """What each activation counts, by channel or by position."""
    match weighting:
        case "each":
            return gradient
        case "positive":
            return F.relu(gradient)
        case "squares":
            squares = gradient.square()
            below = 2 * squares + activations.sum((2, 3), keepdim=True) * squares * gradient
            share = torch.where(gradient != 0, squares / torch.where(below == 0, 1.0, below), 0.0)
            weights: Tensor = (share * gradient.relu()).sum((2, 3), keepdim=True)
            return weights
        case "mean":
            return gradient.mean((2, 3), keepdim=True)


def enlarge(
    maps: Float[Tensor, "k h w"], size: tuple[int, int], layer: Layer | None = None
) -> Float[Tensor, "k hh ww"]:
    """Maps at the picture's size, interpolated linearly between the centres of what the cells see.

    layer: the layer that the maps are of, which says where these centres lie (Layer.centre); without it, or where they
    are not known, the cells are spread evenly over the picture. Beyond the outermost centres a map goes on as it is
    there.
    """
    if layer is None or layer.centre is None or layer.stride is None:
        return bilinear(maps[:, None], size)[:, 0]
    down, across = (_between(maps.shape[1 + i], size[i], layer.centre[i], layer.stride[i]).to(maps) for i in (0, 1))
    return down @ maps @ across.T


def _between(cells: int, pixels: int, start: float, stride: float) -> Float[Tensor, "pixels cells"]:
    """How much each cell counts at each pixel, on one axis. start: the pixel at the first cell's centre."""
    at = ((torch.arange(pixels, dtype=torch.float64) - start) / stride).clamp(0, cells - 1)
    return (1 - (at[:, None] - torch.arange(cells, dtype=torch.float64)).abs()).clamp_min(0)

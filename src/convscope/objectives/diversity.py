"""Several pictures of one target that differ from each other."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.models.network import Network
from convscope.objectives.expression import Objective, number_text
from convscope.objectives.units import named
from convscope.taps.record import Recording
from convscope.taps.tap import Tap


@dataclass(frozen=True)
class Diversity(Objective):
    """An objective, less `weight` times its own size times how alike this picture is to the others of its batch.

    Alikeness is the mean cosine between Gram matrices of a layer's channels: of textures, wherever they are.

    Source: the diversity term of Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017); weighed by
    the objective's size, so that one weight suits all units.
    """

    term: Objective
    layer: str
    weight: float = 1.0

    def taps(self) -> frozenset[Tap]:
        return self.term.taps() | {Tap(self.layer)}

    def inner(self) -> tuple[Objective, ...]:
        return (self.term,)

    def bind(self, net: Network) -> Objective:
        return Diversity(self.term.bind(net), net.layer(self.layer).name, self.weight)

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        value = self.term.value(recording)
        batch, index = recording.batch
        if batch is None:
            return value
        grams = gram(batch[self.layer]).flatten(1)
        grams = grams.view(-1, batch.views, grams.shape[1]).mean(1)
        grams = grams / grams.norm(dim=1, keepdim=True).clamp_min(1e-12)
        others = [i for i in range(len(grams)) if i != index]
        if not others:
            return value
        alike = (grams[others] @ grams[index]).mean()
        pushed: Tensor = value - self.weight * value.detach().abs() * alike
        return pushed

    def text(self) -> str:
        return f"apart({self.term.text()}, {named(self.layer)}, {number_text(self.weight)})"


def gram(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
    """The Gram matrix of the channels: their products, summed over all positions."""
    flat = maps.flatten(2)
    return torch.bmm(flat, flat.transpose(1, 2))

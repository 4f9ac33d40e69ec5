"""Objectives that compare a picture with another: the same features, the same textures."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.objectives.units import named
from convscope.taps.record import Recording
from convscope.taps.tap import Tap


@dataclass(frozen=True)
class OfLayer(Objective):
    """What all have: they read one layer."""

    layer: str

    def taps(self) -> frozenset[Tap]:
        return frozenset({Tap(self.layer)})

    def bind(self, net: Network) -> Objective:
        return replace(self, layer=net.layer(self.layer).name)


@dataclass(frozen=True)
class PhotographMatch(OfLayer):
    """How near a layer's activations are to those of the photograph that the picture began as, through the same
    views: minus the squared distance over the photograph's squared length; 0 is the same.

    Source: the identity term of Hamblin et al., "Feature Accentuation" (2024).
    """

    @property
    def compares(self) -> bool:
        return True

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        original = recording.companion(self.layer)
        if original is None:
            raise InputError("keep() compares with the photograph that a picture began as, and there is none")
        distance = (recording[self.layer] - original).square().flatten(1).sum(1)
        return -recording.per_picture(distance / original.square().flatten(1).sum(1).clamp_min(1e-12))

    def text(self) -> str:
        return f"keep({named(self.layer)})"


@dataclass(frozen=True, eq=False)
class FeatureMatch(OfLayer):
    """How near a layer's activations are to given ones, `1 c h w`: minus the squared distance over the squared length
    of the given ones; 0 is the same.

    Source: Mahendran and Vedaldi, "Understanding deep image representations by inverting them" (CVPR 2015), eq. 2.
    """

    given: Tensor

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        distance = (recording[self.layer] - self.given).square().flatten(1).sum(1)
        return -recording.per_picture(distance / self.given.square().sum().clamp_min(1e-12))

    def text(self) -> str:
        return f"like({named(self.layer)})"


@dataclass(frozen=True, eq=False)
class Caricature(OfLayer):
    """How far a layer's activations go in the direction of given ones, `1 c h w`: their scalar product over the given
    ones' squared length, times the cosine between the two. Above 1 the picture overdoes what the layer saw.

    Source: the caricatures of Olah et al. (Lucid, 2018), with cosine power 1.
    """

    given: Tensor

    def value(self, recording: Recording) -> Float[Tensor, " n"]:
        maps, given = recording[self.layer].flatten(1), self.given.flatten(1)
        product = (maps * given).sum(1)
        length = given.norm().clamp_min(1e-6)
        cosine = product / (maps.norm(dim=1) * length).clamp_min(1e-12)
        return recording.per_picture(product / length.square() * cosine.clamp_min(0.1))

    def text(self) -> str:
        return f"caricature({named(self.layer)})"

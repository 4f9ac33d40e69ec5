"""Pictures whose activations at a layer match those of a photograph, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.objectives.expression import Objective
from convscope.objectives.likeness import Caricature, FeatureMatch
from convscope.objectives.penalties import TotalVariation
from convscope.synthesis.session import Made, Session
from convscope.synthesis.stages import Making
from convscope.taps.record import record


@dataclass(frozen=True)
class Job:
    """One picture: the layer that is inverted, and the weight of total variation against the features' distance."""

    layer: str
    tv_weight: float


@dataclass(frozen=True)
class Inverted:
    """A picture `1 c h w`, finished or not. value: the distance of the features, or how far a caricature goes."""

    picture: Tensor
    value: float


class Inversions:
    """The pictures of one call. photograph: at the network's size. caricature: exaggerate what the layer answers.

    finished: the pictures that are done, in the order of the jobs.
    """

    def __init__(
        self,
        session: Session,
        making: Making,
        photograph: Float[Tensor, "1 c h w"],
        jobs: Sequence[Job],
        *,
        caricature: bool = False,
    ) -> None:
        self.session, self.making, self.photograph, self.jobs = session, making, photograph, jobs
        self.caricature = caricature
        self.finished: list[Inverted] = []
        self._match: Objective | None = None

    def run(self) -> None:
        """Make them all."""
        kind = "caricature" if self.caricature else "inversion"
        for job in self.jobs:
            match = self._match = self._match_of(job.layer)
            objective = match - job.tv_weight * TotalVariation() if job.tv_weight else match
            self.session.restart()
            image = self.session.begin(self.making, start=self.photograph if self.caricature else None)
            made = self.session.make(f"{kind} of {job.layer}", [objective], self.making, image)
            self.finished.append(self._measured(made))

    def so_far(self) -> list[Inverted]:
        """The finished pictures and, where the work was stopped within one, that one as it is."""
        done, made = len(self.finished), self.session.made
        if done < len(self.jobs) and made is not None and self.session.done > done * self.making.total:
            return [*self.finished, self._measured(made)]
        return [*self.finished]

    def told(self) -> str:
        """How far the work is, in words."""
        return f"stopped after {len(self.finished)} of {len(self.jobs)} pictures"

    @torch.no_grad()
    def _match_of(self, layer: str) -> Objective:
        """What the picture's activations are compared with: the photograph's own."""
        activations = record(self.session.net, self.photograph, [layer])[layer].clone()
        return Caricature(layer, activations) if self.caricature else FeatureMatch(layer, activations)

    @torch.no_grad()
    def _measured(self, made: Made) -> Inverted:
        assert self._match is not None
        picture = made.pictures()
        layer = self.jobs[len(self.finished)].layer
        value = float(self._match.value(record(self.session.net, picture, [layer]))[0])
        return Inverted(picture.cpu(), value if self.caricature else -value)

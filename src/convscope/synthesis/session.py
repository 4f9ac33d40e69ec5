"""A session: the makings of one call, carried out step by step; watched, filmed, and kept as far as they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from convscope.models.network import Network
from convscope.progress import Progress, Watch
from convscope.synthesis.frames import Frames
from convscope.synthesis.images import Image
from convscope.synthesis.stages import Making, Moment, Objectives, begun, make

LAST = 8
"""Steps over whose values a mean is told: single ones jump with the crops."""


@dataclass
class Made:
    """Pictures, as far as they are made. steps: how many were done. values: those of the last few steps, each `(n,)`.

    moved, ruled: of which pictures any gradient arrived, and which got one through what blocks it.
    """

    image: Image
    moved: Bool[Tensor, " n"]
    ruled: Bool[Tensor, " n"]
    steps: int = 0
    values: list[Tensor] = field(default_factory=list)

    def note(self, moment: Moment) -> None:
        """A step is done."""
        self.image, self.steps = moment.image, moment.done
        self.moved, self.ruled = self.moved | moment.step.moved, self.ruled | moment.step.ruled
        self.values = [*self.values[1 - LAST :], moment.step.values.detach().cpu()]

    @torch.no_grad()
    def pictures(self) -> Float[Tensor, "n c h w"]:
        """The pictures as they are now."""
        pictures: Tensor = self.image()
        return pictures.detach()

    @property
    def value(self) -> float:
        """The value of the first picture at the last step."""
        return float(self.values[-1][0])

    @property
    def means(self) -> list[float]:
        """The mean value of each picture over the last steps."""
        means: list[float] = torch.stack(self.values).mean(0).tolist()
        return means


class Session:
    """The makings of one call.

    seed: of all that is random. total: the steps of all makings, for progress; may be corrected as work goes on.
    frames: which steps are kept as frames; None for none. done: steps by now. made: the making at hand, or the last.
    """

    def __init__(self, net: Network, seed: int, watch: Watch, *, total: int = 0, frames: Frames | None = None) -> None:
        self.net, self.seed, self.watch, self.total, self.frames = net, seed, watch, total, frames
        self.done = 0
        self.made: Made | None = None
        self.restart()

    def restart(self) -> None:
        """Randomness begins anew, so that what follows does not depend on what was made before."""
        self.generator = torch.Generator().manual_seed(self.seed)

    def begin(self, making: Making, count: int = 1, start: Tensor | None = None, *, alike: bool = True) -> Image:
        """The image of a making's first stage: from a start `n c h w`, or from noise."""
        return begun(making, count, self.net.spec.channels, self.generator, start, alike=alike)

    @torch.inference_mode(False)
    def make(
        self,
        what: str,
        objectives: Objectives,
        making: Making,
        image: Image,
        *,
        film: bool = True,
        **how: Any,
    ) -> Made:
        """Carry out a making that begins with `image`. film: whether its steps may be kept as frames. how: as
        `stages.make` takes it. What an interruption leaves is in `made`."""
        count = len(image())
        none = torch.zeros(count, dtype=torch.bool)
        made = self.made = Made(image, none, none)
        frames = self.frames if film else None
        if frames is not None:
            frames.begin(image)
        for moment in make(self.net, objectives, making, image, self.generator, **how):
            made.note(moment)
            if frames is not None:
                frames.see(moment)
            self.done += 1
            told = f"{float(moment.step.values.mean()):.4g}"
            self.watch(Progress(what, self.done, self.total, told, moment.shown))
        if frames is not None:
            frames.end()
        return made

    @property
    def begun(self) -> bool:
        """Whether the making at hand has done a step."""
        return self.made is not None and self.made.steps > 0

    def told(self) -> str:
        """How far it is, in words."""
        return f"stopped after {self.done} of {self.total} steps"


def kept_frames(frames: Frames | None) -> tuple[list[int], Sequence[Any]]:
    """The steps that there are frames of, and these, each `n h w c` in bytes; also of a making that was stopped."""
    if frames is None:
        return [], []
    frames.end()
    return list(frames.kept()), list(frames.arrays().get("frames", ()))

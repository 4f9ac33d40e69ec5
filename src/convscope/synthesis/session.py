"""A session runs the makings of one call step by step: it reports progress, keeps frames, and what a stop leaves."""

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
from convscope.synthesis.stages import Making, Moment, Objectives, run_stages, start_image

LAST = 8
"""Steps over which reported values are averaged: those of single steps jump with the crops."""


@dataclass
class Made:
    """The pictures of one making, finished or not. steps: how many were done. values: of the last few, each `(n,)`.

    moved: which pictures got a gradient. redirected: which got one only past the activations that block it.
    """

    image: Image
    moved: Bool[Tensor, " n"]
    redirected: Bool[Tensor, " n"]
    steps: int = 0
    values: list[Tensor] = field(default_factory=list)

    def note(self, moment: Moment) -> None:
        """Take in a step."""
        self.image, self.steps = moment.image, moment.done
        self.moved, self.redirected = self.moved | moment.step.moved, self.redirected | moment.step.redirected
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

    seed: of all that is random. total: the steps of all makings, for progress; may be corrected on the way.
    frames: which steps are kept as frames; None for none. done: steps so far. made: the current or last making.
    """

    def __init__(self, net: Network, seed: int, watch: Watch, *, total: int = 0, frames: Frames | None = None) -> None:
        self.net, self.seed, self.watch, self.total, self.frames = net, seed, watch, total, frames
        self.done = 0
        self.made: Made | None = None
        self.restart()

    def restart(self) -> None:
        """Seed the generator anew, so that the next making does not depend on those before."""
        self.generator = torch.Generator().manual_seed(self.seed)

    def begin(self, making: Making, count: int = 1, start: Tensor | None = None, *, same_noise: bool = True) -> Image:
        """The image of the first stage: a start `n c h w`, or noise; as `stages.start_image` has it."""
        return start_image(making, count, self.net.spec.channels, self.generator, start, same_noise=same_noise)

    @torch.inference_mode(False)
    def make(
        self,
        what: str,
        objectives: Objectives,
        making: Making,
        image: Image,
        *,
        keep_frames: bool = True,
        **options: Any,
    ) -> Made:
        """Run a making that starts from `image`. what: its name in progress. options: those of `stages.run_stages`.

        When it is interrupted, `made` holds what was done.
        """
        count = len(image())
        none = torch.zeros(count, dtype=torch.bool)
        made = self.made = Made(image, none, none)
        frames = self.frames if keep_frames else None
        if frames is not None:
            frames.begin(image)
        for moment in run_stages(self.net, objectives, making, image, self.generator, **options):
            made.note(moment)
            if frames is not None:
                frames.add(moment)
            self.done += 1
            value = f"value {float(moment.step.values.mean()):.4g}"
            self.watch(Progress(what, self.done, self.total, value, moment.shown))
        if frames is not None:
            frames.end()
        return made

    @property
    def started(self) -> bool:
        """Whether the current making has done a step."""
        return self.made is not None and self.made.steps > 0

    def told(self) -> str:
        """How far the work is, in words."""
        return f"stopped after {self.done} of {self.total} steps"


def kept_frames(frames: Frames | None) -> tuple[list[int], Sequence[Any]]:
    """The steps that frames were kept of, and the frames, each `n h w c` in bytes; also after a stop."""
    if frames is None:
        return [], []
    frames.end()
    return list(frames.kept()), list(frames.arrays().get("frames", ()))

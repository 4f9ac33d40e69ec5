"""A dream: a photograph changed so that a target answers more and more, and an endless zoom into it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.models.network import Network
from convscope.models.usual_layers import middle_layer
from convscope.objectives.expression import Objective
from convscope.objectives.likeness import PhotographMatch
from convscope.objectives.words import in_words
from convscope.progress import Watch
from convscope.synthesis.frames import Frames
from convscope.synthesis.gradients import parse_changes
from convscope.synthesis.measure import measured
from convscope.synthesis.plan import runs_at
from convscope.synthesis.schedule import Size, parse_schedule
from convscope.synthesis.session import Session
from convscope.synthesis.stages import Making
from convscope.synthesis.tiles import Tiles
from convscope.synthesis.transforms import Crops, Transform
from convscope.taps.tap import SCORES_TAP

ZOOM_STEPS, ZOOM_FACTOR = 3, 1.035
"""Of an endless zoom: steps for each frame, and how much larger each is than the last."""


class Dream:
    """One dream, finished or not.

    photograph: at the size of the dream. mask: where, and how much, it may change, `1 1 h w`; None for everywhere.
    options: those of the verb. picture: the dream, once it is finished. deeper: the frames of the zoom, each with its
    step.
    """

    def __init__(
        self,
        net: Network,
        objective: Objective,
        photograph: Float[Tensor, "1 c h w"],
        mask: Float[Tensor, "1 1 h w"] | None,
        options: Mapping[str, Any],
        watch: Watch,
    ) -> None:
        self.net, self.objective, self.photograph, self.mask, self.options = net, objective, photograph, mask, options
        self.hw: Size = (photograph.shape[-2], photograph.shape[-1])
        self.making = Making(
            options["parameterisation"],
            options["optimiser"],
            options["lr"],
            parse_schedule(options["schedule"]).sizes(self.hw),
            options["steps"],
            _transform_at(net, objective, options["tile"]),
            parse_changes(options["gradient"]),
            branches=options["branches"],
        )
        frames = Frames(options["frames"], self.making.total, self.hw)
        total = self.making.total + options["zoom"] * ZOOM_STEPS
        self.session = Session(net, options["seed"], watch, total=total, frames=frames)
        self.picture: Tensor | None = None
        self.deeper: list[tuple[int, Tensor]] = []

    def run(self) -> None:
        """Dream, then zoom into it."""
        self.picture = self._made(self.making, self.photograph, self.mask)
        self._zoom(self.picture)

    def so_far(self) -> Tensor | None:
        """The dream as it is; None before the first step. The zoom is no part of it."""
        if self.picture is not None:
            return self.picture
        made = self.session.made
        return made.pictures() if made is not None and self.session.started else None

    def _made(self, making: Making, start: Tensor, mask: Tensor | None, *, keep_frames: bool = True) -> Tensor:
        image = self.session.begin(making, start=start)
        made = self.session.make(
            f"dream of {in_words(self.net, self.objective)}",
            [self._with_keep],
            making,
            image,
            keep_frames=keep_frames,
            photograph=start,
            mask=mask,
            folding=self.net.folding(),
        )
        return made.pictures()

    @cached_property
    def _with_keep(self) -> Objective:
        """The target plus a term that keeps the photograph's features, weighted by the target's size on it."""
        keep = float(self.options["keep"])
        if not keep:
            return self.objective
        # by the target's own size on the photograph, so that one weight suits all targets
        scale = max(1e-6, abs(float(measured(self.net, self.objective, self.photograph)[0])))
        middle = middle_layer(self.net.layers())
        return self.objective if middle is None else self.objective + keep * scale * PhotographMatch(middle)

    def _zoom(self, picture: Tensor) -> None:
        """Each frame is the last one enlarged a little and dreamt on; the photograph to keep is then that frame."""
        making = replace(self.making, sizes=[self.hw], steps=ZOOM_STEPS)
        mask = self.mask
        for number in range(1, self.options["zoom"] + 1):
            picture = _enlarged(picture, ZOOM_FACTOR)
            mask = None if mask is None else _enlarged(mask, ZOOM_FACTOR)
            picture = self._made(making, picture, mask, keep_frames=False)
            frame = (picture * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
            self.deeper.append((self.making.total + number * ZOOM_STEPS, frame))


def _transform_at(net: Network, objective: Objective, tile: int) -> Callable[[Size], Transform]:
    """The transform of each stage: crops of the whole for a class, tiles for layers and channels."""
    transform: Transform = Tiles(tile)
    if SCORES_TAP in objective.taps():
        transform = Crops(views=4, size=runs_at(net, [SCORES_TAP], (160, 160)), noise=0.02)
    return lambda _: transform


@torch.no_grad()
def _enlarged(picture: Tensor, factor: float) -> Tensor:
    """The middle of a picture, enlarged to its size."""
    height, width = picture.shape[-2:]
    inner_h, inner_w = round(height / factor), round(width / factor)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    middle = picture[:, :, top : top + inner_h, left : left + inner_w]
    return F.interpolate(middle, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)

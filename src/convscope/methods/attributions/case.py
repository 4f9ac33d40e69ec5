"""What every method of explain is given, and what it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.gradients import asked
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.progress import Progress, Watch
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP


@dataclass
class Case:
    """What is explained: a picture `1 c h w`, an objective (none for the first guess), and the method's options."""

    net: Network
    picture: Tensor
    objective: Objective | None
    options: Mapping[str, Any]
    baseline: Tensor | None
    watch: Watch
    what: str
    generator: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(int(self.options.get("seed") or 0))

    @property
    def layer(self) -> str:
        """The layer that was asked for, or the one recommended."""
        return self.options["layer"] or self.net.recommended_layer().name

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.shape[-2], self.picture.shape[-1]

    def seen(self, total: int, told: str = "") -> Callable[[int], None]:
        """What to call when so many of a total are done."""
        return lambda done: self.watch(Progress(self.what, done, max(done, total), told))

    def settled(self) -> tuple[Objective, Tensor | None]:
        """The objective, for which the picture is looked at once if it is the first guess; and the class scores."""
        if self.objective is not None and SCORES_TAP not in self.objective.taps():
            return self.objective, None
        with torch.no_grad():
            recording = record(self.net, self.picture, [SCORES_TAP])
        return asked(self.objective, recording), recording.scores


@dataclass(frozen=True)
class Found:
    """What a method found. map: `h w`, of the picture's size or coarser, unscaled. coarse: where it is not the map.
    attribution: by channel of the picture, `c h w`, where there is such. scores: of the classes, where seen."""

    objective: Objective
    value: float
    map: Tensor
    scores: Tensor | None
    coarse: np.ndarray | None = None
    attribution: Tensor | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """One way to explain. takes: its options and their defaults. caveat: what a reader of any of its maps must know.

    look: how its maps are shown, as results/heatmap.py says. targeted: whether a target makes a difference. adds_up:
    whether its attribution, summed, is meant to be the target's value less that on the neutral colour. check: raises
    InputError, before any work, for options that cannot be.
    """

    title: str
    run: Callable[[Case], Found]
    takes: Mapping[str, Any]
    about: str
    caveat: str = ""
    look: Literal["region", "fine", "coloured"] = "region"
    targeted: bool = True
    adds_up: bool = False
    check: Callable[[Network, Mapping[str, Any]], None] = field(default=lambda net, options: None)

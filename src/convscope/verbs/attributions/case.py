"""What every method of explain is given, and what it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.gradients import asked
from convscope.errors import InputError
from convscope.models.choose import Recommended
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.progress import Progress, Watch
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP


@dataclass
class Case:
    """What is explained: a picture `1 c h w`, an objective (none for the first guess), and the method's options.

    recommended: the layer to look at where the options name none; None for methods that look at none.
    """

    net: Network
    picture: Tensor
    objective: Objective | None
    options: Mapping[str, Any]
    baseline: Tensor | None
    watch: Watch
    what: str
    recommended: Recommended | None = None
    generator: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(int(self.options.get("seed") or 0))

    @property
    def layer(self) -> str:
        """The layer that was asked for, or the one recommended."""
        return layer_at(self.options, self.recommended)

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.shape[-2], self.picture.shape[-1]

    def seen(self, total: int, told: str = "") -> Callable[[int], None]:
        """What to call when so many of a total are done; the total is 0 where it cannot be known."""
        return lambda done: self.watch(Progress(self.what, done, max(done, total) if total else 0, told))

    def settled(self) -> tuple[Objective, Tensor | None]:
        """The objective, for which the picture is looked at once if it is the first guess; and the class scores."""
        if self.objective is not None and SCORES_TAP not in self.objective.taps():
            return self.objective, None
        with torch.no_grad():
            recording = record(self.net, self.picture, [SCORES_TAP])
        return asked(self.objective, recording), recording.scores


def layer_at(options: Mapping[str, Any], recommended: Recommended | None) -> str:
    """The layer that is looked at."""
    if options.get("layer"):
        return str(options["layer"])
    assert recommended is not None
    return recommended.layer.name


def recommended_for(net: Network, objective: Objective | None) -> Recommended:
    """The layer at which to explain an objective; of one that reads layers alone, a layer before the last of these."""
    whole = net.recommendation()
    if objective is None or SCORES_TAP in objective.taps() or comes_before(net, whole.layer.name, objective):
        return whole
    try:
        return net.recommendation(_read(objective))
    except InputError:
        own = [net.layer(name) for name in _read(objective) if net.layer(name).is_map]
        if not own:
            raise
        return Recommended(own[-1], f"no layer with positions lies before {own[-1].name!r}: the map is its own")


def _read(objective: Objective) -> list[str]:
    return sorted(tap.layer for tap in objective.taps() if tap != SCORES_TAP)


def comes_before(net: Network, layer: str, objective: Objective) -> bool:
    """Whether a layer is completed before the last of those that an objective reads."""
    places = {layer.name: i for i, layer in enumerate(net.layers())}
    return places[layer] < max((places[name] for name in _read(objective) if name in places), default=len(places))


@dataclass(frozen=True)
class Found:
    """What a method found. map: `h w`, of the picture's size or coarser, unscaled. coarse: where it is not the map.
    attribution: by channel of the picture, `c h w`, where there is such. scores: of the classes, where seen. value: of
    the objective; None where there was none to compute. about: what this map tells, where the method's own words would
    not be true of it."""

    objective: Objective
    value: float | None
    map: Tensor
    scores: Tensor | None
    coarse: np.ndarray | None = None
    attribution: Tensor | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class Method:
    """One way to explain. takes: its options and their defaults. caveat: what a reader of any of its maps must know.

    coarse: whether its maps tell no more than the region where the layer's are small. look: how its maps are shown, as
    results/heatmap.py says. targeted: whether a target makes a difference. adds_up: whether its attribution, summed, is
    meant to be the target's value less that on the neutral colour. layer_optional: whether it looks at no layer unless
    one is named. check: raises InputError, before any work, for options that cannot be.
    """

    title: str
    run: Callable[[Case], Found]
    takes: Mapping[str, Any]
    about: str
    coarse: bool = False
    caveat: str = ""
    look: Literal["region", "fine", "coloured"] = "region"
    targeted: bool = True
    adds_up: bool = False
    layer_optional: bool = False
    check: Callable[[Network, Mapping[str, Any]], None] = field(default=lambda net, options: None)

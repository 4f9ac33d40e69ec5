"""Pictures of many targets, batch after batch: those that are looked at alike together, bad ones left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from convscope.errors import NotFiniteError, OutOfMemoryError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.objectives.diversity import Apart
from convscope.objectives.expression import Objective, taps_of
from convscope.synthesis.plan import Plan
from convscope.synthesis.session import Made, Session
from convscope.synthesis.stages import Making
from convscope.synthesis.starts import start_pictures
from convscope.taps.batching import pictures_at_once
from convscope.taps.tap import SCORES_TAP


@dataclass(frozen=True)
class Group:
    """Targets that are looked at alike, and how their pictures are made."""

    objectives: Sequence[Objective]
    plan: Plan
    making: Making


@dataclass(frozen=True)
class Wanted:
    """What the pictures of all targets have in common.

    start: a word of `starts.STARTS`, or the picture to start from. variants: pictures of each target. penalty: taken
    off each.
    """

    start: str | Tensor
    variants: int = 1
    penalty: Objective | None = None


class Batches:
    """The pictures of a call, kept as far as they are: `objectives` and, for each, one of `pictures` and `means`.

    silent: targets whose pictures no gradient reached. ruled: those that got one through what blocks it. skipped: why
    there are no pictures of others. halved: how many were made at once after memory ran out; 0 if it did not.
    """

    def __init__(self, session: Session, wanted: Wanted, caption: Callable[[Objective], str]) -> None:
        self.session, self.wanted, self.caption = session, wanted, caption
        self.objectives: list[Objective] = []
        self.pictures: list[Tensor] = []
        self.means: list[float] = []
        self.silent: list[str] = []
        self.ruled: list[str] = []
        self.skipped: list[str] = []
        self.transforms: list[dict[str, object]] = []
        self.halved = 0
        self._batch: Sequence[Objective] = ()
        self._count = self._before = self._after = 0

    def run(self, groups: Sequence[Group]) -> None:
        """Make the pictures of every group, batch after batch."""
        self._count = sum(len(group.objectives) for group in groups) * self.wanted.variants
        at_once = [self._at_once(group) for group in groups]
        self._after = sum(self._steps(group, many) for group, many in zip(groups, at_once, strict=True))
        for group, many in zip(groups, at_once, strict=True):
            self._after -= self._steps(group, many)
            self._run(group, many)

    def unfinished(self) -> Made | None:
        """The first batch as far as it is, where no picture is finished; it then counts as finished. None before the
        first step, and where there are finished pictures."""
        made = self.session.made
        if self.objectives or not self._batch or made is None or not made.steps:
            return None
        self._keep(made)
        if self.session.frames is not None:
            self.session.frames.end()
        return made

    def _run(self, group: Group, at_once: int) -> None:
        if group.plan.transform.describe() not in self.transforms:
            self.transforms.append(group.plan.transform.describe())
        before, variants, size = len(self.objectives), self.wanted.variants, group.making.sizes[-1]
        left = [objective for objective in group.objectives for _ in range(variants)]
        while rest := left[len(self.objectives) - before :]:
            self.session.done = self._before
            self.session.total = self._before + group.making.total * -(-len(rest) // at_once) + self._after
            try:
                with memory_watched(f"making pictures of {size[0]}x{size[1]}"):
                    self._make(rest[:at_once], group.making)
                self._before += group.making.total
            except NotFiniteError as error:
                self._batch = ()
                if len(rest[:at_once]) == 1 or variants > 1:
                    self.skipped.append(f"no picture of {rest[0]}: {error}")
                    left = [one for one in left if one is not rest[0]]
                else:
                    at_once = 1  # the others of the batch are sound
            except OutOfMemoryError:
                if at_once == 1 or variants > 1:
                    raise
                at_once = min(at_once, len(rest)) // 2 or 1  # a picture of a batch is the picture made alone
                self.halved = at_once

    def _at_once(self, group: Group) -> int:
        """How many pictures of a group are made as one batch."""
        if self.wanted.variants > 1:
            return self.wanted.variants
        if group.making.optimiser == "lbfgs":  # one step length and one curvature, which pictures cannot share
            return 1
        transform = group.plan.transform
        return pictures_at_once(self.session.net, taps_of(group.objectives), transform.looks, group.plan.look_size)

    def _steps(self, group: Group, at_once: int) -> int:
        return group.making.total * -(-len(group.objectives) * self.wanted.variants // at_once)

    def _make(self, batch: Sequence[Objective], making: Making) -> None:
        session, given = self.session, self.wanted.start
        session.restart()
        start: Tensor | None
        if isinstance(given, str):
            start = start_pictures(given, session.net.spec.channels, making.sizes[-1], session.generator)
        else:
            start = given
        image = session.begin(making, len(batch), start, alike=self.wanted.variants == 1)
        self._batch = batch
        what = self.caption(batch[0]) if self._count == 1 else f"{self._count} pictures"
        made = session.make(what, self._pursued(batch), making, image)
        self._keep(made)
        self.means += made.means
        self.silent += [str(one) for one, any_ in zip(batch, made.moved.tolist(), strict=True) if not any_]
        self.ruled += [str(one) for one, any_ in zip(batch, made.ruled.tolist(), strict=True) if any_]

    def _keep(self, made: Made) -> None:
        self.pictures.append(made.pictures())
        self.objectives += self._batch
        self._batch = ()

    def _pursued(self, batch: Sequence[Objective]) -> list[Objective]:
        """What is maximised for each target: it, less the penalty, apart from its variants."""
        pursued = list(batch)
        if self.wanted.variants > 1:
            pursued = [Apart(objective, apart_at(self.session.net, objective)) for objective in pursued]
        penalty = self.wanted.penalty
        return pursued if penalty is None else [objective - penalty for objective in pursued]


def apart_at(net: Network, objective: Objective) -> str:
    """Where variants of a target are held apart: at its own layer, or for classes where positions end."""
    own = sorted(str(tap) for tap in objective.taps() if tap != SCORES_TAP)
    return own[0] if own else net.recommended_layer().name

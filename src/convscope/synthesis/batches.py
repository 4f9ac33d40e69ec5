"""Pictures of many targets, batch after batch: targets that share a plan together, those that fail left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from convscope.errors import NotFiniteError
from convscope.memory import attempted
from convscope.models.network import Network
from convscope.objectives.diversity import Diversity
from convscope.objectives.expression import Objective, taps_of
from convscope.synthesis.plan import Plan
from convscope.synthesis.session import Made, Session
from convscope.synthesis.stages import Making
from convscope.synthesis.starts import start_pictures
from convscope.taps.batching import pictures_at_once
from convscope.taps.tap import SCORES_TAP


@dataclass(frozen=True)
class Group:
    """Targets that share a plan, and how their pictures are made."""

    objectives: Sequence[Objective]
    plan: Plan
    making: Making


@dataclass(frozen=True)
class BatchOptions:
    """What the pictures of all targets have in common.

    start: a name of `starts.STARTS`, or the picture to start from. variants: pictures of each target. penalty:
    subtracted from each objective.
    """

    start: str | Tensor
    variants: int = 1
    penalty: Objective | None = None


class Batches:
    """The pictures of a call that are finished: `objectives`, with the `pictures` and the mean value of each.

    silent: targets whose pictures no gradient reached. redirected: those that got one past what blocks it. skipped:
    why there are no pictures of others. halved: the batch size after memory ran out; 0 if it did not.
    """

    def __init__(self, session: Session, options: BatchOptions, caption: Callable[[Objective], str]) -> None:
        self.session, self.options, self.caption = session, options, caption
        self.objectives: list[Objective] = []
        self.pictures: list[Tensor] = []
        self.means: list[float] = []
        self.silent: list[str] = []
        self.redirected: list[str] = []
        self.skipped: list[str] = []
        self.transforms: list[dict[str, object]] = []
        self.halved = 0
        self._batch: Sequence[Objective] = ()
        self._count = self._before = self._after = 0

    def run(self, groups: Sequence[Group]) -> None:
        """Make the pictures of every group, batch after batch."""
        self._count = sum(len(group.objectives) for group in groups) * self.options.variants
        at_once = [self._at_once(group) for group in groups]
        self._after = sum(self._steps(group, many) for group, many in zip(groups, at_once, strict=True))
        for group, many in zip(groups, at_once, strict=True):
            self._after -= self._steps(group, many)
            self._run(group, many)

    def unfinished(self) -> Made | None:
        """The first batch as it was when the work stopped, where no picture is finished; it then counts as finished.

        None before the first step, and where there are finished pictures.
        """
        made = self.session.made
        if self.objectives or not self._batch or made is None or not made.steps:
            return None
        self._keep(made)
        if self.session.frames is not None:
            self.session.frames.end()
        return made

    def _run(self, group: Group, at_once: int) -> None:
        """Make the pictures of one group.

        `taps.batching.in_batches` does not fit here: this loop also makes a batch with a non-finite value one by one,
        drops the target at fault, never splits the variants of one target, and corrects the total of the progress for
        what is left.
        """
        if group.plan.transform.describe() not in self.transforms:
            self.transforms.append(group.plan.transform.describe())
        before, variants, size = len(self.objectives), self.options.variants, group.making.sizes[-1]
        left = [objective for objective in group.objectives for _ in range(variants)]
        while rest := left[len(self.objectives) - before :]:
            self.session.done = self._before
            self.session.total = self._before + group.making.total * -(-len(rest) // at_once) + self._after
            batch = rest[:at_once]
            least = len(batch) if variants > 1 else 1
            try:
                what = f"making pictures of {size[0]}x{size[1]}"
                now = attempted(partial(self._make, batch, group.making), len(batch), what, least=least)
            except NotFiniteError as error:
                self._batch = ()
                if len(batch) == 1 or variants > 1:
                    self.skipped.append(f"no picture of {rest[0]}: {error}")
                    left = [one for one in left if one is not rest[0]]
                else:
                    at_once = 1  # the others of the batch are sound
            else:
                if now == len(batch):
                    self._before += group.making.total
                else:  # a picture of a batch is the picture made alone
                    at_once = self.halved = now

    def _at_once(self, group: Group) -> int:
        """How many pictures of a group are made as one batch."""
        if self.options.variants > 1:
            return self.options.variants
        if group.making.optimiser == "lbfgs":  # one step length and one curvature, which pictures cannot share
            return 1
        transform = group.plan.transform
        return pictures_at_once(self.session.net, taps_of(group.objectives), transform.views, group.plan.view_size)

    def _steps(self, group: Group, at_once: int) -> int:
        return group.making.total * -(-len(group.objectives) * self.options.variants // at_once)

    def _make(self, batch: Sequence[Objective], making: Making) -> None:
        session, start = self.session, self.options.start
        session.restart()
        first: Tensor | None
        if isinstance(start, str):
            first = start_pictures(start, session.net.spec.channels, making.sizes[-1], session.generator)
        else:
            first = start
        image = session.begin(making, len(batch), first, same_noise=self.options.variants == 1)
        self._batch = batch
        what = self.caption(batch[0]) if self._count == 1 else f"{self._count} pictures"
        made = session.make(what, self._maximised(batch), making, image)
        self._keep(made)
        self.means += made.means
        self.silent += [str(one) for one, any_ in zip(batch, made.moved.tolist(), strict=True) if not any_]
        self.redirected += [str(one) for one, any_ in zip(batch, made.redirected.tolist(), strict=True) if any_]

    def _keep(self, made: Made) -> None:
        self.pictures.append(made.pictures())
        self.objectives += self._batch
        self._batch = ()

    def _maximised(self, batch: Sequence[Objective]) -> list[Objective]:
        """The objective of each picture: the target, less the penalty, with a diversity term between variants."""
        objectives = list(batch)
        if self.options.variants > 1:
            objectives = [Diversity(objective, apart_at(self.session.net, objective)) for objective in objectives]
        penalty = self.options.penalty
        return objectives if penalty is None else [objective - penalty for objective in objectives]


def apart_at(net: Network, objective: Objective) -> str:
    """The layer where variants of a target are held apart: its own; for classes, the last one with positions."""
    own = sorted(str(tap) for tap in objective.taps() if tap != SCORES_TAP)
    return own[0] if own else net.recommended_layer().name

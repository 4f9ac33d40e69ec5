"""Occlusion: how much of a score is lost when a window of the picture is covered, for every position of the window."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from convscope.attribution.fills import check_fill, filled
from convscope.attribution.incremental.coarse_to_fine import Survey, budget_of, survey
from convscope.attribution.method import Attribution, Job, Method
from convscope.attribution.occluder import Occluder, Positions
from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.options import MOST_SEED, About

Size = int | str
"""Pixels of a side, or height and width as text: "24x16"."""


@dataclass(frozen=True, kw_only=True)
class Occlusion(Method, name="occlusion", title="occlusion"):
    """How much of the score is lost when a window is covered: the mean over the positions that cover a pixel.

    Positions are computed coarse to fine, so that the map may be left at any time. Gives, beside the map, `coarse` (the
    loss at each position), `computed` (which were), and for classes `winner` (the class named first; -1 where not
    computed).

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 4.2.
    """

    about: ClassVar[str] = "how much of the score is lost when a window is covered"
    strongest_is_mean: ClassVar[bool] = True
    gives_winners: ClassVar[bool] = True

    signed: Annotated[bool, About("keep what speaks against the target, below zero")] = True
    patch: Annotated[
        Size | None, About("pixels of the window, 16 or height and width as 24x16", unset="an eighth of the side")
    ] = None
    stride: Annotated[Size | None, About("pixels from one position to the next", unset="half a window")] = None
    fill: Annotated[
        Size | float, About("what covers: a number, a colour as 1,0.5,0, grey, mean, blur or noise", was="value")
    ] = "grey"
    share: Annotated[float, About("the share of positions to compute, first where the map varies most", 0.001, 1)] = 1.0
    seed: Annotated[int, About("of the noise that covers", 0, MOST_SEED)] = 0

    def resolved(self, net: Network, objective: Objective | None) -> "Occlusion":
        size = net.spec.hw
        patch = sides(max(1, min(size) // 8) if self.patch is None else self.patch, "patch", size)
        half = max(1, patch[0] // 2), max(1, patch[1] // 2)
        stride = half if self.stride is None else sides(self.stride, "stride", size)
        check_fill(str(self.fill), net.spec.channels, "fill")
        return replace(self, patch=_written(patch), stride=_written(stride))

    def run(self, job: Job) -> Iterator[Attribution]:
        objective = job.settled()[0] if job.objective is None else job.objective
        fill = filled(job.picture, str(self.fill), torch.Generator().manual_seed(self.seed), "fill")
        positions = Positions(job.size, sides(self.patch, "patch", job.size), sides(self.stride, "stride", job.size))
        occluder = Occluder(job.net, job.picture, objective, fill, positions)
        winners = np.full(positions.shape, -1)

        def ask(places: np.ndarray) -> np.ndarray:
            answers = occluder.ask(places)
            winners[places[:, 0], places[:, 1]] = answers.winners
            return occluder.clean - answers.values

        total = budget_of(positions.shape, self.share)
        for known in survey(ask, positions.shape, share=self.share, batch=occluder.at_once):
            done = int(known.computed.sum())
            if known.rough:
                yield self._attribution(
                    occluder, known, winners, f"{done} of {total} positions" if done < total else ""
                )
            job.progress(self.title, done, total, f"{float(np.abs(known.values).max()):.4g}")

    def _attribution(self, occluder: Occluder, known: Survey, winners: np.ndarray, done: str) -> Attribution:
        """The map of what is known by now."""
        positions, computed = occluder.positions, known.computed
        spread = positions.spread(known.values)
        notes = []
        if occluder.dense is not None:
            notes.append(f"each position was computed on the whole picture: {occluder.dense}")
        if not computed.all():
            notes.append(f"{int(computed.sum())} of {computed.size} positions were computed, the rest interpolated")
        if any(stride > patch for stride, patch in zip(positions.stride, positions.patch, strict=True)):
            notes.append(
                "the stride is wider than the window: pixels between two positions are never covered, and read 0"
            )
        arrays = {"computed": computed.astype(np.uint8)}
        facts: dict[str, Any] = {"patch": list(positions.patch), "stride": list(positions.stride)}
        if occluder.scores is not None:
            arrays["winner"] = winners.astype(np.float32)
            named = [int(number) for number in np.unique(winners) if number >= 0]
            facts["winners"] = {str(number): occluder.net.labels.name(number) for number in named}
        return Attribution(
            occluder.objective,
            occluder.clean,
            torch.from_numpy(spread if self.signed else spread.clip(0)).float(),
            occluder.scores,
            coarse=known.values.astype(np.float32),
            arrays=arrays,
            facts=facts | {"evaluations": int(computed.sum())},
            notes=tuple(notes),
            done=done,
        )


def sides(given: Size | None, option: str, most: tuple[int, int]) -> tuple[int, int]:
    """Height and width from a number, or a text such as 24x16. Raises InputError."""
    words = str(given).lower().split("x")
    if not all(word.strip().isdecimal() for word in words) or len(words) > 2:
        raise InputError(f"{option} is {given!r}; expected pixels, such as 16, or height and width as 24x16")
    height, width = int(words[0]), int(words[-1])
    if min(height, width) < 1 or height > most[0] or width > most[1]:
        raise InputError(f"{option} is {given}; expected 1 to the picture's {most[0]}x{most[1]} pixels")
    return height, width


def _written(size: tuple[int, int]) -> Size:
    """A size as an option says it."""
    return size[0] if size[0] == size[1] else f"{size[0]}x{size[1]}"

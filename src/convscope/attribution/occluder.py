"""An objective on a picture with a window covered: computed in part where the network allows, else on the whole."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.incremental.run import Incremental, NotFollowedError
from convscope.errors import NetworkError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.objectives.dependence import unlike
from convscope.objectives.expression import Objective, Scaled, Sum, taps_of
from convscope.taps.batching import images_at_once, in_batches
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP, Tap

AT_ONCE = 64
"""Positions in a batch, at most."""
BUDGET = 300_000_000
"""Bytes that the largest tensor of a batch may take."""
AGREE = 1e-3
"""Relative tolerance between incremental and full results, as a fraction of the largest change."""
ROUNDING = 1e-5
"""What rounding may add to that, as a fraction of the values themselves."""


@dataclass(frozen=True)
class Positions:
    """Where a window goes: `patch` (height, width) at every `stride` of a picture of `size`; the last ones are cut off
    by the edge, so that no pixel is left out but those that a stride wider than the window steps over."""

    size: tuple[int, int]
    patch: tuple[int, int]
    stride: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of positions."""
        rows, columns = (
            min(-(-max(0, side - patch) // stride) + 1, -(-side // stride))
            for side, patch, stride in zip(self.size, self.patch, self.stride, strict=True)
        )
        return rows, columns

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of what is covered at a position."""
        top, left = row * self.stride[0], column * self.stride[1]
        return top, min(top + self.patch[0], self.size[0]), left, min(left + self.patch[1], self.size[1])

    def spread(self, coarse: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "h w"]:
        """For each pixel the mean over the positions that cover it."""
        down, across = (
            _covers(side, patch, stride, count)
            for side, patch, stride, count in zip(self.size, self.patch, self.stride, self.shape, strict=True)
        )
        mean: np.ndarray = (down.T @ coarse @ across) / np.maximum(np.outer(down.sum(0), across.sum(0)), 1)
        return mean


def _covers(side: int, patch: int, stride: int, count: int) -> Float[np.ndarray, "positions pixels"]:
    """1 where a position covers a pixel, on one axis."""
    starts, pixels = stride * np.arange(count)[:, None], np.arange(side)
    return np.asarray(np.logical_and(starts <= pixels, pixels < starts + patch), dtype=float)


@dataclass(frozen=True)
class Answers:
    """For some positions: the objective's values, and the classes named first, -1 where there are none. `(n,)`."""

    values: np.ndarray
    winners: np.ndarray


class Occluder:
    """A network, a picture and an objective, to be asked what covering windows does.

    fill: the picture that shows in the window, `1 c h w`. `clean` is the objective's value on the picture itself,
    `scores` the class scores where the objective needs them. `dense` says why positions are computed on whole pictures,
    where they are: a note for the reader; None where only what the window can change is computed.
    """

    def __init__(
        self,
        net: Network,
        image: Float[Tensor, "1 c h w"],
        objective: Objective,
        fill: Float[Tensor, "1 c h w"],
        positions: Positions,
    ) -> None:
        self.net, self.image, self.objective, self.fill, self.positions = net, image, objective, fill, positions
        self.taps = taps_of([objective])
        self.folding = net.folding()
        self._reads = _reads_pictures(objective)
        self.at_once = images_at_once(net, self.taps, positions.size, AT_ONCE)
        self.dense: str | None = None
        self._run: Incremental | None = None
        self._begin()
        with torch.no_grad(), memory_watched("the picture itself"):
            clean = record(net, image, self.taps, folding=self.folding) if self._run is None else self._run.clean
            self.clean = float(objective.value(clean)[0])
            self.scores = clean.scores if SCORES_TAP in clean else None

    def _begin(self) -> None:
        """Try incremental evaluation; enable it only if two test positions match full forward passes: the centre and a
        corner in one batch, filled with noise, which changes more than any fill."""
        rows, columns = self.positions.shape
        places = np.array([[rows // 2, columns // 2], [rows - 1, columns - 1]])
        noise = unlike(self.image)
        try:
            with memory_watched("the clean activations"):
                run = Incremental(self.net, self.image, self.taps, self.folding)
                self._run = run
                result = self._in_part(places, noise)
                alone = [self._on_whole(place[None], noise) for place in places]
        except (NotFollowedError, NetworkError) as error:
            self._run, self.dense = None, str(error)
        except Exception as error:  # what was taken down for one picture may not hold for several, in any way
            told = next(iter(str(error).splitlines()), type(error).__name__)
            self._run, self.dense = None, f"it cannot be carried out on a batch of parts ({told})"
        else:
            wanted = {tap: torch.cat([one[tap] for one in alone]) for tap in result}
            if all(_agree(result[tap], wanted[tap], run.clean[tap]) for tap in result):
                self.at_once = max(1, min(AT_ONCE, int(BUDGET / (4 * run.largest) * len(places))))
            else:
                self._run, self.dense = None, "parts gave another answer than the whole"

    @torch.no_grad()
    def ask(self, places: np.ndarray) -> Answers:
        """The answers for positions `(n, 2)` by row and column. The batch is halved where memory runs out."""
        values: list[np.ndarray] = []
        winners: list[np.ndarray] = []

        def some(first: int, last: int) -> None:
            here = places[first:last]
            result = self._in_part(here, self.fill) if self._run is not None else self._on_whole(here, self.fill)
            pictures = self._covered(here, self.fill) if self._reads else self.image.expand(len(here), -1, -1, -1)
            values.append(self.objective.value(Recording(self.net, result, pictures)).float().cpu().numpy())
            scores = result.get(SCORES_TAP)
            winners.append(np.full(len(here), -1) if scores is None else scores.argmax(1).cpu().numpy())

        self.at_once = in_batches(len(places), self.at_once, some, "covered pictures")
        return Answers(np.concatenate(values), np.concatenate(winners))

    def _in_part(self, places: np.ndarray, fill: Tensor) -> dict[Tap, Tensor]:
        assert self._run is not None
        height, width = self.positions.size
        ph, pw = min(self.positions.patch[0], height), min(self.positions.patch[1], width)
        boxes = np.array([self.positions.box(row, column) for row, column in places.tolist()])
        tops, lefts = np.minimum(boxes[:, 0], height - ph), np.minimum(boxes[:, 2], width - pw)
        corners = list(zip(tops.tolist(), lefts.tolist(), strict=True))
        patches = torch.stack([fill[0, :, top : top + ph, left : left + pw] for top, left in corners])
        for patch, (top, left), box in zip(patches, corners, boxes.tolist(), strict=True):
            if top != box[0] or left != box[2]:  # cut off by the edge: the rest of the patch is the picture
                covered = patch[:, box[0] - top :, box[2] - left :].clone()
                patch.copy_(self.image[0, :, top : top + ph, left : left + pw])
                patch[:, box[0] - top :, box[2] - left :] = covered
        return self._run(patches, tops, lefts)

    def _on_whole(self, places: np.ndarray, fill: Tensor) -> dict[Tap, Tensor]:
        with torch.no_grad():
            return dict(record(self.net, self._covered(places, fill), self.taps, folding=self.folding))

    def _covered(self, places: np.ndarray, fill: Tensor) -> Float[Tensor, "n c h w"]:
        """The picture with the window at each of the positions."""
        pictures = self.image.repeat(len(places), 1, 1, 1)
        for picture, (row, column) in zip(pictures, places.tolist(), strict=True):
            top, bottom, left, right = self.positions.box(row, column)
            picture[:, top:bottom, left:right] = fill[0, :, top:bottom, left:right]
        return pictures


def _agree(found: Tensor, wanted: Tensor, clean: Tensor) -> bool:
    """Whether what changed against the clean values is what should have."""
    if found.shape != wanted.shape:
        return False
    rounding = max(ROUNDING, 4 * torch.finfo(wanted.dtype).eps) * float(wanted.abs().max())
    most = float((wanted - clean).abs().max())
    return float((found - wanted).abs().max()) <= AGREE * most + rounding


def _reads_pictures(objective: Objective) -> bool:
    if isinstance(objective, Sum):
        return any(_reads_pictures(term) for term in objective.terms)
    return _reads_pictures(objective.term) if isinstance(objective, Scaled) else not objective.taps()

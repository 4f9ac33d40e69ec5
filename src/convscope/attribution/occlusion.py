"""Occlusion: how much of a score is lost when a window of the picture is covered, for every position of the window."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.incremental import Incremental, NotFollowedError
from convscope.errors import NetworkError
from convscope.models.memory import memory_watched
from convscope.models.network import Network
from convscope.objectives.expression import Objective, Scaled, Sum, taps_of
from convscope.taps.batching import in_batches, looks_at_once
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP, Tap

AT_ONCE = 64
"""Positions in a batch, at most."""
BUDGET = 300_000_000
"""Bytes that the largest tensor of a batch may take."""
AGREE = 1e-3
"""How far an incremental score may be from the dense one, in parts of the scores' size, to be believed."""


@dataclass(frozen=True)
class Positions:
    """Where a window goes: `patch` (height, width) at every `stride` of a picture of `size`; the last ones are cut off
    by the edge, so that no pixel is left out."""

    size: tuple[int, int]
    patch: tuple[int, int]
    stride: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of positions."""
        rows, columns = (
            -(-max(0, side - patch) // stride) + 1
            for side, patch, stride in zip(self.size, self.patch, self.stride, strict=True)
        )
        return rows, columns

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of what is covered at a position."""
        top, left = row * self.stride[0], column * self.stride[1]
        return top, min(top + self.patch[0], self.size[0]), left, min(left + self.patch[1], self.size[1])

    def spread(self, coarse: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "h w"]:
        """For each pixel the mean over the positions that cover it."""
        total, times = np.zeros(self.size), np.zeros(self.size)
        for (row, column), value in np.ndenumerate(coarse):
            top, bottom, left, right = self.box(row, column)
            total[top:bottom, left:right] += value
            times[top:bottom, left:right] += 1
        return np.divide(total, times, out=np.zeros(self.size), where=times > 0)


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
        self, net: Network, image: Float[Tensor, "1 c h w"], objective: Objective, fill: Float[Tensor, "1 c h w"],
        positions: Positions, *, exact: bool = True,
    ) -> None:  # fmt: skip
        self.net, self.image, self.objective, self.fill, self.positions = net, image, objective, fill, positions
        self.taps = taps_of([objective])
        self.way = net.quickened()
        self._reads = _reads_pictures(objective)
        self.at_once = looks_at_once(net, self.taps, positions.size, AT_ONCE)
        self.dense: str | None = None if exact else "asked for"
        self._run: Incremental | None = None
        if exact:
            self._begin()
        with torch.no_grad(), memory_watched("the picture itself"):
            clean = record(net, image, self.taps, way=self.way) if self._run is None else self._run.clean
            self.clean = float(objective.value(clean)[0])
            self.scores = clean.scores if SCORES_TAP in clean else None

    def _begin(self) -> None:
        """Look whether positions can be computed in parts, and believe it once one came out as it does on the whole."""
        try:
            with memory_watched("the clean activations"):
                self._run = Incremental(self.net, self.image, self.taps, self.way)
                rows, columns = self.positions.shape
                middle = np.array([[rows // 2, columns // 2]])
                found, wanted = self._in_part(middle), self._on_whole(middle)
                self.at_once = max(1, min(AT_ONCE, int(BUDGET / (4 * self._run.largest))))
        except (NotFollowedError, NetworkError) as error:
            self._run, self.dense = None, str(error)
            return
        for tap, tensor in wanted.items():
            if not torch.allclose(found[tap], tensor, rtol=AGREE, atol=AGREE * float(tensor.abs().max()) + 1e-12):
                self._run, self.dense = None, "parts gave another answer than the whole"
                return

    @torch.no_grad()
    def ask(self, places: np.ndarray) -> Answers:
        """The answers for positions `(n, 2)` by row and column. The batch is halved where memory runs out."""
        values: list[np.ndarray] = []
        winners: list[np.ndarray] = []

        def some(first: int, last: int) -> None:
            here = places[first:last]
            found = self._in_part(here) if self._run is not None else self._on_whole(here)
            pictures = self._covered(here) if self._reads else self.image.expand(len(here), -1, -1, -1)
            values.append(self.objective.value(Recording(self.net, found, pictures)).float().cpu().numpy())
            scores = found.get(SCORES_TAP)
            winners.append(np.full(len(here), -1) if scores is None else scores.argmax(1).cpu().numpy())

        self.at_once = in_batches(len(places), self.at_once, some, "covered pictures")
        return Answers(np.concatenate(values), np.concatenate(winners))

    def _in_part(self, places: np.ndarray) -> dict[Tap, Tensor]:
        assert self._run is not None
        height, width = self.positions.size
        ph, pw = min(self.positions.patch[0], height), min(self.positions.patch[1], width)
        boxes = np.array([self.positions.box(row, column) for row, column in places.tolist()])
        tops, lefts = np.minimum(boxes[:, 0], height - ph), np.minimum(boxes[:, 2], width - pw)
        corners = list(zip(tops.tolist(), lefts.tolist(), strict=True))
        patches = torch.stack([self.fill[0, :, top : top + ph, left : left + pw] for top, left in corners])
        for patch, (top, left), box in zip(patches, corners, boxes.tolist(), strict=True):
            if top != box[0] or left != box[2]:  # cut off by the edge: the rest of the patch is the picture
                covered = patch[:, box[0] - top :, box[2] - left :].clone()
                patch.copy_(self.image[0, :, top : top + ph, left : left + pw])
                patch[:, box[0] - top :, box[2] - left :] = covered
        return self._run(patches, tops, lefts)

    def _on_whole(self, places: np.ndarray) -> dict[Tap, Tensor]:
        with torch.no_grad():
            return dict(record(self.net, self._covered(places), self.taps, way=self.way))

    def _covered(self, places: np.ndarray) -> Float[Tensor, "n c h w"]:
        """The picture with the window at each of the positions."""
        pictures = self.image.repeat(len(places), 1, 1, 1)
        for picture, (row, column) in zip(pictures, places.tolist(), strict=True):
            top, bottom, left, right = self.positions.box(row, column)
            picture[:, top:bottom, left:right] = self.fill[0, :, top:bottom, left:right]
        return pictures


def _reads_pictures(objective: Objective) -> bool:
    if isinstance(objective, Sum):
        return any(_reads_pictures(term) for term in objective.terms)
    return _reads_pictures(objective.term) if isinstance(objective, Scaled) else not objective.taps()

"""Score-CAM: the channels of a layer, weighted by what the objective is on the picture behind each of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.cam import ChannelMethod
from convscope.attribution.layers import check_activations
from convscope.attribution.masking import masked_values
from convscope.attribution.method import Attribution, Job
from convscope.images.filters import bilinear
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(ChannelMethod, name="score_cam", title="Score-CAM"):
    """Channels weighted by the softmax of what the objective is on the picture behind each of them.

    The masks are spread evenly over the picture, as the paper has them.

    Source: Wang et al., "Score-CAM" (2020), equations 3 to 6; the baseline of equation 3 cancels in the softmax.
    """

    about: ClassVar[str] = "without gradients: each channel tried as a mask"

    def run(self, job: Job) -> Iterator[Attribution]:
        layer, objective = str(self.layer), job.settled()[0]
        with torch.no_grad():
            recording = record(job.net, job.picture, dict.fromkeys([*sorted(objective.taps()), layer]))
            value = float(objective.value(recording)[0])
        check_activations(recording[layer], layer)
        channels = self.choice.of(recording[layer], None, self.signed, layer)
        tried = recording[layer][0, channels]
        values: list[Tensor] = []
        for done in masked_values(
            job.net,
            job.picture,
            objective,
            lambda first, last: _masks(tried[first:last], job.size).to(job.picture.dtype),
            len(tried),
            lambda _, batch: values.append(batch),
        ):
            job.progress(self.title, done, len(tried))
        weights = torch.cat(values).softmax(0)
        yield Attribution(
            objective,
            value,
            self.shown((weights[:, None, None] * tried).sum(0)),
            recording.scores if SCORES_TAP in recording else None,
            facts={} if self.choice.everything else self.facts(job.net, channels),
        )


def _masks(channels: Float[Tensor, "n rows columns"], size: tuple[int, int]) -> Float[Tensor, "n 1 h w"]:
    """Channels at the picture's size, each brought to [0,1]."""
    maps = bilinear(channels[:, None].float(), size)
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - low) / (high - low).clamp_min(1e-8)

"""Eigen-CAM: where a layer answers, whatever is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.cam import LayerMethod
from convscope.attribution.layers import check_activations
from convscope.attribution.method import Attribution, Job, first_guess_of
from convscope.objectives.units import LayerL2
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP


@dataclass(frozen=True, kw_only=True)
class EigenCAM(LayerMethod, name="eigen_cam", title="Eigen-CAM"):
    """The first principal component of a layer's activations over positions.

    Source: Muhammad and Yeasin, "Eigen-CAM" (2020). Departs from it in that the mean over positions is taken off first,
    as the usual programs do: otherwise the component is much like that mean everywhere.
    """

    about: ClassVar[str] = "where the layer answers, whatever the target"
    targeted: ClassVar[bool] = False

    def run(self, job: Job) -> Iterator[Attribution]:
        layer = str(self.layer)
        classes = job.net.has_classes
        with torch.no_grad():
            recording = record(job.net, job.picture, [SCORES_TAP, layer] if classes else [layer])
        check_activations(recording[layer], layer)
        heat = self.shown(principal_component(recording[layer]))
        if not classes:
            yield Attribution(LayerL2(layer), None, heat)
            return
        objective = first_guess_of(None, recording)
        yield Attribution(objective, float(objective.value(recording)[0]), heat, recording.scores)


def principal_component(activations: Float[Tensor, "1 c h w"]) -> Float[Tensor, "h w"]:
    """The first principal component over positions of a layer's activations.

    Zero is the layer's mean activation; the sign is chosen so that it grows with the activations' length.
    """
    channels, height, width = activations.shape[1:]
    rows = activations[0].reshape(channels, -1).T.double()
    centred = rows - rows.mean(0)
    along = centred @ torch.linalg.svd(centred, full_matrices=False)[2][0]
    length = rows.norm(dim=1)
    sign = -1.0 if float(((along - along.mean()) * (length - length.mean())).sum()) < 0 else 1.0
    component: Tensor = (sign * along).view(height, width)
    return component.to(activations.dtype)

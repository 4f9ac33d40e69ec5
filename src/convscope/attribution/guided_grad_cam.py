"""Guided Grad-CAM: guided backpropagation where Grad-CAM is hot."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from convscope.attribution.cam import GradCAM, LayerMethod, enlarge
from convscope.attribution.gradients import GUIDED, gradient_of, one_map
from convscope.attribution.method import Attribution, Job
from convscope.taps.rules import guided


@dataclass(frozen=True, kw_only=True)
class GuidedGradCAM(LayerMethod, name="guided_grad_cam", title="guided Grad-CAM", display="coloured"):
    """The guided gradient of each pixel times the Grad-CAM map there.

    Source: Selvaraju et al., "Grad-CAM" (2017), section 3.1.
    """

    about: ClassVar[str] = "fine detail where Grad-CAM is hot"
    caveat: ClassVar[str] = GUIDED

    def run(self, job: Job) -> Iterator[Attribution]:
        (cam,) = GradCAM(layer=self.layer, signed=self.signed).run(job)
        result = gradient_of(job.net, job.picture, cam.objective, rule=guided)
        heat = enlarge(cam.map[None], job.size, job.net.layer(str(self.layer)))
        pixels = result.gradients[0] * heat
        yield replace(
            cam,
            scores=result.scores,
            map=one_map(pixels, signed=self.signed, magnitude=True),
            pixels=pixels,
            notes=(result.note,) if result.note else (),
        )

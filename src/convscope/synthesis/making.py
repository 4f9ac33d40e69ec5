"""From a start to finished pictures: the stages of a schedule, each a run of the ascent loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.synthesis.ascent import Step, ascend
from convscope.synthesis.gradients import Changes
from convscope.synthesis.images import Fourier, Image, Pixels, Raw
from convscope.synthesis.masked import Masked
from convscope.synthesis.optimisers import OptimiserName, optimiser
from convscope.synthesis.phase import Phase
from convscope.synthesis.pyramid import Pyramid
from convscope.synthesis.schedule import Size, resized
from convscope.synthesis.transforms import Transform

ImageKind = Literal["fourier", "pixels", "raw", "phase", "pyramid"]
KINDS: dict[str, Callable[[int, int, Size], Image]] = {
    "fourier": Fourier, "pixels": Pixels, "raw": Raw, "phase": Phase, "pyramid": Pyramid,
}  # fmt: skip
START_NOISE = {"fourier": 0.01, "pixels": 0.05, "raw": 0.02, "phase": 6.3, "pyramid": 0.01}
"""The standard deviation of the parameters where a picture starts from noise."""


@dataclass(frozen=True)
class Making:
    """How pictures are made: the kind of image, what moves it, and the sizes that it goes through.

    sizes: (height, width) of each stage, each of `steps` steps. looks: the transform of a stage, by its size.
    change: what is done to gradients. rule: whether silent units get one through what blocks it.
    """

    image: ImageKind
    optimiser: OptimiserName
    rate: float
    sizes: Sequence[Size]
    steps: int
    looks: Callable[[Size], Transform]
    change: Changes | None = None
    rule: bool = True

    @property
    def total(self) -> int:
        """The steps of all stages."""
        return self.steps * len(self.sizes)


@dataclass(frozen=True)
class Moment:
    """Where a making stands: after `done` steps of all, the last of which was `step`; `image` gives the pictures."""

    done: int
    step: Step
    image: Image

    @torch.no_grad()
    def pictures(self) -> Float[Tensor, "n c h w"]:
        """The pictures as they are now."""
        pictures: Tensor = self.image()
        return pictures.detach()


def begun(
    making: Making,
    count: int,
    channels: int,
    generator: torch.Generator,
    start: Float[Tensor, "n c h w"] | None = None,
    *,
    noise: bool = True,
    alike: bool = True,
) -> Image:
    """The image of the first stage. start: pictures to start from (one for all, or one each); else noise or grey."""
    image = KINDS[making.image](count, channels, making.sizes[0])
    if start is not None:
        image.encode(resized(start, making.sizes[0]).expand(count, -1, -1, -1))
    elif noise:
        image.scatter(START_NOISE[making.image], generator, alike=alike)
    return image


def make(
    net: Network,
    objectives: Sequence[Objective],
    making: Making,
    image: Image,
    generator: torch.Generator,
    *,
    photograph: Float[Tensor, "1 c h w"] | None = None,
    mask: Float[Tensor, "1 1 h w"] | None = None,
    compared: bool = False,
) -> Iterator[Moment]:
    """Carry out all stages, starting from `image`; between two stages the pictures are brought to the next size.

    photograph: what the pictures began as, at the final size. Only what was added to it is then enlarged, so that it
    stays as sharp as it is. mask: where, and how much, the photograph may be changed. compared: whether objectives
    compare with it.
    """
    done = 0
    image = image.to(net.device)
    way = net.quickened()
    for number, size in enumerate(making.sizes):
        at_hand = None if photograph is None else resized(photograph, size).to(net.device)
        if number:
            pictures = _carried(image, size, photograph)
            image = KINDS[making.image](len(pictures), pictures.shape[1], size).to(net.device)
            image.encode(pictures)
        if mask is not None and at_hand is not None:
            image = Masked(image, at_hand, resized(mask, size)).to(net.device)
        for step in ascend(
            net, objectives, image, optimiser(making.optimiser, image, making.rate),
            transform=making.looks(size), steps=making.steps, generator=generator, change=making.change,
            rule=making.rule, way=way, companion=at_hand if compared else None,
        ):  # fmt: skip
            done += 1
            yield Moment(done, step, image)


@torch.no_grad()
def _carried(image: Image, size: Size, photograph: Tensor | None) -> Tensor:
    """The pictures at the next size: of a photograph that was altered, only the alterations are scaled."""
    pictures: Tensor = image().detach()
    if photograph is None:
        return resized(pictures, size)
    before = resized(photograph, (pictures.shape[-2], pictures.shape[-1])).to(pictures.device)
    added = F.interpolate(pictures - before, size, mode="bicubic", align_corners=False)
    return (resized(photograph, size).to(pictures.device) + added).clamp(0, 1)

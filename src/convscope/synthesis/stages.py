"""From a start to finished pictures: the stages of a schedule, each a run of the ascent loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.models.network import Network
from convscope.models.quick import Quick
from convscope.objectives.expression import Objective
from convscope.synthesis.ascent import Beside, Step, ascend
from convscope.synthesis.gradients import Changes
from convscope.synthesis.images import Fourier, Image, Pixels, Raw
from convscope.synthesis.keep_colours import Recoloured
from convscope.synthesis.masked import Masked
from convscope.synthesis.optimisers import OptimiserName, optimiser
from convscope.synthesis.phase import Phase
from convscope.synthesis.pyramid import Pyramid
from convscope.synthesis.schedule import Size, resized
from convscope.synthesis.transforms import Transform

Parameterisation = Literal["fourier", "pixels", "raw", "phase", "pyramid"]
KINDS: dict[str, Callable[[int, int, Size], Image]] = {
    "fourier": Fourier, "pixels": Pixels, "raw": Raw, "phase": Phase, "pyramid": Pyramid,
}  # fmt: skip
START_NOISE = {"fourier": 0.01, "pixels": 0.05, "raw": 0.02, "phase": 6.3, "pyramid": 0.01}
"""The standard deviation of the parameters where a picture starts from noise."""


Objectives = Sequence[Objective] | Callable[[Size], Sequence[Objective]]
"""One for each picture; or what gives them for the size of a stage."""


@dataclass(frozen=True)
class Making:
    """How pictures are made: the kind of image, what moves it, and the sizes that it goes through.

    sizes: (height, width) of each stage, each of `steps` steps. looks: the transform of a stage, by its size.
    change: what is done to gradients. rule: whether silent units get one through what blocks it. magnitudes: for
    "phase", photographs `m c h w` whose Fourier magnitudes the pictures have; 1/f without.
    """

    parameterisation: Parameterisation
    optimiser: OptimiserName
    lr: float
    sizes: Sequence[Size]
    steps: int
    looks: Callable[[Size], Transform]
    change: Changes | None = None
    rule: bool = True
    magnitudes: Float[Tensor, "m c h w"] | None = None

    def image_of(self, count: int, channels: int, size: Size) -> Image:
        """The image that is optimised, blank."""
        if self.parameterisation == "phase" and self.magnitudes is not None:
            return Phase(count, channels, size, resized(self.magnitudes, size))
        return KINDS[self.parameterisation](count, channels, size)

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

    def shown(self) -> np.ndarray:
        """The pictures as they are now, `n h w c` in [0,1]."""
        return as_array(self.pictures())


def as_array(pictures: Float[Tensor, "n c h w"]) -> np.ndarray:
    """Pictures as the results keep them: `n h w c`, by themselves in memory."""
    return pictures.permute(0, 2, 3, 1).float().cpu().numpy().copy()


def begun(
    making: Making,
    count: int,
    channels: int,
    generator: torch.Generator,
    start: Float[Tensor, "n c h w"] | None = None,
    *,
    alike: bool = True,
) -> Image:
    """The image of the first stage. start: pictures to start from (one for all, or one each); else noise.

    alike: whether the pictures have the same noise; if not, they have some of their own whatever the start.
    """
    image = making.image_of(count, channels, making.sizes[0])
    if start is not None:
        image.encode(resized(start, making.sizes[0]).expand(count, -1, -1, -1))
    if start is None or not alike:
        image.scatter(START_NOISE[making.parameterisation], generator, alike=alike)
    return image


def make(
    net: Network,
    objectives: Objectives,
    making: Making,
    image: Image,
    generator: torch.Generator,
    *,
    photograph: Float[Tensor, "1 c h w"] | None = None,
    mask: Float[Tensor, "1 1 h w"] | None = None,
    guides: Float[Tensor, "g 1 h w"] | None = None,
    altered: bool = True,
    recoloured: bool = False,
    way: Quick | None = None,
) -> Iterator[Moment]:
    """Carry out all stages, starting from `image`; between two stages the pictures are brought to the next size.

    objectives: one for each picture; or what gives them for the size of a stage. photograph: what the pictures are
    made of, at the final size; objectives may compare with it. altered: enlarge only what was added to it, so that it
    stays as sharp as it is. mask: where, and how much, it may be changed. recoloured: keep its colours. guides: masks
    that objectives read. way: how to run the network; its quickest unless given.
    """
    done = 0
    image = made = image.to(net.device)
    way = net.quickened() if way is None else way
    for number, size in enumerate(making.sizes):
        at_hand = None if photograph is None else resized(photograph, size).to(net.device)
        if number:
            pictures = _carried(made, size, photograph if altered else None)
            made = making.image_of(len(pictures), pictures.shape[1], size).to(net.device)
            made.encode(pictures)
        image = made  # what is carried on is what was made, before it is laid over the photograph
        if recoloured and at_hand is not None:
            image = Recoloured(image, at_hand).to(net.device)
        if mask is not None and at_hand is not None:
            image = Masked(image, at_hand, resized(mask, size)).to(net.device)
        pursued = objectives(size) if callable(objectives) else objectives
        beside = Beside(
            at_hand if any(objective.compares for objective in pursued) else None,
            None if guides is None else resized(guides, size).expand(-1, net.spec.channels, -1, -1).to(net.device),
        )
        for step in ascend(
            net,
            pursued,
            image,
            optimiser(making.optimiser, image, making.lr),
            transform=making.looks(size),
            steps=making.steps,
            generator=generator,
            change=making.change,
            rule=making.rule,
            way=way,
            beside=beside,
        ):
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

"""From a start image to finished pictures: the stages of a schedule, each a run of the ascent loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.images.filters import resized
from convscope.models.folding import Folding
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.synthesis.ascent import SideInputs, Step, ascend
from convscope.synthesis.gradients import Changes
from convscope.synthesis.images import Fourier, Image, Pixels, Raw
from convscope.synthesis.keep_colours import KeepColours
from convscope.synthesis.masked import Masked
from convscope.synthesis.optimisers import OptimiserName, optimiser
from convscope.synthesis.phase import Phase
from convscope.synthesis.pyramid import Pyramid
from convscope.synthesis.schedule import Size
from convscope.synthesis.transforms import Transform

Parameterisation = Literal["fourier", "pixels", "raw", "phase", "pyramid"]
PARAMETERISATIONS: dict[str, Callable[[int, int, Size], Image]] = {
    "fourier": Fourier,
    "pixels": Pixels,
    "raw": Raw,
    "phase": Phase,
    "pyramid": Pyramid,
}
START_NOISE = {"fourier": 0.01, "pixels": 0.05, "raw": 0.02, "phase": 6.3, "pyramid": 0.01}
"""The standard deviation of the parameters where a picture starts from noise."""
Objectives = Sequence[Objective] | Callable[[Size], Sequence[Objective]]
"""One for each picture; or what gives them for the size of a stage."""


@dataclass(frozen=True)
class Making:
    """How pictures are made: parameterisation, optimiser, and the sizes that they go through.

    sizes: (height, width) of each stage, each of `steps` steps. transform_at: the transform of a stage, by its size.
    change: applied to gradients. redirect: whether the gradient of silent units passes what blocks it, at first.
    magnitudes: for "phase", photographs `m c h w` whose Fourier magnitudes the pictures have; 1/f without.
    branches: how much of the gradient goes back through residual branches.
    """

    parameterisation: Parameterisation
    optimiser: OptimiserName
    lr: float
    sizes: Sequence[Size]
    steps: int
    transform_at: Callable[[Size], Transform]
    change: Changes | None = None
    redirect: bool = True
    magnitudes: Float[Tensor, "m c h w"] | None = None
    branches: float = 1.0

    def image_of(self, count: int, channels: int, size: Size) -> Image:
        """A blank image of the parameterisation."""
        if self.parameterisation == "phase" and self.magnitudes is not None:
            return Phase(count, channels, size, resized(self.magnitudes, size))
        return PARAMETERISATIONS[self.parameterisation](count, channels, size)

    @property
    def total(self) -> int:
        """The steps of all stages."""
        return self.steps * len(self.sizes)


@dataclass(frozen=True)
class Moment:
    """The state after `done` steps over all stages, the last of which was `step`; `image` gives the pictures."""

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
    """Pictures as results keep them: `n h w c`, a copy of their own."""
    return pictures.permute(0, 2, 3, 1).float().cpu().numpy().copy()


def start_image(
    making: Making,
    count: int,
    channels: int,
    generator: torch.Generator,
    start: Float[Tensor, "n c h w"] | None = None,
    *,
    same_noise: bool = True,
) -> Image:
    """The image of the first stage. start: pictures to start from (one for all, or one each); else noise.

    same_noise: use the same initial noise for all pictures. If False, independent noise is added to each, also when
    a start is given.
    """
    image = making.image_of(count, channels, making.sizes[0])
    if start is not None:
        image.encode(resized(start, making.sizes[0]).expand(count, -1, -1, -1))
    if start is None or not same_noise:
        image.add_noise(START_NOISE[making.parameterisation], generator, same=same_noise)
    return image


def run_stages(
    net: Network,
    objectives: Objectives,
    making: Making,
    image: Image,
    generator: torch.Generator,
    *,
    photograph: Float[Tensor, "1 c h w"] | None = None,
    mask: Float[Tensor, "1 1 h w"] | None = None,
    guides: Float[Tensor, "g 1 h w"] | None = None,
    scale_changes: bool = True,
    keep_colours: bool = False,
    folding: Folding | None = None,
) -> Iterator[Moment]:
    """Run all stages, starting from `image`; between two stages the pictures are resized to the next size.

    objectives: one for each picture; or what gives them for the size of a stage. photograph: what the pictures are
    made from, at the final size; objectives may compare with it. scale_changes: resize only the difference from the
    photograph, so that the photograph itself stays sharp. mask: where, and how much, it may be changed.
    keep_colours: of the photograph. guides: masks that objectives read. folding: the batch norms to fold; those
    of the network unless given.
    """
    done = 0
    image = bare = image.to(net.device)
    folding = net.folding() if folding is None else folding
    for number, size in enumerate(making.sizes):
        resized_photograph = None if photograph is None else resized(photograph, size).to(net.device)
        if number:
            pictures = _at_next_size(bare, size, photograph if scale_changes else None)
            bare = making.image_of(len(pictures), pictures.shape[1], size).to(net.device)
            bare.encode(pictures)
        image = bare  # the next stage starts from this one, without mask and colours of the photograph
        if keep_colours and resized_photograph is not None:
            image = KeepColours(image, resized_photograph).to(net.device)
        if mask is not None and resized_photograph is not None:
            image = Masked(image, resized_photograph, resized(mask, size)).to(net.device)
        stage_objectives = objectives(size) if callable(objectives) else objectives
        side = SideInputs(
            resized_photograph if any(objective.compares for objective in stage_objectives) else None,
            None if guides is None else resized(guides, size).expand(-1, net.spec.channels, -1, -1).to(net.device),
        )
        for step in ascend(
            net,
            stage_objectives,
            image,
            optimiser(making.optimiser, image, making.lr),
            transform=making.transform_at(size),
            steps=making.steps,
            generator=generator,
            change=making.change,
            redirect=making.redirect,
            folding=folding,
            side=side,
            branches=making.branches,
        ):
            done += 1
            yield Moment(done, step, image)


@torch.no_grad()
def _at_next_size(image: Image, size: Size, photograph: Tensor | None) -> Tensor:
    """The pictures at the next size; where a photograph is given, only their difference from it is resized."""
    pictures: Tensor = image().detach()
    if photograph is None:
        return resized(pictures, size)
    before = resized(photograph, (pictures.shape[-2], pictures.shape[-1])).to(pictures.device)
    added = F.interpolate(pictures - before, size, mode="bicubic", align_corners=False)
    return (resized(photograph, size).to(pictures.device) + added).clamp(0, 1)

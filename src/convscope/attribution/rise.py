"""RISE: random masks, weighted by the objective on the picture behind each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.masking import masked_values
from convscope.attribution.method import Attribution, Job, Method
from convscope.images.filters import bilinear
from convscope.objectives.units import Logit, Probability
from convscope.options import MOST_SEED, About
from convscope.taps.record import record


@dataclass(frozen=True, kw_only=True)
class RISE(Method, name="rise", title="RISE"):
    """The mean of random masks, weighted by the objective on the picture behind each, over the share that is kept.

    Source: Petsiuk, Das and Saenko, "RISE" (2018), equation 6 and section 3.3.
    """

    about: ClassVar[str] = "the mean score behind random masks that show a pixel"
    asks_probability: ClassVar[bool] = True
    from_lowest: ClassVar[bool] = True

    samples: Annotated[int, About("random masks", 1, 1000000)] = 2000
    grid: Annotated[int, About("cells of a mask's grid, on the picture's short side", 2, 256, was="cells")] = 7
    probability: Annotated[float, About("that a cell shows the picture", 0.01, 0.99, was="kept")] = 0.5
    seed: Annotated[int, About("of the random masks", 0, MOST_SEED)] = 0

    def run(self, job: Job) -> Iterator[Attribution]:
        objective, scores = job.settled()
        if type(objective) is Logit:
            objective = Probability(objective.label)
        with torch.no_grad():
            value = float(objective.value(record(job.net, job.picture, sorted(objective.taps())))[0])
        total, samples = torch.zeros(job.size, dtype=torch.float64), self.samples
        masks = RandomMasks(job.size, samples, self.grid, self.probability, self.seed)

        def take(shown: Tensor, values: Tensor) -> None:
            total.add_((values.view(-1, 1, 1) * shown[:, 0]).sum(0).double().cpu())

        for done in masked_values(
            job.net, job.picture, objective, lambda a, b: masks.some(a, b).to(job.picture.device), samples, take
        ):
            heat = (total / (done * self.probability)).float()
            yield Attribution(
                objective, value, heat, scores, done=f"{done} of {samples} masks" if done < samples else ""
            )
            job.progress(self.title, done, samples)


class RandomMasks:
    """Random masks in [0,1]: a coarse grid of cells, each shown with probability `kept`, enlarged and shifted."""

    def __init__(self, size: tuple[int, int], samples: int, cells: int, kept: float, seed: int) -> None:
        side = min(size)
        self.size, self.kept = size, kept
        self.grid = round(cells * size[0] / side), round(cells * size[1] / side)
        self.cell = -(-size[0] // self.grid[0]), -(-size[1] // self.grid[1])
        self.generator = torch.Generator().manual_seed(seed)
        self.seeds: list[int] = torch.randint(2**62, (samples,), generator=self.generator).tolist()

    def some(self, first: int, last: int) -> Float[Tensor, "n 1 h w"]:
        """Those from a first to a last one; each depends on its number alone, so that batches make no difference."""
        return torch.cat([self._one(seed) for seed in self.seeds[first:last]])

    def _one(self, seed: int) -> Float[Tensor, "1 1 h w"]:
        generator = self.generator.manual_seed(seed)
        coarse = (torch.rand((1, 1, *self.grid), generator=generator) < self.kept).float()
        larger = (self.grid[0] + 1) * self.cell[0], (self.grid[1] + 1) * self.cell[1]
        large = bilinear(coarse, larger)
        down = int(torch.randint(self.cell[0], (), generator=generator))
        right = int(torch.randint(self.cell[1], (), generator=generator))
        return large[:, :, down : down + self.size[0], right : right + self.size[1]]

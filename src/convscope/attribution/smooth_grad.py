"""SmoothGrad: the mean of a gradient method over noisy copies of the picture."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.gradients import AT_ONCE, GradientMethod
from convscope.attribution.method import Attribution, Job, Method, method_of, methods
from convscope.errors import InputError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.options import MOST_SEED, About
from convscope.taps.batching import batches, images_at_once


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Method, name="smooth_grad", title="SmoothGrad", display="fine"):
    """The mean of a gradient method's attribution over copies of the picture with normal noise.

    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise" (2017), section 3.
    """

    about: ClassVar[str] = "the mean over noisy copies"

    of: Annotated[Method | str, About("the gradient method to take the mean of")] = "saliency"
    signed: Annotated[
        bool | None, About("keep what speaks against the target, below zero", unset="false, or as `of` says")
    ] = None
    samples: Annotated[int, About("noisy copies", 1, 1000000)] = 32
    noise: Annotated[
        float, About("the noise's standard deviation, as a share of the picture's own range of values", 0, 10)
    ] = 0.15
    seed: Annotated[int, About("of the noise", 0, MOST_SEED)] = 0

    def resolved(self, net: Network, objective: Objective | None) -> "SmoothGrad":
        inner = self._inner()
        signed = self.signed
        if signed is None:
            signed = inner.signed if isinstance(self.of, Method) else False
        return replace(self, of=replace(inner, signed=signed), signed=signed)

    def _inner(self) -> GradientMethod:
        """The method that is averaged. Raises InputError for one that is no gradient method."""
        inner = self.of if isinstance(self.of, Method) else None
        if inner is None:
            name = str(self.of).split()[0] if str(self.of).split() else ""
            can = [method.name for method in methods() if issubclass(method, GradientMethod)]
            if name not in can:
                raise InputError(f"of is {self.of!r}; smooth_grad takes {', '.join(can)}")
            inner = method_of(str(self.of))
        if not isinstance(inner, GradientMethod):
            raise InputError(f"of is {inner.name!r}; smooth_grad takes gradient methods alone, such as saliency")
        return inner

    def run(self, job: Job) -> Iterator[Attribution]:
        inner, picture = self._inner(), job.picture
        clean = inner.gradient(job.net, picture, job.objective)
        folding = job.net.folding()
        copies = NoisyCopies(picture, self.samples, self.noise, self.seed)
        total = torch.zeros_like(picture)

        def work(first: int, last: int) -> None:
            noisy = copies.some(first, last)
            result = inner.gradient(job.net, noisy, clean.objective, folding)
            total.add_(inner.attributed(job.net, noisy, result).sum(0, keepdim=True))

        at_once = images_at_once(job.net, sorted(clean.objective.taps()), job.size, AT_ONCE)
        for done, _ in batches(self.samples, at_once, work, "noisy copies"):
            told = f"{done} of {self.samples} noisy copies" if done < self.samples else ""
            yield inner.attribution(clean, (total / done)[0], told)
            job.progress(self.title, done, self.samples)


class NoisyCopies:
    """Copies of a picture `1 c h w` with normal noise; each depends on its number alone, so batches do not matter."""

    def __init__(self, picture: Tensor, samples: int, noise: float, seed: int) -> None:
        self.picture = picture
        self.spread = noise * float(picture.max() - picture.min())
        self.generator = torch.Generator().manual_seed(seed)
        self.seeds: list[int] = torch.randint(2**62, (samples,), generator=self.generator).tolist()

    def some(self, first: int, last: int) -> Float[Tensor, "n c h w"]:
        """Those from a first to a last one."""
        return torch.cat([self._one(seed) for seed in self.seeds[first:last]])

    def _one(self, seed: int) -> Float[Tensor, "1 c h w"]:
        drawn = torch.randn(self.picture.shape, generator=self.generator.manual_seed(seed))
        return self.picture + self.spread * drawn.to(self.picture.device)

"""`convscope.visualize`: what a filter, a neuron, a layer or a class looks for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from convscope.errors import InputError, OutOfMemoryError, Stopped
from convscope.methods.calls import check_seed, recipe_of
from convscope.methods.options import MOST_SEED, About
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, open_photograph
from convscope.objectives.expression import Objective
from convscope.objectives.text import ensure_objective, parse_targets
from convscope.objectives.units import Logit, Probability
from convscope.progress import Progress, Watch, unwatched
from convscope.results.pictures import Pictures
from convscope.synthesis.ascent import ascend, evaluate
from convscope.synthesis.batching import pictures_at_once
from convscope.synthesis.images import Fourier, Image, Pixels
from convscope.synthesis.plan import Plan, Views, plan_for
from convscope.synthesis.transforms import Plain
from convscope.taps.tap import SCORES_TAP, Tap

ImageKind = Literal["fourier", "pixels"]
Target = Objective | str | int

EPS = 1e-18
"""Adam's own 1e-8 would stop it on networks whose gradients are tiny, such as untrained ones."""
START_NOISE = {"fourier": 0.01, "pixels": 0.05}


def visualize(
    net: Network,
    target: Target | Sequence[Target],
    *,
    start: Annotated[str | ImageLike | Photograph, About("noise, grey, or a photograph to start from")] = "noise",
    size: Annotated[int | None, About("pixels on the short side; chosen by the target unless given", 16, 4096)] = None,
    steps: Annotated[int, About("steps of the ascent", 1, 100000)] = 96,
    rate: Annotated[float, About("the optimiser's (Adam's) rate", 1e-6, 10)] = 0.05,
    views: Annotated[Views, About("looks taken at the picture in each step; auto goes by the target")] = "auto",
    image: Annotated[ImageKind, About("what is optimised: frequencies or pixels")] = "fourier",
    seed: Annotated[int, About("of all that is random", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Pictures:
    """Pictures that drive targets as high as can be, by gradient ascent on the input.

    target: one target or a list of them, made as one batch: "block3_conv1:0-63" is a sheet of filters,
    "class:zebra" a class, "layer:3@4,5" a neuron, and any sum with penalties: "class:zebra - 0.5*tv()". Each picture
    of a batch is the one that its target would give alone (to rounding).

    views: "crops" looks at four random crops of all scales in each step, which makes pictures that other networks
    recognise too; "wobble" shifts, scales and turns the whole a little, which suits units that see a small part;
    "auto" takes crops for classes and for units that see more than half of the picture.

    Returns `images` (`n h w c` in [0,1]) and `values` (`n`: each objective on the finished picture, without
    transforms). Raises Stopped on Ctrl-C, whose `result` holds what was done.

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017); random crops after Fel et al.,
    "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization" (NeurIPS 2023).
    Departs from both: crops of an unconstrained Fourier image, as those were recognised best by other networks.
    """
    objectives = [objective.bind(net) for objective in _targets(target)]
    _check_numbers(steps, rate, image, views, size, seed)
    plan = plan_for(net, objectives, views, size)
    started = _start(net, start, plan.size)
    options = {
        "target": [str(objective) for objective in objectives],
        "start": start if isinstance(start, str) and started is None else "photograph",
        "size": size, "steps": steps, "rate": rate, "views": views, "image": image, "seed": seed,
    }  # fmt: skip
    maker = _Maker(net, plan, options, started, watch)
    try:
        maker.run(objectives)
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {maker.told()}", maker.result()) from None
    result = maker.result()
    assert result is not None
    return result


def _targets(target: Target | Sequence[Target]) -> list[Objective]:
    given = [target] if isinstance(target, Objective | str | int) else list(target)
    found: list[Objective] = []
    for one in given:
        found += parse_targets(one) if isinstance(one, str) else [ensure_objective(one)]
    if not found:
        raise InputError("no target was given; expected at least one, such as 'class:zebra'")
    return found


def _check_numbers(steps: int, rate: float, image: str, views: str, size: int | None, seed: int) -> None:
    check_seed(seed)
    if steps < 1:
        raise InputError(f"steps is {steps}; expected at least 1")
    if not 0 < rate < float("inf"):
        raise InputError(f"rate is {rate}; expected a number above 0")
    if image not in START_NOISE:
        raise InputError(f"image is {image!r}; expected 'fourier' or 'pixels'")
    if views not in ("auto", "crops", "wobble", "plain"):
        raise InputError(f"views is {views!r}; expected 'auto', 'crops', 'wobble' or 'plain'")
    if size is not None and not 16 <= size <= 4096:
        raise InputError(f"size is {size}; expected 16 to 4096 pixels")


def _start(net: Network, start: Any, size: tuple[int, int]) -> Photograph | None:
    """The photograph to start from, or None for noise or grey."""
    if isinstance(start, str) and start in ("noise", "grey"):
        return None
    if isinstance(start, str) and not Path(start).exists():
        raise InputError(f"start is {start!r}; expected 'noise', 'grey' or the path of a photograph")
    return open_photograph(start, replace(net.spec, size=size))


class _Maker:
    """The pictures of one call, batch after batch, kept as far as they are."""

    def __init__(
        self, net: Network, plan: Plan, options: dict[str, Any], started: Photograph | None, watch: Watch
    ) -> None:
        self.net, self.plan, self.options, self.started, self.watch = net, plan, options, started, watch
        self.objectives: list[Objective] = []
        self.pictures: list[Tensor] = []
        self.blocked: list[str] = []
        self.steps_done = self.halved = 0
        self.batch: tuple[Sequence[Objective], Image] | None = None

    def run(self, objectives: Sequence[Objective]) -> None:
        taps = sorted(frozenset[Tap]().union(*(objective.taps() for objective in objectives)))
        at_once = pictures_at_once(self.net, taps, self.plan.transform.looks, self.plan.look_size)
        steps = self.options["steps"]
        done = 0
        while rest := objectives[len(self.objectives) :]:
            total = done + steps * -(-len(rest) // at_once)
            try:
                self._make(rest[:at_once], done, total)
                done += steps
            except OutOfMemoryError:
                if at_once == 1:
                    raise
                at_once = min(at_once, len(rest)) // 2 or 1  # a picture of a batch is the picture made alone
                self.halved = at_once

    @torch.inference_mode(False)
    def _make(self, batch: Sequence[Objective], done: int, total: int) -> None:
        options = self.options
        generator = torch.Generator().manual_seed(options["seed"])
        image = self._image(len(batch), generator).to(self.net.device)
        optimiser = torch.optim.Adam(image.parameters(), lr=options["rate"], eps=EPS)
        self.batch, self.steps_done = (batch, image), 0
        moved = torch.zeros(len(batch), dtype=torch.bool)
        what = str(batch[0]) if len(batch) == 1 else f"{len(batch)} pictures"
        for step in ascend(
            self.net, batch, image, optimiser,
            transform=self.plan.transform, steps=options["steps"], generator=generator,
        ):  # fmt: skip
            moved |= step.moved
            self.steps_done = step.index + 1
            self.watch(Progress(what, done + self.steps_done, total, f"{float(step.values.mean()):.4g}"))
        self._keep(batch, image)
        self.batch = None
        self.blocked += [str(objective) for objective, any_ in zip(batch, moved.tolist(), strict=True) if not any_]

    def _image(self, count: int, generator: torch.Generator) -> Image:
        kind = Fourier if self.options["image"] == "fourier" else Pixels
        image = kind(count, self.net.spec.channels, self.plan.size)
        if self.started is not None:
            image.encode(self.started.tensor().expand(count, -1, -1, -1))
        elif self.options["start"] == "noise":
            image.scatter(START_NOISE[self.options["image"]], generator)
        return image

    def _keep(self, batch: Sequence[Objective], image: Image) -> None:
        with torch.no_grad():
            self.pictures.append(image().detach())
        self.objectives += batch

    def told(self) -> str:
        """How far it is, in words."""
        if self.objectives:
            return f"{len(self.objectives)} finished pictures"
        return f"step {self.steps_done} of {self.options['steps']}"

    def result(self) -> Pictures | None:
        """What is finished; if nothing is, the first batch as far as it is. None before the first step."""
        options = dict(self.options)
        if not self.objectives:
            if self.batch is None or self.steps_done == 0:
                return None
            self._keep(*self.batch)
            options["steps"] = self.steps_done
        options["target"] = [str(objective) for objective in self.objectives]
        pictures = torch.cat(self.pictures)
        values, probabilities = self._measure(pictures)
        names = [self._caption(objective) for objective in self.objectives]
        notes = tuple(
            f"no gradient ever reached the picture of {text}: the unit was silent throughout, so this is only the start"
            for text in self.blocked
        )
        if self.halved:
            notes += (f"memory ran out: made {self.halved} at a time, which may change the last digits",)
        return Pictures(
            {"images": pictures.permute(0, 2, 3, 1).float().cpu().numpy().copy(), "values": values},
            {"images": ("n", "h", "w", "c"), "values": ("n",)},
            recipe_of("visualize", self.net, options, photograph=self.started, notes=notes),
            {
                "captions": names,
                "probabilities": probabilities,
                "transform": self.plan.transform.describe(),
                "title": f"{self.net.name}: what it looks for",
                "subtitle": f"{len(names)} targets, {options['steps']} steps; below each the value reached",
            },
        )

    def _caption(self, objective: Objective) -> str:
        if isinstance(objective, Logit) and isinstance(objective.label, int):
            return self.net.labels.name(objective.label)
        return str(objective)

    def _measure(self, pictures: Tensor) -> tuple[np.ndarray, list[float | None]]:
        """Each objective on its finished picture, and for classes the probability, as the network sees the picture."""
        values, probabilities = [], []
        for index, objective in enumerate(self.objectives):
            picture = pictures[index : index + 1]
            if SCORES_TAP in objective.taps() or self.net.spec.fixed_size:
                picture = _at_size(picture, self.net.spec.hw)
            asked: list[Objective] = [objective]
            is_class = isinstance(objective, Logit) and not isinstance(objective, Probability)
            if is_class:
                asked.append(Probability(objective.label))  # type: ignore[attr-defined]
            with torch.no_grad():
                repeated = picture.expand(len(asked), -1, -1, -1)
                found = evaluate(self.net, asked, repeated, Plain(), torch.Generator()).tolist()
            values.append(found[0])
            probabilities.append(found[1] if is_class else None)
        return np.asarray(values, dtype=np.float32), probabilities


def _at_size(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(picture.shape[-2:]) == size:
        return picture
    return F.interpolate(picture, size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)

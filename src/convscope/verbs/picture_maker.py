"""The pictures of one call of visualize, batch after batch: kept as far as they are, measured, and told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.errors import NotFiniteError, OutOfMemoryError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.objectives.diversity import Apart
from convscope.objectives.expression import Objective, taps_of
from convscope.objectives.text import parse_target
from convscope.objectives.units import Logit
from convscope.progress import Progress, Watch
from convscope.results.pictures import Pictures
from convscope.synthesis.ascent import RULED_STEPS
from convscope.synthesis.frames import Frames
from convscope.synthesis.images import Image
from convscope.synthesis.making import Making, as_array, begun, make
from convscope.synthesis.measure import Real, reached
from convscope.synthesis.plan import Plan
from convscope.synthesis.starts import start_pictures
from convscope.taps.batching import pictures_at_once
from convscope.taps.tap import SCORES_TAP
from convscope.verbs.calls import counted, recipe_of


@dataclass(frozen=True)
class Group:
    """Targets that are looked at alike, and how their pictures are made."""

    objectives: Sequence[Objective]
    plan: Plan
    making: Making


class PictureMaker:
    """The pictures of one call, batch after batch, kept as far as they are."""

    def __init__(
        self,
        net: Network,
        making: Making,
        options: dict[str, Any],
        started: Photograph | None,
        watch: Watch,
        magnitudes: Sequence[Photograph] = (),
        real: Real | None = None,
    ) -> None:
        self.net, self.making, self.options, self.real = net, making, options, real
        self.size = making.sizes[-1]
        self.transforms: list[dict[str, Any]] = []
        self.started, self.watch, self.magnitudes = started, watch, magnitudes
        self.penalty = parse_target(options["penalty"]).bind(net) if options["penalty"] else None
        self.frames = Frames(options["frames"], making.total, self.size)
        self.objectives: list[Objective] = []
        self.pictures: list[Tensor] = []
        self.seen: list[float] = []
        self.blocked: list[str] = []
        self.ruled: list[str] = []
        self.skipped: list[str] = []
        self.steps_done = self.steps_before = self.steps_after = self.halved = 0
        self.wanted = 0
        self.batch: tuple[Sequence[Objective], Image] | None = None

    def run(self, groups: Sequence[Group]) -> None:
        """Make the pictures of every group, batch after batch."""
        self.wanted = sum(len(group.objectives) for group in groups) * int(self.options["variants"])
        at_once = [self._at_once(group) for group in groups]
        self.steps_after = sum(self._steps(group, many) for group, many in zip(groups, at_once, strict=True))
        for group, many in zip(groups, at_once, strict=True):
            self.steps_after -= self._steps(group, many)
            self._run(group, many)

    def _run(self, group: Group, at_once: int) -> None:
        self.making = group.making
        if group.plan.transform.describe() not in self.transforms:
            self.transforms.append(group.plan.transform.describe())
        variants = self.options["variants"]
        before = len(self.objectives)
        wanted = [objective for objective in group.objectives for _ in range(variants)]
        while rest := wanted[len(self.objectives) - before :]:
            done = self.steps_before
            total = done + self.making.total * -(-len(rest) // at_once) + self.steps_after
            try:
                with memory_watched(f"making pictures of {self.size[0]}x{self.size[1]}"):
                    self._make(rest[:at_once], done, total)
                self.steps_before = done + self.making.total
            except NotFiniteError as error:
                self.batch = None
                if len(rest[:at_once]) == 1 or variants > 1:
                    self.skipped.append(f"no picture of {rest[0]}: {error}")
                    wanted = [one for one in wanted if one is not rest[0]]
                else:
                    at_once = 1  # the others of the batch are sound
            except OutOfMemoryError:
                if at_once == 1 or variants > 1:
                    raise
                at_once = min(at_once, len(rest)) // 2 or 1  # a picture of a batch is the picture made alone
                self.halved = at_once

    def _at_once(self, group: Group) -> int:
        """How many pictures of a group are made as one batch."""
        if self.options["variants"] > 1:
            return int(self.options["variants"])
        if group.making.optimiser == "lbfgs":  # one step length and one curvature, which pictures cannot share
            return 1
        transform = group.plan.transform
        return pictures_at_once(self.net, taps_of(group.objectives), transform.looks, group.plan.look_size)

    def _steps(self, group: Group, at_once: int) -> int:
        count = len(group.objectives) * int(self.options["variants"])
        return group.making.total * -(-count // at_once)

    @torch.inference_mode(False)
    def _make(self, batch: Sequence[Objective], done: int, total: int) -> None:
        options, count = self.options, len(batch)
        generator = torch.Generator().manual_seed(options["seed"])
        start = start_pictures(options["start"], self.net.spec.channels, self.size, generator)
        if self.started is not None:
            start = self.started.tensor()
        alike = options["variants"] == 1
        image = begun(self.making, count, self.net.spec.channels, generator, start, alike=alike)
        self.batch, self.steps_done = (batch, image), 0
        self.frames.begin(image)
        moved, ruled = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.bool)
        what = self._caption(batch[0]) if self.wanted == 1 else f"{self.wanted} pictures"
        values: list[Tensor] = []
        for moment in make(self.net, self._pursued(batch), self.making, image, generator):
            moved, ruled = moved | moment.step.moved, ruled | moment.step.ruled
            values = [*values[-7:], moment.step.values.cpu()]
            self.batch, self.steps_done = (batch, moment.image), moment.done
            self.frames.see(moment)
            told = f"{float(moment.step.values.mean()):.4g}"
            self.watch(Progress(what, done + moment.done, total, told, moment.shown))
        self.frames.end()
        self._keep(*self.batch)
        self.batch = None
        self.seen += torch.stack(values).mean(0).tolist()
        self.blocked += [str(one) for one, any_ in zip(batch, moved.tolist(), strict=True) if not any_]
        self.ruled += [str(one) for one, any_ in zip(batch, ruled.tolist(), strict=True) if any_]

    def _pursued(self, batch: Sequence[Objective]) -> list[Objective]:
        """What is maximised for each target: it, less the penalty, apart from its variants."""
        pursued = list(batch)
        if self.options["variants"] > 1:
            pursued = [Apart(objective, self._layer(objective)) for objective in pursued]
        return [objective - self.penalty for objective in pursued] if self.penalty is not None else pursued

    def _layer(self, objective: Objective) -> str:
        """Where variants of a target are held apart: at its own layer, or for classes where positions end."""
        own = sorted(str(tap) for tap in objective.taps() if tap != SCORES_TAP)
        return own[0] if own else self.net.recommended_layer().name

    def _keep(self, batch: Sequence[Objective], image: Image) -> None:
        with torch.no_grad():
            self.pictures.append(image().detach())
        self.objectives += batch

    def told(self) -> str:
        """How far it is, in words."""
        if self.objectives:
            return f"{len(self.objectives)} finished pictures"
        return f"step {self.steps_done} of {self.making.total}"

    def result(self) -> Pictures | None:
        """What is finished; if nothing is, the first batch as far as it is. None before the first step."""
        options, unfinished = dict(self.options), ""
        if not self.objectives:
            if self.batch is None or self.steps_done == 0:
                return None
            self._keep(*self.batch)
            self.frames.end()
            if len(self.making.sizes) == 1:  # the recipe of what is there
                options["steps"] = self.steps_done
                if self.frames.wanted:
                    options["frames"] = ",".join(map(str, self.frames.kept())) or None
            else:
                unfinished = f"stopped after {self.steps_done} of {self.making.total} steps: replay makes all of them"
        every = self.options["variants"]
        if self.started is not None:
            del options["start"]
        options["target"] = [str(objective) for objective in self.objectives[::every]]
        pictures = torch.cat(self.pictures)
        values, probabilities = reached(self.net, self.objectives, pictures, self.size)
        names = [self._caption(objective) for objective in self.objectives]
        if every > 1:
            names = [f"{name} · {i % every + 1}" for i, name in enumerate(names)]
        return Pictures(
            {"images": as_array(pictures), "values": values, **self.frames.arrays()},
            {"images": ("n", "h", "w", "c"), "values": ("n",), **self.frames.axes()},
            recipe_of(
                "visualize",
                self.net,
                options,
                {
                    "start": self.started,
                    "magnitude": list(self.magnitudes),
                    "real": list(self.real.records) if self.real else [],
                },
                notes=self._notes(unfinished),
                stopped=bool(unfinished),
            ),
            {
                "captions": names,
                "probabilities": probabilities,
                "with_transforms": self.seen,
                "transform": self.transforms[0] if len(self.transforms) == 1 else self.transforms,
                **self._beside_real(values),
                "frames": self.frames.kept(),
                "title": f"{self.net.name}: what it looks for",
                "subtitle": f"{counted(len(names), 'target')}, {self.making.total} steps; below each the value reached",
            },
        )

    def _beside_real(self, values: np.ndarray) -> dict[str, Any]:
        """How the values stand beside those of photographs."""
        if self.real is None:
            return {}
        found = [self.real.values[objective] for objective in self.objectives]
        return {
            "real": len(self.real.records),
            "real_most": [float(seen.max()) for seen in found],
            "real_middle": [float(np.median(seen)) for seen in found],
            "above_real": [float((seen < value).mean()) for seen, value in zip(found, values, strict=True)],
        }

    def _notes(self, unfinished: str) -> tuple[str, ...]:
        notes = [unfinished] if unfinished else []
        notes += [
            f"no gradient ever reached the picture of {text}: the unit was silent throughout, so this is only the start"
            for text in self.blocked
        ]
        notes += [
            f"{text} was silent at the start: in the first {RULED_STEPS} steps its gradient was let through the "
            "activations that blocked it (rule: redirected)"
            for text in self.ruled
            if text not in self.blocked
        ]
        notes += self.skipped
        if self.halved:
            notes.append(f"memory ran out: made {self.halved} at a time, which may change the last digits")
        return tuple(notes)

    def _caption(self, objective: Objective) -> str:
        if isinstance(objective, Logit) and isinstance(objective.label, int):
            return self.net.labels.name(objective.label)
        return str(objective)

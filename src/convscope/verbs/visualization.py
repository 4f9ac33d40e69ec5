"""The result of visualize: the finished pictures of its batches, their values, notes and recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.units import Logit
from convscope.objectives.words import in_words
from convscope.results.heatmap_facts import class_name
from convscope.results.pictures import Pictures
from convscope.synthesis.ascent import REDIRECT_STEPS
from convscope.synthesis.batches import Batches
from convscope.synthesis.measure import Real, reached
from convscope.synthesis.stages import Making, as_array
from convscope.verbs.calls import counted, recipe_of

MOST_NAMED = 8
"""How many targets a note names; of more it tells the number."""


@dataclass(frozen=True)
class Visualization:
    """The result of a call to visualize, whole or unfinished."""

    batches: Batches
    making: Making
    options: Mapping[str, Any]
    started: Photograph | None
    magnitudes: Sequence[Photograph]
    real: Real | None

    def told(self) -> str:
        """How far the work is, in words."""
        if self.batches.objectives:
            return f"stopped after {len(self.batches.objectives)} finished pictures"
        made = self.batches.session.made
        return f"stopped after step {made.steps if made else 0} of {self.making.total}"

    def result(self) -> Pictures | None:
        """The finished pictures; if there are none, the first batch as it is. None before the first step."""
        batches, net = self.batches, self.batches.session.net
        options, unfinished = dict(self.options), ""
        frames = batches.session.frames
        assert frames is not None
        made = batches.unfinished()
        if not batches.objectives:
            return None
        if made is not None and len(self.making.sizes) == 1:  # the recipe makes what is there
            options["steps"] = made.steps
            options["frames"] = ",".join(map(str, frames.kept())) or None
        elif made is not None:
            unfinished = f"stopped after {made.steps} of {self.making.total} steps: replay makes all of them"
        every = options["variants"]
        if self.started is not None:
            del options["start"]  # it is among the inputs
        options["target"] = [str(objective) for objective in batches.objectives[::every]]
        pictures = torch.cat(batches.pictures)
        values, probabilities = reached(net, batches.objectives, pictures, self.making.sizes[-1])
        names = [batches.caption(objective) for objective in batches.objectives]
        names = [f"{name} · {i % every + 1}" if every > 1 else name for i, name in enumerate(names)]
        inputs: dict[str, Any] = {
            "start": self.started,
            "magnitude": list(self.magnitudes),
            "real": self.real.records if self.real else [],
        }
        notes = [*([unfinished] if unfinished else []), *_notes(batches)]
        return Pictures(
            {"images": as_array(pictures), "values": values, **frames.arrays()},
            {"images": ("n", "h", "w", "c"), "values": ("n",), **frames.axes()},
            recipe_of("visualize", net, options, inputs, notes=notes, stopped=bool(unfinished)),
            {
                "captions": names,
                "probabilities": probabilities,
                "with_transforms": batches.means,
                "transform": batches.transforms[0] if len(batches.transforms) == 1 else batches.transforms,
                **(self.real.beside(batches.objectives, values) if self.real else {}),
                "frames": frames.kept(),
                "title": f"{net.name}: what it looks for",
                "subtitle": f"{counted(len(names), 'target')}, {self.making.total} steps; below each the value reached",
            },
        )


def target_caption(net: Network, objective: Objective) -> str:
    """A target as a caption: a class by its name."""
    return class_name(in_words(net, objective)) if isinstance(objective, Logit) else str(objective)


def _pictures_of(texts: Sequence[str]) -> str:
    """One picture, or several in one breath."""
    if len(texts) == 1:
        return f"the picture of {texts[0]}"
    shown = ", ".join(texts[:MOST_NAMED])
    return f"{len(texts)} pictures ({shown}{', …' if len(texts) > MOST_NAMED else ''})"


def _notes(batches: Batches) -> list[str]:
    """What a reader of the pictures has to know."""
    silent = list(batches.silent)
    late = [text for text in batches.redirected if text not in silent]
    notes = []
    if silent:
        notes.append(
            f"no gradient ever reached {_pictures_of(silent)}: silent throughout, so what is shown is only the start"
        )
    if late:
        notes.append(
            f"{_pictures_of(late)}: silent at the start, so in the first {REDIRECT_STEPS} steps the gradient was let "
            "through the activations that blocked it (rule: redirected)"
        )
    notes += batches.skipped
    if batches.halved:
        notes.append(f"memory ran out: made {batches.halved} at a time, which may change the last digits")
    return notes

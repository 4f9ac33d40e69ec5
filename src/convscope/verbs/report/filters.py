"""The part of a report on filters: where a channel answers the photograph, and what it looks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from convscope.inspection.strongest import strongest_channels
from convscope.models.layers import Layer
from convscope.objectives.units import Channel
from convscope.progress import Watch
from convscope.render.page import pixels_uri
from convscope.render.text import figure
from convscope.verbs.report.parts import LONGER, Findings, answers_of, beyond, shape_of, spotlight
from convscope.verbs.visualize import visualize


@dataclass(frozen=True)
class _Made:
    """The picture made for a channel, the mean activation that it reaches, and the steps it took."""

    tile: np.ndarray
    value: float
    steps: int


def filters(findings: Findings, layer: Layer, steps: int, watch: Watch) -> None:
    """The channels of a stage that answer most: the answer, and beside it the picture the channel looks for.

    A picture that reaches less than the photograph gives is made again with more steps, and the better one kept.
    """
    answers, blanks = answers_of(findings, [layer])
    maps = answers[layer.name]
    best = strongest_channels(maps, blanks[layer.name], findings.filters)
    made, notes = _made(findings, layer, best, steps, watch)
    if short := _short(maps, made):
        watch = beyond(watch, ", ".join(f"{layer.name}:{channel}" for channel in short))
        again, _ = _made(findings, layer, short, LONGER * steps, watch)
        made |= {channel: one for channel, one in again.items() if one.value > made[channel].value}
    if short := _short(maps, made):
        told = ", ".join(map(str, short))
        notes.append(
            f"of {told} the made picture reaches less than the photograph, with {LONGER * steps} steps too: take more "
            "--filter-steps"
        )
    units = [_unit(findings, layer, channel, maps[channel], made[channel]) for channel in best if channel in made]
    stage = {"name": layer.name, "shape": shape_of(layer), "steps": steps, "units": units, "notes": notes}
    findings.page["filters"] = [*(findings.page["filters"] or ()), stage]


def _made(
    findings: Findings, layer: Layer, channels: Sequence[int], steps: int, watch: Watch
) -> tuple[dict[int, _Made], list[str]]:
    """The pictures of channels, and notes; a channel of which none can be made is noted and left out."""
    wanted = [Channel(layer.name, channel) for channel in channels]
    result = visualize(findings.net, wanted, steps=steps, seed=findings.seed, watch=watch)
    kept = result.recipe.options["target"]
    there = [channel for channel, target in zip(channels, wanted, strict=True) if str(target) in kept]
    pictures = zip(there, result.tiles(), result.arrays["values"].tolist(), strict=True)
    made = {channel: _Made(tile, value, steps) for channel, tile, value in pictures}
    return made, [note for note in result.notes if note not in findings.net.notes]


def _short(maps: Tensor, made: dict[int, _Made]) -> list[int]:
    """The channels whose made picture reaches less than the photograph gives."""
    return [channel for channel, one in made.items() if one.value < float(maps[channel].mean())]


def _unit(findings: Findings, layer: Layer, channel: int, answer: Tensor, made: _Made) -> dict[str, Any]:
    return {
        "name": f"{layer.name}:{channel}",
        "answer": spotlight(findings, layer, answer),
        "mean": figure(float(answer.mean())),
        "picture": pixels_uri(made.tile, quality=92),
        "reached": figure(made.value),
        "steps": made.steps,
    }

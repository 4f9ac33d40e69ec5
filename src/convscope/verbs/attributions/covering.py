"""Covering parts of the picture, as methods of explain: occlusion and RISE."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from convscope.attribution import masks
from convscope.attribution.fills import check_fill, filled
from convscope.attribution.occlusion import Occluder, Positions
from convscope.attribution.survey import Survey, budget_of, survey
from convscope.errors import InputError, Stopped
from convscope.models.network import Network
from convscope.objectives.units import Logit, Probability
from convscope.progress import Cancel, Progress
from convscope.taps.record import record
from convscope.verbs.attributions.case import Case, Found


def of_rise(case: Case) -> Found:
    options = case.options
    objective, scores = case.settled()
    if type(objective) is Logit:
        objective = Probability(objective.label)
    with torch.no_grad():
        value = float(objective.value(record(case.net, case.picture, sorted(objective.taps())))[0])
    notes: tuple[str, ...] = ()
    stopped: Stopped | None = None
    try:
        found = masks.rise(
            case.net, case.picture, objective, samples=options["samples"], cells=options["cells"],
            kept=options["kept"], generator=case.generator, seen=case.seen(options["samples"]),
        )  # fmt: skip
    except Stopped as error:
        found, stopped = error.result, error  # type: ignore[assignment]
        notes = (f"{error}: replay makes all of them",)
    result = Found(objective, value, found, scores, facts={"from_lowest": True}, notes=notes)
    if stopped is not None:
        raise Stopped(str(stopped), result) from None
    return result


def sides(given: Any, option: str, most: tuple[int, int]) -> tuple[int, int]:
    """Height and width from a number, or a text such as 24x16. Raises InputError."""
    words = str(given).lower().split("x")
    if not all(word.strip().isdecimal() for word in words) or len(words) > 2:
        raise InputError(f"{option} is {given!r}; expected pixels, such as 16, or height and width as 24x16")
    height, width = int(words[0]), int(words[-1])
    if min(height, width) < 1 or height > most[0] or width > most[1]:
        raise InputError(f"{option} is {given}; expected 1 to the picture's {most[0]}x{most[1]} pixels")
    return height, width


def check_occlusion(net: Network, options: Mapping[str, Any]) -> None:
    for option in ("patch", "stride"):
        if options[option] is not None:
            sides(options[option], option, net.spec.hw)
    check_fill(str(options["value"]), net.spec.channels, "value")


def of_occlusion(case: Case) -> Found:
    options = case.options
    objective = case.settled()[0] if case.objective is None else case.objective
    patch = sides(options["patch"] or max(1, min(case.size) // 8), "patch", case.size)
    stride = sides(options["stride"] or f"{max(1, patch[0] // 2)}x{max(1, patch[1] // 2)}", "stride", case.size)
    fill = filled(case.picture, str(options["value"]), case.generator, "value")
    positions = Positions(case.size, patch, stride)
    occluder = Occluder(case.net, case.picture, objective, fill, positions)
    winners = np.full(positions.shape, -1)

    def ask(places: np.ndarray) -> np.ndarray:
        answers = occluder.ask(places)
        winners[places[:, 0], places[:, 1]] = answers.winners
        return occluder.clean - answers.values

    total = budget_of(positions.shape, options["share"])
    known = None
    try:
        for known in survey(ask, positions.shape, share=options["share"], batch=occluder.at_once):
            done = int(known.computed.sum())
            told = f"{float(np.abs(known.values).max()):.4g}"
            case.watch(Progress(case.what, done, max(done, total), told))
    except (KeyboardInterrupt, Cancel):
        if known is None or not known.rough:
            raise
        told = f"stopped after {int(known.computed.sum())} of {total} positions"
        raise Stopped(told, _occluded(case, occluder, known, winners, told)) from None
    assert known is not None
    return _occluded(case, occluder, known, winners)


def _occluded(case: Case, occluder: Occluder, known: Survey, winners: np.ndarray, stopped: str = "") -> Found:
    """The map of occlusion from what is known of it. stopped: that it was, and when."""
    signed, positions, computed = case.options["signed"], occluder.positions, known.computed
    spread = positions.spread(known.values)
    heat = spread if signed else spread.clip(0)
    notes = [f"{stopped}: replay makes all of them"] if stopped else []
    if occluder.dense is not None:
        notes.append(f"each position was computed on the whole picture: {occluder.dense}")
    if not computed.all():
        notes.append(f"{int(computed.sum())} of {computed.size} positions were computed, the rest interpolated")
    if any(stride > patch for stride, patch in zip(positions.stride, positions.patch, strict=True)):
        notes.append("the stride is wider than the window: pixels between two positions are never covered, and read 0")
    arrays = {"computed": computed.astype(np.uint8)}
    facts: dict[str, Any] = {"patch": list(positions.patch), "stride": list(positions.stride)}
    if occluder.scores is not None:
        arrays["winner"] = winners.astype(np.float32)
        named = [int(number) for number in np.unique(winners) if number >= 0]
        facts["winners"] = {str(number): case.net.labels.name(number) for number in named}
    return Found(
        occluder.objective, occluder.clean, torch.from_numpy(heat).float(), occluder.scores,
        coarse=known.values.astype(np.float32), arrays=arrays,
        facts=facts | {"evaluations": int(computed.sum())},
        notes=tuple(notes),
    )  # fmt: skip

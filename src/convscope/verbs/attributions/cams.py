"""Class activation maps, as methods of explain."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from convscope.attribution import masks
from convscope.attribution.cam import Kind, check_activations, check_map, eigen_cam, gradient_cam
from convscope.attribution.chosen import Chosen, check_channels
from convscope.attribution.gradients import asked
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.objectives.units import LayerNorm2
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP
from convscope.verbs.attributions.case import Case, Found, layer_at


def check_cam(net: Network, options: Mapping[str, Any]) -> None:
    layer = layer_at(options, net.recommendation())
    check_map(net, layer)
    if options.get("channels") is not None:
        check_channels(options["channels"], net.layer(layer).channels, layer)


def of_cam(case: Case, kind: Kind) -> Found:
    objective = case.objective
    cam = gradient_cam(
        case.net, case.picture, (lambda recording: [asked(None, recording)]) if objective is None else [objective],
        case.layer, kind=kind, signed=case.options.get("signed", False), chosen=_chosen(case),
    )  # fmt: skip
    facts = _told(case, cam.channels[0]) if cam.channels else {}
    return Found(cam.objectives[0], float(cam.values[0]), cam.maps[0], cam.scores, facts=facts)


def _chosen(case: Case) -> Chosen:
    channels = case.options.get("channels")
    return Chosen(
        None if channels is None else tuple(channels),
        case.options.get("top"),
        case.options.get("ranking") or "contribution",
    )


def _told(case: Case, channels: Sequence[int]) -> dict[str, Any]:
    """Which channels a map is made of."""
    whole = case.net.layer(case.layer).channels
    return {"channels": list(channels), "made_of": f"{len(channels)} of {whole} channels"}


def _activations(case: Case, objective: Objective) -> tuple[Tensor, float, Tensor | None]:
    check_map(case.net, case.layer)
    taps = dict.fromkeys([*sorted(objective.taps()), *([SCORES_TAP] if _has_scores(objective) else [])])
    with torch.no_grad():
        recording = record(case.net, case.picture, [*taps, case.layer])
        value = float(objective.value(recording)[0])
    check_activations(recording[case.layer], case.layer)
    return recording[case.layer], value, recording.scores if SCORES_TAP in recording else None


def _has_scores(objective: Objective) -> bool:
    return SCORES_TAP in objective.taps()


def of_eigen_cam(case: Case) -> Found:
    if not case.net.has_classes:
        with torch.no_grad():
            maps = record(case.net, case.picture, [case.layer])[case.layer]
        check_activations(maps, case.layer)
        found = eigen_cam(maps)
        return Found(LayerNorm2(case.layer), None, found if case.options["signed"] else found.relu(), None)
    objective, _ = case.settled()
    activations, value, scores = _activations(case, objective)
    found = eigen_cam(activations)
    return Found(objective, value, found if case.options["signed"] else found.relu(), scores)


def of_score_cam(case: Case) -> Found:
    objective, _ = case.settled()
    activations, value, scores = _activations(case, objective)
    chosen = _chosen(case)
    channels = chosen.of(activations, None, case.options["signed"], case.layer)
    found = masks.score_cam(
        case.net, case.picture, objective, activations, case.seen(len(channels)), channels=channels
    )  # fmt: skip
    facts = {} if chosen.everything else _told(case, channels)
    return Found(objective, value, found if case.options["signed"] else found.relu(), scores, facts=facts)

"""Class activation maps, as methods of explain."""

import torch
from torch import Tensor

from convscope.attribution import masks
from convscope.attribution.cam import Kind, check_map, eigen_cam, gradient_cam
from convscope.attribution.gradients import asked
from convscope.methods.attributions.case import Case, Found
from convscope.objectives.expression import Objective
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP


def of_cam(case: Case, kind: Kind) -> Found:
    objective = case.objective
    cam = gradient_cam(
        case.net, case.picture, (lambda recording: [asked(None, recording)]) if objective is None else [objective],
        case.layer, kind=kind, signed=case.options["signed"],
    )  # fmt: skip
    return Found(cam.objectives[0], float(cam.values[0]), cam.maps[0], cam.scores)


def _activations(case: Case, objective: Objective) -> tuple[Tensor, float, Tensor | None]:
    check_map(case.net, case.layer)
    taps = dict.fromkeys([*sorted(objective.taps()), *([SCORES_TAP] if _has_scores(objective) else [])])
    with torch.no_grad():
        recording = record(case.net, case.picture, [*taps, case.layer])
        value = float(objective.value(recording)[0])
    return recording[case.layer], value, recording.scores if SCORES_TAP in recording else None


def _has_scores(objective: Objective) -> bool:
    return SCORES_TAP in objective.taps()


def of_eigen_cam(case: Case) -> Found:
    objective, _ = case.settled()
    activations, value, scores = _activations(case, objective)
    found = eigen_cam(activations)
    return Found(objective, value, found if case.options["signed"] else found.relu(), scores)


def of_score_cam(case: Case) -> Found:
    objective, _ = case.settled()
    activations, value, scores = _activations(case, objective)
    seen = case.seen(activations.shape[1])
    found = masks.score_cam(case.net, case.picture, objective, activations, seen)
    return Found(objective, value, found if case.options["signed"] else found.relu(), scores)

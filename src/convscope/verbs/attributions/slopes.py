"""Gradients with respect to the picture, as methods of explain."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from convscope.attribution.cam import check_map, enlarge
from convscope.attribution.fills import check_fill, filled
from convscope.attribution.gradients import AT_ONCE, Slope, slope, smoothed
from convscope.attribution.integrated import integrated_gradients
from convscope.errors import InputError
from convscope.models.network import Network
from convscope.taps.batching import looks_at_once
from convscope.taps.rules import deconvolved, guided
from convscope.verbs.attributions.cams import of_cam
from convscope.verbs.attributions.case import Case, Found


def reduced(attribution: Tensor, signed: bool, magnitude: bool) -> Tensor:
    """An attribution `c h w` as one map `h w`: the channels' sum (or what of it is positive); of mere slopes, which
    have no meaning as a sum, the greatest magnitude unless signed."""
    if magnitude and not signed:
        return attribution.abs().amax(0)
    return attribution.sum(0) if signed else attribution.sum(0).relu()


def _of_slope(case: Case, found: Slope, attribution: Tensor, magnitude: bool, **more: Any) -> Found:
    shown = reduced(attribution[0], case.options["signed"], magnitude)
    return Found(
        found.objective, float(found.values[0]), shown, found.scores, attribution=attribution[0],
        notes=(found.note,) if found.note else (), **more,
    )  # fmt: skip


def of_saliency(case: Case) -> Found:
    found = slope(case.net, case.picture, case.objective)
    return _of_slope(case, found, found.gradients, True)


def of_input_x_gradient(case: Case) -> Found:
    found = slope(case.net, case.picture, case.objective)
    return _of_slope(case, found, found.gradients * (case.picture - case.net.spec.neutral(case.picture)), False)


def of_guided(case: Case) -> Found:
    found = slope(case.net, case.picture, case.objective, rule=guided)
    return _of_slope(case, found, found.gradients, True)


def of_deconvnet(case: Case) -> Found:
    found = slope(case.net, case.picture, case.objective, rule=deconvolved)
    return _of_slope(case, found, found.gradients, True)


def of_guided_grad_cam(case: Case) -> Found:
    cam = of_cam(case, "grad_cam")
    found = slope(case.net, case.picture, cam.objective, rule=guided)
    heat = enlarge(cam.map[None], case.size, case.net.layer(case.layer))[None]
    return _of_slope(case, found, found.gradients * heat, True)


SMOOTHED = {
    "saliency": (None, False), "input_x_gradient": (None, True), "guided_backprop": (guided, False),
    "deconvnet": (deconvolved, False),
}  # fmt: skip
"""What smooth_grad can take the mean of: the rule, and whether the gradient is multiplied by the picture."""


def check_smoothed(net: Network, options: Mapping[str, Any]) -> None:
    if options["of"] not in SMOOTHED:
        raise InputError(f"of is {options['of']!r}; smooth_grad takes {', '.join(SMOOTHED)}")


def of_smooth_grad(case: Case) -> Found:
    options = case.options
    rule, times = SMOOTHED[options["of"]]
    clean = slope(case.net, case.picture, case.objective)
    way = case.net.quickened()
    grey = case.net.spec.neutral(case.picture)

    def attribute(pictures: Tensor) -> Tensor:
        gradients = slope(case.net, pictures, clean.objective, rule=rule, way=way).gradients
        return gradients * (pictures - grey) if times else gradients

    at_once = looks_at_once(case.net, sorted(clean.objective.taps()), case.size, AT_ONCE)
    found = smoothed(
        attribute, case.picture, samples=options["samples"], noise=options["noise"], at_once=at_once,
        generator=case.generator, seen=case.seen(options["samples"]),
    )  # fmt: skip
    return _of_slope(case, clean, found, not times)


TOLERANCE = 0.01
"""The gap of integrated gradients that is allowed unless one is given, in parts of the difference."""
ALLOWED = 0.05
"""The gap from which on a map says that it does not add up, unless more was allowed."""


def check_integrated(net: Network, options: Mapping[str, Any]) -> None:
    if options["steps"] is None and options["rule"] is not None:
        raise InputError("rule is for a number of steps that is given: give steps too, or leave the rule out")
    if options["steps"] is not None and options["tolerance"] is not None:
        raise InputError("steps and tolerance were both given; expected one: so many steps, or as many as it takes")
    if options["layer"] is not None:
        check_map(net, options["layer"])
    if options["baseline"] != "photograph":
        check_fill(options["baseline"], net.spec.channels, "baseline")


def of_integrated_gradients(case: Case) -> Found:
    options = case.options
    objective, scores = case.settled()
    baseline = case.baseline
    if baseline is None:
        baseline = filled(case.picture, options["baseline"], case.generator, "baseline")
    layer = options["layer"]
    steps = options["steps"]
    tolerance = TOLERANCE if options["tolerance"] is None else options["tolerance"]
    found = integrated_gradients(
        case.net, case.picture, objective, baseline, layer=layer, steps=steps, rule=options["rule"] or "gauss_legendre",
        tolerance=tolerance, seen=case.seen(steps or 0),
    )  # fmt: skip
    difference = found.value - found.base
    share = abs(found.gap) / max(abs(difference), 1e-12)
    facts = {"gap": found.gap, "difference": difference, "steps": found.steps, "baseline_score": found.base}
    notes: tuple[str, ...] = ()
    about = "" if share <= TOLERANCE else f"adds up to within {share:.0%} of the difference from the baseline"
    if share > max(ALLOWED, tolerance):
        about = f"misses {share:.0%} of the difference from the baseline"
        notes = (
            f"the attributions miss {share:.0%} of the difference that they should add up to: take more steps, or "
            "another baseline",
        )
    return Found(
        objective, found.value, reduced(found.attribution, options["signed"], False), scores,
        attribution=found.attribution if layer is None else None, facts=facts, notes=notes, about=about,
    )  # fmt: skip

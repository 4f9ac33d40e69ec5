"""`convscope.explain`: which parts of a photograph speak for an answer."""

import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.cam import enlarge
from convscope.attribution.chosen import Ranking
from convscope.attribution.fills import is_fill
from convscope.attribution.integrated import RuleName
from convscope.errors import InputError, Stopped, UnknownNameError
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.layers import Layer
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective, Scaled, Sum, number_text
from convscope.objectives.text import MOST_LETTERS, ensure_objective
from convscope.objectives.units import Channel, Logit, Neuron
from convscope.options import MOST_SEED, About, check_given
from convscope.progress import Cancel, Watch, unwatched
from convscope.render.colour import as_rgb
from convscope.render.text import figure
from convscope.results.heatmap import Heatmap
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP
from convscope.verbs.attributions import METHODS
from convscope.verbs.attributions.case import Case, Found, Method, recommended_for
from convscope.verbs.calls import plain_number, recipe_of

MethodName = Literal[
    "grad_cam", "grad_cam_pp", "layer_cam", "hires_cam", "eigen_cam", "score_cam", "saliency", "input_x_gradient",
    "smooth_grad", "integrated_gradients", "guided_backprop", "deconvnet", "guided_grad_cam", "occlusion", "rise",
]  # fmt: skip


@memory_watched("explain")
def explain(
    net: Network,
    image: ImageLike | Photograph,
    target: Objective | str | int | None = None,
    *,
    method: Annotated[MethodName, About("how the map is made")] = "grad_cam",
    layer: Annotated[str | None, About("the layer to look at; for CAMs the last one with positions")] = None,
    signed: Annotated[bool | None, About("keep what speaks against the target, below zero")] = None,
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
    channels: Annotated[
        Sequence[int] | None, About("CAMs: the channels that make the map, such as 3,7,10-15; all unless given")
    ] = None,
    top: Annotated[int | None, About("CAMs: only so many channels, the first by ranking", 1, 1000000)] = None,
    ranking: Annotated[
        Ranking | None, About("CAMs: by what a channel adds to the map, its weight, or its activation")
    ] = None,
    baseline: Annotated[
        str | ImageLike | None,
        About("integrated gradients: black, grey, white, mean, blur, noise, a colour, a picture"),
    ] = None,
    steps: Annotated[
        int | None, About("integrated gradients: points; as many as it takes unless given", 1, 100000)
    ] = None,
    rule: Annotated[RuleName | None, About("integrated gradients: the rule for these points, gauss_legendre")] = None,
    tolerance: Annotated[
        float | None, About("integrated gradients: the gap allowed, in parts of the difference, 0.01", 1e-6, 1)
    ] = None,
    of: Annotated[str | None, About("smooth_grad: the gradient method to take the mean of")] = None,
    samples: Annotated[int | None, About("smooth_grad, rise: how many noisy or masked copies", 1, 1000000)] = None,
    noise: Annotated[float | None, About("smooth_grad: in parts of the picture's range", 0, 10)] = None,
    patch: Annotated[
        str | int | None, About("occlusion: pixels of the window, 16 or 24x16; an eighth of the side")
    ] = None,
    stride: Annotated[str | int | None, About("occlusion: pixels from one position to the next; half a window")] = None,
    value: Annotated[
        str | float | None, About("occlusion: what covers: a number, a colour as 1,0.5,0, grey, mean, blur or noise")
    ] = None,
    share: Annotated[
        float | None, About("occlusion: the share of positions to compute, where the map varies most", 0.001, 1)
    ] = None,
    cells: Annotated[int | None, About("rise: cells of a mask on the short side", 2, 256)] = None,
    kept: Annotated[float | None, About("rise: the share of cells that show the picture", 0.01, 0.99)] = None,
    seed: Annotated[int | None, About("of what is random", 0, MOST_SEED)] = None,
    watch: Watch = unwatched,
) -> Heatmap:
    """A map of the parts of a photograph that speak for a target; for the first guess unless one is named.

    target: any objective: "class:zebra", "blocks.10.project:5", "class:zebra - class:horse", a class's number; or
    "strongest(layer)", the channel of a layer that answers most somewhere, "strongest(layer:3)" where channel 3 does:
    for occlusion that channel's mean, for the others its greatest activation.

    method: see `convscope.verbs.attributions.METHODS`; an option of another method is an error.

    Returns `map` (`h w`, the picture as the network saw it), `coarse` (the layer's own resolution; of occlusion
    `rows columns`, the target's value less that with the window there; else the map), `score` (the target's value)
    and `image` (`h w 3`, bytes); of gradient methods also `attribution` (`c h w`); of occlusion `computed` and, for
    classes, `winner` (the class named first with the window there, -1 where not computed). Maps are unscaled, so that
    those of two targets can be compared.

    Raises UnknownNameError for a method, layer or label that is not there; Stopped on Ctrl-C, for occlusion and RISE
    with what is done.

    Source: of each method in its engine, `convscope.attribution`.
    """
    given = {
        "layer": layer, "signed": signed, "channels": channels,
        "top": top, "ranking": ranking, "baseline": baseline, "steps": steps, "rule": rule, "tolerance": tolerance,
        "of": of, "samples": samples, "noise": noise, "patch": patch, "stride": stride, "value": value, "share": share,
        "cells": cells, "kept": kept, "seed": seed,
    }  # fmt: skip
    check_given(explain, {"fit": fit})
    options = _settings(net, target, method, given)
    chosen = METHODS[method]
    photograph = net.photograph(image, fit=fit)
    fit = photograph.record.get("fit", fit)  # of a Photograph that was given ready
    picture = photograph.tensor(net.device)
    compared = _baseline(net, options, fit)
    objective = _objective(net, target, picture, method)
    looks = "layer" in options and not options["layer"] and not chosen.layer_optional
    case = Case(
        net, picture, objective, options, compared.tensor(net.device) if compared else None, watch, chosen.title,
        recommended_for(net, objective) if looks else None,
    )  # fmt: skip
    try:
        found, stopped = chosen.run(case), None
    except Stopped as error:
        found, stopped = error.result, error  # type: ignore[assignment]
    except (KeyboardInterrupt, Cancel):
        raise Stopped("stopped", None) from None
    result = _heatmap(case, photograph, target is not None, method, found, options | {"fit": fit}, compared)
    if stopped is not None:
        raise Stopped(str(stopped), result) from None
    return result


def _numbers(channels: Sequence[int] | None) -> list[int] | None:
    """Channels as plain numbers. Raises InputError."""
    try:
        return None if channels is None else [operator.index(number) for number in channels]
    except TypeError:
        raise InputError(f"channels is {channels!r}; expected whole numbers, such as [3, 7]") from None


def check_asked(net: Network, target: Objective | str | int | None, method: str, given: Mapping[str, Any]) -> None:
    """Raises what `explain` would for a target, a method and its options, before any work."""
    _settings(net, target, method, given)
    strongest = _strongest(target)
    if strongest:
        layer = net.layer(strongest[0])
        _check_layer(net, str(target), [layer.name], method, given)
    elif target is not None:
        objective = _bound(net, target)
        if SCORES_TAP not in objective.taps():
            _check_layer(net, str(objective), [tap.layer for tap in objective.taps()], method, given)


def _check_layer(net: Network, target: str, read: Sequence[str], method: str, given: Mapping[str, Any]) -> None:
    """Raises InputError for a target that reads layers which all lie before the one that the method looks at."""
    layer = given.get("layer")
    if not layer or "layer" not in METHODS[method].takes:
        return
    places = {layer.name: i for i, layer in enumerate(net.layers())}
    last = max((name for name in read if name in places), key=lambda name: places[name], default=None)
    if last is not None and places.get(layer, 0) > places[last]:
        raise InputError(
            f"{method} looks at {layer!r}, which {target} does not depend on: give an earlier layer, such as "
            f"layer={last}"
        )


def _settings(
    net: Network, target: Objective | str | int | None, method: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The method's options, filled in. Raises InputError for one that it does not take, or that cannot be."""
    if method not in METHODS:
        raise UnknownNameError("method", str(method), METHODS)
    chosen = METHODS[method]
    if target is not None and not chosen.targeted:
        raise InputError(f"{method} is the same for every target: leave the target out")
    options = _options(method, chosen, dict(given) | {"channels": _numbers(given.get("channels"))})
    check_given(explain, options)
    given_ready = {"baseline": "photograph"} if _is_photograph(options.get("baseline")) else {}
    chosen.check(net, options | given_ready)
    return options


def _options(method: str, chosen: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """The method's options, filled in. Raises InputError for one that it does not take."""
    for name, value in given.items():
        if value is not None and name not in chosen.takes:
            takers = ", ".join(key for key, other in METHODS.items() if name in other.takes)
            raise InputError(f"{name} is no option of {method}; it is one of {takers}")
    if given.get("ranking") is not None and given.get("top") is None:
        raise InputError("ranking is for top: give how many channels, such as top=32")
    return {
        name: plain_number(usual if given.get(name) is None else given[name]) for name, usual in chosen.takes.items()
    }  # fmt: skip


def _is_photograph(baseline: Any) -> bool:
    if isinstance(baseline, str):
        return not is_fill(baseline) and Path(baseline).is_file()
    return baseline is not None


def _baseline(net: Network, options: dict[str, Any], fit: Fit) -> Photograph | None:
    """The photograph that is given as baseline; None where it has a name or is a colour."""
    baseline = options.get("baseline")
    if baseline is None or not _is_photograph(baseline):
        return None
    options["baseline"] = "photograph"
    return net.photograph(baseline, fit=fit)


def _objective(net: Network, target: Objective | str | int | None, picture: Tensor, method: str) -> Objective | None:
    """The target, bound; None for the first guess."""
    if target is None:
        if METHODS[method].targeted or net.has_classes:
            _ = net.classes  # raises where there are none, or where labels do not agree with them
        return None
    strongest = _strongest(target)
    if strongest:
        return strongest_of(net, picture, *strongest, method == "occlusion")
    return _bound(net, target)


def _strongest(target: Objective | str | int | None) -> tuple[str, int | None] | None:
    """The layer and the channel in `strongest(layer:channel)`; None for any other target."""
    text = target.strip() if isinstance(target, str) else ""
    inside = text.removeprefix("strongest(").removesuffix(")").strip()
    if not (text.startswith("strongest(") and text.endswith(")") and inside) or len(text) > MOST_LETTERS:
        return None
    layer, _, channel = (part.strip() for part in inside.rpartition(":"))
    if not layer or not re.fullmatch(r"\d{1,9}", channel):
        layer, channel = inside, ""
    quoted = re.fullmatch('"([^"]+)"', layer)
    return quoted[1] if quoted else layer, int(channel) if channel else None


def _bound(net: Network, target: Objective | str | int) -> Objective:
    objective = ensure_objective(target).bind(net)
    if not objective.taps():
        raise InputError(f"{objective} reads the picture alone, not the network; name a class, channel or neuron")
    return objective


def strongest_of(net: Network, picture: Tensor, layer: str, channel: int | None, mean: bool) -> Objective:
    """The channel of a layer that answers most somewhere in a picture: its mean, or its greatest activation."""
    with torch.no_grad():
        maps = record(net, picture, [layer])[layer][0]
    if channel is None:
        channel = int(maps.amax((1, 2)).argmax())
    whole = Channel(layer, channel).bind(net)
    if mean:
        return whole
    y, x = divmod(int(maps[channel].argmax()), maps.shape[2])
    return Neuron(layer, channel, y, x).bind(net)


def _heatmap(
    case: Case, photograph: Photograph, named: bool, method: str, found: Found, options: dict[str, Any],
    compared: Photograph | None,
) -> Heatmap:  # fmt: skip
    net, chosen = case.net, METHODS[method]
    asked = found.objective
    plain = Logit(asked.label) if isinstance(asked, Logit) else asked  # rise makes a probability of a class
    target = None if not named else str(plain if method == "rise" else asked)
    at = _layer(case)
    arrays = heat_arrays(found.map, found.value, photograph, found.coarse, net.layer(at) if at else None)
    axes = {"map": ("h", "w"), "coarse": ("rows", "columns"), "score": (), "image": ("h", "w", "c")}
    if found.attribution is not None:
        arrays["attribution"] = found.attribution.float().cpu().numpy()
        axes["attribution"] = ("c", "h", "w")
    if found.value is None:
        del axes["score"]
    axes |= dict.fromkeys(found.arrays, ("rows", "columns"))
    chosen_layer = case.recommended.note if case.recommended else ""
    empty = EMPTY if not bool(found.map.any()) else ""
    spread = SPREAD.format(at) if at and found.coarse is None and net.layer(at).centre is None else ""
    notes = [*found.notes, *(note for note in (chosen_layer, spread, empty, chosen.caveat) if note)]
    return Heatmap(
        arrays | dict(found.arrays),
        axes,
        recipe_of(
            "explain", net, {"target": target, "method": method, **options}, photograph=photograph,
            others={"baseline": [compared.record] if compared else []}, notes=tuple(notes),
        ),
        _facts(net, chosen, found, at, method) | dict(found.facts),
    )  # fmt: skip


SPREAD = "where the cells of {!r} lie is not known exactly: the map is spread evenly over the picture"
EMPTY = "the map is zero everywhere: nothing here speaks for the target; signed maps show what speaks against it"


def heat_arrays(
    heat: Tensor,
    value: float | None,
    photograph: Photograph,
    coarse: np.ndarray | None = None,
    layer: Layer | None = None,
) -> dict[str, np.ndarray]:
    """A map, of a layer's resolution where it is not the picture's, as the arrays of a Heatmap; without a value, there
    is no `score`."""
    size = photograph.pixels.shape[:2]
    whole = heat if tuple(heat.shape) == tuple(size) else enlarge(heat[None], size, layer)[0]
    return {
        "map": whole.float().cpu().numpy(),
        "coarse": heat.float().cpu().numpy() if coarse is None else coarse,
        "image": as_rgb(photograph.pixels),
    } | ({} if value is None else {"score": np.array(value, dtype=np.float32)})


def in_words(net: Network, objective: Objective) -> str:
    """An objective with the names of its classes in place of their numbers."""
    if isinstance(objective, Logit) and isinstance(objective.label, int):
        return net.labels.name(objective.label)
    if isinstance(objective, Scaled):
        return f"{number_text(objective.weight)}*{in_words(net, objective.term)}"
    if not isinstance(objective, Sum):
        return str(objective)
    words = in_words(net, objective.terms[0])
    for term in objective.terms[1:]:
        less = isinstance(term, Scaled) and term.weight < 0
        text = in_words(net, -term if less else term)
        words += f" {'-' if less else '+'} {text.removeprefix('1*') if less else text}"
    return words


def _layer(case: Case) -> str | None:
    """The layer that a method looked at; None for one that looked at none."""
    return case.layer if case.recommended or case.options.get("layer") else None


COARSE = "coarse: it tells the region, not the outline"
CELLS = 4
"""A map with fewer cells than a quarter of the picture's pixels on a side is coarse."""


def _is_coarse(net: Network, layer: str | None) -> bool:
    return layer is not None and net.layer(layer).shape[1] * CELLS < net.spec.height


def _facts(net: Network, chosen: Method, found: Found, layer: str | None, method: str) -> dict[str, Any]:
    asked = found.objective
    of = f", {found.facts['made_of']}" if "made_of" in found.facts else ""
    at = f" at {layer}{of}" if layer else ""
    facts: dict[str, Any] = {"target": str(asked), "method": method}
    facts |= {"layer": layer} if layer else {}
    facts["look"] = chosen.look if layer is None or found.attribution is not None else "region"
    about = COARSE if chosen.coarse and _is_coarse(net, layer) else found.about or chosen.about
    facts |= {
        "title": f"the layer {asked}" if found.value is None else f"{in_words(net, asked)}  {figure(found.value)}",
        "about": about,
        "subtitle": f"{chosen.title}{at}; {about}",
    }
    if isinstance(asked, Logit) and isinstance(asked.label, int) and found.scores is not None:
        share = float(net.probabilities(found.scores)[0, asked.label])
        facts |= {"class": asked.label, "label": net.labels.name(asked.label), "probability": share}
        facts["title"] = f"{facts['label']}  {100 * share:.1f} %"
    return facts

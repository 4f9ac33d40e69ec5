"""`convscope.explain`: which parts of a photograph speak for an answer."""

from typing import Annotated, Any, Literal

import numpy as np

from convscope.attribution.cam import Cam, enlarge, grad_cam
from convscope.errors import InputError, UnknownNameError
from convscope.methods.calls import recipe_of
from convscope.methods.options import About
from convscope.models.network import Network
from convscope.models.photograph import Fit, ImageLike, Photograph
from convscope.objectives.expression import Objective, Scaled, Sum, number_text
from convscope.objectives.text import ensure_objective
from convscope.objectives.units import Logit
from convscope.render.colour import as_rgb
from convscope.results.heatmap import Heatmap
from convscope.taps.record import Recording

Method = Literal["grad_cam"]
METHODS = ("grad_cam",)


def explain(
    net: Network,
    image: ImageLike | Photograph,
    target: Objective | str | int | None = None,
    *,
    method: Annotated[Method, About("how the map is made")] = "grad_cam",
    layer: Annotated[str | None, About("the layer to look at; the last one with positions unless named")] = None,
    signed: Annotated[bool, About("keep what speaks against the target, below zero")] = False,
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
) -> Heatmap:
    """A map of the parts of a photograph that speak for a target; for the first guess unless one is named.

    target: any objective: "class:zebra", "blocks.10.project:5", "class:zebra - class:horse", a class's number.

    Returns `map` (`h w`, the picture as the network saw it), `coarse` (the layer's own resolution), `score` (the
    target's value) and `image` (`h w 3`, bytes). Maps are unscaled, so that those of two targets can be compared.

    Raises UnknownNameError for a method, layer or label that is not there.
    """
    if method not in METHODS:
        raise UnknownNameError("method", str(method), METHODS)
    photograph = net.photograph(image, fit=fit)
    fit = photograph.record.get("fit", fit)  # of a Photograph that was given ready
    found = net.layer(layer) if layer is not None else net.recommended_layer()
    objective = None if target is None else ensure_objective(target).bind(net)
    if objective is not None and not objective.taps():
        raise InputError(f"{objective} reads the picture alone, not the network; name a class, channel or neuron")
    if objective is None:
        _ = net.classes  # raises where labels and class scores do not agree
    cam = grad_cam(
        net,
        photograph.tensor(net.device),
        (lambda recording: [first_guess(recording)]) if objective is None else [objective],
        found.name,
        signed=signed,
    )
    asked = cam.objectives[0]
    options: dict[str, Any] = {"target": None if target is None else str(asked), "method": method, "layer": layer}
    options |= {"signed": signed, "fit": fit}
    return Heatmap(
        heat_arrays(cam, 0, photograph),
        {"map": ("h", "w"), "coarse": ("rows", "columns"), "score": (), "image": ("h", "w", "c")},
        recipe_of("explain", net, options, photograph=photograph),
        _facts(net, cam, asked, found.name),
    )


def first_guess(recording: Recording) -> Objective:
    """The class that the network names first."""
    return Logit(int(recording.scores[0].argmax()))


def heat_arrays(cam: Cam, index: int, photograph: Photograph) -> dict[str, np.ndarray]:
    """One of the maps of a Cam as the arrays of a Heatmap."""
    coarse = cam.maps[index : index + 1]
    size = photograph.pixels.shape[:2]
    return {
        "map": enlarge(coarse, size)[0].float().cpu().numpy(),
        "coarse": coarse[0].float().cpu().numpy(),
        "score": np.array(cam.values[index].item(), dtype=np.float32),
        "image": as_rgb(photograph.pixels),
    }


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


def _facts(net: Network, cam: Cam, asked: Objective, layer: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"target": str(asked), "layer": layer, "unit": "Grad-CAM, unscaled"}
    if isinstance(asked, Logit) and isinstance(asked.label, int) and cam.scores is not None:
        share = float(net.probabilities(cam.scores)[0, asked.label])
        facts |= {"class": asked.label, "label": net.labels.name(asked.label), "probability": share}
        facts["title"] = f"{facts['label']}  {100 * share:.1f} %"
        facts["subtitle"] = f"Grad-CAM at {layer}; coarse: it tells the region, not the outline"
    else:
        facts["title"] = in_words(net, asked)
        facts["subtitle"] = f"Grad-CAM at {layer}"
    return facts

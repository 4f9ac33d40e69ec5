"""`convscope.explain`: which parts of a photograph speak for an answer."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.cam import enlarge
from convscope.attribution.layers import recommended_for
from convscope.attribution.method import Attribution, Job
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.layers import Layer
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.reference import NetworkRef
from convscope.objectives.expression import Objective
from convscope.objectives.units import Channel, Logit, Neuron, Probability
from convscope.objectives.words import in_words
from convscope.options import About, check_given
from convscope.progress import Watch, keeping, unwatched
from convscope.render.colour import as_rgb
from convscope.results.heatmap import Heatmap, HeatmapFacts
from convscope.verbs.calls import recipe_of
from convscope.verbs.question import GivenMethod, Question, Target, question_of
from convscope.verbs.verb import verb


@memory_watched("explain")
@verb
def explain(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    target: Annotated[
        Target | None, About("class:NAME, layer:channel, sums of these", unset="the class named first")
    ] = None,
    method: Annotated[GivenMethod, About("how the map is made")] = "grad_cam",
    *,
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
    watch: Watch = unwatched,
    **options: Any,
) -> Heatmap:
    """A map of the parts of a photograph that speak for a target; for the first guess unless one is named.

    target: any objective: "class:zebra", "blocks.10.project:5", "class:zebra - class:horse", a class's number; or
    "strongest(layer)", the channel of a layer that answers most somewhere, "strongest(layer:3)" where channel 3 does:
    for occlusion that channel's mean, for the others its greatest activation.

    method: a value with its options, `cs.Occlusion(patch=16)`; a line of text, "occlusion patch=16"; or a name, with
    `options` beside it: method="occlusion", patch=16. `convscope.attribution.table` lists the methods, and each
    describes its options in its class.

    Returns `map` (`h w`, the picture as the network saw it), `coarse` (the layer's own resolution; of occlusion
    `rows columns`, the target's value less that with the window there; else the map), `score` (the target's value)
    and `image` (`h w 3`, bytes); of gradient methods also `attribution` (`c h w`); of occlusion `computed` and, for
    classes, `winner` (the class named first with the window there, -1 where not computed). Maps are unscaled, so that
    those of two targets can be compared.

    Raises UnknownNameError for a method, layer or label that is not there, InputError for an option that the method
    does not take; Stopped on Ctrl-C or Cancel, for occlusion, RISE and SmoothGrad with what is done.

    Source: of each method in its class.
    """
    check_given(explain, {"fit": fit})
    question = question_of(net, target, method, options)
    photograph = net.photograph(image, fit=fit)
    fit = photograph.record.get("fit", fit)  # of a Photograph that was given ready
    question = question.on(photograph, fit)
    latest: Attribution | None = None

    def told() -> str:
        return f"stopped after {latest.done}" if latest is not None and latest.done else "stopped"

    def partial() -> Heatmap | None:
        return None if latest is None else heatmap_of(question, photograph, latest, fit)

    with keeping(told, partial):
        job = Job(net, photograph.tensor(net.device), question.objective, watch)
        for latest in question.method.run(job):  # noqa: B007  (the last one is the answer; each is kept if stopped)
            pass
    assert latest is not None, f"{question.method.name} gave nothing"
    return heatmap_of(question, photograph, latest, fit)


def explaining(
    net: Network,
    target: Target | None = None,
    method: GivenMethod = "grad_cam",
    *,
    fit: Fit = "crop",
    **options: Any,
) -> Callable[[Sequence[Photograph]], list[Heatmap]] | None:
    """`explain` for batches of pictures that are open, in one pass; None for a method that is not `batched`.

    Raises what `explain` would for its arguments.
    """
    check_given(explain, {"fit": fit})
    question = question_of(net, target, method, options)
    if not question.method.batched:
        return None

    def explained(photographs: Sequence[Photograph]) -> list[Heatmap]:
        asked = [question.on(photograph, fit) for photograph in photographs]
        resolved = asked[0].method
        if any(one.method != resolved for one in asked):
            return [
                explain(net, photograph, one.objective, one.method, fit=fit)
                for photograph, one in zip(photographs, asked, strict=True)
            ]
        pictures = torch.cat([photograph.tensor() for photograph in photographs]).to(net.device)
        result = resolved.run_batch(net, pictures, [one.objective for one in asked])
        told = [NetworkRef.of(net)]
        return [heatmap_of(*one, fit, told, len(asked)) for one in zip(asked, photographs, result, strict=True)]

    return explained


def heatmap_of(
    question: Question,
    photograph: Photograph,
    attribution: Attribution,
    fit: Fit,
    references: Sequence[NetworkRef] | None = None,
    batch: int = 1,
) -> Heatmap:
    """The result of a question of one picture, from what its method found. references, batch: as for recipe_of."""
    net, method = question.net, question.method
    layer: str | None = getattr(method, "layer", None)
    arrays = _arrays(attribution, photograph, net.layer(layer) if layer else None)
    axes = {"map": ("h", "w"), "coarse": ("rows", "columns"), "score": (), "image": ("h", "w", "c")}
    axes |= {"attribution": ("c", "h", "w"), **dict.fromkeys(attribution.arrays, ("rows", "columns"))}
    asked = attribution.objective
    if method.asks_probability and isinstance(asked, Logit):
        asked = Logit(asked.label)
    return Heatmap(
        arrays,
        {name: axes[name] for name in arrays},
        recipe_of(
            "explain",
            net,
            {"target": str(asked) if method.targeted else None, "method": method, "fit": fit},
            {"image": photograph},
            notes=_notes(question, attribution, layer),
            stopped=bool(attribution.done),
            references=references,
            batch=batch,
        ),
        _facts(question, attribution, layer),
    )


SPREAD = "where the cells of {!r} lie is not known exactly: the map is spread evenly over the picture"
EMPTY = (
    "the map is zero everywhere: nothing in the picture speaks for it by this method; a signed map may show what "
    "speaks against it"
)


def _notes(question: Question, attribution: Attribution, layer: str | None) -> list[str]:
    """What a reader of the map has to know."""
    net, method = question.net, question.method
    notes = [*attribution.notes]
    if attribution.done:
        notes.insert(0, f"stopped after {attribution.done}: replay makes all of them")
    if layer is not None and not method.layer_optional:
        recommended = recommended_for(net, question.objective)
        notes += [recommended.note] if recommended.note and recommended.layer.name == layer else []
    if layer is not None and attribution.coarse is None and net.layer(layer).centre is None:
        notes.append(SPREAD.format(layer))
    notes += [] if bool(attribution.map.any()) else [EMPTY]
    return [*notes, *([method.caveat] if method.caveat else [])]


def _arrays(attribution: Attribution, photograph: Photograph, layer: Layer | None) -> dict[str, np.ndarray]:
    """A map as the arrays of a Heatmap; without a value, there is no `score`."""
    size = photograph.pixels.shape[:2]
    heat = attribution.map
    whole: Tensor = heat if tuple(heat.shape) == tuple(size) else enlarge(heat[None], size, layer)[0]
    arrays: dict[str, np.ndarray] = {
        "map": whole.float().cpu().numpy(),
        "coarse": heat.float().cpu().numpy() if attribution.coarse is None else attribution.coarse,
        "image": as_rgb(photograph.pixels),
    }
    if attribution.value is not None:
        arrays["score"] = np.array(attribution.value, dtype=np.float32)
    if attribution.pixels is not None:
        arrays["attribution"] = attribution.pixels.float().cpu().numpy()
    return arrays | dict(attribution.arrays)


COARSE = "coarse: it tells the region, not the outline"
CELLS = 4
"""A map with fewer cells than a quarter of the picture's pixels on a side is coarse."""


def _quantity(asked: Objective) -> str | None:
    """What the value of an objective is called, where it has a name."""
    if isinstance(asked, Channel | Neuron):
        return "activation"
    return "probability" if isinstance(asked, Probability) else "logit" if isinstance(asked, Logit) else None


def _facts(question: Question, attribution: Attribution, layer: str | None) -> HeatmapFacts:
    net, method, asked = question.net, question.method, attribution.objective
    coarse = method.coarse and layer is not None and net.layer(layer).shape[1] * CELLS < net.spec.height
    facts: dict[str, Any] = {
        "target": str(asked),
        "name": in_words(net, asked),
        "value": attribution.value,
        "quantity": _quantity(asked),
        "method": method.name,
        "method_title": method.title,
        "display": method.display if layer is None or attribution.pixels is not None else "region",
        "about": COARSE if coarse else attribution.about or method.about,
        "layer": layer,
        "from_lowest": method.from_lowest or None,
    }
    if attribution.scores is not None:
        guess = net.rank(attribution.scores, 1)[0][0]
        facts["guess"] = {"label": guess.label, "index": guess.index, "probability": guess.probability}
    if isinstance(asked, Logit) and isinstance(asked.label, int) and attribution.scores is not None:
        share = float(net.probabilities(attribution.scores)[0, asked.label])
        facts |= {"class": asked.label, "label": net.labels.name(asked.label), "probability": share}
    return HeatmapFacts.of(facts | dict(attribution.facts))

"""`convscope.assess`: whether a heatmap can be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.faithfulness import area, curve, edges, moved, shuffle, weights_of
from convscope.attribution.method import PHOTOGRAPH, Method, method_of
from convscope.errors import InputError, NetworkError
from convscope.images.ranks import rank_correlation
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.layers import Layer
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.text import parse_target
from convscope.objectives.units import Logit, Probability
from convscope.options import MOST_SEED, About, check_given, plain_number
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.results.assessment import Assessment
from convscope.results.heatmap import Heatmap
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP, Tap
from convscope.verbs.calls import recipe_of
from convscope.verbs.explain import explain
from convscope.verbs.question import GivenMethod, Target, question_of
from convscope.verbs.verb import verb
from convscope.verbs.verdict import curve_words, edge_words, gap_words, randomised_words

MOVED = 2
"""How many times the map is put elsewhere, to compare its curves with."""


@memory_watched("assess")
@verb
def assess(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    heatmap: Annotated[Heatmap | None, About("of explain", unset="made here, of a target by a method")] = None,
    *,
    target: Annotated[Target | None, About("of the heatmap that is made here", unset="the class named first")] = None,
    method: Annotated[GivenMethod, About("how the heatmap is made, where none is given")] = "grad_cam",
    fit: Annotated[Fit, About("how the picture is brought to the network's size, for a heatmap made here")] = "crop",
    points: Annotated[int, About("points of the deletion and insertion curves", 4, 200)] = 16,
    stages: Annotated[int, About("how often the map is made anew as the network is randomised", 1, 50)] = 5,
    box: Annotated[
        Sequence[int] | None, About("where the thing is, in pixels of the map: left,top,right,bottom")
    ] = None,
    seed: Annotated[int, About("of the random weights and places", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
    **options: Any,
) -> Assessment:
    """Checks of a heatmap of this network and picture, with words.

    heatmap: what `explain` made of them; unless given, it is made here of a target by a method, with the method's
    `options`, as `explain` takes them.

    Deletion and insertion: the score (of classes the probability) as the hottest pixels are covered, or shown over the
    blurred picture; beside the same map moved elsewhere. Cascading randomisation: the map made again as the layers'
    weights are shuffled, from the last that the target rests on to the first, in a copy of the network. Against an
    edge detector: the rank correlation with Sobel's gradient. Pointing: whether the hottest pixel lies in a given box.
    Completeness: for methods that add up to a difference, how far they are from it.

    Returns arrays and facts as `convscope.results.assessment.Assessment` says. Raises InputError where the heatmap is
    not of this network and picture, Stopped on Ctrl-C or Cancel.
    """
    corners = [plain_number(side) for side in box] if isinstance(box, list | tuple | np.ndarray) else None
    settings = {"points": points, "stages": stages, "box": corners, "seed": seed}
    check_given(assess, settings)
    if heatmap is None:
        question = question_of(net, target, method, options)
        photograph = net.photograph(image, fit=fit)
        where = _corners(box if corners is None else corners, photograph)
        question = question.on(photograph, fit)
        with keeping(lambda: "stopped"):  # half a map is not assessed
            heatmap = explain(net, photograph, question.objective, question.method, fit=fit, watch=watch)
        chosen = question.method
    elif target is not None or options or method != "grad_cam":
        raise InputError("a heatmap was given, and what to make one of: give it alone, or a target and a method")
    else:
        photograph = net.photograph(image, fit=heatmap.recipe.options.get("fit", fit))
        where = _corners(box if corners is None else corners, photograph)
        _check(net, photograph, heatmap)
        chosen = _method_of(heatmap)
    with keeping(lambda: "stopped"):
        return _Assessment(net, photograph, heatmap, chosen, where, settings, watch).made()


def _method_of(heatmap: Heatmap) -> Method:
    """The method that made a heatmap. Raises InputError where its file does not hold all of it."""
    method = method_of(heatmap.recipe.options["method"])
    missing = [name for name in method.picture_options if getattr(method, name) == PHOTOGRAPH]
    if missing:
        raise InputError(
            f"the heatmap's {missing[0]} is a photograph, which a heatmap does not hold: give the target and the "
            "method, with that photograph, in its place"
        )
    return method


def _check(net: Network, photograph: Photograph, heatmap: Heatmap) -> None:
    recipe = heatmap.recipe
    if recipe.verb != "explain" or "map" not in heatmap.arrays:
        raise InputError("this is no heatmap of explain with its arrays; expected what cs.explain gives, or its .npz")
    if recipe.network["weights_sha256"] != net.weights_hash():
        raise InputError("the heatmap was made of another network: make it again with this one")
    if recipe.inputs["image"]["sha256"] != photograph.record["sha256"]:
        raise InputError("the heatmap was made of another picture: make it again of this one")


def _corners(box: Sequence[int] | None, photograph: Photograph) -> tuple[int, int, int, int] | None:
    if box is None:
        return None
    height, width = photograph.pixels.shape[:2]
    sides = [side for side in box if isinstance(side, int)] if isinstance(box, list | tuple) else []
    if len(sides) == 4 == len(box):
        left, top, right, bottom = sides
        if 0 <= left < right <= width and 0 <= top < bottom <= height:
            return left, top, right, bottom
    raise InputError(f"box is {box!r}; expected left,top,right,bottom inside {width}x{height} pixels")


@dataclass
class _Assessment:
    """The checks of one heatmap, one after the other."""

    net: Network
    photograph: Photograph
    heatmap: Heatmap
    method: Method
    corners: tuple[int, int, int, int] | None
    settings: Mapping[str, Any]
    watch: Watch
    done: int = 0
    total: int = 0

    def made(self) -> Assessment:
        """All checks."""
        net, heatmap = self.net, self.heatmap
        asked = parse_target(heatmap.facts.target).bind(net)
        method = self.method
        heat = heatmap.arrays["map"].astype(np.float64)
        fractions = np.linspace(0, 1, self.settings["points"] + 1)
        stages = _stages(net, asked, self.settings["stages"])
        self.total = 2 * (1 + MOVED) * len(fractions) + len(stages)
        curves = self._curves(asked, heat, fractions)
        maps, likeness = self._randomised(method, asked, heat, stages)
        facts = _facts(
            heatmap,
            method,
            asked,
            heat,
            curves,
            fractions,
            likeness,
            edges(self.picture),
            self.corners,
            _gap(net, self.picture, asked, heatmap, method),
        )
        facts["stages"] = [f"from {names[-1]} on" for names in stages]
        arrays = {
            "fractions": fractions,
            **curves,
            "randomised": np.array(likeness),
            "maps": np.stack(maps),
            "map": np.abs(heat),
        }
        axes = {"maps": ("stages", "h", "w"), "map": ("h", "w"), "randomised": ("stages",), "image": ("h", "w", "c")}
        axes |= dict.fromkeys(["fractions", *curves], ("points",))
        made = heatmap.recipe.options
        return Assessment(
            {name: array.astype(np.float32) for name, array in arrays.items()} | {"image": heatmap.arrays["image"]},
            axes,
            recipe_of(
                "assess",
                net,
                {"target": made["target"], "method": method, "fit": made["fit"], **self.settings},
                {"image": self.photograph},
                notes=tuple(note for note in heatmap.notes if note not in net.notes),
            ),
            facts,
        )

    @property
    def picture(self) -> Tensor:
        """The picture, `1 c h w`."""
        return self.photograph.tensor(self.net.device)

    def _seen(self, more: int = 0) -> None:
        """So many more are done."""
        self.watch(Progress("assessing", min(self.done + more, self.total), self.total))

    def _curves(self, asked: Objective, heat: np.ndarray, fractions: np.ndarray) -> dict[str, np.ndarray]:
        """Deletion and insertion, of the map and of the same map moved elsewhere."""
        objective = Probability(asked.label) if type(asked) is Logit else asked
        folding = self.net.folding()
        curves: dict[str, np.ndarray] = {}
        for name, inserting in (("deletion", False), ("insertion", True)):
            several = [heat, *(moved(heat, self.settings["seed"] + i) for i in range(MOVED))]
            result = []
            for one in several:
                result.append(
                    curve(
                        self.net,
                        self.picture,
                        objective,
                        one,
                        fractions.tolist(),
                        inserting=inserting,
                        folding=folding,
                        seen=self._seen,
                    )
                )
                self.done += len(fractions)
            curves[name], curves[f"moved_{name}"] = result[0], np.mean(result[1:], axis=0)
        if objective is not asked:
            return curves
        # no probability: in parts of the difference between the covered picture and the whole one
        blank, clean = curves["deletion"][-1], curves["deletion"][0]
        return {name: (values - blank) / (clean - blank or 1.0) for name, values in curves.items()}

    def _randomised(
        self, method: Method, asked: Objective, heat: np.ndarray, stages: Sequence[Sequence[str]]
    ) -> tuple[list[np.ndarray], list[float]]:
        """The map made again as the weights are shuffled, and how like it is each time; NaN where there is no map."""
        maps, likeness = [], []
        twin = self.net.twin()
        generator = torch.Generator().manual_seed(self.settings["seed"])
        target = asked if method.targeted else None
        again = method.repeatable(self.heatmap.facts)
        for names in stages:
            shuffle(twin, names, generator)
            result = _again(twin, self.photograph, target, again)
            maps.append(np.zeros_like(heat) if result is None else np.abs(result))
            likeness.append(np.nan if result is None else rank_correlation(np.abs(heat), maps[-1]))
            self.done += 1
            self._seen()
        return maps, likeness


def _stages(net: Network, asked: Objective, count: int) -> list[list[str]]:
    """The layers with weights from the last that the target rests on to the first, in so many groups; the first group
    is the last layer, unless there is one group alone."""
    layers: Sequence[Layer] = net.layers()
    ends = [i for i, layer in enumerate(layers) if Tap(layer.name) in asked.taps()]
    if SCORES_TAP not in asked.taps() and ends:
        layers = layers[: max(ends) + 1]
    weighted = [layer.module for layer in layers if not layer.container and weights_of(net, layer.module)]
    order = list(dict.fromkeys(weighted))[::-1]
    if not order:
        raise InputError(f"{net.name} has no weights before {asked} that could be made random")
    count = min(count, len(order))
    last = np.linspace(1, len(order), count).round().astype(int) if count > 1 else np.array([len(order)])
    return [order[first:end] for first, end in zip([0, *last[:-1]], last, strict=True)]


def _again(twin: Network, photograph: Photograph, target: Objective | None, method: Method) -> np.ndarray | None:
    """The map of a network that is partly random; None where that gives no finite scores, or a map without forms."""
    try:
        result = explain(twin, photograph, target, method).arrays["map"].astype(np.float64)
    except NetworkError:
        return None
    return result if np.isfinite(result).all() and np.ptp(result) > 0 else None


def _gap(
    net: Network, picture: Tensor, asked: Objective, heatmap: Heatmap, method: Method
) -> tuple[float, float] | None:
    """How far an attribution's sum is from the difference that it should be, and that difference; None for a method
    that does not add up."""
    if heatmap.facts.gap is not None and heatmap.facts.difference is not None:
        return heatmap.facts.gap, heatmap.facts.difference
    if not method.adds_up:
        return None
    taps = sorted(asked.taps())
    neutral = net.spec.neutral(picture).expand_as(picture)
    with torch.no_grad():
        value, base = (float(asked.value(record(net, one, taps))[0]) for one in (picture, neutral))
    return float(heatmap.arrays["attribution"].sum(dtype=np.float64)) - (value - base), value - base


def _facts(
    heatmap: Heatmap,
    method: Method,
    asked: Objective,
    heat: np.ndarray,
    curves: dict[str, np.ndarray],
    fractions: np.ndarray,
    likeness: list[float],
    lines: np.ndarray,
    corners: tuple[int, int, int, int] | None,
    gap: tuple[float, float] | None,
) -> dict[str, Any]:
    areas = {name: area(fractions.tolist(), values) for name, values in curves.items()}
    outline = rank_correlation(np.abs(heat), lines)
    words = curve_words(areas)
    if np.ptp(heat) > 0:
        words += randomised_words(likeness, isinstance(asked, Logit))
    else:
        words = ["The map is the same everywhere: there is nothing in it to believe or to doubt."]
    words.append(edge_words(outline))
    facts: dict[str, Any] = {
        "target": heatmap.facts.target,
        "method": method.name,
        "areas": areas,
        "randomised": [None if np.isnan(x) else x for x in likeness],
        "edges": outline,
        "title": f"{heatmap.facts.title}: can this map be believed?",
        "subtitle": heatmap.facts.subtitle,
    }
    if gap is not None:
        facts["gap"] = gap[0]
        words.append(gap_words(*gap))
    if corners is not None:
        y, x = np.unravel_index(int(heat.argmax()), heat.shape)
        left, top, right, bottom = corners
        facts["box"] = list(corners)
        facts["pointing"] = bool(left <= x < right and top <= y < bottom)
        words.append(f"Its hottest pixel (x {x}, y {y}) lies {'in' if facts['pointing'] else 'outside'} the box.")
    words += [method.caveat[0].upper() + method.caveat[1:] + "."] if method.caveat else []
    return facts | {"words": words}

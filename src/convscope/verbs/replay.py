"""`convscope.replay`: make a result again from the recipe inside it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from convscope.errors import ResultError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, listed
from convscope.progress import Watch, unwatched
from convscope.results.result import Result
from convscope.results.store import load_result
from convscope.verbs.activations import activations
from convscope.verbs.assess import assess
from convscope.verbs.compare import compare
from convscope.verbs.dream import dream
from convscope.verbs.explain import explain
from convscope.verbs.hybrid import hybrid
from convscope.verbs.invert import invert
from convscope.verbs.reach import Reach
from convscope.verbs.recipes import check_recipe
from convscope.verbs.reopen import network_of, pictures_of
from convscope.verbs.stylize import stylize
from convscope.verbs.visualize import visualize
from convscope.verbs.weights import weights

Inputs = dict[str, Any]
Given = Network | str | Path


@memory_watched("replay")
def replay(
    path: str | Path,
    *,
    net: Given | Sequence[Given] | None = None,
    image: ImageLike | None = None,
    device: str | None = None,
    trust: bool = False,
    files: bool = False,
    download: bool = False,
    watch: Watch = unwatched,
) -> Result:
    """The result in a file, made again: the same bytes on the same machine, with as many threads as then.

    net: the network (or all of several), where the recipe cannot load it (a live module); or a name or file to load it
    from. image: the photograph, where it is no longer where the recipe says. Both are checked against the recipe.
    device: "cpu" or "cuda"; as then, unless given. trust: let a network's file run its own code.

    The file may be a stranger's: its recipe is checked whole before anything that it names is opened. Networks' and
    pictures' files are read where they lie in the folder of the result or below, and have the recipe's hash. files:
    read them elsewhere, too. download: fetch weights that are not here. Neither is done unasked.

    Raises ResultError where something is missing, may not be read or fetched, or is not what it was.
    """
    path = Path(path)
    recipe = load_result(path).recipe
    if recipe.method == "report":
        raise ResultError(f"{str(path)!r} belongs to a report, which `convscope report` makes again")
    if recipe.method not in _VERBS:
        raise ResultError(f"{str(path)!r} was made by {recipe.method!r}, which cannot be replayed")
    check_recipe(recipe, VERB_FUNCTIONS)
    options = dict(recipe.options)
    networks = [recipe.network, *options.pop("beside", [])]
    given: list[Given | None] = listed(net)
    if len(given) > len(networks):
        raise ResultError(f"{len(given)} networks were given; the recipe has {len(networks)}")
    given += [None] * (len(networks) - len(given))
    reach = Reach(path.parent, files, download)
    nets = [
        network_of(replace(recipe, network=told), one, reach, trust=trust, device=device)
        for one, told in zip(given, networks, strict=True)
    ]
    again = _VERBS[recipe.method]
    inputs = pictures_of(recipe, image, nets[0], reach, whole=again.whole)
    with _threads(recipe.machine.get("threads")):
        result = again.again(nets if len(nets) > 1 else nets[0], inputs, options, watch)
    # The recipe of the replay is that of the original, wherever the pictures lie now.
    return replace(result, recipe=replace(result.recipe, inputs=recipe.inputs))


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """Work with this many threads: how sums are split among them shows in their last bits."""
    before = torch.get_num_threads()
    if wanted is not None and wanted <= (os.cpu_count() or 1):
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class _Again:
    """A verb, and how it is called again with the pictures and options of the recipe.

    whole: whether it wants the photograph itself, and not as the network sees it."""

    verb: Callable[..., Result]
    again: Callable[[Any, Inputs, dict[str, Any], Watch], Result]
    whole: bool = False


def _dream(net: Network, inputs: Inputs, options: dict[str, Any], watch: Watch) -> Result:
    (mask,) = inputs.get("mask", [None])
    return dream(net, inputs["image"], mask=mask, watch=watch, **options)


def _stylize(net: Network, inputs: Inputs, options: dict[str, Any], watch: Watch) -> Result:
    (mask,) = inputs.get("mask", [None])
    styles, regions = inputs["styles"], inputs.get("regions")
    return stylize(net, inputs["image"], styles, regions=regions, mask=mask, watch=watch, **options)


def _visualize(net: Network, inputs: Inputs, options: dict[str, Any], watch: Watch) -> Result:
    started = {"start": inputs["image"]} if "image" in inputs else {}
    return visualize(net, magnitude=inputs.get("magnitude"), real=inputs.get("real"), watch=watch, **options | started)


def _explain(net: Network, inputs: Inputs, options: dict[str, Any], watch: Watch) -> Result:
    (baseline,) = inputs.get("baseline", [None])
    compared = {} if baseline is None else {"baseline": baseline}
    return explain(net, inputs["image"], watch=watch, **options | compared)


def _hybrid(net: Network, inputs: Inputs, options: dict[str, Any], watch: Watch) -> Result:
    (other,) = inputs.get("other", [None])
    return hybrid(net, inputs["image"], other=other, watch=watch, **options)


def _assess(net: Network, inputs: Inputs, options: dict[str, Any], watch: Watch) -> Result:
    heatmap = explain(net, inputs["image"], **options["heatmap"])
    return assess(net, inputs["image"], **options | {"heatmap": heatmap}, watch=watch)


_VERBS: dict[str, _Again] = {
    "activations": _Again(activations, lambda net, inputs, options, _: activations(net, inputs["image"], **options)),
    "assess": _Again(assess, _assess),
    "compare": _Again(
        compare, lambda net, inputs, options, watch: compare(net, inputs["image"], watch=watch, **options), whole=True
    ),
    "dream": _Again(dream, _dream),
    "explain": _Again(explain, _explain),
    "hybrid": _Again(hybrid, _hybrid, whole=True),
    "invert": _Again(invert, lambda net, inputs, options, watch: invert(net, inputs["image"], watch=watch, **options)),
    "stylize": _Again(stylize, _stylize),
    "visualize": _Again(visualize, _visualize),
    "weights": _Again(weights, lambda net, _inputs, options, _watch: weights(net, **options)),
}

VERB_FUNCTIONS: Mapping[str, Callable[..., Result]] = {name: again.verb for name, again in _VERBS.items()}
"""What a recipe may call."""

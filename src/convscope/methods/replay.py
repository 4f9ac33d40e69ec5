"""`convscope.replay`: make a result again from the recipe inside it."""

import inspect
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from convscope.errors import ResultError
from convscope.memory import memory_watched
from convscope.methods.activations import activations
from convscope.methods.assess import assess
from convscope.methods.compare import compare
from convscope.methods.dream import dream
from convscope.methods.explain import explain
from convscope.methods.hybrid import hybrid
from convscope.methods.invert import invert
from convscope.methods.stylize import stylize
from convscope.methods.visualize import visualize
from convscope.methods.weights import weights
from convscope.models.load import load_model
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, listed
from convscope.models.spec import InputSpec
from convscope.progress import Watch, unwatched
from convscope.results.recipe import Recipe
from convscope.results.result import Result
from convscope.results.store import load_result

Inputs = dict[str, Any]


@memory_watched("replay")
def replay(
    path: str | Path,
    *,
    net: Network | Sequence[Network] | None = None,
    image: ImageLike | None = None,
    device: str | None = None,
    trust: bool = False,
    watch: Watch = unwatched,
) -> Result:
    """The result in a file, made again: the same bytes on the same machine, with as many threads as then.

    net: the network (or all of several), where the recipe cannot load it (a live module). image: the photograph, where
    it is no longer where the recipe says. Both are checked against the recipe. device: "cpu" or "cuda"; as then, unless
    given.

    Raises ResultError where something is missing or is not what it was.
    """
    path = Path(path)
    recipe = load_result(path).recipe
    if recipe.method == "report":
        raise ResultError(f"{str(path)!r} belongs to a report, which `convscope report` makes again")
    if recipe.method not in _VERBS:
        raise ResultError(f"{str(path)!r} was made by {recipe.method!r}, which cannot be replayed")
    given: list[Network | None] = [*listed(net)] or [None]
    net = _network(recipe, given[0], trust, device)
    inputs = _inputs(recipe, path, image, net)
    options = dict(recipe.options)
    others = options.pop("beside", [])
    if len(given) > 1 + len(others):
        raise ResultError(f"{len(given)} networks were given; the recipe has {1 + len(others)}")
    given += [None] * (1 + len(others) - len(given))
    beside = [
        _network(replace(recipe, network=other), one, trust, device)
        for one, other in zip(given[1:], others, strict=True)
    ]
    nets = [net, *beside]
    _check_options(recipe.method, options)
    with _threads(recipe.machine.get("threads")):
        result = _VERBS[recipe.method].again(nets if len(nets) > 1 else net, inputs, options, watch)
    # The recipe of the replay is that of the original, wherever the pictures lie now.
    return replace(result, recipe=replace(result.recipe, inputs=recipe.inputs))


def _check_options(method: str, options: Inputs) -> None:
    """Raises ResultError where the verb has no such option, as in a recipe of a newer convscope."""
    strange = set(options) - set(inspect.signature(_VERBS[method].verb).parameters)
    if strange:
        raise ResultError(
            f"the recipe has options that {method} does not know ({', '.join(sorted(strange))}): "
            "was it made by a newer convscope?"
        )


@contextmanager
def _threads(wanted: Any) -> Iterator[None]:
    """Work with this many threads: how sums are split among them shows in their last bits."""
    before = torch.get_num_threads()
    if isinstance(wanted, int) and 1 <= wanted <= (os.cpu_count() or 1):
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


def _network(recipe: Recipe, net: Network | None, trust: bool, device: str | None) -> Network:
    source = recipe.network.get("source")
    if net is None:
        if not source:
            raise ResultError(
                f"the network {recipe.network.get('name')!r} was a live module: give it with replay(..., net=...)"
            )
        if device is None and str(recipe.machine.get("device", "cpu")).startswith("cuda"):
            if not torch.cuda.is_available():
                raise ResultError(
                    "this was made on a graphics card, and there is none: --device cpu (device='cpu') makes it here, "
                    "though not to the bit"
                )
            device = str(recipe.machine["device"])
        try:
            options = dict(recipe.network.get("options", {}))
            net = load_model(source, input=_spec(recipe), trust=trust, device=device, **options)
        except (TypeError, KeyError) as error:
            raise ResultError(f"the recipe's network cannot be read ({error})") from None
    else:
        _check_contract(recipe, net)
    wanted = recipe.network.get("weights_sha256")
    if net.weights_hash() != wanted:
        raise ResultError(
            f"the weights of {net.name} are not those of the recipe (SHA-256 {net.weights_hash()[:12]}…, "
            f"expected {str(wanted)[:12]}…)"
        )
    return net


def _check_contract(recipe: Recipe, net: Network) -> None:
    """Raises ResultError where a network that was given takes its pictures otherwise than the recipe's."""
    now = json.loads(json.dumps(net.spec.describe()))
    was = recipe.network.get("input", {})
    other = sorted(name for name in now if name in was and now[name] != was[name])
    if other:
        told = ", ".join(f"{name} {now[name]}, then {was[name]}" for name in other)
        raise ResultError(f"the network given takes its input otherwise than that of the recipe: {told}")


def _spec(recipe: Recipe) -> InputSpec:
    known = {field.name for field in fields(InputSpec)}
    told: dict[str, Any] = {key: value for key, value in recipe.network["input"].items() if key in known}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    return InputSpec(**values)


def _inputs(recipe: Recipe, path: Path, image: ImageLike | None, net: Network) -> Inputs:
    """The pictures of the recipe, by the name of the argument that takes them: given, where they were, or beside the
    result; the same to the byte."""
    found: Inputs = {}
    for name, records in recipe.inputs.items():
        if name == "image":
            found[name] = _picture(recipe, records, path, image, net)
        else:
            found[name] = [_picture(recipe, record, path, None, net, name) for record in records]
    return found


def _picture(
    recipe: Recipe, record: Any, path: Path, image: ImageLike | None, net: Network, name: str = "image"
) -> ImageLike | Photograph:
    if image is None:
        told = record.get("path") if isinstance(record, dict) else None
        places = [Path(told), path.parent / Path(told).name] if told else []
        image = next((place for place in places if place.is_file()), None)
        if image is None and name == "image":
            raise ResultError(f"the photograph {told or 'of the recipe'} is not here: give it with --image (image=...)")
        if image is None and told is None:
            raise ResultError(f"a picture of this result ({name}) was no file: make it again in Python")
        if image is None:
            raise ResultError(f"the picture {told} ({name}) is not here: put it beside the result")
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        raise ResultError(f"the recipe in {str(path)!r} does not say which photograph it is of")
    found = net.photograph(image).record["sha256"]
    if found != record["sha256"]:
        raise ResultError(
            f"the photograph is not that of the recipe (SHA-256 {found[:12]}…, expected {record['sha256'][:12]}…)"
        )
    if name != "image" or "fit" not in recipe.options or _VERBS[recipe.method].whole:
        return image
    # The recipe of the replay is that of the original, wherever the photograph lies now.
    return replace(net.photograph(image, fit=recipe.options["fit"]), record=record)

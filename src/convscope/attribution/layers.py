"""The layer that a method looks at: the recommended one for an objective, and checks of one that is named."""

import torch
from torch import Tensor

from convscope.errors import InputError, NotFiniteError
from convscope.models.network import Network
from convscope.models.recommended_layer import Recommended
from convscope.objectives.expression import Objective
from convscope.taps.tap import SCORES_TAP


def recommended_for(net: Network, objective: Objective | None) -> Recommended:
    """The layer at which to explain an objective; of one that reads layers alone, a layer before the last of these."""
    whole = net.recommendation()
    if objective is None or SCORES_TAP in objective.taps() or comes_before(net, whole.layer.name, objective):
        return whole
    try:
        return net.recommendation(_read_by(objective))
    except InputError:
        own = [net.layer(name) for name in _read_by(objective) if net.layer(name).is_map]
        if not own:
            raise
        return Recommended(own[-1], f"no layer with positions lies before {own[-1].name!r}: the map is its own")


def layer_for(net: Network, objective: Objective | None, layer: str | None) -> str:
    """The layer to look at: the one that is named, checked, or the recommended one.

    Raises InputError where it has no positions, or where the objective reads only layers that lie before it.
    """
    name = net.layer(layer).name if layer else recommended_for(net, objective).layer.name
    check_has_positions(net, name)
    if layer and objective is not None and SCORES_TAP not in objective.taps():
        _check_depends(net, name, objective)
    return name


def _check_depends(net: Network, layer: str, objective: Objective) -> None:
    """Raises InputError for an objective that reads layers which all lie before the one that is looked at."""
    places = _places(net)
    last = max((name for name in _read_by(objective) if name in places), key=lambda name: places[name], default=None)
    if last is not None and places.get(layer, 0) > places[last]:
        raise InputError(
            f"the method looks at {layer!r}, which {objective} does not depend on: give an earlier layer, such as "
            f"layer={last}"
        )


def _places(net: Network) -> dict[str, int]:
    """Where each layer stands in the order of the forward pass."""
    return {layer.name: i for i, layer in enumerate(net.layers(inner=True))}


def _read_by(objective: Objective) -> list[str]:
    return sorted(tap.layer for tap in objective.taps() if tap != SCORES_TAP)


def comes_before(net: Network, layer: str, objective: Objective) -> bool:
    """Whether a layer is completed before the last of those that an objective reads."""
    places = _places(net)
    return places[layer] < max((places[name] for name in _read_by(objective) if name in places), default=len(places))


def check_has_positions(net: Network, layer: str) -> None:
    """Raises InputError where a layer has no positions."""
    result = net.layer(layer)
    if not result.is_map:
        raise InputError(
            f"the layer {layer!r} has no positions (its output is {'x'.join(map(str, result.shape))}); choose one with "
            f"a map, such as {net.recommended_layer().name!r}"
        )


def check_activations(activations: Tensor, layer: str) -> None:
    """Raises NotFiniteError where a layer gives infinite values, or none."""
    if not bool(torch.isfinite(activations).all()):
        raise NotFiniteError(f"the layer {layer!r} gives values that are not finite (NaN or infinite)")

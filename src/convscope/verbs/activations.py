"""`convscope.activations`: what each layer answers to a photograph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch

from convscope.errors import InputError
from convscope.inspection.statistics import channel_statistics
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.layers import Layer
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.reference import NetworkRef
from convscope.models.usual_layers import named_layers
from convscope.options import About, check_given
from convscope.results.activations import Activations
from convscope.taps.record import record
from convscope.verbs.calls import recipe_of
from convscope.verbs.verb import verb

Scale = Literal["channel", "shared"]


@memory_watched("activations")
@verb
def activations(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    layers: Annotated[
        Sequence[str] | str | None, About("names, or patterns such as blocks.*.project", unset="all")
    ] = None,
    *,
    channels: Annotated[Sequence[int] | None, About("channels to keep", unset="all")] = None,
    scale: Annotated[Scale, About("what is brightest: each channel's own maximum, or the layer's")] = "channel",
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
) -> Activations:
    """The activations of layers on one photograph, every channel.

    layers: names, or patterns such as `blocks.*.project`; all layers that do not only group others, the input
    included, unless named. The forward pass stops after the last of them.

    Returns arrays `c h w`, one per layer (float32, unscaled; vectors have h = w = 1), and per channel the mean, the
    maximum, where it is, the pixels that it sees (`box`: top, left, bottom, right; None where that is not known) and
    the share of zeros. Raises UnknownNameError for a layer that is not there.
    """
    photograph = net.photograph(image, fit=fit)
    fit = photograph.record.get("fit", fit)  # of a Photograph that was given ready
    record_of = recording_activations(net, layers, channels=channels, scale=scale, fit=fit)
    return record_of([photograph])[0]


def recording_activations(
    net: Network,
    layers: Sequence[str] | str | None = None,
    *,
    channels: Sequence[int] | None = None,
    scale: Scale = "channel",
    fit: Fit = "crop",
) -> Callable[[Sequence[Photograph]], list[Activations]]:
    """`activations` for batches of pictures that are open: one forward pass for all.

    Raises what `activations` would for its arguments.
    """
    check_given(activations, {"scale": scale, "fit": fit})
    chosen = named_layers(net.layers(inner=True), layers)
    kept = {layer.name: _kept(layer, layer.channels, channels) for layer in chosen}
    options = {
        "layers": [layer.name for layer in chosen],
        "fit": fit,
        "channels": None if channels is None else list(channels),
        "scale": scale,
    }
    notes = _left_out(net) if layers is None else ()

    def recorded(photographs: Sequence[Photograph]) -> list[Activations]:
        pictures = torch.cat([photograph.tensor() for photograph in photographs]).to(net.device)
        with torch.no_grad():
            recording = record(net, pictures, [layer.name for layer in chosen])
        results, told = [], [NetworkRef.of(net)]
        for i, photograph in enumerate(photographs):
            arrays: dict[str, np.ndarray] = {}
            facts: dict[str, Any] = {}
            for layer in chosen:
                maps = recording[layer.name][i].float()[kept[layer.name]]
                arrays[layer.name] = maps.cpu().numpy().copy()
                statistics = channel_statistics(maps)
                boxes = [layer.sees(row, column, net.spec.hw) for row, column in statistics["where"]]
                facts[layer.name] = {"kind": layer.kind, "channels": kept[layer.name], **statistics, "box": boxes}
            results.append(
                Activations(
                    arrays,
                    dict.fromkeys(arrays, ("c", "h", "w")),
                    recipe_of(
                        "activations",
                        net,
                        options,
                        {"image": photograph},
                        notes=(*notes, *_odd(arrays)),
                        references=told,
                        batch=len(photographs),
                    ),
                    {"scale": scale, "layers": facts},
                )
            )
        return results

    return recorded


def _left_out(net: Network) -> tuple[str, ...]:
    """A note on the layers that cannot be shown as channels."""
    odd = [layer.name for layer in net.layers() if not layer.container and layer.layout is None]
    return (f"left out, as the axes of their outputs are unknown: {', '.join(odd)}",) if odd else ()


def _odd(arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """A note on the layers that give infinite values, or none."""
    odd = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    return (f"these layers give values that are not finite (NaN or infinite): {', '.join(odd)}",) if odd else ()


def _kept(layer: Layer, count: int, channels: Sequence[int] | None) -> list[int]:
    if channels is None:
        return list(range(count))
    if not channels:
        raise InputError("channels is empty; expected at least one number, or None for all")
    wrong = [channel for channel in channels if not 0 <= channel < count]
    if wrong:
        raise InputError(f"channel {wrong[0]} is not in {layer.name!r}; its channels are 0 to {count - 1}")
    return [int(channel) for channel in channels]

"""A network that tells other classes apart: its last layer with weights, replaced by a new one."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError, NetworkError
from convscope.models.adapter import Adapter
from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.runner import StopForward
from convscope.models.state_files import seeded


@dataclass(frozen=True)
class Head:
    """The last layer with weights: the name of its module, and how many numbers it is given for a picture; None where
    these are no vector."""

    module: str
    inputs: int | None


def head_of(net: Network) -> Head:
    """The layer that gives the class scores. Raises InputError where there is none, or several modules share in it."""
    for layer in reversed(net.layers()):
        if layer.container or not layer.parameters or not layer.module:
            continue
        kernel = net.kernel(layer.module)
        counts = (net.classes, 1) if net.classes == 2 else (net.classes,)  # two labels may name one score
        if kernel is None or kernel.shape[0] not in counts or layer.shape[:1] != kernel.shape[:1] or layer.is_map:
            break
        if layer.call:
            break
        return Head(layer.module, kernel.shape[1] if kernel.ndim == 2 else None)
    raise InputError(f"the last layer of {net.name} does not give the class scores by itself: it cannot be replaced")


def features(net: Network, head: Head, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
    """What the last layer is given for pictures in [0,1]."""
    seen: list[Tensor] = []

    def listen(inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(inputs[0].detach().clone())
        raise StopForward

    with torch.no_grad():
        net.run(pictures, {head.module: listen})
    if not seen or seen[0].ndim != 2 or len(seen[0]) != len(pictures):
        raise InputError(f"what the last layer of {net.name} is given is no vector for each picture")
    return seen[0].float()


def with_classes(net: Network, labels: Labels, seed: int) -> Network:
    """A copy of the network with a new last layer, drawn from a seed, for these classes; the network is left alone.

    Raises InputError and NetworkError where it has no last layer that can be replaced.
    """
    head = head_of(net)
    try:
        with seeded(seed), warnings.catch_warnings(action="ignore"):  # Keras warns of how NumPy copies
            adapter: Adapter = net.adapter.with_head(head.module, len(labels.names))
    except (InputError, NetworkError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise NetworkError(
            f"the last layer of {net.name} cannot be replaced ({type(error).__name__}: {text})"
        ) from error
    return Network(adapter, name=net.name, spec=net.spec, labels=labels, output=net.output, note=net.note)

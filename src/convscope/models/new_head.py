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

TRIED = 6
"""Of the layers with weights, how many from the end may be the one that gives the scores."""
CLOSE, ROUNDING, ROUNDING_IN_HALF = 0.2, 1e-5, 0.05
"""How near differences of scores are that are the same; and what a sum rounds, in 32 bits and in 16."""


@dataclass(frozen=True)
class Head:
    """The last layer with weights: the name of its module, and how many numbers it is given for a picture; None where
    these are no vector."""

    module: str
    inputs: int | None


def head_of(net: Network) -> Head:
    """The layer that gives the class scores.

    Raises InputError where there is none: no layer fits, several share in the scores, or something is done to them.
    """
    counts = (net.classes, 1) if net.classes == 2 else (net.classes,)  # two labels may name one score
    own = [layer for layer in net.layers() if layer.parameters and layer.module and not layer.container]
    for layer in own[: -TRIED - 1 : -1]:
        kernel = net.kernel(layer.module)
        if kernel is None or kernel.shape[0] not in counts or layer.shape[:1] != kernel.shape[:1] or layer.is_map:
            continue
        head = Head(layer.module, kernel.shape[1] if kernel.ndim == 2 else None)
        if not layer.call and _gives_the_scores(net, head, kernel):
            return head
    raise InputError(
        f"the last layer of {net.name} does not give the class scores by itself (several may share in "
        "them, or something is done to what it gives): it cannot be replaced"
    )


def _gives_the_scores(net: Network, head: Head, kernel: Tensor) -> bool:
    """Whether scores differ between two pictures of noise as what the layer is given says, times its weights; up to
    what is the same for all classes, which a softmax leaves out."""
    noise = torch.rand((2, net.spec.channels, *net.spec.hw), generator=torch.Generator().manual_seed(0))
    pictures = [noise[i : i + 1].to(net.device, net.dtype) for i in range(2)]
    with torch.no_grad():
        scores = torch.cat([net.scores(net.run(one), 1).float() for one in pictures])
        try:
            given = torch.cat([_given(net, head, one) for one in pictures])
        except InputError:
            return False
        found = given @ kernel.float().flatten(1).T
    moved, expected = (values[0] - values[1] for values in (scores, found))
    moved = moved[-len(expected) :]
    if moved.shape != expected.shape:
        return False
    half = not _exact(scores)
    near = max(
        CLOSE * float(torch.cat([moved, expected]).abs().max()),
        (ROUNDING_IN_HALF if half else ROUNDING) * float(scores.abs().max()),
    )
    centred = len(expected) > 1 and torch.allclose(moved - moved.mean(), expected - expected.mean(), atol=near, rtol=0)
    return centred or torch.allclose(moved, expected, atol=near, rtol=0)


def _exact(scores: Tensor) -> bool:
    """Whether scores hold more than 16 bits can."""
    return not torch.equal(scores, scores.bfloat16().float()) and not torch.equal(scores, scores.half().float())


def _given(net: Network, head: Head, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
    """What the layer is given, as one vector for each picture."""
    if head.inputs is not None:
        return features(net, head, pictures)
    seen: list[Tensor] = []
    net.run(pictures, {head.module: lambda inputs, output: seen.append(inputs[0].detach().clone())})
    if not seen or seen[0].ndim != 4 or seen[0].shape[2:] != (1, 1):
        raise InputError(f"what the last layer of {net.name} is given is no vector for each picture")
    return seen[0].float().flatten(1)


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


def with_classes(net: Network, labels: Labels, seed: int, head: Head | None = None) -> Network:
    """A copy of the network with a new last layer, drawn from a seed, for these classes; the network is left alone.

    head: of the network, where it is known.

    Raises InputError and NetworkError where it has no last layer that can be replaced.
    """
    head = head or head_of(net)
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
    return Network(
        adapter, name=net.name, spec=net.spec, labels=labels, output=net.output, note=net.note, aliases=net.aliases
    )

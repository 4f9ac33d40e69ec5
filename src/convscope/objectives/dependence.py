"""Why an objective has no gradient: it does not depend on what it was asked for, or the network cuts the gradient."""

import torch
from torch import Tensor

from convscope.errors import ConvscopeError, InputError, NetworkError, NotFiniteError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.taps.record import Recording, record
from convscope.taps.tap import Tap


def no_gradient(net: Network, images: Tensor, objective: Objective, tap: Tap | None = None) -> ConvscopeError:
    """The error that says why. tap: the layer whose gradient was asked for; the picture's, unless given."""
    where = "the picture" if tap is None else f"the layer {str(tap)!r}"
    if _depends(net, images.detach()[:1], objective, tap):
        return NetworkError(
            f"no gradient of {objective} reaches {where}, though it depends on it: {net.name} cuts the gradient "
            "(torch.no_grad(), detach(), checkpointing with use_reentrant=True, or an operation without one, such as "
            "argmax or rounding)"
        )
    instead = "choose an earlier layer" if tap is not None else "choose another target"
    return InputError(f"{objective} does not depend on {where}: {instead}")


def unlike(image: Tensor) -> Tensor:
    """A picture of noise that differs from the one given in every pixel, by at least a quarter."""
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(0)).to(image)
    return (image + 0.25 + 0.5 * noise) % 1


def check_finite(gradient: Tensor, objective: Objective) -> None:
    """Raises NotFiniteError for a gradient that is infinite, or no number, somewhere."""
    if not bool(torch.isfinite(gradient).all()):
        raise NotFiniteError(
            f"the gradient of {objective} is not finite: somewhere the network divides by zero, takes a root of zero, "
            "or has values that are NaN or infinite"
        )


@torch.no_grad()
def _depends(net: Network, image: Tensor, objective: Objective, tap: Tap | None) -> bool:
    """Whether the objective's value changes with the picture, or with what the layer gives."""
    taps = sorted(objective.taps())
    clean = record(net, image, taps) if taps else Recording(net, {}, image)
    if tap is None:
        other = record(net, unlike(image), taps) if taps else Recording(net, {}, unlike(image))
    else:
        other = record(net, image, taps, replaced={tap: record(net, unlike(image), [tap])[tap]})
    values = [
        objective.value(Recording(net, result, result.images, companion=clean)) for result in (clean, other)
    ]  # some objectives compare with a photograph
    return not torch.equal(*values)

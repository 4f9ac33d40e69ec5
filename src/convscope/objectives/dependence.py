"""Why an objective has no gradient: it does not depend on what it was asked for, or the network cuts the gradient."""

import torch
from torch import Tensor

from convscope.errors import ConvscopeError, InputError, NetworkError
from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.taps.record import record
from convscope.taps.tap import Tap


def no_gradient(net: Network, images: Tensor, objective: Objective, tap: Tap | None = None) -> ConvscopeError:
    """The error that says why. tap: the layer whose gradient was asked for; the picture's, unless given."""
    where = "the picture" if tap is None else f"the layer {str(tap)!r}"
    if _depends(net, images.detach()[:1], objective, tap):
        return NetworkError(
            f"no gradient of {objective} reaches {where}, though it depends on it: {net.name} cuts the gradient "
            "(torch.no_grad(), detach(), or an operation without one, such as argmax or rounding)"
        )
    instead = "choose an earlier layer" if tap is not None else "there is nothing to explain"
    return InputError(f"{objective} does not depend on {where}: {instead}")


OTHER = 7919
"""The seed of a picture that is not likely to be the one that is asked about."""


@torch.no_grad()
def _depends(net: Network, image: Tensor, objective: Objective, tap: Tap | None) -> bool:
    """Whether the objective's value changes with the picture, or with what the layer gives."""
    taps = sorted(objective.taps())
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(OTHER)).to(image)
    if tap is None:
        values = [objective.value(record(net, one, taps)) for one in (image, noise)]
    else:
        other = record(net, noise, [tap])[tap]
        values = [
            objective.value(record(net, image, taps)),
            objective.value(record(net, image, taps, replaced={tap: other})),
        ]
    return not torch.equal(*values)

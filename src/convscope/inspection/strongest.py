"""The channels that a photograph excites."""

from jaxtyping import Float
from torch import Tensor


def strongest_channels(maps: Float[Tensor, "c h w"], blank: Float[Tensor, "c h w"], count: int) -> list[int]:
    """The channels whose mean answer exceeds most what a blank picture gives; strongest first.

    Comparing with a blank picture leaves out channels that answer to anything. Channels whose mean answer is not
    above zero come last.
    """
    mean = maps.flatten(1).mean(1)
    excess = mean - blank.flatten(1).mean(1)
    reach = excess.max() - excess.min() + 1
    order: list[int] = (excess - reach * (mean <= 0)).argsort(descending=True, stable=True)[:count].tolist()
    return order

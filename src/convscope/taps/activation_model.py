"""A layer's or a channel's output as a function of pictures, for one's own code."""

from collections.abc import Callable

from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.taps.record import record


def activation_model(net: Network, layer: str, channel: int | None = None) -> Callable[[Tensor], Tensor]:
    """A function from pictures (`b c h w` in [0,1]) to what a layer makes of them.

    Without `channel` it gives `b c h w`, with one `b h w`. Gradients flow back to the pictures where they ask for
    them; the pass stops at the layer, and the network is left as it was found at each call.

    Raises UnknownNameError for a layer that is not there, InputError for a channel.
    """
    channels = net.layer(layer).channels
    if channel is not None and not 0 <= channel < channels:
        raise InputError(f"channel {channel} is not in {layer!r}; its channels are 0 to {channels - 1}")

    def model(images: Tensor) -> Tensor:
        maps = record(net, images, [layer])[layer]
        return maps if channel is None else maps[:, channel]

    return model

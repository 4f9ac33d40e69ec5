"""The learned weights of layers."""

from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network


def kernel_of(net: Network, layer: str) -> Float[Tensor, "o i kh kw"]:
    """The weights of a layer, `out in kh kw`; those of a dense layer have kh = kw = 1.

    Raises InputError for a layer that has no such weights, naming some that have.
    """
    module = net.layer(layer).module
    kernel = net.kernel(module)
    if kernel is None:
        raise InputError(
            f"the layer {layer!r} ({net.layer(layer).kind}) has no kernels; layers that have: "
            f"{', '.join(layers_with_kernels(net)[:8])}, ..."
        )
    return kernel if kernel.ndim == 4 else kernel[:, :, None, None]


def layers_with_kernels(net: Network) -> list[str]:
    """The layers whose weights can be shown, first to last."""
    return [layer.name for layer in net.layers() if not layer.container and net.kernel(layer.module) is not None]


def sees_colours(net: Network, layer: str) -> bool:
    """Whether a layer's input channels are the red, green and blue of the picture."""
    first = next(iter(layers_with_kernels(net)), None)
    return first == layer and net.spec.channels == 3

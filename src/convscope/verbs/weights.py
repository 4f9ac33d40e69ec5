"""`convscope.weights`: what a layer has learned."""

from typing import Annotated

from convscope.inspection.kernels import kernel_of, sees_colours
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.options import About
from convscope.results.weights import Weights
from convscope.verbs.calls import recipe_of
from convscope.verbs.verb import verb


@memory_watched("weights")
@verb
def weights(net: Network, layer: Annotated[str, About("a layer with kernels")]) -> Weights:
    """The learned weights of a layer.

    Returns the array `weights` (`out in kh kw`, float32, in the network's own channel order; dense layers have
    kh = kw = 1). A first layer's kernels are shown as red, green and blue whatever order the network takes them in.

    Raises UnknownNameError for a layer that is not there, InputError for one without kernels.
    """
    kernel = kernel_of(net, layer).float().cpu()
    colour = sees_colours(net, layer) and kernel.shape[1] == 3
    facts = {"layer": layer, "kind": net.layer(layer).kind, "colour": colour, "order": net.spec.order}
    return Weights(
        {"weights": kernel.numpy().copy()},
        {"weights": ("out", "in", "kh", "kw")},
        recipe_of("weights", net, {"layer": layer}),
        facts,
    )

"""Record what flows through named layers, in one pass that stops after the last of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from dataclasses import replace as dataclass_with
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.models.failures import backward_watched
from convscope.models.folding import PLAIN, Folding
from convscope.models.layers import Layer, ports
from convscope.models.network import Network
from convscope.models.runner import Listener, StopForward
from convscope.taps.tap import SCORES_TAP, Tap, ensure_tap


class ByTap(dict[Tap, Tensor]):
    """Tensors by tap; a layer's name does as well."""

    def __missing__(self, name: "Tap | str") -> Tensor:
        if isinstance(name, Tap):
            raise KeyError(name)
        return self[Tap(name)]


class Recording(Mapping[Tap, Tensor]):
    """What was recorded in one pass: for each tap a tensor `b c h w` (vectors as `b c 1 1`; scores as `b k`).

    images: the pictures that the network saw, in [0,1]. pictures: the `n` pictures being made, where `images` are
    `n*views` augmented views of them (crops, say), those of one picture adjacent. batch: for the slice of one picture,
    the full recording and the picture's index in it. companion: what was recorded for a photograph that the pictures
    are compared with, through the same views. guides: masks through the same views, `g*views c h w`; the network did
    not see them. means: for a slice, what was gathered over all pictures.
    """

    def __init__(
        self,
        net: Network,
        tensors: Mapping[Tap, Tensor],
        images: Tensor,
        pictures: Tensor | None = None,
        views: int = 1,
        batch: "tuple[Recording | None, int]" = (None, 0),
        companion: Mapping[Tap, Tensor] | None = None,
        guides: Tensor | None = None,
        means: Mapping[Any, Tensor] | None = None,
    ) -> None:
        self._net = net
        self._tensors = dict(tensors)
        self.images = images
        self.pictures = images if pictures is None else pictures
        self.views = views
        self.batch = batch
        self._companion = companion or {}
        self.guides = guides
        self.means = means or {}

    def __getitem__(self, tap: "Tap | str") -> Tensor:
        return self._tensors[ensure_tap(tap)]

    def __iter__(self) -> Any:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    @property
    def scores(self) -> Float[Tensor, "b k"]:
        """The class scores (logits). Raises InputError where they were not recorded."""
        if SCORES_TAP not in self._tensors:
            raise InputError("the class scores were not recorded: name 'scores' among the layers")
        return self._tensors[SCORES_TAP]

    @property
    def probabilities(self) -> Float[Tensor, "b k"]:
        """What the network makes of the scores: their softmax, or sigmoids."""
        return self._net.probabilities(self.scores)

    def gradients(self, values: Tensor, taps: "Iterable[Tap | str] | None" = None) -> "ByTap":
        """The gradient of the sum of `values` with respect to tensors recorded with gradients=True.

        taps: which of them; all but the scores unless named. The result is asked by tap or by name. What `values` do
        not depend on is left out. The graph is kept, so that it may be asked again.
        """
        wanted = [ensure_tap(tap) for tap in taps] if taps else [tap for tap in self if tap != SCORES_TAP]
        if not values.requires_grad:
            return ByTap()
        tensors = [self._tensors[tap] for tap in wanted]
        with backward_watched(self._net.name):
            result = torch.autograd.grad(values.sum(), tensors, retain_graph=True, allow_unused=True)
        return ByTap((tap, gradient) for tap, gradient in zip(wanted, result, strict=True) if gradient is not None)

    def picture(self, index: int) -> "Recording":
        """The part of the recording that belongs to one picture (with all its views)."""
        rows = slice(index * self.views, (index + 1) * self.views)
        tensors = {tap: tensor[rows] for tap, tensor in self._tensors.items()}
        picture = self.pictures[index : index + 1]
        return Recording(
            self._net,
            tensors,
            self.images[rows],
            picture,
            self.views,
            (self, index),
            self._companion,
            guides=self.guides,
            means=self.means,
        )

    def guide(self, index: int, size: tuple[int, int]) -> Float[Tensor, "views 1 h w"]:
        """A guide through the views, at the size of a map."""
        if self.guides is None:
            raise InputError("an objective asks for a mask, and none was given")
        rows = self.guides[index * self.views : (index + 1) * self.views, :1]
        return F.adaptive_avg_pool2d(rows, size)

    def companion(self, tap: "Tap | str") -> Tensor | None:
        """What was recorded for the photograph to compare with, through the views of this picture; None without."""
        return self._companion.get(ensure_tap(tap))

    def per_picture(self, values: Float[Tensor, " b"]) -> Float[Tensor, " n"]:
        """One value per picture: the mean over its views."""
        return values.reshape(-1, self.views).mean(1)


def record(
    net: Network,
    images: Float[Tensor, "b c h w"],
    taps: Iterable["Tap | str"],
    *,
    gradients: bool = False,
    replaced: "Mapping[Tap, Tensor] | None" = None,
    folding: Folding = PLAIN,
    branches: float = 1.0,
) -> Recording:
    """Run pictures in [0,1] through the network and keep what flows through the taps.

    The pass stops after the last tap, so looking at an early layer does not pay for the late ones. What is kept is
    safe from operations that work in place later on. Gradients with respect to the pictures are recorded where the
    caller has them on and the pictures ask for them; the network's own parameters never do.

    gradients: keep the tapped tensors so that Recording.gradients can tell the gradient of anything later with
    respect to them. The graph then begins at the first of them: nothing below is entered on the way back.

    replaced: by tap, tensors `b c h w` that flow on from there in place of the network's own.

    folding: the batch norms to fold, from Network.folding, which gives the same to rounding. branches: how much of the
    gradient will go back through residual branches.

    Raises UnknownNameError for a layer that is not there. The network is left as it was found, whatever happens.
    """
    wanted = [ensure_tap(tap) for tap in taps]
    if not wanted:
        raise InputError("nothing to record: name at least one layer")
    changed = dict(replaced or {})
    if net.takes_one and len(images) > 1 and not gradients and not changed:
        return _one_by_one(net, images, wanted, folding, branches)
    layers = {tap: tap.resolve(net) for tap in [*wanted, *changed] if tap != SCORES_TAP}
    for layer in layers.values():
        check_axes(layer)
    whole = SCORES_TAP in wanted
    kept: dict[Tap, Tensor] = {}

    def finished() -> bool:
        return not whole and len(kept) == len(layers)

    by_module: dict[str, dict[Tap, Layer]] = {}
    for tap, layer in layers.items():
        by_module.setdefault(layer.module, {})[tap] = layer
    scale = (images.shape[-2] / net.spec.height, images.shape[-1] / net.spec.width)
    listeners = {
        module: _listener(group, len(images), scale, kept, finished, gradients, changed)
        for module, group in by_module.items()
    }
    wanted_on = torch.is_grad_enabled() or gradients  # asked before: leaving inference mode switches gradients on
    with torch.inference_mode(False), torch.set_grad_enabled(wanted_on):
        output = net.run(images, listeners, folding=folding, branches=branches)
        missing = [str(tap) for tap in layers if tap not in kept]
        if missing:
            raise InputError(f"the layers {', '.join(missing)} did not run for this picture")
        if whole:
            kept[SCORES_TAP] = net.scores(output, len(images))
    return Recording(net, {tap: kept[tap] for tap in wanted}, images)


def _one_by_one(net: Network, images: Tensor, taps: Iterable[Tap], folding: Folding, branches: float) -> Recording:
    """What `record` gives, for a network that takes one picture at once."""
    alone = [record(net, image, taps, folding=folding, branches=branches) for image in torch.split(images, 1)]
    return Recording(net, {tap: torch.cat([one[tap] for one in alone]) for tap in taps}, images)


def check_axes(layer: Layer) -> None:
    """Raises InputError for a layer whose output cannot be read as maps, tokens or vectors of pictures."""
    if layer.layout is None:
        told = "x".join(map(str, layer.shape)) or "one number"
        raise InputError(
            f"the axes of the layer {layer.name!r} are unknown (its output is {told} for each picture, which cannot be "
            "read as channels, or as channels and positions): choose another layer"
        )


def _listener(
    group: Mapping[Tap, Layer],
    count: int,
    scale: tuple[float, float],
    kept: dict[Tap, Tensor],
    finished: Callable[[], bool],
    gradients: bool,
    replaced: Mapping[Tap, Tensor],
) -> Listener:
    """Listen to one module for all the taps on it, counting its calls. count: of the pictures that are run. scale:
    their height and width in those of the network's input size."""
    call = -1

    def listen(inputs: Any, output: Any) -> Any:
        nonlocal call
        call += 1
        given = ports(output)
        changed = False
        for tap, layer in group.items():
            if layer.call != call or layer.port not in given:
                continue
            native, layout = given[layer.port], layer.layout
            assert layout is not None
            if tap in replaced:
                kept[tap] = replaced[tap]
                given[layer.port] = layout.write(kept[tap], native, scale).clone()
                changed = True
                continue
            maps = layout.read(_plain(native), count, layer.name, scale)
            if gradients and native.is_floating_point():
                kept[tap] = maps.clone() if maps.requires_grad else maps.detach().clone().requires_grad_()
                # A copy goes on, so that an operation in place cannot overwrite what is kept.
                given[layer.port] = layout.write(kept[tap], native, scale).clone()
                changed = True
            else:
                kept[tap] = maps  # counts as kept before `finished` is asked
                kept[tap] = maps if finished() else maps.clone()
        if finished():
            raise StopForward
        return rebuilt(output, given) if changed else None

    return listen


def _plain(tensor: Tensor) -> Tensor:
    """A layer's tensor as one of floats: quantised ones and whole numbers too."""
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor if tensor.is_floating_point() else tensor.float()


def rebuilt(output: Any, given: Mapping[int | str | None, Tensor]) -> Any:
    """A module's output with its tensors replaced by those of `given`; its kind is kept."""
    if isinstance(output, Tensor):
        return given[None]
    if isinstance(output, Mapping):
        changed = {key: given.get(str(key), value) for key, value in output.items()}
        return changed if type(output) is dict else type(output)(**changed)
    if is_dataclass(output) and not isinstance(output, type):
        return dataclass_with(output, **{str(name): value for name, value in given.items()})
    parts = [given.get(i, value) for i, value in enumerate(output)]
    return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)

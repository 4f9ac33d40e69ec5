"""What convscope needs to know of a framework's network. One adapter per framework; see models/sources."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

Squash = Literal["softmax", "sigmoid", "log_softmax", "log_sigmoid"]
"""What logits go through at the end of a network: probabilities come of it, or their logarithms."""


@runtime_checkable
class Adapter(Protocol):
    """A network of some framework, seen as named modules that can be hooked.

    A new framework is one class with these methods; nothing else in convscope knows which framework it is.
    """

    @property
    def root(self) -> nn.Module:
        """The network, whose parameters and modes are guarded."""

    @property
    def plain_modules(self) -> bool:
        """Whether attributes that a forward pass assigns are the network's own doing, and none of the framework's."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The framework's packages besides torch, whose versions a result may depend on."""

    def copied(self) -> "Adapter":
        """The same network again, with weights of its own."""

    def modules(self) -> Mapping[str, nn.Module]:
        """Every module that can be tapped, by the network's own name for it."""

    def changed(self) -> bool:
        """Whether modules were added, removed or replaced since."""

    def kind(self, name: str) -> str:
        """The class of a module, for people and for rules that tell pooling from computing."""

    def is_container(self, name: str) -> bool:
        """Whether a module only groups other modules of the list."""

    def is_inner(self, name: str) -> bool:
        """Whether a module is a part of a layer that is listed only where it is asked for."""

    def is_weight(self, name: str) -> bool:
        """Whether a parameter or buffer of that name (in any module's state dict) is learned or measured, and not the
        state of a random generator, which is another one at each load."""

    def forward(self, images: Tensor) -> Any:
        """Run preprocessed pictures `b c h w` through the network, in evaluation mode."""

    def native(self, images: Tensor) -> Any:
        """What the framework's own call for predictions answers to preprocessed pictures `b c h w`: to compare with."""

    def squashed(self, name: str, inputs: tuple[Any, ...]) -> tuple[Tensor, Squash] | None:
        """Where this module, given `inputs`, ends in a softmax or sigmoid, or the logarithm of one: the logits before
        it, and which of softmax and sigmoid it is."""

    def kernel(self, name: str) -> Tensor | None:
        """The learned weights of a module as `out in kh kw` (or `out in`); None where it has none."""

    def with_head(self, name: str, classes: int) -> "Adapter":
        """A copy whose module of that name, its last with weights, gives so many classes; it is drawn from torch's
        random state. Raises NetworkError where that cannot be."""

    def set_head(self, name: str, weight: Tensor, bias: Tensor | None) -> None:
        """Give that module, fully connected, its weights (`out in`) and its bias (`out`)."""

    @property
    def trains_whole(self) -> bool:
        """Whether all of the network can be trained by torch, and not its last layer alone."""

    @property
    def saved_as(self) -> str:
        """The ending of the file that `save` writes."""

    def save(self, path: Path, example: Tensor, card: str) -> None:
        """Write the network as a file that needs none of its code. example: preprocessed pictures. card: what convscope
        says of it, which goes into the file."""

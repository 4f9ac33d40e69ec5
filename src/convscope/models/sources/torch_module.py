"""Any torch.nn.Module as a network."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from convscope.models.adapter import Squash


class TorchAdapter:
    """A torch.nn.Module, with its own dotted names."""

    def __init__(self, module: nn.Module) -> None:
        self._root = module
        self._modules = {name: child for name, child in module.named_modules() if name}

    @property
    def root(self) -> nn.Module:
        return self._root

    def modules(self) -> Mapping[str, nn.Module]:
        return self._modules

    def is_container(self, name: str) -> bool:
        return next(self._modules[name].children(), None) is not None

    def forward(self, images: Tensor) -> Any:
        return self._root(images)

    def to_channels_first(self, name: str, tensor: Tensor) -> Tensor:
        return tensor

    def from_channels_first(self, name: str, tensor: Tensor) -> Tensor:
        return tensor

    def squashed(self, name: str, inputs: tuple[Any, ...]) -> tuple[Tensor, Squash] | None:
        if not inputs or not isinstance(inputs[0], Tensor):
            return None
        if isinstance(self._modules[name], nn.Softmax):
            return inputs[0], "softmax"
        return (inputs[0], "sigmoid") if isinstance(self._modules[name], nn.Sigmoid) else None

    def kernel(self, name: str) -> Tensor | None:
        module = self._modules[name]
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim not in (2, 4):
            return None
        weight = weight.detach()
        return weight.transpose(0, 1) if isinstance(module, nn.ConvTranspose2d) else weight

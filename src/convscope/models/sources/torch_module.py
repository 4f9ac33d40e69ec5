"""Any torch.nn.Module as a network."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from convscope.models.adapter import Squash


class TorchAdapter:
    """A torch.nn.Module, with its own dotted names."""

    def __init__(self, module: nn.Module) -> None:
        self._root = module
        self._modules = _named(module)
        self._held = [(part, list(part._modules.values())) for part in module.modules()]

    @property
    def root(self) -> nn.Module:
        return self._root

    @property
    def plain_modules(self) -> bool:
        return True

    @property
    def packages(self) -> tuple[str, ...]:
        return ()

    def copied(self) -> "TorchAdapter":
        return TorchAdapter(copy.deepcopy(self._root))

    def modules(self) -> Mapping[str, nn.Module]:
        return self._modules

    def changed(self) -> bool:
        return any(list(module._modules.values()) != held for module, held in self._held)

    def is_container(self, name: str) -> bool:
        return next(_children(self._modules[name]), None) is not None

    def is_weight(self, name: str) -> bool:
        return True

    def forward(self, images: Tensor) -> Any:
        return self._root(images)

    def squashed(self, name: str, inputs: tuple[Any, ...]) -> tuple[Tensor, Squash] | None:
        if not inputs or not isinstance(inputs[0], Tensor):
            return None
        module = self._modules[name]
        if isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmax2d):
            return inputs[0], "softmax"
        return (inputs[0], "sigmoid") if isinstance(module, nn.Sigmoid | nn.LogSigmoid) else None

    def kernel(self, name: str) -> Tensor | None:
        module = self._modules[name]
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim not in (2, 4):
            return None
        weight = weight.detach()
        return weight.transpose(0, 1) if isinstance(module, nn.ConvTranspose2d) else weight


def _children(module: nn.Module) -> Iterator[nn.Module]:
    """The modules inside, but for what only computes weights."""
    inside = getattr(module, "parametrizations", None) if parametrize.is_parametrized(module) else None
    return (child for child in module.children() if child is not inside)


def _named(module: nn.Module) -> dict[str, nn.Module]:
    """Every module by its dotted name, but for what only computes weights; one that is there twice, once."""
    hidden: set[int] = set()
    for part in module.modules():
        if parametrize.is_parametrized(part):
            hidden |= {id(inner) for inner in part.parametrizations.modules()}  # type: ignore[union-attr]
    return {name: child for name, child in module.named_modules() if name and id(child) not in hidden}

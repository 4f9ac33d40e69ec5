"""Any torch.nn.Module as a network."""

import copy
import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from convscope.errors import ConvscopeError, InputError, NetworkError
from convscope.models.adapter import Squash
from convscope.models.card import CARD
from convscope.models.network import Network
from convscope.models.runner import Runner
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec
from convscope.models.stated import Stated


class TorchAdapter:
    """A torch.nn.Module, with its own dotted names. packages: those besides torch that its code comes from."""

    def __init__(self, module: nn.Module, packages: tuple[str, ...] = ()) -> None:
        self._root = module
        self._packages = packages
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
        return self._packages

    def copied(self) -> "TorchAdapter":
        return TorchAdapter(copy.deepcopy(self._root), self._packages)

    def modules(self) -> Mapping[str, nn.Module]:
        return self._modules

    def changed(self) -> bool:
        return any(list(module._modules.values()) != held for module, held in self._held)

    def kind(self, name: str) -> str:
        return type(self._modules[name]).__name__

    def is_container(self, name: str) -> bool:
        return next(_children(self._modules[name]), None) is not None

    def is_inner(self, name: str) -> bool:
        return False

    def is_weight(self, name: str) -> bool:
        return True

    def forward(self, images: Tensor) -> Any:
        return self._root(images)

    def native(self, images: Tensor) -> Any:
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

    def with_head(self, name: str, classes: int) -> "TorchAdapter":
        if any(isinstance(part, torch.jit.ScriptModule) for part in self._root.modules()):
            raise NetworkError("the network has scripted or traced parts, which cannot be copied to be trained")
        copied = self.copied()
        parent, _, last = name.rpartition(".")
        holder = copied.root.get_submodule(parent)
        old = getattr(holder, last)
        has_bias = getattr(old, "bias", None) is not None
        new: nn.Module
        if isinstance(old, nn.Linear):
            new = nn.Linear(old.in_features, classes, has_bias)
        elif isinstance(old, nn.Conv2d) and old.kernel_size == (1, 1):
            new = nn.Conv2d(old.in_channels, classes, 1, bias=has_bias)
        else:
            raise NetworkError(f"the last layer {name!r} is a {self.kind(name)}; expected a fully connected one")
        parameter = next(old.parameters())
        setattr(holder, last, new.to(parameter.device, parameter.dtype))
        return type(self)(copied.root, self._packages)

    def set_head(self, name: str, weight: Tensor, bias: Tensor | None) -> None:
        head = self._modules[name]
        with torch.no_grad():
            head.weight.copy_(weight)  # type: ignore[operator]
            if bias is not None:
                head.bias.copy_(bias)  # type: ignore[operator]

    @property
    def trains_whole(self) -> bool:
        return True

    @property
    def saved_as(self) -> str:
        return ".pt2"

    def save(self, path: Path, example: Tensor, card: str) -> None:
        batch = ({0: torch.export.Dim("batch", min=1)},)
        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            program = torch.export.export(self._root.eval(), (example,), dynamic_shapes=batch)
            whole = io.BytesIO()  # a file's own name, here a temporary one, would become part of what is in it
            torch.export.save(program, whole, extra_files={CARD: card})
            path.write_bytes(whole.getbuffer())


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


USUAL_SIZES = (224, 32, 28, 64, 96, 128, 48, 256, 299, 112, 160, 192, 227, 240, 260, 320, 384, 512)
"""Sides of pictures, at which a module of which nothing is known is tried."""


def network_of_module(
    module: nn.Module,
    wanted: Wanted,
    *,
    name: str,
    source: str | None = None,
    options: Mapping[str, Any] | None = None,
    note: str = "",
) -> Network:
    """A module as a network. What is not said of its input is found out as far as running it tells: the channels of
    its first convolution, and its size where it runs at one of the usual ones alone.

    Raises InputError where the size stays unknown.
    """
    adapter = TorchAdapter(module)
    told = wanted.input
    if told.whole is None and "channels" not in told.parts:
        told = replace(told, parts={"channels": _channels(module), **told.parts})
    if told.whole is None and "size" not in told.parts:
        side = _only_size(adapter, name, told)
        note = f"{note}; " * bool(note) + f"of the usual sizes it runs at {side}x{side} alone"
        told = replace(told, parts={**told.parts, "size": side})
    return Network(
        adapter,
        name=name,
        spec=told.over(None, name),
        labels=wanted.labels_or(),
        source=source,
        options=options,
        output=wanted.output,
        note=note,
    )


def _channels(module: nn.Module) -> int:
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    return first.in_channels if first is not None else 3


def _only_size(adapter: TorchAdapter, name: str, told: Stated) -> int:
    """The one side of the usual ones at which the network runs. Raises InputError where there are several, or none."""
    runs: list[int] = []
    reason = ""
    for side in USUAL_SIZES:
        try:
            _ = Runner(adapter, name, InputSpec(**{**told.parts, "size": side})).trace
        except ConvscopeError as error:
            reason = str(error)
            continue
        runs.append(side)
        if len(runs) > 1:
            break
    say = "say it with --input 64 (input=64), and the rest with --range, --mean and --std (input=cs.InputSpec(...))"
    if len(runs) > 1:
        raise InputError(f"{name} runs on pictures of many sizes, and for which it was trained is unknown: {say}")
    if not runs:
        raise InputError(
            f"the size of the pictures that {name} takes is unknown, none of the usual ones does ({reason}): {say}"
        )
    return runs[0]

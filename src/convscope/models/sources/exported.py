"""Programs saved by torch.export (`.pt2`) and TorchScript, which carry their code with them.

An exported program is put back into the modules that it was exported from, and its operations are called by torch's
own functions: so it has the layers of the network it once was.
"""

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convscope.errors import NetworkError
from convscope.models.card import CARD, Card, card_from
from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec

TRANSPOSED = "ConvTranspose2d"


class ExportedAdapter(TorchAdapter):
    """An exported program as modules, which know what classes they had before."""

    def copied(self) -> "ExportedAdapter":
        return ExportedAdapter(copy.deepcopy(self.root))

    def kind(self, name: str) -> str:
        told = getattr(self.modules()[name], "_ty", None)
        return str(told).rsplit(".", 1)[-1] if told else super().kind(name)

    def with_head(self, name: str, classes: int) -> TorchAdapter:
        raise NetworkError("a program of torch.export is fixed: its last layer cannot be replaced")

    def kernel(self, name: str) -> Tensor | None:
        weight = super().kernel(name)
        return weight.transpose(0, 1) if weight is not None and self.kind(name) == TRANSPOSED else weight


class ScriptAdapter(TorchAdapter):
    """TorchScript, whose inside cannot be listened to: it has no layers beside its input and its scores."""

    def copied(self) -> "ScriptAdapter":
        return ScriptAdapter(copy.deepcopy(self.root))

    def modules(self) -> Mapping[str, nn.Module]:
        return {}


def load_exported(path: Path, wanted: Wanted) -> Network:
    """A `.pt2` file. Raises NetworkError without trust: torch runs pickles and native code that it may hold."""
    if not wanted.trust:
        raise NetworkError(
            f"{str(path)!r} is a program of torch.export, and opening it can run code that it holds: if you trust "
            "whoever made it, say --trust (trust=True)"
        )
    extra = {CARD: ""}
    try:
        with warnings.catch_warnings(action="ignore"):
            program = torch.export.load(path, extra_files=extra)
            module = torch.export.unflatten(program)
    except Exception as error:
        raise NetworkError(f"{str(path)!r} cannot be opened: {' '.join(str(error).split())[:200]}") from None
    card = card_from(extra[CARD]) or Card()
    _call_functions(module)
    return Network(
        ExportedAdapter(module),
        name=path.stem,
        spec=wanted.input.over(card.input or _spec(program), path.name),
        labels=wanted.labels_or(card.labels),
        source=str(path),
        output=wanted.output,
        note=card.note or "a program of torch.export",
    )


def load_script(path: Path, wanted: Wanted) -> Network:
    """TorchScript. Raises NetworkError without trust, as it is a program."""
    if not wanted.trust:
        raise NetworkError(
            f"{str(path)!r} is TorchScript, a program of its own: if you trust whoever made it, say --trust "
            "(trust=True)"
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise NetworkError(f"{str(path)!r} cannot be opened: {' '.join(str(error).split())[:200]}") from None
    return Network(
        ScriptAdapter(module),
        name=path.stem,
        spec=wanted.input.over(None, path.name),
        labels=wanted.labels_or(Labels()),
        source=str(path),
        output=wanted.output,
        note="TorchScript: its layers cannot be listened to; export it anew with torch.export (.pt2) for these",
    )


def _spec(program: Any) -> InputSpec | None:
    """The size and channels that a program was exported for; sides that it leaves open are told by its example."""
    shape = next((node.meta["val"].shape for node in program.graph.nodes if _is_input(node, program)), None)
    if shape is None or len(shape) != 4:
        return None
    fixed = all(isinstance(side, int) for side in shape[2:])
    return InputSpec(size=(int(shape[2]), int(shape[3])), channels=int(shape[1]), fixed_size=fixed)


def _is_input(node: Any, program: Any) -> bool:
    return node.op == "placeholder" and node.name in program.graph_signature.user_inputs


def _call_functions(module: nn.Module) -> None:
    """Call torch's functions, which can be listened to, in place of the operations that they stand for."""
    for part in module.modules():
        graph = getattr(part, "graph", None)
        for node in graph.nodes if graph is not None else ():
            if node.op == "call_function" and (function := _function(node.target)) is not None:
                node.target = function


_IN_FUNCTIONAL = (
    "adaptive_avg_pool2d", "avg_pool2d", "gelu", "hardsigmoid", "hardswish", "hardtanh",
    "hardtanh_", "leaky_relu", "linear", "mish", "pad", "relu6", "scaled_dot_product_attention", "silu", "softplus",
)  # fmt: skip
"""Functions of torch.nn.functional that take what the operation of their name takes, in that order."""


_OTHERWISE = ("tensordot", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
"""Functions of torch that take or give something else than the operation of their name."""


def _function(operation: Any) -> Any:
    """The function of torch that takes the same arguments as an operation of aten; None where there is none."""
    if getattr(operation, "namespace", "") != "aten":
        return None
    name = operation.overloadpacket.__name__
    if name in _IN_FUNCTIONAL:
        return getattr(F, name)
    if name in _OTHERWISE:
        return None
    result = getattr(torch, name, None) or (getattr(Tensor, name, None) if name.endswith("_") else None)
    return result if callable(result) else None

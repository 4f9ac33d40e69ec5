"""load_model: from a name, a file or a module to a network handle."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from convscope.errors import InputError
from convscope.models.catalogue import PREFIXES
from convscope.models.class_scores import Output
from convscope.models.find import load_source
from convscope.models.labels import Labels, ensure_labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import network_of_module
from convscope.models.sources.wanted import Wanted
from convscope.models.stated import Input, stated


def load_model(
    source: str | Path | torch.nn.Module,
    *,
    input: Input = None,
    labels: Sequence[str] | Labels | str | Path | None = None,
    output: Output = None,
    weights: str | Path | None = None,
    device: str | None = None,
    trust: bool = False,
    download: bool = True,
) -> Network:
    """A network one can look into.

    source: a name ("efficientnet_lite0", "keras:VGG16", "torchvision:resnet50", "timm:convnext_tiny",
        "hf:org/name"), a file ("mine.keras", "mine.h5", "mine.safetensors"), a function that makes it
        ("mine.py:build"), or a torch module.
    input: the input contract: a whole InputSpec; or some of its fields as a dictionary, or its size alone (64, "64x48",
        "64x64x1"), where the network tells the rest. What nobody tells is unknown, and results say so.
    labels: the names of the classes, or a text file with one a line; two for a network with one score say what it
        speaks against and for.
    output: which of several outputs holds the class scores (position or name); or what turns them into probabilities
        where the network itself does not say, "softmax" (the default) or "sigmoid" (several classes may be true at
        once); or both, as (1, "sigmoid").
    weights: for named networks: None for the trained ones, "none" for random ones, or a file.
    device: "cpu" or "cuda"; a module stays where it is unless one is given.
    trust: let a file run its own code. Nothing of that kind is loaded otherwise.
    download: whether weights that are not here may be downloaded.

    Raises UnknownNameError with near matches; NetworkError where loading fails; InputError for a contract missing.
    """
    wanted = Wanted(
        input=stated(input),
        labels=None if labels is None else ensure_labels(labels),
        output=output,
        weights=None if weights is None else str(weights),
        trust=trust,
        download=download,
    )
    if isinstance(source, torch.nn.Module):
        if weights is not None:
            raise InputError("weights= is for named networks; a module brings its own")
        network = _of_module(source, wanted)
    else:
        network = load_source(str(source), wanted)
    if wanted.labels is not None:
        network.options["labels"] = list(network.labels.names)
    if output is not None:
        network.options["output"] = output
    return _place(network, device)


def _of_module(module: torch.nn.Module, wanted: Wanted) -> Network:
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            "a scripted or traced module was given, whose layers cannot be listened to; give the nn.Module"
        )
    if any(kind.__module__.split(".")[0] == "keras" for kind in type(module).__mro__):
        network: Network = import_module(PREFIXES["keras"].home).load(module, wanted)
        return network
    return network_of_module(module, wanted, name=type(module).__name__)


def _place(network: Network, device: str | None) -> Network:
    if device is None:
        return network
    try:
        network.adapter.root.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        there = "'cpu' or 'cuda'" if torch.cuda.is_available() else "'cpu', as torch sees no graphics card here"
        raise InputError(f"the device {device!r} cannot be used; expected {there}") from error
    return network

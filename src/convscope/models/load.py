"""load_model: from a name, a file or a module to a network handle."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from convscope.errors import InputError, NetworkError, UnknownNameError
from convscope.models.catalogue import NAMED, PREFIXES, SUFFIXES, known_sources
from convscope.models.class_scores import Output
from convscope.models.labels import Labels, ensure_labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec


def load_model(
    source: str | Path | torch.nn.Module,
    *,
    input: InputSpec | None = None,
    labels: Sequence[str] | Labels | None = None,
    output: Output = None,
    weights: str | None = None,
    device: str | None = None,
    trust: bool = False,
    download: bool = True,
) -> Network:
    """A network one can look into.

    source: a name ("efficientnet_lite0", "keras:VGG16"), a file ("mine.keras"), or a torch module.
    input: the input contract; needed for a module, and for files that do not say.
    labels: the names of the classes; two for a network with one score say what it speaks against and for.
    output: which of several outputs holds the class scores (position or name); or what turns them into probabilities
        where the network itself does not say, "softmax" (the default) or "sigmoid" (several classes may be true at
        once); or both, as (1, "sigmoid").
    weights: for named networks: None for the trained ones, "none" for random ones, or a file.
    device: "cpu" or "cuda"; a module stays where it is unless one is given.
    trust: let a file run its own code. Nothing of that kind is loaded otherwise.
    download: whether weights that are not here may be downloaded (those of keras:NAME).

    Raises UnknownNameError with near matches; NetworkError where loading fails; InputError for a contract missing.
    """
    if isinstance(source, torch.jit.ScriptModule):
        raise InputError(
            "a scripted or traced module was given, whose layers cannot be listened to; give the nn.Module"
        )
    if isinstance(source, torch.nn.Module) and not _is_keras(source):
        if weights is not None:
            raise InputError("weights= is for named networks; a module brings its own")
        return _place(_from_module(source, input, ensure_labels(labels), output), device)
    given = source if isinstance(source, torch.nn.Module) else str(source)
    home, name = _home(given)
    network: Network = import_module(home).load(
        name,
        Wanted(input=input, labels=labels, output=output, weights=weights, trust=trust, download=download),
    )
    if labels is not None:
        network.options["labels"] = list(network.labels.names)
    if output is not None:
        network.options["output"] = output
    return _place(network, device)


def _home(source: Any) -> tuple[str, Any]:
    """The module of convscope.models.sources that loads this, and what it is to be given."""
    if not isinstance(source, str):
        return PREFIXES["keras"].home, source
    prefix, colon, rest = source.partition(":")
    suffix = _suffix(source)
    if colon and prefix in PREFIXES:
        if suffix:
            raise NetworkError(
                f"{source!r} has {prefix}: before a file; expected a name there, such as "
                f"{PREFIXES[prefix].examples[0]}, or the file alone, {rest!r}"
            )
        return PREFIXES[prefix].home, rest
    if source in NAMED:
        return NAMED[source].home, source
    if suffix:
        if not os.path.isfile(source):
            raise NetworkError(f"no file {source!r}; expected a saved network ({', '.join(SUFFIXES)})")
        return SUFFIXES[suffix].home, source
    raise UnknownNameError("network", source, known_sources(), f"Files that can be loaded end in {', '.join(SUFFIXES)}")


def is_file(source: str) -> bool:
    """Whether a source ends like a file, whatever stands before it, and so is no name."""
    return bool(_suffix(source))


def _suffix(source: str) -> str:
    """The ending of a saved network's file, or nothing."""
    return next((suffix for suffix in SUFFIXES if source.lower().endswith(suffix)), "")


def _is_keras(module: torch.nn.Module) -> bool:
    return any(kind.__module__.split(".")[0] == "keras" for kind in type(module).__mro__)


def _from_module(module: torch.nn.Module, input: InputSpec | None, labels: Labels, output: Output) -> Network:
    name = type(module).__name__
    if input is None:
        raise InputError(
            f"what {name} wants at its input is unknown: say it with load_model(module, input=cs.InputSpec("
            "size=224, range=(0, 1), mean=(...), std=(...))); size is the least"
        )
    return Network(TorchAdapter(module), name=name, spec=input, labels=labels, output=output)


def _place(network: Network, device: str | None) -> Network:
    if device is None:
        return network
    try:
        network.adapter.root.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        there = "'cpu' or 'cuda'" if torch.cuda.is_available() else "'cpu', as torch sees no graphics card here"
        raise InputError(f"the device {device!r} cannot be used; expected {there}") from error
    return network

"""Files of torch: whole modules, programs, and weights that know the network they are of."""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import nn

from convscope.errors import InputError, NetworkError
from convscope.models.card import KEY, card_from
from convscope.models.find import load_source
from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.new_head import with_classes
from convscope.models.sources.architecture import RANDOM
from convscope.models.sources.exported import load_exported, load_script
from convscope.models.sources.torch_module import network_of_module
from convscope.models.sources.wanted import Wanted
from convscope.models.state_files import loaded, metadata, put, read_state
from convscope.models.stated import Stated

NETWORK = "network"
"""How train calls the file of a network, in a folder of its own."""


def load(name: str, wanted: Wanted) -> Network:
    """A file of torch, by its ending and what it holds."""
    path = Path(name)
    if wanted.weights is not None:
        raise InputError(f"weights= is for named networks; {name!r} brings its own")
    if path.suffix.lower() == ".safetensors":
        return _trained(path, wanted)
    if path.suffix.lower() == ".pt2":
        return load_exported(path, wanted)
    if _is_script(path):
        return load_script(path, wanted)
    held = loaded(path, trust=wanted.trust)
    if isinstance(held, Mapping) and isinstance(held.get("model"), nn.Module):
        held = held["model"]  # as some training scripts keep it
    if isinstance(held, nn.Module):
        return network_of_module(held, wanted, name=path.stem, source=str(path), note="saved by torch")
    read_state(path)
    raise _weights_alone(path)


def _trained(path: Path, wanted: Wanted) -> Network:
    """Weights with a card, as `convscope train` saves them: the network is built by the name on it."""
    card = card_from(metadata(path).get(KEY))
    if card is None or not card.architecture:
        raise _weights_alone(path)
    output = wanted.output if wanted.output is not None else card.output
    contract = Stated(wanted.input.over(card.input, path.name))
    net = load_source(
        card.architecture, replace(wanted, weights=RANDOM, labels=Labels(), input=contract, output=output)
    )
    if card.labels.names and net.classes != len(card.labels.names):
        net = with_classes(net, card.labels, 0)
    put(net.adapter.root, path, card.architecture)
    net.labels = card.labels if wanted.labels is None else wanted.labels
    name = path.parent.resolve().name if path.stem == NETWORK else path.stem  # as train names it, by its folder
    net.name, net.source, net.note, net.options, net.trained = name, str(path), card.note, {}, True
    net.architecture = card.architecture
    return net


def _weights_alone(path: Path) -> NetworkError:
    return NetworkError(
        f"{str(path)!r} holds weights alone: name the network they are of, with --model torchvision:resnet18 --weights "
        f"{path.name} (load_model('torchvision:resnet18', weights=...)), or give --model yours.py:function"
    )


def _is_script(path: Path) -> bool:
    """Whether it is TorchScript: an archive with code in it."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise NetworkError(f"{str(path)!r} cannot be read as an archive: {error}") from None

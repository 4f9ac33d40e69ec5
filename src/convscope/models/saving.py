"""Writing a network to files: its weights with its card, and a program that needs none of its code."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from convscope.errors import NetworkError
from convscope.models.card import KEY, Card
from convscope.models.draws import restore, states
from convscope.models.network import Network
from convscope.writing import fresh_file


def weights_file(net: Network, path: Path, card: Card) -> Path:
    """The weights as `.safetensors`, with the card among them; whole or not at all. Raises NetworkError."""
    state = {name: value.detach().cpu().contiguous().clone() for name, value in net.adapter.root.state_dict().items()}
    return _whole(path, lambda place: save_file(state, place, metadata={KEY: card.text()}))


def exported(net: Network, stem: Path, card: Card) -> Path:
    """The network as a program: `.pt2` of torch.export, `.keras` for a Keras network; whole or not at all.

    Raises NetworkError where the framework cannot do it.
    """
    path = stem.with_suffix(net.adapter.saved_as)
    example = net.spec.preprocess(torch.full((2, net.spec.channels, *net.spec.hw), 0.5, dtype=net.dtype))
    before = states()
    try:
        return _whole(path, lambda place: net.adapter.save(place, example.to(net.device), card.text()))
    finally:
        restore(before, ("python", "numpy"))  # from which the network may draw, when it runs


def _whole(path: Path, write: Callable[[Path], object]) -> Path:
    try:
        with fresh_file(path) as fresh:
            write(fresh)
    except NetworkError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise NetworkError(f"{path.name} could not be written ({type(error).__name__}: {text})") from error
    return path

"""Files of weights alone: read without running anything of theirs, and put into a network."""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import InputError, NetworkError

ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""Of files of weights that torch's networks are given."""
_INSIDE = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights", "ema")
"""Where training scripts keep the weights in their checkpoints."""
_BEFORE = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before the names."""
MOST_HEADER = 100_000_000


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Within it torch draws first weights from a seed; its own random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name. Runs nothing of the file.

    Raises InputError for a missing file; NetworkError for one that holds something else, or that would run code.
    """
    if not path.is_file():
        raise InputError(f"no file of weights {str(path)!r}")
    found = _safe(path) if path.suffix.lower() == ".safetensors" else loaded(path)
    state = _state_in(found)
    if state is None:
        raise NetworkError(
            f"{str(path)!r} holds {_told(found)}; expected the weights of a network by name (a state dict)"
        )
    return state


def loaded(path: Path, *, trust: bool = False) -> Any:
    """What torch.save wrote. Raises NetworkError where that cannot be read, or would run code and is not trusted."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if trust:
            return _unsafe(path)
        text = " ".join(str(error).split())
        if "weights_only" in text and _is_pickle(path):
            raise NetworkError(
                f"{str(path)!r} is a pickle that holds more than weights and could run code of its own: it was not "
                "opened; if you trust whoever made it, say --trust (trust=True)"
            ) from None
        raise NetworkError(f"{str(path)!r} cannot be read; expected what torch.save writes") from None


def _is_pickle(path: Path) -> bool:
    """Whether a file begins as pickles do, or the archives that torch keeps them in."""
    with path.open("rb") as file:
        return file.read(2)[:1] in (b"P", b"\x80")


def _unsafe(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        text = " ".join(str(error).split())
        raise NetworkError(
            f"{str(path)!r} cannot be read ({type(error).__name__}: {text[:200]}); a saved module needs the code that "
            "defines it to be importable"
        ) from None


def _safe(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:
        raise NetworkError(
            f"{str(path)!r} cannot be read as safetensors: {' '.join(str(error).split())[:200]}"
        ) from None


def metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself. Raises NetworkError for what is no such file."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, MOST_HEADER)))
        told = header.get("__metadata__", {})
        return {str(key): str(value) for key, value in told.items()}
    except (OSError, ValueError, RecursionError, struct.error, AttributeError) as error:
        raise NetworkError(f"{str(path)!r} cannot be read as safetensors: {error}") from None


def _state_in(found: Any) -> dict[str, Tensor] | None:
    """The state dict itself, or where checkpoints keep it."""
    if not isinstance(found, Mapping):
        return None
    if found and all(isinstance(key, str) for key in found):
        tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
        if len(tensors) == len(found):
            return tensors
    for key in _INSIDE:
        if isinstance(found.get(key), Mapping):
            return _state_in(found[key])
    return None


def _told(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"a dictionary with {', '.join(map(str, list(found)[:5]))}"
    return f"a {type(found).__name__}"


def with_weights(build: Callable[[int | None], nn.Module], path: Path, name: str) -> nn.Module:
    """A network with the weights of a file, in evaluation mode.

    build: makes it for so many classes; for its usual number where None is given. Tried with that first, and where
    only the last layer has another size, with as many classes as the file has.

    Raises NetworkError, which says what of the file does not fit.
    """
    state = read_state(path)
    with seeded():
        module = build(None)
    state = _fitted(state, module)
    classes = _other_classes(state, module)
    if classes is not None:
        with seeded():
            module = build(classes)
    _fill(module, state, path, name)
    return module.eval()


def put(module: nn.Module, path: Path, name: str) -> nn.Module:
    """A module that is there with the weights of a file. Raises NetworkError where they do not fit."""
    _fill(module, _fitted(read_state(path), module), path, name)
    return module


def _fitted(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """The weights by the module's names, where theirs have something before them."""
    own = module.state_dict().keys()
    for _ in range(len(_BEFORE)):  # in whatever order they were put there
        for before in _BEFORE:
            if state and not own & state.keys() and all(key.startswith(before) for key in state):
                state = {key.removeprefix(before): value for key, value in state.items()}
    return state


def _other_classes(state: Mapping[str, Tensor], module: nn.Module) -> int | None:
    """How many classes the weights were trained for, where that is all in which they differ."""
    own = module.state_dict()
    other = [key for key, value in state.items() if key in own and own[key].shape != value.shape]
    heads = {state[key].shape[0] for key in other if state[key].ndim and state[key].shape[1:] == own[key].shape[1:]}
    same = all(state[key].ndim and state[key].shape[1:] == own[key].shape[1:] for key in other)
    return heads.pop() if other and same and len(heads) == 1 else None


def _fill(module: nn.Module, state: Mapping[str, Tensor], path: Path, name: str) -> None:
    own = module.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    more = [key for key in state if key not in own]
    other = [key for key in state if key in own and own[key].shape != state[key].shape]
    told = []
    if missing:
        told.append(f"{len(missing)} of {len(own)} weights are not in it ({', '.join(missing[:3])})")
    if more:
        told.append(f"{len(more)} of it have no place ({', '.join(more[:3])})")
    for key in other[:1]:
        shapes = ["x".join(map(str, one[key].shape)) for one in (state, own)]
        told.append(f"{len(other)} have another shape ({key} {shapes[0]}, expected {shapes[1]})")
    if told:
        raise NetworkError(f"the weights of {str(path)!r} are not those of {name}: {'; '.join(told)}")
    module.load_state_dict(dict(state), strict=False)

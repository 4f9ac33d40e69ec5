"""A network from a function of the user's own: `file.py:function` or `package.module:function`."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from convscope.errors import ConvscopeError, InputError, NetworkError, UnknownNameError
from convscope.models.network import Network
from convscope.models.sources.architecture import RANDOM
from convscope.models.sources.torch_module import network_of_module
from convscope.models.sources.wanted import Wanted
from convscope.models.state_files import put, seeded


def load(name: str, wanted: Wanted) -> Network:
    """The network that a function or class gives when it is called without arguments, or a module that lies there.

    wanted.weights: a file of weights for it. Raises NetworkError without trust, as it is code.
    """
    place, _, function = name.rpartition(":")
    if not wanted.trust:
        raise NetworkError(f"{name!r} is code, which is run to make the network: say --trust (trust=True)")
    with _own_modules(place):
        module = _imported(place)
        made = _made(getattr(module, function, None), name, [key for key in vars(module) if not key.startswith("_")])
    if isinstance(made, Network):
        said = {
            "weights": wanted.weights,
            "labels": wanted.labels,
            "input": wanted.input or None,
            "output": wanted.output,
        }
        if given := [key for key, value in said.items() if value is not None]:
            raise InputError(f"{name!r} gives a whole network: say {', '.join(given)} where it is made, not beside it")
        made.source, made.name = name, function
        return made
    weights = {} if wanted.weights is None else {"weights": wanted.weights}
    if wanted.weights not in (None, RANDOM):
        put(made, Path(str(wanted.weights)), name)
    note = f"weights of {wanted.weights}" if weights else f"made by {function}"
    return network_of_module(made, wanted, name=function, source=name, options=weights, note=note)


def _imported(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            here = str(Path.cwd())
            if here not in sys.path:  # as `python -m` has it
                sys.path.insert(0, here)
            return importlib.import_module(place)
        path = Path(place).resolve()
        if not path.is_file():
            raise InputError(f"no file {place!r}")
        return _module_of(path)
    except ConvscopeError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise NetworkError(f"{place!r} cannot be imported ({type(error).__name__}: {text})") from error


def _module_of(path: Path) -> ModuleType:
    """A file as a module. What lies beside it can be imported, as where it is run, and is its own: files of another
    folder that are called the same are not taken for it."""
    folder = str(path.parent)
    name = f"_convscope_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    result = importlib.util.module_from_spec(spec)
    sys.modules[name] = result
    while folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    spec.loader.exec_module(result)
    return result


_BROUGHT: dict[Path, list[str]] = {}
"""By the folders of files that were run: the modules beside them that they imported."""


@contextmanager
def _own_modules(place: str) -> Iterator[None]:
    """While a file is run and makes its network: modules that files of other folders brought are not taken for its
    own, though they are called the same."""
    if not place.endswith(".py"):
        yield
        return
    folder = Path(place).resolve().parent
    for other, names in _BROUGHT.items():
        for name in names if other != folder else ():
            sys.modules.pop(name, None)
    before = set(sys.modules)
    try:
        yield
    finally:
        found = {name: getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - before}
        beside = [name for name, file in found.items() if file and Path(file).is_relative_to(folder)]
        _BROUGHT[folder] = [*_BROUGHT.get(folder, []), *beside]


def _made(value: Any, name: str, known: list[str]) -> Any:
    """The module that a function gives."""
    if value is None:
        raise UnknownNameError(
            "function", name.rpartition(":")[2], known, f"It was looked for in {name.rpartition(':')[0]}"
        )
    if isinstance(value, nn.Module | Network):
        return value
    if not callable(value):
        raise NetworkError(f"{name!r} is a {type(value).__name__}; expected a function that returns a torch module")
    try:
        needed = [p.name for p in inspect.signature(value).parameters.values() if _is_needed(p)]
    except (TypeError, ValueError):
        needed = []
    if needed:
        raise NetworkError(
            f"{name!r} needs arguments ({', '.join(needed)}): write a function that takes none and returns the network"
        )
    try:
        with seeded():
            result = value()
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise NetworkError(f"{name!r} failed ({type(error).__name__}: {text})") from error
    if not isinstance(result, nn.Module | Network):
        raise NetworkError(
            f"{name!r} gave a {type(result).__name__}; expected a torch module, or what load_model gives"
        )
    return result


def _is_needed(parameter: inspect.Parameter) -> bool:
    plain = parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return plain and parameter.default is inspect.Parameter.empty

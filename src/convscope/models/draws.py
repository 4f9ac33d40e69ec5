"""Random numbers that a network draws when it runs: noticed, and taken from a generator of our own.

torch's calls are answered below autograd, in this thread alone, so that the process's random state is neither read nor
changed. NumPy's and Python's random states belong to the whole process: for networks that draw from those they are
seeded, and put back, while one such network runs at a time.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from convscope.models.operation import named

Source = Literal["torch", "numpy", "python"]
SEED = 0
_DROPOUT = ("p", "dropout_p", "dropout")
_ONE_AT_A_TIME = threading.RLock()


class Generators:
    """Generators of random numbers, one for each device, made when first asked for."""

    def __init__(self, seed: int = SEED) -> None:
        self._seed = seed
        self._made: dict[torch.device, torch.Generator] = {}

    def on(self, device: torch.device) -> torch.Generator:
        if device not in self._made:
            self._made[device] = torch.Generator(device).manual_seed(self._seed)
        return self._made[device]


def draws(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation draws from torch's random state."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    given = named(func, args, kwargs)
    if given.get("generator") is not None or given.get("train") is False or given.get("training") is False:
        return False
    if "attention" in func.overloadpacket.__name__ or func.overloadpacket.__name__ in ("lstm", "gru"):
        return any(bool(given.get(name)) for name in _DROPOUT)  # tagged, but random with dropout alone
    return True


def drawn(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], generators: Generators) -> Any:
    """What an operation that draws gives when it draws from our generators."""
    device = kwargs.get("device") or next((x.device for x in tree_leaves(args) if isinstance(x, torch.Tensor)), None)
    generator = generators.on(torch.device(device or "cpu"))
    overload = _with_generator(func)
    if overload is not None:
        return overload(*args, **kwargs, generator=generator)
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[generator.device] if generator.device.type == "cuda" else []):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generators.on(torch.device("cpu")))))
        return func(*args, **kwargs)


def _with_generator(func: Any) -> Any | None:
    """The overload of an operation that takes a generator."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    name = func._schema.overload_name
    wanted = {"": "generator", "low_dtype": "low_generator_dtype"}.get(name, f"{name}_generator")
    return getattr(func.overloadpacket, wanted, None)


def parts_of(mode: TorchDispatchMode, func: Any, args: Any, kwargs: Any) -> Any:
    """Under torch.inference_mode() operations made of others come whole: what it gives, with `mode` shown the others;
    NotImplemented for an operation that is not made of others."""
    if not torch.is_inference_mode_enabled():
        return NotImplemented
    with mode:
        return func.decompose(*args, **kwargs)


class Redirected(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, this thread's operations draw from a generator of their own, the same numbers each time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generators = Generators()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        whole = parts_of(self, func, args, kwargs)
        if whole is not NotImplemented:
            return whole
        if draws(func, args, kwargs):
            return drawn(func, args, kwargs, self._generators)
        return func(*args, **kwargs)


def states() -> tuple[Any, Any]:
    """Python's and NumPy's random states."""
    return random.getstate(), np.random.get_state(legacy=False)


def changed(before: tuple[Any, Any], after: tuple[Any, Any]) -> tuple[Source, ...]:
    """Which of them were drawn from."""
    result: list[Source] = ["python"] if before[0] != after[0] else []
    arrays = [state["state"] for state in (before[1], after[1])]
    if arrays[0]["pos"] != arrays[1]["pos"] or not np.array_equal(arrays[0]["key"], arrays[1]["key"]):
        result.append("numpy")
    return tuple(result)


def restore(before: tuple[Any, Any], sources: tuple[Source, ...]) -> None:
    """Python's and NumPy's random states as they were, of those sources that were drawn from."""
    if "python" in sources:
        random.setstate(before[0])
    if "numpy" in sources:
        np.random.set_state(before[1])


@contextmanager
def repeatable(sources: tuple[Source, ...]) -> Iterator[None]:
    """The same random numbers each time from the sources that a network draws from; all are left as they were."""
    if not {"numpy", "python"} & set(sources):
        with Redirected() if sources else nullcontext():
            yield
        return
    with _ONE_AT_A_TIME:
        before = states()
        try:
            if "python" in sources:
                random.seed(SEED)
            if "numpy" in sources:
                np.random.seed(SEED)
            with Redirected():
                yield
        finally:
            restore(before, ("python", "numpy"))

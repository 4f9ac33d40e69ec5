"""Passes of a network: run with listeners on its modules, one thread at a time, and leave it as it was found."""

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import ConvscopeError, InputError, NetworkError
from convscope.memory import memory_watched
from convscope.models.adapter import Adapter
from convscope.models.draws import repeatable
from convscope.models.failures import failure
from convscope.models.fingerprint import Fingerprint, State, hash_of
from convscope.models.folding import PLAIN, Folding, fold_norms
from convscope.models.functions import KINDS, Calls
from convscope.models.layers import PICTURES
from convscope.models.residual import damped
from convscope.models.spec import InputSpec
from convscope.models.trace import Trace, trace
from convscope.models.untouched import untouched

Listener = Callable[[Any, Any], Any]
"""Called with (inputs, output) of a module each time it fires; what it returns, unless None, goes on in place of
the output. It may raise StopForward."""


class StopForward(BaseException):
    """Raised by a listener that needs nothing of the forward pass beyond its module."""


class Runner:
    """Runs a network for its handle.

    adapter: its framework's view of it. name: what to call it in errors. spec: its input contract.
    """

    def __init__(self, adapter: Adapter, name: str, spec: InputSpec) -> None:
        self.adapter = adapter
        self.name = name
        self.spec = spec
        self._lock = _Locks(adapter.root)
        self._fingerprint = Fingerprint(adapter.root)
        self._hash: tuple[State, str] | None = None
        self._folding: tuple[State, tuple[int, int], Folding] | None = None

    @property
    def device(self) -> torch.device:
        parameter = next(self.adapter.root.parameters(), None)
        return parameter.device if parameter is not None else torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        floating = (p.dtype for p in self.adapter.root.parameters() if p.is_floating_point())
        return next(floating, torch.float32)

    @cached_property
    def trace(self) -> Trace:
        """What a pass of two pictures shows, so that their axis can be told from others; of one where two do not go."""
        try:
            return self._traced(2)
        except (NetworkError, InputError):
            return self._traced(1)

    def _traced(self, count: int) -> Trace:
        with torch.inference_mode(False):
            grey = torch.full((count, self.spec.channels, *self.spec.hw), 0.5, dtype=self.dtype, device=self.device)
        with self._lock, self.failing(grey), torch.inference_mode(False):
            return trace(self.adapter, self.spec.preprocess(grey))

    @contextmanager
    def failing(self, images: Tensor) -> Iterator[None]:
        """Whatever the network raises becomes one of our errors."""
        shape = "x".join(map(str, images.shape[-3:]))
        try:
            with memory_watched(f"{len(images)} pictures of {shape} in {self.name}"):
                yield
        except (ConvscopeError, StopForward):
            raise
        except Exception as error:
            raise NetworkError(f"the network {self.name} failed on a picture of {shape} {failure(error)}") from error

    def run(
        self,
        images: Float[Tensor, "b c h w"],
        listeners: Mapping[str, Listener] | None = None,
        *,
        folding: Folding = PLAIN,
        branches: float = 1.0,
    ) -> Any | None:
        """One forward pass of pictures in [0,1], with listeners on modules; the network is left as it was found.

        Returns what the network returns, logits in place of softmaxed outputs, or None where a listener stopped it.
        Whether gradients are recorded is the caller's affair. The listener of PICTURES is given the preprocessed
        pictures. folding: batch norms folded, which gives the same to rounding; see `folding`. branches: how much of
        the gradient will go back through residual branches.
        """
        self._check(images)
        listeners = dict(listeners or {})
        heads: dict[str, set[int]] = {}
        for name, call in self.trace.heads:
            heads.setdefault(name, set()).add(call)
        modules = self.adapter.modules()
        handles = []
        owner = threading.get_ident()
        with self._lock:
            try:
                for name, listener in listeners.items():
                    if name in modules:
                        handles.append(modules[name].register_forward_hook(_hook(listener, owner)))
                for name, calls in heads.items():
                    handles.append(modules[name].register_forward_hook(_hook(self._unsquash(name, calls), owner)))
                told = {kind: listeners[kind] for kind in KINDS if kind in listeners}
                functions = Calls(lambda kind, inputs, output: told[kind](inputs, output) if kind in told else None)
                with self.failing(images), self._as_found(), folding.folding(tuple(listeners)):
                    prepared = self.spec.preprocess(images.to(self.device, self.dtype))
                    if PICTURES in listeners:
                        replaced = listeners[PICTURES]((), prepared)
                        prepared = prepared if replaced is None else replaced
                    with functions if told else nullcontext(), damped(self.trace.branches, branches):
                        return self.adapter.forward(folding.prepared(prepared))
            except StopForward:
                return None
            finally:
                for handle in handles:
                    handle.remove()

    def native(self, prepared: Float[Tensor, "b c h w"]) -> Any:
        """What the framework itself answers to preprocessed pictures; the network is left as it was found."""
        with self._lock, self.failing(prepared), self._as_found():
            return self.adapter.native(prepared)

    @contextmanager
    def _as_found(self) -> Iterator[None]:
        """The network in evaluation mode with the same random numbers each time; all is put back as it was."""
        with untouched(self.adapter.root, self.trace.written), repeatable(self.trace.random):
            yield

    def folding(self) -> Folding:
        """What can be folded in the network as it is now, for `run`; found again when weights have changed."""
        if any(place.holds_tensor for place in self.trace.written):  # it is known by its weights, which change
            return PLAIN
        state = self._fingerprint.state()
        if self._folding is None or self._folding[:2] != (state, self.spec.hw):
            generator = torch.Generator().manual_seed(0)
            shape = (self.trace.batch, self.spec.channels, *self.spec.hw)
            noise = torch.rand(shape, generator=generator).to(self.device, self.dtype)
            with self._lock, self.failing(noise), self._as_found():
                folding = fold_norms(self.adapter.forward, self.adapter.modules(), self.spec.preprocess(noise))
            self._folding = state, self.spec.hw, folding
        return self._folding[2]

    def kernel(self, module: str) -> Tensor | None:
        """The learned weights of a module, as Adapter.kernel gives them; the network is left as it was found."""
        if module not in self.adapter.modules():
            return None
        with self._lock, self._as_found(), torch.no_grad():
            return self.adapter.kernel(module)

    def _unsquash(self, name: str, calls: set[int]) -> Listener:
        count = -1

        def logits(inputs: Any, output: Any) -> Tensor | None:
            nonlocal count
            count += 1
            result = self.adapter.squashed(name, inputs) if count in calls else None
            return result[0] if result else None

        return logits

    def _check(self, images: Tensor) -> None:
        if self.adapter.changed():
            raise InputError(
                f"modules of {self.name} were added, removed or replaced since it was loaded: load it again"
            )
        if self.spec.fixed_size and tuple(images.shape[-2:]) != self.spec.hw:
            raise InputError(
                f"{self.name} runs at {self.spec.height}x{self.spec.width} pixels alone; "
                f"given {images.shape[-2]}x{images.shape[-1]}"
            )

    def weights_hash(self) -> str:
        """SHA-256 of all weights (parameters and buffers) with their names; computed again once they have changed."""
        state = self._fingerprint.state()
        if self._hash is None or self._hash[0] != state:
            self._hash = state, hash_of(self.adapter.root, self.adapter.is_weight)
        return self._hash[1]


_LOCKS: "weakref.WeakKeyDictionary[torch.nn.Module, threading.RLock]" = weakref.WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


class _Locks:
    """The locks of all modules of a network, so that handles which share a module take turns."""

    def __init__(self, root: torch.nn.Module) -> None:
        new = threading.RLock()
        with _LOCKS_LOCK:
            result = {id(lock): lock for module in root.modules() for lock in [_LOCKS.setdefault(module, new)]}
        self._locks = [result[key] for key in sorted(result)]  # always in one order

    def __enter__(self) -> None:
        for lock in self._locks:
            lock.acquire()

    def __exit__(self, *_: object) -> None:
        for lock in reversed(self._locks):
            lock.release()


def _hook(listener: Listener, owner: int) -> Callable[[Any, Any, Any], Any]:
    """A forward hook that hears only the thread that asked for it."""

    def hook(module: Any, inputs: Any, output: Any) -> Any:
        return listener(inputs, output) if threading.get_ident() == owner else None

    return hook

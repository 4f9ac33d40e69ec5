"""On a graphics card: the same sums in the same order each time, in full float32, as on the processor."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from convscope.models.network import Network

_LOCK = threading.Lock()
_USERS = 0
_BEFORE: "_Switches | None" = None


@dataclass(frozen=True)
class _Switches:
    """torch's own, which hold for the whole process."""

    cudnn_deterministic: bool = True
    cudnn_benchmark: bool = False
    cudnn_tf32: bool = False
    matmul_tf32: bool = False
    deterministic: bool = True
    warn_only: bool = True
    fill: bool = False  # of memory that is about to be written: a check of torch's, for a tenth of the time

    @staticmethod
    def now() -> "_Switches":
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        return _Switches(
            cudnn.deterministic,
            cudnn.benchmark,
            cudnn.allow_tf32,
            matmul.allow_tf32,
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        )

    def set(self) -> None:
        cudnn = torch.backends.cudnn
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = (
            self.cudnn_deterministic,
            self.cudnn_benchmark,
            self.cudnn_tf32,
        )
        torch.backends.cuda.matmul.allow_tf32 = self.matmul_tf32
        torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = self.fill  # type: ignore[attr-defined]


@contextmanager
def steady(*nets: Network) -> Iterator[None]:
    """While it lasts, what runs on a graphics card gives the same bytes each time, and nearly those of the processor.

    Where torch has no such way for an operation of the network it says so by a warning.

    Networks that compute there round convolutions to 10 bits (TF32) and add in whatever order is quickest, unless told
    otherwise. Afterwards torch's switches are as they were; calls in several threads share them. Nothing is done where
    no network is on a card.
    """
    global _USERS, _BEFORE
    if all(net.device.type != "cuda" for net in nets):
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without which its products are not repeatable
    with _LOCK:
        if not _USERS:
            _BEFORE = _Switches.now()
            _Switches().set()
        _USERS += 1
    try:
        yield
    finally:
        with _LOCK:
            _USERS -= 1
            if not _USERS and _BEFORE is not None:
                _BEFORE.set()

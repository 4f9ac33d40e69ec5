"""What has to be so while Keras builds a network: seeds, the numbers of layers, downloads, what is printed."""

import io
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import numpy as np
import torch

from convscope.errors import NotFetchedError
from convscope.models.sources.keras_models.backend import keras_on_torch

_BUILDING = threading.RLock()
"""Building a network changes what the whole process has: random states, the numbers of layers, how Keras fetches."""


class _Refused(BaseException):
    """Of a download. No Exception: after one of these Keras removes the file that it would have replaced."""


@contextmanager
def _fetching(name: str, allowed: bool) -> Iterator[None]:
    """Unless allowed, this thread downloads nothing within it. Raises NotFetchedError where Keras would."""
    from keras.src.utils import file_utils

    fetch, owner = file_utils.urlretrieve, threading.get_ident()

    def refused(url: str, *given: Any) -> Any:
        if threading.get_ident() != owner:
            return fetch(url, *given)
        raise _Refused(url.rsplit("/", 1)[-1])

    try:
        if not allowed:
            file_utils.urlretrieve = refused
        yield
    except _Refused as file:
        raise NotFetchedError(f"the weights of keras:{name} are not here ({file}) and would be downloaded") from None
    finally:
        file_utils.urlretrieve = fetch


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Keras draws its first weights from global random states: set them, and put them back."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            keras_on_torch().utils.set_random_seed(seed)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextmanager
def _fresh_names() -> Iterator[None]:
    """Keras numbers layers through the whole process: count from the start, so that a network has its names each
    time, and put the counts back."""
    from keras.src.backend.common import global_state

    key = "object_name_uids"
    before = global_state.get_global_attribute(key)
    global_state.set_global_attribute(key, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(key, before)


class _Downloads(io.TextIOBase):
    """Keras tells of downloads on standard output, which belongs to --json. This sends that to standard error, the
    announcement only when something follows it: of a download that fails, the error says all."""

    def __init__(self) -> None:
        self._announced = ""

    def write(self, text: str) -> int:
        if "Downloading data from" in text or (self._announced and not text.strip()):
            self._announced += text
        else:
            sys.stderr.write(self._announced + text)
            self._announced = ""
        return len(text)


@contextmanager
def building(name: str, download: bool) -> Iterator[None]:
    """Within it a network of keras.applications is built: the same each time, and downloaded only where allowed."""
    with _BUILDING, _seeded(0), _fresh_names(), redirect_stdout(_Downloads()), _fetching(name, download):
        yield

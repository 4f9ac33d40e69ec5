"""Keras itself: which backend it runs on, and whether this version is safe to open files with."""

import os
import re
import sys
from typing import Any

from convscope.errors import MissingExtraError, NetworkError

SAFE_KERAS = (3, 14, 1)
"""The first that refuses HDF5 files whose weights lie in other files: external data, links and virtual data."""


def check_version() -> None:
    """Raises NetworkError where this Keras would let a file read others."""
    result = str(keras_on_torch().__version__)
    if tuple(int(number) for number in re.findall(r"\d+", result)[:3]) < SAFE_KERAS:
        wanted = ".".join(map(str, SAFE_KERAS))
        raise NetworkError(
            f"Keras {result} does not refuse every file whose weights lie in other files of this machine: "
            f"pip install 'keras>={wanted}'"
        )


def keras_on_torch() -> Any:
    """Keras on its torch backend; which backend it runs on is fixed when it is first imported."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        raise MissingExtraError("a Keras network", "keras", "keras") from None
    if keras.config.backend() != "torch":
        raise NetworkError(
            f"Keras runs on its {keras.config.backend()} backend here; convscope needs torch: set "
            "KERAS_BACKEND=torch before anything imports keras"
        )
    return keras

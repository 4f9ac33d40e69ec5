"""Which network a result was made of, as plain data: enough to load it again and to tell that it is the same."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.models.spec import InputSpec
from convscope.plain import fits, shown

MOST_PATH = 4096
"""Letters of a path, or of the name of a network."""
_LOADED_WITH: Mapping[str, Any] = {"weights": str | None, "labels": list[str], "output": int | str}


@dataclass(frozen=True)
class NetworkRef:
    """A network as plain data.

    name: for people. source: the name or file to load it from; None for a live module. options: further arguments of
    load_model. weights_sha256: of its weights. input: its contract.
    """

    name: str
    source: str | None
    options: Mapping[str, Any]
    weights_sha256: str
    input: InputSpec

    @staticmethod
    def of(net: Network) -> "NetworkRef":
        """What names a network."""
        return NetworkRef(net.name, net.source, net.options, net.weights_hash(), net.spec)

    def to_dict(self) -> dict[str, Any]:
        """The reference as plain JSON values."""
        return {
            "name": self.name,
            "source": self.source,
            "options": dict(self.options),
            "weights_sha256": self.weights_sha256,
            "input": self.input.describe(),
        }

    @staticmethod
    def from_dict(values: Any) -> "NetworkRef":
        """The inverse of to_dict. Raises InputError for what is no reference."""
        if not isinstance(values, Mapping):
            raise InputError(f"a network is {shown(values)}; expected its name, source, input and hash")
        for key, kind in _NETWORK.items():
            if not fits(values.get(key), kind):
                raise InputError(f"network.{key} is {shown(values.get(key))}; expected what convscope writes there")
        source, options = values.get("source"), values["options"]
        if source is not None and not is_path(source):
            expected = f"a name or a path of at most {MOST_PATH} letters, or null"
            raise InputError(f"network.source is {shown(source)}; expected {expected}")
        if not is_hash(values.get("weights_sha256")):
            given = shown(values.get("weights_sha256"))
            raise InputError(f"network.weights_sha256 is {given}; expected 64 digits of a SHA-256")
        for key, value in options.items():
            if key not in _LOADED_WITH or not fits(value, _LOADED_WITH[key]):
                raise InputError(f"the recipe's network cannot be read: options.{shown(key)} is {shown(value)}")
        if not is_path(options.get("weights") or ""):
            expected = f"a word or a path of at most {MOST_PATH} letters"
            raise InputError(f"network.options.weights is {shown(options['weights'])}; expected {expected}")
        try:
            spec = InputSpec.from_dict(values["input"])
        except InputError as error:
            raise InputError(f"network.{error}" if str(error).startswith("input") else str(error)) from None
        return NetworkRef(values["name"], source, options, values["weights_sha256"], spec)


_NETWORK: Mapping[str, Any] = {"name": str, "options": dict[str, Any | list[str]], "input": dict[str, Any | list[Any]]}


def is_hash(value: Any) -> bool:
    """Whether a value is a SHA-256, in hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def is_path(value: Any) -> bool:
    """Whether a value is a path of bounded length, in letters that this machine's files can have."""
    if not isinstance(value, str) or len(value) > MOST_PATH or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True

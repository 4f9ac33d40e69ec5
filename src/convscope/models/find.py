"""From the text that names a network to the source that loads it."""

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Literal

from convscope.errors import InputError, NetworkError, UnknownNameError
from convscope.models.catalogue import CODE, NAMED, PREFIXES, SUFFIXES, Source, known_sources
from convscope.models.network import Network
from convscope.models.sources.wanted import Wanted

Kind = Literal["name", "file", "code"]
"""What a text names: a network that convscope or a library knows, a file, or a function of the user's."""
_FUNCTION = re.compile(r"(?P<place>.+\.py|[A-Za-z_]\w*(?:\.\w+)*):(?P<function>[A-Za-z_]\w*)", re.DOTALL)
_OF_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")


def kind_of(source: str) -> Kind:
    """What a text names; nothing is opened for it."""
    prefix, colon, rest = source.partition(":")
    if colon and prefix == "hf":
        return "name" if _OF_HUB.fullmatch(rest) and not rest.startswith(".") else "file"
    if suffix_of(source):
        return "file"
    if source in NAMED or (colon and prefix in PREFIXES):
        return "name"
    if _FUNCTION.fullmatch(source):
        return "code"
    return "file" if os.sep in source or source in (".", "..") else "name"


def suffix_of(source: str) -> str:
    """The ending of a saved network's file, or nothing."""
    return next((suffix for suffix in SUFFIXES if source.lower().endswith(suffix)), "")


def load_source(source: str, wanted: Wanted) -> Network:
    """The network that a text names. Raises UnknownNameError with near matches, and what its source raises."""
    found, name = _found(source)
    network: Network = import_module(found.home).load(name, wanted)
    return network


def _found(source: str) -> tuple[Source, str]:
    """The source that loads it, and what that is to be given."""
    prefix, colon, rest = source.partition(":")
    suffix = suffix_of(source)
    if colon and prefix in PREFIXES:
        if suffix and kind_of(source) == "file":
            raise NetworkError(
                f"{source!r} has {prefix}: before a file; expected a name there, such as "
                f"{PREFIXES[prefix].examples[0]}, or the file alone, {rest!r}"
            )
        return PREFIXES[prefix], rest
    if source in NAMED:
        return NAMED[source], source
    if suffix:
        if not os.path.isfile(source):
            raise NetworkError(f"no file {source!r}; expected a saved network ({', '.join(SUFFIXES)})")
        return SUFFIXES[suffix], source
    if _FUNCTION.fullmatch(source):
        return CODE, source
    if os.path.isdir(source):
        file = str(_in_folder(Path(source)))
        return SUFFIXES[suffix_of(file)], file
    raise UnknownNameError(
        "network",
        source,
        known_sources(),
        f"Files that can be loaded end in {', '.join(SUFFIXES)}; functions are file.py:function",
    )


def _in_folder(folder: Path) -> Path:
    """The network that lies in a folder: the one that `convscope train` saved there, or the only one."""
    saved = folder / "network.safetensors"
    if saved.is_file() and not _weights_alone(saved):
        return saved
    if saved.is_file():
        return next((file for file in (folder / "network.pt2", folder / "network.keras") if file.is_file()), saved)
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and suffix_of(file.name)]
    if len(files) != 1:
        told = ", ".join(file.name for file in files[:5]) or "none"
        raise InputError(
            f"the folder {str(folder)!r} holds {len(files)} networks ({told}); expected one: name the file"
        )
    return files[0]


def _weights_alone(path: Path) -> bool:
    """Whether the file does not tell the network that its weights are of."""
    from convscope.models.card import KEY, card_from
    from convscope.models.state_files import metadata

    card = card_from(metadata(path).get(KEY))
    return card is None or not card.architecture

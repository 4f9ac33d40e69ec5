"""Where files that were fetched on request are kept. Nothing is fetched unasked."""

import os
from pathlib import Path


def cached(name: str) -> Path:
    """The place of a fetched file: $CONVSCOPE_CACHE, else the user's cache folder. It may not be there yet."""
    given = os.environ.get("CONVSCOPE_CACHE")
    if given:
        return Path(given) / name
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "convscope" / name

"""What the process opens and connects to: seen by an audit hook, which hears it whatever library does it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

NETWORK = ("socket.connect", "socket.getaddrinfo", "urllib.Request")


@dataclass
class Heard:
    """opened: files, in order. connected: places asked for in the network."""

    opened: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)


_HEARING: list[tuple[int, Heard]] = []


def _hook(event: str, given: tuple[object, ...]) -> None:
    for owner, heard in _HEARING:
        if owner == threading.get_ident():
            if event == "open" and isinstance(given[0], str | bytes):
                heard.opened.append(given[0] if isinstance(given[0], str) else given[0].decode("utf-8", "replace"))
            elif event in NETWORK:
                heard.connected.append(f"{event} {given[:2]!r:.200}")


@contextmanager
def hearing() -> Iterator[Heard]:
    """Within it, what this thread opens and connects to is heard."""
    if not _INSTALLED:
        sys.addaudithook(_hook)  # for good: a hook cannot be taken off again
        _INSTALLED.append(True)
    heard = Heard()
    _HEARING.append((threading.get_ident(), heard))
    try:
        yield heard
    finally:
        _HEARING.remove((threading.get_ident(), heard))


_INSTALLED: list[bool] = []

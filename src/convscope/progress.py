"""How long work tells how far it is, and how it is stopped, without knowing who listens."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convscope.errors import Stopped

if TYPE_CHECKING:
    import numpy as np

    from convscope.results.result import Result


@dataclass(frozen=True)
class Progress:
    """One piece of news from work in progress.

    `done` of `total` steps of the piece of work called `what` are finished; the total is 0 where nobody can know it
    yet. `done` falls only where another piece of work begins. `note` is a short figure worth showing beside it (the
    value reached, say). `now` gives the pictures as they are, `n h w c` in [0,1], where the work makes pictures; it is
    asked before the next step, or not at all.
    """

    what: str
    done: int
    total: int
    note: str = ""
    now: "Callable[[], np.ndarray] | None" = None


Watch = Callable[[Progress], None]
"""Called now and then with the news. It runs in the thread of the work, and raises Cancel to stop it."""


class Cancel(Exception):  # noqa: N818  (it is a request, not an error)
    """Raised by a watch to stop the work: the verb keeps what is done and raises Stopped."""


def unwatched(news: Progress) -> None:
    """The watch of those who do not want to know."""


@contextmanager
def keeping(told: Callable[[], str], partial: "Callable[[], Result | None]" = lambda: None) -> Iterator[None]:
    """Work that may be stopped: Ctrl-C, a Cancel, or the Stopped of a verb within becomes Stopped, with what is done.

    told: how far the work is, in words, such as "stopped after 3 of 8 pictures". partial: the result as far as it is,
    or None. Both are asked when the work was stopped, and not before.
    """
    try:
        yield
    except (KeyboardInterrupt, Cancel, Stopped):
        raise Stopped(told(), partial()) from None


@contextmanager
def unbroken() -> Iterator[None]:
    """A short piece of work that a Ctrl-C does not break off: it takes effect at the end. A second one does at once.

    In other threads, and where the program has a handler of its own, nothing is changed.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    asked = False

    def wait(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked:
        raise KeyboardInterrupt

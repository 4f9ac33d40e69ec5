"""How long work tells what it is doing, without knowing who listens."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One piece of news from work in progress.

    `done` of `total` steps of the piece of work called `what` are finished; `note` is a short figure worth
    showing beside it (the value reached, say).
    """

    what: str
    done: int
    total: int
    note: str = ""


Watch = Callable[[Progress], None]
"""Called now and then with the news. It runs in the thread of the work and may raise to stop it."""


def unwatched(news: Progress) -> None:
    """The watch of those who do not want to know."""

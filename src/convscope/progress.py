"""How long work tells what it is doing, without knowing who listens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


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
"""Called now and then with the news. It runs in the thread of the work and may raise to stop it."""


def unwatched(news: Progress) -> None:
    """The watch of those who do not want to know."""

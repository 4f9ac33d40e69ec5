"""News of long work on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from pathlib import Path
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.progress import Task as BarTask
from rich.text import Text

from convscope.cli.telling import console_of
from convscope.errors import ResultError
from convscope.progress import Progress
from convscope.results.files import check_ending, write_whole
from convscope.results.pictures import preview_png

EVERY = 5.0
"""Seconds between lines where there is no terminal."""
PREVIEW_EVERY = 2.0


class Pace:
    """How fast work goes, from the times at which so many of its steps were done."""

    ENOUGH_STEPS, ENOUGH_SECONDS = 2, 1.0

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = 0.0, 0

    def see(self, now: float, done: int) -> None:
        """So many steps are done now; where that is fewer than before, another piece of work has begun."""
        if self._first is None or done < self._last[1]:
            self._first = now, done
        self._last = now, done

    @property
    def rate(self) -> float | None:
        """Steps in a second; None while too little was seen to know it."""
        if self._first is None:
            return None
        seconds, steps = self._last[0] - self._first[0], self._last[1] - self._first[1]
        known = seconds > 0 and steps > 0 and (steps >= self.ENOUGH_STEPS or seconds >= self.ENOUGH_SECONDS)
        return steps / seconds if known else None


def line(news: Progress, rate: float | None) -> str:
    """News as a line. The time left is told only where the rate and the number of steps are known."""
    told = [f"{news.what}: {news.done} of {news.total}" if news.total else f"{news.what}: {news.done}"]
    if rate is not None:
        told.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if news.total:
            told.append(f"{(news.total - news.done) / rate:.0f} s left")
    if news.note:
        told.append(news.note)
    return ", ".join(told)


class _Rate(ProgressColumn):
    def render(self, task: BarTask) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


class Watcher:
    """A context whose `__call__` is the watch of the work. preview: a file that shows how the pictures stand."""

    def __init__(self, preview: Path | None = None) -> None:
        if preview is not None:
            check_ending(preview, (".png",))
        self._preview, self._shown = preview, 0.0
        self._console = console_of(stderr=True)
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._told = time.monotonic()
        self._pace, self._done = Pace(), 0

    def __enter__(self) -> "Watcher":
        if self._console.is_terminal:
            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", style="dim", markup=False),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, news: Progress) -> None:
        self._show(news)
        if self._bars is not None:
            self._draw(self._bars, news)
            return
        now = time.monotonic()
        self._pace.see(now, news.done)
        if now - self._told >= EVERY:
            self._told = now
            print(line(news, self._pace.rate), file=sys.stderr, flush=True)

    def _draw(self, bars: Bars, news: Progress) -> None:
        total = news.total or None  # a bar of no known length
        if self._task is None:
            self._task = bars.add_task(news.what, total=total, note=news.note)
        elif news.done < self._done:  # another piece of work, with a pace of its own
            bars.reset(self._task)
        self._done = news.done
        bars.update(self._task, description=news.what, completed=news.done, total=total, note=news.note)

    def _show(self, news: Progress) -> None:
        """Write the preview, if its time has come."""
        if self._preview is None or news.now is None or time.monotonic() - self._shown < PREVIEW_EVERY:
            return
        try:
            write_whole(self._preview, preview_png(news.now()))
        except ResultError as error:
            print(f"note: the preview {error}; the work goes on without it", file=sys.stderr, flush=True)
            self._preview = None
        self._shown = time.monotonic()

"""News of long work on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.progress import Task as BarTask
from rich.text import Text

from convscope.errors import ResultError
from convscope.progress import Progress
from convscope.results.files import check_ending, write_whole
from convscope.results.pictures import preview_png

EVERY = 5.0
"""Seconds between lines where there is no terminal."""
PREVIEW_EVERY = 2.0


class _Rate(ProgressColumn):
    def render(self, task: BarTask) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


class Watcher:
    """A context whose `__call__` is the watch of the work. preview: a file that shows how the pictures stand."""

    def __init__(self, preview: Path | None = None) -> None:
        if preview is not None:
            check_ending(preview, (".png",))
        self._preview, self._shown = preview, 0.0
        self._console = Console(stderr=True)
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._told = time.monotonic()
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> "Watcher":
        if self._console.is_terminal:
            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", style="dim", markup=False), console=self._console, transient=True,
            )  # fmt: skip
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
            if self._task is None:
                self._task = self._bars.add_task(news.what, total=news.total, note=news.note)
            self._bars.update(self._task, description=news.what, completed=news.done, total=news.total, note=news.note)
            return
        now = time.monotonic()
        if self._first is None:
            self._first = now, news.done
        if now - self._told >= EVERY:
            self._told = now
            rate = (news.done - self._first[1]) / max(now - self._first[0], 1e-9)
            left = (news.total - news.done) / rate if rate else 0.0
            print(
                f"{news.what}: {news.done} of {news.total}, {rate:.1f}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

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

"""What a command did, told: on standard output or as JSON, errors in one line, exit codes."""

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table

from convscope.errors import ConvscopeError, Stopped
from convscope.memory import memory_watched
from convscope.results.facts import Summary

EXIT_ERROR, EXIT_STOPPED = 1, 130
MOST_NAMED = 6
"""How many files are named each by itself."""


@dataclass(frozen=True)
class Outcome:
    """What a command did. files: written, in order. data: more for --json. shown: what a person reads. stopped: how far
    it was, where it was stopped; empty where it is whole."""

    files: Sequence[Path | str] = ()
    data: dict[str, Any] = field(default_factory=dict)
    shown: Iterable[RenderableType] = ()
    notes: Sequence[str] = ()
    stopped: str = ""


def told(summary: Summary, files: Sequence[Path], notes: Sequence[str] = ()) -> Outcome:
    """What a summary says: its lines, and its table."""
    shown: list[RenderableType] = [*summary.lines]
    if summary.rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in summary.columns:
            table.add_column(title)
        for row in summary.rows:
            table.add_row(*row)
        shown.append(table)
    return Outcome(files, dict(summary.data), shown, notes)


def carry_out(work: Callable[[], Outcome], as_json: bool, debug: bool) -> None:
    """Do the work of a command and tell what came of it. Ends in an exit code where that is not 0."""
    _stopped_as_usual()
    try:
        with memory_watched("the whole of the command"):
            outcome = work()
            if outcome.stopped:
                print(f"{outcome.stopped}{'; what was done is kept' if outcome.files else ''}", file=sys.stderr)
            _say(outcome, as_json, {"stopped": outcome.stopped} if outcome.stopped else None)
        if outcome.stopped:
            raise typer.Exit(EXIT_STOPPED)
    except Stopped as stopped:  # of work that keeps nothing
        print(stopped, file=sys.stderr)
        raise typer.Exit(EXIT_STOPPED) from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise typer.Exit(EXIT_STOPPED) from None
    except (BrokenPipeError, typer.Exit):
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        _fail(error, as_json)
        raise typer.Exit(EXIT_ERROR) from None


def _stopped_as_usual() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt, whose work is kept; before, it ended the program at once."""
    here = threading.current_thread() is threading.main_thread()
    if here and getattr(signal.getsignal(signal.SIGINT), "__module__", "") in ("convscope.__main__", "__main__"):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _fail(error: Exception, as_json: bool) -> None:
    text = " ".join(str(error).split())
    if not isinstance(error, ConvscopeError):
        text = f"unexpected {type(error).__name__}: {text} (--debug shows where)"
    print(f"error: {text}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": text, "files": []}, ensure_ascii=False))


def _say(outcome: Outcome, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """Tell what was done; where nobody can be told, say on standard error what was written."""
    try:
        _tell(outcome, as_json, more)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):  # what is still to be written goes nowhere, so that the end is quiet
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        written = ", ".join(map(str, outcome.files)) or "nothing"
        print(
            f"error: standard output cannot be written ({error.strerror or error}); the work is done, files written: "
            f"{written}",
            file=sys.stderr,
        )
        raise typer.Exit(EXIT_ERROR) from None


def _tell(outcome: Outcome, as_json: bool, more: dict[str, Any] | None = None) -> None:
    for note in outcome.notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        files = [str(file) for file in outcome.files]
        print(json.dumps({"files": files, **outcome.data, **(more or {})}, ensure_ascii=False))
        return
    console = console_of()
    for line in outcome.shown:
        console.print(line)
    for file in _listed(outcome.files):
        console.print(str(file))


def console_of(*, stderr: bool = False) -> Console:
    """Where a command prints. Names and labels are shown as they are: `[bold]` and `:100:` mean nothing to it."""
    return Console(stderr=stderr, highlight=False, soft_wrap=not stderr, markup=False, emoji=False)


def _listed(files: Sequence[Path | str]) -> list[Path | str]:
    """The files that are named: all, or of many the first, how many follow, and the last."""
    if len(files) <= MOST_NAMED:
        return [*files]
    return [*files[:3], f"... and {len(files) - 4} more, to", files[-1]]

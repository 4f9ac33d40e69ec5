"""What a command did, told: on standard output or as JSON, errors in one line, exit codes."""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, RenderableType

from convscope.errors import ConvscopeError, Stopped
from convscope.memory import memory_watched

EXIT_ERROR, EXIT_STOPPED = 1, 130


@dataclass(frozen=True)
class Outcome:
    """What a command did. files: written, in order. data: more for --json. shown: what a person reads."""

    files: Sequence[Path | str] = ()
    data: dict[str, Any] = field(default_factory=dict)
    shown: Iterable[RenderableType] = ()
    notes: Sequence[str] = ()


def carry_out(work: Callable[[], Outcome], as_json: bool, debug: bool) -> None:
    """Do the work of a command and tell what came of it. Ends in an exit code where that is not 0."""
    try:
        with memory_watched("the whole of the command"):
            _say(work(), as_json)
    except Stopped as stopped:
        outcome = stopped.result if isinstance(stopped.result, Outcome) else Outcome()
        print(f"{stopped}{'; what was done is kept' if outcome.files else ''}", file=sys.stderr)
        _say(outcome, as_json, {"stopped": str(stopped)})
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
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for line in outcome.shown:
        console.print(line)
    for file in outcome.files if len(outcome.files) <= 6 else [*outcome.files[:3], "...", *outcome.files[-1:]]:
        console.print(str(file))

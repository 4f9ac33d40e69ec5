"""What the commands share that take many pictures: files, folders and patterns in; a folder of results and a table."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.command import Outcome
from convscope.cli.progress import Watcher
from convscope.errors import ResultError, Stopped
from convscope.models.picture_files import pictures_in
from convscope.results.files import check_place
from convscope.results.result import Result
from convscope.results.table import TABLES, check_table, write_table
from convscope.verbs.each import each

Photos = Annotated[list[str], typer.Argument(help="Picture files, folders, or patterns such as 'photos/*.jpg'.")]
Table = Annotated[
    Path | None, typer.Option("--table", help=f"FILE{'|'.join(TABLES)}: a row for each picture, those skipped too.")
]
BatchOf = Annotated[int | None, typer.Option("--batch", help="Pictures at once; as memory allows.", min=1)]
MOST_SAID = 5
"""Notes on the results, and pictures that were skipped, of which each is told."""


def is_many(photos: Sequence[str]) -> bool:
    """Whether more than one file is meant: several, a folder, or a pattern."""
    return len(photos) != 1 or os.path.isdir(photos[0]) or pictures_in(photos[0]) != list(photos)


def check_many(out: Path, table: Path | None) -> None:
    """Raises ResultError, before any work, where the folder or the table cannot be written."""
    if out.suffix or os.path.isfile(out):
        raise ResultError(f"--out is {str(out)!r}; the results of several pictures go to a folder, such as heatmaps/")
    check_place(out / "picture.png")
    if table is not None:
        check_table(table)


@dataclass
class Many:
    """A verb on many pictures. save: writes one result under a name without an ending, and gives its files and row."""

    verb: Callable[..., Result]
    save: Callable[[Result, str], tuple[list[Path], dict[str, Any]]]
    columns: Sequence[str]
    what: str
    files: list[Path] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def run(
        self, net: Any, photos: Sequence[str], *arguments: Any, table: Path | None, batch: int | None, **options: Any
    ) -> Outcome:
        """All pictures; what is done is kept when it is stopped."""
        paths = [str(path) for path in pictures_in(list(photos))]
        names = _names(paths)
        stopped = ""
        with Watcher() as watch:
            results = each(self.verb, net, paths, *arguments, batch=batch, watch=watch, **options)
            try:
                for result in results:
                    self._keep(result, names)
            except Stopped as error:
                stopped = str(error)
                if error.result is not None:
                    self._keep(error.result, names)
        skipped = {one.name: str(one.error) for one in results.skipped}
        if skipped and not self.rows and not stopped:
            raise results.skipped[0].error
        blank = dict.fromkeys([*self.columns, "notes"])
        self.rows += [{"path": path, **blank, "error": told} for path, told in skipped.items()]
        order = {path: number for number, path in enumerate(paths)}
        self.rows.sort(key=lambda row: order[row["path"]])
        written = [*self.files]
        if table is not None:
            written.append(write_table(table, self.rows, ["path", *self.columns, "notes", "error"]))
        done = len(self.rows) - len(skipped)
        lines = [f"{done} {self.what}{'' if done == 1 else 's'}" + (f", {len(skipped)} skipped" if skipped else "")]
        return Outcome(written, {"pictures": self.rows}, lines, [*_counted(self.notes, done), *_said(skipped)], stopped)

    def _keep(self, result: Result, names: Mapping[str, str]) -> None:
        path = str(result.recipe.inputs["image"]["path"])
        files, row = self.save(result, names[path])
        self.files += files
        self.notes.update(result.notes)
        self.rows.append({"path": path, **row, "notes": "; ".join(result.notes) or None, "error": None})


def _counted(notes: Mapping[str, int], done: int) -> list[str]:
    """What a reader has to know of the results, each once, and of how many."""
    return _first([note if count == done else f"{note} ({count} of {done})" for note, count in notes.items()], "notes")


def _said(skipped: Mapping[str, str]) -> list[str]:
    """A note for each picture that was skipped."""
    told = [f"skipped: {text if path in text else f'{path}: {text}'}" for path, text in skipped.items()]
    return _first(told, "were skipped")


def _first(notes: list[str], what: str) -> list[str]:
    """Notes; of many the first few, and how many there are besides."""
    more = len(notes) - MOST_SAID
    return notes if more <= 0 else [*notes[:MOST_SAID], f"and {more} more {what}: --table or --json tells all"]


def _names(paths: Sequence[str]) -> dict[str, str]:
    """For each file a name without an ending, unlike those of all others, in folders as theirs."""
    parents = [os.path.dirname(os.path.abspath(path)) for path in paths]
    base = os.path.commonpath(parents)
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        plain = name = os.path.splitext(os.path.relpath(os.path.abspath(path), base))[0]
        count = 1
        while name.lower() in taken and path not in names:
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.lower())
        names.setdefault(path, name)
    return names

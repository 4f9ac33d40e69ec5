"""Labelled pictures from a table: `.csv` or `.parquet` with the columns path, label and, if it splits them, split."""

import csv
from pathlib import Path
from typing import Any

from convscope.datasets.labelled import SPLITS, Dataset, Split, dataset_of
from convscope.errors import InputError, MissingExtraError

PATHS = ("path", "file", "filename", "image")
LABELS = ("label", "class", "category", "target")


def from_table(path: Path) -> Dataset:
    """The pictures of a table; paths are seen from its folder. Raises InputError for a table that is none."""
    rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    if not rows:
        raise InputError(f"the table {str(path)!r} has no rows")
    names = {str(name).strip().lower(): name for name in rows[0]}
    file, label = _column(names, PATHS, path), _column(names, LABELS, path)
    split = names.get("split")
    entries: list[tuple[str, str, Split]] = []
    for number, row in enumerate(rows, 2):
        if not row.get(file) or row.get(label) in (None, ""):
            raise InputError(f"row {number} of {str(path)!r} has no {file if not row.get(file) else label}")
        part = str(row.get(split) or "").strip().lower() if split else ""
        if part and part not in SPLITS:
            raise InputError(f"row {number} of {str(path)!r} has the split {part!r}; expected train, val or test")
        entries.append((str(path.parent / str(row[file])), str(row[label]).strip(), SPLITS.get(part, "")))
    return dataset_of(entries, f"a table of {len(entries)} rows")


def _column(names: dict[str, Any], wanted: tuple[str, ...], path: Path) -> Any:
    found = next((names[name] for name in wanted if name in names), None)
    if found is None:
        told = ", ".join(names)
        raise InputError(f"the table {str(path)!r} has the columns {told}; expected one called {' or '.join(wanted)}")
    return found


def _csv(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"the table {str(path)!r} cannot be read: {error}") from None


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading a .parquet table", "pyarrow", "parquet") from None
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except Exception as error:
        raise InputError(f"the table {str(path)!r} cannot be read: {' '.join(str(error).split())[:200]}") from None
    return rows

"""A table of results as a file: .csv, .jsonl or .parquet, a row for each picture; whole or not at all."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convscope.errors import MissingExtraError, ResultError
from convscope.results.files import check_place, write_whole

TABLES = (".csv", ".jsonl", ".parquet")
Row = Mapping[str, Any]


def check_table(path: Path) -> None:
    """Raises ResultError, or MissingExtraError, before any work, for a table that cannot be written."""
    if path.suffix.lower() not in TABLES:
        raise ResultError(f"the table is {str(path)!r}; expected a file that ends in {', '.join(TABLES)}")
    if path.suffix.lower() == ".parquet":
        _arrow()
    check_place(path)


def write_table(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> Path:
    """Write rows, each with a value or None for every column."""
    match path.suffix.lower():
        case ".csv":
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([["" if row[name] is None else row[name] for name in columns] for row in rows])
            data = text.getvalue().encode()
        case ".jsonl":
            lines = [json.dumps({name: row[name] for name in columns}, ensure_ascii=False) for row in rows]
            data = "".join(f"{line}\n" for line in lines).encode()
        case _:
            arrow, parquet = _arrow()
            table = arrow.table({name: [row[name] for row in rows] for name in columns})
            sink = io.BytesIO()
            parquet.write_table(table, sink)
            data = sink.getvalue()
    return write_whole(path, data)


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("a .parquet table", "pyarrow", "parquet") from None
    return pyarrow, pyarrow.parquet

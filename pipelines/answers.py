"""Writes the answer of a query as CSV, JSON or Parquet, row by row, so that a large one needs no more memory."""

from __future__ import annotations

import csv
import json
import math
import os
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

FORMATS = ("csv", "json", "parquet")
"""What an answer can be written as; also the endings of files from which that is told."""
_BATCH_ROWS = 10_000


class AnswerNotWritten(Exception):
    """The answer cannot be written in that form, or not to that file."""


@contextmanager
def stoppable(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Makes Ctrl-C during a query a KeyboardInterrupt, and ends the query.

    DuckDB raises a RuntimeError instead, and goes on with the query: the next one would wait for it.
    """
    try:
        yield
    except KeyboardInterrupt:
        con.interrupt()
        raise
    except RuntimeError as error:
        if "Query interrupted" not in str(error):
            raise
        con.interrupt()
        raise KeyboardInterrupt from error


def format_of(file: Path) -> str | None:
    """What the ending of a file's name says is to be written; None when it says nothing that is known."""
    ending = file.suffix.removeprefix(".").lower()
    return ending if ending in FORMATS else None


def write_to_file(answer: duckdb.DuckDBPyConnection, form: str, file: Path) -> int:
    """Writes what a connection has been asked to a file, which is there as a whole or not at all.

    Times with a zone are in UTC; in Parquet they keep their microseconds, in JSON they are cut to seconds.

    Returns:
        How many rows it has.

    Raises:
        AnswerNotWritten: two columns have one name, or a column's type is not one of Parquet's.
        OSError: the file cannot be written.
    """
    if form == "parquet":
        with replacing(file) as part:
            return _write_parquet(answer, part)
    with replacing(file) as part, part.open("w", encoding="utf-8", newline="") as stream:
        return write_text(answer, form, stream)


def write_text(answer: duckdb.DuckDBPyConnection, form: str, stream: IO[str]) -> int:
    """As `write_to_file`, in csv or json, to a stream of text."""
    names = [name for name, *_ in answer.description or ()]
    return _write_csv(answer, names, stream) if form == "csv" else _write_json(answer, names, stream)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A file beside another, which takes its place when the block ends well: it is there as a whole or not at all.

    Raises:
        OSError: it cannot take the other's place.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _rows(answer: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := answer.fetchmany(_BATCH_ROWS):
        yield from rows


def _write_csv(answer: duckdb.DuckDBPyConnection, names: list[str], stream: IO[str]) -> int:
    count = 0
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for count, row in enumerate(_rows(answer), start=1):  # noqa: B007 - the last one is the number of rows
        writer.writerow(row)
    return count


def _write_json(answer: duckdb.DuckDBPyConnection, names: list[str], stream: IO[str]) -> int:
    _need_different(names)
    count = 0
    stream.write("[")
    for count, row in enumerate(_rows(answer), start=1):
        stream.write(",\n" if count > 1 else "")
        json.dump({name: _plain(value) for name, value in zip(names, row, strict=True)}, stream, ensure_ascii=False)
    stream.write("]\n")
    return count


def _plain(value: Any) -> Any:
    """A value as JSON has it: null for what is not a number, times with a zone by the letter Z."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return value if isinstance(value, int | str | None) else str(value)


def _write_parquet(answer: duckdb.DuckDBPyConnection, file: Path) -> int:
    from pyarrow import ArrowNotImplementedError  # noqa: PLC0415 - it takes a while, and most commands write no Parquet
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415 - as above

    batches = answer.to_arrow_reader(_BATCH_ROWS)
    _need_different(batches.schema.names)
    count = 0
    try:
        with ParquetWriter(file, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                count += batch.num_rows
    except ArrowNotImplementedError as error:
        raise AnswerNotWritten(
            f"Parquet has no such type: {error}. Cast the column; of an interval, epoch(column) is the seconds."
        ) from error
    return count


def _need_different(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise AnswerNotWritten(f"two columns are called {name!r}: give one another name, with 'as'.")

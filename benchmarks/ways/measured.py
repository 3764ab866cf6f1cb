"""What every way to load reports about itself, as one line of JSON, so that the ways are measured alike."""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def measured(database: Path, schema: str) -> Iterator[None]:
    """Measures the body and prints what it took, with the rows that are in the database afterwards.

    Args:
        database: the DuckDB file that the body fills; the body has closed it when it ends.
        schema: where its tables are.
    """
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    peak_megabytes = _peak_bytes() / 1e6  # before the rows are counted, which is no part of it
    print(
        json.dumps(
            {"seconds": seconds, "peak_megabytes": peak_megabytes, "row_counts": _row_counts(database, schema)},
            sort_keys=True,
        )
    )


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts kibibytes


def _row_counts(database: Path, schema: str) -> dict[str, int]:
    with duckdb.connect(database, read_only=True) as con:
        names = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = $1", [schema]).fetchall()
        counts = {
            name: con.table(f"{schema}.{name}").count("*").fetchone() for (name,) in names if not name.startswith("_")
        }
    return {name: count[0] for name, count in counts.items() if count}

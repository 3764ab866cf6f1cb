"""Makes the rows of the normalised tables from the payloads that were kept.

The database writes them itself, without the loader: nothing has to be recovered, since the payloads are there. Some
thousand objects at a time are written, with their lists, in one transaction. A rebuild that was stopped goes on where
it was: an object that is as its payload makes it is left as it is.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import duckdb

from pipelines.keeping import (
    DATASET,
    RAW,
    apply_deletions,
    has_table,
    keep_built_with,
    keep_changes_of_shape,
    known_versions,
    make_table,
    transaction,
)
from pipelines.warehouse import LOAD_ID
from transforms.drift import DOCUMENTED_VALUES, Drift
from transforms.flatten import Flattening
from transforms.selects import moment, quoted
from transforms.tables import QUARANTINE
from transforms.versions import unknown_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from pipelines.source import Stream
    from pipelines.warehouse import Warehouse
    from transforms.contract import Contract
    from transforms.personal_data import Policy

    Span = tuple[int, int]

logger = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 600
"""How long a stream waits for another writer."""
OBJECTS_AT_ONCE = 5_000
"""Written in one transaction: enough that making the plans of wide statements does not count."""
BYTES_AT_ONCE = 13_000_000
"""JSON that is written in one transaction at most, where objects are large."""
MOST_PARTS = 256
"""Into how many parts that is divided where memory does not suffice, before the error is raised."""
READS = 2
"""In how many parts the texts of a transaction are read, which are in memory at once."""
MEMORY_LIMIT = "155MB"
"""What the database may use; beyond it, it works on disk. What is written and what is read ahead have to find room in
it, and take about 100 MB.
"""
TRANSACTIONS_IN_LOG = 20
"""How many may lie in the log before it goes into the tables (undivided ones). Each time, the last rows of every table
are written anew, so that the database's own 16 MB would take as long as all the rest. It takes memory, the more the
more rows there are, so nothing is read ahead meanwhile.
"""


@dataclass
class RebuildReport:
    """What a rebuild did: payloads read, by stream, and rows written, by table.

    Rows that are as they have to be are not written.
    """

    record_counts: Counter[str] = field(default_factory=Counter)
    row_counts: Counter[str] = field(default_factory=Counter)
    quarantined_count: int = 0
    drift: set[Drift] = field(default_factory=set)


def rebuild(warehouse: Warehouse, streams: Sequence[Stream], *, loaded_at: datetime, policy: Policy) -> RebuildReport:
    """Makes the rows of some streams from their payloads, stream by stream; the tables too, where they are not there.

    Args:
        warehouse: what holds the payloads. The writer lock is taken for a stream at a time.
        streams: whose tables are made.
        loaded_at: start of the run, UTC.
        policy: what became of personal data when the payloads were kept.

    Raises:
        pipelines.warehouse.WarehouseBusy: another process holds the writer lock.
    """
    report = RebuildReport(record_counts=Counter({stream.name: 0 for stream in streams}))
    with warehouse.connect() as con:
        kept = [stream for stream in streams if has_table(con, RAW, stream.contract.root.name)]
    for stream in kept:
        parts = 1
        while not _is_rebuilt(warehouse, stream, report, parts, loaded_at=loaded_at, policy=policy):
            parts *= 4
    return report


def _is_rebuilt(
    warehouse: Warehouse, stream: Stream, report: RebuildReport, parts: int, *, loaded_at: datetime, policy: Policy
) -> bool:
    """Rebuilds a stream; False when so many objects at once do not fit into memory. What was written by then stays."""
    before = report.quarantined_count
    try:
        with warehouse.writing("a replay", timeout_seconds=LOCK_WAIT_SECONDS) as con:
            con.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET checkpoint_threshold = '1TB'")
            _rebuild(con, stream, report, parts, loaded_at=loaded_at, policy=policy)
    except (duckdb.OutOfMemoryException, duckdb.TransactionException) as error:
        if parts >= MOST_PARTS:
            raise
        logger.warning("%s: %s; fewer objects are written at once", stream.name, str(error).partition("\n")[0])
        report.quarantined_count = before
        return False
    return True


def _rebuild(
    con: duckdb.DuckDBPyConnection,
    stream: Stream,
    report: RebuildReport,
    parts: int,
    *,
    loaded_at: datetime,
    policy: Policy,
) -> None:
    contract = stream.contract
    report.record_counts[stream.name] = 0
    keep_built_with(con, None)  # which rows are new is told by loads, and none of these comes with one
    with transaction(con):
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {DATASET}")
        for table in contract.tables:
            make_table(con, f"{DATASET}.{table.name}", (*table.all_columns, LOAD_ID))
        make_table(con, f"{DATASET}.quarantine", (*QUARANTINE, LOAD_ID))
    is_empty = con.execute(f"SELECT 1 FROM {DATASET}.{contract.root.name} LIMIT 1").fetchone() is None

    def read(span: Span) -> Flattening:
        # A cursor is a connection of its own: what the work leaves in temporary tables goes with it.
        flattening = Flattening(contract, _cursor(con), loaded_at=loaded_at, policy=policy)
        start, end = span
        step = -(-(end - start) // READS)
        for first in range(start, end, step):
            flattening.read_kept(_payloads(contract, first, min(first + step, end)))
        return flattening

    spans = _spans(con, contract, parts)
    while some := tuple(islice(spans, TRANSACTIONS_IN_LOG * parts)):
        for flattening in _one_ahead(read, some):
            with flattening.con as at_once, transaction(at_once):
                report.record_counts[stream.name] += flattening.object_count
                if not is_empty:
                    flattening.leave_out(known_versions(at_once, contract.root, flattening.objects()))
                report.row_counts.update(_write(at_once, flattening))
                report.quarantined_count += _set_aside(at_once, flattening)
            report.drift |= flattening.drift
        con.execute("CHECKPOINT")
    with transaction(con):
        report.drift |= _undocumented_values(con, contract, loaded_at)
        keep_changes_of_shape(con, report.drift, seen_at=loaded_at)
        if contract.marks_deleted:
            apply_deletions(con, contract)


def _cursor(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    cursor = con.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    return cursor


def _one_ahead(read: Callable[[Span], Flattening], spans: Iterable[Span]) -> Iterator[Flattening]:
    """What each span is read into; one is read while the one before is written, since both keep a core busy."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead: Future[Flattening] | None = None
        for span in spans:
            before, ahead = ahead, pool.submit(read, span)
            if before is not None:
                yield before.result()
        if ahead is not None:
            yield ahead.result()


def _spans(con: duckdb.DuckDBPyConnection, contract: Contract, parts: int) -> Iterator[Span]:
    """Spans of row ids that together are all the payloads that there are now, of a part of what is written at once."""
    largest = (
        "SELECT max(last), max(bytes) FROM (SELECT max(rowid) AS last, sum(strlen(payload)) / count(*) AS bytes"
        f" FROM {RAW}.{contract.root.name} GROUP BY rowid // {OBJECTS_AT_ONCE})"
    )
    last, object_bytes = con.execute(largest).fetchone() or (None, None)
    if last is None:
        return
    step = max(int(min(OBJECTS_AT_ONCE, BYTES_AT_ONCE / object_bytes) / parts), 1)
    for start in range(0, last + 1, step):
        yield start, min(start + step, last + 1)


def _payloads(contract: Contract, start: int, end: int) -> str:
    key = ", ".join(map(quoted, contract.root.object_key))
    return f"SELECT {key}, payload FROM {RAW}.{contract.root.name} WHERE rowid >= {start} AND rowid < {end}"


def _write(con: duckdb.DuckDBPyConnection, flattening: Flattening) -> dict[str, int]:
    """Puts the rows of what is left in the place of those that the tables have; how many, by table."""
    row_counts = {}
    for table in flattening.contract.tables if flattening.object_count else ():
        name = f"{DATASET}.{table.name}"
        if not flattening.are_new:
            key = ", ".join(map(quoted, table.object_key))
            con.execute(f"DELETE FROM {name} WHERE ({key}) IN ({flattening.rewritten(table)})")
        row_counts[table.name] = _insert(con, name, flattening.rows(table))
    return row_counts


def _set_aside(con: duckdb.DuckDBPyConnection, flattening: Flattening) -> int:
    key = "account_id, object, content_hash"
    con.execute(f"DELETE FROM {DATASET}.quarantine WHERE ({key}) IN (SELECT {key} FROM ({flattening.quarantine()}))")
    return _insert(con, f"{DATASET}.quarantine", flattening.quarantine())


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: str) -> int:
    """Without the loader's mark of a package: there is none, so none that could be unfinished."""
    (count,) = con.execute(f"INSERT INTO {table} BY NAME {rows}").fetchone() or (0,)
    return int(count)


def _undocumented_values(con: duckdb.DuckDBPyConnection, contract: Contract, loaded_at: datetime) -> set[Drift]:
    return {
        Drift(table.name, (column,), DOCUMENTED_VALUES, value)
        for table in contract.tables
        if (query := unknown_values(table, f"FROM {DATASET}.{table.name} WHERE _loaded_at = {moment(loaded_at)}"))
        for column, value in con.execute(query).fetchall()
    }

"""Turns a stream's batches into load packages: flattened, reduced to what has changed, with their cursors."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt

from pipelines.keeping import (
    accounts_followed,
    keep_payloads,
    keep_versions,
    known_versions,
    objects_with_rows,
)
from pipelines.source.hints import QUARANTINE_HINTS, table_hints
from pipelines.source.streams import Reading
from transforms.drift import DOCUMENTED_VALUES, Drift
from transforms.flatten import Flattening
from transforms.lateness import lateness
from transforms.selects import literal
from transforms.versions import unknown_values, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from dlt.extract import DltResource

    from pipelines.source.reading import Reader
    from pipelines.source.streams import Stream
    from pipelines.source.windows import Cursor
    from transforms.contract import Table
    from transforms.personal_data import Policy

PACKAGE_BYTES = 125_000_000
"""JSON that is loaded at once, of all streams: enough that the loader's fixed costs do not count, little enough for
memory.
"""
PACKAGE_BYTES_WITH_PAYLOADS = 24_000_000
"""The same where payloads are kept: they lie beside what became of them, and are written besides."""

ROWS_PER_GROUP = 2_048
"""Rows that the database has in memory at once, several times over, while it writes a file."""
LARGE_OBJECT_BYTES = 12_000
"""From what size on, on the average of a batch, objects want more memory, since so many rows are in it at once."""
PACKAGE_BYTES_OF_LARGE_OBJECTS = 64_000_000
"""The same as `PACKAGE_BYTES` where there are such objects: no more than this is ever in so many rows."""


class LoadTally:
    """What a run has put into its load packages.

    Rows per table, the quarantine's too; differences in shape; how many mentions are new, by account and how many
    seconds at most they are late.
    """

    def __init__(self) -> None:
        self.row_counts: Counter[str] = Counter()
        self.drift: set[Drift] = set()
        self.lateness: Counter[tuple[str, int | None]] = Counter()


@dataclass(frozen=True)
class Manner:
    """How a run makes its packages.

    Attributes:
        connect: opens a connection to an in-process database, in which a package is made.
        allow_for_large_objects: gives the database of a connection the memory that large objects want.
        folder: where files are written; the loader links them into its own folder.
        loaded_at: start of the run, UTC.
        policy: what becomes of personal data.
        keeps_payloads: whether the raw payloads are kept.
    """

    connect: Callable[[], duckdb.DuckDBPyConnection]
    allow_for_large_objects: Callable[[duckdb.DuckDBPyConnection], None]
    folder: Path
    loaded_at: datetime
    policy: Policy
    keeps_payloads: bool


class StreamLoader:
    """Turns one stream's pages into packages."""

    def __init__(self, reader: Reader, manner: Manner) -> None:
        self.name = reader.stream.name
        self.reader = reader
        self._manner = manner

    @property
    def is_done(self) -> bool:
        """Whether everything that could be read has been read."""
        return self.reader.is_done

    def read(self, state: dict[str, Any], *, most_bytes: float) -> Package:
        """Reads for the next package and flattens what it gives.

        Args:
            state: the stream's state as the loader keeps it: the cursors of what is in the warehouse.
            most_bytes: JSON after which the package is big enough.
        """
        stream, manner = self.reader.stream, self._manner
        flattening = Flattening(
            stream.contract,
            manner.connect(),
            loaded_at=manner.loaded_at,
            policy=manner.policy,
            keeps_payload=manner.keeps_payloads,
        )
        cursors: dict[str, Cursor] = {}
        byte_count = 0
        if stream.reading is Reading.SNAPSHOT:  # what is gone from it shows only in the whole of it
            most_bytes = math.inf
        has_large_objects = False
        while byte_count < most_bytes and (batch := self.reader.next_batch(state.get("cursors", {}))) is not None:
            if batch.byte_count > batch.record_count * LARGE_OBJECT_BYTES and not has_large_objects:
                has_large_objects, most_bytes = True, min(most_bytes, PACKAGE_BYTES_OF_LARGE_OBJECTS)
                manner.allow_for_large_objects(flattening.con)
            flattening.read(
                batch.bodies, records_path=batch.records_path, account_id=batch.account_id, given=batch.given
            )
            flattening.take_over(batch.account_id, batch.unreadable, batch.drift)
            cursors[batch.account_id] = batch.cursor
            byte_count += batch.byte_count
        return Package(stream, flattening, cursors, manner, byte_count, has_large_objects)


@dataclass(frozen=True)
class Package:
    """What of one stream is loaded at once: objects, and the cursors that hold once they are in the warehouse.

    Rows of objects that have none in a table yet (a first reading, a backfill, lists that were empty) are appended,
    which is half the work of merging them.
    """

    stream: Stream
    flattening: Flattening
    cursors: dict[str, Cursor]
    manner: Manner
    byte_count: int
    has_large_objects: bool
    _held: dict[str, pa.Table] = field(default_factory=dict, init=False)
    """By table: the objects that have other rows in it now."""

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    def close(self) -> None:
        """Gives its memory back."""
        self.flattening.con.close()

    def keep(self, con: duckdb.DuckDBPyConnection, tally: LoadTally) -> None:
        """Writes what is kept beside the normalised tables, and leaves out the objects that those hold unchanged.

        Args:
            con: a connection to the work file that may write.
            tally: is told of differences in shape, and of new mentions.
        """
        contract, flattening, manner = self.stream.contract, self.flattening, self.manner
        if self.has_large_objects:
            manner.allow_for_large_objects(con)
        objects = flattening.objects()
        if self.stream.keeps_versions and (accounts := self._read_whole()):
            for table in contract.tables:
                file = self._write(table.name, versions(table, flattening.rows(table)))
                keep_versions(con, table, file, account_ids=accounts, seen_at=manner.loaded_at)
        flattening.leave_out(known_versions(con, contract.root, objects))
        if not flattening.are_new:
            for table in contract.tables:
                keys = flattening.con.execute(flattening.rewritten(table)).to_arrow_table()
                if (held := objects_with_rows(con, table, keys)).num_rows:
                    self._held[table.name] = held
        if manner.keeps_payloads and flattening.object_count:
            keep_payloads(con, contract, self._write("payloads", flattening.payloads()))
        tally.drift |= flattening.drift
        if contract.object == "mention" and flattening.object_count:
            tally.lateness.update(self._lateness(accounts_followed(con)))

    def resources(self, state: dict[str, Any], tally: LoadTally) -> Iterator[DltResource]:
        """The package as dlt resources: the cursors, and one for each table. Extracting them writes its files.

        Args:
            state: the stream's state as the loader keeps it.
            tally: is told how many rows.
        """
        contract, flattening = self.stream.contract, self.flattening
        # Tables and columns exist from the first run on, with or without rows, so that SQL on a new warehouse runs.
        declares_tables = state.get("contract") != contract.fingerprint
        if not (self.cursors or declares_tables):
            return
        yield dlt.resource(self._remember(), name=f"{self.name}_cursors")
        if flattening.object_count or declares_tables:
            for table in contract.tables:
                held = self._held.get(table.name)
                select = (
                    flattening.rows(table)
                    if held is None or table.parent is None
                    else flattening.rows_with_removals(table, held)
                )
                rows = self._file(table.name, select, table, tally, even_empty=declares_tables)
                yield dlt.resource(rows, name=table.name, **table_hints(table, only_new=held is None))
        rows = self._file("quarantine", flattening.quarantine(), None, tally, even_empty=declares_tables)
        yield dlt.resource(rows, name=f"{contract.table}_quarantine", **QUARANTINE_HINTS)

    def _lateness(self, followed: pa.Table) -> dict[tuple[str, int | None], int]:
        if not followed.num_rows:
            return {}
        root, flattening = self.stream.contract.root, self.flattening
        known = None if flattening.are_new else flattening.rewritten(root)
        flattening.con.register("followed", followed)
        counts = flattening.con.execute(lateness(flattening.rows(root), known)).fetchall()
        return {(account_id, at_most_seconds): count for account_id, at_most_seconds, count in counts}

    def _read_whole(self) -> list[str]:
        """The accounts of which this is the whole list.

        An earlier run as of the same time may have read it whole where this one could not.
        """
        loaded_at = self.manner.loaded_at
        return [
            account_id
            for account_id, cursor in self.cursors.items()
            if cursor.read_at == loaded_at and loaded_at not in {cursor.refused_at, cursor.cut_short_at}
        ]

    def _remember(self) -> Iterator[Any]:
        """Commits the cursors with the package: a resource without items."""
        state = dlt.current.source_state().setdefault(self.name, {})
        state["contract"] = self.stream.contract.fingerprint
        state.setdefault("cursors", {}).update(
            {account_id: cursor.to_state() for account_id, cursor in self.cursors.items()}
        )
        yield from ()

    def _file(self, name: str, rows: str, table: Table | None, tally: LoadTally, *, even_empty: bool) -> Iterator[Any]:
        """The file of a table's rows, for the loader to take, with the package's id as the loader names it."""
        con = self.flattening.con
        load_id = dlt.current.load_package_state()["load_id"]
        file = self._write(name, f"SELECT *, '{load_id}' AS _dlt_load_id FROM ({rows})")
        is_list = table is not None and table.parent is not None
        count = "count(*), count(*) - count(_is_removed)" if is_list else "count(*), count(*)"
        row_count, counted = con.execute(f"SELECT {count} FROM {literal(str(file))}").fetchone() or (0, 0)
        if row_count:
            yield dlt.mark.with_file_import(str(file), "parquet", row_count)
        elif even_empty:  # for a file without rows the loader makes no table
            yield con.execute(f"FROM {literal(str(file))}").to_arrow_table()
        if table is not None and row_count and (query := unknown_values(table, f"FROM {literal(str(file))}")):
            tally.drift |= {
                Drift(table.name, (column,), DOCUMENTED_VALUES, value)
                for column, value in con.execute(query).fetchall()
            }
        tally.row_counts[name] += counted
        file.unlink()

    def _write(self, name: str, rows: str) -> Path:
        file = self.manner.folder / f"{self.name}.{name}.parquet"
        how = f"FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE {ROWS_PER_GROUP}"
        self.flattening.con.execute(f"COPY ({rows}) TO {literal(str(file))} ({how})")
        return file

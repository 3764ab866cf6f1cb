"""Turns a stream's batches into load packages: flattened, reduced to what has changed, with their cursors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dlt

from pipelines.source.hints import QUARANTINE_HINTS, table_hints
from transforms.flatten import Flattening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from dlt.extract import DltResource

    from pipelines.source.reading import StreamReader
    from pipelines.source.streams import Stream
    from pipelines.source.windows import Cursor
    from transforms.contract import Contract
    from transforms.drift import Drift

    KnownVersions = Callable[[Contract, pa.Table], pa.Table]

PACKAGE_PAGES = 300
"""Pages that are loaded at once: enough that the loader's fixed costs do not count, few enough for memory."""


class LoadTally:
    """What a run has put into its load packages: rows per table, the quarantine's too, and differences in shape."""

    def __init__(self) -> None:
        self.row_counts: Counter[str] = Counter()
        self.drift: set[Drift] = set()


class StreamLoader:
    """Turns one stream's pages into packages.

    Args:
        reader: gives the pages.
        connect: opens a connection to an in-process database, in which a package is made.
        loaded_at: start of the run, UTC.
    """

    def __init__(
        self, reader: StreamReader, *, connect: Callable[[], duckdb.DuckDBPyConnection], loaded_at: datetime
    ) -> None:
        self.name = reader.stream.name
        self._reader = reader
        self._connect = connect
        self._loaded_at = loaded_at

    @property
    def is_done(self) -> bool:
        """Whether everything that could be read has been read."""
        return self._reader.is_done

    def read(self, state: dict[str, Any]) -> Package:
        """Reads the API for the next package and flattens what it gives.

        Args:
            state: the stream's state as the loader keeps it: the cursors of what is in the warehouse.
        """
        flattening = Flattening(self._reader.stream.contract, self._connect(), loaded_at=self._loaded_at)
        cursors: dict[str, Cursor] = {}
        page_count = 0
        while page_count < PACKAGE_PAGES and (batch := self._reader.next_batch(state.get("cursors", {}))) is not None:
            flattening.read(
                batch.bodies, records_path=batch.records_path, account_id=batch.account_id, given=batch.given
            )
            cursors[batch.account_id] = batch.cursor
            page_count += len(batch.bodies)
        return Package(self._reader.stream, flattening, cursors)


@dataclass(frozen=True)
class Package:
    """What of one stream is loaded at once: objects, and the cursors that hold once they are in the warehouse.

    A package of nothing but objects that the warehouse does not have (a first reading, a backfill) is appended, which
    is half the work of merging it.
    """

    stream: Stream
    flattening: Flattening
    cursors: dict[str, Cursor]

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    def close(self) -> None:
        """Gives its memory back."""
        self.flattening.con.close()

    def resources(
        self, state: dict[str, Any], *, known_versions: KnownVersions, folder: Path, tally: LoadTally
    ) -> Iterator[DltResource]:
        """The package as dlt resources: the cursors, and one for each table. Extracting them writes its files.

        Args:
            state: the stream's state as the loader keeps it.
            known_versions: the warehouse's version of objects.
            folder: where files are written; the loader links them into its own folder.
            tally: is told what goes into the package.
        """
        contract, flattening = self.stream.contract, self.flattening
        # Tables and columns exist from the first run on, with or without rows, so that SQL on a new warehouse runs.
        declares_tables = state.get("contract") != contract.fingerprint
        if not (self.cursors or declares_tables):
            return
        yield dlt.resource(self._remember(), name=f"{self.stream.name}_cursors")
        flattening.leave_out(known_versions(contract, flattening.objects()))
        file = _Files(flattening, folder, tally, even_empty=declares_tables)
        if flattening.object_count or declares_tables:
            for table in contract.tables:
                removals = table.parent is not None and not flattening.are_new
                rows = file.of(table.name, flattening.rows(table), has_removals=removals)
                yield dlt.resource(rows, name=table.name, **table_hints(table, only_new=flattening.are_new))
        rows = file.of("quarantine", flattening.quarantine(), has_removals=False)
        yield dlt.resource(rows, name=f"{contract.table}_quarantine", **QUARANTINE_HINTS)
        tally.drift |= flattening.drift

    def _remember(self) -> Iterator[Any]:
        """Commits the cursors with the package: a resource without items."""
        state = dlt.current.source_state().setdefault(self.stream.name, {})
        state["contract"] = self.stream.contract.fingerprint
        state.setdefault("cursors", {}).update(
            {account_id: cursor.to_state() for account_id, cursor in self.cursors.items()}
        )
        yield from ()


@dataclass(frozen=True)
class _Files:
    """Writes rows to files of the package."""

    flattening: Flattening
    folder: Path
    tally: LoadTally
    even_empty: bool

    def of(self, table: str, rows: str, *, has_removals: bool) -> Iterator[Any]:
        """The file of a table's rows, for the loader to take, with the package's id as the loader names it."""
        con = self.flattening.con
        file = self.folder / f"{self.flattening.contract.table}.{table}.parquet"
        load_id = dlt.current.load_package_state()["load_id"]
        (row_count,) = con.execute(
            f"COPY (SELECT *, '{load_id}' AS _dlt_load_id FROM ({rows})) TO '{file}' (FORMAT parquet)"
        ).fetchone() or (0,)
        if row_count:
            yield dlt.mark.with_file_import(str(file), "parquet", row_count)
        elif self.even_empty:  # for a file without rows the loader makes no table
            yield con.execute(f"FROM '{file}'").to_arrow_table()
        if has_removals:
            (row_count,) = con.execute(f"SELECT count(*) - count(_is_removed) FROM '{file}'").fetchone() or (0,)
        self.tally.row_counts[table] += row_count
        file.unlink()

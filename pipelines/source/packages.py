"""Turns a stream's batches into load packages: flattened, reduced to what has changed, with their cursors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa

from pipelines.source.hints import quarantine_of, rows_of
from transforms.changes import only_changes
from transforms.flatten import Flattened, flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from dlt.extract import DltResource

    from pipelines.source.reading import Batch, StreamReader
    from transforms.contract import Contract
    from transforms.drift import Drift

    KnownVersions = Callable[[Contract, pa.Table], pa.Table]

PACKAGE_PAGES = 150
"""Pages that are loaded at once: enough that the loader's fixed costs do not count, few enough for memory."""


class LoadTally:
    """What a run has put into its load packages: rows per table, records set aside, differences from the contract."""

    def __init__(self) -> None:
        self.row_counts: Counter[str] = Counter()
        self.quarantined_count = 0
        self.drift: set[Drift] = set()

    def add(self, tables: dict[str, pa.Table], quarantine: pa.Table, drift: set[Drift]) -> None:
        """Counts a package; rows that only say that others go are none."""
        for name, rows in tables.items():
            is_list = "_is_removed" in rows.column_names
            self.row_counts[name] += rows["_is_removed"].null_count if is_list else rows.num_rows
        self.quarantined_count += quarantine.num_rows
        self.drift |= drift


class StreamLoader:
    """Turns one stream's pages into load packages.

    The loader writes a package as one set of rows, so an object may be in a package only once: a batch that reads one
    again waits for the next package. A package of nothing but objects that the warehouse does not have (a first
    reading, a backfill) is appended, which is half the work of merging it.
    """

    def __init__(
        self, reader: StreamReader, *, known_versions: KnownVersions, loaded_at: datetime, tally: LoadTally
    ) -> None:
        self.reader = reader
        self._known_versions = known_versions
        self._loaded_at = loaded_at
        self._tally = tally
        self._waiting: tuple[Batch, Flattened] | None = None

    @property
    def is_done(self) -> bool:
        """Whether everything that could be read is in packages."""
        return self.reader.is_done and self._waiting is None

    def resource(self) -> DltResource:
        """The next package's share of this stream as a dlt resource; extracting it reads the API."""
        return dlt.resource(self._package(), name=self.reader.stream.name, file_format="parquet")

    def _package(self) -> Iterator[Any]:
        contract = self.reader.stream.contract
        state = dlt.current.resource_state()
        # Tables and columns exist from the first run on, with or without rows, so that SQL on a new warehouse runs.
        declares_tables = state.get("contract") != contract.fingerprint
        batches = self._gather(state.setdefault("cursors", {}))
        if not batches and not declares_tables:
            return
        flattened = _concatenated(contract, batches, self._loaded_at)
        known = self._known_versions(contract, _objects(contract, flattened.tables))
        tables = only_changes(contract, flattened.tables, known)
        only_new = _keys(_objects(contract, tables)).isdisjoint(_keys(known.drop_columns("_content_hash")))
        for table in contract.tables:
            if declares_tables or tables[table.name].num_rows:
                yield rows_of(table, tables[table.name], only_new=only_new)
        if declares_tables or flattened.quarantine.num_rows:
            yield quarantine_of(flattened.quarantine)
        state["contract"] = contract.fingerprint
        for batch, _ in batches:
            state["cursors"][batch.account_id] = batch.cursor.to_state()
        self._tally.add(tables, flattened.quarantine, set(flattened.drift))

    def _gather(self, cursors: dict[str, Any]) -> list[tuple[Batch, Flattened]]:
        """Batches that can be loaded together."""
        contract = self.reader.stream.contract
        gathered: list[tuple[Batch, Flattened]] = []
        keys: set[tuple[str, ...]] = set()
        page_count = 0
        while page_count < PACKAGE_PAGES:
            self._waiting = self._waiting or self._next(cursors)
            if self._waiting is None:
                break
            batch, flattened = self._waiting
            batch_keys = _keys(_objects(contract, flattened.tables))
            if not keys.isdisjoint(batch_keys):
                break
            gathered.append(self._waiting)
            self._waiting = None
            keys |= batch_keys
            page_count += len(batch.bodies)
        return gathered

    def _next(self, cursors: dict[str, Any]) -> tuple[Batch, Flattened] | None:
        batch = self.reader.next_batch(cursors)
        if batch is None:
            return None
        return batch, flatten(
            self.reader.stream.contract,
            batch.bodies,
            records_path=batch.records_path,
            account_id=batch.account_id,
            loaded_at=self._loaded_at,
        )


def _concatenated(contract: Contract, batches: list[tuple[Batch, Flattened]], loaded_at: datetime) -> Flattened:
    parts = [flattened for _, flattened in batches]
    if not parts:
        parts = [flatten(contract, [], records_path="$.response", account_id="", loaded_at=loaded_at)]
    return Flattened(
        tables={name: pa.concat_tables([part.tables[name] for part in parts]) for name in parts[0].tables},
        quarantine=pa.concat_tables([part.quarantine for part in parts]),
        drift=tuple({difference for part in parts for difference in part.drift}),
    )


def _objects(contract: Contract, tables: dict[str, pa.Table]) -> pa.Table:
    return tables[contract.root.name].select(list(contract.root.object_key))


def _keys(objects: pa.Table) -> set[tuple[str, ...]]:
    return set(zip(*(column.to_pylist() for column in objects.columns), strict=True))

"""The dlt source: the streams' pages in, load-ready Arrow tables out, and the cursors that are committed with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa

from pipelines.source.reading import AccountReading, ReadingFailed, StreamReader
from pipelines.source.streams import STREAMS, Reading, Stream
from transforms.changes import only_changes
from transforms.flatten import QUARANTINE, arrow_schema, flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from dlt.common.schema.typing import TDeleteInsertStrategyDict
    from dlt.extract import DltResource, DltSource

    from pipelines.source.windows import Cursor
    from transforms.contract import Column, Contract, Table, Type
    from transforms.drift import Drift

    KnownVersions = Callable[[Contract, pa.Table], pa.Table]

__all__ = [
    "STREAMS",
    "AccountReading",
    "LoadTally",
    "Reading",
    "ReadingFailed",
    "Stream",
    "StreamLoader",
    "StreamReader",
    "social_connect",
]

LOADED_AS: dict[Type, str] = {
    "text": "text",
    "integer": "bigint",
    "float": "double",
    "boolean": "bool",
    "timestamp": "timestamp",
    "json": "text",
}
"""The loader's name of each type.

JSON is text: DuckDB's own JSON type is text with another name, and Arrow carries no other.
"""


REPLACE_ROWS: TDeleteInsertStrategyDict = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


class LoadTally:
    """What a run has put into its load packages: rows per table, rows set aside, differences in shape."""

    def __init__(self) -> None:
        self.row_counts: Counter[str] = Counter()
        self.quarantined_count = 0
        self.drift: set[Drift] = set()

    def add(self, batch: _FlatBatch) -> None:
        """Counts a batch's rows; those that only say that others go are none."""
        for name, rows in batch.tables.items():
            self.row_counts[name] += (
                rows["_is_removed"].null_count if "_is_removed" in rows.column_names else rows.num_rows
            )
        self.quarantined_count += batch.quarantine.num_rows
        self.drift.update(batch.drift)


@dataclass(frozen=True)
class _FlatBatch:
    """A batch on its way into a load package."""

    account_id: str
    tables: dict[str, pa.Table]
    quarantine: pa.Table
    drift: tuple[Drift, ...]
    cursor: Cursor
    keys: frozenset[tuple[str, ...]]
    only_new: bool
    page_count: int


class StreamLoader:
    """Turns one stream's pages into load packages.

    The loader merges a package as one set of rows, so an object may be in a package only once: a batch that reads one
    again waits for the next package. For the same reason a package either only appends objects the warehouse does not
    have (a first reading, a backfill: half the work) or merges.
    """

    def __init__(
        self,
        reader: StreamReader,
        *,
        known_versions: KnownVersions,
        loaded_at: datetime,
        tally: LoadTally,
        package_pages: int = 500,
    ) -> None:
        self.reader = reader
        self._known_versions = known_versions
        self._loaded_at = loaded_at
        self._tally = tally
        self._package_pages = package_pages
        self._waiting: _FlatBatch | None = None

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
        cursors = state.setdefault("cursors", {})
        if state.get("contract") != contract.fingerprint:
            # Tables and columns exist from the first run on, with or without rows, so that SQL on a new warehouse runs.
            for table in contract.tables:
                yield _item(table, arrow_schema(table).empty_table(), only_new=False)
            yield _quarantine_item(QUARANTINE.empty_table())
            state["contract"] = contract.fingerprint
            return
        only_new: bool | None = None
        page_count = 0
        keys: set[tuple[str, ...]] = set()
        described: set[str] = set()
        while page_count < self._package_pages and (batch := self._waiting or self._next(cursors)):
            self._waiting = batch
            if only_new not in (None, batch.only_new) or not keys.isdisjoint(batch.keys):
                return
            for table in contract.tables:
                rows = batch.tables[table.name]
                if rows.num_rows and table.name in described:
                    yield dlt.mark.with_table_name(rows, table.name)
                elif rows.num_rows:
                    yield _item(table, rows, only_new=batch.only_new)
                    described.add(table.name)
            if batch.quarantine.num_rows:
                yield _quarantine_item(batch.quarantine)
            cursors[batch.account_id] = batch.cursor.to_state()
            self._tally.add(batch)
            self._waiting = None
            only_new, page_count, keys = batch.only_new, page_count + batch.page_count, keys | batch.keys

    def _next(self, cursors: dict[str, Any]) -> _FlatBatch | None:
        batch = self.reader.next_batch(cursors)
        if batch is None:
            return None
        contract = self.reader.stream.contract
        flattened = flatten(
            contract,
            batch.bodies,
            records_path=batch.records_path,
            account_id=batch.account_id,
            loaded_at=self._loaded_at,
        )
        objects = flattened.tables[contract.root.name].select(list(contract.root.object_key))
        known = self._known_versions(contract, objects)
        tables = only_changes(contract, flattened.tables, known)
        written = tables[contract.root.name].select(list(contract.root.object_key))
        keys = _as_tuples(written)
        return _FlatBatch(
            account_id=batch.account_id,
            tables=tables,
            quarantine=flattened.quarantine,
            drift=flattened.drift,
            cursor=batch.cursor,
            keys=keys,
            only_new=keys.isdisjoint(_as_tuples(known.drop_columns("_content_hash"))),
            page_count=len(batch.bodies),
        )


def social_connect(loaders: Sequence[StreamLoader]) -> DltSource:
    """The next load package as a dlt source, a resource per stream."""

    @dlt.source(name="social_connect", max_table_nesting=0)
    def source() -> Iterator[DltResource]:
        for loader in loaders:
            yield loader.resource()

    return source()


def _as_tuples(rows: pa.Table) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _quarantine_item(rows: pa.Table) -> Any:
    return dlt.mark.with_hints(rows, _quarantine_hints(), create_table_variant=True)


def _item(table: Table, rows: pa.Table, *, only_new: bool) -> Any:
    return dlt.mark.with_hints(rows, _hints(table, only_new=only_new), create_table_variant=True)


def _hints(table: Table, *, only_new: bool) -> Any:
    """How the loader writes a table: new objects are appended; else rows replace those of the same object."""
    is_root = table.parent is None
    return dlt.mark.make_hints(
        table_name=table.name,
        write_disposition="append" if only_new else REPLACE_ROWS,
        primary_key=table.key_names if is_root else None,
        merge_key=None if is_root else table.object_key,
        columns=[_column_hints(column) for column in table.all_columns],
    )


def _quarantine_hints() -> Any:
    return dlt.mark.make_hints(
        table_name="quarantine",
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key=("account_id", "object", "content_hash"),
        columns=[
            {
                "name": field.name,
                "data_type": "timestamp" if pa.types.is_timestamp(field.type) else "text",
                "nullable": field.nullable,
            }
            for field in QUARANTINE
        ],
    )


def _column_hints(column: Column) -> Any:
    return {
        "name": column.name,
        "data_type": LOADED_AS[column.type],
        "nullable": not column.is_required,
        "description": column.description,
        **({"hard_delete": True} if column.name == "_is_removed" else {}),
    }

"""Reads the payloads that were kept, and the records that could not be read, in place of the API."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pipelines.keeping import DATASET, RAW, has_table
from pipelines.source.reading import Batch
from pipelines.source.windows import Cursor
from transforms.selects import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import duckdb

    from pipelines.source.streams import Stream

    Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

RECORDS_PER_BODY = 100
RECORDS_PER_BATCH = 2500


class PayloadReader:
    """One stream's objects as they were last read, over all accounts.

    Args:
        stream: what is read.
        connect: opens the work file for reading.
        cursors: by account, as the loader keeps them; they stay what they are.
    """

    def __init__(self, stream: Stream, connect: Connect, cursors: dict[str, dict[str, str]]) -> None:
        self.stream = stream
        self.name = stream.name
        self.stopped_by: Exception | None = None
        self.notices: list[str] = []
        self.is_done = False
        self.record_count = 0
        self.page_count = 0
        self._connect = connect
        self._cursors = cursors
        self._batches: Iterator[Batch] | None = None

    def next_batch(self, state: dict[str, Any]) -> Batch | None:  # noqa: ARG002 - where the API was left makes no difference here
        """The next batch, or None at the end."""
        if self._batches is None:
            self._batches = self._read()
        batch = next(self._batches, None)
        if batch is None:
            self.is_done = True
            return None
        self.record_count += batch.record_count
        self.page_count += len(batch.bodies)
        return batch

    def _read(self) -> Iterator[Batch]:
        contract = self.stream.contract
        given = [quoted(name) for name in contract.given]
        names = ", ".join(["account_id", *given])
        yield from self._batches_of(f"{RAW}.{contract.root.name}", names, "payload", "")
        if not given:  # what a record was asked with is not kept where it could not be read
            yield from self._batches_of(f"{DATASET}.quarantine", names, "raw_text", f"object = '{contract.object}' AND")

    def _batches_of(self, table: str, names: str, text: str, only: str) -> Iterator[Batch]:
        start, end = 0, self._row_end(table)
        while start < end:
            with self._connect() as con:
                found = con.execute(
                    f"SELECT {names}, '{{\"response\":[' || string_agg({text}, ',') || ']}}' AS body, count(*)"
                    f" FROM {table} WHERE {only} rowid >= $start AND rowid < $stop"
                    f" GROUP BY {names}, rowid // {RECORDS_PER_BODY} ORDER BY {names}",
                    {"start": start, "stop": start + RECORDS_PER_BATCH},
                ).fetchall()
            for key, rows in groupby(found, key=itemgetter(slice(0, -2))):
                yield self._batch(key, list(rows))
            start += RECORDS_PER_BATCH

    def _batch(self, key: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Batch:
        account_id, *given = key
        return Batch(
            account_id=account_id,
            bodies=tuple(row[-2].encode() for row in rows),
            records_path="$.response",
            record_count=sum(row[-1] for row in rows),
            cursor=Cursor.from_state(self._cursors.get(account_id, {})),
            given=dict(zip(self.stream.contract.given, given, strict=True)),
        )

    def _row_end(self, table: str) -> int:
        with self._connect() as con:
            if not has_table(con, *table.split(".")):
                return 0
            (last,) = con.execute(f"SELECT max(rowid) FROM {table}").fetchone() or (None,)
        return 0 if last is None else int(last) + 1

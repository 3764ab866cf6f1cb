"""Reads the records that could not be read, as they were set aside, in place of the API."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from pipelines.keeping import DATASET, RAW, has_table
from pipelines.source.reading import Batch, Reader
from pipelines.source.windows import Cursor
from transforms.drift import read
from transforms.selects import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import duckdb

    from pipelines.source.streams import Stream

    Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

RECORDS_PER_BATCH = 2500


class SetAsideReader(Reader):
    """One stream's records of the quarantine that can be read now: those that follow the contract, as it is today.

    A record whose object has been read since is not given: it is an older version. `no_longer_set_aside` has it all
    the same; these are the `content_hash` of what has to leave the quarantine once what was given is loaded.

    Args:
        stream: what is read.
        connect: opens the work file for reading.
        cursors: by account, as the loader keeps them; they stay what they are.
    """

    def __init__(self, stream: Stream, connect: Connect, cursors: dict[str, dict[str, str]]) -> None:
        # What was set aside is no list from which versions could be told.
        super().__init__(replace(stream, keeps_versions=False))
        self._connect = connect
        self._cursors = cursors
        self.no_longer_set_aside: list[str] = []

    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:  # noqa: ARG002 - where the API was left makes no difference
        table = f"{DATASET}.quarantine"
        for window in self._windows(table):
            with self._connect() as con:
                found = con.execute(
                    f"SELECT account_id, content_hash, raw_text FROM {table}"
                    f" WHERE object = '{self.stream.object}' AND {window} ORDER BY account_id, rowid"
                ).fetchall()
                readable = [row for row in found if self._is_readable(row[-1])]
                hashes = [content_hash for _, content_hash, _ in readable]
                older = self._older_versions(con, hashes)
            self.no_longer_set_aside += hashes
            given = [(account_id, text) for account_id, content_hash, text in readable if content_hash not in older]
            for account_id, rows in groupby(given, key=itemgetter(0)):
                bodies = tuple(_body(text).encode() for _, text in rows)
                cursor = Cursor.from_state(self._cursors.get(account_id, {}))
                yield Batch(account_id, bodies, "$.response", len(bodies), cursor)

    def _windows(self, table: str) -> Iterator[str]:
        """Conditions that each some rows of a table meet, and together all that it has now."""
        with self._connect() as con:
            (last,) = con.execute(f"SELECT max(rowid) FROM {table}").fetchone() or (None,)
        end = 0 if last is None else last + 1
        for start in range(0, end, RECORDS_PER_BATCH):
            yield f"rowid >= {start} AND rowid < {min(start + RECORDS_PER_BATCH, end)}"

    def _is_readable(self, text: str) -> bool:
        try:
            return not read(self.stream.contract, _body(text), "$.response").unreadable
        except msgspec.DecodeError:  # where personal data is not kept, the quarantine has only a record's shape
            return False

    def _older_versions(self, con: duckdb.DuckDBPyConnection, content_hashes: list[str]) -> set[str]:
        """Those of some readable records whose object has a payload that is not older."""
        root = self.stream.contract.root
        if not has_table(con, RAW, root.name):
            return set()
        same_object = " AND ".join(
            f"payloads.{quoted(column.name)} = json_extract_string(record.raw_text, '/{'/'.join(column.path)}')"
            if column.path
            else f"payloads.{quoted(column.name)} = record.{quoted(column.name)}"
            for column in root.key
        )
        found = con.execute(
            "SELECT content_hash FROM"
            f" (FROM {DATASET}.quarantine WHERE content_hash IN (SELECT unnest($hashes))) AS record"
            f" SEMI JOIN {RAW}.{root.name} AS payloads"
            f" ON {same_object} AND payloads._loaded_at >= record._loaded_at",
            {"hashes": content_hashes},
        ).fetchall()
        return {content_hash for (content_hash,) in found}


def _body(record: str) -> str:
    return f'{{"response":[{record}]}}'

"""The published copy as the dashboard reads it: open all the time, and opened again when a new version is published."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from duckdb import BinderException, CatalogException

from pipelines.warehouse import WarehouseUnreadable, open_database, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import duckdb
    import pandas as pd

    from pipelines.warehouse import Warehouse

ATTEMPT_COUNT = 3
"""How often to look for the published version's file: it may be removed between being found and being opened."""

LACKS = (CatalogException, BinderException)
"""What a query raises where a copy has no such table, or none with such a column."""
MADE_EARLIER = (
    "The published copy was made by an earlier version of the program and lacks what is to be shown. Run"
    " 'social-warehouse transform' and 'social-warehouse publish'."
)


@dataclass
class _Opened:
    """A version's database, closed when the last page that reads it is done."""

    state: str
    con: duckdb.DuckDBPyConnection
    stack: ExitStack
    reader_count: int = 0


@dataclass(frozen=True)
class Reading:
    """One version, for as long as a page is made of it.

    Attributes:
        state: tells this version from every other, and from those of other warehouses.
    """

    state: str
    _con: duckdb.DuckDBPyConnection

    def frame(self, sql: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
        """The rows of a statement. Dates are timestamps without a zone, instants are in UTC.

        Raises:
            duckdb.Error: the statement cannot be executed.
        """
        found: pd.DataFrame = self._con.execute(sql, dict(parameters)).to_arrow_table().to_pandas(date_as_object=False)
        return found

    def has(self, table: str) -> bool:
        """Whether the version has a table or view, named with its schema."""
        schema, name = table.split(".")
        query = "select count(*) from information_schema.tables where table_schema = $1 and table_name = $2"
        return bool((self._con.execute(query, [schema, name]).fetchone() or (0,))[0])


class PublishedCopy:
    """What all sessions of a dashboard read. Its methods may be called from several threads."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._lock = Lock()
        self._opened: _Opened | None = None

    def state(self) -> str | None:
        """What tells the version that is published now from every other; None when none is. Opens nothing."""
        try:
            return self._told(self._warehouse.published_signature)
        except WarehouseUnreadable:
            return None

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The newest version, which stays the same until the end of the block, whatever is published meanwhile.

        Raises:
            pipelines.warehouse.WarehouseUnreadable: nothing has been published yet, or the file is damaged.
        """
        with self._lock:
            opened = self._newest()
            opened.reader_count += 1
        try:
            with opened.con.cursor() as cursor:
                cursor.execute("SET TimeZone = 'UTC'")  # a setting of each connection
                yield Reading(opened.state, cursor)
        finally:
            with self._lock:
                opened.reader_count -= 1
                self._close_unless_needed(opened)

    def _newest(self) -> _Opened:
        state = self.state()
        if self._opened is None or state not in {None, self._opened.state}:
            before, self._opened = self._opened, self._open()
            if before is not None:
                self._close_unless_needed(before)
        return self._opened

    def _close_unless_needed(self, opened: _Opened) -> None:
        if opened is not self._opened and not opened.reader_count:
            opened.stack.close()

    def _open(self) -> _Opened:
        for attempt in range(ATTEMPT_COUNT):
            stack = ExitStack()
            try:
                file, state = self._file_of_version()
                return _Opened(state, stack.enter_context(open_database(file)), stack)
            except (WarehouseUnreadable, FileNotFoundError):
                if attempt + 1 == ATTEMPT_COUNT:
                    raise
        raise AssertionError

    def _file_of_version(self) -> tuple[Path, str]:
        """The published version's file under a name that no later version has.

        DuckDB opens a file once per process: of a name that is open already, it would give the version before.
        """
        signature = self._warehouse.published_signature
        kept = (self._warehouse.published_folder / "versions").glob("*.duckdb")
        named = (file for file in kept if signature_of(file) == signature)
        return next(named, self._warehouse.published_file), self._told(signature)

    def _told(self, signature: str) -> str:
        """With the file: one server keeps results of several warehouses, whose copies may be of one size and time."""
        return f"{self._warehouse.published_file}: {signature}"

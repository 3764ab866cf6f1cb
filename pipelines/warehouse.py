"""The warehouse's files, locks and connections. The only caller of `duckdb.connect` in `pipelines`."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
from filelock import FileLock, Timeout

from pipelines.keeping import DATASET, HISTORY, RAW, has_table, transaction
from pipelines.migrations import LAYOUT, layout_of, migrate
from transforms.contract import Column, contracts
from transforms.contract.language import CONTENT_HASH, LOADED_AT
from transforms.selects import literal, quoted
from transforms.tables import (
    DAYS_READ,
    DELETIONS,
    ERASURES,
    LATENESS,
    LAYOUTS,
    QUARANTINE,
    RECONCILIATIONS,
    RUN_REQUESTS,
    RUN_STREAMS,
    RUNS,
    SCHEMA_CHANGES,
    STATISTICS,
)
from transforms.versions import version_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transforms.contract import Table

MARTS = "marts"
"""Schema of the tables and views that people read."""
SCRATCH_MEMORY_LIMIT = "144MB"
"""What the work on a package may use; beyond it, it spills to disk."""
MEMORY_LIMIT = "104MB"
"""What the database may use while rows are loaded or looked up; beyond it, it works on disk."""
MEMORY_LIMIT_FOR_LARGE_OBJECTS = "1GB"
"""What either may use for objects of which it cannot hold some thousand at once otherwise."""
FREE_SHARE = 0.2
LEAST_FREE_BYTES = 8 * 2**20
"""The work file is written anew where more than this share of it, and at least so many bytes, are free."""

LOADER_WAIT_SECONDS = 3600
"""How long a sync waits for the package of a backfill, and a backfill for a sync."""


LOCKS = ("run", "loader", "backfill", "writer")


class WarehouseBusy(Exception):
    """Another process holds the lock."""


class WarehouseUnreadable(Exception):
    """The warehouse file cannot be opened, or not be understood."""


class WarehouseUntested(Exception):
    """The warehouse file is not as it was when its data tests passed."""


class CompactionFailed(Exception):
    """The work file could not be written anew; it is as it was."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: what is going on, in which process, since when (UTC)."""

    doing: str
    process_id: int
    since: datetime

    def __str__(self) -> str:
        return f"{self.doing} (process {self.process_id}, since {self.since.isoformat()})"


@dataclass(frozen=True)
class Warehouse:
    """The folder of everything a run writes."""

    home: Path

    @property
    def file(self) -> Path:
        """The work file: only the sync opens it for writing."""
        return self.home / "warehouse.duckdb"

    @property
    def published_file(self) -> Path:
        """The copy that readers open: replaced as a whole, after the tests have passed."""
        return self.published_folder / "warehouse.duckdb"

    @property
    def published_folder(self) -> Path:
        """Everything that readers may open."""
        return self.home / "published"

    @property
    def dlt_folder(self) -> Path:
        """The loader's working folder."""
        return self.home / "dlt"

    @property
    def dbt_folder(self) -> Path:
        """Dbt's target and log folder."""
        return self.home / "dbt"

    @property
    def rules_folder(self) -> Path:
        """The user's files of rules: holidays, whose hours, targets."""
        return self.home / "rules"

    @property
    def logs_folder(self) -> Path:
        """Log files, one per day."""
        return self.home / "logs"

    @property
    def reports_folder(self) -> Path:
        """Reports, one file each."""
        return self.home / "reports"

    @property
    def runs_folder(self) -> Path:
        """A file for each run that goes on, or has ended and is not in the published copy yet."""
        return self.home / "runs"

    @property
    def scratch_folder(self) -> Path:
        """Files of the run that is going on."""
        return self.home / "scratch"

    @property
    def backfill_folder(self) -> Path:
        """Files of the backfill that is going on."""
        return self.home / "backfill"

    @property
    def spool_folder(self) -> Path:
        """Pages that a backfill has read and not loaded yet. They outlive it."""
        return self.home / "spool"

    @property
    def probes_file(self) -> Path:
        """What `check` has found out about the API."""
        return self.home / "probes.json"

    @property
    def policy_file(self) -> Path:
        """Fingerprint of the personal data policy that the warehouse is made with."""
        return self.home / "personal-data-policy"

    @property
    def erasure_key_file(self) -> Path:
        """Secret key of the hashes by which the list of erasures names people and things; there once one was erased."""
        return self.home / "erasure-key"

    @property
    def postgres_file(self) -> Path:
        """Which schemas of PostgreSQL servers marts have been brought to."""
        return self.home / "postgres.json"

    @property
    def sql_history_file(self) -> Path:
        """What was typed into the SQL shell."""
        return self.home / "sql-history"

    @property
    def published_signature(self) -> str:
        """What tells the published copy from another version of it.

        Raises:
            WarehouseUnreadable: nothing has been published yet.
        """
        try:
            return signature_of(self.published_file)
        except FileNotFoundError:
            raise WarehouseUnreadable(
                f"{self.published_file} does not exist. Run 'social-warehouse sync' first."
            ) from None

    def make_folders(self) -> None:
        """Makes the folders a run needs, for the owner only, and has this process make all its files so from now on.

        The loader, dbt and the database make files of their own, which take no mode.

        Raises:
            PermissionError: the home folder cannot be written.
        """
        os.umask(0o077)
        made = self.published_folder, self.dlt_folder, self.dbt_folder, self.logs_folder, self.runs_folder
        for folder in (self.home, *made):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def run_lock(self, holder: str) -> Iterator[None]:
        """Holds the one lock that a sync or a replay needs from its start to its end.

        It keeps two of them from working in the loader's folder at once, while the writer lock stays free for whoever
        writes in between. The rest is as for `writer_lock`.

        Raises:
            WarehouseBusy: another run is going on.
        """
        with self._lock("run", holder, timeout_seconds=0), self.loader_lock(holder):
            yield

    @contextmanager
    def loader_lock(self, holder: str) -> Iterator[None]:
        """Holds the loader's folder: a run does from its start to its end, a backfill for each of its packages.

        So either waits for the other, and a backfill of many hours keeps no sync out. The rest is as for `writer_lock`.

        Raises:
            WarehouseBusy: it has been held by another for an hour.
        """
        with self._lock("loader", holder, timeout_seconds=LOADER_WAIT_SECONDS):
            yield

    @contextmanager
    def backfill_lock(self) -> Iterator[None]:
        """Holds the one lock that a backfill needs from its start to its end: two would use each other's files.

        Raises:
            WarehouseBusy: another backfill is going on.
        """
        with self._lock("backfill", "a backfill", timeout_seconds=0):
            yield

    @contextmanager
    def flow_lock(self, name: str) -> Iterator[None]:
        """Holds the one lock that a scheduled run of a kind needs, or the process that serves them.

        So it can be told whether a run that a scheduler knows of is still alive. The rest is as for `writer_lock`.

        Raises:
            WarehouseBusy: another run of the kind is going on.
        """
        with self._lock(f"flow-{name}", f"Prefect's {name}", timeout_seconds=0):
            yield

    @contextmanager
    def writer_lock(self, holder: str, *, timeout_seconds: float = 0) -> Iterator[None]:
        """Holds the one lock that writing needs. It is a file lock, so the system frees it when its holder dies.

        Args:
            holder: what is going on, for the message another process shows.
            timeout_seconds: how long to wait for another holder.

        Raises:
            WarehouseBusy: another process holds the lock.
        """
        with self._lock("writer", holder, timeout_seconds=timeout_seconds):
            yield

    @contextmanager
    def _lock(self, name: str, holder: str, *, timeout_seconds: float) -> Iterator[None]:
        lock = FileLock(self.home / f"{name}.lock", timeout=timeout_seconds)
        holder_file = self.home / f"{name}.json"
        try:
            lock.acquire()
        except Timeout:
            raise WarehouseBusy(
                f"{self.file} is in use by {_read_holder(holder_file)}. Wait until it ends, then try again."
            ) from None
        try:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            holder_file.write_text(json.dumps({"holder": holder, "pid": os.getpid(), "since": since}), encoding="utf-8")
            yield
        finally:
            holder_file.unlink(missing_ok=True)
            lock.release()

    def writer(self) -> str | None:
        """Who holds the writer lock, in words; None when nobody does."""
        return _read_holder(self.home / "writer.json") if self._is_held("writer") else None

    def flow_holder(self, name: str) -> str | None:
        """Who holds the lock of a kind of scheduled run, in words; None when nobody does."""
        return _read_holder(self.home / f"flow-{name}.json") if self._is_held(f"flow-{name}") else None

    def holders(self) -> dict[str, Holder]:
        """Who holds which of the locks.

        A lock is tried only where somebody has put down his name, so that nobody is kept from taking one that is free.
        """
        found = {name: _holder(self.home / f"{name}.json") for name in LOCKS}
        return {name: holder for name, holder in found.items() if holder is not None and self._is_held(name)}

    def _is_held(self, name: str) -> bool:
        try:
            with FileLock(self.home / f"{name}.lock", timeout=0):
                return False
        except Timeout:
            return True

    @contextmanager
    def connect(self, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the work file, in UTC.

        Raises:
            WarehouseUnreadable: the file is missing, damaged, from another DuckDB version, or of a later layout.
        """
        with open_database(self.file, read_only=read_only) as con:
            layout, writer = layout_of(con)
            if layout > LAYOUT:
                raise WarehouseUnreadable(
                    f"{self.file} has layout {layout}, written by version {writer} of this program; this one knows"
                    f" layouts up to {LAYOUT}. Use that version or a later one, or set SOCIAL_WAREHOUSE_HOME to another"
                    " folder."
                )
            # With a second thread, writing rows takes more memory and, within the limit, a tenth longer.
            con.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET threads = 1")
            yield con

    @contextmanager
    def writing(self, holder: str, *, timeout_seconds: float = 0) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that may write, under the writer lock; arguments and errors as for both."""
        with (
            self.writer_lock(holder, timeout_seconds=timeout_seconds),
            self.connect(read_only=False) as con,
        ):
            yield con

    @contextmanager
    def connect_published(self, *, allows_files: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection to the published copy, in UTC, in which a table needs no schema before its name.

        Args:
            allows_files: whether statements may read and write other files, attach databases and load extensions.

        Raises:
            WarehouseUnreadable: nothing has been published yet, or the file is damaged.
        """
        with open_database(self.published_file, read_only=True) as con:
            con.execute(f"SET search_path = '{MARTS},{DATASET},{HISTORY}'")
            if not allows_files:
                con.execute("SET python_enable_replacements = false; SET enable_external_access = false")
                con.execute("SET lock_configuration = true")
            yield con

    @contextmanager
    def scratch(self, folder: Path | None = None) -> Iterator[Scratch]:
        """A place for work that ends with the run. What a killed run left there is removed.

        Args:
            folder: where it is, for a run that goes on beside the one that loads.
        """
        folder = folder or self.scratch_folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        spilled = folder / "spilled"
        try:
            # A second thread would bring no speed here, and take half as much memory again.
            with duckdb.connect(
                config={"memory_limit": SCRATCH_MEMORY_LIMIT, "temp_directory": str(spilled), "threads": 1}
            ) as database:
                yield Scratch(database, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def bring_up_to_date(self) -> None:
        """Brings a work file of an earlier version of this program to the present layout, and leaves any other.

        The caller holds the writer lock.

        Raises:
            WarehouseUnreadable: the file is damaged, from another DuckDB version, or of a later layout.
        """
        if not self.file.exists():
            return
        with self.connect() as con:
            layout, _ = layout_of(con)
        if layout < LAYOUT:
            with self.connect(read_only=False) as con:
                migrate(con, now=datetime.now(UTC))

    def take_back(self, load_id: str) -> None:
        """Removes the rows that a load has brought; those in whose place they came do not come back."""
        if not self.file.exists():
            return
        with self.connect(read_only=False) as con, transaction(con):
            tables = con.execute(
                "SELECT table_name FROM duckdb_columns() WHERE schema_name = $1 AND column_name = $2",
                [DATASET, LOAD_ID.name],
            ).fetchall()
            for (table,) in tables:
                con.execute(f"DELETE FROM {DATASET}.{quoted(table)} WHERE {LOAD_ID.name} = $1", [load_id])
            if has_table(con, DATASET, "_dlt_loads"):
                con.execute(f"DELETE FROM {DATASET}._dlt_loads WHERE load_id = $1", [load_id])

    def distrust_unfinished_loads(self) -> None:
        """Makes every object that a load has begun to write, but not ended, be written again whatever it holds.

        A load writes table by table. One that was stopped between two tables leaves an object's row and its lists at
        odds, while the row's version says that nothing has to be written. So the versions of these objects are
        forgotten, and list rows whose object has no row are removed; the cursors, which go back with the load, bring
        the objects again.
        """
        if not self.file.exists():
            return
        with self.connect(read_only=False) as con:
            # A replay's rows came with no load, and are whole; until it ends, the loader's own tables may not be there.
            begun = "_dlt_load_id IS NOT NULL"
            if has_table(con, DATASET, "_dlt_loads"):
                begun += f" AND _dlt_load_id NOT IN (SELECT load_id FROM {DATASET}._dlt_loads WHERE status = 0)"
            for declared in (*(contract.tables for contract in contracts()), (STATISTICS,)):
                root = declared[0]
                tables = [table for table in declared if has_table(con, DATASET, table.name)]
                if root not in tables:
                    continue
                for table in tables:
                    # The loader leaves the rows of its last merge in its staging tables.
                    for schema in (DATASET, f"{DATASET}_staging"):
                        if has_table(con, schema, table.name):
                            con.execute(_distrust(root, table, f"(FROM {schema}.{table.name} WHERE {begun})"))
                for table in tables[1:]:
                    con.execute(
                        f"DELETE FROM {DATASET}.{table.name} AS row WHERE NOT EXISTS"
                        f" (FROM {DATASET}.{root.name} AS object WHERE {_same_object(root, table)})"
                    )

    def forget_leftovers(self) -> list[str]:
        """Removes files of rows that nothing needs; what that costs, in words. The caller holds all locks."""
        notices = []
        if self.spool_folder.exists():
            notices.append("pages that a backfill had read and not loaded were removed: run it again to read them")
        built = (self.dbt_folder / "target", self.dbt_folder / "logs")
        extracted = self.dlt_folder.glob("*/normalize/extracted")
        for folder in (self.spool_folder, self.scratch_folder, self.backfill_folder, *built, *extracted):
            shutil.rmtree(folder, ignore_errors=True)
        # Their folders stay: the last tells whether the work file has all that was loaded.
        for file in self.dlt_folder.glob("*/load/loaded/**/*"):
            if file.is_file():
                file.unlink()
        return notices

    @contextmanager
    def tables_in(self, file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection to any database or parquet file, in UTC; of the latter, the table is `rows`."""
        if file.suffix == ".parquet":
            with duckdb.connect() as con:
                con.execute(f"SET TimeZone = 'UTC'; CREATE TEMP TABLE rows AS FROM read_parquet({literal(str(file))})")
                yield con
        else:
            with open_database(file, read_only=True) as con:
                yield con

    def mark_tested(self) -> None:
        """Remembers the work file as it is now: its data tests have just passed."""
        self._tested_file.write_text(self._work_signature, encoding="utf-8")

    def check_tested(self) -> None:
        """Checks that the work file is as it was when its data tests passed.

        Raises:
            WarehouseUntested: they have failed, or something has been loaded since.
        """
        if not self._tested_file.exists() or self._tested_file.read_text(encoding="utf-8") != self._work_signature:
            raise WarehouseUntested(
                f"{self.file} has changed since its data tests passed, so nothing was published and readers keep the"
                " last good copy. Run 'social-warehouse transform' first."
            )

    def compact(self, *, always: bool = False) -> Compaction:
        """Writes the work file anew, in one piece, where much of it is free; what is in it stays as it is.

        DuckDB uses free blocks again, but gives none back to the disk; and until it uses one, what was deleted or
        replaced is still in it. With `always`, the file is written anew whatever is free. The new file is written
        beside the old one, is compared with it, and takes its place in one step, so a kill leaves one or the other. The
        caller holds the run lock and the writer lock.

        Raises:
            WarehouseUnreadable: there is no work file yet, or it is damaged.
            CompactionFailed: the new file is not as the old one, or the disk is full; the old one stays.
        """
        with open_database(self.file, read_only=True) as con:
            (_, _, block_bytes, block_count, _, free_count, *_) = con.execute("PRAGMA database_size").fetchone() or ()
        before = self.file.stat().st_size
        free_bytes = int(free_count) * int(block_bytes)
        is_worth_it = always or (free_count > FREE_SHARE * block_count and free_bytes >= LEAST_FREE_BYTES)
        if not is_worth_it and not self._log_file.exists():
            return Compaction(before, before, free_bytes)
        with open_database(self.file, read_only=False) as con:
            con.execute("CHECKPOINT")  # what a killed run has left in the log
        if is_worth_it:
            self._rewrite()
        return Compaction(before, self.file.stat().st_size, free_bytes)

    def remove_old_sql(self, before: datetime) -> int:
        """Removes the SQL that dbt has last written before an instant; gives how many files. It writes it when needed.

        The caller holds the writer lock.
        """
        written = (file for name in ("compiled", "run") for file in (self.dbt_folder / "target" / name).rglob("*.sql"))
        old = [file for file in written if datetime.fromtimestamp(file.stat().st_mtime, UTC) < before]
        for file in old:
            file.unlink()
        return len(old)

    def _rewrite(self) -> None:
        building = self.file.with_suffix(".compacting")
        building.unlink(missing_ok=True)
        needed, free = self.file.stat().st_size, shutil.disk_usage(self.home).free
        if free < needed:
            raise CompactionFailed(
                f"{self.file} was not compacted: its copy may take {needed:,} bytes, and the disk has {free:,} left."
                " Make room, then run 'social-warehouse maintain' again."
            )
        try:
            with open_database(building, read_only=False) as con:
                con.execute(f"SET memory_limit = '{MEMORY_LIMIT_FOR_LARGE_OBJECTS}'")
                con.execute(f"ATTACH {literal(str(self.file))} AS work (READ_ONLY)")
                con.execute(f"COPY FROM DATABASE work TO {quoted(building.stem)}")
                is_same = _contents(con, "work") == _contents(con, building.stem)
                con.execute("DETACH work")
            # A log of the old file beside the new one would be taken for the new one's.
            if not is_same or self._log_file.exists():
                raise CompactionFailed(
                    f"{self.file} was not compacted: its copy is not the same. Nothing has changed. Please report it."
                )
            building.chmod(0o600)
            building.replace(self.file)
        finally:
            building.unlink(missing_ok=True)

    @contextmanager
    def staying_tested(self) -> Iterator[None]:
        """For work on the work file that leaves what is tested as it is: what could be published before can be after.

        Should the process die inside, it cannot, until the next transform has tested it.
        """
        try:
            self.check_tested()
            is_tested = True
        except WarehouseUntested:
            is_tested = False
        yield
        if is_tested:
            self.mark_tested()

    @property
    def _tested_file(self) -> Path:
        return self.home / "tested"

    @property
    def _log_file(self) -> Path:
        """What was committed and is not in the work file yet. There while somebody writes, and after a kill."""
        return self.file.with_name(f"{self.file.name}.wal")

    @property
    def _work_signature(self) -> str:
        """What tells one state of the work file from another, with what its log holds."""
        signature = signature_of(self.file)
        holds_more = self._log_file.exists() and self._log_file.stat().st_size > 0
        return f"{signature}, log of {signature_of(self._log_file)}" if holds_more else signature


@dataclass(frozen=True)
class Compaction:
    """How large the work file was and is, and how many bytes in it were free."""

    before_bytes: int
    after_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Scratch:
    """An in-process database of little memory that spills to the folder, and the folder."""

    database: duckdb.DuckDBPyConnection
    folder: Path

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own, with its own temporary tables, in UTC."""
        con = self.database.cursor()
        con.execute("SET TimeZone = 'UTC'")
        return con


def allow_for_large_objects(con: duckdb.DuckDBPyConnection) -> None:
    """Gives a database more memory than it usually has, until it is closed.

    It has some thousand rows in memory while it works on them, and cannot spill those.
    """
    con.execute(f"SET memory_limit = '{MEMORY_LIMIT_FOR_LARGE_OBJECTS}'")


@contextmanager
def open_database(file: Path, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a database file, in UTC.

    Raises:
        WarehouseUnreadable: the file is missing, damaged, or from another DuckDB version.
    """
    if read_only and not file.exists():
        raise WarehouseUnreadable(f"{file} does not exist. Run 'social-warehouse sync' first.")
    try:
        con = duckdb.connect(file, read_only=read_only)
    except duckdb.Error as error:
        raise WarehouseUnreadable(f"{file} cannot be opened: {error}") from error
    with con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def signature_of(file: Path) -> str:
    """What tells one state of a file from another: names of one file have the same, and so has a copy of it.

    Raises:
        FileNotFoundError: there is no such file.
    """
    about = file.stat()
    return f"{about.st_size} bytes at {about.st_mtime_ns} ns"


def _contents(con: duckdb.DuckDBPyConnection, database: str) -> list[list[tuple[object, ...]]]:
    """What a copy has to have in common with a database: tables and their rows, columns, views, descriptions."""
    tables = con.execute(
        "SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE database_name = ? ORDER BY ALL", [database]
    ).fetchall()
    counts = [
        con.execute(f"SELECT count(*) FROM {quoted(database)}.{quoted(schema)}.{quoted(table)}").fetchone() or ()
        for schema, table, _ in tables
    ]
    others = (
        "SELECT schema_name, table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()",
        "SELECT schema_name, view_name, sql, comment FROM duckdb_views()",
        "SELECT schema_name, table_name, constraint_type, constraint_text FROM duckdb_constraints()",
        "SELECT schema_name, index_name, sql FROM duckdb_indexes()",
        "SELECT schema_name, sequence_name FROM duckdb_sequences()",
    )
    found = (con.execute(f"{query} WHERE database_name = ? ORDER BY ALL", [database]).fetchall() for query in others)
    return [tables, counts, *found]


def _read_holder(holder_file: Path) -> str:
    return str(_holder(holder_file) or "another process")


def _holder(holder_file: Path) -> Holder | None:
    try:
        told = json.loads(holder_file.read_text(encoding="utf-8"))
        return Holder(told["holder"], told["pid"], datetime.fromisoformat(told["since"]))
    except (OSError, ValueError, KeyError):
        return None


def _distrust(root: Table, table: Table, rows: str) -> str:
    exists = f"EXISTS (FROM {rows} AS row WHERE {_same_object(root, table)})"
    return f"UPDATE {DATASET}.{root.name} AS object SET _content_hash = NULL WHERE {exists}"


def _same_object(root: Table, table: Table) -> str:
    return " AND ".join(
        f'object."{ours}" = row."{theirs}"' for ours, theirs in zip(root.object_key, table.object_key, strict=True)
    )


def described_tables() -> Iterator[tuple[str, str, str, tuple[Column, ...]]]:
    """Every table that the loader may make: schema, name, description and columns, as they are in the work file.

    Which streams keep versions is the streams' say, so there is a table of versions here for each table of a contract.
    """
    for contract in contracts():
        for table in contract.tables:
            yield DATASET, table.name, table.description, (*table.all_columns, LOAD_ID)
            version = f"One row per version of a row of {table.name}: what the API said from one reading to another."
            yield HISTORY, table.name, version, version_columns(table)
        payload = f"One row per object of {contract.table}: its JSON as it was last read."
        yield RAW, contract.table, payload, (*contract.root.key, *_PAYLOAD_COLUMNS)
    yield DATASET, STATISTICS.name, STATISTICS.description, (*STATISTICS.all_columns, LOAD_ID)
    yield DATASET, "quarantine", "One row per record that could not be read, with its text.", (*QUARANTINE, LOAD_ID)
    yield HISTORY, "schema_changes", "One row per difference between the API and the contracts.", SCHEMA_CHANGES
    yield (
        HISTORY,
        "reconciliations",
        "One row per number of a day that the API and the warehouse told differently.",
        (RECONCILIATIONS),
    )
    yield HISTORY, "deletions", "One row per time that a mention was found gone at the source.", DELETIONS
    yield (
        HISTORY,
        "days_read",
        "One row per account and day that was compared with the API, and when it was read again.",
        DAYS_READ,
    )
    yield HISTORY, "lateness", "One row per run and class of lateness: how many mentions were new.", LATENESS
    yield HISTORY, "runs", "One row per run that has ended: when, how, and what went wrong.", RUNS
    yield HISTORY, "run_streams", "One row per run and stream: what was read and written.", RUN_STREAMS
    yield HISTORY, "run_requests", "One row per run and endpoint of the API: what was asked.", RUN_REQUESTS
    yield HISTORY, "layout", "One row per layout of its tables that the work file has been brought to.", LAYOUTS
    yield (
        HISTORY,
        "erasures",
        "One row per person or thing that was erased, and stays so when it is read again.",
        ERASURES,
    )


LOAD_ID = Column("_dlt_load_id", "text", "Identifier of the load that wrote the row, for the loader's own use.")
_PAYLOAD_COLUMNS = (
    CONTENT_HASH,
    Column(
        "payload",
        "json",
        "The object as sent; where personal data is not kept, as masked, which is read into the same rows.",
        is_required=True,
        personal=True,
    ),
    LOADED_AT,
)

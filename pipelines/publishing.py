"""What readers open: versions of the published copy, which of them is published, and the Parquet export beside it.

A version is written whole before anything points to it. Pointing to it is one rename, so a reader finds the old or the
new, and one that has a file open keeps what it has. All but `versions` and `published_version` want the writer lock.
Which version is published is told by its file's size and time, and by what is in it only where these do not say: one
that is damaged can be replaced and gone back from.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

import duckdb
import yaml

from pipelines.keeping import DATASET, HISTORY, has_table, transaction
from pipelines.transform import SQL_FOLDER
from pipelines.warehouse import MARTS, WarehouseUnreadable, described_tables, open_database, signature_of
from transforms.selects import literal, moment, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipelines.warehouse import Warehouse

PUBLISHED_VERSION = "published_version"
"""Table of one row in schema marts of each version: what the reader looks at."""
EXPORT_MEMORY_LIMIT = "1GB"
"""What an export may use; beyond it, it spills to disk."""
PARTITIONED_BY = {
    "fct_account_changes": "change_date",
    "fct_assignments": "started_at",
    "fct_cases": "case_date",
    "fct_mention_actions": "action_date",
    "fct_mentions": "mention_date",
    "fct_replies": "started_at",
    "fct_satisfaction": "answer_date",
    "fct_security_events": "event_date",
    "fct_sla_events": "started_at",
    "fct_status_intervals": "started_at",
}
"""Facts, which grow with time, and the date or instant (UTC) whose month parts their export. All else is one file."""

_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where it is there
_STAMP = "%Y%m%dT%H%M%SZ"


class NothingToRollBackTo(Exception):
    """No version before the published one is kept, or it is not known which was before."""


@dataclass(frozen=True)
class Version:
    """One state of the copy that readers open."""

    file: Path
    as_of: datetime | None
    """The instant its open items and ages are reckoned to, UTC; None when its marts do not say, or it is damaged."""
    byte_count: int
    is_published: bool
    is_readable: bool
    """Whether its file opens."""

    @property
    def name(self) -> str:
        """When it was published first, UTC: 20260302T090000Z."""
        return self.file.stem

    def as_json(self) -> dict[str, Any]:
        """The version in plain values, for scripts. Times are ISO 8601 in UTC."""
        return {
            "version": self.name,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "bytes": self.byte_count,
            "is_published": self.is_published,
            "is_readable": self.is_readable,
        }


@dataclass(frozen=True)
class Key:
    """What tells the rows of a mart apart, and which of these columns may be null."""

    columns: tuple[str, ...]
    nullable: frozenset[str] = frozenset()


def versions(warehouse: Warehouse) -> list[Version]:
    """The versions that are kept, newest first; those that are damaged too."""
    found = _versions(warehouse)
    if not any(each.is_published for each in found):
        found = _versions(warehouse)  # a publish may have come between the look at its file and that at the versions
    if any(each.is_published for each in found):
        return found
    told = _name_in(warehouse.published_file)  # the folder was copied, and times were not kept
    return [replace(each, is_published=each.name == told) for each in found]


def published_version(warehouse: Warehouse) -> Version | None:
    """The version that readers open; None before the first, and where the copy is of a time without versions."""
    return next((each for each in versions(warehouse) if each.is_published), None)


def publish(warehouse: Warehouse, *, now: datetime, keep_count: int, exports_parquet: bool = False) -> Version:
    """Makes a version of the work file's present tables and marts, and publishes it.

    Versions that were rolled back from are removed, and all but the last few. Whatever fails before the end leaves
    what was published. A published file that is damaged is replaced as any other.

    Args:
        warehouse: whose work file it is.
        now: names the version, UTC.
        keep_count: how many versions to keep, this one among them.
        exports_parquet: whether to export it as Parquet too.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: the work file is missing or damaged.
        duckdb.Error: it cannot be read, or the copy not be written.
        OSError: the copy cannot be written, such as for want of space.
    """
    before = versions(warehouse)
    name = _next_name(now, before)
    file = _versions_folder(warehouse) / f"{name}.duckdb"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with _building(warehouse) as building:
        _build(building, warehouse, name)
        if exports_parquet:
            _export(warehouse, building, name)
        building.replace(file)
    _sync(file.parent)
    _point_to(warehouse, file)
    if exports_parquet:
        _point_parquet_to(warehouse, name)
    place = next((place for place, each in enumerate(before) if each.is_published), 0)
    kept = {name, *(each.name for each in before[place:][: keep_count - 1])}
    _remove_all_but(warehouse, kept, exports=kept | {_exported(warehouse)})
    return _version(file, is_published=True)


def roll_back(warehouse: Warehouse) -> Version:
    """Publishes the version before the one that is published, and its export where there is one of that.

    The next publish replaces it, and removes what was rolled back from.

    Raises:
        NothingToRollBackTo: no version before the published one is kept, or it is none of those that are.
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet, or the version before is damaged.
    """
    if not warehouse.published_file.exists():
        raise WarehouseUnreadable(f"{warehouse.published_file} does not exist. Run 'social-warehouse sync' first.")
    kept = versions(warehouse)
    place = next((place for place, each in enumerate(kept) if each.is_published), len(kept))
    if place == len(kept):
        raise NothingToRollBackTo(
            f"{warehouse.published_file} is none of the versions in {_versions_folder(warehouse)}, so which was before"
            " it is not known, and it stays. Run 'social-warehouse publish', which makes a version anew."
        )
    if place + 1 == len(kept):
        raise NothingToRollBackTo(
            f"No version before the published one is kept in {_versions_folder(warehouse)}, so it stays."
            " SOCIAL_WAREHOUSE_PUBLISHED_VERSIONS says how many are kept; 'social-warehouse publish --list' lists them."
        )
    target = kept[place + 1]
    if not target.is_readable:
        raise WarehouseUnreadable(
            f"{target.file}, the version before the published one, cannot be read, so readers keep what they have."
            " Remove that file and try again to go back to the one before it, or run 'social-warehouse publish', which"
            " makes a version anew."
        )
    has_export = _exported(warehouse) is not None
    if has_export and not (_exports_folder(warehouse) / target.name).exists():
        with _building(warehouse):
            _export(warehouse, target.file, target.name)
    _point_to(warehouse, target.file)
    if has_export:
        _point_parquet_to(warehouse, target.name)
    return replace(target, is_published=True)


def forget_versions(warehouse: Warehouse) -> None:
    """Removes every version but the published one, and every export that is not of it: what was erased is in none."""
    _clear_away(warehouse)
    published = published_version(warehouse)
    kept = {published.name} if published else set()
    if _exported(warehouse) not in kept:
        _parquet_link(warehouse).unlink(missing_ok=True)
    _remove_all_but(warehouse, kept, exports=kept)


def _versions_folder(warehouse: Warehouse) -> Path:
    return warehouse.published_folder / "versions"


def _exports_folder(warehouse: Warehouse) -> Path:
    return warehouse.published_folder / "parquet-versions"


def _parquet_link(warehouse: Warehouse) -> Path:
    return warehouse.published_folder / "parquet"


def _exported(warehouse: Warehouse) -> str | None:
    """Name of the version whose export readers find; None where there is none."""
    link = _parquet_link(warehouse)
    return link.readlink().name if link.is_symlink() else None


def _versions(warehouse: Warehouse) -> list[Version]:
    published = _signature(warehouse.published_file)
    found = []
    for file in sorted(_versions_folder(warehouse).glob("*.duckdb"), reverse=True):
        with suppress(FileNotFoundError):  # a publish has removed it since
            found.append(_version(file, is_published=signature_of(file) == published))
    return found


def _signature(file: Path) -> str | None:
    try:
        return signature_of(file)
    except FileNotFoundError:
        return None


def _version(file: Path, *, is_published: bool) -> Version:
    """What a file is.

    Raises:
        FileNotFoundError: it is not there, or not any more.
    """
    try:
        as_of, is_readable = _as_of(file), True
    except (WarehouseUnreadable, duckdb.Error):
        as_of, is_readable = None, False
    return Version(file, as_of, file.stat().st_size, is_published, is_readable)


def _as_of(file: Path) -> datetime | None:
    """What a version says that it is reckoned to; None where it is of an earlier program."""
    with open_database(file) as con:
        if not has_table(con, MARTS, PUBLISHED_VERSION):
            return None
        row = con.execute(f"SELECT as_of FROM {MARTS}.{PUBLISHED_VERSION}").fetchone()
    return row[0].astimezone(UTC) if row and row[0] else None


def _name_in(file: Path) -> str | None:
    """Which version a file says that it is; None where it is damaged, or of an earlier program."""
    try:
        with open_database(file) as con:
            row = con.execute(f"SELECT version FROM {MARTS}.{PUBLISHED_VERSION}").fetchone()
    except (WarehouseUnreadable, duckdb.Error):
        return None
    return row[0] if row else None


def _next_name(now: datetime, before: list[Version]) -> str:
    """Names are in the order of the versions, also where two are of one second or the clock went back."""
    name = now.astimezone(UTC).strftime(_STAMP)
    if before and name <= before[0].name:
        last = datetime.strptime(before[0].name, _STAMP).replace(tzinfo=UTC)
        return (last + timedelta(seconds=1)).strftime(_STAMP)
    return name


@contextmanager
def _building(warehouse: Warehouse) -> Iterator[Path]:
    """A file to build in. What a killed build left is removed before, what this one leaves after."""
    _clear_away(warehouse)
    try:
        yield warehouse.published_folder / "warehouse.building"
    finally:
        _clear_away(warehouse)


def _clear_away(warehouse: Warehouse) -> None:
    """Removes what is neither a version nor an export that is whole."""
    for left in (
        *warehouse.published_folder.glob("warehouse.building*"),
        *warehouse.published_folder.glob("*.next"),
        *_exports_folder(warehouse).glob("*.building"),
    ):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _remove_all_but(warehouse: Warehouse, kept: Collection[str], *, exports: Collection[str | None]) -> None:
    for file in _versions_folder(warehouse).glob("*.duckdb"):
        if file.stem not in kept:
            file.unlink()
    for folder in _exports_folder(warehouse).glob("*"):
        if folder.name not in exports:
            shutil.rmtree(folder)


def _point_to(warehouse: Warehouse, file: Path) -> None:
    """Makes a version the published copy. The bytes are there once, where the file system has hard links."""
    following = warehouse.published_file.with_suffix(".next")
    following.unlink(missing_ok=True)
    try:
        following.hardlink_to(file)
    except OSError:  # no hard links there; should it be another reason, copying fails of it too
        shutil.copy2(file, following)
        _sync(following)
    following.replace(warehouse.published_file)
    following.unlink(missing_ok=True)  # renaming one name of a file to another of its names does nothing
    _sync(warehouse.published_folder)


def _point_parquet_to(warehouse: Warehouse, name: str) -> None:
    """A folder that is not empty cannot be replaced by renaming another over it; a link can."""
    following = warehouse.published_folder / "parquet.next"
    following.unlink(missing_ok=True)
    following.symlink_to(_exports_folder(warehouse).relative_to(warehouse.published_folder) / name)
    following.replace(_parquet_link(warehouse))
    _sync(warehouse.published_folder)


def _sync(path: Path) -> None:
    """Has the system write a file, or the names in a folder, to the disk: a power cut leaves the old or the new."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- The copy ---


def _build(building: Path, warehouse: Warehouse, name: str) -> None:
    with warehouse.connect():
        pass  # says clearly that there is nothing to publish, or that it cannot be read
    with open_database(building, read_only=False) as con:
        con.execute(f"ATTACH {literal(str(warehouse.file))} AS work (READ_ONLY)")
        for schema in (DATASET, HISTORY, MARTS):
            _copy_schema(con, schema)
        with transaction(con):  # each comment on its own would wait for the disk
            for schema in (DATASET, HISTORY, MARTS):
                _copy_comments(con, schema)
            _tell_version(con, name)
            _describe(con)
        con.execute("DETACH work")
        # Closing does it too, but says nothing when the disk is full, and then all is in the log.
        con.execute("CHECKPOINT")
    building.chmod(0o600)
    _sync(building)


def _copy_schema(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Copies the tables of a schema of the work file, then makes its views; the loader's own tables stay behind.

    Facts are tables here, also one that is a view there: what it reads stays behind.
    """
    con.execute(f"CREATE SCHEMA {schema}")
    tables = con.execute(
        "SELECT table_name FROM duckdb_tables()"
        " WHERE database_name = 'work' AND schema_name = ? AND NOT starts_with(table_name, '_dlt')",
        [schema],
    ).fetchall()
    views = con.execute(
        "SELECT view_name, sql FROM duckdb_views() WHERE database_name = 'work' AND schema_name = ? AND NOT internal",
        [schema],
    ).fetchall()
    facts = {name for name, _ in views if name in PARTITIONED_BY}
    for name in (*(name for (name,) in tables), *facts):
        con.execute(f'CREATE TABLE {schema}."{name}" AS FROM work.{schema}."{name}"')
    for name, sql in views:
        if name not in facts:
            con.execute(sql)


def _copy_comments(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Copies the descriptions that dbt has put on the tables and views of a schema."""
    views = {
        name
        for (name,) in con.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = current_database() AND schema_name = ?",
            [schema],
        ).fetchall()
    }
    comments = con.execute(
        "SELECT table_name, NULL, comment FROM duckdb_tables() WHERE database_name = 'work' AND schema_name = $1"
        " UNION ALL"
        " SELECT view_name, NULL, comment FROM duckdb_views() WHERE database_name = 'work' AND schema_name = $1"
        " UNION ALL"
        " SELECT table_name, column_name, comment FROM duckdb_columns()"
        " WHERE database_name = 'work' AND schema_name = $1",
        [schema],
    ).fetchall()
    for name, column, comment in comments:
        if comment:
            kind = "COLUMN" if column else "VIEW" if name in views else "TABLE"
            _comment(con, kind, (schema, name, column), comment)


def _describe(con: duckdb.DuckDBPyConnection) -> None:
    """Writes the contracts' descriptions into the published copy, where a client shows them beside the columns."""
    found = con.execute(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
    ).fetchall()
    columns: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in found:
        columns.setdefault((schema, table), set()).add(column)
    for schema, name, description, declared in described_tables():
        if (schema, name) in columns:
            _comment(con, "TABLE", (schema, name), description)
            for each in declared:
                if each.name in columns[schema, name]:
                    _comment(con, "COLUMN", (schema, name, each.name), each.description)


def _tell_version(con: duckdb.DuckDBPyConnection, name: str) -> None:
    as_of = "NULL"
    if has_table(con, "intermediate", "int_as_of"):
        as_of = "(SELECT max(as_of) FROM work.intermediate.int_as_of)"
    published_at = datetime.strptime(name, _STAMP).replace(tzinfo=UTC)
    con.execute(
        f"CREATE TABLE {MARTS}.{PUBLISHED_VERSION} AS SELECT $version::VARCHAR AS version,"
        f" {moment(published_at)} AS published_at, {as_of}::TIMESTAMPTZ AS as_of,"
        " $package_version::VARCHAR AS package_version",
        {"version": name, "package_version": package_version("social-connect-warehouse")},
    )
    _comment(con, "TABLE", (MARTS, PUBLISHED_VERSION), "One row: which version of the published copy this is.")
    for column, comment in (
        ("version", "Name of the version, the time of publishing in UTC."),
        ("published_at", "When it was published first."),
        ("as_of", "The instant that ages and open items are reckoned to; null when the models have not said."),
        ("package_version", "Version of the program that published it."),
    ):
        _comment(con, "COLUMN", (MARTS, PUBLISHED_VERSION, column), comment)


def _comment(con: duckdb.DuckDBPyConnection, kind: str, name: tuple[str | None, ...], comment: str) -> None:
    what = ".".join(quoted(part) for part in name if part)
    con.execute(f"COMMENT ON {kind} {what} IS {literal(comment)}")


# --- The export ---


def _export(warehouse: Warehouse, file: Path, name: str) -> None:
    """Writes every table and view of marts as Parquet, and what they are to `schema.json`."""
    folder = _exports_folder(warehouse) / name
    building = folder.with_name(f"{name}.building")
    building.mkdir(mode=0o700, parents=True)
    with open_database(file) as con:
        spilled = warehouse.published_folder / "warehouse.building.tmp"
        con.execute(f"SET memory_limit = '{EXPORT_MEMORY_LIMIT}'; SET preserve_insertion_order = false")
        con.execute(f"SET temp_directory = {literal(str(spilled))}")
        (about,) = con.execute(f"SELECT told FROM {MARTS}.{PUBLISHED_VERSION} AS told").fetchall()[0]
        relations = con.execute(
            "SELECT table_name, 'table', comment FROM duckdb_tables() WHERE schema_name = $1 UNION ALL"
            " SELECT view_name, 'view', comment FROM duckdb_views() WHERE schema_name = $1 ORDER BY 1",
            [MARTS],
        ).fetchall()
        keys = keys_of_marts()
        tables = [
            _export_relation(con, building, relation, name)
            | {"kind": kind, "description": comment, "key": keys[relation].columns if relation in keys else None}
            for relation, kind, comment in relations
        ]
    schema = building / "schema.json"
    schema.write_text(json.dumps({**about, "tables": tables}, indent=1, default=str), encoding="utf-8")
    for path in (*building.rglob("*"), building):
        path.chmod(0o700 if path.is_dir() else 0o600)
        _sync(path)
    building.replace(folder)
    _sync(folder.parent)


def _export_relation(con: duckdb.DuckDBPyConnection, folder: Path, relation: str, version: str) -> dict[str, Any]:
    """Writes the files of one table. Their names say the version: no reader can take files of two for one table's."""
    name = f"{MARTS}.{quoted(relation)}"
    columns = [
        {"name": column, "type": kind, "description": comment}
        for column, kind, comment in con.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns()"
            " WHERE schema_name = $1 AND table_name = $2 ORDER BY column_index",
            [MARTS, relation],
        ).fetchall()
    ]
    written = folder / relation
    written.mkdir()
    date = PARTITIONED_BY.get(relation)
    partition = f"{date.rpartition('_')[0]}_month" if date else None
    options = "FORMAT parquet, COMPRESSION zstd"
    if date and con.execute(f"FROM {name} LIMIT 1").fetchone():
        copy = (
            f"COPY (SELECT *, strftime({quoted(date)}, '%Y-%m') AS {quoted(str(partition))} FROM {name})"
            f" TO {literal(str(written))} ({options}, PARTITION_BY ({quoted(str(partition))}), OVERWRITE_OR_IGNORE,"
            f" FILENAME_PATTERN {literal(f'{relation}-{version}-{{i}}')})"
        )
    else:
        if date:  # of no rows no partition is made, and the table is to be there
            written /= f"{partition}=__HIVE_DEFAULT_PARTITION__"
            written.mkdir()
        copy = f"COPY (FROM {name}) TO {literal(str(written / f'{relation}-{version}.parquet'))} ({options})"
    (row_count,) = con.execute(copy).fetchone() or (0,)
    if date:
        meaning = f"Month of {date}, as 2026-03{'' if date.endswith('_date') else ', in UTC'}; in the folders' names."
        columns.append({"name": partition, "type": "VARCHAR", "description": meaning})
    return {"name": relation, "row_count": row_count, "partitioned_by": partition, "columns": columns}


def keys_of_marts() -> dict[str, Key]:
    """The key of each mart, as its test of uniqueness names it."""
    keys = {PUBLISHED_VERSION: Key(("version",))}
    for file in sorted((SQL_FOLDER / "models" / MARTS).glob("*.yml")):
        for model in yaml.load(file.read_text(encoding="utf-8"), _YAML_LOADER)["models"]:  # noqa: S506 - it is a safe one
            for test in model["data_tests"]:
                if "unique_combination" in test:
                    told = test["unique_combination"]["arguments"]
                    keys[model["name"]] = Key(tuple(told["columns"]), frozenset(told.get("nullable", ())))
    return keys

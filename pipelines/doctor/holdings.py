"""What is in the folder: who works there, whether the files open and fit the contracts, how old they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb

from pipelines.doctor.finding import Finding
from pipelines.keeping import DATASET, built_with, has_table
from pipelines.migrations import LAYOUT, layout_of
from pipelines.run import policy_difference
from pipelines.transform import is_full_refresh_due
from pipelines.warehouse import WarehouseBusy, WarehouseUnreadable, WarehouseUntested, described_tables
from transforms.selects import STORED_AS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.settings import Settings
    from pipelines.warehouse import Holder, Warehouse

LONGEST_HOLD = timedelta(hours=2)
"""How long a run may be at it before somebody should look: it waits an hour at most for another's package."""
_NAMES_OF_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def look_at(warehouse: Warehouse, settings: Settings, *, now: datetime) -> Iterator[Finding]:
    """Everything about what the folder holds.

    The work file is opened under the writer lock, for a moment, and left alone where somebody has that: so nobody finds
    it open who wants to write.
    """
    yield locks(warehouse.holders(), now=now)
    try:
        yield personal_data(policy_difference(settings, warehouse))
    except WarehouseUnreadable as error:
        yield Finding(
            "personal data", "FAIL", str(error), "do that before the next run: none begins (docs/personal-data.md)"
        )
    loaded_at: datetime | None = None
    busy: str | None = None
    if not warehouse.file.exists():
        yield Finding("work file", "ok", f"there is no {warehouse.file} yet: the first sync makes it")
    else:
        try:
            with warehouse.writer_lock("a check"), warehouse.connect() as con:
                inside = [schema(_columns(con)), _models(con, warehouse, settings)]
                loaded_at = _last_load(con)
                layout, _ = layout_of(con)
            older = f"; the next run brings it from layout {layout} to {LAYOUT}" if layout < LAYOUT else ""
            yield Finding("work file", "ok", f"{warehouse.file} opens{older}")
            yield from inside
        except WarehouseBusy as error:
            busy = str(error)
            yield Finding("work file", "ok", f"not opened, since it is being written: {busy}")
        except (WarehouseUnreadable, duckdb.Error) as error:
            yield Finding(
                "work file",
                "FAIL",
                str(error),
                "see which process has it open, and end that; if none has, restore the folder from its last copy"
                " (docs/operate.md, restore). Readers keep the published copy",
            )
            loaded_at = _published_at(warehouse)
    yield published_copy(warehouse, now=now)
    if busy is not None:
        yield Finding("schedule", "ok", f"a run is at work: {busy}")
    else:
        stale_after = timedelta(seconds=settings.social_warehouse_stale_after_seconds)
        yield schedule(loaded_at, now=now, stale_after=stale_after)


def locks(holders: Mapping[str, Holder], *, now: datetime) -> Finding:
    """Who holds which lock, and whether for too long. A backfill may take days."""
    if not holders:
        return Finding("locks", "ok", "nobody holds one")
    told = "; ".join(f"{name} lock: {holder}" for name, holder in holders.items())
    old = [each for name, each in holders.items() if name != "backfill" and now - each.since > LONGEST_HOLD]
    if not old:
        return Finding("locks", "ok", told)
    return Finding(
        "locks",
        "warn",
        f"{told}: longer than {LONGEST_HOLD}",
        f"see whether process {old[0].process_id} is still at work (logs in the home folder); if it hangs, end it:"
        " the system frees its locks, and the next run goes on where it was",
    )


def personal_data(difference: str | None) -> Finding:
    """Whether the policy that is set is the one that the warehouse is made with.

    Args:
        difference: how it is another one; None where it is not.
    """
    if difference is None:
        return Finding("personal data", "ok", "the policy that is set is the one of what is there")
    return Finding(
        "personal data",
        "FAIL",
        difference,
        "set it back, or set SOCIAL_WAREHOUSE_HOME to a new folder: rows of both would not fit together"
        " (docs/personal-data.md)",
    )


def _columns(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    return con.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()


def schema(found: Sequence[tuple[str, str, str, str]]) -> Finding:
    """Whether the tables that are there have the types that the contracts declare.

    Args:
        found: schema, table, column and type of every column of the work file.
    """
    types = {tuple(where): kind for *where, kind in found}
    tables = {where[:2] for where in types}
    wrong, new_count, table_count = [], 0, 0
    for schema_name, table, _, columns in described_tables():
        if (schema_name, table) not in tables:
            continue
        table_count += 1
        for column in columns:
            kind = types.get((schema_name, table, column.name))
            declared = _NAMES_OF_TYPES.get(STORED_AS[column.type], STORED_AS[column.type])
            if kind is None:
                new_count += 1
            elif kind != declared:
                wrong.append(f"{schema_name}.{table}.{column.name} is {kind}, declared {declared}")
    if wrong:
        return Finding(
            "schema",
            "FAIL",
            "; ".join(wrong),
            "with nobody at work, drop these tables of the work file and run 'social-warehouse replay', which makes"
            " them from the payloads; without payloads, start anew in another folder (docs/recovery.md)",
        )
    new = f"; {new_count} new columns come with the next sync that writes to their tables" if new_count else ""
    return Finding("schema", "ok", f"{table_count} tables are as the contracts declare{new}")


def _models(con: duckdb.DuckDBPyConnection, warehouse: Warehouse, settings: Settings) -> Finding:
    if built_with(con) is None:
        return Finding("models", "ok", "the next transform builds all of them")
    is_full = is_full_refresh_due(
        con,
        reporting_time_zone=settings.social_warehouse_reporting_time_zone,
        rules_folder=settings.social_warehouse_rules or warehouse.rules_folder,
    )
    if is_full:
        told = (
            "models, rules, zone, or versions of users and schedules have changed: the next transform builds all anew"
        )
        return Finding("models", "ok", told)
    return Finding("models", "ok", "the next transform builds what has changed since the last")


def _last_load(con: duckdb.DuckDBPyConnection) -> datetime | None:
    if not has_table(con, DATASET, "_dlt_loads"):
        return None
    row: tuple[datetime | None] | None = con.execute(
        f"SELECT max(inserted_at) FROM {DATASET}._dlt_loads WHERE status = 0"
    ).fetchone()
    return None if row is None else row[0]


_ANEW = (
    "run 'social-warehouse publish', which makes it anew; if data tests keep it from that, 'social-warehouse publish"
    " --rollback' gives readers the version before"
)


def published_copy(warehouse: Warehouse, *, now: datetime) -> Finding:
    """Whether readers have a copy that opens, how old it is, and whether it is behind the work file."""
    published_at = _published_at(warehouse)
    if published_at is None:
        if not warehouse.file.exists():
            return Finding("published copy", "ok", "there is none yet: the first sync publishes it")
        return Finding(
            "published copy",
            "FAIL",
            f"{warehouse.published_file} is not there, so readers have nothing",
            "run 'social-warehouse transform', then 'social-warehouse publish'",
        )
    try:
        with warehouse.connect_published():
            pass
        if warehouse.file.exists():
            warehouse.check_tested()
    except (WarehouseUnreadable, duckdb.Error) as error:
        return Finding("published copy", "FAIL", str(error), _ANEW)
    except WarehouseUntested:
        return Finding(
            "published copy",
            "warn",
            f"published {_ago(now - published_at)}; the work file has changed since its data tests passed",
            "nothing, while a run is at work; else run 'social-warehouse transform', which names the tests that fail,"
            " then 'social-warehouse publish'",
        )
    return Finding("published copy", "ok", f"published {_ago(now - published_at)}, and its data tests have passed")


def _published_at(warehouse: Warehouse) -> datetime | None:
    if not warehouse.published_file.exists():
        return None
    return datetime.fromtimestamp(warehouse.published_file.stat().st_mtime, UTC)


def schedule(loaded_at: datetime | None, *, now: datetime, stale_after: timedelta) -> Finding:
    """Whether the newest successful load is as new as a schedule that is alive makes it."""
    if loaded_at is None:
        return Finding(
            "schedule",
            "warn",
            "nothing has been loaded yet",
            "run 'social-warehouse sync', then start a schedule (docs/operate.md)",
        )
    told = f"the newest successful load ended {_ago(now - loaded_at)}"
    if now - loaded_at <= stale_after:
        return Finding("schedule", "ok", told)
    return Finding(
        "schedule",
        "FAIL",
        f"{told}, longer than SOCIAL_WAREHOUSE_STALE_AFTER_SECONDS ({stale_after.total_seconds():,.0f})",
        "see whether the timer, the container or 'social-warehouse serve' runs and what its last run said (logs in the"
        " home folder), or run 'social-warehouse sync'",
    )


def _ago(age: timedelta) -> str:
    return f"{timedelta(seconds=round(max(age.total_seconds(), 0)))} ago"

"""What the warehouse keeps beside the normalised tables: raw payloads, versions of reference data, changes of shape.

It is written before the package that it goes with is loaded. Should the load not come to its end, the same objects are
read again, and writing the same again changes nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from transforms.lateness import followed_from
from transforms.selects import STORED_AS, literal, moment, quoted
from transforms.tables import (
    DAYS_READ,
    DELETIONS,
    ERASURES,
    LATENESS,
    LAYOUTS,
    RECONCILIATIONS,
    RUN_REQUESTS,
    RUN_STREAMS,
    RUNS,
    SCHEMA_CHANGES,
)
from transforms.versions import version_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from transforms.contract import Column, Contract, Table
    from transforms.drift import Drift

DATASET = "social_connect"
"""Schema of the normalised tables."""
RAW = "raw"
"""Schema of the payloads: the current version of each object as the API sent it."""
HISTORY = "history"
"""Schema of what the API forgets, versions of reference data and changes of shape among it, and of what was run."""


def known_versions(con: duckdb.DuckDBPyConnection, table: Table, keys: pa.Table) -> pa.Table:
    """The warehouse's version of some objects.

    Args:
        con: a connection to the work file.
        table: the objects' own table.
        keys: an Arrow table with the columns of the object's key.

    Returns:
        An Arrow table of the key's columns and `_content_hash` for the objects that are there; empty when there is no
        such table yet.
    """
    names = ", ".join(map(quoted, table.object_key))
    if not has_table(con, DATASET, table.name):
        return keys.slice(0, 0).append_column("_content_hash", pa.array([], pa.string()))
    con.register("keys", keys)
    known = con.execute(
        f"SELECT {names}, _content_hash FROM {DATASET}.{quoted(table.name)} SEMI JOIN keys USING ({names})"
    ).to_arrow_table()
    con.unregister("keys")
    return known


def objects_with_rows(con: duckdb.DuckDBPyConnection, table: Table, keys: pa.Table) -> pa.Table:
    """Those of some objects that have rows in a table.

    Args:
        con: a connection to the work file.
        table: the objects' own table, or a list's.
        keys: an Arrow table of the objects' keys, as the table names them.
    """
    if not has_table(con, DATASET, table.name):
        return keys.slice(0, 0)
    con.register("keys", keys)
    names = ", ".join(map(quoted, table.object_key))
    held = con.execute(f"FROM keys SEMI JOIN {DATASET}.{quoted(table.name)} USING ({names})").to_arrow_table()
    con.unregister("keys")
    return held


def has_table(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether there is such a table."""
    found = con.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [schema, table]
    ).fetchone()
    return found is not None


def noted_mentions(
    con: duckdb.DuckDBPyConnection, account_id: str, after: datetime | None, *, at_most: int
) -> list[tuple[datetime, str]]:
    """Mentions that have got a note after a time: when they got the latest, UTC, and `unique_id`; oldest first.

    Those of one second are not told apart by a time, so the rest of the last one's second is given beyond `at_most`.
    """
    if not has_table(con, DATASET, "mention_actions"):
        return []
    return con.execute(
        f"SELECT max(added_at) AS noted_at, unique_id FROM {DATASET}.mention_actions"
        " WHERE account_id = $account_id AND type IN ('note', 'assign') AND details IS NOT NULL"
        " GROUP BY unique_id HAVING noted_at > coalesce($after, '-infinity'::TIMESTAMPTZ)"
        " QUALIFY rank() OVER (ORDER BY noted_at) <= $at_most ORDER BY ALL",
        {"account_id": account_id, "after": after, "at_most": at_most},
    ).fetchall()


def objects_set_aside(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The objects of which records are in quarantine."""
    if not has_table(con, DATASET, "quarantine"):
        return set()
    return {name for (name,) in con.execute(f"SELECT DISTINCT object FROM {DATASET}.quarantine").fetchall()}


def forget_set_aside(con: duckdb.DuckDBPyConnection, content_hashes: Collection[str]) -> None:
    """Takes records out of the quarantine."""
    if content_hashes:
        con.execute(
            f"DELETE FROM {DATASET}.quarantine WHERE content_hash IN (SELECT unnest($hashes))",
            {"hashes": list(content_hashes)},
        )


def has_payloads(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether raw payloads are kept of any object."""
    return con.execute("SELECT 1 FROM duckdb_tables() WHERE schema_name = ?", [RAW]).fetchone() is not None


def forget_payloads(con: duckdb.DuckDBPyConnection) -> None:
    """Removes every raw payload: one that is not replaced when its object is read would soon be an old version."""
    con.execute(f"DROP SCHEMA IF EXISTS {RAW} CASCADE")


def keep_payloads(con: duckdb.DuckDBPyConnection, contract: Contract, file: Path) -> None:
    """Replaces the payloads of some objects.

    Args:
        con: a connection to the work file that may write.
        contract: what the objects are.
        file: parquet; the columns of the object's key, `_content_hash`, `payload` and `_loaded_at`.
    """
    table = f"{RAW}.{contract.root.name}"
    key = ", ".join(quoted(name) for name in contract.root.object_key)
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {RAW}")
    con.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM {literal(str(file))} LIMIT 0")
    con.execute(f"DELETE FROM {table} WHERE ({key}) IN (SELECT ({key}) FROM {literal(str(file))})")
    con.execute(f"INSERT INTO {table} BY NAME FROM {literal(str(file))}")


def keep_versions(
    con: duckdb.DuckDBPyConnection, table: Table, file: Path, *, account_ids: Collection[str], seen_at: datetime
) -> None:
    """Closes the versions that are no more, and opens those that are new.

    Args:
        con: a connection to the work file that may write.
        table: whose rows they are.
        file: parquet; every version that there is now of the accounts, as `transforms.versions.versions` makes them.
        account_ids: the accounts that were read whole.
        seen_at: start of the run, UTC.
    """
    name = f"{HISTORY}.{table.name}"
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {HISTORY}")
    make_table(con, name, version_columns(table))
    accounts = "account_id IN (SELECT unnest($account_ids))"
    con.execute(
        f"UPDATE {name} SET valid_to = {moment(seen_at)} WHERE valid_to IS NULL AND {accounts}"
        f" AND _version_hash NOT IN (SELECT _version_hash FROM {literal(str(file))})",
        {"account_ids": list(account_ids)},
    )
    # Of two runs as of the same time the later counts.
    con.execute(f"DELETE FROM {name} WHERE valid_from = valid_to")
    con.execute(
        f"INSERT INTO {name} BY NAME SELECT *, {moment(seen_at)} AS valid_from FROM {literal(str(file))}"
        f" WHERE _version_hash NOT IN (SELECT _version_hash FROM {name} WHERE valid_to IS NULL)"
    )


def keep_changes_of_shape(con: duckdb.DuckDBPyConnection, differences: Iterable[Drift], *, seen_at: datetime) -> None:
    """Remembers each difference between what the API sends and what the contracts declare, once."""
    make_history(con)
    table = f"{HISTORY}.schema_changes"
    for each in differences:
        same = [each.table, ".".join(each.path), each.expected, each.found]
        con.execute(
            f"INSERT INTO {table} SELECT $same[1], $same[2], $same[3], $same[4], $example, {moment(seen_at)}"
            f" WHERE $same NOT IN (SELECT [table_name, path, expected, found] FROM {table})",
            {"same": same, "example": each.example},
        )


def make_history(con: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables of what is found out and of what was run, so that SQL on a new warehouse runs."""
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {HISTORY}")
    for name, columns in (
        ("schema_changes", SCHEMA_CHANGES),
        ("reconciliations", RECONCILIATIONS),
        ("deletions", DELETIONS),
        ("days_read", DAYS_READ),
        ("lateness", LATENESS),
        ("runs", RUNS),
        ("run_streams", RUN_STREAMS),
        ("run_requests", RUN_REQUESTS),
        ("layout", LAYOUTS),
        ("erasures", ERASURES),
    ):
        make_table(con, f"{HISTORY}.{name}", columns)


def keep_reconciliations(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Remembers what a comparison with the API's counts found."""
    con.register("rows", rows)
    con.execute(f"INSERT INTO {HISTORY}.reconciliations BY NAME FROM rows")
    con.unregister("rows")


def keep_days_read(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    account_id: str,
    days: Iterable[datetime],
    *,
    at: datetime | None,
) -> None:
    """Remembers that every object of some days was read at a time; with None, only that the days are there."""
    table = f"{HISTORY}.days_read"
    same = {"account_id": account_id, "object": contract.object, "days": list(days)}
    are_same = "account_id = $account_id AND object = $object"
    if at is not None:
        con.execute(f"DELETE FROM {table} WHERE {are_same} AND day_start_at IN (SELECT unnest($days))", same)
    con.execute(
        f"INSERT INTO {table} BY NAME SELECT $account_id AS account_id, $object AS object, day AS day_start_at,"
        f" {moment(at) if at else 'NULL'} AS read_at FROM (SELECT unnest($days) AS day)"
        f" WHERE day NOT IN (SELECT day_start_at FROM {table} WHERE {are_same})",
        same,
    )


def days_read(con: duckdb.DuckDBPyConnection, contract: Contract, account_id: str) -> dict[datetime, datetime]:
    """By beginning of a day, UTC: start of the run that last read every object of it."""
    if not has_table(con, HISTORY, "days_read"):
        return {}
    return dict(
        con.execute(
            f"SELECT day_start_at, read_at FROM {HISTORY}.days_read"
            " WHERE account_id = $1 AND object = $2 AND read_at IS NOT NULL",
            [account_id, contract.object],
        ).fetchall()
    )


def sweep_ages(con: duckdb.DuckDBPyConnection, *, day_count: int) -> dict[str, dict[str, Any]]:
    """By account: how many days were never read again whole, the oldest of them, and the longest unread of the others.

    A day is of mentions, or of cases.

    Args:
        con: a connection to the work file or the published copy.
        day_count: how many days count, back from the last that was compared.
    """
    if not has_table(con, HISTORY, "days_read"):
        return {}
    found = con.execute(
        "SELECT account_id, count(*) - count(read_at), min(day_start_at) FILTER (read_at IS NULL), min(read_at)"
        f" FROM (FROM {HISTORY}.days_read"
        " QUALIFY row_number() OVER (PARTITION BY account_id, object ORDER BY day_start_at DESC) <= $1)"
        " GROUP BY account_id ORDER BY account_id",
        [day_count],
    ).fetchall()
    return {
        account_id: {
            "never_read_again_day_count": never,
            "oldest_never_read_again_day": oldest_day.isoformat() if oldest_day else None,
            "longest_unread_since": oldest.isoformat() if oldest else None,
        }
        for account_id, never, oldest_day, oldest in found
    }


def accounts_followed(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Since when each account is followed; empty where nothing has been loaded."""
    if not has_table(con, DATASET, "mentions"):
        return pa.table({"account_id": pa.array([], pa.string())})
    return con.execute(followed_from(f"{DATASET}.mentions")).to_arrow_table()


def keep_lateness(
    con: duckdb.DuckDBPyConnection, counts: Iterable[tuple[tuple[str, int | None], int]], *, loaded_at: datetime
) -> None:
    """Remembers how late mentions came.

    It is written once they are loaded: of a load that is stopped before, the mentions are not counted.

    Args:
        con: a connection to the work file that may write.
        counts: how many mentions, by account and upper bound of lateness in seconds.
        loaded_at: start of the run, UTC.
    """
    for (account_id, at_most_seconds), count in counts:
        con.execute(
            f"MERGE INTO {HISTORY}.lateness AS told USING"
            f" (SELECT {moment(loaded_at)} AS loaded_at, $1 AS account_id, $2::BIGINT AS at_most_seconds,"
            " $3 AS mention_count) AS new"
            " ON told.loaded_at = new.loaded_at AND told.account_id = new.account_id"
            " AND told.at_most_seconds IS NOT DISTINCT FROM new.at_most_seconds"
            " WHEN MATCHED THEN UPDATE SET mention_count = told.mention_count + new.mention_count"
            " WHEN NOT MATCHED THEN INSERT",
            [account_id, at_most_seconds, count],
        )


def lateness_of(con: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """By account: how many mentions came how late, over the last 28 days in which any came, the earliest class first.

    Args:
        con: a connection to the work file or the published copy.
    """
    if not has_table(con, HISTORY, "lateness"):
        return {}
    found = con.execute(
        f"SELECT account_id, at_most_seconds, sum(mention_count)::BIGINT FROM {HISTORY}.lateness"
        f" WHERE loaded_at > (SELECT max(loaded_at) FROM {HISTORY}.lateness) - INTERVAL 28 DAY"
        " GROUP BY ALL ORDER BY account_id, at_most_seconds NULLS LAST"
    ).fetchall()
    by_account: dict[str, list[dict[str, Any]]] = {}
    for account_id, at_most_seconds, count in found:
        by_account.setdefault(account_id, []).append({"at_most_seconds": at_most_seconds, "mention_count": count})
    return by_account


def keep_deletions(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    account_id: str,
    seen: pa.Table,
    *,
    start: datetime,
    end: datetime,
    at: datetime,
) -> tuple[int, int]:
    """Marks the objects that are gone at the source, and takes the mark from those that are there again.

    Args:
        con: a connection to the work file that may write.
        contract: what the objects are.
        account_id: the account.
        seen: `unique_id` of every object that the API has, of those added in the window.
        start: beginning of the window of `date.added`, UTC.
        end: its end, not in it.
        at: start of the run, UTC.

    Returns:
        How many were marked, and of how many the mark was taken.
    """
    con.register("seen", seen)
    there = "unique_id IN (FROM seen)"
    window = f"account_id = $account_id AND added_at >= {moment(start)} AND added_at < {moment(end)}"
    table = f"{DATASET}.{contract.root.name}"
    values = {"account_id": account_id}
    named = values | {"object": contract.object}
    con.execute(
        f"UPDATE {HISTORY}.deletions SET restored_at = {moment(at)}"
        f" WHERE account_id = $account_id AND object = $object AND restored_at IS NULL AND {there}",
        named,
    )
    (back,) = con.execute(
        f"UPDATE {table} SET deleted_at = NULL WHERE {window} AND deleted_at IS NOT NULL AND {there}", values
    ).fetchone() or (0,)
    con.execute(
        f"INSERT INTO {HISTORY}.deletions BY NAME"
        f" SELECT account_id, $object AS object, unique_id, {moment(at)} AS deleted_at"
        f" FROM {table} WHERE {window} AND deleted_at IS NULL AND NOT {there}",
        named,
    )
    (gone,) = con.execute(
        f"UPDATE {table} SET deleted_at = {moment(at)} WHERE {window} AND deleted_at IS NULL AND NOT {there}", values
    ).fetchone() or (0,)
    con.unregister("seen")
    return gone, back


def apply_deletions(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Marks the objects of whose deletion there is a record, and which have not been read since."""
    name = contract.root.name
    if not (has_table(con, HISTORY, "deletions") and has_table(con, RAW, name)):
        return
    con.execute(
        f"UPDATE {DATASET}.{name} AS gone SET deleted_at = deletion.deleted_at FROM {HISTORY}.deletions AS deletion"
        " WHERE gone.account_id = deletion.account_id AND gone.unique_id = deletion.unique_id"
        " AND deletion.object = $1 AND restored_at IS NULL AND gone.deleted_at IS NULL AND NOT EXISTS"
        f" (FROM {RAW}.{name} AS payload WHERE payload.account_id = deletion.account_id"
        " AND payload.unique_id = deletion.unique_id AND payload._loaded_at > deletion.deleted_at)",
        [contract.object],
    )


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is done inside, or nothing."""
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        raise
    con.commit()


def make_table(con: duckdb.DuckDBPyConnection, name: str, columns: tuple[Column, ...]) -> None:
    """Makes a table, or the columns that the contract has since got."""
    declared = [f"{quoted(column.name)} {STORED_AS[column.type]}" for column in columns]
    con.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(declared)})")
    for column in declared:
        con.execute(f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column}")


BUILT_WITH = "intermediate._built_with"
"""Table of one row: what the models were built with last, in full."""


def built_with(con: duckdb.DuckDBPyConnection) -> str | None:
    """The fingerprint of what the models were built with; None when they are to be built in full."""
    if not has_table(con, *BUILT_WITH.split(".")):
        return None
    row: tuple[str | None] | None = con.execute(f"SELECT fingerprint FROM {BUILT_WITH}").fetchone()
    return None if row is None else row[0]


def keep_built_with(con: duckdb.DuckDBPyConnection, fingerprint: str | None) -> None:
    """Keeps the fingerprint of what the models have been built with; None has them built in full the next time."""
    con.execute("CREATE SCHEMA IF NOT EXISTS intermediate")
    con.execute(f"CREATE OR REPLACE TABLE {BUILT_WITH} AS SELECT $1::VARCHAR AS fingerprint", [fingerprint])


def versions_fingerprint(con: duckdb.DuckDBPyConnection) -> str:
    """What the versions are that rows of unchanged items are made from: of users, their teams, and schedules."""
    prints = []
    for name in ("users", "team_members", "business_hours_schedules", "business_hours_periods"):
        if has_table(con, HISTORY, name):
            query = f"SELECT count(*), bit_xor(hash(version)) FROM {HISTORY}.{name} AS version"
            prints += con.execute(query).fetchall()
    return str(prints)

"""How far the warehouse is: status. It changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.api.sharing import last_seen
from pipelines.keeping import DATASET, has_table, lateness_of, sweep_ages
from pipelines.run_history import GOES_ON, run_history, runs_in_files
from pipelines.source import STREAMS
from pipelines.source.rhythm import late_after
from pipelines.source.streams import FACETS
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from duckdb import DuckDBPyConnection

    from pipelines.settings import Settings


def status(settings: Settings, *, as_of: datetime | None = None) -> dict[str, Any]:
    """How far the warehouse has read, what it holds and what runs did, in plain values; times are ISO 8601 in UTC.

    It asks the API nothing and waits for nobody: it reads the published copy, the loader's state and small files.

    Args:
        settings: the options.
        as_of: what is taken for now, UTC; now when not given.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: the published copy is damaged.
    """
    now = as_of or datetime.now(UTC)
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    warehouse = Warehouse(settings.social_warehouse_home)
    in_files = runs_in_files(warehouse)
    if warehouse.published_file.exists():
        with warehouse.connect_published() as con:
            runs = run_history(con, in_files, counted_from=month)
            holds = _what_is_published(con, warehouse, settings)
    else:
        runs = run_history(None, in_files, counted_from=month)
        holds = {"published_file": None, "sweep": {}, "lateness": {}, "row_counts": {}}
    data_as_of = runs.read_through.isoformat() if runs.read_through else holds.get("newest_change_loaded_at")
    return {
        "as_of": now.isoformat(),
        "data_as_of": data_as_of,
        "data_age_seconds": _age_seconds(data_as_of, now),
        "writer": (warehouse.writer() if warehouse.home.exists() else None) or "nobody",
        **holds,
        **_what_the_loader_knows(warehouse, now),
        "budgets": budgets(settings, now),
        "running": [run for run in runs.last if run["outcome"] == GOES_ON],
        "last_runs": _first_by_kind(run for run in runs.last if run["outcome"] != GOES_ON),
        "last_successes": _first_by_kind(run for run in runs.last if run["outcome"] == "done"),
        "last_failures": [run for run in runs.last if run["outcome"] not in {"done", GOES_ON}][:LAST_FAILURES],
        "counted_from": runs.counted_from.isoformat(),
        "run_counts": [
            {"kind": kind, "outcome": outcome, "run_count": count}
            for (kind, outcome), count in sorted(runs.run_counts.items())
        ],
        "request_counts": [{"endpoint": name} | counts for name, counts in sorted(runs.request_counts.items())],
    }


LAST_FAILURES = 5


def _what_is_published(con: DuckDBPyConnection, warehouse: Warehouse, settings: Settings) -> dict[str, Any]:
    tables = con.execute(
        "SELECT table_name, estimated_size FROM duckdb_tables() WHERE schema_name = $1 ORDER BY 1", [DATASET]
    ).fetchall()
    loaded_at, added_at = None, None
    if has_table(con, DATASET, "mentions"):
        loaded_at, added_at = con.execute("SELECT max(_loaded_at), max(added_at) FROM mentions").fetchone() or (
            None,
            None,
        )
    about = warehouse.published_file.stat()
    return {
        "published_file": str(warehouse.published_file),
        "published_at": datetime.fromtimestamp(about.st_mtime, UTC).isoformat(timespec="seconds"),
        "published_bytes": about.st_size,
        "newest_change_loaded_at": loaded_at.isoformat() if loaded_at else None,
        "newest_mention_added_at": added_at.isoformat() if added_at else None,
        "sweep": sweep_ages(con, day_count=settings.social_warehouse_reconcile_days),
        "lateness": lateness_of(con),
        "row_counts": dict(tables),
    }


def _what_the_loader_knows(warehouse: Warehouse, now: datetime) -> dict[str, Any]:
    if not any(warehouse.dlt_folder.glob("*")):  # asking it would leave a folder
        return {"streams": [], "cursors": {}}
    from pipelines.load import make_pipeline, read_cursors, read_state  # noqa: PLC0415 - dlt takes a second to import, and most commands do not need it

    return {"streams": _lags(read_state(make_pipeline(warehouse)), now), "cursors": read_cursors(warehouse)}


def _lags(state: Mapping[str, Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """How long ago each list of each account was read, in the order of the streams."""
    found = []
    for stream in (*STREAMS, FACETS):
        for account_id, kept in sorted(state.get(stream.name, {}).get("cursors", {}).items()):
            read_at, refused_at = kept.get("read_at"), kept.get("refused_at")
            if read_at is None and refused_at is None:
                continue
            lag, most = _age_seconds(read_at, now), int(late_after(stream.rhythm).total_seconds())
            is_refused = refused_at is not None and (read_at is None or refused_at >= read_at)
            found.append(
                {
                    "stream": stream.name,
                    "account_id": account_id,
                    "read_at": read_at,
                    "lag_seconds": lag,
                    "late_after_seconds": most,
                    "is_late": lag is not None and lag > most and not is_refused,
                    "refused_at": refused_at if is_refused else None,
                }
            )
    return found


def budgets(settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """What is left of each token's allowance, by its number in the settings, as far as its last answer told."""
    allowances = last_seen(
        settings.social_warehouse_home / "api" / "allowances.json", settings.social_connect_access_token
    )
    return [
        {
            "token": number,
            "remaining_call_count": allowance.left_count(now.timestamp()),
            "limit_call_count": allowance.limit_count,
            "frame_ends_at": (
                datetime.fromtimestamp(allowance.reset_at, UTC).isoformat(timespec="seconds")
                if allowance.reset_at
                else None
            ),
        }
        for number, allowance in enumerate(allowances, 1)
    ]


def _first_by_kind(runs: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        found.setdefault(run["kind"], run)
    return found


def _age_seconds(at: str | None, now: datetime) -> int | None:
    return None if at is None else max(round((now - datetime.fromisoformat(at)).total_seconds()), 0)

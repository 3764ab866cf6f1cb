"""How far the warehouse is: status. It changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.keeping import DATASET, lateness_of, sweep_ages
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from pipelines.settings import Settings


def status(settings: Settings) -> dict[str, Any]:
    """How far the warehouse has read and what it holds, in plain values; times are ISO 8601 in UTC.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet.
    """
    from pipelines.load import read_cursors  # noqa: PLC0415 - dlt takes a second to import, and most commands do not need it

    warehouse = Warehouse(settings.social_warehouse_home)
    with warehouse.connect_published() as con:
        tables = con.execute(
            "SELECT table_name, estimated_size FROM duckdb_tables() WHERE schema_name = $1 ORDER BY 1", [DATASET]
        ).fetchall()
        (as_of, newest) = con.execute("SELECT max(_loaded_at), max(added_at) FROM mentions").fetchone() or (None, None)
        sweep = sweep_ages(con, day_count=settings.social_warehouse_reconcile_days)
        lateness = lateness_of(con)
    published_at = datetime.fromtimestamp(warehouse.published_file.stat().st_mtime, UTC)
    return {
        "published_file": str(warehouse.published_file),
        "published_at": published_at.isoformat(timespec="seconds"),
        "newest_change_loaded_at": as_of.isoformat() if as_of else None,
        "newest_mention_added_at": newest.isoformat() if newest else None,
        "writer": warehouse.writer() or "nobody",
        "sweep": sweep,
        "lateness": lateness,
        "cursors": read_cursors(warehouse),
        "row_counts": dict(tables),
    }

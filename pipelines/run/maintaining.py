"""A maintenance: the work file is compacted, and what is old is removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.logs import remove_old_logs
from pipelines.run.opening import LOCK_WAIT_SECONDS, open_warehouse
from pipelines.run_history import recorded

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.warehouse import Compaction


@dataclass(frozen=True)
class MaintenanceReport:
    """What a maintenance removed, and how large the work file was and is, in bytes."""

    compaction: Compaction
    removed_log_count: int
    removed_dbt_file_count: int

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts."""
        return {
            "before_bytes": self.compaction.before_bytes,
            "after_bytes": self.compaction.after_bytes,
            "free_bytes": self.compaction.free_bytes,
            "removed_log_count": self.removed_log_count,
            "removed_dbt_file_count": self.removed_dbt_file_count,
        }

    def as_markdown(self) -> str:
        """The report for people."""
        rows = (f"| {name.replace('_', ' ')} | {value:,} |" for name, value in self.as_json().items())
        return "\n".join(["Maintenance.", "", "| | |", "|---|---:|", *rows])


def maintain(settings: Settings, *, as_of: datetime | None = None) -> MaintenanceReport:
    """Compacts the work file, and removes logs and what dbt has left that are older than `SOCIAL_WAREHOUSE_LOG_DAYS`.

    What can be published stays so. The published copy is not touched.

    Args:
        settings: the options.
        as_of: the run's clock, UTC; now when not given.

    Raises:
        pipelines.warehouse.WarehouseBusy: another run is going on, or something else writes for long.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
        pipelines.warehouse.CompactionFailed: the disk is full. The work file is as it was.
    """
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC)
    before = as_of - timedelta(days=settings.social_warehouse_log_days)
    warehouse = open_warehouse(settings)
    with (
        recorded(settings, "maintain", as_of=as_of),
        warehouse.run_lock("a maintenance"),
        warehouse.writer_lock("a maintenance", timeout_seconds=LOCK_WAIT_SECONDS),
    ):
        with warehouse.connect():
            pass  # says clearly that there is nothing to maintain
        with warehouse.staying_tested():
            compaction = warehouse.compact()
        return MaintenanceReport(
            compaction, remove_old_logs(warehouse, before.date()), warehouse.remove_old_sql(before)
        )

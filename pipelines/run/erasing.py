"""An erasure: a person or a mention is taken out of everything under the home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines import erasure, publishing
from pipelines.postgres import PostgresFailed
from pipelines.run.building import bring_along, publish, transform
from pipelines.run.opening import LOCK_WAIT_SECONDS, agreed_policy, open_warehouse
from pipelines.run.watching import Progress, Silent
from pipelines.run_history import recorded
from pipelines.traces import Trace
from pipelines.traces import find as find_traces
from pipelines.warehouse import WarehouseBusy, WarehouseUnreadable

if TYPE_CHECKING:
    from pipelines.erasure import Subject
    from pipelines.settings import Settings


@dataclass(frozen=True)
class ErasureReport:
    """What was found about a person or a mention, what was taken out, and where something of it is left.

    Attributes:
        object_counts: objects that are about the subject, by table.
        row_counts: rows that had something taken out, by table.
        text_count: how many texts (identifiers, names, messages) were then looked for.
        shared_count: how many were not, since others have them too.
        traces: where one of them is still.
        notices: what else was done, or is to be done.
        is_dry_run: nothing was changed, nor looked for.
        not_reached: why the marts in PostgreSQL are as they were before; None where they are not.
    """

    object_counts: dict[str, int]
    row_counts: dict[str, int]
    text_count: int
    shared_count: int
    traces: tuple[Trace, ...]
    notices: tuple[str, ...]
    is_dry_run: bool
    not_reached: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts."""
        return vars(self) | {"traces": [vars(trace) for trace in self.traces]}


def erase(
    settings: Settings,
    subject: Subject,
    *,
    reason: str | None = None,
    is_dry_run: bool = False,
    as_of: datetime | None = None,
    progress: Progress | None = None,
) -> ErasureReport:
    """Takes a person or a mention out of everything under the home, keeps it out, and looks whether anything is left.

    Then the models are built anew from what is left, tested and published.

    Args:
        settings: the options.
        subject: whom or what.
        reason: why, for the list of erasures.
        is_dry_run: whether only to say what it would be.
        as_of: the run's clock, UTC; now when not given.
        progress: is told how it goes.

    Raises:
        SettingsInvalid: another personal data policy than the warehouse was made with.
        pipelines.warehouse.WarehouseBusy: another run or a backfill is going on, or something else writes for long.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
        pipelines.transform.TestsFailed: the tables and payloads are done, but what readers open is the former copy. Run
            it again once the tests pass.
    """
    from pipelines.load import make_pipeline, recover  # noqa: PLC0415 - see there

    progress = progress or Silent()
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC)
    warehouse = open_warehouse(settings)
    notices = []
    with recorded(settings, "erase", as_of=as_of), warehouse.backfill_lock(), warehouse.run_lock("an erasure"):
        progress.step("look up")
        policy = agreed_policy(settings, warehouse)
        with warehouse.writer_lock("the start of an erasure", timeout_seconds=LOCK_WAIT_SECONDS):
            with warehouse.connect():
                pass  # says clearly that there is nothing to erase from
            if not is_dry_run:
                recover(make_pipeline(warehouse), warehouse)
        with warehouse.writing("an erasure", timeout_seconds=LOCK_WAIT_SECONDS) as con:
            found = erasure.find(con, subject, policy)
            row_counts: dict[str, int] = {}
            if not is_dry_run:
                progress.step("erase")
                row_counts = erasure.erase(con, warehouse, subject, found, policy, reason=reason, at=as_of)
        if is_dry_run:
            return ErasureReport(found.object_counts, {}, len(found.texts), found.shared_count, (), (), is_dry_run)
        with warehouse.writer_lock("an erasure", timeout_seconds=LOCK_WAIT_SECONDS):
            warehouse.compact(always=True)
            notices += warehouse.forget_leftovers()
        progress.step("transform and test")
        transform(settings, as_of=as_of)
        progress.step("publish")
        publish(settings.model_copy(update={"social_warehouse_postgres": False}))
        with warehouse.writer_lock("an erasure", timeout_seconds=LOCK_WAIT_SECONDS):
            publishing.forget_versions(warehouse)
        not_reached = _bring_along(settings)
        progress.step("look for what is left")
        traces = tuple(find_traces(warehouse, found.texts))
    return ErasureReport(
        found.object_counts,
        row_counts,
        len(found.texts),
        found.shared_count,
        traces,
        tuple(notices),
        is_dry_run,
        not_reached,
    )


def _bring_along(settings: Settings) -> str | None:
    """Brings what is left to PostgreSQL; gives why not, since an erasure of all else is to go on."""
    try:
        return bring_along(settings)
    except (PostgresFailed, WarehouseBusy, WarehouseUnreadable) as error:
        return str(error)

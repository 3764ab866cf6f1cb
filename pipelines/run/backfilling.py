"""A backfill: a span of the past is read beside the syncs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.run.choosing import account_readings
from pipelines.run.opening import agreed_policy, connect, open_warehouse
from pipelines.run.watching import Progress, Silent
from pipelines.run_history import recorded
from pipelines.settings import Settings, SettingsInvalid
from pipelines.source.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.backfill import Estimate, Outcome
    from pipelines.stopping import Stop

LONGEST_FRAME_SECONDS = 86_400
"""How long a run that waits for the API's next frame may wait for it."""


@dataclass(frozen=True)
class BackfillReport:
    """What a backfill did, or with a dry run would do.

    `resume_at`: when it can go on, UTC; None when nothing is left to read or the API did not say.
    """

    start: datetime
    end: datetime
    estimate: Estimate
    outcome: Outcome
    request_count: int
    is_dry_run: bool

    @property
    def resume_at(self) -> datetime | None:
        """When reading can go on."""
        stop = self.outcome.stopped_by
        return datetime.fromtimestamp(stop.resume_at, UTC) if stop is not None and stop.resume_at is not None else None

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts. Times are ISO 8601 in UTC."""
        outcome = self.outcome
        return {
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "is_dry_run": self.is_dry_run,
            "estimate": {
                "row_counts": self.estimate.row_counts,
                "call_count": self.estimate.call_count,
                "hours": self.estimate.hour_count,
            },
            "request_count": self.request_count,
            "planned_window_count": outcome.planned_count,
            "read_window_count": outcome.read_count,
            "record_counts": dict(outcome.record_counts),
            "page_counts": dict(outcome.page_counts),
            "row_counts": dict(outcome.row_counts),
            "quarantined_count": outcome.quarantined_count,
            "drift": sorted(outcome.drift),
            "notices": outcome.notices,
            "stopped_by": str(outcome.stopped_by) if outcome.stopped_by else None,
            "resume_at": self.resume_at.isoformat() if self.resume_at else None,
        }

    def as_markdown(self) -> str:
        """The report for people."""
        outcome = self.outcome
        lines = [
            f"Backfill of {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC.",
            "",
            "| | |",
            "|---|---:|",
            f"| requests | {self.request_count:,} |",
            f"| windows read, of {outcome.planned_count:,} | {outcome.read_count:,} |",
            *(f"| {stream} read | {count:,} |" for stream, count in outcome.record_counts.items()),
            *(f"| rows written to {table} | {count:,} |" for table, count in outcome.row_counts.items()),
            f"| records set aside in quarantine | {outcome.quarantined_count:,} |",
        ]
        notes = [*sorted(outcome.drift), *outcome.notices]
        if outcome.stopped_by:
            notes.append(f"Reading ended early: {outcome.stopped_by}")
        return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def backfill(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    as_of: datetime | None = None,
    max_requests: int | None = None,
    is_dry_run: bool = False,
    waits: bool = False,
    progress: Progress | None = None,
    stop: Stop | None = None,
    on_estimate: Callable[[Estimate], None] = lambda _estimate: None,
) -> BackfillReport:
    """Reads the mentions and cases added in a span, newest first, beside the syncs.

    What a backfill has read before is not read again.

    Args:
        settings: the options.
        start: beginning of the span, UTC.
        end: its end, not in it, UTC; the run's clock where that is earlier.
        as_of: the run's clock, UTC; now when not given.
        max_requests: how many requests the run may send.
        is_dry_run: whether to end when it is known what it would take.
        waits: whether to wait for the API's next frame where the allowance is used up, rather than end.
        progress: is told how it goes.
        stop: whether it has been asked to stop; it then loads what it has read, and ends.
        on_estimate: is told what it will take, before the reading begins.

    Raises:
        SettingsInvalid: no token, the span is empty, or another personal data policy than the warehouse was made with.
        pipelines.api.SocialConnectError: the API cannot be read. What was read is loaded.
        pipelines.source.ReadingFailed: the API does not keep what reading it rests on. As above.
        pipelines.warehouse.WarehouseBusy: another backfill is going on, or something else writes for long.
    """
    from pipelines.backfill import Backfill, estimate  # noqa: PLC0415 - dlt, see `extract_and_load`
    from pipelines.source.spool import Spool  # noqa: PLC0415 - as above

    progress = progress or Silent()
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    wanted = Window(
        start.astimezone(UTC).replace(microsecond=0), min(end.astimezone(UTC).replace(microsecond=0), as_of)
    )
    if wanted.start >= wanted.end:
        raise SettingsInvalid(
            f"--from is {wanted.start.isoformat()}, not before {wanted.end.isoformat()}, where the span ends. It wants"
            " an earlier time."
        )
    if waits:
        settings = settings.model_copy(update={"social_connect_max_wait_seconds": LONGEST_FRAME_SECONDS})
    warehouse = open_warehouse(settings)
    reserved_count = settings.social_connect_reserved_calls
    with (
        recorded(settings, "backfill_dry_run" if is_dry_run else "backfill", as_of=as_of) as record,
        warehouse.backfill_lock(),
        connect(
            settings,
            max_requests=max_requests,
            reserved_count=reserved_count,
            stop=stop,
            on_request=record.count_request,
        ) as api,
        warehouse.scratch(warehouse.backfill_folder) as scratch,
    ):
        policy = agreed_policy(settings, warehouse)
        backfill = Backfill(
            warehouse,
            Spool(warehouse.spool_folder, scratch.connect, policy),
            account_readings(settings, api, warehouse, as_of=as_of, progress=progress),
            loaded_at=as_of,
            policy=policy,
            keeps_payloads=settings.social_warehouse_raw_payloads,
        )
        progress.step("count what there is to read")
        try:
            if not is_dry_run:
                backfill.load_what_was_left()
            parts = backfill.plan(wanted, is_dry_run=is_dry_run)
            expected = estimate(parts, hourly_count=api.budget.hourly_count)
            on_estimate(expected)
            if not is_dry_run:
                progress.step("read and load")
                progress.expect(expected.row_counts)
                backfill.run(parts)
        finally:  # what was read before a failure is loaded
            record.add_load(backfill.outcome)
        return BackfillReport(
            wanted.start, wanted.end, expected, backfill.outcome, api.budget.request_count, is_dry_run
        )

"""A reconciliation: what differs from the API's counts is read again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.api import NotSent
from pipelines.run.choosing import account_readings, chosen_streams
from pipelines.run.opening import agreed_policy, connect, open_warehouse
from pipelines.run.watching import Progress, Silent
from pipelines.run_history import recorded
from pipelines.source import StreamReader

if TYPE_CHECKING:
    from pipelines.reconcile import AccountReconciliation
    from pipelines.settings import Settings
    from pipelines.stopping import Stop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReconcileReport:
    """What a reconciliation found and did, account by account, after it had brought the inbox up to date.

    `stopped_by`: why it ended early, when it did; what was read until then is loaded.
    """

    as_of: datetime
    accounts: tuple[AccountReconciliation, ...]
    request_count: int
    stopped_by: NotSent | None

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts."""
        return {
            "as_of": self.as_of.isoformat(),
            "request_count": self.request_count,
            "stopped_by": str(self.stopped_by) if self.stopped_by else None,
            "accounts": [account.as_json() for account in self.accounts],
        }

    def as_markdown(self) -> str:
        """The report for people."""
        lines = [
            f"Reconciliation as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC, {self.request_count} requests.",
            "",
            "| account | days | numbers | differed | days read again | differ still | gone | back | days swept |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(
                f"| {each.account_id} | {each.day_count} | {each.compared_count:,} | {each.different_count:,}"
                f" | {each.read_again_count} | {each.still_different_count:,} | {each.deleted_count:,}"
                f" | {each.restored_count:,} | {each.swept_count} |"
                for each in self.accounts
            ),
        ]
        notes = [notice for each in self.accounts for notice in each.notices]
        if self.stopped_by:
            notes.append(f"It ended early: {self.stopped_by}")
        return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def reconcile(
    settings: Settings,
    *,
    as_of: datetime | None = None,
    max_requests: int | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> ReconcileReport:
    """Compares mentions and cases with the API's counts, reads days again that differ, and sweeps days that agree.

    Args:
        settings: the options.
        as_of: the run's clock, UTC; now when not given.
        max_requests: how many requests the run may send.
        progress: is told how it goes.
        stop: whether it has been asked to stop; it then loads what it has read, and ends.

    Raises:
        As `extract_and_load`.
    """
    from pipelines.load import load  # noqa: PLC0415 - see there
    from pipelines.reconcile import reconcile_account  # noqa: PLC0415 - as above, and pandas

    progress = progress or Silent()
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    warehouse = open_warehouse(settings)
    keeps_payloads = settings.social_warehouse_raw_payloads
    with (
        recorded(settings, "reconcile", as_of=as_of) as record,
        warehouse.run_lock("a reconciliation"),
        connect(settings, max_requests=max_requests, stop=stop, on_request=record.count_request) as api,
    ):
        policy = agreed_policy(settings, warehouse)
        accounts = account_readings(settings, api, warehouse, as_of=as_of, progress=progress)
        progress.step("read what is new")
        readers = [StreamReader(stream, accounts) for stream in chosen_streams(("topics", "tags", "mentions", "cases"))]
        stopped_by = load(
            warehouse,
            readers,
            loaded_at=as_of,
            policy=policy,
            keeps_payloads=keeps_payloads,
            on_report=record.add_load,
        ).stopped_by
        done: list[AccountReconciliation] = []
        for account in accounts:
            if stopped_by is not None:
                break
            progress.step(f"compare account {account.account_id}")
            try:
                done.append(
                    reconcile_account(
                        warehouse,
                        account,
                        loaded_at=as_of,
                        day_count=settings.social_warehouse_reconcile_days,
                        sweep_calls=settings.social_warehouse_sweep_calls,
                        policy=policy,
                        keeps_payloads=keeps_payloads,
                    )
                )
            except NotSent as not_sent:
                stopped_by = not_sent
            else:
                stopped_by = next((load.stopped_by for load in done[-1].loads if load.stopped_by), None)
                for each in done[-1].loads:
                    record.add_load(each)
        for notice in (notice for account in done for notice in account.notices):
            logger.warning("%s", notice)
        record.stopped_by = stopped_by
        return ReconcileReport(as_of, tuple(done), api.budget.request_count, stopped_by)

"""What a run does, as plain functions: sync, reconcile, backfill, replay, transform, publish. No Prefect here."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, get_args

from pipelines import erasure, publishing
from pipelines.api import NotSent, Renewal, SocialConnect
from pipelines.keeping import (
    forget_payloads,
    forget_set_aside,
    has_payloads,
    noted_mentions,
    objects_set_aside,
)
from pipelines.logs import remove_old_logs
from pipelines.probing import honoured, read_probes
from pipelines.rebuild import RebuildReport, rebuild
from pipelines.run_history import forget_published, keep_runs, prune_runs, recorded
from pipelines.settings import SettingsInvalid
from pipelines.source import (
    STREAMS,
    AccountReading,
    Memory,
    Reading,
    SetAsideReader,
    Stream,
    StreamReader,
)
from pipelines.source.memory import NOTHING_KNOWN
from pipelines.source.reading import ids_in
from pipelines.source.streams import FACETS
from pipelines.source.windows import Window
from pipelines.stopping import Stop
from pipelines.traces import find as find_traces
from pipelines.warehouse import Warehouse
from transforms.personal_data import Mode, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipelines.api import Page, RequestReport
    from pipelines.backfill import Estimate, Outcome
    from pipelines.erasure import Subject
    from pipelines.load import LoadReport
    from pipelines.reconcile import AccountReconciliation
    from pipelines.settings import Settings
    from pipelines.traces import Trace
    from pipelines.transform import TransformReport
    from pipelines.warehouse import Compaction

logger = logging.getLogger(__name__)


REFERENCE = tuple(stream.name for stream in STREAMS if stream.reading is Reading.SNAPSHOT)
"""The lists that are read whole, each time that their turn comes: users, teams, tags, schedules, ..."""


class Progress(Protocol):
    """Is told how a run goes on."""

    def step(self, name: str) -> None:
        """A step of the run begins."""

    def expect(self, row_counts: dict[str, int]) -> None:
        """About so many rows of some streams will be read."""

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        """A page of a stream has been read; `remaining_count` is what the API still allows in its present frame."""


class Silent:
    """Progress that nobody watches."""

    def step(self, name: str) -> None:
        """Does nothing."""

    def expect(self, row_counts: dict[str, int]) -> None:
        """Does nothing."""

    def page(self, stream: str, page: Page, remaining_count: int | None) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class Extraction:
    """What was read and loaded, from which accounts, in how many requests."""

    load: LoadReport
    account_ids: tuple[str, ...]
    request_count: int

    @property
    def budget_was_used_up(self) -> bool:
        """Whether reading ended before everything was read."""
        return self.load.stopped_by is not None

    @property
    def resume_at(self) -> datetime | None:
        """When reading can go on, UTC; None when nothing is left to read or the API did not say."""
        stop = self.load.stopped_by
        return datetime.fromtimestamp(stop.resume_at, UTC) if stop is not None and stop.resume_at is not None else None


@dataclass(frozen=True)
class SyncReport:
    """What a sync did."""

    as_of: datetime
    extraction: Extraction
    transform: TransformReport
    published_bytes: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts. Times are ISO 8601 in UTC."""
        load = self.extraction.load
        return {
            "as_of": self.as_of.isoformat(),
            "account_ids": list(self.extraction.account_ids),
            "request_count": self.extraction.request_count,
            "record_counts": load.record_counts,
            "row_counts": load.row_counts,
            "quarantined_count": load.quarantined_count,
            "drift": list(load.drift),
            "notices": list(load.notices),
            "stopped_by": str(load.stopped_by) if load.stopped_by else None,
            "resume_at": self.extraction.resume_at.isoformat() if self.extraction.resume_at else None,
            "model_count": self.transform.model_count,
            "passed_test_count": self.transform.passed_test_count,
            "test_warnings": list(self.transform.warnings),
            "published_bytes": self.published_bytes,
            "seconds": self.seconds,
        }

    def as_markdown(self) -> str:
        """The report for people."""
        load = self.extraction.load
        lines = [
            f"Sync as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC, accounts {', '.join(self.extraction.account_ids)}.",
            "",
            "| | |",
            "|---|---:|",
            f"| requests | {self.extraction.request_count:,} |",
            *(f"| {stream} read | {count:,} |" for stream, count in load.record_counts.items()),
            *(f"| rows written to {table} | {count:,} |" for table, count in load.row_counts.items()),
            f"| records set aside in quarantine | {load.quarantined_count:,} |",
            f"| models built | {self.transform.model_count:,} |",
            f"| tests passed | {self.transform.passed_test_count:,} |",
            f"| published megabytes | {self.published_bytes / 1e6:,.1f} |",
            f"| seconds | {self.seconds:,.1f} |",
        ]
        notes = [*load.drift, *load.notices, *(f"test warning: {warning}" for warning in self.transform.warnings)]
        if load.stopped_by:
            notes.append(f"Reading ended early: {load.stopped_by}")
        return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def sync(
    settings: Settings,
    *,
    as_of: datetime | None = None,
    stream_names: Sequence[str] | None = None,
    max_requests: int | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> SyncReport:
    """Reads new and changed rows, transforms, tests and publishes.

    Args:
        settings: the options.
        as_of: the run's clock, UTC; now when not given.
        stream_names: which streams to read; all when not given.
        max_requests: how many requests the run may send.
        progress: is told how it goes.
        stop: whether it has been asked to stop; it then loads what it has read, and ends.

    Raises:
        SettingsInvalid: no token, an unknown stream, or another personal data policy than the warehouse was made with.
        pipelines.api.SocialConnectError: the API cannot be read.
        pipelines.warehouse.WarehouseBusy: another run is going on, or something else writes for long.
        pipelines.transform.TestsFailed: nothing was published.
    """
    started = time.monotonic()
    progress = progress or Silent()
    as_of = as_of or datetime.now(UTC)
    with recorded(settings, "sync", as_of=as_of):
        extraction = extract_and_load(
            settings, as_of=as_of, stream_names=stream_names, max_requests=max_requests, progress=progress, stop=stop
        )
        progress.step("transform and test")
        transformed = transform(settings, as_of=as_of, stop=stop)
        progress.step("publish")
        published_bytes = publish(settings).byte_count
    return SyncReport(as_of, extraction, transformed, published_bytes, round(time.monotonic() - started, 1))


def extract_and_load(
    settings: Settings,
    *,
    as_of: datetime,
    stream_names: Sequence[str] | None = None,
    max_requests: int | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> Extraction:
    """Reads the API and loads the normalised tables; arguments and errors as for `sync`."""
    from pipelines.load import (  # noqa: PLC0415 - dlt takes a second to import, and most commands do not need it
        load,
        recovered_state,
    )
    from pipelines.source.statistics import StatisticsLoader  # noqa: PLC0415 - as above, and pandas

    progress = progress or Silent()
    if stream_names is not None:  # "reference" stands for all lists of reference data
        stream_names = [name for given in stream_names for name in (REFERENCE if given == "reference" else (given,))]
    streams = _chosen_streams(stream_names)
    as_of = as_of.astimezone(UTC).replace(microsecond=0)
    if settings.start_date(as_of) >= as_of:
        raise SettingsInvalid(
            f"SOCIAL_CONNECT_START_DATE is {settings.start_date(as_of).isoformat()}, not before the run's time"
            f" {as_of.isoformat()}. It wants a date in the past."
        )
    warehouse = open_warehouse(settings)
    with (
        recorded(settings, "sync", as_of=as_of) as record,
        warehouse.run_lock("a sync"),
        connect(settings, max_requests=max_requests, stop=stop, on_request=record.count_request) as api,
    ):
        policy = _agreed_policy(settings, warehouse)
        if not settings.social_warehouse_raw_payloads:
            _forget_payloads(warehouse)
        progress.step("read and load")
        # Streams that are named are read anew, with all that reading them rests on.
        memory = Memory(recovered_state(warehouse)) if stream_names is None else NOTHING_KNOWN
        accounts = _accounts(settings, api, warehouse, as_of=as_of, progress=progress, memory=memory)
        to_read = {account.account_id: memory.lists_to_read(account.account_id, now=as_of) for account in accounts}

        def reading(stream: Stream) -> list[AccountReading]:
            return [account for account in accounts if stream.name in to_read[account.account_id]]

        asks_statistics = stream_names is None or FACETS.name in stream_names
        report = load(
            warehouse,
            [StreamReader(stream, reading(stream)) for stream in streams],
            loaded_at=as_of,
            others=[StatisticsLoader(reading(FACETS), loaded_at=as_of)] if asks_statistics else [],
            policy=policy,
            keeps_payloads=settings.social_warehouse_raw_payloads,
            on_report=record.add_load,
        )
        for difference in report.drift:
            logger.warning("the API differs from the contract: %s", difference)
        for notice in report.notices:
            logger.warning("%s", notice)
        return Extraction(report, tuple(account.account_id for account in accounts), api.budget.request_count)


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
        policy = _agreed_policy(settings, warehouse)
        accounts = _accounts(settings, api, warehouse, as_of=as_of, progress=progress)
        progress.step("read what is new")
        readers = [
            StreamReader(stream, accounts) for stream in _chosen_streams(("topics", "tags", "mentions", "cases"))
        ]
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
        policy = _agreed_policy(settings, warehouse)
        backfill = Backfill(
            warehouse,
            Spool(warehouse.spool_folder, scratch.connect, policy),
            _accounts(settings, api, warehouse, as_of=as_of, progress=progress),
            loaded_at=as_of,
            policy=policy,
            keeps_payloads=settings.social_warehouse_raw_payloads,
        )
        progress.step("count what there is to read")
        try:
            if not is_dry_run:
                backfill.load_what_was_left()
            parts = backfill.plan(wanted)
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
    """

    object_counts: dict[str, int]
    row_counts: dict[str, int]
    text_count: int
    shared_count: int
    traces: tuple[Trace, ...]
    notices: tuple[str, ...]
    is_dry_run: bool

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
        policy = _agreed_policy(settings, warehouse)
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
        publish(settings)
        with warehouse.writer_lock("an erasure", timeout_seconds=LOCK_WAIT_SECONDS):
            publishing.forget_versions(warehouse)
        progress.step("look for what is left")
        traces = tuple(find_traces(warehouse, found.texts))
    return ErasureReport(
        found.object_counts, row_counts, len(found.texts), found.shared_count, traces, tuple(notices), is_dry_run
    )


class NothingToReplay(Exception):
    """The warehouse holds no raw payloads."""


@dataclass(frozen=True)
class ReplayReport:
    """What a replay did: with the payloads, and with the records that had been set aside and can be read now."""

    payloads: RebuildReport
    set_aside: LoadReport | None

    @property
    def read_from_quarantine_counts(self) -> dict[str, int]:
        """Records that had been set aside and have been read, by stream."""
        return self.set_aside.record_counts if self.set_aside else {}

    @property
    def row_counts(self) -> dict[str, int]:
        """Rows written, by table; rows found as they have to be are not written."""
        return dict(+(self.payloads.row_counts + Counter(self.set_aside.row_counts if self.set_aside else {})))

    @property
    def drift(self) -> tuple[str, ...]:
        """How what was read differs from the contracts."""
        of_payloads = map(str, sorted(self.payloads.drift))
        return tuple(dict.fromkeys((*of_payloads, *(self.set_aside.drift if self.set_aside else ()))))

    def as_json(self) -> dict[str, Any]:
        """The report in plain values, for scripts."""
        return {
            "record_counts": dict(self.payloads.record_counts),
            "read_from_quarantine_counts": self.read_from_quarantine_counts,
            "row_counts": self.row_counts,
            "quarantined_count": self.payloads.quarantined_count,
            "drift": list(self.drift),
        }


def replay(
    settings: Settings, *, as_of: datetime | None = None, stream_names: Sequence[str] | None = None
) -> ReplayReport:
    """Makes the normalised tables from the payloads that were kept, and tries again what could not be read.

    Rows that are as the payloads make them stay as they are. Where the tables were dropped, they are made anew, and the
    next sync goes on where the last one was; but statistics have no payloads, and are asked for anew. Payloads hold
    what the personal data policy has left.

    Args:
        settings: the options.
        as_of: the run's clock, UTC; now when not given.
        stream_names: which streams; all when not given.

    Raises:
        SettingsInvalid: an unknown stream, or another personal data policy than the warehouse was made with.
        NothingToReplay: no payloads were kept.
        pipelines.warehouse.WarehouseBusy: another run is going on, or something else writes for long.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
    """
    from pipelines.load import (  # noqa: PLC0415 - see there
        holds_cursors,
        load,
        make_pipeline,
        read_state,
        recover,
        save_cursors,
    )

    streams = [stream for stream in _chosen_streams(stream_names) if stream.name != FACETS.name]
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    warehouse = open_warehouse(settings)
    with recorded(settings, "replay", as_of=as_of) as record, warehouse.run_lock("a replay"):
        with warehouse.connect() as con:
            if not has_payloads(con):
                raise NothingToReplay(_nothing_to_replay(warehouse, settings))
        policy = replace(_agreed_policy(settings, warehouse), is_done=True)
        pipeline = make_pipeline(warehouse)
        has_cursors = holds_cursors(warehouse)
        with warehouse.writer_lock("the start of a replay", timeout_seconds=LOCK_WAIT_SECONDS):
            warehouse.bring_up_to_date()
            if has_cursors:
                recover(pipeline, warehouse)
        payloads = rebuild(warehouse, streams, loaded_at=as_of, policy=policy)
        record.add_counts(payloads.record_counts, payloads.row_counts, payloads.quarantined_count)
        if not has_cursors:  # written last: should the replay be stopped before, a sync reads all that is missing
            with warehouse.writer_lock("a replay", timeout_seconds=LOCK_WAIT_SECONDS):
                save_cursors(pipeline, [stream.name for stream in streams])
        with warehouse.connect() as con:
            objects = objects_set_aside(con)
        state = read_state(pipeline)
        readers = [
            SetAsideReader(stream, warehouse.connect, state.get(stream.name, {}).get("cursors", {}))
            for stream in streams
            # What a record was asked with is not kept where it could not be read.
            if stream.object in objects and not stream.contract.given
        ]
        if not readers:
            return ReplayReport(payloads, None)
        keeps_payloads = settings.social_warehouse_raw_payloads
        set_aside = load(
            warehouse,
            readers,
            loaded_at=as_of,
            policy=policy,
            keeps_payloads=keeps_payloads,
            on_report=record.add_load,
        )
        with warehouse.writing("the end of a replay", timeout_seconds=LOCK_WAIT_SECONDS) as con:
            forget_set_aside(con, [each for reader in readers for each in reader.no_longer_set_aside])
        return ReplayReport(payloads, set_aside)


def _accounts(
    settings: Settings,
    api: SocialConnect,
    warehouse: Warehouse,
    *,
    as_of: datetime,
    progress: Progress,
    memory: Memory = NOTHING_KNOWN,
) -> list[AccountReading]:
    snapshots: dict[str, list[Page]] = {}
    probes = read_probes(warehouse.probes_file)
    return [
        AccountReading(
            api=api,
            account_id=account_id,
            start_date=settings.start_date(as_of),
            now=as_of,
            on_page=lambda stream, page: progress.page(stream.name, page, api.budget.remaining_count),
            snapshots=snapshots,
            known_topic_ids=memory.topic_ids(account_id),
            noted_mentions=lambda account_id, after: _noted_mentions(warehouse, settings, account_id, after),
            honoured=honoured(probes.get(account_id)),
        )
        for account_id in find_account_ids(api, settings, snapshots, memory)
    ]


def _nothing_to_replay(warehouse: Warehouse, settings: Settings) -> str:
    reason = f"{warehouse.file} holds no raw payloads, so there is nothing to replay."
    if settings.social_warehouse_raw_payloads:
        return f"{reason} A sync keeps them: run 'social-warehouse sync'."
    return (
        f"{reason} SOCIAL_WAREHOUSE_RAW_PAYLOADS is false: with true, a sync keeps the payload of each object that it"
        " writes from then on."
    )


def _forget_payloads(warehouse: Warehouse) -> None:
    """Removes payloads of times when they were kept: nothing would replace them when their objects change."""
    if not warehouse.file.exists():
        return
    with warehouse.connect() as con:
        if not has_payloads(con):
            return
    logger.warning("SOCIAL_WAREHOUSE_RAW_PAYLOADS is false: the raw payloads that were kept are removed")
    with warehouse.writing("the start of a sync", timeout_seconds=LOCK_WAIT_SECONDS) as con:
        forget_payloads(con)


def _agreed_policy(settings: Settings, warehouse: Warehouse) -> Policy:
    """The personal data policy of the settings, which is also the one that the warehouse is made with.

    Raises:
        SettingsInvalid: it is another one.
    """
    key = settings.social_warehouse_personal_data_key
    policy = Policy(settings.social_warehouse_personal_data, key.get_secret_value() if key else "")
    made_with = warehouse.policy_file.read_text(encoding="utf-8") if warehouse.policy_file.exists() else ""
    has_begun = warehouse.file.exists() or any(warehouse.dlt_folder.iterdir())
    if has_begun and made_with not in {"", policy.fingerprint}:
        raise SettingsInvalid(_other_policy(warehouse, policy, made_with))
    warehouse.policy_file.write_text(policy.fingerprint, encoding="utf-8")
    return _with_erasures(policy, warehouse)


def _with_erasures(policy: Policy, warehouse: Warehouse) -> Policy:
    if not warehouse.erasure_key_file.exists():
        return policy
    with warehouse.writer_lock("the start of a run", timeout_seconds=LOCK_WAIT_SECONDS):
        return replace(policy, erasures=erasure.read_erasures(warehouse))


def _other_policy(warehouse: Warehouse, policy: Policy, made_with: str) -> str:
    was = made_with if made_with in get_args(Mode) else "hash"
    if was == policy.mode:
        difference = f"SOCIAL_WAREHOUSE_PERSONAL_DATA_KEY is not the key that {warehouse.home} was made with."
    else:
        difference = f"SOCIAL_WAREHOUSE_PERSONAL_DATA is {policy.mode}, but {warehouse.home} was made with {was}."
    return (
        f"{difference} Rows of both would not fit together, and those that nothing reads again would stay as they are."
        " Set it back, or set SOCIAL_WAREHOUSE_HOME to a new folder (docs/personal-data.md)."
    )


def _noted_mentions(
    warehouse: Warehouse, settings: Settings, account_id: str, after: datetime | None
) -> list[tuple[datetime, str]]:
    if not settings.social_connect_context_calls or not warehouse.file.exists():
        return []
    with warehouse.connect() as con:
        return noted_mentions(con, account_id, after, at_most=settings.social_connect_context_calls)


def transform(settings: Settings, *, as_of: datetime | None = None, stop: Stop | None = None) -> TransformReport:
    """Builds and tests the models in the work file.

    Args:
        settings: the options.
        as_of: the instant that ages and open items are reckoned to, UTC; now when not given.
        stop: whether it has been asked to stop; it then ends at once.

    Raises:
        pipelines.api.StopRequested: it has been asked to stop. Nothing was published.
        pipelines.warehouse.WarehouseBusy: another run writes.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
        pipelines.transform.TestsFailed: a data test failed.
        pipelines.transform.TransformFailed: a model failed.
    """
    from pipelines.transform import transform as build  # noqa: PLC0415 - see there

    warehouse = open_warehouse(settings)
    with (
        recorded(settings, "transform", as_of=as_of),
        (stop or Stop()).at_once_in("the transform"),
        warehouse.writer_lock("a transform", timeout_seconds=LOCK_WAIT_SECONDS),
    ):
        with warehouse.connect():
            pass  # says clearly that there is nothing to transform, before dbt makes an empty file
        warehouse.bring_up_to_date()
        with warehouse.connect(read_only=False) as con:  # here, since what is written later would count as untested
            keep_runs(con, warehouse)
            prune_runs(con, datetime.now(UTC) - timedelta(days=settings.social_warehouse_run_history_days))
        report = build(
            warehouse,
            reporting_time_zone=settings.social_warehouse_reporting_time_zone,
            as_of=as_of or datetime.now(UTC),
            rules_folder=settings.social_warehouse_rules,
        )
        warehouse.mark_tested()
        return report


def publish(settings: Settings, *, exports_parquet: bool = False) -> publishing.Version:
    """Publishes a version of the work file's present tables, and where the settings or the caller want it, its export.

    Raises:
        pipelines.warehouse.WarehouseBusy: another run writes.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
        pipelines.warehouse.WarehouseUntested: its data tests have failed, or not run since the last load.
    """
    warehouse = open_warehouse(settings)
    with (
        recorded(settings, "publish") as record,
        warehouse.writer_lock("a publish", timeout_seconds=LOCK_WAIT_SECONDS),
    ):
        with warehouse.connect():
            pass  # says clearly that there is nothing to publish
        warehouse.check_tested()
        version = publishing.publish(
            warehouse,
            now=datetime.now(UTC),
            keep_count=settings.social_warehouse_published_versions,
            exports_parquet=exports_parquet or settings.social_warehouse_parquet,
        )
        record.published_bytes = version.byte_count
        forget_published(warehouse)
        return version


def roll_back(settings: Settings) -> publishing.Version:
    """Publishes the version before the one that is published; it is replaced by the next publish.

    Raises:
        pipelines.warehouse.WarehouseBusy: another run writes.
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet.
        pipelines.publishing.NothingToRollBackTo: no version before the published one is kept.
    """
    warehouse = open_warehouse(settings)
    with (
        recorded(settings, "rollback"),
        warehouse.writer_lock("a rollback", timeout_seconds=LOCK_WAIT_SECONDS),
    ):
        return publishing.roll_back(warehouse)


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


LOCK_WAIT_SECONDS = 60
"""How long a step waits for another run's step to end."""
LONGEST_FRAME_SECONDS = 86_400
"""How long a run that waits for the API's next frame may wait for it."""


def rows_per_table(settings: Settings) -> list[tuple[str, str, int]]:
    """Schema, name and number of rows of each table of the published copy.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet.
    """
    with open_warehouse(settings).connect_published() as con:
        tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
        return [
            (schema, table, int((con.execute(f'FROM {schema}."{table}" SELECT count(*)').fetchone() or (0,))[0]))
            for schema, table in tables
        ]


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of the settings, its folders made."""
    warehouse = Warehouse(settings.social_warehouse_home)
    warehouse.make_folders()
    return warehouse


@contextmanager
def connect(
    settings: Settings,
    *,
    max_requests: int | None = None,
    reserved_count: int = 0,
    stop: Stop | None = None,
    on_request: Callable[[RequestReport], None] | None = None,
) -> Iterator[SocialConnect]:
    """A client for the API of the settings. All that share a home share each token's allowance.

    Args:
        settings: the options.
        max_requests: how many requests it may send.
        reserved_count: how many requests of each token's hourly allowance it leaves to others, at most half of it;
            fewer as the hour goes by.
        stop: whether the run has been asked to stop; no more requests are sent then.
        on_request: is told of each request that was sent.

    Raises:
        SettingsInvalid: there is no token, what it takes to renew tokens is not complete, or the base URL cannot be
            used.
    """
    stop = stop or Stop()
    if not settings.social_connect_access_token:
        raise SettingsInvalid(
            "SOCIAL_CONNECT_ACCESS_TOKEN is not set. It wants an access token, or several separated by commas: set it"
            " in the environment, in .env or in social-warehouse.toml."
        )
    try:
        client = SocialConnect(
            settings.social_connect_base_url,
            settings.social_connect_access_token,
            max_wait_seconds=settings.social_connect_max_wait_seconds,
            max_requests=max_requests,
            reserved_count=reserved_count,
            sleep=stop.wait,
            is_stopped=stop.is_asked,
            shared_folder=settings.social_warehouse_home / "api",
            renewal=_renewal(settings),
            on_request=on_request,
        )
    except ValueError as error:
        raise SettingsInvalid(
            "SOCIAL_CONNECT_BASE_URL or SOCIAL_CONNECT_ACCESS_TOKEN, or SOCIAL_CONNECT_REFRESH_TOKEN, cannot be used:"
            f" {error}"
        ) from None
    with client as api:
        yield api


def _renewal(settings: Settings) -> Renewal | None:
    client_id, client_secret = settings.social_connect_client_id, settings.social_connect_client_secret
    refresh_tokens = settings.social_connect_refresh_token
    if not refresh_tokens:
        return None
    if not client_id or client_secret is None:
        raise SettingsInvalid(
            "SOCIAL_CONNECT_REFRESH_TOKEN is set, but SOCIAL_CONNECT_CLIENT_ID or SOCIAL_CONNECT_CLIENT_SECRET is not."
            " It wants the id and the secret of the application that the tokens were given to."
        )
    return Renewal(client_id, client_secret, refresh_tokens)


def find_account_ids(
    api: SocialConnect,
    settings: Settings,
    snapshots: dict[str, list[Page]] | None = None,
    memory: Memory = NOTHING_KNOWN,
) -> tuple[str, ...]:
    """The accounts to read: those of the settings, or every account the token sees.

    Where `memory` does not know them they are listed, and `snapshots` then has the list.
    """
    if settings.social_connect_account_ids:
        return settings.social_connect_account_ids
    if (known := memory.account_ids()) is not None:
        return known
    accounts = next(stream for stream in STREAMS if stream.name == "accounts")
    path = f"/{accounts.path}"
    pages = list(api.pages(path, {"limit": accounts.page_size or 0}))
    if snapshots is not None:
        snapshots[path] = pages
    return ids_in(pages)


def _chosen_streams(names: Sequence[str] | None) -> list[Stream]:
    known = [*(stream.name for stream in STREAMS), FACETS.name]
    if unknown := set(names or ()) - set(known):
        raise SettingsInvalid(
            f"--streams: {', '.join(sorted(unknown))} unknown. It wants some of {', '.join(known)}, comma between;"
            " reference stands for all lists of reference data."
        )
    return [stream for stream in STREAMS if names is None or stream.name in names]

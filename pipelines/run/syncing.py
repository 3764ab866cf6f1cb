"""A sync: what is new and changed is read and loaded, then the models are made, tested and published."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.keeping import forget_payloads, has_payloads
from pipelines.run.building import publish, transform
from pipelines.run.choosing import REFERENCE, account_readings, chosen_streams
from pipelines.run.opening import LOCK_WAIT_SECONDS, agreed_policy, connect, open_warehouse
from pipelines.run.watching import Progress, Silent
from pipelines.run_history import recorded
from pipelines.settings import Settings, SettingsInvalid
from pipelines.source import AccountReading, Memory, Stream, StreamReader
from pipelines.source.memory import NOTHING_KNOWN
from pipelines.source.streams import FACETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.load import LoadReport
    from pipelines.stopping import Stop
    from pipelines.transform import TransformReport
    from pipelines.warehouse import Warehouse

logger = logging.getLogger(__name__)


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
    streams = chosen_streams(stream_names)
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
        policy = agreed_policy(settings, warehouse)
        if not settings.social_warehouse_raw_payloads:
            _forget_payloads(warehouse)
        progress.step("read and load")
        # Streams that are named are read anew, with all that reading them rests on.
        memory = Memory(recovered_state(warehouse)) if stream_names is None else NOTHING_KNOWN
        accounts = account_readings(settings, api, warehouse, as_of=as_of, progress=progress, memory=memory)
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

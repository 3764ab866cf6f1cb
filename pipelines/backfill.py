"""Reads what was added in a span of the past, newest first, beside the syncs that go on.

A window after another is read, page by page into a spool (`pipelines.source.spool`), then loaded as a whole; its span
is committed with its rows. The loader is held while a window is loaded, never while the API is read. A run that is
stopped loads what it has; of one that is killed, the next loads what was spooled. Either way the part of the window
that was read is told as backfilled, and the rest is planned anew.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.api import NotSent, SocialConnectError
from pipelines.load import LOCK_WAIT_SECONDS, expected_state, load, make_pipeline, read_state, recovered_state
from pipelines.source import INBOX, ReadingFailed
from pipelines.source.backfill_plan import Counted, counted, missing, planned
from pipelines.source.reading import Batch, Reader, is_refusal
from pipelines.source.spool import Spool, SpooledWindow, SpoolReader
from pipelines.source.statistics import StatisticsLoader, midnight
from pipelines.source.windows import Cursor, Window
from transforms.statistics import Asked, Definition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pipelines.load import LoadReport
    from pipelines.source import AccountReading, Stream
    from pipelines.warehouse import Warehouse
    from transforms.personal_data import Policy

logger = logging.getLogger(__name__)

HOLDER = "a backfill that loads"
ONE_DAY = timedelta(days=1)
MOST_HOURLY_DAYS = 92
"""Days that are counted by the hour, as many as one call may give; longer spans by the day."""
MOST_DAYS = 2_200
"""Days that one call may count."""
LISTED_ROWS = 5_000
"""Rows after which a list is left for a new one that begins at the last row: the API ends a list at some depth."""
HOURLY_CALLS = 350
"""What the API allows a user, where it has not said."""


class Part(NamedTuple):
    """A window of one account's list that is to be read."""

    account: AccountReading
    stream: Stream
    counted: Counted

    @property
    def call_count(self) -> int:
        """How many calls its pages take."""
        return self.counted.call_count(self.stream.page_size or 1)


@dataclass(frozen=True)
class Estimate:
    """What a backfill will take: rows and calls as the API counts, and hours at what it allows."""

    row_counts: dict[str, int]
    call_count: int
    hour_count: float

    @property
    def row_count(self) -> int:
        """Rows of all streams."""
        return sum(self.row_counts.values())


@dataclass
class Outcome:
    """What a backfill did: windows planned and read, and what was loaded, what an earlier run had left included."""

    planned_count: int = 0
    read_count: int = 0
    record_counts: Counter[str] = field(default_factory=Counter)
    page_counts: Counter[str] = field(default_factory=Counter)
    row_counts: Counter[str] = field(default_factory=Counter)
    quarantined_count: int = 0
    drift: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)
    stopped_by: NotSent | None = None

    def add(self, report: LoadReport) -> None:
        """Adds what a load did."""
        self.record_counts += Counter(report.record_counts)
        self.page_counts += Counter(report.page_counts)
        self.row_counts += Counter(report.row_counts)
        self.quarantined_count += report.quarantined_count
        self.drift |= set(report.drift)
        self.notices += report.notices


class Backfill:
    """A backfill of some accounts.

    Args:
        warehouse: what is loaded into. The caller holds its backfill lock.
        spool: where pages are kept until they are loaded.
        accounts: what is read.
        loaded_at: start of the run, UTC.
        policy: what becomes of personal data.
        keeps_payloads: whether raw payloads are kept.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        spool: Spool,
        accounts: Sequence[AccountReading],
        *,
        loaded_at: datetime,
        policy: Policy,
        keeps_payloads: bool,
    ) -> None:
        self.outcome = Outcome()
        self._warehouse = warehouse
        self._spool = spool
        self._accounts = accounts
        self._loaded_at = loaded_at
        self._policy = policy
        self._keeps_payloads = keeps_payloads

    def load_what_was_left(self) -> None:
        """Loads what an earlier run has read and was kept from loading."""
        window = self._spool.window
        if window is not None:
            logger.warning("a backfill was stopped before it had loaded what it had read: that is loaded now")
            self._load_spooled(window, is_whole=False)

    def plan(self, wanted: Window, *, is_dry_run: bool = False) -> list[Part]:
        """The windows that are to be read, newest first: what of the span no backfill has read yet.

        The work file has the last word on that, so what a killed run left, or a file that was put back, is made good
        before. A dry run, which waits for no sync, changes nothing: it takes a file that is behind for an empty one.

        Raises:
            pipelines.api.SocialConnectError: the API cannot be read.
            pipelines.warehouse.WarehouseBusy: something else writes for long.
        """
        state = expected_state(self._warehouse, "the plan of a backfill") if is_dry_run else self._recovered_state()
        parts = []
        for account in self._accounts:
            if not account.topic_ids():
                self._notice(f"account {account.account_id} has no topics: nothing to read")
                continue
            for stream in INBOX:
                kept = state.get(stream.name, {}).get("cursors", {}).get(account.account_id, {})
                for span in missing(wanted, Cursor.from_state(kept).backfilled):
                    parts += [Part(account, stream, each) for each in planned(self._counted(account, stream, span))]
        self.outcome.planned_count = len(parts)
        return sorted(parts, key=lambda part: part.counted.window.end, reverse=True)

    def _recovered_state(self) -> dict[str, dict[str, Any]]:
        with self._warehouse.loader_lock(HOLDER):
            return recovered_state(self._warehouse, "the plan of a backfill", lock_wait_seconds=LOCK_WAIT_SECONDS)

    def run(self, parts: Sequence[Part]) -> None:
        """Reads and loads windows.

        Raises:
            pipelines.api.SocialConnectError: the API cannot be read. What was read is loaded.
            pipelines.source.ReadingFailed: the API does not keep what reading it rests on. As above.
            pipelines.warehouse.WarehouseBusy: something else writes for long. What was read is kept for the next run.
        """
        if not parts:
            return
        self._look_for_changes_since(parts)
        refused: set[tuple[str, str]] = set()
        for part in parts:
            account, stream = part.account, part.stream
            if (account.account_id, stream.name) in refused:
                continue
            window = SpooledWindow(
                stream.name, account.account_id, part.counted.window.start, part.counted.window.end, self._loaded_at
            )
            self._spool.begin(window)
            stop: Exception | None = None
            try:
                self._read(account, window)
            except (SocialConnectError, ReadingFailed) as error:
                stop = error
            self._load_spooled(window, is_whole=stop is None)
            if stop is None:
                self.outcome.read_count += 1
            elif isinstance(stop, NotSent):
                self.outcome.stopped_by = stop
                return
            elif is_refusal(stop) and not stream.is_needed:
                self._notice(f"{stream.name} of account {account.account_id} skipped: {stop}")
                refused.add((account.account_id, stream.name))
            else:
                raise stop

    def _counted(self, account: AccountReading, stream: Stream, span: Window) -> list[Counted]:
        """How many rows the API counts in a span, by hour or day; as a whole where it gives no statistics."""
        grouping = "hour" if span.end - span.start <= MOST_HOURLY_DAYS * ONE_DAY else "day"
        definition = Definition.model_validate(
            {
                "name": f"{stream.name}_added",
                "counts": "rows",
                "unit": "rows",
                "grouping": grouping,
                "type": stream.name,
            }
        )
        statistics = StatisticsLoader([account], loaded_at=account.now, asked=[definition])
        counts: dict[datetime, int] = {}
        start = midnight(span.start) - ONE_DAY
        while start < span.end:
            end = min(start + MOST_DAYS * ONE_DAY, span.end)
            asked = Asked(account.account_id, tuple(account.topic_ids()), start, end, end)
            numbers = statistics.numbers(account, asked).dropna(subset=["value"])
            counts |= {
                at.to_pydatetime(): int(value)
                for at, value in zip(numbers["bucket_start_at"], numbers["value"], strict=True)
            }
            start = end
        if not statistics.notices:
            return counted(span, counts)
        logger.warning("%s; %s are counted by their list instead", "; ".join(statistics.notices), stream.name)
        pages = account.added_in(replace(stream, page_size=1), span)
        return [Counted(span, next(pages).count or 0)]

    def _look_for_changes_since(self, parts: Sequence[Part]) -> None:
        """Makes the syncs look for changes as far back as will be read, from now on.

        A row that changes after it was read here, and before it is loaded, is so read again by them.
        """
        starts: dict[Stream, dict[str, datetime]] = {}
        for part in parts:
            of_stream = starts.setdefault(part.stream, {})
            start = part.counted.window.start
            of_stream[part.account.account_id] = min(start, of_stream.get(part.account.account_id, start))
        beginnings = [_Beginning(stream, of_stream, self._loaded_at) for stream, of_stream in starts.items()]
        state = read_state(make_pipeline(self._warehouse))
        if any(each.cursors(state.get(each.name, {}).get("cursors", {})) for each in beginnings):
            self._load(beginnings)

    def _read(self, account: AccountReading, window: SpooledWindow) -> None:
        """Spools every page of a window."""
        start = window.start
        is_read = False
        while not is_read:
            read_through, row_count = start, 0
            for page in account.added_in(window.stream, Window(start, window.end)):
                spooled = self._spool.add(window, page, is_in_order=account.honoured.lists_in_order)
                read_through = max(spooled.read_through, read_through)
                row_count += len(page.records)
                if row_count >= LISTED_ROWS and read_through > start and not page.is_last:
                    break
            else:
                is_read = True
            start = read_through

    def _load_spooled(self, window: SpooledWindow, *, is_whole: bool) -> None:
        pages = self._spool.pages()
        if pages:
            work_file = self._warehouse.file
            connect = self._warehouse.connect if work_file.exists() else None
            self._load([SpoolReader(window, pages, connect, is_whole=is_whole)], loaded_at=window.loaded_at)
        self._spool.clear()

    def _load(self, readers: Sequence[Reader], *, loaded_at: datetime | None = None) -> None:
        with self._warehouse.loader_lock(HOLDER):
            self.outcome.add(
                load(
                    self._warehouse,
                    readers,
                    loaded_at=loaded_at or self._loaded_at,
                    policy=replace(self._policy, is_done=True),
                    keeps_payloads=self._keeps_payloads,
                    lock_wait_seconds=LOCK_WAIT_SECONDS,
                )
            )

    def _notice(self, notice: str) -> None:
        logger.warning("%s", notice)
        self.outcome.notices.append(notice)


class _Beginning(Reader):
    """Gives no rows, only the cursors with which syncs look for changes from some times on."""

    def __init__(self, stream: Stream, starts: dict[str, datetime], now: datetime) -> None:
        super().__init__(stream)
        self._starts = starts
        self._now = now

    def cursors(self, state: dict[str, Any]) -> dict[str, Cursor]:
        """By account, the cursors that are not so yet."""
        found = {}
        for account_id, start in self._starts.items():
            before = Cursor.from_state(state.get(account_id, {}))
            cursor = replace(
                before,
                backfilled_from=min(start, before.backfilled_from or start),
                # Where no sync has been, the first shall look for what changes from now on.
                acted_through=before.acted_through or self._now,
            )
            if cursor != before:
                found[account_id] = cursor
        return found

    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:
        for account_id, cursor in self.cursors(state).items():
            yield Batch(account_id, (), "$.response", 0, cursor)


def estimate(parts: Sequence[Part], *, hourly_count: float | None) -> Estimate:
    """What reading some windows will take.

    Args:
        parts: the windows.
        hourly_count: calls that may be sent in an hour; None where the API has not said.
    """
    row_counts: Counter[str] = Counter({stream.name: 0 for stream in INBOX})
    for part in parts:
        row_counts[part.stream.name] += part.counted.row_count
    call_count = sum(part.call_count for part in parts)
    return Estimate(dict(row_counts), call_count, round(call_count / (hourly_count or HOURLY_CALLS), 1))

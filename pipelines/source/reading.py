"""Reads the streams' lists page by page and hands them on in batches, each with the cursor it has earned."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipelines.api import SocialConnectError
from pipelines.source.streams import STREAMS, Reading
from pipelines.source.windows import Cursor, Window, added_at, changes_end_at, last_action_at, later, new_rows_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from pipelines.api import Page, SocialConnect
    from pipelines.source.streams import Stream

logger = logging.getLogger(__name__)

NEW_ROWS = "dateadd:asc"
CHANGED_ROWS = "timestamps.action_last_date:desc"


class ReadingFailed(Exception):
    """A list cannot be read without a gap: the API does not do what reading it rests on."""


@dataclass(frozen=True)
class Batch:
    """Some pages of one stream and account, and the cursor that holds once their rows are in the warehouse."""

    account_id: str
    bodies: tuple[bytes, ...]
    records_path: str
    record_count: int
    cursor: Cursor


@dataclass
class AccountReading:
    """What is read of one account in one run."""

    api: SocialConnect
    account_id: str
    start_date: datetime
    now: datetime
    on_page: Callable[[Stream, Page], None] = lambda _stream, _page: None
    snapshots: dict[str, list[Page]] = field(default_factory=dict)

    def steps(self, stream: Stream, cursor: Cursor) -> Iterator[tuple[Page, Cursor]]:
        """Pages of a stream, each with the cursor that holds once it and all before it are in the warehouse."""
        if stream.reading is Reading.SNAPSHOT:
            return ((page, cursor) for page in self.snapshot(stream))
        return self._inbox(stream, cursor)

    def snapshot(self, stream: Stream) -> list[Page]:
        """All pages of a list that is read whole; read once per run, whoever asks."""
        if stream.name not in self.snapshots:
            self.snapshots[stream.name] = list(self._pages(stream, {}))
        return self.snapshots[stream.name]

    def topic_ids(self) -> list[str]:
        """Every topic of the account. The API takes an empty list as the user's own selection, not as all topics."""
        topics = next(stream for stream in STREAMS if stream.name == "topics")
        return [
            str(topic["id"])
            for page in self.snapshot(topics)
            for topic in page.records
            if isinstance(topic, dict) and "id" in topic
        ]

    def _pages(self, stream: Stream, parameters: dict[str, str]) -> Iterator[Page]:
        path = "/" + stream.path.format(account_id=self.account_id)
        for page in self.api.pages(path, {"limit": stream.page_size, **parameters}):
            self.on_page(stream, page)
            yield page

    def _inbox(self, stream: Stream, cursor: Cursor) -> Iterator[tuple[Page, Cursor]]:
        topic_ids = self.topic_ids()
        if not topic_ids:
            logger.warning("account %s has no topics: nothing of %s to read", self.account_id, stream.name)
            return
        topics = {"topic_ids": ",".join(topic_ids)}
        stop_at = changes_end_at(cursor)
        # Until a first pass over the changes has shown the API's time of the last action, the start of the run stands
        # in for it.
        history_from = min(cursor.history_from or self.start_date, self.start_date)
        cursor = replace(cursor, history_from=history_from, acted_through=cursor.acted_through or self.now)
        window = new_rows_window(cursor, start_date=history_from, now=self.now)
        if window.start > window.end:
            logger.warning("account %s has been read beyond %s already", self.account_id, self.now.isoformat())
            return
        for page in self._new_rows(stream, window, topics):
            read_through = later(cursor.added_through, map(added_at, page.records), not_after=self.now)
            cursor = replace(cursor, added_through=read_through)
            yield page, cursor
        if stop_at is not None:
            history = Window(history_from, window.end)
            yield from self._earning_acted_through(self._changed_rows(stream, history, topics, stop_at), cursor)

    def _new_rows(self, stream: Stream, window: Window, topics: dict[str, str]) -> Iterator[Page]:
        """Rows of a window by date added, oldest first.

        The list begins anew at the last row where the API's depth cap ends it, where a page inside it is empty, and
        where its count has fallen: rows have gone, so the pages, which are offsets, have moved past others.
        """
        while True:
            page_count, is_truncated, read_through, count = 0, False, window.start, None
            for page in self._pages(stream, {"sort": NEW_ROWS, **topics, **window.as_parameters()}):
                is_truncated = (_has_fallen(count, page.count) or _has_gap(page)) and read_through > window.start
                if is_truncated:
                    break
                times = [time for time in map(added_at, page.records) if time is not None]
                if times != sorted(times) or (times and times[0] < read_through and page_count):
                    raise ReadingFailed(self._order_complaint(stream, NEW_ROWS))
                page_count, is_truncated, read_through = page_count + 1, page.is_truncated, max([read_through, *times])
                count = page.count
                yield page
            if not is_truncated:
                return
            if read_through > window.start:
                window = replace(window, start=read_through)
            elif page_count > 1:
                raise ReadingFailed(self._depth_complaint(stream, read_through))
            else:
                logger.warning(
                    "account %s: the API counts more %s added from %s on than it lists",
                    self.account_id,
                    stream.name,
                    read_through.isoformat(),
                )
                return

    def _changed_rows(
        self, stream: Stream, window: Window, topics: dict[str, str], stop_at: datetime
    ) -> Iterator[Page]:
        """Rows acted on since `stop_at`, latest first, to the first that is older.

        Where the depth cap comes before that, each half of the window; where the count has fallen, all of it again.
        """
        is_truncated, count = False, None
        for page in self._pages(stream, {"sort": CHANGED_ROWS, **topics, **window.as_parameters()}):
            if _has_fallen(count, page.count):
                yield from self._changed_rows(stream, window, topics, stop_at)
                return
            count = page.count
            times = [time for time in map(last_action_at, page.records) if time is not None]
            if times != sorted(times, reverse=True):
                raise ReadingFailed(self._order_complaint(stream, CHANGED_ROWS))
            if page.records and not any(time >= stop_at for time in times):
                return
            yield page
            if times and times[-1] < stop_at:
                return
            is_truncated = page.is_truncated
        if not is_truncated:
            return
        if (halves := window.halves()) is None:
            raise ReadingFailed(self._depth_complaint(stream, window.start))
        for half in halves:
            yield from self._changed_rows(stream, half, topics, stop_at)

    def _earning_acted_through(self, pages: Iterator[Page], cursor: Cursor) -> Iterator[tuple[Page, Cursor]]:
        """Backwards reading has seen everything only at its end, so only the last page earns the new cursor.

        A page without rows inside the list may hide some; then none earns it, and the next run reads them again.
        """
        acted_through = cursor.acted_through
        has_gap = False
        last: Page | None = None
        for page in pages:
            if last is not None:
                yield last, cursor
            last = page
            has_gap = has_gap or _has_gap(page)
            acted_through = later(acted_through, map(last_action_at, page.records), not_after=self.now)
        if last is not None:
            yield last, cursor if has_gap else replace(cursor, acted_through=acted_through)

    def _depth_complaint(self, stream: Stream, second: datetime) -> str:
        return (
            f"account {self.account_id}: more {stream.name} were added in the second {second.isoformat()} than the API"
            " lists, so some cannot be read. Ask the vendor to raise the list's depth for this account."
        )

    def _order_complaint(self, stream: Stream, sort: str) -> str:
        return (
            f"account {self.account_id}: the API lists {stream.name} in another order than sort={sort} asks for, so"
            " rows could be missed. This page and those after it were not kept. Report it with the output of"
            " 'social-warehouse check'."
        )


def _has_gap(page: Page) -> bool:
    return not page.records and not page.is_last


def _has_fallen(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now < before


class StreamReader:
    """One stream over all accounts, read batch by batch.

    `stopped_by` says why the reading ended early, when it did: the request budget is used up, or the API cannot be
    read. What was read until then has been given.
    """

    def __init__(self, stream: Stream, accounts: Sequence[AccountReading], *, batch_pages: int) -> None:
        self.stream = stream
        self.stopped_by: SocialConnectError | ReadingFailed | None = None
        self.is_done = False
        self.record_count = 0
        self.page_count = 0
        self._accounts = accounts
        self._batch_pages = batch_pages
        self._batches: Iterator[Batch] | None = None

    def next_batch(self, state: dict[str, Any]) -> Batch | None:
        """The next batch, or None when all is read that can be.

        Args:
            state: cursors by account id as the loader keeps them; read when the reading starts.
        """
        if self._batches is None:
            cursors = {
                account.account_id: Cursor.from_state(state.get(account.account_id, {})) for account in self._accounts
            }
            self._batches = self._read(cursors)
        batch = next(self._batches, None)
        if batch is None:
            self.is_done = True
            return None
        self.record_count += batch.record_count
        self.page_count += len(batch.bodies)
        return batch

    def _read(self, cursors: dict[str, Cursor]) -> Iterator[Batch]:
        for account in self._accounts:
            batch: Batch | None = None
            try:
                for page, earned in account.steps(self.stream, cursors[account.account_id]):
                    batch = _with_page(batch, account.account_id, page, earned)
                    if len(batch.bodies) == self._batch_pages:
                        yield batch
                        batch = None
            except (SocialConnectError, ReadingFailed) as stop:
                self.stopped_by = stop
            if batch:
                yield batch
            if self.stopped_by:
                return


def _with_page(batch: Batch | None, account_id: str, page: Page, cursor: Cursor) -> Batch:
    """The batch grown by a page, of which only the text is kept, in UTF-8.

    Parsed records take several times its memory, and so does a Python text with an emoji in it.
    """
    before = batch or Batch(account_id, (), page.records_path, 0, cursor)
    return replace(
        before,
        bodies=(*before.bodies, page.body.encode()),
        record_count=before.record_count + len(page.records),
        cursor=cursor,
    )

"""Reads the streams' lists page by page and hands them on in batches, each with the cursor it has earned."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pipelines.api import ApiError, BudgetUsedUp, NotFound, Page, PermissionDenied, SocialConnectError
from pipelines.source.streams import STREAMS, Reading
from pipelines.source.windows import (
    ONE_SECOND,
    OVERLAP,
    OVERLAP_ROWS,
    TRAIL,
    Cursor,
    Window,
    added_at,
    changes_end_at,
    last_action_at,
    later,
    new_rows_window,
    read_time,
    recent_from,
    trailing_window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pipelines.api import SocialConnect
    from pipelines.source.streams import Stream
    from transforms.drift import Drift

    NotedMentions = Callable[[str, datetime | None], Iterable[tuple[datetime, str]]]

logger = logging.getLogger(__name__)

NEW_ROWS = "dateadd:asc"
CHANGED_ROWS = "timestamps.action_last_date:desc"
UPDATED_ROWS = "lastupdate:asc"
# Without dates the API gives the last four weeks.
_ALL_TIMES = {"date_from": "1970-01-01T00:00:00+00:00", "date_to": "2100-01-01T00:00:00+00:00"}

_MOST_READINGS = 3
"""How often a list is read in a run while rows of it go between its pages."""
_PAGES_WORTH_A_NOTICE = 2
"""How many pages are read again in the next sync without a word; it reads one again in any case."""
_MOST_REFUSALS = 5
"""Of so many mentions one after another the notes are asked for before none of any is taken to be given."""

BATCH_PAGES, BATCH_BYTES = 20, 6_000_000
"""After which a batch is full and flattened at once: enough for the vectorised engine, little enough for memory."""


class ReadingFailed(Exception):
    """A list cannot be read without a gap: the API does not do what reading it rests on."""


@dataclass(frozen=True)
class Honoured:
    """What of its parameters the API honours on an account, as far as the reading of its inbox rests on it.

    `lists_in_order`: whether new rows come by date added. `finds_changes`: how changed rows are found: by the order of
    their last action, by a filter for its age, or by reading the rows of the trailing window again.
    """

    lists_in_order: bool = True
    finds_changes: Literal["by_order", "by_filter", "by_reading_again"] = "by_order"


class Step(NamedTuple):
    """A page, the cursor that holds once it and all before it are in the warehouse, and what was known beforehand.

    `notice` says what of the list was left out, and why.
    """

    page: Page
    cursor: Cursor
    given: Mapping[str, str] = MappingProxyType({})
    notice: str | None = None


@dataclass(frozen=True)
class Batch:
    """Some pages of one stream and account, and the cursor that holds once their rows are in the warehouse.

    `given`: values of the contract's given columns, for all of them. `unreadable` and `drift`: what an earlier look at
    these records has found, which the bodies do not show; text and reason of each.
    """

    account_id: str
    bodies: tuple[bytes, ...]
    records_path: str
    record_count: int
    cursor: Cursor
    given: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[tuple[str, str], ...] = ()
    drift: frozenset[Drift] = frozenset()

    @property
    def byte_count(self) -> int:
        """How much JSON it is."""
        return sum(map(len, self.bodies))

    def is_full(self, most_pages: int) -> bool:
        """Whether it has so many pages, or is as big as a batch may be."""
        return len(self.bodies) >= most_pages or self.byte_count >= BATCH_BYTES


@dataclass
class AccountReading:
    """What is read of one account in one run.

    `snapshots` are lists that were read whole, by path; accounts of one token may share it. `known_topic_ids`
    are the topics as last listed; where they are not known, they are asked for. `topics_are_accepted`: a list of them
    has been given in this run. `noted_mentions` chooses the mentions
    whose notes are read.
    """

    api: SocialConnect
    account_id: str
    start_date: datetime
    now: datetime
    on_page: Callable[[Stream, Page], None] = lambda _stream, _page: None
    snapshots: dict[str, list[Page]] = field(default_factory=dict)
    known_topic_ids: Sequence[str] | None = None
    topics_are_accepted: bool = False
    noted_mentions: NotedMentions = lambda _account_id, _after: ()
    honoured: Honoured = Honoured()

    def steps(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:  # noqa: PLR0911 - a list of ways
        """Pages of a stream, each with the cursor that holds once it and all before it are in the warehouse.

        There are none when a run as of a later time has read the list whole.
        """
        is_whole = stream.reading not in {Reading.INBOX, Reading.NOTES}
        if is_whole and cursor.read_at is not None and self.now < cursor.read_at:
            logger.warning(
                "%s of account %s have been read as of %s, later than this run: they are left as they are until then."
                " If no run was made with --as-of, this machine's clock was or is wrong.",
                stream.name,
                self.account_id,
                cursor.read_at.isoformat(),
            )
            return iter(())
        match stream.reading:
            case Reading.SNAPSHOT:
                return self._whole(stream, cursor)
            case Reading.INBOX:
                return self._inbox(stream, cursor)
            case Reading.UPDATED:
                return self._updated(stream, cursor)
            case Reading.LOG:
                return self._log(stream, cursor)
            case Reading.TRAILING:
                return self._trailing(stream, cursor)
            case Reading.NOTES:
                return self._notes(stream, cursor)

    def snapshot(self, stream: Stream) -> list[Page]:
        """All pages of a list that is read whole; read once per run, whoever asks.

        Pages are offsets: where rows went while they were read, others were passed over, and the list is read anew.
        """
        path = self._path(stream)
        if path not in self.snapshots:
            for _ in range(_MOST_READINGS):
                pages = list(self._pages(stream, {}))
                if not _have_moved(pages):
                    break
            self.snapshots[path] = pages
        return self.snapshots[path]

    def topic_ids(self) -> list[str]:
        """Every topic of the account: as this run has read them, else as they are known.

        The API takes an empty list as the user's own selection, not as all topics. A list of them that was cut short
        says which are there, not which are gone.
        """
        topics = next(stream for stream in STREAMS if stream.name == "topics")
        known = list(self.known_topic_ids or ())
        if self.known_topic_ids is not None and self._path(topics) not in self.snapshots:
            return known
        pages = self.snapshot(topics)
        listed = ids_in(pages)
        return list(dict.fromkeys([*known, *listed] if _is_cut_short(pages) else listed))

    def added_in(self, stream: Stream, window: Window) -> Iterator[Page]:
        """Every page of the inbox's rows that were added in a window, whenever they were read before.

        Oldest first, where the API lists in order.
        """
        topics = {"topic_ids": ",".join(self.topic_ids())}
        pages = (self._new_rows if self.honoured.lists_in_order else self._window)(stream, window, topics)
        yield from (page for page in pages if page.body)

    def _with_history(self, cursor: Cursor) -> tuple[Cursor, datetime]:
        """The cursor, and how far back its list has ever been asked for: a start date may move on with the clock."""
        history_from = min(cursor.history_from or self.start_date, self.start_date)
        return replace(cursor, history_from=history_from), history_from

    def _path(self, stream: Stream) -> str:
        return "/" + stream.path.format(account_id=self.account_id)

    def _pages(self, stream: Stream, parameters: dict[str, str]) -> Iterator[Page]:
        """The pages of a list; where the API refuses to list more of it, an empty one ends it as cut short."""
        limit = {"limit": stream.page_size} if stream.page_size else {}
        is_begun = False
        try:
            for page in self.api.pages(self._path(stream), {**limit, **parameters}):
                is_begun = True
                self.on_page(stream, page)
                yield page
        except ApiError as error:
            if error.error_id != "limit_exceeded" or not is_begun:
                raise
            yield _no_page(is_truncated=True)

    def _whole(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        """The whole list: what is not in it is gone. One that was cut short shows no more than what is there."""
        pages = self.snapshot(stream)
        if _is_cut_short(pages):
            last = replace(cursor, cut_short_at=self.now)
        else:
            ids = ids_in(pages) if stream.keeps_ids else None
            last = replace(cursor, read_at=self.now, ids=ids, refused_at=None, cut_short_at=None)
        for page in pages[:-1]:
            yield Step(page, cursor)
        yield Step(pages[-1], last, notice=self._cut_short_notice(stream, pages) if _is_cut_short(pages) else None)

    def _updated(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        """Rows updated since the cursor, oldest first.

        Pages are offsets, and a row that is updated while they are read moves to the end, so that those after it move
        up by one. So the list begins anew after each page, at the second before the page's last update.
        """
        cursor, history_from = self._with_history(cursor)
        since = cursor.updated_through - OVERLAP if cursor.updated_through else history_from
        while True:
            is_last = True
            for page in self._pages(stream, {"sort": UPDATED_ROWS, "updated_since": since.isoformat()}):
                times = [time for record in page.records if (time := read_time(record, stream.time_path)) is not None]
                if times != sorted(times):
                    raise ReadingFailed(self._order_complaint(stream, UPDATED_ROWS))
                is_last = page.is_last and not page.is_truncated
                cursor = replace(
                    cursor,
                    updated_through=later(cursor.updated_through, times, not_after=self.now),
                    read_at=self.now if is_last else cursor.read_at,
                )
                yield Step(page, cursor)
                if not is_last and times and times[-1] - ONE_SECOND > since:
                    since = times[-1] - ONE_SECOND
                    break
            else:
                if not is_last:
                    raise ReadingFailed(self._depth_complaint(stream, since))
            if is_last:
                return

    def _log(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        """Rows of a window in whatever order; the API does not say which."""
        cursor, history_from = self._with_history(cursor)
        window = new_rows_window(cursor, start_date=history_from, now=self.now)
        if window.start > window.end:
            return
        yield from self._in_any_order(stream, window, {}, cursor, replace(cursor, read_at=self.now), stream.time_path)

    def _trailing(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        cursor, history_from = self._with_history(cursor)
        window = trailing_window(cursor, start_date=history_from, now=self.now)
        topic_ids = self.topic_ids()
        if not topic_ids:
            return
        last: Page | None = None
        for page in self._window(stream, window, {"topic_ids": ",".join(topic_ids)}):
            if last is not None:
                yield Step(last, cursor)
            last = page
        if last is not None:
            yield Step(
                last,
                replace(cursor, added_through=max(self.now, cursor.added_through or self.now), read_at=self.now),
            )

    def _notes(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        """The notes on mentions that have got one since the cursor, the longest waiting first.

        Several may have got theirs in one second: only the last of them earns it. A mention that is gone, or refused
        while others are not, earns it too, or it would keep those behind it waiting for ever.
        """
        refusals: list[PermissionDenied] = []
        is_answered = False
        noted = list(self.noted_mentions(self.account_id, cursor.acted_through))
        for place, (noted_at, unique_id) in enumerate(noted, 1):
            topic_id, _, mention_id = unique_id.partition("_")
            path = "/" + stream.path.format(account_id=self.account_id, topic_id=topic_id, mention_id=mention_id)
            is_last_of_second = place == len(noted) or noted[place][0] > noted_at
            earned = replace(cursor, acted_through=noted_at) if is_last_of_second else cursor
            try:
                for page in self.api.pages(path, {"context_type": "notes"} | _ALL_TIMES):
                    self.on_page(stream, page)
                    is_answered = True
                    yield Step(page, earned if page.is_last else cursor, {"unique_id": unique_id})
            except NotFound:
                is_answered = True
                logger.warning("mention %s is gone, and the notes on it", unique_id)
                yield Step(_no_page(), earned, {"unique_id": unique_id})
            except PermissionDenied as refusal:
                refusals.append(refusal)
                if not is_answered and len(refusals) == _MOST_REFUSALS:
                    raise
                logger.warning(
                    "the notes on mention %s are left out unless it gets another. %s", unique_id, str(refusal)
                )
                if is_answered:
                    yield Step(_no_page(), earned, {"unique_id": unique_id})
            cursor = earned if is_answered else cursor
        if refusals and not is_answered:
            raise refusals[0]

    def _window(self, stream: Stream, window: Window, parameters: dict[str, str]) -> Iterator[Page]:
        """All rows of a window; each half of it where the depth cap ends the list, or rows went while it was read.

        Those of a half are fewer, so they are read while less happens.
        """
        halves = window.halves()
        is_short, count = False, None
        for page in self._pages(stream, parameters | window.as_parameters()):
            is_short = (_has_fallen(count, page.count) or _has_gap(page)) and halves is not None
            if is_short:
                break
            is_short, count = page.is_truncated, page.count
            yield page
        if not is_short:
            return
        if halves is None:
            raise ReadingFailed(self._depth_complaint(stream, window.start))
        for half in halves:
            yield from self._window(stream, half, parameters)

    def _inbox(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        """New rows, then changed ones, then what new topics had before.

        The API refuses a list of which a topic has been removed: then the topics are listed anew, and all is read so.
        """
        try:
            for step in self._inbox_as_known(stream, cursor):
                self.topics_are_accepted = True
                yield step
        except PermissionDenied:
            if self.topics_are_accepted or self.known_topic_ids is None:
                raise
            known, self.known_topic_ids = set(self.known_topic_ids), None
            if known <= set(self.topic_ids()):
                raise
            yield from self._inbox_as_known(stream, cursor)

    def _inbox_as_known(self, stream: Stream, cursor: Cursor) -> Iterator[Step]:
        topic_ids = self.topic_ids()
        if not topic_ids:
            logger.warning("account %s has no topics: nothing of %s to read", self.account_id, stream.name)
            return
        topics = {"topic_ids": ",".join(topic_ids)}
        stop_at = changes_end_at(cursor)
        # Until a first pass over the changes has shown the API's time of the last action, the start of the run stands
        # in for it.
        cursor, history_from = self._with_history(cursor)
        cursor = replace(cursor, acted_through=cursor.acted_through or self.now, read_at=self.now)
        window = new_rows_window(cursor, start_date=history_from, now=self.now)
        if window.start > window.end:
            logger.warning("account %s has been read beyond %s already", self.account_id, self.now.isoformat())
            return
        cursor = _with_topics(cursor, topic_ids, Window(history_from, window.start))
        seen_through: datetime | None = None
        is_short = False
        for step in self._added(stream, window, topics, cursor):
            cursor, is_short = step.cursor, step.page.is_truncated
            yield step
            seen_through = seen_through or _shown_through(step.page, window)
        if stop_at is not None:
            whole = None if is_short else seen_through
            history = Window(min(history_from, cursor.backfilled_from or history_from), window.end)
            changed = self._changes(stream, history, topics, stop_at)
            for step in self._earning_acted_through(stream, changed, cursor, stop_at, seen_through=whole):
                cursor = step.cursor
                yield step
        if cursor.joining is not None:
            yield from self._history_of_new_topics(stream, cursor, cursor.joining)

    def _history_of_new_topics(self, stream: Stream, cursor: Cursor, joining: Window) -> Iterator[Step]:
        """What the new topics had before the inbox was read of them.

        It may take more calls than there are: the next run goes on where this one has come to.
        """
        topics = {"topic_ids": ",".join(cursor.joining_ids)}
        last: Page | None = None
        for step in self._added(stream, joining, topics, Cursor(added_through=joining.start)):
            if last is not None:
                yield Step(last, cursor)
            last, read_through = step.page, step.cursor.added_through or joining.start
            cursor = replace(cursor, joining=replace(joining, start=min(read_through, joining.end)))
        if last is not None:
            yield Step(last, _joined(cursor))

    def _added(self, stream: Stream, window: Window, topics: dict[str, str], cursor: Cursor) -> Iterator[Step]:
        """Rows of a window by date added, by whatever the API honours."""
        if not self.honoured.lists_in_order:
            yield from self._in_any_order(
                stream, window, topics, cursor, cursor, (*stream.mention_path, "date", "added")
            )
            return
        latest: list[datetime] = []
        for page in self._new_rows(stream, window, topics):
            times = [time for record in page.records if (time := added_at(record, stream.mention_path)) is not None]
            latest = [*latest, *times][-OVERLAP_ROWS - 1 :]
            cursor = replace(
                cursor,
                added_through=later(cursor.added_through, times, not_after=self.now),
                added_recent_from=recent_from(latest, start=window.start),
            )
            yield Step(page, cursor)

    def _in_any_order(
        self,
        stream: Stream,
        window: Window,
        parameters: dict[str, str],
        cursor: Cursor,
        earned: Cursor,
        time_path: tuple[str, ...],
    ) -> Iterator[Step]:
        """Rows of a window, all of which have to be read before the last added is known to be the last.

        `earned` is the cursor of the whole window but for `added_through`, which the rows at `time_path` tell.
        """
        added_through = cursor.added_through
        last: Page | None = None
        for page in self._window(stream, window, parameters):
            if last is not None:
                yield Step(last, cursor)
            last = page
            times = (read_time(record, time_path) for record in page.records)
            added_through = later(added_through, times, not_after=self.now)
        if last is not None:
            yield Step(last, replace(earned, added_through=added_through))

    def _changes(self, stream: Stream, history: Window, topics: dict[str, str], stop_at: datetime) -> Iterator[Page]:
        """Rows acted on since `stop_at`, with others, by whatever the API honours."""
        match self.honoured.finds_changes:
            case "by_order":
                return self._changed_rows(stream, history, topics, stop_at)
            case "by_filter":
                minute_count = math.ceil((self.now - stop_at).total_seconds() / 60) + 1
                return self._window(stream, history, topics | {"filter": f"action_date_age:[0 TO {minute_count}]"})
            case "by_reading_again":
                start = max(history.start, (self.now - TRAIL).replace(microsecond=0))
                return self._window(stream, replace(history, start=start), topics)

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
                times = [time for record in page.records if (time := added_at(record, stream.mention_path)) is not None]
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
            times = [
                time for record in page.records if (time := last_action_at(record, stream.mention_path)) is not None
            ]
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

    def _earning_acted_through(
        self,
        stream: Stream,
        pages: Iterator[Page],
        cursor: Cursor,
        stop_at: datetime,
        *,
        seen_through: datetime | None,
    ) -> Iterator[Step]:
        """Backwards reading has seen everything only at its end, so only the last page earns the new cursor.

        A page without rows inside the list may hide some; then none earns it, and the next run reads them again.
        """
        acted_at: list[datetime] = []
        has_gap = False
        last: Page | None = None
        for page in pages:
            if last is not None:
                yield Step(last, cursor)
            last = page
            has_gap = has_gap or _has_gap(page)
            times = (last_action_at(record, stream.mention_path) for record in page.records)
            acted_at += (time for time in times if time is not None)
        if last is not None:
            earned = replace(
                cursor,
                acted_through=later(cursor.acted_through, acted_at, not_after=self.now),
                acted_recent_from=recent_from(acted_at, start=stop_at),
                seen_through=seen_through,
            )
            yield Step(last, cursor if has_gap else earned)

    def _cut_short_notice(self, stream: Stream, pages: Sequence[Page]) -> str:
        row_count, count = sum(len(page.records) for page in pages), pages[-1].count
        of_how_many = "" if count is None else f" of {count}"
        return (
            f"{stream.name} of account {self.account_id} were cut short: the API lists {row_count}{of_how_many} rows."
            " They are kept, and what else is known of them stays as it was. The list is read again when it is due; if"
            " this comes again, ask the vendor to list all of them to this account."
        )

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


def _with_topics(cursor: Cursor, topic_ids: Sequence[str], before: Window) -> Cursor:
    """The inbox's cursor with the topics that there are now; of new ones, rows of a window are still to be read."""
    if cursor.ids is None:
        return replace(cursor, ids=tuple(topic_ids))
    known, new = (tuple(each for each in topic_ids if (each in cursor.ids) == is_known) for is_known in (True, False))
    joining = cursor.joining if cursor.joining is not None and set(new) <= set(cursor.joining_ids) else before
    cursor = replace(cursor, ids=known, joining=joining, joining_ids=new)
    return cursor if new and joining.start < joining.end else _joined(cursor)


def _joined(cursor: Cursor) -> Cursor:
    return replace(cursor, ids=(*(cursor.ids or ()), *cursor.joining_ids), joining=None, joining_ids=())


def _shown_through(page: Page, window: Window) -> datetime | None:
    """Up to when the window shows all that was visible as the page was sent, by the API's clock."""
    if page.answered_at is None:
        return None
    return min(datetime.fromtimestamp(page.answered_at, UTC), window.end)


def _no_page(*, is_truncated: bool = False) -> Page:
    """Stands where the API gave none."""
    return Page(
        body="",
        records_path="$",
        records=[],
        count=None,
        is_last=True,
        is_truncated=is_truncated,
        received_at=0,
    )


def _has_gap(page: Page) -> bool:
    return not page.records and not page.is_last


def _have_moved(pages: Sequence[Page]) -> bool:
    """Whether rows went between the pages of a list."""
    return any(map(_has_gap, pages)) or any(_has_fallen(one.count, next_one.count) for one, next_one in pairwise(pages))


def _is_cut_short(pages: Sequence[Page]) -> bool:
    """Whether a list may have rows that its pages do not show."""
    return pages[-1].is_truncated or _have_moved(pages)


def _has_fallen(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now < before


class Reader(ABC):
    """Gives one stream batch by batch, from wherever it is.

    `stopped_by` says why the reading ended early, when it did; what was read until then has been given. `notices` say
    what was left out, and why.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.name = stream.name
        self.stopped_by: SocialConnectError | ReadingFailed | None = None
        self.notices: list[str] = []
        self.is_done = False
        self.record_count = 0
        self.page_count = 0
        self._batches: Iterator[Batch] | None = None

    def next_batch(self, state: dict[str, Any]) -> Batch | None:
        """The next batch, or None when all is read that can be.

        Args:
            state: cursors by account id as the loader keeps them; read when the reading starts.
        """
        if self._batches is None:
            self._batches = self._read(state)
        batch = next(self._batches, None)
        if batch is None:
            self.is_done = True
            return None
        self.record_count += batch.record_count
        self.page_count += len(batch.bodies)
        return batch

    @abstractmethod
    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:
        """Every batch; the arguments are those of `next_batch`."""


class StreamReader(Reader):
    """One stream over all accounts, from the API.

    It stops early when the request budget is used up, or the API cannot be read. An account whose list the API refuses
    is left out.
    """

    def __init__(self, stream: Stream, accounts: Sequence[AccountReading], *, batch_pages: int | None = None) -> None:
        super().__init__(stream)
        self._accounts = accounts
        self._batch_pages = batch_pages or BATCH_PAGES

    def _read(self, state: dict[str, Any]) -> Iterator[Batch]:
        cursors = {
            account.account_id: Cursor.from_state(state.get(account.account_id, {})) for account in self._accounts
        }
        for account in self._accounts:
            yield from self._read_account(account, cursors[account.account_id])
            if self.stopped_by:
                return

    def _read_account(self, account: AccountReading, cursor: Cursor) -> Iterator[Batch]:
        batch: Batch | None = None
        unearned_page_count = 0
        try:
            for call_count, read in enumerate(account.steps(self.stream, cursor), 1):
                step = read._replace(cursor=replace(read.cursor, call_count=call_count))
                is_earned = step.cursor != replace(cursor, call_count=call_count)
                unearned_page_count = 0 if is_earned else unearned_page_count + 1
                cursor = step.cursor
                if step.notice is not None:
                    self.notices.append(step.notice)
                if batch and batch.given != step.given:
                    yield batch
                    batch = None
                batch = with_page(batch, account.account_id, step)
                if batch.is_full(self._batch_pages):
                    yield batch
                    batch = None
        except (SocialConnectError, ReadingFailed) as stop:
            self._tell_what_is_read_again(stop, account.account_id, unearned_page_count)
            if is_refusal(stop) or isinstance(stop, NotFound):
                if batch:
                    yield batch
                batch = Batch(account.account_id, (), "$", 0, replace(cursor, refused_at=account.now))
            if is_refusal(stop) and not self.stream.is_needed:
                self.notices.append(f"{self.stream.name} of account {account.account_id} skipped: {stop}")
            else:
                self.stopped_by = stop
        if batch:
            yield batch

    def _tell_what_is_read_again(self, stop: Exception, account_id: str, page_count: int) -> None:
        if isinstance(stop, BudgetUsedUp) and page_count >= _PAGES_WORTH_A_NOTICE:
            self.notices.append(
                f"{self.stream.name} of account {account_id}: the calls ran out after {page_count} pages of a list that"
                " counts once it was read to its end, so the next sync reads them again. If this comes again, let a run"
                " wait for the next hour's calls: SOCIAL_CONNECT_MAX_WAIT_SECONDS=3600."
            )


def ids_in(pages: Iterable[Page]) -> tuple[str, ...]:
    """The ids of a list's objects."""
    return tuple(
        str(record["id"])
        for page in pages
        for record in page.records
        if isinstance(record, dict) and record.get("id") is not None
    )


def is_refusal(error: Exception) -> bool:
    """Whether the API gives the list to nobody like us: no permission, or not in the account's plan."""
    return isinstance(error, PermissionDenied) or (
        isinstance(error, ApiError) and error.error_id == "feature_limit_reached"
    )


def with_page(batch: Batch | None, account_id: str, step: Step) -> Batch:
    """The batch grown by a page, of which only the text is kept, in UTF-8.

    Parsed records take several times its memory, and so does a Python text with an emoji in it.
    """
    page = step.page
    before = batch or Batch(account_id, (), page.records_path, 0, step.cursor, step.given)
    if not page.body:
        return replace(before, cursor=step.cursor)
    return replace(
        before,
        records_path=before.records_path if before.bodies else page.records_path,
        bodies=(*before.bodies, page.body.encode()),
        record_count=before.record_count + len(page.records),
        cursor=step.cursor,
    )

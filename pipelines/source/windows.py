"""Where a reading starts, where it ends, and what it may remember. Pure: no network, no clock.

The API's lists have no "updated since". New rows are read forwards by the date they were added, changed rows backwards
by their last action. What is remembered (the cursor) is a time that the API itself has shown, since its clock and ours
differ; only where it has shown none yet does the start of the run stand in, and the overlap covers the difference.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERLAP = timedelta(minutes=15)
"""How late rows may become visible, and clocks may differ: so far behind what was last seen a reading starts.

Merging by key makes it harmless.
"""

OVERLAP_ROWS = 98
"""How many rows the overlap may hold: with those that are new, they fill at most one page of the inbox more.

That is a page of 100 less the row that shows that reading backwards may stop, and one that is acted on meanwhile.
"""

ONE_SECOND = timedelta(seconds=1)

TRAIL = timedelta(days=28)
"""How long rows of a trailing window are read again: the vendor's own reports count no later action on a mention."""

PLANNED_AHEAD = timedelta(days=366)
"""How far into the future a post may be planned."""


@dataclass(frozen=True)
class Window:
    """A span of `date.added`, UTC.

    The API may take its end as inside: a row on a border may be read twice, never missed.
    """

    start: datetime
    end: datetime

    def as_parameters(self) -> dict[str, str]:
        """The API's parameters: ISO 8601 with offset, whole seconds."""
        return {"date_from": _iso(self.start), "date_to": _iso(self.end)}

    def halves(self) -> tuple[Window, Window] | None:
        """The later half and the earlier half, or None when the window is a second or less."""
        middle = self.start + timedelta(seconds=int((self.end - self.start).total_seconds()) // 2)
        if middle <= self.start:
            return None
        return Window(middle, self.end), Window(self.start, middle)

    @classmethod
    def from_state(cls, text: str) -> Window:
        """Reads what `to_state` wrote."""
        start, _, end = text.partition("/")
        return cls(datetime.fromisoformat(start), datetime.fromisoformat(end))

    def to_state(self) -> str:
        """An ISO 8601 interval."""
        return f"{_iso(self.start)}/{_iso(self.end)}"


@dataclass(frozen=True)
class Cursor:
    """What one account's list has been read through, UTC; None before the first reading, or where it has no meaning.

    `history_from`: rows added before then have never been asked for. `added_through`: every row added up to then has
    been read. `acted_through`: every action up to then has been seen. `updated_through`: every update up to then has
    been read. `read_at`: start of the run that last read the list whole, or began to read the inbox. `refused_at`:
    start of the run in which the API last refused the list. `cut_short_at`: start of the run in which the list, which
    is to be read whole, was last cut short. `ids`: what the list held when it was read whole, of a list by whose ids
    others are asked for; of the inbox, the topics it was read of. `joining_ids`: topics that are new to the inbox, of
    which rows added in the span `joining` are still to be read. `seen_through`: the API's own time when the inbox was
    last read to its end. `added_recent_from`, `acted_recent_from`: the rows that had been added, or acted on, from then
    on were no more than the overlap may hold. `call_count`: how many calls the last reading took.

    What backfills have done beside. `backfilled_from`: they read rows added from then on, so changes are looked for as
    far back where that is before `history_from`. `backfilled`: spans of which they have read every row.
    """

    history_from: datetime | None = None
    added_through: datetime | None = None
    acted_through: datetime | None = None
    updated_through: datetime | None = None
    read_at: datetime | None = None
    refused_at: datetime | None = None
    cut_short_at: datetime | None = None
    seen_through: datetime | None = None
    added_recent_from: datetime | None = None
    acted_recent_from: datetime | None = None
    ids: tuple[str, ...] | None = None
    joining_ids: tuple[str, ...] = ()
    joining: Window | None = None
    call_count: int | None = None
    backfilled_from: datetime | None = None
    backfilled: tuple[Window, ...] = ()

    @classmethod
    def from_state(cls, state: dict[str, str]) -> Cursor:
        """Reads what `to_state` wrote."""
        times = {name: datetime.fromisoformat(text) for name, text in state.items() if name not in _NO_TIMES}
        ids = tuple(filter(None, state["ids"].split(","))) if "ids" in state else None
        call_count = int(state["call_count"]) if "call_count" in state else None
        return cls(
            **times,
            ids=ids,
            joining_ids=tuple(filter(None, state.get("joining_ids", "").split(","))),
            joining=Window.from_state(state["joining"]) if "joining" in state else None,
            call_count=call_count,
            backfilled=tuple(map(Window.from_state, state.get("backfilled", "").split())),
        )

    def to_state(self) -> dict[str, str]:
        """Texts for the loader's state."""
        times = {name: _iso(time) for name, time in vars(self).items() if isinstance(time, datetime)}
        spans = " ".join(span.to_state() for span in self.backfilled)
        ids = {} if self.ids is None else {"ids": ",".join(self.ids)}
        calls = {} if self.call_count is None else {"call_count": str(self.call_count)}
        joining = {} if self.joining is None else {"joining": self.joining.to_state()}
        joining_ids = {"joining_ids": ",".join(self.joining_ids)} if self.joining_ids else {}
        return times | ids | joining_ids | joining | calls | ({"backfilled": spans} if spans else {})


_NO_TIMES = {"backfilled", "call_count", "ids", "joining", "joining_ids"}
"""Fields of the cursor's state that are no time."""


def trailing_window(cursor: Cursor, *, start_date: datetime, now: datetime) -> Window:
    """The window of rows that may still change, with those that are planned for the future."""
    start = max(start_date, cursor.added_through - TRAIL) if cursor.added_through else start_date
    return Window(start.replace(microsecond=0), (now + PLANNED_AHEAD).replace(microsecond=0))


def new_rows_window(cursor: Cursor, *, start_date: datetime, now: datetime) -> Window:
    """The window of new rows: from the cursor less the overlap, or from the start date, to the start of the run."""
    through = cursor.added_through
    start = _overlapping(through, cursor, cursor.added_recent_from) if through else start_date
    return Window(start.replace(microsecond=0), now.replace(microsecond=0))


def changes_end_at(cursor: Cursor) -> datetime | None:
    """The last action at which reading backwards may stop, or None when there is nothing to compare with."""
    through = cursor.acted_through
    return _overlapping(through, cursor, cursor.acted_recent_from) if through else None


def _overlapping(through: datetime, cursor: Cursor, recent_from: datetime | None) -> datetime:
    """From when on rows may not have been seen.

    What was visible late was so after the inbox was last read: in a quiet time, after the cursor, which is then enough.
    In a busy time, no more than the last rows are read again.
    """
    seen = [time for time in (cursor.seen_through and cursor.seen_through - OVERLAP, recent_from) if time is not None]
    return max([through - OVERLAP, *(min(through, time) for time in seen)])


def recent_from(times: Iterable[datetime], *, start: datetime) -> datetime:
    """From when on there are no more rows than the overlap may hold, of the times of all rows from `start` on."""
    latest = heapq.nlargest(OVERLAP_ROWS + 1, times)
    return latest[-1] + ONE_SECOND if len(latest) > OVERLAP_ROWS else start


def later(before: datetime | None, times: Iterable[datetime | None], *, not_after: datetime) -> datetime | None:
    """A cursor moved to the latest of some times: never back, and never after the start of the run."""
    seen = [min(time, not_after) for time in times if time is not None]
    return max([*seen, before] if before else seen, default=None)


def added_at(record: Any, mention_path: tuple[str, ...] = ()) -> datetime | None:
    """When the mention of an inbox's record was added, UTC; None when the record does not say."""
    return read_time(record, (*mention_path, "date", "added"))


def identifier(record: Any, mention_path: tuple[str, ...] = ()) -> str | None:
    """The `unique_id` of the mention of an inbox's record; None when the record does not say."""
    unique_id = _member(record, (*mention_path, "unique_id"))
    return None if unique_id is None else str(unique_id)


def last_action_at(record: Any, mention_path: tuple[str, ...] = ()) -> datetime | None:
    """When the last action on the mention of an inbox's record was taken, UTC; None without actions."""
    actions = _member(record, (*mention_path, "actions"))
    times = (read_time(action, ("date", "added")) for action in actions) if isinstance(actions, list) else ()
    return max((time for time in times if time is not None), default=None)


def read_time(record: Any, path: tuple[str, ...]) -> datetime | None:
    """The unix seconds at a path of a record as a time, UTC; None where there are none."""
    record = _member(record, path)
    return datetime.fromtimestamp(record, UTC) if isinstance(record, int) and 0 <= record < 253402300800 else None  # noqa: PLR2004 - year 10000


def _member(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")

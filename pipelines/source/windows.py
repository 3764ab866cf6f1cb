"""Where a reading starts, where it ends, and what it may remember. Pure: no network, no clock.

The API's lists have no "updated since". New rows are read forwards by the date they were added, changed rows backwards
by their last action. What is remembered (the cursor) is a time that the API itself has shown, since its clock and ours
differ; only where it has shown none yet does the start of the run stand in, and the overlap covers the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERLAP = timedelta(minutes=15)
"""How far behind the cursor a reading starts: rows may become visible late, and clocks differ.

Merging by key makes it harmless.
"""

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


@dataclass(frozen=True)
class Cursor:
    """What one account's list has been read through, UTC; None before the first reading, or where it has no meaning.

    `history_from`: rows added before then have never been asked for. `added_through`: every row added up to then has
    been read. `acted_through`: every action up to then has been seen. `updated_through`: every update up to then has
    been read. `read_at`: start of the run that last read the list whole.
    """

    history_from: datetime | None = None
    added_through: datetime | None = None
    acted_through: datetime | None = None
    updated_through: datetime | None = None
    read_at: datetime | None = None

    @classmethod
    def from_state(cls, state: dict[str, str]) -> Cursor:
        """Reads what `to_state` wrote."""
        return cls(**{name: datetime.fromisoformat(text) for name, text in state.items()})

    def to_state(self) -> dict[str, str]:
        """Texts for the loader's state."""
        return {name: _iso(time) for name, time in vars(self).items() if time is not None}


def trailing_window(cursor: Cursor, *, start_date: datetime, now: datetime) -> Window:
    """The window of rows that may still change, with those that are planned for the future."""
    start = max(start_date, cursor.added_through - TRAIL) if cursor.added_through else start_date
    return Window(start.replace(microsecond=0), (now + PLANNED_AHEAD).replace(microsecond=0))


def new_rows_window(cursor: Cursor, *, start_date: datetime, now: datetime) -> Window:
    """The window of new rows: from the cursor less the overlap, or from the start date, to the start of the run."""
    start = cursor.added_through - OVERLAP if cursor.added_through else start_date
    return Window(start.replace(microsecond=0), now.replace(microsecond=0))


def changes_end_at(cursor: Cursor) -> datetime | None:
    """The last action at which reading backwards may stop, or None when there is nothing to compare with."""
    return cursor.acted_through - OVERLAP if cursor.acted_through else None


def later(before: datetime | None, times: Iterable[datetime | None], *, not_after: datetime) -> datetime | None:
    """A cursor moved to the latest of some times: never back, and never after the start of the run."""
    seen = [min(time, not_after) for time in times if time is not None]
    return max([*seen, before] if before else seen, default=None)


def added_at(record: Any, mention_path: tuple[str, ...] = ()) -> datetime | None:
    """When the mention of an inbox's record was added, UTC; None when the record does not say."""
    return read_time(record, (*mention_path, "date", "added"))


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

"""Working time: weekly periods in a time zone as absolute instants, elapsed working seconds and their inverse."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.int64]

FIRST_DAY = date(2016, 1, 1)
LAST_DAY = date(2034, 12, 31)


@dataclass(frozen=True, slots=True)
class Period:
    """Working time on a day of the week (Monday is 1), local time as "HHMM", `end` excluded; "2400" ends the day."""

    dayofweek: int
    start: str
    end: str


class Calendar:
    """The half-open UTC intervals of working time from 2016 to 2034, in unix seconds.

    Times outside those years count as outside working hours.
    """

    def __init__(self, starts: Instants, ends: Instants) -> None:
        self.starts = starts
        self.ends = ends
        lengths = ends - starts
        self._before: Instants = np.cumsum(lengths) - lengths

    def followed_by(self, later: "Calendar", at: int) -> "Calendar":
        """This calendar up to an instant, and another one from then on."""
        kept, new = self.starts < at, later.ends > at
        return Calendar(
            np.concatenate([self.starts[kept], np.maximum(later.starts[new], at)]),
            np.concatenate([np.minimum(self.ends[kept], at), later.ends[new]]),
        )

    def elapsed(self, instants: Any) -> Instants:
        """Working seconds between the calendar's first instant and each given one."""
        at = np.asarray(instants, dtype=np.int64)
        position = np.maximum(np.searchsorted(self.starts, at, side="right") - 1, 0)
        within = np.clip(at, self.starts[position], self.ends[position]) - self.starts[position]
        result: Instants = self._before[position] + within
        return result

    def seconds_between(self, start: int, end: int) -> int:
        """Working seconds in the half-open interval [start, end)."""
        return int(self.elapsed(end) - self.elapsed(start))

    def after(self, instants: Instants, seconds: Instants) -> Instants:
        """The instant at which each number of working seconds has gone by since each instant."""
        target = self.elapsed(instants) + seconds
        position = np.maximum(np.searchsorted(self._before, target, side="right") - 1, 0)
        result: Instants = np.maximum(self.starts[position] + target - self._before[position], instants)
        return result

    def contains(self, instant: int) -> bool:
        """Whether the instant is within working hours."""
        position = int(np.searchsorted(self.starts, instant, side="right")) - 1
        return position >= 0 and instant < int(self.ends[position])


@cache
def calendar(zone: str, periods: tuple[Period, ...]) -> Calendar:
    """The calendar of a timetable; made once per process, since thousands of days are resolved in the zone."""
    timezone = ZoneInfo(zone)
    spans: list[tuple[int, int]] = []
    for offset in range((LAST_DAY - FIRST_DAY).days + 1):
        day = FIRST_DAY + timedelta(days=offset)
        spans += [
            (_instant(day, period.start, timezone), _instant(day, period.end, timezone))
            for period in periods
            if period.dayofweek == day.isoweekday()
        ]
    spans = sorted(span for span in spans if span[0] < span[1])
    return Calendar(
        np.array([span[0] for span in spans], dtype=np.int64), np.array([span[1] for span in spans], dtype=np.int64)
    )


def _instant(day: date, clock: str, timezone: ZoneInfo) -> int:
    hours, minutes = int(clock[:2]), int(clock[2:])
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone)
    # Adding to an aware datetime of zoneinfo moves the hands of the clock, and 2400 becomes the next midnight.
    return int((midnight + timedelta(hours=hours, minutes=minutes)).astimezone(UTC).timestamp())

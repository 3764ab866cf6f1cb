"""Business time in plain Python: local minutes are ticked off one by one, then turned into instants."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

LONG_AGO, FAR_AHEAD = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
DAY_MINUTES = 1440

Period = tuple[int, str, str]
Span = tuple[datetime, datetime]


@dataclass
class Holiday:
    """A local date, or part of it, without working hours."""

    day: date
    start: str | None = None
    end: str | None = None


@dataclass
class Version:
    """A schedule as it was read from one reading to another."""

    zone: str
    periods: list[Period]
    valid_from: datetime
    valid_to: datetime | None = None


@dataclass
class Schedule:
    """A schedule's versions, from the oldest, and its holidays."""

    versions: list[Version]
    holidays: list[Holiday] = field(default_factory=list)


def minute(clock: str | None, otherwise: int) -> int:
    return otherwise if clock is None else int(clock[:2]) * 60 + int(clock[2:])


def to_end(clock: str | None) -> int:
    return minute(clock, DAY_MINUTES) or DAY_MINUTES


def open_minutes(version: Version, holidays: Iterable[Holiday], day: date) -> list[bool]:
    """Of each minute of a local day, whether it is a working minute."""
    ticks = [False] * DAY_MINUTES
    for weekday, start, end in version.periods:
        first, last = minute(start, 0), to_end(end)
        if weekday == day.isoweekday():
            for tick in range(first, last if first <= last else DAY_MINUTES):
                ticks[tick] = True
        if last < first and weekday % 7 + 1 == day.isoweekday():
            for tick in range(last):
                ticks[tick] = True
    for holiday in holidays:
        if holiday.day == day:
            for tick in range(minute(holiday.start, 0), to_end(holiday.end)):
                ticks[tick] = False
    return ticks


def turns(ticks: list[bool]) -> list[int]:
    """The minutes at which work begins and ends, in turn."""
    return [tick for tick, (before, after) in enumerate(pairwise([False, *ticks, False])) if before != after]


def instant(day: date, at_minute: int, zone: str, *, is_end: bool) -> datetime:
    """When a local clock shows a minute: of two times the first, but the second for an end within the day."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(minutes=at_minute)
    first = local.replace(fold=0).astimezone(UTC)
    second = local.replace(fold=1).astimezone(UTC)
    return max(first, second) if is_end and at_minute < DAY_MINUTES else first


def stretches(schedule: Schedule, first: date, last: date) -> list[Span]:
    """All working time between two dates, in order and without overlaps."""
    found: list[Span] = []
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    for number, version in enumerate(schedule.versions):
        holds_from = LONG_AGO if number == 0 else version.valid_from
        is_last = number == len(schedule.versions) - 1
        holds_to = FAR_AHEAD if is_last else schedule.versions[number + 1].valid_from
        ordinary = {day.isoweekday(): turns(open_minutes(version, (), day)) for day in days[:7]}
        for day in days:
            is_off = any(holiday.day == day for holiday in schedule.holidays)
            turned = turns(open_minutes(version, schedule.holidays, day)) if is_off else ordinary[day.isoweekday()]
            for start, end in zip(turned[::2], turned[1::2], strict=True):
                span = (
                    max(instant(day, start, version.zone, is_end=False), holds_from),
                    min(instant(day, end, version.zone, is_end=True), holds_to),
                )
                if span[0] < span[1]:
                    found.append(span)
    merged: list[Span] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def worked(spans: list[Span], start: datetime, end: datetime) -> int:
    """Seconds of the spans, which are in order, between two instants."""
    total = timedelta()
    for a, b in spans[max(bisect_right(spans, (start, FAR_AHEAD)) - 1, 0) :]:
        if a >= end:
            break
        total += max(min(end, b) - max(start, a), timedelta())
    return int(total.total_seconds())

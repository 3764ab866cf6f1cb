"""Business time ticked off in plain Python, schedules drawn at random, and both put where the models read them."""

from __future__ import annotations

import csv
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb

ACCOUNT = "1417"
ZONES = (
    *("UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Jerusalem"),
    *("Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "America/Sao_Paulo", "America/Havana"),
    *("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Hong_Kong", "Asia/Tokyo", "Asia/Bangkok"),
)
LONG_AGO, FAR_AHEAD = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(2022, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
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


# --- The truth --------------------------------------------------------------------------------------------------------


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


# --- Where the models read it -----------------------------------------------------------------------------------------

RULES = {
    "holidays": ("account_id", "schedule_id", "holiday_date", "start_time", "end_time", "name"),
    "business_hours_assignments": ("account_id", "scope", "scope_id", "schedule_id"),
    "sla_policies": (
        *("policy_id", "account_id", "object", "metric", "target_seconds", "clock", "schedule_id", "topic_id"),
        *("channel", "priority", "tag", "pauses_while_pending", "valid_from", "valid_to"),
    ),
}
"""The columns of the files of rules."""


def insert_schedules(con: duckdb.DuckDBPyConnection, schedules: dict[str, Schedule]) -> None:
    """Writes all versions of schedules, without their holidays, as the loader keeps them."""
    versions = [(name, version) for name, schedule in schedules.items() for version in schedule.versions]
    con.executemany(
        "INSERT INTO history.business_hours_schedules BY NAME SELECT $1 AS account_id, $2 AS id, $3 AS timezone,"
        " $4 AS valid_from, $5 AS valid_to",
        [(ACCOUNT, name, each.zone, each.valid_from, each.valid_to) for name, each in versions],
    )
    con.executemany(
        "INSERT INTO history.business_hours_periods BY NAME SELECT $1 AS account_id,"
        " $2 AS business_hours_schedule_id, $3 AS day_of_week, $4 AS start_time, $5 AS end_time, $6 AS valid_from,"
        " $7 AS valid_to",
        [
            (ACCOUNT, name, *period, each.valid_from, each.valid_to)
            for name, each in versions
            for period in each.periods
        ],
    )


def write_rules(folder: Path, **rows: Iterable[Sequence[object]]) -> Path:
    """Writes the files of rules; those that are not given are empty."""
    folder.mkdir(exist_ok=True)
    for name, columns in RULES.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows.get(name, ()))
    return folder


def holidays_of(schedules: dict[str, Schedule]) -> list[tuple[object, ...]]:
    """The rows of the file of holidays."""
    return [
        (ACCOUNT, schedule_id, each.day.isoformat(), each.start, each.end, "off")
        for schedule_id, schedule in schedules.items()
        for each in schedule.holidays
    ]


# --- Random schedules -------------------------------------------------------------------------------------------------

ALL_WEEK, WORKDAYS = range(1, 8), range(1, 6)


def week(days: Iterable[int], *spans: tuple[str, str]) -> list[Period]:
    return [(day, start, end) for day in days for start, end in spans]


def random_clock(dice: random.Random) -> str:
    return f"{dice.randrange(24):02}{dice.choice((0, 0, 15, 30, 30, 45, 59)):02}"


def random_periods(dice: random.Random) -> list[Period]:
    kind = dice.randrange(5)
    if kind == 0:
        return week(ALL_WEEK, ("0000", dice.choice(("2400", "0000"))))
    if kind == 1:
        return week(WORKDAYS, ("0900", "1230"), ("1315", "1800"))
    periods = {
        (dice.randint(1, 7), random_clock(dice), dice.choice((random_clock(dice), "2400")))
        for _ in range(dice.randrange(12))
    }
    return sorted(periods)


def random_schedule(dice: random.Random, zone: str) -> Schedule:
    reading = FIRST + timedelta(seconds=dice.randrange(86_400 * 365))
    readings = sorted({reading + timedelta(seconds=dice.randrange(86_400 * 900)) for _ in range(dice.randrange(3))})
    starts = [reading, *readings]
    versions = [
        Version(dice.choice(ZONES) if dice.random() < 0.2 else zone, random_periods(dice), start, end)
        for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]
    holidays = []
    for _ in range(dice.randrange(30)):
        day = (FIRST + timedelta(days=dice.randrange(1_400))).date()
        start, end = sorted((random_clock(dice), random_clock(dice)))
        holidays.append(
            dice.choice((Holiday(day), Holiday(day, start, None), Holiday(day, None, end), Holiday(day, start, end)))
        )
    holidays = [each for each in holidays if each.start is None or each.end is None or each.start < each.end]
    return Schedule(versions, [each for each in holidays if each.end != "0000"])

"""Business seconds and due times of the models, against local minutes that are ticked off one by one in Python."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dbt_commands import dbt, make_source_tables
from working_time import (
    ALL_WEEK,
    FIRST,
    LAST,
    WORKDAYS,
    ZONES,
    Holiday,
    Period,
    Schedule,
    Span,
    Version,
    holidays_of,
    insert_schedules,
    random_schedule,
    stretches,
    week,
    worked,
    write_rules,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# --- The warehouse ----------------------------------------------------------------------------------------------------


@dataclass
class Built:
    """A warehouse on which the business intervals are built."""

    file: Path
    seconds_sql: str
    due_sql: str

    def seconds(self, spans: list[tuple[str, datetime, datetime]]) -> list[int | None]:
        """Business seconds of spans of schedules, by the project's macros."""
        return [value for (value,) in self._rows(self.seconds_sql, spans)]

    def due(self, targets: list[tuple[str, datetime, int]]) -> list[datetime | None]:
        """When so many business seconds after an instant are used up, by the project's macros."""
        return [value for (value,) in self._rows(self.due_sql, targets)]

    def _rows(self, query: str, given: list[tuple[str, datetime, Any]]) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.file, read_only=True) as con:
            con.execute("SET TimeZone = 'UTC'")
            kind = "bigint" if isinstance(given[0][2], int) else "timestamptz"
            con.execute(
                "CREATE TEMP TABLE given AS SELECT unnest($1::varchar[]) AS schedule_id,"
                f" unnest($2::timestamptz[]) AS started_at, unnest($3::{kind}[]) AS third,"
                " unnest(range(len($1))) AS number",
                [list(column) for column in zip(*given, strict=True)],
            )
            return con.execute(query).fetchall()


SECONDS = """
select {{ business_seconds_between('at_start', 'given.started_at', 'at_end', 'given.third') }}
from given
{{ business_clock('at_start', "'1417'", 'given.schedule_id', 'given.started_at') }}
{{ business_clock('at_end', "'1417'", 'given.schedule_id', 'given.third') }}
order by given.number
"""
DUE = """
with readings as (
    select given.*, {{ business_seconds_until('at_start', 'given.started_at') }} + given.third as reading
    from given
    {{ business_clock('at_start', "'1417'", 'given.schedule_id', 'given.started_at') }}
)
select {{ business_due_at('due', 'readings.reading') }}
from readings
{{ business_due('due', "'1417'", 'readings.schedule_id', 'readings.reading') }}
order by readings.number
"""


def build(folder: Path, schedules: dict[str, Schedule]) -> Built:
    file = folder / "warehouse.duckdb"
    with duckdb.connect(file) as con:
        con.execute("SET TimeZone = 'UTC'")
        make_source_tables(con, "history", "business_hours_schedules", "business_hours_periods")
        make_source_tables(con, "social_connect", "mentions")
        con.execute("INSERT INTO social_connect.mentions BY NAME SELECT $1 AS added_at", [FIRST - timedelta(days=10)])
        insert_schedules(con, schedules)
    rules = write_rules(folder / "rules", holidays=holidays_of(schedules))
    without_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    seconds_sql, due_sql = dbt(
        file,
        ["build", "--select", "+int_business_clock", *without_tests],
        ["compile", "--inline", SECONDS],
        ["compile", "--inline", DUE],
        rules=rules,
        as_of="2025-06-01T00:00:00+00:00",
    )
    return Built(file, seconds_sql, due_sql)


# --- The cases that the best public package gets wrong ----------------------------------------------------------------

LONG_BEFORE = datetime(2022, 1, 1, tzinfo=UTC)


def one(zone: str, periods: list[Period], *holidays: Holiday) -> Schedule:
    return Schedule([Version(zone, periods, LONG_BEFORE)], list(holidays))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NEW_YORK_ALWAYS = one("America/New_York", week(ALL_WEEK, ("0000", "2400")))
NEW_YORK_OFFICE = week(WORKDAYS, ("0900", "1700"))
CASES: dict[str, tuple[Schedule, str, str, int]] = {
    # ten whole days
    "bangkok_always": (one("Asia/Bangkok", week(ALL_WEEK, ("0000", "2400"))), "2024-05-01", "2024-05-11", 14_400),
    # Sunday 00:00 to 06:00 in Tokyo is Saturday 15:00 to 21:00 UTC: six hours
    "tokyo_sunday_night": (one("Asia/Tokyo", [(7, "0000", "0600")]), "2024-05-04 12:00", "2024-05-05 12:00", 360),
    # Saturday 20:00 to 23:00 in New York is Sunday 00:00 to 03:00 UTC: three hours
    "new_york_saturday": (one("America/New_York", [(6, "2000", "2300")]), "2024-05-04 12:00", "2024-05-05 12:00", 180),
    "always_on_the_spring_sunday": (NEW_YORK_ALWAYS, "2024-03-10 15:00", "2024-03-10 16:00", 60),
    # Saturday 22:00 to Sunday 16:00 UTC
    "always_into_the_spring_sunday": (NEW_YORK_ALWAYS, "2024-03-09 22:00", "2024-03-10 16:00", 1_080),
    # Sydney is UTC+10 until 6 October 2024: 08:30 to 10:30 local, open from 09:00
    "sydney_before_the_switch": (
        one("Australia/Sydney", week(WORKDAYS, ("0900", "1700"))),
        *("2024-09-30 22:30", "2024-10-01 00:30", 90),
    ),
    # Jerusalem is UTC+2 until Friday 29 March 2024: Monday 08:30 to 10:30 local, open from 09:00
    "jerusalem_before_the_friday": (
        one("Asia/Jerusalem", week((7, 1, 2, 3, 4), ("0900", "1700"))),
        *("2024-03-25 06:30", "2024-03-25 08:30", 90),
    ),
    # and UTC+3 after it
    "jerusalem_after_the_friday": (
        one("Asia/Jerusalem", week((7, 1, 2, 3, 4), ("0900", "1700"))),
        *("2024-04-01 05:30", "2024-04-01 07:30", 90),
    ),
    # Monday to Saturday are five days, and one is off
    "always_with_a_holiday": (
        one("UTC", week(ALL_WEEK, ("0000", "2400")), Holiday(date(2024, 5, 15))),
        *("2024-05-13", "2024-05-18", 5_760),
    ),
    # Friday 22:00 to Saturday 06:00: only the two hours of Friday count
    "overnight_into_a_holiday": (
        one("UTC", [(5, "2200", "2400"), (6, "0000", "0600")], Holiday(date(2024, 5, 18))),
        *("2024-05-17 12:00", "2024-05-18 12:00", 120),
    ),
    # Monday 1 to Friday 5 July: 8 hours on each of four days
    "new_york_fourth_of_july": (
        one("America/New_York", NEW_YORK_OFFICE, Holiday(date(2024, 7, 4))),
        *("2024-07-01", "2024-07-06", 1_920),
    ),
    # a holiday that has been taken out of the file: three days of 8 hours
    "a_holiday_no_longer_listed": (one("UTC", NEW_YORK_OFFICE), "2024-05-14", "2024-05-17", 1_440),
    # 104 weeks of 40 hours
    "open_for_104_weeks": (one("UTC", NEW_YORK_OFFICE), "2022-05-02", "2024-04-29", 249_600),
    # Friday 16:00 to Tuesday 09:00 local, over the spring switch: one hour and a day
    "new_york_over_the_switch": (
        one("America/New_York", NEW_YORK_OFFICE),
        *("2024-03-08 21:00", "2024-03-12 13:00", 540),
    ),
}
"""Schedule, start, end, and minutes worked out by hand."""

SHAPES: dict[str, tuple[Schedule, str, str, int]] = {
    # 22:00 to 06:00 written as one period, on a Friday: it runs on into Saturday
    "over_midnight": (one("UTC", [(5, "2200", "0600")]), "2024-05-17 00:00", "2024-05-19 00:00", 480),
    "ends_at_0000": (one("UTC", [(5, "2200", "0000")]), "2024-05-17 00:00", "2024-05-19 00:00", 120),
    "all_day_as_0000_to_0000": (one("UTC", [(5, "0000", "0000")]), "2024-05-16 00:00", "2024-05-19 00:00", 1_440),
    "a_period_without_length": (one("UTC", [(5, "0900", "0900")]), "2024-05-16 00:00", "2024-05-19 00:00", 0),
    "an_empty_week": (one("UTC", []), "2024-05-16 00:00", "2024-05-19 00:00", 0),
    "the_same_hours_twice": (
        one("UTC", [(5, "0900", "1700"), (5, "0900", "1700"), (5, "1600", "1800")]),
        *("2024-05-16 00:00", "2024-05-19 00:00", 540),
    ),
    "a_lunch_break": (
        one("UTC", [(5, "0900", "1200"), (5, "1300", "1700")]),
        *("2024-05-17 11:30", "2024-05-17 13:30", 60),
    ),
    "a_minute": (one("UTC", [(5, "0900", "0901")]), "2024-05-16 00:00", "2024-05-19 00:00", 1),
    "half_a_holiday": (
        one("UTC", [(5, "0900", "1700")], Holiday(date(2024, 5, 17), "1200", None)),
        *("2024-05-16 00:00", "2024-05-19 00:00", 180),
    ),
    "holidays_that_overlap": (
        one(
            "UTC",
            [(5, "0900", "1700")],
            Holiday(date(2024, 5, 17), "1000", "1300"),
            Holiday(date(2024, 5, 17), "1200", "1400"),
        ),
        *("2024-05-16 00:00", "2024-05-19 00:00", 240),
    ),
    # Wednesday noon: from 9 to 17 becomes 8 to 12. The day has 3 hours of the old and none of the new.
    "edited_at_noon": (
        Schedule(
            [
                Version("UTC", [(3, "0900", "1700")], utc("2024-05-01"), utc("2024-05-15 12:00")),
                Version("UTC", [(3, "0800", "1200")], utc("2024-05-15 12:00")),
            ]
        ),
        *("2024-05-15 00:00", "2024-05-16 00:00", 180),
    ),
    # what was first read in May holds for April too
    "before_it_was_read": (
        Schedule([Version("UTC", [(3, "0900", "1700")], utc("2024-05-01"))]),
        *("2024-04-10 00:00", "2024-04-11 00:00", 480),
    ),
    # and goes on when the schedule is gone
    "after_it_is_gone": (
        Schedule([Version("UTC", [(3, "0900", "1700")], utc("2024-05-01"), utc("2024-05-08"))]),
        *("2024-05-15 00:00", "2024-05-16 00:00", 480),
    ),
    # gone from the 8th to the 20th, and back with other hours: the old ones count on the 15th
    "while_it_was_gone": (
        Schedule(
            [
                Version("UTC", [(3, "0900", "1700")], utc("2024-05-01"), utc("2024-05-08")),
                Version("UTC", [(3, "0900", "1000")], utc("2024-05-20")),
            ]
        ),
        *("2024-05-15 00:00", "2024-05-23 00:00", 540),
    ),
    # clocks go back at 02:00 in New York on 3 November 2024: from 00:00 to 02:00 takes three hours
    "the_hour_that_comes_twice": (one("America/New_York", [(7, "0000", "0200")]), "2024-11-02", "2024-11-05", 180),
    # it opens at the first 01:00 and closes at the second 01:30
    "closing_in_the_second_of_two": (one("America/New_York", [(7, "0100", "0130")]), "2024-11-02", "2024-11-05", 90),
    # half an hour comes twice on Lord Howe on 7 April 2024
    "half_an_hour_twice": (one("Australia/Lord_Howe", [(7, "0100", "0300")]), "2024-04-05", "2024-04-08", 150),
    # midnight comes twice in Havana on 3 November 2024: Saturday ends at the first
    "midnight_twice": (one("America/Havana", [(6, "2300", "2400")]), "2024-11-02", "2024-11-05", 60),
    "the_hour_that_is_skipped": (one("America/New_York", [(7, "0100", "0400")]), "2024-03-09", "2024-03-12", 120),
}
NAMED = CASES | SHAPES


# --- Random schedules -------------------------------------------------------------------------------------------------

SEED = 20_240_310
DICE = random.Random(SEED)
RANDOM = {f"random_{number}": random_schedule(DICE, ZONES[number % len(ZONES)]) for number in range(3 * len(ZONES))}
SPANS_OF_EACH = 220


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    named = {name: schedule for name, (schedule, *_) in NAMED.items()}
    return build(tmp_path_factory.mktemp("business_time"), named | RANDOM)


@pytest.mark.parametrize("name", NAMED)
def test_minutes_worked_out_by_hand(built: Built, name: str) -> None:
    _, start, end, minutes = NAMED[name]
    assert built.seconds([(name, utc(start), utc(end))]) == [minutes * 60]


def near(dice: random.Random, spans: list[Span]) -> datetime:
    """An instant anywhere, or on the edge of working time, or a second beside it."""
    if spans and dice.random() < 0.5:
        edge = dice.choice(dice.choice(spans)) + timedelta(seconds=dice.choice((-1, 0, 0, 1)))
        return min(max(edge, FIRST), LAST)
    return FIRST + timedelta(seconds=dice.randrange(int((LAST - FIRST).total_seconds())))


@pytest.fixture(scope="module")
def truth() -> dict[str, list[Span]]:
    return {name: stretches(schedule, date(2021, 12, 28), date(2026, 12, 31)) for name, schedule in RANDOM.items()}


def test_more_than_10_000_random_spans_and_due_times(built: Built, truth: dict[str, list[Span]]) -> None:
    dice = random.Random(SEED + 1)
    spans: list[tuple[str, datetime, datetime]] = []
    for name, stretches_of in truth.items():
        for _ in range(SPANS_OF_EACH):
            start, end = sorted((near(dice, stretches_of), near(dice, stretches_of)))
            if dice.random() < 0.5:
                end = min(end, start + timedelta(seconds=dice.randrange(86_400 * 9)))
            spans.append((name, start, end))
    assert len(spans) > 10_000
    expected = [worked(truth[name], start, end) for name, start, end in spans]
    assert built.seconds(spans) == expected, f"seed {SEED}"

    targets = [(name, start, seconds) for (name, start, _), seconds in zip(spans, expected, strict=True) if seconds]
    due = built.due(targets)
    for (
        (name, start, seconds),
        at,
    ) in zip(targets, due, strict=True):
        assert at is not None
        assert worked(truth[name], start, at) == seconds, f"{name} from {start}: {seconds} s are used up at {at}"
        assert worked(truth[name], start, at - timedelta(seconds=1)) == seconds - 1, "and not before"


def test_laws(built: Built) -> None:
    dice = random.Random(SEED + 2)
    triples = []
    for name in RANDOM:
        for _ in range(30):
            a, b, c = sorted(FIRST + timedelta(seconds=dice.randrange(86_400 * 1_400)) for _ in range(3))
            triples.append((name, a, b, c))
    whole = built.seconds([(name, a, c) for name, a, b, c in triples])
    first = built.seconds([(name, a, b) for name, a, b, c in triples])
    second = built.seconds([(name, b, c) for name, a, b, c in triples])
    backwards = built.seconds([(name, c, a) for name, a, b, c in triples])
    for (name, a, _, c), total, one_part, other, reverse in zip(triples, whole, first, second, backwards, strict=True):
        assert total is not None
        assert one_part is not None
        assert other is not None
        assert total == one_part + other, f"{name}: parts add up"
        assert 0 <= total <= (c - a).total_seconds(), name
        assert reverse == 0, f"{name}: an end before its start gives 0"


def test_always_open_is_calendar_time(built: Built) -> None:
    dice = random.Random(SEED + 3)
    spans = []
    for name in ("bangkok_always", "always_on_the_spring_sunday"):
        for _ in range(500):
            start = FIRST + timedelta(seconds=dice.randrange(86_400 * 1_000))
            spans.append((name, start, start + timedelta(seconds=dice.randrange(86_400 * 300))))
    assert built.seconds(spans) == [int((end - start).total_seconds()) for _, start, end in spans]


def test_null_is_kept_apart_from_0(built: Built) -> None:
    start, end = utc("2024-05-18"), utc("2024-05-19")
    assert built.seconds([("an_empty_week", start, end), ("nobody_knows_it", start, end)]) == [0, None]


def test_a_target_beyond_all_hours_has_no_due_time(built: Built) -> None:
    assert built.due([("an_empty_week", utc("2024-05-18"), 1), ("a_minute", utc("2024-05-18"), 10**9)]) == [None, None]

"""Working time agrees with the clock on the wall, counted minute by minute, over changes of summer time too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.hours import Period, calendar

BRUSSELS_OFFICE = tuple(Period(day, "0900", "1730") for day in range(1, 6))
NEW_YORK_NIGHT = tuple(
    Period(day, start, end) for day in range(1, 8) for start, end in (("0000", "0400"), ("2000", "2400"))
)
ALWAYS = tuple(Period(day, "0000", "2400") for day in range(1, 8))
TIMETABLES = [("Europe/Brussels", BRUSSELS_OFFICE), ("America/New_York", NEW_YORK_NIGHT), ("UTC", ALWAYS)]


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def counted_minutes(zone: str, periods: tuple[Period, ...], start: int, end: int) -> int:
    """The slow truth: look at the wall clock at each minute of [start, end)."""
    minutes = 0
    for instant in range(start, end, 60):
        local = datetime.fromtimestamp(instant, tz=UTC).astimezone(ZoneInfo(zone))
        clock = f"{local:%H%M}"
        minutes += any(p.dayofweek == local.isoweekday() and p.start <= clock < p.end for p in periods)
    return minutes


def test_a_weekend_counts_nothing_and_an_end_is_excluded() -> None:
    office = calendar("Europe/Brussels", BRUSSELS_OFFICE)
    # Friday 16:30 to Monday 10:15 in Brussels (winter, UTC+1): one hour and an hour and a quarter.
    assert office.seconds_between(unix("2026-02-27T15:30:00Z"), unix("2026-03-02T09:15:00Z")) == 8_100
    assert office.contains(unix("2026-03-02T08:00:00Z"))
    assert not office.contains(unix("2026-03-02T16:30:00Z"))


def test_the_night_that_loses_an_hour_is_an_hour_shorter() -> None:
    always = calendar("America/New_York", ALWAYS)
    assert always.seconds_between(unix("2026-03-08T00:00:00-05:00"), unix("2026-03-09T00:00:00-04:00")) == 23 * 3_600


@pytest.mark.parametrize(("zone", "periods"), TIMETABLES)
@given(
    start=st.integers(unix("2026-02-20T00:00:00Z") // 60, unix("2026-04-10T00:00:00Z") // 60),
    minutes=st.integers(0, 3 * 24 * 60),
)
def test_elapsed_time_equals_minutes_counted_one_by_one(
    zone: str, periods: tuple[Period, ...], start: int, minutes: int
) -> None:
    begin, end = start * 60, (start + minutes) * 60
    assert calendar(zone, periods).seconds_between(begin, end) == 60 * counted_minutes(zone, periods, begin, end)


@pytest.mark.parametrize(("zone", "periods"), TIMETABLES)
@given(start=st.integers(unix("2026-01-01T00:00:00Z"), unix("2026-12-31T00:00:00Z")), seconds=st.integers(0, 500_000))
def test_after_is_the_inverse_of_elapsed(zone: str, periods: tuple[Period, ...], start: int, seconds: int) -> None:
    hours = calendar(zone, periods)
    end = int(hours.after(np.array([start]), np.array([seconds]))[0])
    assert hours.seconds_between(start, end) == seconds
    assert end >= start
    assert end == start or hours.contains(end)


def test_2400_is_the_midnight_that_follows() -> None:
    night = calendar("America/New_York", NEW_YORK_NIGHT)
    evening = datetime(2026, 3, 2, 23, 59, 59, tzinfo=ZoneInfo("America/New_York"))
    assert night.contains(int(evening.timestamp()))
    assert night.contains(int((evening + timedelta(seconds=1)).timestamp()))

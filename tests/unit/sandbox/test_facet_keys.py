"""The keys of a facet are buckets of the clock on the wall, worked out by hand over changes of summer time."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sandbox.facets import MOST_KEYS, label, time_keys


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def starts(grouping: str | None, begin: str, end: str, zone: str = "Europe/Brussels") -> list[str]:
    keys = time_keys(grouping, unix(begin), unix(end), zone)
    assert [key["id"] for key in keys.shown] == keys.starts_at.tolist()
    return [datetime.fromtimestamp(at, tz=ZoneInfo(zone)).isoformat() for at in keys.starts_at.tolist()]


def test_days_begin_at_local_midnight_and_follow_summer_time() -> None:
    assert starts("day", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z") == [
        "2026-03-28T00:00:00+01:00",
        "2026-03-29T00:00:00+01:00",
        "2026-03-30T00:00:00+02:00",
    ]


def test_an_hour_that_the_clock_shows_twice_is_two_hours() -> None:
    assert starts("hour", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z") == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_hours_begin_on_the_local_hour() -> None:
    assert starts("hour", "2026-03-02T00:10:00Z", "2026-03-02T00:40:00Z", "Asia/Kolkata") == [
        "2026-03-02T05:00:00+05:30",
        "2026-03-02T06:00:00+05:30",
    ]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert starts("week", "2026-03-01T12:00:00Z", "2026-03-09T12:00:00Z") == [
        "2026-02-23T00:00:00+01:00",
        "2026-03-02T00:00:00+01:00",
        "2026-03-09T00:00:00+01:00",
    ]
    assert starts("month", "2025-12-31T23:30:00Z", "2026-04-01T00:00:00Z") == [
        "2026-01-01T00:00:00+01:00",
        "2026-02-01T00:00:00+01:00",
        "2026-03-01T00:00:00+01:00",
        "2026-04-01T00:00:00+02:00",
    ]


def test_without_a_grouping_all_is_one() -> None:
    keys = time_keys(None, 0, 1, "UTC")
    assert keys.shown == [{"id": "total", "text": "Total", "html": "Total"}]
    assert keys.of(np.array([0, 2**40])).tolist() == [0, 0]


def test_an_instant_belongs_to_the_bucket_that_it_begins() -> None:
    keys = time_keys("day", unix("2026-03-02T00:00:00Z"), unix("2026-03-04T00:00:00Z"), "UTC")
    assert keys.of(np.array([unix("2026-03-02T23:59:59Z"), unix("2026-03-03T00:00:00Z")])).tolist() == [0, 1]


def test_too_many_keys_are_refused() -> None:
    with pytest.raises(OverflowError, match=str(MOST_KEYS)):
        time_keys("hour", 0, unix("2026-03-02T00:00:00Z"), "UTC")


def test_a_label_is_escaped_for_html() -> None:
    assert label("a", "R&D <b>") == {"id": "a", "text": "R&D <b>", "html": "R&amp;D &lt;b&gt;"}

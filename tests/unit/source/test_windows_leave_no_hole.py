"""What is asked for over any number of runs has no hole, and a cursor tells no more than what was read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.source.windows import (
    ONE_SECOND,
    OVERLAP,
    OVERLAP_ROWS,
    Cursor,
    Window,
    added_at,
    changes_end_at,
    last_action_at,
    later,
    new_rows_window,
    recent_from,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
seconds = st.integers(0, 400 * 86_400)
moments = seconds.map(lambda second: START + timedelta(seconds=second))
cursors = st.builds(Cursor, st.none() | moments, st.none() | moments, st.none() | moments)
whole_windows = st.tuples(moments, st.integers(0, 10**7)).map(
    lambda drawn: Window(drawn[0], drawn[0] + timedelta(seconds=drawn[1]))
)


@given(st.lists(st.tuples(st.integers(0, 60 * 86_400), st.floats(0, 1)), min_size=1, max_size=12))
def test_windows_of_any_runs_join_without_a_hole(runs: list[tuple[int, float]]) -> None:
    """Each run begins some seconds after the last, and is cut after a part of its window has been read."""
    cursor, now, read_through = Cursor(), START, START
    for pause_seconds, part in runs:
        now += timedelta(seconds=pause_seconds)
        window = new_rows_window(cursor, start_date=START, now=now)
        assert window.start <= read_through, "rows between the last run's reading and this window were never asked for"
        assert window.end == now
        read_through = window.start + (window.end - window.start) * part
        cursor = Cursor(START, later(cursor.added_through, [read_through], not_after=now))


@given(cursors, moments, moments)
def test_overlap_only_widens(cursor: Cursor, start_date: datetime, now: datetime) -> None:
    window = new_rows_window(cursor, start_date=start_date, now=now)
    assert window.start == (cursor.added_through - OVERLAP if cursor.added_through else start_date)
    assert window.end == now


@given(st.lists(st.integers(0, 400), max_size=300), st.integers(-900, 0), st.integers(0, 900))
def test_the_overlap_holds_a_quarter_of_an_hour_or_the_last_rows(seen: list[int], first: int, pause: int) -> None:
    """Never less than both of them would, and never more rows than it may hold."""
    times = [START + timedelta(seconds=second) for second in seen]
    start, through = START + timedelta(seconds=first), max(times, default=START)
    recent = recent_from(times, start=start)
    cursor = Cursor(START, through, through, added_recent_from=recent, acted_recent_from=recent)
    window = new_rows_window(cursor, start_date=START, now=through + timedelta(seconds=pause))
    assert window.start == changes_end_at(cursor)
    assert window.start <= through
    overlap = [time for time in times if time >= window.start]
    assert len(overlap) <= OVERLAP_ROWS or window.start == through
    if window.start > max(through - OVERLAP, start):  # one second earlier it would hold too many
        assert sum(time >= window.start - ONE_SECOND for time in times) > OVERLAP_ROWS


@given(st.lists(st.none() | moments), moments)
def test_a_cursor_never_passes_the_start_of_the_run(times: list[datetime | None], now: datetime) -> None:
    found = later(None, times, not_after=now)
    assert found is None or found <= now


@given(moments, st.lists(st.none() | moments), moments)
def test_a_cursor_never_moves_back(before: datetime, times: list[datetime | None], now: datetime) -> None:
    found = later(before, times, not_after=now)
    assert found is not None
    assert found >= before


@given(whole_windows)
def test_halves_cover_a_window_exactly(window: Window) -> None:
    halves = window.halves()
    if halves is None:
        assert window.end - window.start <= timedelta(seconds=1)
        return
    second, earlier = halves
    assert (earlier.start, earlier.end, second.end) == (window.start, second.start, window.end)
    assert earlier.start < earlier.end < second.end
    assert abs((second.end - second.start) - (earlier.end - earlier.start)) <= timedelta(seconds=1)


@given(whole_windows)
def test_halving_comes_to_an_end(window: Window) -> None:
    halvings = 0
    while halves := window.halves():
        window, halvings = max(halves, key=lambda half: half.end - half.start), halvings + 1
    assert halvings <= 24  # 10**7 seconds are less than 2**24


@given(cursors, st.none() | moments, st.none() | moments)
def test_a_cursor_survives_the_loaders_state(cursor: Cursor, added: datetime | None, acted: datetime | None) -> None:
    cursor = replace(cursor, added_recent_from=added, acted_recent_from=acted)
    assert Cursor.from_state(cursor.to_state()) == cursor


@given(cursors)
def test_changes_are_read_back_to_a_little_before_the_last_seen_action(cursor: Cursor) -> None:
    assert changes_end_at(cursor) == (cursor.acted_through - OVERLAP if cursor.acted_through else None)


def test_parameters_say_their_offset() -> None:
    local = datetime.fromisoformat("2026-03-29T03:30:00+02:00")
    window = Window(local, datetime(2026, 3, 29, 2, 0, 0, 999_999, tzinfo=UTC))
    assert window.as_parameters() == {"date_from": "2026-03-29T01:30:00+00:00", "date_to": "2026-03-29T02:00:00+00:00"}


def test_times_of_a_record_are_utc_seconds() -> None:
    record = {"date": {"added": 1_668_629_719}, "actions": [{"date": {"added": 5}}, {"date": {"added": 9}}, {}]}
    assert added_at(record) == datetime(2022, 11, 16, 20, 15, 19, tzinfo=UTC)
    assert last_action_at(record) == datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)


def test_a_record_that_says_no_time_has_none() -> None:
    undated: tuple[Any, ...] = (
        None,
        "text",
        [],
        {},
        {"date": []},
        {"date": {"added": "soon"}},
        {"date": {"added": -1}},
    )
    for nonsense in undated:
        assert added_at(nonsense) is None
    unmoved: tuple[Any, ...] = (
        None,
        {},
        {"actions": None},
        {"actions": []},
        {"actions": {}},
        {"actions": ["text", None, {}]},
    )
    for nonsense in unmoved:
        assert last_action_at(nonsense) is None

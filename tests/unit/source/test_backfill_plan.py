"""The windows of a backfill leave no hole, are read once, and are full."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.source import backfill_plan
from pipelines.source.backfill_plan import FULL_ROWS, PART_ROWS, Counted, counted, joined, missing, planned
from pipelines.source.windows import Cursor, Window

START = datetime(2026, 1, 1, tzinfo=UTC)
PAGE_SIZE = 100


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def window(start: int, end: int) -> Window:
    return Window(at(start), at(end))


def seconds_of(spans: list[Window] | tuple[Window, ...]) -> set[int]:
    """Every second of some spans, one by one."""
    return {
        second
        for span in spans
        for second in range(int((span.start - START).total_seconds()), int((span.end - START).total_seconds()))
    }


few_spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 15)).map(lambda drawn: window(drawn[0], sum(drawn))))


@given(few_spans)
def test_joined_spans_hold_the_same_seconds_and_touch_nowhere(spans: list[Window]) -> None:
    found = joined(spans)
    assert seconds_of(found) == seconds_of(spans)
    assert all(span.start < span.end for span in found)
    assert all(earlier.end < later.start for earlier, later in pairwise(found))


@given(few_spans, st.integers(0, 60), st.integers(1, 30))
def test_missing_is_what_no_span_holds(spans: list[Window], start: int, length: int) -> None:
    wanted = window(start, start + length)
    found = missing(wanted, spans)
    assert seconds_of(found) == seconds_of([wanted]) - seconds_of(spans)
    assert len(seconds_of(found)) == sum((span.end - span.start).total_seconds() for span in found)


@given(
    st.integers(0, 50_000),
    st.integers(1, 400_000),
    st.dictionaries(st.integers(-20, 150).map(lambda hour: at(hour * 3600)), st.integers(0, 30_000)),
)
def test_windows_cover_the_span_once_whatever_the_api_counts(
    start: int, length: int, counts: dict[datetime, int]
) -> None:
    wanted = window(start, start + length)
    windows = [each.window for each in planned(counted(wanted, counts))]
    assert windows[0].end == wanted.end, "newest first"
    assert windows[-1].start == wanted.start
    assert all(newer.start == older.end for newer, older in pairwise(windows))
    assert all(each.start < each.end for each in windows)


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=200))
def test_no_window_nears_the_depth_cap_and_pages_are_full(hourly: list[int]) -> None:
    counts = {at(hour * 3600): count for hour, count in enumerate(hourly)}
    windows = planned(counted(window(0, len(hourly) * 3600), counts))
    assert sum(each.row_count for each in windows) == sum(hourly)
    assert all(each.row_count < FULL_ROWS + PART_ROWS <= 5_000 for each in windows)
    call_count = sum(each.call_count(PAGE_SIZE) for each in windows[:-1])
    full_count = sum(each.row_count // PAGE_SIZE for each in windows[:-1])
    assert full_count >= 0.97 * call_count, "but for what is left over at the end"


def test_a_bucket_in_which_the_span_begins_counts_for_its_part() -> None:
    found = counted(window(1800, 9000), {at(0): 100, at(3600): 40, at(7200): 10, at(10_800): 99})
    assert found == [
        Counted(window(1800, 3600), 50),
        Counted(window(3600, 7200), 40),
        Counted(window(7200, 9000), 10),
    ], "the last bucket is counted up to the end"
    assert counted(window(0, 60), {}) == [Counted(window(0, 60), 0)]
    assert counted(window(0, 7200), {at(3600): 5}) == [Counted(window(0, 3600), 0), Counted(window(3600, 7200), 5)]


def test_more_rows_in_a_second_than_a_part_has_stay_together() -> None:
    assert Counted(window(0, 1), 9_000).parts() == [Counted(window(0, 1), 9_000)]
    assert Counted(window(0, 100), 2_001).parts() == [
        Counted(window(0, 33), 667),
        Counted(window(33, 66), 667),
        Counted(window(66, 100), 667),
    ]


def test_an_empty_window_costs_a_call() -> None:
    assert [Counted(window(0, 9), rows).call_count(100) for rows in (0, 1, 100, 101)] == [1, 1, 1, 2]
    assert backfill_plan.planned([Counted(window(0, 9), 0)]) == [Counted(window(0, 9), 0)]


@given(few_spans)
def test_a_cursor_keeps_its_spans(spans: list[Window]) -> None:
    cursor = Cursor(history_from=at(1), backfilled_from=at(0), backfilled=joined(spans))
    assert Cursor.from_state(cursor.to_state()) == cursor

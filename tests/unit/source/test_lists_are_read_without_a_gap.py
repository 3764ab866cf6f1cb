"""Reading an inbox from an API that caps, cuts, runs dry or lies about its order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.settings import Settings
from pipelines.source import ReadingFailed
from pipelines.source.windows import Cursor

Make = Callable[..., Any]

START = datetime.fromtimestamp(1_767_225_600, UTC)
HOUR = 3600
DAY = 24 * HOUR


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def names(rows: dict[str, Any]) -> list[str]:
    return sorted(rows)


def view(api: Any) -> dict[str, Any]:
    """Everything the API shows now."""
    rows = (mention.as_of(api.now) for mention in api.mentions)
    return {row["unique_id"]: row for row in rows if row is not None}


@pytest.mark.parametrize("depth_cap", [6, 9, 30, 10_000])
@pytest.mark.parametrize("refuses_depth", [False, True])
def test_a_list_longer_than_the_depth_cap_is_continued_without_a_hole(
    mention: Make, list_api: Make, inbox: Make, depth_cap: int, refuses_depth: bool
) -> None:
    api = list_api([mention(f"m{n}", added=60 * (n // 2)) for n in range(50)], now=after(DAY), depth_cap=depth_cap)
    api.refuses_depth = refuses_depth
    box = inbox(api)
    box.run(start=START)
    assert box.rows == view(api)


def test_more_rows_in_a_second_than_the_api_lists_is_an_error(mention: Make, list_api: Make, inbox: Make) -> None:
    api = list_api([mention(f"m{n}", added=60) for n in range(20)], now=after(DAY), depth_cap=9)
    with pytest.raises(
        ReadingFailed, match=r"account 1417: more mentions were added in the second .*00:01:00"
    ) as error:
        inbox(api).run(start=START)
    assert "Ask the vendor" in str(error.value)


def test_changed_rows_are_read_no_further_than_needed(mention: Make, list_api: Make, inbox: Make) -> None:
    mentions = [mention(f"m{n:02}", added=n, acted=(100 + n,)) for n in range(30)]
    mentions[4] = mention("m04", added=4, acted=(104, 5 * HOUR))
    api = list_api(mentions, now=after(4 * HOUR))
    box = inbox(api)
    box.run(start=START)
    api.now, api.asked = after(6 * HOUR), []
    box.run(start=START)
    assert box.rows == view(api)
    assert len(api.mention_requests("action_last_date:desc")) == 1, "the first page's last row is older already"


@pytest.mark.parametrize("refuses_depth", [False, True])
def test_a_depth_cap_before_the_stop_splits_the_window(
    mention: Make, list_api: Make, inbox: Make, refuses_depth: bool
) -> None:
    mentions = [mention(f"m{n:02}", added=60 * n, acted=(3 * HOUR + n,)) for n in range(40)]
    api = list_api(mentions, now=after(2 * HOUR), depth_cap=6, refuses_depth=refuses_depth)
    box = inbox(api)
    box.run(start=START)
    api.now, api.asked = after(4 * HOUR), []
    box.run(start=START)
    assert box.rows == view(api)
    windows = {(request["date_from"], request["date_to"]) for request in api.mention_requests("action_last_date")}
    assert len(windows) > 1


def test_more_changes_in_a_second_than_the_api_lists_is_an_error(mention: Make, list_api: Make, inbox: Make) -> None:
    """They were few enough when they were new, and the cap has been lowered since."""
    acted_on = [mention(f"m{n}", added=60, acted=(3 * HOUR,)) for n in range(20)]
    api = list_api([*acted_on, mention("later", added=HOUR)], now=after(2 * HOUR))
    box = inbox(api)
    box.run(start=START)
    api.now, api.depth_cap = after(4 * HOUR), 9
    with pytest.raises(ReadingFailed):
        box.run(start=START)


@pytest.mark.parametrize("sort", ["dateadd:asc", "timestamps.action_last_date:desc"])
def test_an_order_that_is_not_honoured_is_an_error(mention: Make, list_api: Make, inbox: Make, sort: str) -> None:
    api = list_api([mention(f"m{n}", added=60 * n, acted=(60 * n + 1,)) for n in range(10)], now=after(DAY))
    box = inbox(api)
    if sort != "dateadd:asc":
        box.run(start=START)
        api.mentions, api.now = [replace(m, acted=(DAY + m.added,)) for m in api.mentions], after(2 * DAY)
    api.dishonoured_sort = sort
    with pytest.raises(ReadingFailed, match=f"account 1417: .*mentions.*sort={sort}") as error:
        box.run(start=START)
    assert "social-warehouse check" in str(error.value)


def test_order_is_watched_across_pages_too(mention: Make, list_api: Make, inbox: Make) -> None:
    """Each page is in order, but the second begins before the first has ended."""
    api = list_api([mention(f"m{n}", added=100 + n) for n in range(6)], now=after(DAY))

    def turn_back(api: Any) -> None:
        if len(api.mention_requests()) == 1:
            api.mentions = [mention(f"x{n}", added=n) for n in range(6)]

    api.before_page = turn_back
    with pytest.raises(ReadingFailed, match="another order"):
        inbox(api).run(start=START)


def test_a_used_up_budget_leaves_what_was_read_and_its_cursor(mention: Make, list_api: Make, inbox: Make) -> None:
    api = list_api([mention(f"m{n:02}", added=60 * n) for n in range(30)], now=after(DAY), allowed=6)
    box = inbox(api, page_size=3, batch_pages=2)
    reader = box.run(start=START)
    assert reader.stopped_by is not None
    assert reader.is_done
    assert reader.notices == [], "what was read is not read again"
    assert (reader.record_count, reader.page_count) == (15, 5), "one of the six requests was for topics"
    assert names(box.rows) == [f"m{n:02}" for n in range(15)]
    assert Cursor.from_state(box.state["1417"]).added_through == after(60 * 14)
    api.allowed = None
    assert box.run(start=START).stopped_by is None
    assert box.rows == view(api)


def test_a_budget_used_up_among_the_changes_does_not_claim_them(mention: Make, list_api: Make, inbox: Make) -> None:
    mentions = [mention(f"m{n:02}", added=n, acted=(3 * HOUR + n,)) for n in range(20)]
    api = list_api(mentions, now=after(2 * HOUR))
    box = inbox(api)
    box.run(start=START)
    acted_through = Cursor.from_state(box.state["1417"]).acted_through
    api.now, api.asked, api.allowed = after(4 * HOUR), [], 11
    reader = box.run(start=START)
    assert reader.stopped_by is not None
    (notice,) = reader.notices
    assert "mentions of account 1417: the calls ran out after" in notice
    assert Cursor.from_state(box.state["1417"]).acted_through == acted_through
    api.allowed = None
    box.run(start=START)
    assert box.rows == view(api)
    assert Cursor.from_state(box.state["1417"]).acted_through == after(3 * HOUR + 19)


def test_an_account_without_topics_is_not_asked_for_mentions(
    list_api: Make, inbox: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty list of topics would mean the user's own selection."""
    api = list_api([], now=after(DAY), topics=())
    reader = inbox(api).run(start=START)
    assert (reader.is_done, reader.record_count, api.mention_requests()) == (True, 0, [])
    assert "account 1417 has no topics" in caplog.text


def test_every_request_names_every_topic_and_both_ends(mention: Make, list_api: Make, inbox: Make) -> None:
    api = list_api([mention("m", added=5, acted=(9,))], now=after(DAY))
    box = inbox(api)
    box.run(start=START)
    box.run(start=START)
    assert api.mention_requests("dateadd:asc")
    assert api.mention_requests("action_last_date:desc")
    for request in api.mention_requests():
        assert request["topic_ids"] == "7,8"
        assert request["date_to"] == "2026-01-02T00:00:00+00:00"
        assert request["date_from"] <= request["date_to"]


def test_a_mention_acted_on_long_after_it_was_added_is_read_again(mention: Make, list_api: Make, inbox: Make) -> None:
    api = list_api([mention("old", added=5, acted=(80 * DAY,))], now=after(DAY))
    box = inbox(api)
    for day in range(1, 82, 5):
        api.now = after(day * DAY)
        box.run(start=api.now - timedelta(days=28))
    assert box.rows == view(api)


def test_a_pause_longer_than_the_default_history_leaves_no_hole(mention: Make, list_api: Make, inbox: Make) -> None:
    """Without a start date, a first sync reaches back 28 days; later ones to where the last one ended."""
    api = list_api([mention("first", added=5), mention("in_the_pause", added=5 * DAY)], now=after(DAY))
    box = inbox(api)
    options = Settings.model_construct(social_connect_start_date=None)
    for day in (1, 40):
        api.now = after(day * DAY)
        box.run(start=options.start_date(api.now))
    assert names(box.rows) == ["first", "in_the_pause"]


def test_an_account_that_was_empty_at_first_has_no_hole_either(mention: Make, list_api: Make, inbox: Make) -> None:
    api = list_api([mention("in_the_pause", added=5 * DAY)], now=after(DAY))
    box = inbox(api)
    options = Settings.model_construct(social_connect_start_date=None)
    for day in (1, 40):
        api.now = after(day * DAY)
        box.run(start=options.start_date(api.now))
    assert names(box.rows) == ["in_the_pause"]


def test_a_row_deleted_between_two_pages_hides_no_other(mention: Make, list_api: Make, inbox: Make) -> None:
    """Pages are offsets: when a row that was read goes, the next page begins one row too late."""
    api = list_api([mention(f"m{n}", added=60 * n) for n in range(9)], now=after(DAY))

    def delete_first(api: Any) -> None:
        if len(api.mention_requests()) == 1:
            api.mentions = [kept for kept in api.mentions if kept.name != "m0"]

    api.before_page = delete_first
    box = inbox(api)
    box.run(start=START)
    assert set(view(api)) <= set(box.rows)


def test_a_run_as_of_an_earlier_time_does_no_harm(mention: Make, list_api: Make, inbox: Make) -> None:
    """It reads nothing new, and the next run reads on where the later one ended."""
    api = list_api([mention(f"m{n}", added=HOUR * n, acted=(HOUR * n + 60,)) for n in range(48)], now=after(DAY))
    box = inbox(api)
    box.run(start=START)
    before = Cursor.from_state(box.state["1417"])
    api.now = after(DAY / 2)
    box.run(start=START)
    assert all(request["date_from"] <= request["date_to"] for request in api.mention_requests())
    after_it = Cursor.from_state(box.state["1417"])
    assert before.added_through is not None
    assert after_it.added_through is not None
    assert after_it.added_through >= before.added_through
    api.now = after(3 * DAY)
    box.run(start=START)
    assert box.rows == view(api)


a_history = st.lists(
    st.tuples(st.integers(0, 90 * DAY // 450), st.lists(st.integers(0, 90 * DAY // 450), max_size=3)), max_size=40
)
some_runs = st.lists(st.tuples(st.integers(60, 10 * DAY), st.none() | st.integers(0, 4)), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(a_history, some_runs, st.integers(1, 4), st.integers(1, 3), st.sampled_from([5, 8, 10_000]))
def test_runs_that_die_anywhere_lose_nothing(
    mention: Make,
    list_api: Make,
    inbox: Make,
    history: list[tuple[int, list[int]]],
    runs: list[tuple[int, int | None]],
    page_size: int,
    batch_pages: int,
    depth_cap: int,
) -> None:
    """Runs at any times, each dead after some batches or whole; then one whole run: every row is there as it is now.

    Times are spread so that no second holds more rows than the API lists.
    """
    mentions = [
        mention(f"m{n}", added=450 * slot + n, acted=tuple(450 * (slot + act) + n for act in acts))
        for n, (slot, acts) in enumerate(history)
    ]
    api = list_api(mentions, now=START, depth_cap=depth_cap)
    box = inbox(api, page_size=page_size, batch_pages=batch_pages)
    for pause_seconds, take in [*runs, (60, None)]:
        api.now += timedelta(seconds=pause_seconds)
        box.run(start=START, take=take)
        cursor = Cursor.from_state(box.state.get("1417", {}))
        for time in (cursor.added_through, cursor.acted_through):
            assert time is None or time <= api.now
    assert box.rows == view(api)


def by_topic(list_api: Make) -> Make:
    """An inbox that lists only mentions of the topics that it is asked for."""

    class TopicsApi(list_api):  # type: ignore[misc, valid-type]
        def listed(self, path: str, params: Any) -> Any:
            asked = str(params["topic_ids"]).split(",")
            return [row for row in super().listed(path, params) if row["unique_id"].split("_")[0] in asked]

    return TopicsApi


def test_a_new_topic_larger_than_an_allowance_is_read_in_several_runs(
    mention: Make, list_api: Make, inbox: Make
) -> None:
    """What is new elsewhere is read all the while, and no row of the new topic more than a page twice."""
    mentions = [
        mention("7_old", added=DAY - 60),
        *(mention(f"8_{n:02}", added=60 * n) for n in range(30)),
        *(mention(f"{topic}_day{day}", added=day * DAY + 10) for day in range(1, 9) for topic in (7, 8)),
    ]
    api = by_topic(list_api)(mentions=mentions, now=after(DAY), topics=({"id": 7},))
    box = inbox(api)
    box.run(start=START)
    api.topics = ({"id": 7}, {"id": 8})
    counts = []
    for day in range(2, 9):
        api.now, api.asked, api.allowed = after(day * DAY), [], 7
        reader = box.run(start=START)
        counts.append(sum(name.startswith("8_") and "day" not in name for name in box.rows))
        assert {f"{topic}_day{before}" for topic in (7, 8) for before in range(1, day)} <= set(box.rows)
        assert (box.cursor.ids == ("7", "8")) == (reader.stopped_by is None)
        assert box.cursor.joining_ids == (() if reader.stopped_by is None else ("8",))
        if reader.stopped_by is None:
            break
    assert reader.stopped_by is None
    assert counts == sorted(set(counts))
    assert box.rows == view(api)


def test_a_topic_that_comes_while_another_is_read_is_read_from_its_beginning(
    mention: Make, list_api: Make, inbox: Make
) -> None:
    mentions = [mention(f"{topic}_{n:02}", added=600 * n + topic) for topic in (7, 8, 9) for n in range(12)]
    api = by_topic(list_api)(mentions=mentions, now=after(DAY), topics=({"id": 7},))
    box = inbox(api)
    box.run(start=START)
    api.topics, api.now, api.asked, api.allowed = ({"id": 7}, {"id": 8}), after(2 * DAY), [], 6
    assert box.run(start=START).stopped_by is not None
    assert box.cursor.joining_ids == ("8",)
    api.topics, api.now, api.allowed = ({"id": 7}, {"id": 8}, {"id": 9}), after(3 * DAY), None
    assert box.run(start=START).stopped_by is None
    assert box.rows == view(api)
    assert (box.cursor.ids, box.cursor.joining) == (("7", "8", "9"), None)


def test_a_topic_that_goes_while_its_history_is_read_is_forgotten(mention: Make, list_api: Make, inbox: Make) -> None:
    mentions = [mention(f"{topic}_{n:02}", added=600 * n + topic) for topic in (7, 8) for n in range(12)]
    api = by_topic(list_api)(mentions=mentions, now=after(DAY), topics=({"id": 7},))
    box = inbox(api)
    box.run(start=START)
    api.topics, api.now, api.asked, api.allowed = ({"id": 7}, {"id": 8}), after(2 * DAY), [], 6
    box.run(start=START)
    api.topics, api.now, api.allowed = ({"id": 7},), after(3 * DAY), None
    box.run(start=START)
    assert (box.cursor.ids, box.cursor.joining_ids, box.cursor.joining) == (("7",), (), None)
    api.topics, api.now = ({"id": 7}, {"id": 8}), after(4 * DAY)
    box.run(start=START)
    assert box.rows == view(api)

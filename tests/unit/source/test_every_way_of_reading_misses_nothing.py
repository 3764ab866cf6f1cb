"""Logs, contacts, posts, notes and whole lists, read from an API whose rows move, hide, come late or are cut off."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.api import PermissionDenied
from pipelines.source import STREAMS, AccountReading, ReadingFailed

Json = dict[str, Any]
Make = Callable[..., Any]

FIRST_SECOND = 1_767_225_600
START = datetime.fromtimestamp(FIRST_SECOND, UTC)
MINUTE, HOUR, DAY = 60, 3600, 86_400

no_fixture_check = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def row(number: int, added: int, **dates: int) -> Json:
    """A row whose dates are given in seconds after the start."""
    date = {"added": added} | dates
    shown = {name: FIRST_SECOND + second for name, second in date.items()}
    return {"id": f"r{number}", "date": shown, "dateadd": shown["added"]}


def orders() -> dict[str, Callable[[Json], Any]]:
    return {
        "oldest first": lambda each: each["date"]["added"],
        "newest first": lambda each: -each["date"]["added"],
        "any": lambda each: each["date"]["added"] % 7,
    }


def there_by(rows: Iterable[Json], now: datetime) -> dict[str, Json]:
    """The rows that a list shows, the present second left out: it may not be over."""
    return {
        each["id"]: each
        for each in rows
        if each["date"]["added"] < now.timestamp() and each["date"].get("visible", 0) <= now.timestamp()
    }


# --- logs ---

some_runs = st.lists(st.tuples(st.integers(30, 3 * DAY), st.none() | st.integers(0, 3)), min_size=1, max_size=7)
some_entries = st.lists(st.tuples(st.integers(0, 14 * DAY), st.integers(0, 14 * MINUTE)), max_size=40)


@no_fixture_check
@given(
    some_entries,
    some_runs,
    st.sampled_from(sorted(orders())),
    st.booleans(),
    st.sampled_from([5, 8, 10_000]),
    st.sampled_from(["account_changes", "security_events"]),
)
def test_a_log_is_read_whole_whatever_its_order(
    rows_api: Make,
    reading: Make,
    entries: list[tuple[int, int]],
    runs: list[tuple[int, int | None]],
    order: str,
    includes_end: bool,
    depth_cap: int,
    stream_name: str,
) -> None:
    """Entries show up to 14 minutes late; runs die after some batches; the cap cuts the list; the end may be outside.

    Times are spread so that no second holds more entries than the API lists.
    """
    rows = [row(n, 60 * (added // 60) + n, visible=added + late + n) for n, (added, late) in enumerate(entries)]
    api = rows_api(rows=rows, now=START, order=orders()[order], includes_end=includes_end, depth_cap=depth_cap)
    box = reading(api, stream_name)
    for pause_seconds, take in [*runs, (60, None), (20 * MINUTE, None)]:
        api.now += timedelta(seconds=pause_seconds)
        box.run(start=START, take=take)
        assert box.cursor.added_through is None or box.cursor.added_through <= api.now
    assert there_by(rows, api.now).items() <= box.rows.items()
    assert len(box.rows) <= len(rows)


def test_a_log_earns_its_cursor_with_the_last_page_only(rows_api: Make, reading: Make) -> None:
    """Newest first, the first page would already claim all that comes after it."""
    rows = [row(n, HOUR * n) for n in range(10)]
    api = rows_api(rows=rows, now=after(DAY), order=orders()["newest first"])
    box = reading(api, "account_changes", page_size=2, batch_pages=1)
    box.run(start=START, take=4)
    assert (len(box.rows), box.cursor.added_through) == (8, None)
    box.run(start=START)
    assert (len(box.rows), box.cursor.added_through) == (10, after(9 * HOUR))
    api.asked.clear()
    api.now = after(2 * DAY)
    box.run(start=START)
    assert len(api.asked) == 1
    assert api.asked[0]["date_from"] == after(9 * HOUR - 15 * MINUTE).isoformat()


def test_a_log_with_more_entries_in_a_second_than_the_api_lists_is_an_error(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(n, HOUR) for n in range(7)], now=after(DAY), depth_cap=5)
    with pytest.raises(ReadingFailed, match=r"account 1417: more security_events were added in the second"):
        reading(api, "security_events").run(start=START)


def test_a_used_up_budget_in_a_log_that_is_cut_claims_nothing(rows_api: Make, reading: Make) -> None:
    rows = [row(n, HOUR * n) for n in range(20)]
    api = rows_api(rows=rows, now=after(DAY), depth_cap=6, allowed=5, order=orders()["newest first"])
    box = reading(api, "account_changes")
    assert box.run(start=START).stopped_by is not None
    assert box.cursor.added_through is None
    api.allowed = None
    box.run(start=START)
    assert box.rows == there_by(rows, api.now)


@pytest.mark.parametrize("stream_name", ["account_changes", "publisher_posts"])
def test_a_list_refused_beyond_its_depth_is_read_by_halves(rows_api: Make, reading: Make, stream_name: str) -> None:
    rows = [row(n, HOUR * n) for n in range(20)]
    api = rows_api(rows=rows, now=after(DAY), depth_cap=6, refuses_depth=True)
    box = reading(api, stream_name)
    box.run(start=START)
    assert box.rows == there_by(rows, api.now)
    assert box.cursor.read_at == after(DAY)


def test_a_log_that_is_begun_again_by_each_sync_says_how_it_is_finished(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(n, HOUR * n) for n in range(20)], now=after(DAY), allowed=5)
    box = reading(api, "account_changes")
    (notice,) = box.run(start=START).notices
    assert "account_changes of account 1417: the calls ran out after" in notice
    assert "SOCIAL_CONNECT_MAX_WAIT_SECONDS" in notice
    api.allowed = None
    assert box.run(start=START).notices == []


@pytest.mark.parametrize("stream_name", ["account_changes", "publisher_posts"])
@pytest.mark.parametrize("after_page", range(1, 5))
def test_rows_that_go_from_a_list_in_no_order_hide_no_other(
    rows_api: Make, reading: Make, stream_name: str, after_page: int
) -> None:
    api = rows_api(rows=[row(n, HOUR * n) for n in range(20)], now=after(DAY))

    def delete_first(api: Any) -> None:
        if sum("date_from" in request for request in api.asked) == after_page:
            api.rows = api.rows[1:]

    api.before_page = delete_first
    box = reading(api, stream_name)
    box.run(start=START)
    assert there_by(api.rows, api.now).items() <= box.rows.items()


def test_a_list_in_no_order_from_which_rows_always_go_comes_to_its_end(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(n, MINUTE * n) for n in range(200)], now=after(DAY))

    def delete_first(api: Any) -> None:
        api.rows = api.rows[1:]

    api.before_page = delete_first
    box = reading(api, "account_changes")
    box.run(start=START)
    assert there_by(api.rows, api.now).items() <= box.rows.items()
    assert box.cursor.read_at == after(DAY)


# --- contacts ---

contact_slots = st.lists(st.integers(0, 2 * DAY), max_size=25, unique=True)


@no_fixture_check
@given(contact_slots, st.data(), some_runs, st.integers(3, 5), st.sampled_from([4, 6, 10_000]))
def test_contacts_that_move_while_pages_are_read_hide_no_other(
    rows_api: Make,
    reading: Make,
    slots: list[int],
    data: st.DataObject,
    runs: list[tuple[int, int | None]],
    page_size: int,
    depth_cap: int,
) -> None:
    """Before any page, a contact may be updated, which moves it to the end, or deleted; runs die after some batches.

    Updates are seconds apart: those of one second are told apart by no time, and fit a page here.
    """
    rows = [row(n, 3 * slot, updated=3 * slot) for n, slot in enumerate(slots)]
    api = rows_api(rows=rows, now=START, depth_cap=depth_cap)
    gone: set[str] = set()

    def something_happens(api: Any) -> None:
        shown = [each for each in api.rows if each["date"]["added"] <= api.now.timestamp()]
        what = data.draw(st.sampled_from(["nothing", "update", "delete"])) if shown else "nothing"
        if what == "nothing":
            return
        one = data.draw(st.sampled_from(shown))
        api.rows = [each for each in api.rows if each is not one]
        if what == "update":
            api.now += timedelta(seconds=3)
            api.rows.append(one | {"date": one["date"] | {"updated": int(api.now.timestamp())}})
        else:
            gone.add(one["id"])

    box = reading(api, "contacts", page_size=page_size)
    for pause_seconds, take in runs:
        api.now += timedelta(seconds=pause_seconds)
        api.before_page = something_happens
        box.run(start=START, take=take)
    api.before_page = lambda _api: None
    api.now += timedelta(hours=1)
    box.run(start=START)
    shown = {each["id"]: each for each in api.rows if each["date"]["added"] <= api.now.timestamp()}
    assert {identifier: each for identifier, each in box.rows.items() if identifier not in gone} == shown


def test_contacts_updated_in_one_second_fill_several_pages(rows_api: Make, reading: Make) -> None:
    rows = [row(n, 0, updated=HOUR + n // 10) for n in range(30)]
    api = rows_api(rows=rows, now=after(DAY))
    box = reading(api, "contacts")
    box.run(start=START)
    assert box.rows == {each["id"]: each for each in rows}
    assert box.cursor.updated_through == after(HOUR + 2)
    with pytest.raises(ReadingFailed, match="more contacts"):
        reading(rows_api(rows=rows, now=after(DAY), depth_cap=9), "contacts").run(start=START)


def test_contacts_in_another_order_are_an_error(rows_api: Make, reading: Make) -> None:
    rows = [row(n, 0, updated=HOUR * n) for n in range(8)]
    api = rows_api(rows=rows, now=after(DAY), dishonoured_sort="lastupdate:asc")
    box = reading(api, "contacts")
    with pytest.raises(ReadingFailed, match="another order than sort=lastupdate:asc"):
        box.run(start=START)
    assert (box.rows, box.cursor.updated_through) == ({}, None)


def test_a_used_up_budget_among_contacts_keeps_what_was_read(rows_api: Make, reading: Make) -> None:
    rows = [row(n, 0, updated=HOUR * n) for n in range(12)]
    api = rows_api(rows=rows, now=after(DAY), allowed=2)
    box = reading(api, "contacts")
    assert box.run(start=START).stopped_by is not None
    assert 3 < len(box.rows) < 12
    assert box.cursor.updated_through == after(HOUR * (len(box.rows) - 1))
    api.allowed = None
    box.run(start=START)
    assert box.rows == {each["id"]: each for each in rows}


# --- posts ---


@no_fixture_check
@given(
    st.lists(st.tuples(st.integers(0, 90 * DAY), st.lists(st.integers(60, 28 * DAY - 60), max_size=3)), max_size=25),
    st.lists(st.tuples(st.integers(60, 45 * DAY), st.none() | st.integers(0, 3)), min_size=1, max_size=6),
    st.sampled_from(sorted(orders())),
    st.booleans(),
    st.sampled_from([5, 10_000]),
)
def test_posts_are_followed_for_four_weeks(
    rows_api: Make,
    reading: Make,
    posts: list[tuple[int, list[int]]],
    runs: list[tuple[int, int | None]],
    order: str,
    includes_end: bool,
    depth_cap: int,
) -> None:
    """Whatever changes within four weeks of a post is seen, however long nobody looks."""
    api = rows_api(rows=[], now=START, order=orders()[order], includes_end=includes_end, depth_cap=depth_cap)
    box = reading(api, "publisher_posts")

    def shown() -> list[Json]:
        now = (api.now - START).total_seconds()
        return [
            row(n, 60 * (added // 60) + n) | {"version": sum(added + change <= now for change in changes)}
            for n, (added, changes) in enumerate(posts)
        ]

    for pause_seconds, take in [*runs, (60, None)]:
        api.now += timedelta(seconds=pause_seconds)
        api.rows = shown()
        box.run(start=START, take=take)
    assert box.rows == {each["id"]: each for each in api.rows if each["date"]["added"] <= api.now.timestamp()}


def test_a_post_changed_at_the_end_of_four_weeks_is_read_again(rows_api: Make, reading: Make) -> None:
    """And as much later as nobody has looked since."""
    api = rows_api(rows=[row(1, HOUR)], now=after(HOUR + 28 * DAY - 1))
    box = reading(api, "publisher_posts")
    box.run(start=START)
    api.now, api.rows = after(60 * DAY), [row(1, HOUR) | {"status": "posted"}]
    box.run(start=START)
    assert box.rows["r1"]["status"] == "posted"


@pytest.mark.parametrize("stream_name", ["account_changes", "security_events", "contacts", "publisher_posts"])
@pytest.mark.parametrize("was_empty", [True, False])
def test_a_pause_longer_than_the_default_history_leaves_no_hole(
    rows_api: Make, reading: Make, stream_name: str, was_empty: bool
) -> None:
    """Without a start date, a first sync reaches back 28 days; later ones to where the last one ended."""
    rows = [row(n, day * DAY, updated=day * DAY) for n, day in enumerate([3] if was_empty else [0, 3])]
    api = rows_api(rows=rows, now=after(DAY))
    box = reading(api, stream_name)
    for day in (1, 40):
        api.now = after(day * DAY)
        box.run(start=api.now - timedelta(days=28))
    assert box.rows == {each["id"]: each for each in rows}


def test_posts_planned_for_the_coming_year_are_read(rows_api: Make, reading: Make) -> None:
    """Where the window is of the publication, what is planned lies ahead of now."""
    api = rows_api(rows=[row(1, 300 * DAY, visible=0), row(2, HOUR)], now=after(DAY))
    box = reading(api, "publisher_posts")
    box.run(start=START)
    assert sorted(box.rows) == ["r1", "r2"]
    posts = [request for request in api.asked if "publisher" in request["path"]]
    assert [request["topic_ids"] for request in posts] == ["7,8"]
    api.now = after(2 * DAY)
    box.run(start=START)
    assert box.cursor.added_through == after(2 * DAY), "a plan does not move the cursor ahead of the clock"


def test_an_account_without_topics_is_not_asked_for_posts(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(1, HOUR)], now=after(DAY), topics=())
    box = reading(api, "publisher_posts")
    assert (box.run(start=START).record_count, len(api.asked)) == (0, 1)


# --- notes ---


def note(number: int) -> Json:
    return {"id": f"n{number}", "type": "note"}


def noted(times: dict[str, int]) -> Callable[[str, datetime | None], list[tuple[datetime, str]]]:
    """Mentions with the second of their latest note, oldest first, as the warehouse tells of them."""

    def since(account_id: str, moment: datetime | None) -> list[tuple[datetime, str]]:
        assert account_id == "1417"
        found = ((after(second), unique_id) for unique_id, second in times.items())
        return sorted(each for each in found if moment is None or each[0] > moment)

    return since


def test_notes_are_asked_for_once_and_the_longest_waiting_first(rows_api: Make, reading: Make) -> None:
    notes = {f"7_{n}": [note(n), note(100 + n)] for n in range(4)}
    api = rows_api(notes=notes, now=after(DAY))
    box = reading(api, "mention_context_items")
    times = {"7_2": 10, "7_0": 20, "7_3": 30}
    box.noted = noted(times)
    box.run(start=START)
    asked = [request["path"] for request in api.asked]
    assert asked == [f"/1417/inbox/context/7/{n}" for n in (2, 0, 3)]
    assert all(request["context_type"] == "notes" for request in api.asked)
    assert all(request["date_from"] < request["date_to"] for request in api.asked), "else only four weeks are given"
    assert box.given == [{"unique_id": "7_2"}, {"unique_id": "7_0"}, {"unique_id": "7_3"}]
    times |= {"7_1": 40, "7_2": 50}
    api.asked.clear()
    box.run(start=START)
    assert [request["path"][-1] for request in api.asked] == ["1", "2"]


def test_a_mention_that_is_gone_keeps_no_other_waiting(
    rows_api: Make, reading: Make, caplog: pytest.LogCaptureFixture
) -> None:
    api = rows_api(notes={"7_1": [note(1)], "7_3": []}, now=after(DAY))
    box = reading(api, "mention_context_items")
    box.noted = noted({"7_1": 10, "7_2": 20, "7_3": 30})
    assert box.run(start=START).stopped_by is None
    assert "mention 7_2 is gone" in caplog.text
    assert (sorted(box.rows), box.cursor.acted_through) == (["n1"], after(30))


def at_most(noted: Callable[..., Any], count: int) -> Callable[..., Any]:
    """As many mentions as a run may ask."""
    return lambda account_id, moment: noted(account_id, moment)[:count]


def refuse(api: Any, *unique_ids: str) -> None:
    """Has the API refuse the notes on some mentions, and no others."""
    listed = api.listed

    def or_refuse(path: str, params: Any) -> Any:
        if "_".join(path.split("/")[-2:]) in unique_ids:
            raise PermissionDenied(403, "no_permission", "not yours", path)
        return listed(path, params)

    api.listed = or_refuse


def test_mentions_that_are_gone_are_asked_for_once(rows_api: Make, reading: Make) -> None:
    """However many they are: those behind them get their turn."""
    api = rows_api(notes={"7_9": [note(9)]}, now=after(DAY))
    box = reading(api, "mention_context_items")
    box.noted = at_most(noted({"7_1": 10, "7_2": 20, "7_9": 30}), 2)
    for _ in range(3):
        box.run(start=START)
    assert [request["path"][-1] for request in api.asked] == ["1", "2", "9"]
    assert (list(box.rows), box.cursor.acted_through) == (["n9"], after(30))


@pytest.mark.parametrize("refused", ["7_1", "7_2", "7_3"])
def test_a_mention_that_alone_is_refused_keeps_no_other_waiting(rows_api: Make, reading: Make, refused: str) -> None:
    times = {"7_1": 10, "7_2": 20, "7_3": 30}
    api = rows_api(notes={unique_id: [note(int(unique_id[-1]))] for unique_id in times}, now=after(DAY))
    refuse(api, refused)
    box = reading(api, "mention_context_items")
    box.noted = noted(times)
    reader = box.run(start=START)
    assert (reader.notices, box.cursor.acted_through, box.cursor.refused_at) == ([], after(30), None)
    assert sorted(box.rows) == sorted(f"n{unique_id[-1]}" for unique_id in times if unique_id != refused)


@pytest.mark.parametrize(("count", "call_count"), [(2, 2), (20, 5)])
def test_notes_that_are_refused_wait_until_they_are_not(
    rows_api: Make, reading: Make, count: int, call_count: int
) -> None:
    times = {f"7_{n}": 10 * n for n in range(count)}
    api = rows_api(notes={f"7_{n}": [note(n)] for n in range(count)}, now=after(DAY))
    listed = api.listed
    refuse(api, *times)
    box = reading(api, "mention_context_items")
    box.noted = noted(times)
    (notice,) = box.run(start=START).notices
    assert "mention_context_items of account 1417 skipped" in notice
    assert (len(api.asked), box.cursor.acted_through) == (call_count, None)
    api.listed = listed
    assert box.run(start=START).notices == []
    assert len(box.rows) == count


@pytest.mark.parametrize("allowed", range(1, 12))
def test_a_used_up_budget_among_notes_skips_none(rows_api: Make, reading: Make, allowed: int) -> None:
    """Pages that are left, and mentions noted in the same second, are read by the next run."""
    notes = {f"7_{n}": [note(10 * n + place) for place in range(25 * (n % 2) + 1)] for n in range(6)}
    api = rows_api(notes=notes, now=after(DAY), allowed=allowed)
    box = reading(api, "mention_context_items", batch_pages=1)
    box.noted = noted({"7_0": 10, "7_1": 10, "7_2": 10, "7_3": 20, "7_4": 30, "7_5": 30})
    box.run(start=START)
    api.allowed = None
    box.run(start=START)
    assert set(box.rows) == {each["id"] for listed in notes.values() for each in listed}


# --- whole lists ---


def test_a_whole_list_is_not_read_as_of_a_time_before_it_was(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(1, 0)], now=after(DAY))
    box = reading(api, "users")
    box.run(start=START)
    api.now = after(DAY - 1)
    assert box.run(start=START).page_count == 0
    assert box.cursor.read_at == after(DAY)


def test_a_whole_list_that_stops_half_way_gives_nothing(rows_api: Make, reading: Make) -> None:
    """Or what it does not have would look as if it were gone."""
    api = rows_api(rows=[row(n, 0) for n in range(7)], now=after(DAY), allowed=2)
    box = reading(api, "users", batch_pages=1)
    reader = box.run(start=START)
    assert reader.stopped_by is not None
    assert (box.rows, box.cursor.read_at, reader.record_count) == ({}, None, 0)


def test_an_empty_list_was_read_too(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[], now=after(DAY))
    box = reading(api, "users")
    assert (box.run(start=START).page_count, box.cursor.read_at) == (1, after(DAY))


@pytest.mark.parametrize("stream_name", ["users", "topics"])
def test_a_whole_list_that_is_cut_short_tells_nothing_of_what_it_lacks(
    rows_api: Make, reading: Make, stream_name: str
) -> None:
    rows = [row(n, 0) for n in range(9)]
    api = rows_api(rows=rows, topics=rows, now=after(DAY))
    box = reading(api, stream_name)
    box.run(start=START)
    before = box.cursor
    api.now, api.depth_cap, api.rows = after(2 * DAY), 6, [each | {"seen": "again"} for each in rows]
    api.topics = api.rows
    reader = box.run(start=START)
    assert (reader.stopped_by, box.cursor.read_at, box.cursor.ids) == (None, before.read_at, before.ids)
    assert box.cursor.cut_short_at == after(2 * DAY)
    assert sum("seen" in each for each in box.rows.values()) == 6, "what was listed is kept"
    (notice,) = reader.notices
    assert f"{stream_name} of account 1417 were cut short: the API lists 6 of 9 rows" in notice
    api.refuses_depth = True
    (notice,) = box.run(start=START).notices
    assert f"{stream_name} of account 1417 were cut short: the API lists 6 rows" in notice
    api.now, api.depth_cap = after(3 * DAY), 10_000
    assert box.run(start=START).notices == []
    assert (box.cursor.read_at, box.cursor.cut_short_at) == (after(3 * DAY), None)


def test_a_whole_list_from_which_rows_go_is_read_anew(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(n, 0) for n in range(9)], now=after(DAY))

    def delete_first(api: Any) -> None:
        if len(api.asked) == 1:
            api.rows = api.rows[1:]

    api.before_page = delete_first
    box = reading(api, "users")
    assert box.run(start=START).notices == []
    assert (sorted(box.rows), box.cursor.read_at) == ([f"r{n}" for n in range(1, 9)], after(DAY))


def test_a_whole_list_from_which_rows_go_all_the_time_is_not_taken_for_whole(rows_api: Make, reading: Make) -> None:
    api = rows_api(rows=[row(n, 0) for n in range(90)], now=after(DAY))

    def delete_first(api: Any) -> None:
        api.rows = api.rows[1:]

    api.before_page = delete_first
    box = reading(api, "users")
    (notice,) = box.run(start=START).notices
    assert "users of account 1417 were cut short" in notice
    assert (box.cursor.read_at, box.cursor.cut_short_at) == (None, after(DAY))


def test_a_list_of_topics_that_is_cut_short_takes_none_from_the_inbox(rows_api: Make) -> None:
    api = rows_api(now=after(DAY), topics=[{"id": n} for n in range(90)], depth_cap=60)
    account = AccountReading(api, "1417", START, api.now, known_topic_ids=("88", "7"))
    account.snapshot(next(stream for stream in STREAMS if stream.name == "topics"))
    assert account.topic_ids() == ["88", "7", *(str(n) for n in range(60) if n != 7)]

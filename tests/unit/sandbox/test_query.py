"""Filters, orders, dates and page tokens answer as a look at every mention would."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from sandbox import Sandbox
from sandbox.account import State
from sandbox.errors import ApiError
from sandbox.query import filtered, instant, list_parameter, ordered, read_page_token, write_page_token

Json = dict[str, Any]


def build(*, touched: bool) -> Sandbox:
    sandbox = Sandbox(seed=2, mentions=900)
    sandbox.advance(days=2, hours=3)
    if touched:
        agent = sandbox.users(1417)[0]["id"]
        for mention in sandbox.mentions(1417)[::9]:
            unique_id = mention["unique_id"]
            sandbox.act(1417, unique_id, kind="reply", user_id=agent, text="ok")
            sandbox.act(1417, unique_id, kind="status", status="pending", user_id=agent)
            sandbox.act(1417, unique_id, kind="tag", tags_added=["VIP", "a new one"], tags_removed=["FR"])
            sandbox.edit_mention(1417, unique_id, {"message": {"sentiment": "positive"}})
        sandbox.advance(minutes=30)
    return sandbox


@pytest.fixture(scope="module", params=[False, True], ids=["planned", "touched"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return build(touched=request.param)


@pytest.fixture(scope="module")
def state(sandbox: Sandbox) -> State:
    return sandbox.accounts[1417].state(sandbox.now_seconds)


@pytest.fixture(scope="module")
def shown(state: State) -> list[Json]:
    return [state.mention(row) for row in range(state.size)]


def newest(mention: Json) -> int:
    return max((action["date"]["added"] for action in mention["actions"]), default=-1)


def age_minutes(mention: Json, now: int) -> float:
    return (now - newest(mention)) / 60


FILTERS: dict[str, Callable[[Json, int], Any]] = {
    "status:new": lambda m, _: m["status"] == "new" and not m["author"]["managed"],
    "status:pending": lambda m, _: m["status"] == "pending" and not m["author"]["managed"],
    "status:done": lambda m, _: m["status"] == "done" and not m["author"]["managed"],
    "status:alldone": lambda m, _: m["status"] == "done",
    "status:sent": lambda m, _: m["author"]["managed"],
    "source:twitter": lambda m, _: m["source"]["service"] == "twitter",
    "source:social": lambda m, _: m["source"]["category"].startswith("social"),
    "source:news": lambda m, _: m["source"]["category"].startswith("news"),
    "language:nl": lambda m, _: m["message"]["language"] == "nl",
    "language:xx": lambda _m, _: False,
    "sentiment:positive": lambda m, _: m["message"]["sentiment"] == "positive",
    "sentiment:unset": lambda m, _: m["message"]["sentiment"] == "unset",
    'usertag:"(LANGUAGE)"': lambda m, _: "(LANGUAGE)" in m.get("tags", []),
    'usertag:"_Info Search"': lambda m, _: "_Info Search" in m.get("tags", []),
    "usertag:VIP": lambda m, _: "VIP" in m.get("tags", []),
    'usertag:"a new one"': lambda m, _: "a new one" in m.get("tags", []),
    "action:replied": lambda m, _: any(action["type"] == "reply" for action in m["actions"]),
    "action_date_age:[0 TO 90]": lambda m, now: m["actions"] != [] and age_minutes(m, now) <= 90,
    "action_date_age:[60 TO *]": lambda m, now: m["actions"] != [] and age_minutes(m, now) >= 60,
    "NOT language:nl": lambda m, _: m["message"]["language"] != "nl",
    "status:alldone AND language:fr": lambda m, _: m["status"] == "done" and m["message"]["language"] == "fr",
    "language:nl OR language:fr AND status:alldone": lambda m, _: (
        m["message"]["language"] == "nl" or (m["message"]["language"] == "fr" and m["status"] == "done")
    ),
    "(language:nl OR language:fr) AND NOT (status:alldone OR sentiment:negative)": lambda m, _: (
        m["message"]["language"] in {"nl", "fr"}
        and not (m["status"] == "done" or m["message"]["sentiment"] == "negative")
    ),
    "": lambda _m, _: True,
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_selects_what_reading_every_mention_selects(
    sandbox: Sandbox, state: State, shown: list[Json], text: str
) -> None:
    expected = [bool(FILTERS[text](mention, sandbox.now_seconds)) for mention in shown]
    assert filtered(state, text).tolist() == expected


@pytest.mark.parametrize("word", ["internet", '"no internet"', "content:Dag", "RÉSEAU"])
def test_content_words_are_found_in_whatever_is_shown(state: State, shown: list[Json], word: str) -> None:
    wanted = word.removeprefix("content:").strip('"').lower()
    selected = filtered(state, word)
    for row, mention in enumerate(shown):
        text = mention["message"].get("stripped_content", mention["message"].get("content"))
        if text is not None:
            assert selected[row] == (wanted in text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "(status:new",
        "status:new)",
        "status:",
        "status:finished",
        "colour:red",
        "AND status:new",
        "status:new AND",
        "sentiment:glad",
        "action:danced",
        "action_date_age:5",
        "action_date_age:[a TO b]",
        '"no end',
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(state: State, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        filtered(state, text)
    assert (refused.value.status, refused.value.error) == (400, "invalid_parameter")


def first(mention: Json, kind: Any) -> int:
    return next((action["date"]["added"] for action in mention["actions"] if action["type"] == kind), -1)


SORTS: dict[str, Callable[[Json], int]] = {
    "dateadd:desc": lambda m: m["date"]["added"],
    "timestamps.action_reply_first:desc": lambda m: m["timestamps"].get("response_time", -1),
    "timestamps.action_reply_first_in_bh:desc": lambda m: m["timestamps"].get("response_time_during_bh", -1),
    "timestamps.action_status_last:desc": lambda m: first(m, "status"),
    "timestamps.action_last_date:desc": newest,
}


@pytest.mark.parametrize("sort", SORTS)
def test_descending_orders_put_rows_without_the_value_last(state: State, shown: list[Json], sort: str) -> None:
    values = [SORTS[sort](shown[row]) for row in ordered(state, sort)]
    assert values == sorted(values, reverse=True)
    if sort != "dateadd:desc":
        assert values[-1] == -1


def test_every_order_has_every_row_once(state: State) -> None:
    for sort in (*SORTS, "dateadd:asc", "followers:desc"):
        assert sorted(ordered(state, sort).tolist()) == list(range(state.size))


def test_ascending_order_is_by_arrival_and_ties_do_not_follow_the_id_or_the_row() -> None:
    sandbox = Sandbox(seed=2, mentions=4_000)
    state = sandbox.accounts[1417].state(sandbox.now_seconds)
    order = ordered(state, "dateadd:asc")
    assert (np.diff(state.added_at[order]) >= 0).all()
    ties = np.diff(state.added_at[order]) == 0
    assert (np.diff(order)[ties] < 0).any()
    assert (np.diff(order)[ties] > 0).any()


def test_an_unknown_order_is_refused(state: State) -> None:
    with pytest.raises(ApiError, match="sort"):
        ordered(state, "timestamps.action_last_date:asc")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-02T09:00:00+00:00", "UTC", "2026-03-02T09:00:00Z"),
        ("2026-03-02T09:00:00Z", "Europe/Brussels", "2026-03-02T09:00:00Z"),
        ("2026-03-02T09:00:00-05:00", "UTC", "2026-03-02T14:00:00Z"),
        ("2026-03-02 09:00:00", "Europe/Brussels", "2026-03-02T08:00:00Z"),
        ("2026-07-02 09:00:00", "Europe/Brussels", "2026-07-02T07:00:00Z"),
        ("2026-03-02", "UTC", "2026-03-02T00:00:00Z"),
    ],
)
def test_dates_are_read_leniently_and_without_offset_in_the_accounts_zone(text: str, zone: str, expected: Any) -> None:
    assert instant(text, zone) == datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize("text", ["1772442000", "yesterday", "2026-13-01", "2026-03-02T09:00:00 00:00"])
def test_other_dates_are_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text of the standard library's message is not promised
        instant(text, "UTC")


def test_the_page_token_is_the_one_seen_in_the_wild() -> None:
    assert write_page_token(22_900) == "YToyOntpOjA7aToyMjkwMDtpOjE7YTowOnt9fQ=="
    assert read_page_token({"page_token": "YToyOntpOjA7aToyMjkwMDtpOjE7YTowOnt9fQ=="}) == 22_900


@pytest.mark.parametrize("token", ["22900", "%%%", "YQ=="])
def test_a_made_up_page_token_is_refused(token: str) -> None:
    with pytest.raises(ApiError, match="page_token"):
        read_page_token({"page_token": token})


def test_lists_come_with_commas_or_as_php_arrays() -> None:
    assert list_parameter({"topic_ids": "1,2, 3"}, "topic_ids") == ["1", "2", "3"]
    assert list_parameter({"topic_ids[0]": "1", "topic_ids[1]": "2"}, "topic_ids") == ["1", "2"]
    assert list_parameter({"topic_ids": ""}, "topic_ids") == []

"""What nobody knows about the API is a switch: each changes what it says, and what it says only."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox import Behaviour, Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

MENTIONS = "/1417/inbox/mentions"
LAST_ACTION = "timestamps.action_last_date:desc"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Sandbox(seed=1, mentions=500, rate_limit_per_hour=100_000).serve() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    server.sandbox.behaviour = Behaviour()
    server.sandbox.faults.clear()
    headers = {"Authorization": f"Bearer {server.sandbox.token}"}
    with httpx.Client(base_url=server.base_url, headers=headers) as opened:
        yield opened


def ask(client: httpx.Client, path: str = MENTIONS, **parameters: Any) -> httpx.Response:
    return client.get(path, params={"topic_ids": every_topic(client)} | parameters)


def every_topic(client: httpx.Client) -> str:
    topics = client.get("/1417/settings/topics", params={"limit": 200}).json()["response"]["data"]
    return ",".join(str(topic["id"]) for topic in topics)


def page(client: httpx.Client, **parameters: Any) -> Json:
    answer = ask(client, **parameters)
    assert answer.status_code == 200, answer.text
    response: Json = answer.json()["response"]
    return response


def ids(response: Json) -> list[str]:
    return [mention["unique_id"] for mention in response["data"]]


def error(answer: httpx.Response) -> str:
    assert answer.status_code == 400
    return str(answer.json()["error"])


# --- order, filter, limit ---


def test_a_sort_is_honoured_ignored_or_refused(server: Server, client: httpx.Client) -> None:
    usual, sorted_ = ids(page(client)), ids(page(client, sort=LAST_ACTION))
    assert usual != sorted_
    server.sandbox.behaviour = Behaviour(sorts={LAST_ACTION: "ignored"})
    assert ids(page(client, sort=LAST_ACTION)) == usual
    assert ids(page(client, sort="dateadd:asc")) != usual
    server.sandbox.behaviour = Behaviour(sorts={LAST_ACTION: "refused"})
    assert error(ask(client, sort=LAST_ACTION)) == "invalid_parameter"
    unknown = "timestamps.action_last_date:asc"
    assert error(ask(client, sort=unknown)) == "invalid_parameter"
    server.sandbox.behaviour = Behaviour(unknown_sorts="ignored")
    assert ids(page(client, sort=unknown)) == usual
    contacts = client.get("/1417/inbox/contacts", params={"sort": "unheard:of"}).json()["response"]["data"]
    assert contacts == client.get("/1417/inbox/contacts").json()["response"]["data"]


@pytest.mark.parametrize("words", ["status:new", "action_date_age:[0 TO 600]"])
def test_a_filter_word_is_honoured_ignored_or_refused(server: Server, client: httpx.Client, words: str) -> None:
    name = words.partition(":")[0]
    honoured, all_ = page(client, filter=words)["count"], page(client)["count"]
    assert 0 < honoured < all_
    for treatment, count in (("everything", all_), ("nothing", 0)):
        server.sandbox.behaviour = Behaviour(filter_words={name: treatment})
        assert page(client, filter=words)["count"] == count
        assert page(client, filter=f"NOT {words}")["count"] == all_ - count
        assert 0 < page(client, filter="sentiment:positive")["count"] < all_
    server.sandbox.behaviour = Behaviour(filter_words={name: "refused"})
    assert error(ask(client, filter=words)) == "invalid_parameter"


def test_an_unknown_filter_word_is_refused_or_selects_everything_or_nothing(
    server: Server, client: httpx.Client
) -> None:
    assert error(ask(client, filter="priority:high")) == "invalid_parameter"
    server.sandbox.behaviour = Behaviour(unknown_filter_words="nothing")
    assert page(client, filter="priority:high")["count"] == 0
    server.sandbox.behaviour = Behaviour(unknown_filter_words="everything")
    assert page(client, filter="priority:high")["count"] == page(client)["count"]


def test_ignored_filter_words_are_ignored_by_statistics_too(server: Server, client: httpx.Client) -> None:
    server.sandbox.behaviour = Behaviour(filter_words={"status": "nothing"})
    definition = [
        {
            "key": None,
            "segmentation": {"field": "custom", "field_values": {"a": "status:new", "b": "sentiment:positive"}},
        }
    ]
    (facet,) = ask(client, "/1417/insights/facets", facetdefinitions=json.dumps(definition)).json()["response"]
    assert facet["data"][0] == [0]
    assert facet["data"][1][0] > 0


def test_a_large_limit_is_refused_or_clamped(server: Server, client: httpx.Client) -> None:
    assert error(ask(client, limit=500)) == "invalid_parameter"
    server.sandbox.behaviour = Behaviour(too_large_limit="clamped")
    clamped = page(client, limit=500)
    assert ids(clamped) == ids(page(client, limit=100))
    assert "limit=100" in clamped["paging"]["next_url"]
    users = client.get("/1417/settings/users", params={"limit": 99_999}).json()["response"]
    assert len(users["data"]) == users["count"]


def test_a_limit_of_nothing_counts_or_is_the_usual_one_or_is_refused(server: Server, client: httpx.Client) -> None:
    counted = page(client, limit=0)
    assert (counted["data"], counted["count"]) == ([], page(client)["count"])
    server.sandbox.behaviour = Behaviour(zero_limit="default")
    assert len(page(client, limit=0)["data"]) == 20
    server.sandbox.behaviour = Behaviour(zero_limit="refused")
    assert error(ask(client, limit=0)) == "invalid_parameter"


# --- pages ---


def test_beyond_the_depth_cap_is_no_page_or_a_refused_one(server: Server, client: httpx.Client) -> None:
    server.sandbox.behaviour = Behaviour(depth_cap_rows=150)
    second = client.get(page(client, limit=100)["paging"]["next_url"]).json()["response"]
    assert (len(second["data"]), second["paging"]["next_url"]) == (50, "")
    server.sandbox.behaviour = Behaviour(depth_cap_rows=150, beyond_depth_cap="refused", count_stops_at_depth_cap=True)
    first = page(client, limit=100)
    assert first["count"] == 150
    second = client.get(first["paging"]["next_url"]).json()["response"]
    assert error(client.get(second["paging"]["next_url"])) == "limit_exceeded"


def test_next_url_may_be_relative(server: Server, client: httpx.Client) -> None:
    absolute = page(client)["paging"]["next_url"]
    server.sandbox.behaviour = Behaviour(next_url_form="relative")
    relative = page(client)["paging"]["next_url"]
    assert relative.startswith("/api/1417/inbox/mentions?")
    assert absolute == f"{server.base_url}{relative}"
    assert ids(client.get(relative).json()["response"]) == ids(client.get(absolute).json()["response"])


def test_a_list_may_begin_again_in_a_loop(server: Server, client: httpx.Client) -> None:
    server.sandbox.faults.add("first_page_again", path=MENTIONS, after=1)
    first = page(client, limit=100)
    second = client.get(first["paging"]["next_url"]).json()["response"]
    assert ids(second) != ids(first)
    assert ids(client.get(second["paging"]["next_url"]).json()["response"]) == ids(first)


@pytest.mark.parametrize("amount", [-7, 5, -10_000])
def test_a_count_may_be_wrong_and_change(server: Server, client: httpx.Client, amount: int) -> None:
    true_count = page(client)["count"]
    server.sandbox.faults.add("wrong_count", path=MENTIONS, amount=amount)
    server.sandbox.faults.add("wrong_count", path=MENTIONS, amount=2 * amount, after=1)
    counts = [page(client, limit=limit)["count"] for limit in (0, 100, 100)]
    assert counts == [max(true_count + amount, 0), max(true_count + 2 * amount, 0), true_count]


@pytest.mark.parametrize("amount", [3, -3])
def test_a_page_may_begin_too_late_or_too_early(server: Server, client: httpx.Client, amount: int) -> None:
    everything = ids(page(client, limit=100, sort="dateadd:asc"))
    first = page(client, limit=20, sort="dateadd:asc")
    server.sandbox.faults.add("shifted_page", path=MENTIONS, amount=amount, times=None)
    assert ids(page(client, limit=20, sort="dateadd:asc")) == everything[:20]
    assert ids(client.get(first["paging"]["next_url"]).json()["response"]) == everything[20 + amount : 40 + amount]


def test_something_may_happen_between_two_pages() -> None:
    with Sandbox(seed=1, mentions=200, rate_limit_per_hour=1_000).serve() as server:
        box = server.sandbox
        headers = {"Authorization": f"Bearer {box.token}"}
        with httpx.Client(base_url=server.base_url, headers=headers) as client:
            everything = ids(page(client, limit=100, sort="dateadd:asc"))
            first = page(client, limit=20, sort="dateadd:asc")
            box.before_request = lambda _path: box.delete_mention(1417, everything[0])
            second = client.get(first["paging"]["next_url"]).json()["response"]
    assert second["count"] == first["count"] - 1
    assert ids(second) == everything[21:41]  # the row between has slipped onto the page that was read already


# --- dates ---


@pytest.mark.parametrize("window_date", ["added", "published"])
def test_the_window_may_be_about_publication(server: Server, client: httpx.Client, window_date: str) -> None:
    box = server.sandbox
    box.behaviour = Behaviour(window_date=window_date)
    begin, end = box.now - timedelta(days=9, hours=7), box.now - timedelta(days=2)
    expected = {
        mention["unique_id"]
        for mention in box.mentions(1417)
        if begin.timestamp() <= mention["date"].get(window_date, -1) <= end.timestamp()
    }
    window = {"date_from": begin.isoformat(), "date_to": end.isoformat()}
    rows, offset = [], page(client, limit=100, **window)
    rows += offset["data"]
    while url := offset["paging"]["next_url"]:
        offset = client.get(url).json()["response"]
        rows += offset["data"]
    told = {row["unique_id"] for row in rows if window_date in row["date"]}
    assert told == expected
    definition = json.dumps([{"key": {"field": "date.added", "grouping": "hour"}}])
    (facet,) = ask(client, "/1417/insights/facets", facetdefinitions=definition, **window).json()["response"]
    assert sum(facet["data"][0]) == len(rows)


def test_windows_on_publication_and_arrival_differ(server: Server, client: httpx.Client) -> None:
    asked = {"date_to": (server.sandbox.now - timedelta(days=3)).isoformat(), "limit": 0}
    by_arrival = page(client, **asked)["count"]
    server.sandbox.behaviour = Behaviour(window_date="published")
    assert page(client, **asked)["count"] != by_arrival


# --- ETag, statistics ---


def test_an_etag_may_not_be_honoured(server: Server, client: httpx.Client) -> None:
    etag = client.get("/1417/settings/teams", headers={"If-None-Match": "x"}).headers["etag"]
    server.sandbox.behaviour = Behaviour(honours_etag=False)
    again = client.get("/1417/settings/teams", headers={"If-None-Match": etag})
    assert again.status_code == 200
    assert "etag" not in again.headers
    assert "etag" not in again.json()["meta"]


@pytest.mark.parametrize(
    ("unsupported", "definition"),
    [
        ("custom", {"key": None, "segmentation": {"field": "custom", "field_values": {"a": "status:new"}}}),
        ("message.sentiment", {"key": None, "segmentation": {"field": "message.sentiment"}}),
        ("response_time", {"key": None, "value": {"field": "response_time"}}),
        ("hour", {"key": {"field": "date.added", "grouping": "hour"}}),
    ],
)
def test_statistics_may_lack_what_is_documented(
    server: Server, client: httpx.Client, unsupported: str, definition: Json
) -> None:
    asked = {"facetdefinitions": json.dumps([{"key": None}, definition])}
    assert ask(client, "/1417/insights/facets", **asked).status_code == 200
    server.sandbox.behaviour = Behaviour(unsupported_facets=frozenset({unsupported}))
    refused = ask(client, "/1417/insights/facets", **asked)
    assert error(refused) == "unsupported_type"
    assert refused.json()["error_details"] == [definition]
    assert ask(client, "/1417/insights/facets", facetdefinitions='[{"key": null}]').status_code == 200


# --- rows that come late ---


def test_a_late_mention_is_in_the_window_of_its_date_once_it_is_there() -> None:
    with Sandbox(seed=1, mentions=50, rate_limit_per_hour=1_000).serve() as server:
        box = server.sandbox
        mention = box.mentions(1417)[20]
        copy = mention | {"id": "77", "unique_id": f"{mention['topic']['id']}_77"}
        box.add_mention(1417, copy, arrives_at=box.now + timedelta(minutes=40))
        added_at = datetime.fromtimestamp(mention["date"]["added"], tz=UTC).isoformat()
        with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {box.token}"}) as client:
            window = {"date_from": added_at, "date_to": added_at}
            assert copy["unique_id"] not in ids(page(client, **window))
            box.advance(minutes=40)
            assert copy["unique_id"] in ids(page(client, **window))

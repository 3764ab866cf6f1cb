"""Statistics over real HTTP: they count exactly what the lists list, recounted here mention by mention."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, median
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from sandbox import Behaviour, DailyChanges, Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

FACETS = "/1417/insights/facets"
BRUSSELS = ZoneInfo("Europe/Brussels")
DAY: Json = {"field": "date.added", "grouping": "day"}
STATUSES = {"new": "status:new", "pending": "status:pending", "done": "status:done", "sent": "status:sent"}


BUSY = DailyChanges(acts=150, edits=60, swaps=10, deletions=20, restorations=7, erasures=20, late_arrivals=25, moves=15)


def build(what: str) -> Sandbox:
    """Ends in the first days of summer time, so that one day has 23 hours."""
    box = Sandbox(
        seed=5,
        mentions=1_500,
        now=datetime(2026, 3, 28, 11, tzinfo=UTC),
        daily=BUSY if what == "later changes" else None,
        rate_limit_per_hour=100_000,
    )
    box.advance(days=2, hours=3)
    if what == "touched":
        agent = box.users(1417)[0]["id"]
        mentions = box.mentions(1417)
        for mention in mentions[::17]:
            unique_id = mention["unique_id"]
            box.act(1417, unique_id, kind="reply", user_id=agent, text="ok")
            box.act(1417, unique_id, kind="status", status="pending", user_id=agent)
            box.act(1417, unique_id, kind="assign", assignee_ids=[agent], user_id=agent)
            box.edit_mention(1417, unique_id, {"message": {"sentiment": "positive", "language": "xx"}})
        for mention in mentions[5::23]:
            box.act(1417, mention["unique_id"], kind="erase_pii_content", user_id=agent)
        for mention in mentions[3::50]:
            box.delete_mention(1417, mention["unique_id"])
        for case in box.cases(1417)[::9]:
            box.act(1417, case["case"]["unique_id"], kind="status", status="done", user_id=agent)
        copy = {**mentions[0], "id": "7", "unique_id": f"{mentions[0]['topic']['id']}_7"}
        box.add_mention(1417, copy)
        box.advance(hours=1)
    return box


@pytest.fixture(scope="module", params=["planned", "touched", "later changes"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with build(request.param).serve() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    server.sandbox.behaviour = Behaviour()
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"}) as opened:
        yield opened


@pytest.fixture(scope="module")
def mentions(server: Server) -> list[Json]:
    return server.sandbox.mentions(1417)


@pytest.fixture(scope="module")
def cases(server: Server) -> list[Json]:
    return [row["case"] for row in server.sandbox.cases(1417)]


def every_topic(server: Server) -> str:
    return ",".join(str(topic["id"]) for topic in server.sandbox.topics(1417))


def ask(client: httpx.Client, *definitions: Json, **parameters: Any) -> Any:
    answer = client.get(FACETS, params={"facetdefinitions": json.dumps(definitions), **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def refusal(client: httpx.Client, definitions: Any, **parameters: Any) -> str:
    text = definitions if isinstance(definitions, str) else json.dumps(definitions)
    answer = client.get(FACETS, params={"facetdefinitions": text, **parameters})
    assert answer.status_code == 400
    return str(answer.json()["error"])


def window(server: Server) -> tuple[int, int]:
    """The last 28 days, as the API has them when no dates are given."""
    return server.sandbox.now_seconds - 28 * 86_400, server.sandbox.now_seconds


def within(server: Server, rows: list[Json]) -> list[Json]:
    begin, end = window(server)
    return [row for row in rows if begin <= row["date"]["added"] <= end]


def bucket(added: int, grouping: str, zone: ZoneInfo = BRUSSELS) -> int:
    """The start of a bucket by the clock on the wall."""
    local = datetime.fromtimestamp(added, tz=zone)
    if grouping == "hour":
        return added - added % 3_600
    day = datetime(local.year, local.month, local.day, tzinfo=zone)
    if grouping == "week":
        day = datetime.fromordinal(day.toordinal() - day.weekday()).replace(tzinfo=zone)
    if grouping == "month":
        day = datetime(local.year, local.month, 1, tzinfo=zone)
    return int(day.timestamp())


def table(facet: Json) -> dict[tuple[Any, Any], Any]:
    """`data[segment][key]` by the ids of segment and key."""
    assert len(facet["data"]) == len(facet["segments"])
    assert all(len(row) == len(facet["keys"]) for row in facet["data"])
    return {
        (segment["id"], key["id"]): value
        for segment, row in zip(facet["segments"], facet["data"], strict=True)
        for key, value in zip(facet["keys"], row, strict=True)
    }


@pytest.mark.parametrize("grouping", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("source", ["mentions", "cases"])
def test_counts_by_time_are_those_of_a_recount(
    server: Server, client: httpx.Client, mentions: list[Json], cases: list[Json], grouping: str, source: str
) -> None:
    key = {"field": "date.added", "grouping": grouping}
    (facet,) = ask(
        client, {"key": key, "value": None, "segmentation": None, "type": source}, topic_ids=every_topic(server)
    )
    expected: dict[int, int] = defaultdict(int)
    for row in within(server, mentions if source == "mentions" else cases):
        expected[bucket(row["date"]["added"], grouping)] += 1
    assert {key_id: count for (_, key_id), count in table(facet).items() if count} == expected
    starts = [key["id"] for key in facet["keys"]]
    begin, end = window(server)
    assert starts[0] == bucket(begin, grouping)
    assert starts[-1] == bucket(end, grouping)
    if grouping == "hour":
        assert starts == list(range(starts[0], starts[-1] + 1, 3_600))
    if grouping == "day":
        assert {later - earlier for earlier, later in pairwise(starts)} == {86_400, 23 * 3_600}
    assert all(set(key) == {"id", "text", "html"} for key in facet["keys"])


@pytest.mark.parametrize(
    "words", ["", "status:new", "language:nl AND NOT sentiment:negative", "source:social", "status:sent"]
)
@pytest.mark.parametrize("source", ["mentions", "cases"])
def test_a_total_is_the_count_of_the_list(server: Server, client: httpx.Client, words: str, source: str) -> None:
    topics = [str(topic["id"]) for topic in server.sandbox.topics(1417)]
    begin = (server.sandbox.now - timedelta(days=11, hours=5)).isoformat()
    for topic_ids in (topics[1], ",".join(topics[:3]), ",".join(topics)):
        parameters = {"topic_ids": topic_ids, "filter": words, "date_from": begin}
        listed = client.get(f"/1417/inbox/{source}", params={"limit": "0"} | parameters).json()["response"]["count"]
        by_day, total = ask(client, {"key": DAY, "type": source}, {"key": None, "type": source}, **parameters)
        assert sum(by_day["data"][0]) == listed
        assert total["data"] == [[listed]]


@pytest.mark.parametrize("as_list", [False, True])
def test_custom_segments_are_filters_by_label_or_by_themselves(
    server: Server, client: httpx.Client, mentions: list[Json], as_list: bool
) -> None:
    values: Any = list(STATUSES.values()) if as_list else STATUSES
    (facet,) = ask(
        client, {"key": DAY, "segmentation": {"field": "custom", "field_values": values}}, topic_ids=every_topic(server)
    )
    names = values if as_list else list(values)
    assert [segment["text"] for segment in facet["segments"]] == names
    expected: dict[tuple[str, int], int] = defaultdict(int)
    for mention in within(server, mentions):
        status = "sent" if mention["author"]["managed"] else mention["status"]
        expected[STATUSES[status] if as_list else status, bucket(mention["date"]["added"], "day")] += 1
    assert {cell: count for cell, count in table(facet).items() if count} == expected
    assert len({status for status, _ in expected}) == 4


def at(*path: str) -> Callable[[Json], Any]:
    def value(row: Json) -> Any:
        for name in path:
            row = row.get(name, {}) if isinstance(row, dict) else {}
        return row if row != {} else None

    return value


def found_on(row: Json) -> Any:
    return row["source"].get("profile")


def hashtag(row: Json) -> Any:
    entities = (row["message"].get("entities") or {}).get("hashtags")
    return entities[0]["text"] if entities else None


FIELDS: dict[str, Callable[[Json], Any]] = {
    "message.language": at("message", "language"),
    "message.sentiment": at("message", "sentiment"),
    "message.type": at("message", "type"),
    "hashtag": hashtag,
    "source.category": at("source", "category"),
    "category_parentsonly": lambda row: row["source"]["category"].split("_")[0],
    "source.domain": at("source", "domain"),
    "source.profile": found_on,
    "source.profile.postedby": lambda row: found_on(row) if row["author"]["managed"] else None,
    "source.profile.postedin": lambda row: None if row["author"]["managed"] else found_on(row),
    "source.application": at("source", "application"),
    "location.continent": at("location", "continent"),
    "location.country": at("location", "country"),
    "location.city": at("location", "city"),
    "location.region": at("location", "region"),
    "region_state": at("location", "region"),
    "topic.id": at("topic", "id"),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("source", ["mentions", "cases"])
def test_segments_of_a_field_are_those_of_a_recount(
    server: Server, client: httpx.Client, mentions: list[Json], cases: list[Json], field: str, source: str
) -> None:
    week = {"field": "date.added", "grouping": "week"}
    definition = {"key": week, "segmentation": {"field": field, "size": 500}, "type": source}
    (facet,) = ask(client, definition, topic_ids=every_topic(server))
    expected: dict[tuple[Any, int], int] = defaultdict(int)
    for row in within(server, mentions if source == "mentions" else cases):
        if FIELDS[field](row) is not None:
            expected[FIELDS[field](row), bucket(row["date"]["added"], "week")] += 1
    assert {cell: count for cell, count in table(facet).items() if count} == expected
    totals = [sum(row) for row in facet["data"]]
    assert totals == sorted(totals, reverse=True)
    if source == "mentions":
        assert len(totals) > 1
        (cut,) = ask(client, definition | {"segmentation": {"field": field, "size": 2}}, topic_ids=every_topic(server))
        assert cut["segments"] == facet["segments"][:2]
        assert cut["data"] == facet["data"][:2]


def rating(row: Json) -> Any:
    attachments = row["message"].get("attachments") or []
    return next((each["content"] for each in attachments if each["type"] == "rating_answer"), None)


def first_action(kind: str | None) -> Callable[[Json], Any]:
    """Only where the publication is shown; the others are compared through a filter."""

    def seconds(row: Json) -> Any:
        times = [action["date"]["added"] for action in row["actions"] if kind in {None, action["type"]}]
        return min(times) - row["date"]["published"] if times else None

    return seconds


AVERAGES: dict[str, Callable[[Json], Any]] = {
    "rating": rating,
    "response_time": at("timestamps", "response_time"),
    "resolve_time": at("timestamps", "resolve_time"),
    "assign_time": first_action("assign"),
    "first_action_time": first_action(None),
}
SHOWN_IN_FULL = "NOT source:twitter AND NOT source:youtube AND NOT source:tiktok"


@pytest.mark.parametrize("value", AVERAGES)
@pytest.mark.parametrize("source", ["mentions", "cases"])
@pytest.mark.parametrize("average", ["mean", "median"])
def test_averages_are_those_of_a_recount(
    server: Server, client: httpx.Client, mentions: list[Json], cases: list[Json], value: str, source: str, average: Any
) -> None:
    server.sandbox.behaviour = replace(Behaviour(), statistics_of_times=average)
    definition = {"key": DAY, "value": {"field": value}, "type": source}
    (facet,) = ask(client, definition, topic_ids=every_topic(server), filter=SHOWN_IN_FULL)
    values: dict[int, list[float]] = defaultdict(list)
    for row in within(server, mentions if source == "mentions" else cases):
        if row["source"]["service"] not in {"twitter", "youtube", "tiktok"} and AVERAGES[value](row) is not None:
            values[bucket(row["date"]["added"], "day")].append(AVERAGES[value](row))
    found = {key: number for (_, key), number in table(facet).items() if number is not None}
    form = mean if average == "mean" else median
    assert found == {key: pytest.approx(form(numbers), abs=0.006) for key, numbers in values.items()}
    assert found or (value, source) == ("rating", "cases")


def test_an_empty_cell_is_null_or_0_for_an_average_and_0_for_a_count(server: Server, client: httpx.Client) -> None:
    definitions = [{"key": None, "value": {"field": value}} for value in ("response_time", "mentions", "followers")]
    nothing = {"topic_ids": every_topic(server), "filter": "content:nobody-writes-this"}
    assert [facet["data"] for facet in ask(client, *definitions, **nothing)] == [[[None]], [[0]], [[0]]]
    server.sandbox.behaviour = replace(Behaviour(), statistics_without_values="zero")
    assert [facet["data"] for facet in ask(client, *definitions, **nothing)] == [[[0]], [[0]], [[0]]]


@pytest.mark.parametrize("source", ["mentions", "cases"])
def test_different_authors_are_counted_by_their_id(
    server: Server, client: httpx.Client, mentions: list[Json], cases: list[Json], source: str
) -> None:
    definition = {"key": DAY, "value": {"field": "author_id_cardinality"}, "type": source}
    (facet,) = ask(client, definition, topic_ids=every_topic(server))
    authors: dict[int, set[str]] = defaultdict(set)
    for row in within(server, mentions if source == "mentions" else cases):
        authors[bucket(row["date"]["added"], "day")].add(str(row["author"]["id"]))
    assert {key: count for (_, key), count in table(facet).items() if count} == {
        key: len(ids) for key, ids in authors.items()
    }


def test_several_definitions_are_answered_in_their_order_and_may_be_posted(
    server: Server, client: httpx.Client
) -> None:
    definitions = [
        {"key": DAY, "value": None, "segmentation": None, "type": "mentions"},
        {"key": DAY, "value": {"field": "mentions"}, "segmentation": {"field": "topic.id"}, "type": "cases"},
        {"key": {"field": "date.added", "grouping": "month"}, "type": "mentions"},
    ]
    asked = ask(client, *definitions, topic_ids=every_topic(server))
    assert [ask(client, each, topic_ids=every_topic(server))[0] for each in definitions] == asked
    form = {"facetdefinitions": json.dumps(definitions), "topic_ids": every_topic(server)}
    assert client.post(FACETS, data=form).json()["response"] == asked


def test_the_zone_of_the_buckets_is_a_switch(server: Server, client: httpx.Client, mentions: list[Json]) -> None:
    server.sandbox.behaviour = replace(Behaviour(), statistics_zone="Asia/Kolkata")
    (facet,) = ask(client, {"key": DAY}, topic_ids=every_topic(server))
    expected: dict[int, int] = defaultdict(int)
    for mention in within(server, mentions):
        expected[bucket(mention["date"]["added"], "day", ZoneInfo("Asia/Kolkata"))] += 1
    assert {key: count for (_, key), count in table(facet).items() if count} == expected


@pytest.mark.parametrize("kind", ["insights", "monitored profile kpis"])
def test_key_figures_of_profiles_are_their_fans(server: Server, client: httpx.Client, kind: str) -> None:
    profiles = server.sandbox.objects(1417, "connectedprofiles")[:2]
    asked = {"profile_ids": ",".join(str(profile["id"]) for profile in profiles)}
    (facet,) = ask(client, {"key": DAY, "type": kind}, **asked)
    assert [segment["id"] for segment in facet["segments"]] == [profile["id"] for profile in profiles]
    assert all(isinstance(count, int) and count > 0 for row in facet["data"] for count in row)
    assert len({tuple(row) for row in facet["data"]}) == 2
    earlier = (server.sandbox.now - timedelta(days=7)).isoformat()
    (part,) = ask(client, {"key": DAY, "type": kind}, date_from=earlier, **asked)
    assert [row[-8:] for row in facet["data"]] == part["data"]
    assert refusal(client, [{"key": DAY, "type": kind}]) == "invalid_parameter"


@pytest.mark.parametrize(
    ("definitions", "error"),
    [
        ("", "invalid_parameter"),
        ("{}", "invalid_parameter"),
        ("[]", "invalid_parameter"),
        ([{"key": {"field": "date.published", "grouping": "day"}}], "invalid_parameter"),
        ([{"key": {"field": "date.added", "grouping": "year"}}], "invalid_parameter"),
        ([{"key": None, "value": {"field": "handle_time"}}], "invalid_parameter"),
        ([{"key": None, "type": "tweets"}], "invalid_parameter"),
        ([{"key": None, "segmentation": {"field": "custom"}}], "invalid_parameter"),
        ([{"key": None, "segmentation": {"field": "custom", "field_values": ["colour:red"]}}], "invalid_parameter"),
        ([{"key": None, "segmentation": {"field": "topic.id", "size": 0}}], "invalid_parameter"),
        ([{"key": None, "segmentation": {"field": "saved_segmentations"}}], "unsupported_type"),
    ],
)
def test_definitions_that_cannot_be_read_are_refused(
    server: Server, client: httpx.Client, definitions: Any, error: str
) -> None:
    assert refusal(client, definitions, topic_ids=every_topic(server)) == error


def test_mentions_need_topics_and_a_facet_has_its_bounds(server: Server, client: httpx.Client) -> None:
    assert refusal(client, [{"key": DAY}]) == "invalid_parameter"
    hours = [{"key": {"field": "date.added", "grouping": "hour"}}]
    assert refusal(client, hours, topic_ids=every_topic(server), date_from="2016-01-01T00:00:00Z") == "limit_exceeded"


def test_statistics_of_100_000_mentions_take_less_than_a_tenth_of_a_second() -> None:
    """The first call may take longer: it draws the columns."""
    with (
        Sandbox(mentions=100_000).serve() as server,
        httpx.Client(
            base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"}, timeout=60
        ) as client,
    ):
        definitions = [{"key": DAY, "value": {"field": "response_time"}, "segmentation": {"field": "topic.id"}}]
        seconds = []
        for _ in range(6):
            started = time.process_time()
            ask(client, *definitions, topic_ids=every_topic(server))
            seconds.append(time.process_time() - started)
    assert min(seconds[1:]) < 0.1

"""Whatever happens to mentions, in whatever order: statistics and lists count those that are there, one by one."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import DailyChanges, Sandbox

Json = dict[str, Any]

ZONE = ZoneInfo("Europe/Brussels")
SENTIMENTS = ("positive", "neutral", "negative", "mixed")
STATUSES = ("new", "pending", "done")
RATES = st.integers(0, 25)
DAILY = st.builds(
    DailyChanges,
    acts=RATES,
    edits=RATES,
    swaps=st.integers(0, 4),
    deletions=RATES,
    restorations=RATES,
    erasures=RATES,
    late_arrivals=RATES,
    moves=RATES,
)


def reply_and_close(box: Sandbox, mention: Json, number: int) -> None:
    agent = box.users(1417)[number % 5]["id"]
    box.act(1417, mention["unique_id"], kind="reply", user_id=agent, text="x")
    box.act(1417, mention["unique_id"], kind="status", status=STATUSES[number % 3], user_id=agent)


def restore(box: Sandbox, _mention: Json, number: int) -> None:
    here = {mention["id"] for mention in box.mentions(1417)}
    gone = sorted(each for each in box.accounts[1417].deleted if each.split("_")[1] not in here)  # else it has moved
    if gone:
        box.restore_mention(1417, gone[number % len(gone)])


def arrive_late(box: Sandbox, mention: Json, number: int) -> None:
    copy = mention | {"id": str(number), "unique_id": f"{mention['topic']['id']}_{number}"}
    with contextlib.suppress(ValueError):  # it is there already
        box.add_mention(1417, copy, arrives_at=box.now + timedelta(minutes=number % 90))


def move(box: Sandbox, mention: Json, number: int) -> None:
    topics = [topic["id"] for topic in box.topics(1417) if topic["id"] != mention["topic"]["id"]]
    with contextlib.suppress(ValueError):  # it is there already
        box.move_mention(1417, mention["unique_id"], topics[number % len(topics)])


def edit(changes: Callable[[int], Json]) -> Callable[[Sandbox, Json, int], Any]:
    return lambda box, mention, number: box.edit_mention(1417, mention["unique_id"], changes(number))


HAPPENINGS: dict[str, Callable[[Sandbox, Json, int], Any]] = {
    "clock": lambda box, _mention, number: box.advance(minutes=number % 3_000),
    "sentiment": edit(lambda number: {"message": {"sentiment": SENTIMENTS[number % 4]}}),
    "tags": edit(lambda number: {"tags": ["Facturation", "new (é)"][: number % 3]}),
    "status": edit(lambda number: {"status": STATUSES[number % 3]}),
    "response time": edit(lambda number: {"timestamps": {"response_time": number % 9_000}}),
    "act": reply_and_close,
    "delete": lambda box, mention, number: box.delete_mention(1417, mention["unique_id"], on_service=number % 2 == 0),
    "restore": restore,
    "erase": lambda box, mention, _number: box.erase_mention(1417, mention["unique_id"]),
    "late": arrive_late,
    "move": move,
}
EVENTS = st.lists(st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.integers(0, 10**6)), max_size=20)


def begins_at(instant: int, grouping: str) -> int:
    local = datetime.fromtimestamp(instant, tz=ZONE)
    return int(local.replace(hour=local.hour if grouping == "hour" else 0, minute=0, second=0).timestamp())


def status_of(mention: Json) -> str:
    return "sent" if mention["author"]["managed"] else str(mention["status"])


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(1, 9), daily=DAILY, events=EVENTS)
def test_statistics_count_exactly_what_the_inbox_lists(
    seed: int, daily: DailyChanges, events: list[tuple[str, int]]
) -> None:
    box = Sandbox(
        seed=seed,
        mentions=250,
        days=10,
        daily=daily,
        now=datetime(2026, 3, 10, 15, 20, tzinfo=UTC),
        rate_limit_per_hour=10**6,
    )
    for what, number in [("clock", 1_700), *events]:
        mentions = box.mentions(1417)
        HAPPENINGS[what](box, mentions[number % len(mentions)], number)
    topics = ",".join(str(topic["id"]) for topic in box.topics(1417))
    tags = {tag["tag"]: tag["filter"] for tag in box.objects(1417, "tags")} | {"new (é)": 'usertag:"new (é)"'}
    window = {"topic_ids": topics, "date_from": (box.now - timedelta(days=60)).isoformat()}
    mentions = box.mentions(1417)
    by = {
        "topic": ({"field": "topic.id", "size": 50}, lambda mention: [mention["topic"]["id"]]),
        "sentiment": ({"field": "message.sentiment"}, lambda mention: [mention["message"]["sentiment"]]),
        "status": (
            {
                "field": "custom",
                "field_values": {name: f"status:{name}" for name in ("new", "pending", "done", "sent")},
            },
            lambda mention: [status_of(mention)],
        ),
        "tag": (
            {"field": "custom", "field_values": tags},
            lambda mention: [tag for tag in mention.get("tags", ()) if tag in tags],
        ),
    }
    asked = [
        {"key": {"field": "date.added", "grouping": grouping}, "segmentation": segmentation, "value": value}
        for grouping in ("day", "hour")
        for segmentation, _ in by.values()
        for value in (None, {"field": "response_time"})
    ]
    with (
        box.serve() as server,
        httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {box.token}"}, timeout=60) as client,
    ):
        answer = client.post("/1417/insights/facets", data=window | {"facetdefinitions": json.dumps(asked)})
        assert answer.status_code == 200, answer.text
        facets = iter(answer.json()["response"])
        listed, page = [], client.get("/1417/inbox/mentions", params=window | {"limit": "100"}).json()["response"]
        assert page["count"] == len(mentions)
        listed += page["data"]
        while url := (page.get("paging") or {}).get("next_url"):
            page = client.get(url).json()["response"]
            listed += page["data"]
    in_order = sorted(listed, key=lambda each: (each["date"]["added"], each["unique_id"]))
    assert in_order == sorted(mentions, key=lambda each: (each["date"]["added"], each["unique_id"]))
    for grouping in ("day", "hour"):
        for name, (_, segments_of) in by.items():
            counts: Counter[tuple[Any, int]] = Counter()
            times: dict[tuple[Any, int], list[int]] = {}
            for mention in mentions:
                for segment in segments_of(mention):
                    cell = segment, begins_at(mention["date"]["added"], grouping)
                    counts[cell] += 1
                    if "response_time" in mention["timestamps"]:
                        times.setdefault(cell, []).append(mention["timestamps"]["response_time"])
            means = {cell: round(sum(each) / len(each), 2) for cell, each in times.items()}
            assert cells(next(facets)) == counts, (grouping, name)
            assert cells(next(facets)) == means, (grouping, name)


def cells(facet: Json) -> Json:
    """The values that are neither 0 nor null, by segment and begin of the key."""
    return {
        (segment["id"], key["id"]): value
        for segment, row in zip(facet["segments"], facet["data"], strict=True)
        for key, value in zip(facet["keys"], row, strict=True)
        if value is not None and (value != 0 or isinstance(value, float))
    }

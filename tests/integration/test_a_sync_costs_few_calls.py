"""Two days of syncs, counted in the sandbox's own log of requests: few calls each, and no list is left to grow old."""

import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import pipelines.load
from pipelines.run import extract_and_load
from pipelines.source import STREAMS
from pipelines.source.streams import EVERY_RUN, FACETS

Json = dict[str, Any]
Make = Callable[..., Any]

QUARTER = timedelta(minutes=15)
LISTS = {stream.path.format(account_id=1417, topic_id="", mention_id=""): stream for stream in (*STREAMS, FACETS)}
BUSY = {
    160: (30, 20),
    170: (95, 90),
    171: (40, 95),
    175: (100, 1),
    180: (0, 60),
    181: (190, 150),
    182: (150, 150),
    183: (0, 0),
    186: (520, 460),
    187: (0, 0),
    188: (301, 99),
    189: (99, 301),
}
"""Mentions that come, and mentions that are acted on, in the quarter before some syncs."""


class _State:
    """Stands in for the loader, which takes a second for each sync: reads everything, and keeps the cursors only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: dict[str, Json] = {}
        self.seen: set[str] = set()
        monkeypatch.setattr(pipelines.load, "load", self.load)
        monkeypatch.setattr(pipelines.load, "recovered_state", lambda _warehouse: self.kept)

    def load(self, _warehouse: Any, readers: Any, *, others: Any, **_options: Any) -> Any:
        for reader in readers:
            while batch := reader.next_batch(self.cursors(reader.name)):
                if reader.name == "mentions":
                    pages = (json.loads(body)["response"]["data"] for body in batch.bodies)
                    self.seen |= {record["unique_id"] for page in pages for record in page}
                self.cursors(reader.name)[batch.account_id] = batch.cursor.to_state()
        for loader in others:
            while not loader.is_done:
                package = loader.read(self.kept.get(loader.name, {}))
                self.cursors(loader.name).update({each.account_id: each.cursors for each in package.answers})
        assert [each.stopped_by for each in (*readers, *others) if each.stopped_by] == []
        return SimpleNamespace(drift=(), notices=tuple(n for each in (*readers, *others) for n in each.notices))

    def cursors(self, name: str) -> Json:
        cursors: Json = self.kept.setdefault(name, {}).setdefault("cursors", {})
        return cursors


def quiet_mention(site: Any, number: int, added: datetime) -> Json:
    topic = site.box.topics(1417)[0]
    seconds = int(added.timestamp())
    return {
        "id": str(number),
        "unique_id": f"{topic['id']}_{number}",
        "topic": {"id": topic["id"], "name": topic["name"]},
        "status": "new",
        "actions": [],
        "date": {"added": seconds, "published": seconds},
    }


def be_busy(site: Any, new_count: int, act_count: int) -> None:
    """Lets a quarter of an hour pass in which mentions come, two a second, and are acted on, sixty a minute."""
    start = site.box.now
    for number in range(new_count):
        at = start + timedelta(seconds=1 + number // 2)
        site.box.add_mention(1417, quiet_mention(site, 9_000_000 + len(site.box.requests) * 1000 + number, at))
    site.box.advance(minutes=5)
    for number, mention in enumerate(site.box.mentions(1417)[:act_count]):
        site.box.act(1417, mention["unique_id"], kind="note", text="seen")
        if number % 60 == 59:
            site.box.advance(minutes=1)
    site.box.advance(seconds=(start + QUARTER - site.box.now).total_seconds())


def happened(site: Any, since: datetime) -> tuple[int, int]:
    """How many mentions were added, and how many acted on, after a time."""
    after = since.timestamp()
    mentions = site.box.mentions(1417)
    added = sum(mention["date"]["added"] > after for mention in mentions)
    acted = sum(any(each["date"]["added"] > after for each in mention["actions"]) for mention in mentions)
    return added, acted


def names(requests: list[Any]) -> list[str]:
    return [LISTS[request.path.removeprefix("/api").strip("/")].name for request in requests]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> _State:
    return _State(monkeypatch)


def sync(site: Any) -> list[Any]:
    """The requests of a sync."""
    before = len(site.box.requests)
    extract_and_load(site.settings(), as_of=site.box.now)
    return list(site.box.requests[before:])


@pytest.mark.slow
def test_every_sync_of_two_days_keeps_to_its_calls_and_no_list_grows_old(make_site: Make, state: _State) -> None:
    site = make_site(mentions=40, days=4, options={"social_connect_start_date": "2026-02-28"}, rate_limit_per_hour=350)
    be_busy(site, 120, 200)  # every mention has an action: where they end, a list sorted by the last one is read on
    first = names(sync(site))
    assert set(first) == {stream.name for stream in LISTS.values()} - {"mention_context_items"}
    read_at = dict.fromkeys(first, site.box.now)
    quiet_count = 0
    for number in range(1, 4 * 24 * 2):
        since = site.box.now
        if number in BUSY:
            be_busy(site, *BUSY[number])
        else:
            site.box.advance(minutes=15)
        requests = sync(site)
        new, changed = happened(site, since)
        said = f"sync {number}, {new} new, {changed} changed: {names(requests)}"
        assert len(requests) <= math.ceil(new / 100) + math.ceil(changed / 100) + 6, said
        quiet_count += not (new or changed)
        for name in names(requests):
            read_at[name] = site.box.now
        for stream in LISTS.values():
            if stream.name in read_at:
                age = site.box.now - read_at[stream.name]
                assert age <= max(1.5 * stream.rhythm, timedelta(0)), f"{stream.name} is {age} old, {said}"
    assert quiet_count > 100
    assert {request.status for request in site.box.requests} == {200}
    assert state.cursors("mentions")["1417"]["read_at"] == site.box.now.isoformat()


def test_a_refused_list_is_not_asked_for_in_every_sync(make_site: Make, state: _State) -> None:  # noqa: ARG001 - stands in
    site = make_site(mentions=40, days=4, options={"social_connect_start_date": "2026-02-28"})
    refused = {"security/audit", "crisis/plans", "settings/users", "insights/facets"}
    site.box.behaviour = type(site.box.behaviour)(not_in_plan=frozenset(refused))
    sync(site)
    for _ in range(3):
        site.box.advance(minutes=15)
        assert sorted(names(sync(site))) == ["cases", "cases", "mentions", "mentions"]
    site.box.behaviour = type(site.box.behaviour)()
    read: set[str] = set()
    for _ in range(4 * 5):
        site.box.advance(minutes=15)
        read |= set(names(sync(site)))
    assert {"security_events", "users", "statistics"} <= read


def test_streams_that_are_named_are_read_however_lately(make_site: Make, state: _State) -> None:  # noqa: ARG001 - stands in
    site = make_site(mentions=40, days=4)
    sync(site)
    before = len(site.box.requests)
    extract_and_load(site.settings(), as_of=site.box.now, stream_names=["mentions", "teams"])
    assert set(names(site.box.requests[before:])) == {"accounts", "topics", "mentions", "teams"}


def test_a_removed_topic_does_not_stop_the_syncs_before_topics_are_due(make_site: Make, state: _State) -> None:
    """The API refuses a list that names it."""
    site = make_site(mentions=40, days=4)
    sync(site)
    gone, kept = (str(topic["id"]) for topic in site.box.topics(1417)[:2])
    site.box.remove(1417, "topics", int(gone))
    site.box.advance(minutes=15)
    assert names(sync(site)) == ["mentions", "topics", "mentions", "mentions", "cases", "cases"]
    site.box.advance(minutes=15)
    requests = sync(site)
    assert names(requests) == ["mentions", "mentions", "cases", "cases"]
    assert {request.status for request in requests} == {200}
    ids = state.cursors("mentions")["1417"]["ids"].split(",")
    assert kept in ids
    assert gone not in ids


def test_what_came_in_a_new_topic_before_it_was_listed_is_read(make_site: Make, state: _State) -> None:
    site = make_site(mentions=40, days=4)
    sync(site)
    topic = site.box.add(1417, "topics", name="New")
    for number in range(3):
        moved = site.box.mentions(1417)[number]
        site.box.move_mention(1417, moved["unique_id"], topic["id"])
    there = {each["unique_id"] for each in site.box.mentions(1417) if each["topic"]["id"] == topic["id"]}
    assert len(there) == 3
    requests: list[Any] = []
    while "topics" not in names(requests):
        site.box.advance(minutes=15)
        state.seen.clear()
        requests = sync(site)
    assert there <= state.seen
    assert str(topic["id"]) in state.cursors("mentions")["1417"]["ids"].split(",")


def test_every_list_has_a_rhythm_or_belongs_to_the_inbox() -> None:
    """Whatever is read in every sync is a call in every sync."""
    assert {stream.name for stream in LISTS.values() if stream.rhythm == EVERY_RUN} == {
        "mentions",
        "cases",
        "mention_context_items",
    }

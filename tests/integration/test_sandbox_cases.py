"""Cases over real HTTP: the same messages as in the inbox, bound and timed by the rules of the product."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from sandbox import Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

CASES = "/1417/inbox/cases"
FOUR_WEEKS_SECONDS = 28 * 86_400
LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two months, so that a person comes back after a resolved case and after four silent weeks."""
    box = Sandbox(seed=4, mentions=3_000, days=70, rate_limit_per_hour=100_000)
    box.advance(days=3, hours=5)
    with box.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"}) as opened:
        yield opened


@pytest.fixture(scope="module")
def cases(server: Server) -> list[Json]:
    return server.sandbox.cases(1417)


@pytest.fixture(scope="module")
def inbox(server: Server) -> dict[str, Json]:
    return {mention["unique_id"]: mention for mention in server.sandbox.mentions(1417)}


def every_topic(server: Server) -> str:
    return ",".join(str(topic["id"]) for topic in server.sandbox.topics(1417))


def read(client: httpx.Client, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def follow(client: httpx.Client, page: Json) -> list[Json]:
    rows = list(page["data"])
    while url := (page.get("paging") or {}).get("next_url"):
        page = client.get(url).json()["response"]
        rows += page["data"]
    return rows


def linked_at(mention: Json, case: Json) -> int:
    """When a mention was linked: by its newest action of that kind, since it is in one case only."""
    assert case["unique_id"] in case_ids(mention)
    return max(action["date"]["added"] for action in mention["actions"] if action["type"] == "case_linked")


def case_ids(mention: Json) -> list[str]:
    identifiers = (mention.get("part_of_cases") or {}).get("mention_identifiers") or []
    return [identifier["unique_id"] for identifier in identifiers]


def status_changes(case: Json) -> list[tuple[int, str]]:
    """Oldest first; the list of actions is newest first."""
    return [
        (action["date"]["added"], action["metadata"]["status"])
        for action in reversed(case["actions"])
        if action["type"] == "status"
    ]


def status_at(case: Json, instant: int) -> str:
    return [("new"), *(status for at, status in status_changes(case) if at <= instant)][-1]


def by_owner(cases: list[Json]) -> dict[tuple[Any, ...], list[Json]]:
    """The cases that are drawn from the same stream of messages: of one person in one topic."""
    found: dict[tuple[Any, ...], list[Json]] = defaultdict(list)
    for row in cases:
        if "contact" in row:
            found[row["contact"]["id"], row["case"]["topic"]["id"]].append(row)
    return found


def test_the_list_is_the_truth_oldest_first(server: Server, client: httpx.Client, cases: list[Json]) -> None:
    page = read(client, CASES, topic_ids=every_topic(server), date_from=LONG_AGO, sort="dateadd:asc", limit=100)
    rows = follow(client, page)
    assert page["count"] == len(rows) == len(cases) > 500
    assert {row["case"]["unique_id"]: row for row in rows} == {row["case"]["unique_id"]: row for row in cases}
    added = [row["case"]["date"]["added"] for row in rows]
    assert added == sorted(added)


def test_messages_and_cases_name_each_other(cases: list[Json], inbox: dict[str, Json]) -> None:
    for row in cases:
        for mention in row["linked_mentions"]:
            assert mention == inbox[mention["unique_id"]]
            assert row["case"]["unique_id"] in case_ids(mention)
    named = {(case_id, unique_id) for unique_id, mention in inbox.items() for case_id in case_ids(mention)}
    linked = {(row["case"]["unique_id"], mention["unique_id"]) for row in cases for mention in row["linked_mentions"]}
    assert named == linked
    assert max(len(row["linked_mentions"]) for row in cases) > 5


def test_cases_are_mentions_of_their_own_and_not_in_the_inbox(cases: list[Json], inbox: dict[str, Json]) -> None:
    assert not {row["case"]["unique_id"] for row in cases} & set(inbox)
    for row in cases:
        case = row["case"]
        assert case["source"]["service"] == "social_case"
        assert case["source"]["type"] == "SearchProviderCase"
        assert case["source"]["category"] == case["message"]["type"] == "case"
        assert case["unique_id"] == f"{case['topic']['id']}_{case['id']}"
        assert {mention["topic"]["id"] for mention in row["linked_mentions"]} == {case["topic"]["id"]}
        assert case["actions"][-1]["type"] == "case_created"
        assert case["actions"][-1]["date"]["added"] == case["date"]["added"]


def test_only_cases_with_a_person_have_a_contact(server: Server, cases: list[Json]) -> None:
    contacts = {contact["id"]: contact for contact in server.sandbox.contacts(1417)}
    manual = [row for row in cases if "contact" not in row]
    assert 5 < len(manual) < len(cases) / 4
    assert all(row["case"]["priority"]["name"] for row in manual)
    titles = [row["case"]["message"]["title"] for row in manual]
    assert titles == [f"Case #{101 + position}" for position in range(len(manual))]
    for row in cases:
        if "contact" in row:
            assert row["contact"] == contacts[row["contact"]["id"]]
            profile = row["contact"]["socialprofiles"][0]
            for mention in row["linked_mentions"]:
                assert (mention["source"]["service"], str(mention["author"]["id"])) == (
                    profile["type"],
                    profile["service_id"],
                )


def test_a_case_takes_messages_while_it_is_open_and_for_four_weeks(cases: list[Json]) -> None:
    for row in cases:
        links = [linked_at(mention, row["case"]) for mention in row["linked_mentions"]]
        assert links == sorted(links)
        assert links[0] == row["case"]["date"]["added"]
        assert all(status_at(row["case"], link) != "done" for link in links)
        if "contact" in row:
            gaps = [later - earlier for earlier, later in pairwise(links)]
            assert all(gap < FOUR_WEEKS_SECONDS for gap in gaps)


def test_a_person_has_a_new_case_only_when_the_last_one_is_closed(cases: list[Json]) -> None:
    reasons = {"resolved": 0, "silent": 0}
    for rows in by_owner(cases).values():
        ordered = sorted(rows, key=lambda row: row["case"]["date"]["added"])
        for earlier, later in pairwise(ordered):
            opened_at = later["case"]["date"]["added"]
            last_link = linked_at(earlier["linked_mentions"][-1], earlier["case"])
            resolved = status_at(earlier["case"], opened_at) == "done"
            silent = opened_at - last_link >= FOUR_WEEKS_SECONDS
            assert resolved or silent
            reasons["resolved"] += resolved
            reasons["silent"] += silent
    assert min(reasons.values()) > 0, reasons


def business_seconds(schedule: Json, start: int, end: int) -> int:
    """The slow truth: walk through the local days of [start, end) and add up what each period shares with it."""
    zone, total = ZoneInfo(schedule["timezone"]), 0
    first, last = (datetime.fromtimestamp(at, tz=UTC).astimezone(zone).date().toordinal() for at in (start, end))
    for ordinal in range(first, last + 1):
        for period in schedule["periods"]:
            if period["dayofweek"] == datetime.fromordinal(ordinal).isoweekday():
                opens, closes = (clock(ordinal, period[side], zone) for side in ("start", "end"))
                total += max(min(end, closes) - max(start, opens), 0)
    return total


def clock(ordinal: int, text: str, zone: ZoneInfo) -> int:
    next_day, hour = divmod(int(text[:2]), 24)
    local = datetime.fromordinal(ordinal + next_day).replace(hour=hour, minute=int(text[2:]), tzinfo=zone)
    return int(local.timestamp())


def test_times_in_a_status_are_the_sums_of_its_ended_spells(server: Server, cases: list[Json]) -> None:
    schedules = {schedule["id"]: schedule for schedule in server.sandbox.schedules(1417)}
    schedule_of = {
        str(user["id"]): schedules.get(user.get("business_hours_schedule_id")) for user in server.sandbox.users(1417)
    }
    seen = {"reopened": 0, "pending": 0, "business hours": 0, "nobody's hours": 0}
    for row in cases:
        expected: dict[str, int] = {}
        status, since = "new", row["case"]["date"]["added"]
        changes = [action for action in reversed(row["case"]["actions"]) if action["type"] == "status"]
        for change in changes:
            at = change["date"]["added"]
            name = {"new": "unresolved_time", "pending": "pending_time"}.get(status)
            if name:
                expected[name] = expected.get(name, 0) + at - since
            schedule = schedule_of.get((change.get("user") or {}).get("id", ""))
            if status == "new" and schedule:
                before = expected.get("unresolved_time_during_bh", 0)
                expected["unresolved_time_during_bh"] = before + business_seconds(schedule, since, at)
            status, since = change["metadata"]["status"], at
        names = ("unresolved_time", "unresolved_time_during_bh", "pending_time")
        assert {
            name: row["case"]["timestamps"][name] for name in names if name in row["case"]["timestamps"]
        } == expected
        assert row["case"]["status"] == status
        seen["reopened"] += len([change for change in changes if change["metadata"]["status"] == "done"]) > 1
        seen["pending"] += "pending_time" in expected
        seen["business hours"] += expected.get("unresolved_time_during_bh", 0) > 0
        seen["nobody's hours"] += "unresolved_time" in expected and "unresolved_time_during_bh" not in expected
    assert min(seen.values()) > 10, seen


FILTERS: dict[str, Callable[[Json], bool]] = {
    "status:new": lambda case: case["status"] == "new",
    "status:done": lambda case: case["status"] == "done",
    "source:social_case": lambda _case: True,
    "source:facebook": lambda _case: False,
    "language:nl AND NOT sentiment:negative": lambda case: (
        case["message"]["language"] == "nl" and case["message"]["sentiment"] != "negative"
    ),
    "action:replied": lambda case: any(action["type"] == "reply" for action in case["actions"]),
    'usertag:"VIP"': lambda case: "VIP" in case["tags"],
    '"Case #10"': lambda case: "Case #10" in case["message"]["title"],
}


@pytest.mark.parametrize("words", FILTERS)
def test_filters_select_what_a_look_at_every_case_selects(
    server: Server, client: httpx.Client, cases: list[Json], words: str
) -> None:
    page = read(client, CASES, topic_ids=every_topic(server), date_from=LONG_AGO, filter=words, limit=0)
    assert page["data"] == []
    assert page["count"] == sum(FILTERS[words](row["case"]) for row in cases)


def test_windows_topics_and_sorts_work_as_for_mentions(server: Server, client: httpx.Client, cases: list[Json]) -> None:
    now = server.sandbox.now_seconds
    recent = [row for row in cases if row["case"]["date"]["added"] >= now - FOUR_WEEKS_SECONDS]
    topic_id = cases[0]["case"]["topic"]["id"]
    page = read(client, CASES, topic_ids=topic_id, sort="timestamps.action_last_date:desc", limit=100)
    rows = follow(client, page)
    assert len(rows) == sum(row["case"]["topic"]["id"] == topic_id for row in recent) > 0
    newest = [row["case"]["actions"][0]["date"]["added"] for row in rows]
    assert newest == sorted(newest, reverse=True)
    refused = client.get(CASES, params={"sort": "nothing"})
    assert refused.json()["error"] == "invalid_parameter"
    assert client.get(CASES, params={"limit": 101}).status_code == 400


def test_a_case_can_be_read_by_itself(client: httpx.Client, cases: list[Json], inbox: dict[str, Json]) -> None:
    for row in cases[:20]:
        topic_id, identifier = row["case"]["unique_id"].split("_")
        assert read(client, f"/1417/inbox/case/{topic_id}/{identifier}") == row
    topic_id, identifier = next(iter(inbox)).split("_")
    assert client.get(f"/1417/inbox/case/{topic_id}/{identifier}").json()["error"] == "not_found"


def test_what_a_case_was_does_not_depend_on_the_steps_of_the_clock() -> None:
    leap, steps = Sandbox(mentions=400), Sandbox(mentions=400)
    leap.advance(days=12)
    for _ in range(48):
        steps.advance(hours=6)
        steps.cases(1417)
    assert leap.cases(1417) == steps.cases(1417)


def test_a_case_grows_and_changes_with_the_clock() -> None:
    box = Sandbox(seed=4, mentions=3_000)
    before = {row["case"]["unique_id"]: row for row in box.cases(1417)}
    box.advance(days=2)
    after = {row["case"]["unique_id"]: row for row in box.cases(1417)}
    assert set(before) < set(after)
    known = [(before[key], after[key]) for key in before]
    assert any(len(old["linked_mentions"]) < len(new["linked_mentions"]) for old, new in known)
    assert any(old["case"]["status"] != "done" == new["case"]["status"] for old, new in known)
    for old, new in known:
        assert (
            new["case"]["actions"][len(new["case"]["actions"]) - len(old["case"]["actions"]) :]
            == old["case"]["actions"]
        )


def case_of(box: Sandbox, unique_id: str) -> Json:
    return next(row for row in box.cases(1417) if row["case"]["unique_id"] == unique_id)


def test_a_case_resolved_by_hand_gets_no_more_messages() -> None:
    def fresh() -> Sandbox:
        return Sandbox(seed=4, mentions=1_500)

    box = fresh()
    counts = {
        row["case"]["unique_id"]: len(row["linked_mentions"])
        for row in box.cases(1417)
        if "contact" in row and row["case"]["status"] != "done"
    }
    box.advance(days=2)
    later = {row["case"]["unique_id"]: row for row in box.cases(1417)}
    growing = next(key for key, count in counts.items() if len(later[key]["linked_mentions"]) > count)
    extra = later[growing]["linked_mentions"][counts[growing]]["unique_id"]

    box = fresh()
    resolved = box.act(1417, growing, kind="status", status="done", user_id=box.users(1417)[0]["id"])
    assert resolved["status"] == "done"
    assert "unresolved_time" in resolved["timestamps"] or "pending_time" in resolved["timestamps"]
    box.advance(days=2)
    assert len(case_of(box, growing)["linked_mentions"]) == counts[growing]
    other = case_ids(box.mention(1417, extra))
    assert other
    assert other != [growing]
    assert extra in [mention["unique_id"] for mention in case_of(box, other[0])["linked_mentions"]]


def test_a_test_can_link_and_unlink_edit_and_delete() -> None:
    box = Sandbox(mentions=300)
    row = box.cases(1417)[0]
    key = row["case"]["unique_id"]
    loose = next(mention for mention in box.mentions(1417) if not case_ids(mention))
    box.act(1417, loose["unique_id"], kind="case_linked", case_unique_id=key, user_id=box.users(1417)[0]["id"])
    linked = [mention["unique_id"] for mention in case_of(box, key)["linked_mentions"]]
    assert loose["unique_id"] in linked
    assert case_ids(box.mention(1417, loose["unique_id"])) == [key]
    for unique_id in linked:
        box.act(1417, unique_id, kind="case_unlinked", case_unique_id=key)
    assert case_of(box, key)["linked_mentions"] == []
    assert box.edit_mention(1417, key, {"message": {"title": "Renamed"}})["message"]["title"] == "Renamed"
    assert case_of(box, key)["case"]["message"]["title"] == "Renamed"
    box.delete_mention(1417, key)
    assert key not in {each["case"]["unique_id"] for each in box.cases(1417)}
    with pytest.raises(KeyError):
        box.mention(1417, key)
    with pytest.raises(KeyError):
        box.act(1417, loose["unique_id"], kind="case_linked", case_unique_id=key)
    with pytest.raises(ValueError, match="case_unique_id"):
        box.act(1417, loose["unique_id"], kind="case_linked")


def test_a_deleted_message_leaves_its_case() -> None:
    box = Sandbox(mentions=300)
    row = next(row for row in box.cases(1417) if len(row["linked_mentions"]) > 1)
    gone = row["linked_mentions"][0]["unique_id"]
    box.delete_mention(1417, gone)
    left = [mention["unique_id"] for mention in case_of(box, row["case"]["unique_id"])["linked_mentions"]]
    assert left == [mention["unique_id"] for mention in row["linked_mentions"][1:]]

"""The account's changes and its security audit over real HTTP: what was done is told, once, with its date."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox import Behaviour, Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

HISTORY = "/1417/settings/history"
AUDIT = "/1417/security/audit"
FOUR_WEEKS_SECONDS = 28 * 86_400


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    box = Sandbox(seed=3, mentions=100, rate_limit_per_hour=100_000)
    box.advance(days=4)
    with box.serve() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    server.sandbox.behaviour = Behaviour()
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"}) as opened:
        yield opened


def read(client: httpx.Client, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def listed(client: httpx.Client, path: str, **parameters: Any) -> list[Json]:
    page = read(client, path, **({"limit": 200} | parameters))
    rows = list(page["data"])
    while url := (page.get("paging") or {}).get("next_url"):
        page = client.get(url).json()["response"]
        rows += page["data"]
    assert len(rows) == page["count"]
    return rows


def at_of(item: Json) -> int:
    return int(item["dateadd"] if "dateadd" in item else item["date"]["added"])


def truth_of(box: Sandbox, path: str) -> list[Json]:
    return box.account_changes(1417) if path == HISTORY else box.security_events(1417)


BOTH = pytest.mark.parametrize("path", [HISTORY, AUDIT])


@BOTH
def test_the_list_is_the_truth_newest_first(server: Server, client: httpx.Client, path: str) -> None:
    truth = truth_of(server.sandbox, path)
    assert listed(client, path, date_from="2020-01-01T00:00:00Z") == truth[::-1]
    assert [at_of(item) for item in truth] == sorted(at_of(item) for item in truth)
    assert len({item["id"] for item in truth}) == len(truth) > 400
    assert {type(item["id"]) for item in truth} == {int}


@BOTH
def test_without_dates_it_is_the_last_28_days(server: Server, client: httpx.Client, path: str) -> None:
    since = server.sandbox.now_seconds - FOUR_WEEKS_SECONDS
    recent = [item for item in truth_of(server.sandbox, path) if at_of(item) >= since]
    assert listed(client, path) == recent[::-1]
    assert 0 < len(recent) < len(truth_of(server.sandbox, path))


@BOTH
def test_the_order_is_a_switch(server: Server, client: httpx.Client, path: str) -> None:
    newest_first = listed(client, path)
    server.sandbox.behaviour = replace(Behaviour(), newest_change_first=False)
    assert listed(client, path) == newest_first[::-1]


@BOTH
def test_a_user_is_selected_and_may_be_missing(server: Server, client: httpx.Client, path: str) -> None:
    items = listed(client, path)
    users = Counter(item["user"]["id"] for item in items if item.get("user"))
    for user_id, count in users.items():
        assert read(client, path, user_id=user_id, limit=1)["count"] == count
    nobody = [item for item in items if not item.get("user")]
    assert {"user" in item for item in nobody} == {True, False}
    assert all(item["user"] == [] for item in nobody if "user" in item)
    known = {user["id"]: user for user in server.sandbox.users(1417)}
    for item in items:
        if item.get("user"):
            assert item["user"] == {key: known[item["user"]["id"]][key] for key in ("id", "name", "email")}


@BOTH
def test_a_window_includes_both_ends(server: Server, client: httpx.Client, path: str) -> None:
    times = sorted({at_of(item) for item in truth_of(server.sandbox, path)})[-30:-10]
    begin, end = (datetime.fromtimestamp(at, tz=UTC).isoformat() for at in (times[0], times[-1]))
    found = listed(client, path, date_from=begin, date_to=end)
    assert {at_of(item) for item in found} == set(times)


@BOTH
@pytest.mark.parametrize("parameters", [{"limit": "201"}, {"limit": "0"}, {"user_id": "me"}, {"date_from": "x"}])
def test_parameters_that_cannot_be_read_are_refused(client: httpx.Client, path: str, parameters: Json) -> None:
    assert client.get(path, params=parameters).json()["error"] == "invalid_parameter"


@BOTH
def test_emails_need_their_scope(path: str) -> None:
    box = Sandbox(mentions=0, scopes=("accounts_read",))
    users = [item["user"] for item in truth_of(box, path) if item.get("user")]
    assert users
    assert all(set(user) == {"id", "name"} for user in users)


@BOTH
def test_the_past_stays_as_it_was(path: str) -> None:
    leap, steps = Sandbox(mentions=20), Sandbox(mentions=20)
    past = truth_of(leap, path)
    leap.advance(days=9)
    for _ in range(27):
        steps.advance(hours=8)
        truth_of(steps, path)
    assert truth_of(leap, path) == truth_of(steps, path)
    assert truth_of(leap, path)[: len(past)] == past
    assert len(truth_of(leap, path)) > len(past)


# --- settings/history ---


def test_history_items_have_the_documented_shape(server: Server) -> None:
    items = server.sandbox.account_changes(1417)
    topics = {topic["id"]: topic["name"] for topic in server.sandbox.topics(1417)}
    for item in items:
        assert set(item) <= {"id", "type", "description", "topic", "project", "user", "ip", "date"}
        assert {type(item["date"]["added"]), type(item["type"]), type(item["description"])} == {int, str}
        assert ("ip" in item) == bool(item.get("user"))
        if item.get("topic"):
            assert topics[item["topic"]["id"]] == item["topic"]["name"]
            assert item["project"]["name"]
    assert [] in [item.get("topic") for item in items]
    assert len({item["type"] for item in items}) > 15


def test_types_and_topics_select(client: httpx.Client) -> None:
    items = listed(client, HISTORY)
    first, second = (name for name, _ in Counter(item["type"] for item in items).most_common(2))
    wanted = [item for item in items if item["type"] in {first, second}]
    assert listed(client, HISTORY, types=f"{first},{second}") == wanted
    assert read(client, HISTORY, types="no_such_type")["count"] == 0
    topic_id = next(item["topic"]["id"] for item in items if item.get("topic"))
    about = [item for item in items if item.get("topic") and item["topic"]["id"] == topic_id]
    assert listed(client, HISTORY, topic_ids=topic_id) == about
    refused = client.get(HISTORY, params={"topic_ids": "1"})
    assert refused.json()["error"] == "no_permission"


def test_what_is_done_to_reference_lists_and_mentions_is_told() -> None:
    box = Sandbox(mentions=60)
    box.advance(hours=2)
    admin, other = (user["id"] for user in box.users(1417)[:2])
    known = {item["id"] for item in box.account_changes(1417)}
    tag = box.add(1417, "tags", tag="Nieuw é", by_user_id=other)
    box.change(1417, "tags", tag["id"], color_code="rgb(1,2,3)")
    box.remove(1417, "tags", tag["id"])
    team = box.objects(1417, "teams")[0]
    box.change(1417, "teams", team["id"], users=[admin])
    schedule = box.objects(1417, "businesshoursschedules")[0]
    box.change(1417, "businesshoursschedules", schedule["id"], summary="closed")
    box.add(1417, "users", name="Newcomer")
    topic = box.topics(1417)[1]
    box.change(1417, "topics", topic["id"], name="Renamed")
    by_product, by_admin = (mention for mention in box.mentions(1417)[:2])
    box.delete_mention(1417, by_product["unique_id"])
    box.delete_mention(1417, by_admin["unique_id"], user_id=admin, on_service=True)
    box.restore_mention(1417, by_product["unique_id"])
    told = [item for item in box.account_changes(1417) if item["id"] not in known]
    assert [item["type"] for item in told] == [
        *("account_tag_add", "account_tag_edit", "account_tag_delete", "account_teams_edit"),
        *("account_businesshoursschedules_edit", "user_add", "query_edit", "mention_delete", "service_mention_delete"),
        "mention_restore",
    ]
    assert {item["date"]["added"] for item in told} == {box.now_seconds}
    assert [item["user"]["id"] for item in told[:7]] == [other, *[admin] * 6]
    assert "Nieuw é" in told[0]["description"]
    assert told[6]["topic"] == {"id": topic["id"], "name": "Renamed"}
    assert not told[7].get("user")
    assert told[8]["user"]["id"] == admin
    box.behaviour = Behaviour(history_names_mention=True)
    naming = [item for item in box.account_changes(1417) if item["id"] not in known]
    for item, named, mention in zip(told[7:], naming[7:], (by_product, by_admin, by_product), strict=True):
        assert named["description"] == f"{item['description']} {mention['unique_id']}"
        assert item["topic"]["id"] == mention["topic"]["id"]


def test_changes_that_come_with_the_clock_are_told_at_their_time() -> None:
    box = Sandbox(mentions=0)
    box.advance(days=30)
    done = [(change.at, change.by_user_id) for change in box.reference_changes(1417)]
    told = [item for item in box.account_changes(1417) if item["id"] >= 2_000_000_000]
    assert [(item["date"]["added"], item["user"]["id"]) for item in told] == sorted(done, key=lambda each: each[0])
    assert len(told) > 20


# --- security/audit ---


def test_audit_items_have_the_documented_shape_with_a_flat_date(server: Server) -> None:
    items = server.sandbox.security_events(1417)
    keys = {"id", "description", "type", "user", "password_strength", "location", "device", "dateadd"}
    for item in items:
        assert set(item) <= keys
        assert isinstance(item["dateadd"], int)
        assert ("password_strength" in item) == (
            item["type"] in {"password_change", "password_reset", "password_changed_by_password_reset"}
        )
    assert len({item["type"] for item in items}) == 23
    for key in ("location", "device"):
        assert [] in [item[key] for item in items]
        shapes = {frozenset(item[key]) for item in items if item[key]}
        assert len(shapes) > 1


def test_events_are_selected_and_unknown_ones_refused(client: httpx.Client) -> None:
    items = listed(client, AUDIT)
    wanted = [item for item in items if item["type"] in {"login_failure", "password_reset"}]
    assert listed(client, AUDIT, events="login_failure,password_reset") == wanted
    assert client.get(AUDIT, params={"events": "earthquake"}).json()["error"] == "invalid_parameter"


def test_pages_hold_20_unless_asked_otherwise(client: httpx.Client) -> None:
    for path in (HISTORY, AUDIT):
        assert len(read(client, path)["data"]) == 20


def test_accounts_have_audits_of_their_own() -> None:
    box = Sandbox(mentions=0, accounts=(1417, 2001))
    one, other = ({item["description"] for item in box.account_changes(account)} for account in (1417, 2001))
    assert one != other
    assert box.security_events(1417) != box.security_events(2001)


def test_nothing_is_told_before_it_happens() -> None:
    box = Sandbox(mentions=0)
    later = Sandbox(mentions=0)
    later.advance(days=1)
    for path in (HISTORY, AUDIT):
        soon = [item for item in truth_of(later, path) if at_of(item) <= box.now_seconds]
        assert truth_of(box, path) == soon
        assert (box.now - timedelta(days=1)).timestamp() < max(at_of(item) for item in soon)

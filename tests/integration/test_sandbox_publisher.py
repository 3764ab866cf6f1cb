"""The publisher over real HTTP: posts go from draft to posted as the clock moves."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox import Behaviour, Sandbox, Server

pytestmark = pytest.mark.slow

Json = dict[str, Any]

POSTS = "/1417/publisher/mentions"
STATUSES = ("draft", "awaiting_approval", "scheduled", "posted")
FOUR_WEEKS_SECONDS = 28 * 86_400


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Sandbox(seed=6, mentions=600, rate_limit_per_hour=100_000).serve() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    server.sandbox.behaviour = Behaviour()
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"}) as opened:
        yield opened


def read(client: httpx.Client, path: str = POSTS, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def listed(client: httpx.Client, **parameters: Any) -> list[Json]:
    page = read(client, **({"limit": 100} | parameters))
    rows = list(page["data"])
    while url := (page.get("paging") or {}).get("next_url"):
        page = client.get(url).json()["response"]
        rows += page["data"]
    assert len(rows) == page["count"]
    return rows


def recent(server: Server) -> list[Json]:
    since = server.sandbox.now_seconds - FOUR_WEEKS_SECONDS
    return [post for post in server.sandbox.publisher_posts(1417) if post["date"]["added"] >= since]


def test_the_list_is_the_truth_of_the_last_28_days_unless_dates_are_given(server: Server, client: httpx.Client) -> None:
    assert listed(client) == recent(server)
    truth = server.sandbox.publisher_posts(1417)
    assert listed(client, date_from="2020-01-01T00:00:00+00:00") == truth
    assert len(truth) > 1.5 * len(recent(server)) > 60
    assert len({post["id"] for post in truth}) == len(truth)


def test_posts_are_read_one_by_one(client: httpx.Client) -> None:
    for post in listed(client)[:10]:
        assert read(client, f"/1417/publisher/mention/{post['id']}") == post
    assert client.get("/1417/publisher/mention/1").json()["error"] == "not_found"


def test_a_status_says_how_far_a_post_has_come(server: Server) -> None:
    posts = server.sandbox.publisher_posts(1417)
    now = server.sandbox.now_seconds
    assert {post["message"]["status"] for post in posts} == set(STATUSES)
    for post in posts:
        kinds = [action["type"] for action in reversed(post["actions"])]
        steps = ["post_draft_created", "post_awaitingapproval_created", "post_created"]
        assert kinds == steps[: len(kinds)]
        status, published = post["message"]["status"], post["date"].get("published")
        assert (published is not None) == (len(kinds) == 3)
        expected = {1: "draft", 2: "awaiting_approval"}.get(len(kinds)) or (
            "posted" if published <= now else "scheduled"
        )
        assert status == expected
        assert post["actions"][-1]["date"]["added"] == post["date"]["added"]
        assert all(("status" in service) == (status == "posted") for service in post["services"])
        assert post["services"]
    outcomes = {service.get("status") for post in posts for service in post["services"]}
    assert outcomes == {None, "success", "failed"}


def test_posts_move_on_with_the_clock_and_never_back() -> None:
    box = Sandbox(mentions=50)
    before = {post["id"]: post for post in box.publisher_posts(1417)}
    box.advance(days=2)
    after = {post["id"]: post for post in box.publisher_posts(1417)}
    assert set(before) < set(after)
    moves = {(before[key]["message"]["status"], after[key]["message"]["status"]) for key in before}
    assert ("scheduled", "posted") in moves
    assert all(STATUSES.index(old) <= STATUSES.index(new) for old, new in moves)
    unmoved = [key for key in before if before[key]["message"]["status"] == after[key]["message"]["status"]]
    for key in unmoved:
        assert before[key] | {"in_reply_to": None} == after[key] | {"in_reply_to": None}


def test_the_future_does_not_depend_on_the_steps_of_the_clock() -> None:
    leap, steps = Sandbox(mentions=100), Sandbox(mentions=100)
    leap.advance(days=5)
    for _ in range(30):
        steps.advance(hours=4)
        steps.publisher_posts(1417)
    assert leap.publisher_posts(1417) == steps.publisher_posts(1417)


def test_an_answer_shows_the_mention_it_answers(server: Server) -> None:
    mentions = {mention["unique_id"]: mention for mention in server.sandbox.mentions(1417)}
    answers = [post for post in server.sandbox.publisher_posts(1417) if "in_reply_to" in post]
    assert len(answers) > 10
    for post in answers:
        assert post["in_reply_to"] == mentions[post["in_reply_to"]["unique_id"]]
        assert post["in_reply_to"]["date"]["added"] <= post["date"]["added"]


FILTERS: dict[str, Callable[[Json], bool]] = {
    "status:draft": lambda post: post["message"]["status"] == "draft",
    "status:posted AND source:facebook": lambda post: (
        post["message"]["status"] == "posted" and "facebook" in {service["type"] for service in post["services"]}
    ),
    'NOT usertag:"VIP"': lambda post: "VIP" not in post.get("tags", []),
}


@pytest.mark.parametrize("words", FILTERS)
def test_filters(server: Server, client: httpx.Client, words: str) -> None:
    assert listed(client, filter=words) == [post for post in recent(server) if FILTERS[words](post)]


def test_topics_dates_and_limits(server: Server, client: httpx.Client) -> None:
    counts = [read(client, topic_ids=topic["id"])["count"] for topic in server.sandbox.topics(1417)]
    assert sum(counts) == len(recent(server))
    assert sum(count > 0 for count in counts) == 4
    border = datetime.fromtimestamp(recent(server)[3]["date"]["added"], tz=UTC)
    assert listed(client, date_from=border.isoformat()) == recent(server)[3:]
    for parameters in ({"limit": "0"}, {"limit": "101"}, {"filter": "language:nl"}, {"topic_ids": "x"}):
        assert client.get(POSTS, params=parameters).json()["error"] == "invalid_parameter"


def test_the_window_may_be_on_the_date_of_publication(server: Server, client: httpx.Client) -> None:
    server.sandbox.behaviour = replace(Behaviour(), publisher_window="published")
    later = (server.sandbox.now + timedelta(days=20)).isoformat()
    planned = listed(client, date_from=server.sandbox.now.isoformat(), date_to=later)
    now = server.sandbox.now_seconds
    truth = [post for post in server.sandbox.publisher_posts(1417) if post["date"].get("published", 0) > now]
    assert {post["id"] for post in planned} == {post["id"] for post in truth} != set()

"""The sandbox over real HTTP: tokens, envelope, errors, limits, ETag, lists and pages."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

import sandbox as sandbox_package
from sandbox import Behaviour, DailyChanges, Sandbox, Server
from sandbox.behaviour import EndOfList

pytestmark = pytest.mark.slow

Json = dict[str, Any]

MENTIONS = "/1417/inbox/mentions"
BUSY_DAYS = DailyChanges(
    acts=600, edits=24, swaps=3, deletions=5, restorations=1, erasures=2, late_arrivals=40, moves=2, reach_days=60
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Sandbox(seed=1, mentions=500, accounts=(1417, 2001), rate_limit_per_hour=100_000).serve() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    server.sandbox.behaviour = Behaviour()
    headers = {"Authorization": f"Bearer {server.sandbox.token}"}
    with httpx.Client(base_url=server.base_url, headers=headers) as opened:
        yield opened


@pytest.fixture
def every_topic(server: Server) -> str:
    return ",".join(str(topic["id"]) for topic in server.sandbox.topics(1417))


def read(client: httpx.Client, path: str = MENTIONS, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["meta"]["code"] == 200
    return body["response"]


def refused(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) <= {"code", "error", "error_description", "error_details"}
    assert answer.json()["code"] == status


def follow(client: httpx.Client, page: Json) -> list[Json]:
    rows = list(page["data"])
    while url := (page.get("paging") or {}).get("next_url"):
        page = client.get(url).json()["response"]
        rows += page["data"]
    return rows


# --- tokens, paths, methods ---


def test_the_token_goes_in_a_header_or_the_query(server: Server, client: httpx.Client) -> None:
    assert client.get("/me").status_code == 200
    assert httpx.get(f"{server.base_url}/me", params={"access_token": server.sandbox.token}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
def test_a_missing_or_wrong_token_is_refused(server: Server, headers: dict[str, str]) -> None:
    refused(httpx.get(f"{server.base_url}/me", headers=headers), 401, "invalid_token")


def test_an_expired_token_is_refused() -> None:
    with Sandbox(mentions=0, tokens=("fresh", "old"), expired_tokens=("old",)).serve() as server:
        refused(httpx.get(f"{server.base_url}/me", headers={"Authorization": "Bearer old"}), 401, "invalid_token")


@pytest.mark.parametrize("path", ["/me", "/me/", "/api/me", "/api/me/"])
def test_the_prefix_and_a_trailing_slash_are_tolerated(client: httpx.Client, path: str) -> None:
    assert read(client, path)["name"] == "Sofie De Smet"


def test_reads_may_be_posted_and_other_methods_may_not(client: httpx.Client, every_topic: str) -> None:
    form = {"topic_ids": every_topic, "limit": "0", "filter": "language:nl"}
    posted = client.post(MENTIONS, data=form).json()["response"]
    assert posted == read(client, **form)
    assert posted["count"] > 0
    refused(client.put(MENTIONS), 405, "invalid_http_method")


def test_unknown_things_are_not_found_or_not_permitted(client: httpx.Client) -> None:
    refused(client.get("/nowhere"), 404, "not_found")
    refused(client.get("/999/inbox/mentions"), 403, "no_permission")
    refused(client.get("/1417/settings/user/1"), 404, "not_found")
    refused(client.get("/1417/inbox/mention/46283/1"), 404, "not_found")
    refused(client.get(MENTIONS, params={"topic_ids": "1"}), 403, "no_permission")


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"sort": "timestamps.action_last_date:asc"},
        {"date_from": "1772442000"},
        {"date_to": "soon"},
        {"filter": "(status:new"},
        {"topic_ids": "all"},
        {"page_token": "xyz"},
    ],
)
def test_parameters_that_cannot_be_read_are_named(client: httpx.Client, parameters: dict[str, str]) -> None:
    answer = client.get(MENTIONS, params=parameters)
    refused(answer, 400, "invalid_parameter")
    assert next(iter(parameters)) in answer.json()["error_description"]


def test_an_unescaped_plus_in_a_date_is_not_a_plus(client: httpx.Client) -> None:
    refused(client.get(f"{MENTIONS}?date_from=2026-03-01T00:00:00+00:00"), 400, "invalid_parameter")
    assert client.get(f"{MENTIONS}?date_from=2026-03-01T00:00:00%2B00:00").status_code == 200


# --- what is answered ---


def test_a_page_is_the_truth_as_of_now(server: Server, client: httpx.Client, every_topic: str) -> None:
    rows = follow(client, read(client, topic_ids=every_topic, sort="dateadd:asc", limit=100))
    truth = {mention["unique_id"]: mention for mention in server.sandbox.mentions(1417)}
    assert {row["unique_id"]: row for row in rows} == truth
    assert len(rows) == len(truth)
    one = rows[7]
    assert read(client, f"/1417/inbox/mention/{one['topic']['id']}/{one['id']}") == one


def test_the_date_header_is_the_sandboxs_own_time(server: Server, client: httpx.Client) -> None:
    assert parsedate_to_datetime(client.get("/me").headers["date"]) == server.sandbox.now


def test_text_is_raw_utf8_with_slashes_as_php_writes_them(
    server: Server, client: httpx.Client, every_topic: str
) -> None:
    text = client.get(MENTIONS, params={"topic_ids": every_topic, "limit": 100}).content
    assert "é".encode() in text
    assert b"\\u00e9" not in text
    assert b"https:\\/\\/" in text
    server.sandbox.behaviour = replace(server.sandbox.behaviour, escaped_slashes=False)
    assert b"https://" in client.get(MENTIONS, params={"topic_ids": every_topic}).content


def test_empty_topics_mean_the_default_inbox_only(client: httpx.Client, every_topic: str) -> None:
    shown = read(client, limit=0)["count"]
    assert 0 < shown < read(client, limit=0, topic_ids=every_topic)["count"] == 500
    assert read(client, limit=0, topic_ids="")["count"] == shown


def test_without_dates_only_four_weeks_are_covered() -> None:
    with Sandbox(mentions=400, days=56).serve() as server, httpx.Client(base_url=server.base_url) as client:
        everything: Json = {
            "topic_ids": ",".join(str(topic["id"]) for topic in server.sandbox.topics(1417)),
            "limit": 0,
        }
        everything["access_token"] = server.sandbox.token
        assert read(client, **everything)["count"] < 300
        assert read(client, **everything, date_from="2025-01-01T00:00:00Z")["count"] == 400


def test_both_ends_of_the_window_belong_to_it_unless_switched(
    server: Server, client: httpx.Client, every_topic: str
) -> None:
    at = server.sandbox.mentions(1417)[100]["date"]["added"]
    at_text = (server.sandbox.now + timedelta(seconds=at - server.sandbox.now_seconds)).isoformat()
    window: Json = {"topic_ids": every_topic, "date_from": at_text, "date_to": at_text, "limit": 0}
    assert read(client, **window)["count"] >= 1
    server.sandbox.behaviour = Behaviour(inclusive_dates=False)
    assert read(client, **window)["count"] == 0


def test_a_date_without_offset_is_local_to_the_account(server: Server, client: httpx.Client, every_topic: str) -> None:
    added_at = server.sandbox.mentions(1417)[100]["date"]["added"]
    local = f"{datetime.fromtimestamp(added_at, tz=ZoneInfo('Europe/Brussels')):%Y-%m-%d %H:%M:%S}"
    in_utc = f"{datetime.fromtimestamp(added_at, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"

    def count(text: str) -> Any:
        return read(client, topic_ids=every_topic, date_from=text, limit=0)["count"]

    assert count(local) == count(in_utc) > count(f"{local}+00:00")


def test_limit_zero_only_counts_and_twenty_is_the_default(client: httpx.Client) -> None:
    counted = read(client, limit=0)
    assert counted["data"] == []
    assert counted["count"] > 20
    assert len(read(client)["data"]) == 20


def test_reference_lists_are_those_of_the_account(server: Server, client: httpx.Client) -> None:
    assert follow(client, read(client, "/1417/settings/users", limit=7)) == server.sandbox.users(1417)
    assert follow(client, read(client, "/1417/settings/topics", limit=2)) == server.sandbox.topics(1417)
    schedules = follow(client, read(client, "/1417/settings/businesshoursschedules", limit=4))
    assert schedules == server.sandbox.schedules(1417)
    first = server.sandbox.users(1417)[0]
    assert read(client, f"/1417/settings/user/{first['id']}") == first
    assert read(client, "/me/permissions") == ["identify", "accounts_read", "email"]


def test_accounts_nest_projects_topics_and_profiles(client: httpx.Client) -> None:
    accounts = read(client, "/me/accounts")["data"]
    assert [account["id"] for account in accounts] == [1417, 2001]
    projects = accounts[0]["projects"]
    assert any("topics" not in project for project in projects)
    topics = [topic for project in projects for topic in project.get("topics", [])]
    assert any("monitoredprofiles" not in topic for topic in topics)
    profiles = [profile for topic in topics for profile in topic.get("monitoredprofiles", [])]
    assert {"username" in profile for profile in profiles} == {True, False}


# --- pages ---


def test_next_url_repeats_everything_and_leaks_the_token(server: Server, client: httpx.Client) -> None:
    first, second = (topic["id"] for topic in server.sandbox.topics(1417)[1:3])
    page = read(client, topic_ids=f"{first},{second}", limit=10, sort="dateadd:asc", filter="NOT language:xx")
    url = urlsplit(page["paging"]["next_url"])
    assert url.path == "/api/1417/inbox/mentions"
    assert url.query.startswith("date_from=&date_to=&")
    assert parse_qs(url.query, keep_blank_values=True) == {
        "date_from": [""],
        "date_to": [""],
        "limit": ["10"],
        "sort": ["dateadd:asc"],
        "filter": ["NOT language:xx"],
        "topic_ids[0]": [str(first)],
        "topic_ids[1]": [str(second)],
        "page_token": ["YToyOntpOjA7aToxMDtpOjE7YTowOnt9fQ=="],
        "access_token": [server.sandbox.token],
    }
    assert "previous_url" not in page["paging"]
    second_page = client.get(page["paging"]["next_url"]).json()["response"]
    assert client.get(second_page["paging"]["previous_url"]).json()["response"]["data"] == page["data"]


def test_the_token_and_the_prefix_can_be_kept_out_of_next_url(server: Server, client: httpx.Client) -> None:
    server.sandbox.behaviour = Behaviour(token_in_next_url=False, api_prefix_in_next_url=False)
    url = read(client)["paging"]["next_url"]
    assert "access_token" not in url
    assert urlsplit(url).path == MENTIONS


def test_pages_are_an_offset_in_disguise_so_rows_shift_when_something_arrives() -> None:
    with Sandbox(mentions=300).serve() as server:
        headers = {"Authorization": f"Bearer {server.sandbox.token}"}
        with httpx.Client(base_url=server.base_url, headers=headers) as client:
            page = read(client, limit=50)
            server.sandbox.advance(hours=12)
            ids = [row["unique_id"] for row in follow(client, page)]
            assert len(set(ids)) < len(ids)
            page = read(client, limit=50)
            for row in page["data"][:5]:
                server.sandbox.delete_mention(1417, row["unique_id"])
            rest = {row["unique_id"] for row in follow(client, page)}
            assert len(rest) < page["count"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("missing_paging", "no paging"),
        ("empty_paging", []),
        ("missing_key", []),
        ("null", {"next_url": None}),
        ("empty_text", {"next_url": ""}),
    ],
)
def test_the_end_of_a_list_has_five_forms(server: Server, client: httpx.Client, form: EndOfList, expected: Any) -> None:
    server.sandbox.behaviour = Behaviour(end_of_list=form)
    assert read(client, "/1417/settings/topics").get("paging", "no paging") == expected


def test_lists_differ_in_how_they_end(client: httpx.Client) -> None:
    paths = ["/me/accounts", "/1417/settings/users", "/1417/settings/topics", "/1417/settings/businesshoursschedules"]
    ends = [str(read(client, path).get("paging", "missing")) for path in paths]
    assert len(set(ends)) >= 3
    assert read(client, limit=100, date_from="2026-03-02T08:59:59Z")["paging"] == {"next_url": None}


def test_a_list_can_only_be_paged_to_its_depth(server: Server, client: httpx.Client, every_topic: str) -> None:
    server.sandbox.behaviour = Behaviour(depth_cap_rows=250)
    page = read(client, topic_ids=every_topic, limit=100)
    rows = follow(client, page)
    assert page["count"] == 500
    assert len(rows) == 250
    last = client.get(read(client, topic_ids=every_topic, limit=100)["paging"]["next_url"]).json()["response"]
    assert client.get(last["paging"]["next_url"]).json()["response"]["paging"]["next_url"] == ""
    refused(client.get(MENTIONS, params={"page_token": "YToyOntpOjA7aToyNTA7aToxO2E6MDp7fX0="}), 400, "limit_exceeded")


# --- limits and ETag ---


@pytest.fixture
def limited() -> Iterator[tuple[Sandbox, httpx.Client]]:
    sandbox = Sandbox(mentions=20, rate_limit_per_hour=3, tokens=("one", "two"))
    with (
        sandbox.serve() as running,
        httpx.Client(base_url=running.base_url, headers={"Authorization": "Bearer one"}) as c,
    ):
        yield sandbox, c


def test_when_the_hour_is_used_up_the_answer_is_400(limited: tuple[Sandbox, httpx.Client]) -> None:
    sandbox, client = limited
    remaining = [client.get(path).headers["x-ratelimit-remaining"] for path in ("/me", "/nowhere", "/me")]
    assert remaining == ["2", "1", "0"]
    throttled = client.get("/me")
    refused(throttled, 400, "rate_limit_reached")
    assert throttled.headers["x-ratelimit-limit"] == "3"
    assert throttled.headers["x-ratelimit-time"] == "3600"
    assert throttled.headers["x-ratelimit-reset"] == str(sandbox.now_seconds + 3_600)
    assert client.get("/me", headers={"Authorization": "Bearer two"}).status_code == 200
    sandbox.behaviour = Behaviour(reset_header_when_throttled=False)
    assert "x-ratelimit-reset" not in client.get("/me").headers
    sandbox.advance(hours=1)
    assert client.get("/me").status_code == 200
    sandbox.rate_limit_per_hour = 1
    assert client.get("/me").status_code == 400


def test_an_unchanged_answer_is_304_without_body_and_costs_a_call(limited: tuple[Sandbox, httpx.Client]) -> None:
    sandbox, client = limited
    path = "/1417/settings/topics"
    assert "etag" not in client.get(path).json()["meta"]
    first = client.get(path, headers={"If-None-Match": "something"})
    etag = first.headers["etag"]
    assert first.json()["meta"]["etag"] == etag
    again = client.get(path, headers={"ETag": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert again.headers["x-ratelimit-remaining"] == "0"
    sandbox.advance(hours=1)
    sandbox.behaviour = Behaviour(not_modified_costs_a_call=False)
    for _ in range(5):
        assert client.get(path, headers={"If-None-Match": f'"{etag}"'}).status_code == 304


def test_a_changed_answer_has_another_etag(limited: tuple[Sandbox, httpx.Client]) -> None:
    sandbox, client = limited
    parameters: Json = {"limit": 1, "date_from": "2026-01-01T00:00:00Z"}
    etag = client.get(MENTIONS, params=parameters, headers={"If-None-Match": "x"}).headers["etag"]
    newest = client.get(MENTIONS, params=parameters).json()["response"]["data"][0]
    sandbox.act(1417, newest["unique_id"], kind="note", text="changed")
    assert client.get(MENTIONS, params=parameters, headers={"If-None-Match": etag}).status_code == 200


# --- the same in any process, from many threads, and gone when asked ---

SAME = """
import hashlib, httpx
from sandbox import Sandbox
with Sandbox(seed=9, mentions=300, days=10).serve(port={port}) as server:
    server.sandbox.advance(hours=30)
    read = lambda path: httpx.get(server.base_url + path, headers={{"Authorization": "Bearer sandbox-token"}}).content
    answers = [read(path).replace(server.base_url.encode(), b"") for path in {paths!r}]
    print(hashlib.sha256(b"".join(answers).replace(server.base_url[7:].encode(), b"")).hexdigest())
"""


def test_two_processes_give_the_same_bytes() -> None:
    paths = ["/me/accounts", "/1417/settings/users", f"{MENTIONS}?limit=100&sort=timestamps.action_last_date:desc"]
    root = Path(sandbox_package.__file__).parents[1]

    def digest(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-W", "error", "-c", SAME.format(port=0, paths=paths)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert digest("1") == digest("2")


def test_reading_while_the_clock_moves_gives_whole_answers() -> None:
    sandbox = Sandbox(mentions=300, rate_limit_per_hour=10_000)
    problems, done = [], threading.Event()
    with sandbox.serve() as server:

        def keep_reading() -> None:
            with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {sandbox.token}"}) as client:
                while not done.is_set():
                    answer = client.get(MENTIONS, params={"limit": 20, "sort": "timestamps.action_last_date:desc"})
                    if answer.status_code != 200 or len(answer.json()["response"]["data"]) != 20:
                        problems.append(answer.text)

        readers = [threading.Thread(target=keep_reading) for _ in range(2)]
        for reader in readers:
            reader.start()
        for _ in range(25):
            sandbox.advance(hours=7)
            unique_id = sandbox.mentions(1417)[0]["unique_id"]
            sandbox.act(1417, unique_id, kind="note", text="x")
        done.set()
        for reader in readers:
            reader.join(20)
    assert problems == []
    assert len(sandbox.requests) > 10


def test_the_server_stops_promptly_even_with_an_answer_under_way() -> None:
    sandbox = Sandbox(mentions=0)
    sandbox.faults.add("delay", seconds=30)
    with sandbox.serve() as server:

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):  # whether it still gets an answer is not promised
                httpx.get(f"{server.base_url}/me", headers={"Authorization": "Bearer sandbox-token"})

        waiting = threading.Thread(target=ask)
        waiting.start()
        time.sleep(0.2)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 2
    waiting.join(10)
    assert not waiting.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.base_url}/me")


def test_the_clock_may_run_along_with_the_machines() -> None:
    sandbox = Sandbox(mentions=0, real_time=True)
    start = sandbox.now
    time.sleep(1.1)
    assert timedelta(seconds=1) <= sandbox.now - start < timedelta(seconds=30)


@pytest.mark.parametrize("daily", [None, BUSY_DAYS], ids=["quiet", "busy"])
def test_a_page_of_a_large_account_takes_little_longer_than_one_of_a_small(daily: DailyChanges | None) -> None:
    """In this process' own time, as a ratio of medians, page by page: other work on the machine slows both."""
    small, large = (
        Sandbox(mentions=count, days=90, daily=daily, rate_limit_per_hour=10_000) for count in (2_000, 120_000)
    )
    parameters: Json = {"limit": 100, "sort": "timestamps.action_last_date:desc", "date_from": "2025-01-01T00:00:00Z"}
    still: dict[Sandbox, list[float]] = {small: [], large: []}
    after_a_move: dict[Sandbox, list[float]] = {small: [], large: []}
    with small.serve() as of_small, large.serve() as of_large, contextlib.ExitStack() as stack:
        clients = {
            server.sandbox: stack.enter_context(
                httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {server.sandbox.token}"})
            )
            for server in (of_small, of_large)
        }
        for _ in range(9):
            for sandbox, client in clients.items():
                sandbox.advance(minutes=15)  # its columns are made anew
                for times in (after_a_move, still, still):
                    begin = time.process_time()
                    assert len(read(client, **parameters)["data"]) == 100
                    times[sandbox].append(time.process_time() - begin)
    assert median(still[large]) < 6 * median(still[small])  # 1.7 times as long, with 60 times as many mentions
    assert median(after_a_move[large]) < 12 * median(after_a_move[small])  # 3 times


def test_a_busy_account_changes_as_much_a_day_as_was_asked_for() -> None:
    sandbox = Sandbox(mentions=120_000, days=60, daily=BUSY_DAYS)
    sandbox.advance(days=2)
    state = sandbox.accounts[1417].state(sandbox.now_seconds)
    assert 2_700 < int((state.last_action_at > sandbox.now_seconds - 86_400).sum()) < 4_200

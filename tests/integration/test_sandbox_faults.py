"""Faults over real HTTP, as a client meets them, and the control routes for other processes."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from sandbox import Sandbox, Server
from sandbox.faults import Faults

MENTIONS = "/1417/inbox/mentions"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Sandbox(seed=4, mentions=120, rate_limit_per_hour=10_000).serve() as running:
        yield running


@pytest.fixture
def faults(server: Server) -> Iterator[Faults]:
    yield server.sandbox.faults
    server.sandbox.faults.clear()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {server.sandbox.token}"}
    with httpx.Client(base_url=server.base_url, headers=headers) as opened:
        yield opened


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_comes_once_and_then_all_is_well(client: httpx.Client, faults: Faults, status: int) -> None:
    faults.add("status", status=status, path="inbox")
    assert client.get("/me").status_code == 200
    answer = client.get(MENTIONS)
    assert (answer.status_code, answer.json()["error"]) == (status, "internal_server_error")
    assert client.get(MENTIONS).status_code == 200


def test_a_gateway_answers_with_a_page(client: httpx.Client, faults: Faults) -> None:
    faults.add("html", status=502)
    answer = client.get(MENTIONS)
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html>")
    assert "x-ratelimit-remaining" not in answer.headers


def test_json_may_stop_half_way_in_a_whole_answer(client: httpx.Client, faults: Faults) -> None:
    whole = client.get(MENTIONS).content
    faults.add("cut_json")
    answer = client.get(MENTIONS)
    assert int(answer.headers["content-length"]) == len(answer.content) == len(whole) // 2
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_the_connection_may_close_half_way(client: httpx.Client, faults: Faults) -> None:
    faults.add("cut_connection")
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(MENTIONS)
    assert client.get(MENTIONS).status_code == 200


def test_an_answer_may_take_too_long(client: httpx.Client, faults: Faults) -> None:
    faults.add("delay", seconds=0.6)
    with pytest.raises(httpx.ReadTimeout):
        client.get(MENTIONS, timeout=0.2)
    faults.clear()
    faults.add("delay", seconds=0.3)
    begin = time.monotonic()
    assert client.get(MENTIONS).status_code == 200
    assert time.monotonic() - begin >= 0.3


@pytest.mark.parametrize("reset", [True, False])
def test_a_throttle_may_hide_when_it_ends(client: httpx.Client, faults: Faults, reset: bool) -> None:
    faults.add("throttle", reset=reset)
    answer = client.get(MENTIONS)
    assert (answer.status_code, answer.json()["error"]) == (400, "rate_limit_reached")
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert ("x-ratelimit-reset" in answer.headers) == reset


def test_a_token_may_expire_in_the_middle(client: httpx.Client, faults: Faults) -> None:
    faults.add("expired_token", after=1)
    assert client.get("/me").status_code == 200
    answer = client.get("/me")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_next_urls_may_lead_elsewhere_or_in_circles(server: Server, client: httpx.Client, faults: Faults) -> None:
    faults.add("foreign_next_url")
    assert client.get(MENTIONS).json()["response"]["paging"]["next_url"].startswith("https://collector.example.net/")
    faults.add("looping_next_url", times=2)
    url = client.get(MENTIONS, params={"limit": 5}).json()["response"]["paging"]["next_url"]
    assert url == f"{server.base_url}{MENTIONS}?limit=5"
    assert client.get(url).json()["response"]["paging"]["next_url"] == url


def test_spoilt_records_are_spoilt_for_one_answer_only(client: httpx.Client, faults: Faults) -> None:
    clean = client.get(MENTIONS).json()["response"]["data"]
    faults.add("unknown_field")
    assert all("future_field" in row for row in client.get(MENTIONS).json()["response"]["data"])
    faults.add("changed_type", field="tags", value={"0": "VIP"})
    assert all(row["tags"] == {"0": "VIP"} for row in client.get(MENTIONS).json()["response"]["data"])
    faults.add("unreadable_record", record=None)
    assert client.get(MENTIONS).json()["response"]["data"][1] is None
    faults.add("empty_page")
    page = client.get(MENTIONS).json()["response"]
    assert page["data"] == []
    assert page["paging"]["next_url"]
    assert client.get(MENTIONS).json()["response"]["data"] == clean


def test_other_processes_move_the_clock_and_read_the_truth(server: Server, client: httpx.Client) -> None:
    clock = client.get("/_sandbox/clock").json()
    moved = client.post("/_sandbox/clock", json={"advance_seconds": 90}).json()
    assert moved["unix"] == clock["unix"] + 90 == server.sandbox.now_seconds
    assert client.get("/_sandbox/accounts").json() == [1417]
    assert client.get("/_sandbox/accounts/1417/mentions").json() == server.sandbox.mentions(1417)
    for body in ({"advance_seconds": -1}, {"advance_seconds": "x"}, {}):
        answer = client.post("/_sandbox/clock", json=body)
        assert answer.status_code == 400
        assert "advance_seconds" in answer.json()["error"]
    assert client.get("/_sandbox/accounts/9/mentions").status_code == 404


def test_other_processes_make_faults(client: httpx.Client) -> None:
    added = client.post("/_sandbox/faults", json={"kind": "status", "status": 503, "times": None})
    assert added.json()["times"] is None
    assert [fault["kind"] for fault in client.get("/_sandbox/faults").json()] == ["status"]
    assert client.get("/me").status_code == 503
    assert client.delete("/_sandbox/faults").status_code == 200
    assert client.get("/me").status_code == 200
    for body in ({"kind": "earthquake"}, {"kind": "status", "colour": "red"}):
        assert client.post("/_sandbox/faults", json=body).status_code == 400
    for path in ("/_sandbox/faults", "/_sandbox/clock"):
        assert client.post(path, content=b"{not json").status_code == 400


def test_the_log_has_every_request_and_no_secret() -> None:
    with Sandbox(mentions=10).serve() as server:
        with httpx.Client(base_url=server.base_url) as client:
            client.get("/me", params={"access_token": "sandbox-token", "a": "é"})
            client.post("/1417/inbox/mentions/", data={"limit": "0", "access_token": "sandbox-token"})
            client.get("/nowhere", params={"access_token": "wrong"})
            client.get("/_sandbox/clock")
            log = client.get("/_sandbox/requests").json()
        assert [(entry["method"], entry["path"], entry["status"]) for entry in log] == [
            ("GET", "/me", 200),
            ("POST", "/1417/inbox/mentions/", 200),
            ("GET", "/nowhere", 401),
        ]
        assert log[0]["query"] == "access_token=%2A%2A%2A&a=%C3%A9"
        assert log[1]["parameters"] == {"limit": "0"}
        assert "sandbox-token" not in json.dumps(log)
        assert [entry["status"] for entry in log] == [request.status for request in server.sandbox.requests]

"""Tokens over real HTTP: they expire, are refreshed, and share the allowance of their user; the log tells it all."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox import Behaviour, Sandbox, Server
from sandbox.requests import calls_per_frame, most_calls_in_an_hour

pytestmark = pytest.mark.slow

Json = dict[str, Any]

TOKEN_URL = "/oauth/access_token/"


@pytest.fixture
def server() -> Iterator[Server]:
    with Sandbox(
        mentions=20, tokens=("one", "two"), access_token_lifetime_seconds=7_200, rate_limit_per_hour=5
    ).serve() as running:
        yield running


def get(server: Server, token: str, path: str = "/me") -> httpx.Response:
    return httpx.get(f"{server.base_url}{path}", headers={"Authorization": f"Bearer {token}"})


def refresh(server: Server, refresh_token: str | None, *, method: str = "GET", **changes: str | None) -> httpx.Response:
    client_id, client_secret = server.sandbox.client
    asked = {
        "client_id": client_id,
        "client_secret": client_secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        **changes,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    url = f"{server.base_url}{TOKEN_URL}"
    return httpx.get(url, params=given) if method == "GET" else httpx.request(method, url, data=given)


def test_an_access_token_expires_by_the_sandboxs_clock(server: Server) -> None:
    server.sandbox.advance(seconds=7_199)
    assert get(server, "one").status_code == 200
    server.sandbox.advance(seconds=1)
    refused = get(server, "one")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    server.sandbox.behaviour = Behaviour(expired_token_error=(400, "expired_token"))
    refused = get(server, "one")
    assert (refused.status_code, refused.json()["error"]) == (400, "expired_token")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refresh_gives_new_tokens_of_the_same_user_in_a_flat_answer(server: Server, method: str) -> None:
    box = server.sandbox
    name = get(server, "two").json()["response"]["name"]
    box.advance(hours=3)
    answer = refresh(server, box.refresh_token("two"), method=method)
    assert answer.status_code == 200
    given = answer.json()
    assert set(given) == {"access_token", "expires_in", "scope", "refresh_token"}
    assert (given["expires_in"], given["scope"]) == (7_200, "identify accounts_read email")
    assert get(server, given["access_token"]).json()["response"]["name"] == name
    box.advance(seconds=7_200)
    assert get(server, given["access_token"]).status_code == 401


def test_a_used_refresh_token_and_the_replaced_access_token_are_void_at_once(server: Server) -> None:
    used = server.sandbox.refresh_token("one")
    first = refresh(server, used).json()
    assert get(server, "one").status_code == 401
    again = refresh(server, used)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert set(again.json()) == {"error", "error_description"}
    second = refresh(server, first["refresh_token"]).json()
    assert second["refresh_token"] not in {used, first["refresh_token"]}
    assert get(server, second["access_token"]).status_code == 200
    assert server.sandbox.token == "two"


def test_neither_need_be_void(server: Server) -> None:
    server.sandbox.behaviour = Behaviour(refresh_tokens_rotate=False, refresh_voids_access_token=False)
    lasting = server.sandbox.refresh_token("one")
    tokens = ["one"]
    for _ in range(2):
        given = refresh(server, lasting).json()
        assert given["refresh_token"] == lasting
        tokens.append(given["access_token"])
    assert len(set(tokens)) == 3
    assert [get(server, token).status_code for token in tokens] == [200, 200, 200]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "somebody"}, "invalid_client"),
        ({"client_id": None}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"refresh_token": "made-up"}, "invalid_grant"),
        ({"refresh_token": None}, "invalid_grant"),
    ],
)
def test_what_is_wrong_with_a_refresh_is_named_and_costs_the_token_nothing(
    server: Server, changes: dict[str, str | None], error: str
) -> None:
    token = server.sandbox.refresh_token("one")
    given = {"refresh_token": token} | changes
    answer = refresh(server, **given)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    server.sandbox.behaviour = Behaviour(token_error_status=401)
    assert refresh(server, **given).status_code == 401
    assert get(server, "one").status_code == 200
    assert refresh(server, token).status_code == 200


def test_a_refresh_token_may_expire() -> None:
    with Sandbox(mentions=0, refresh_token_lifetime_seconds=86_400).serve() as server:
        server.sandbox.advance(days=1)
        answer = refresh(server, server.sandbox.refresh_token("sandbox-token"))
        assert answer.json()["error"] == "invalid_grant"


def test_a_token_may_be_ended_by_hand_and_faults_reach_the_token_endpoint(server: Server) -> None:
    server.sandbox.expire_token("one")
    assert get(server, "one").status_code == 401
    server.sandbox.faults.add("html", path="/oauth", status=502)
    token = server.sandbox.refresh_token("one")
    assert refresh(server, token).status_code == 502
    assert refresh(server, token).status_code == 200


def test_tokens_of_one_user_share_an_allowance_and_others_have_their_own() -> None:
    tokens = {"laptop": 0, "server": 0, "colleague": 1}
    with Sandbox(mentions=0, tokens=tokens, rate_limit_per_hour=3).serve() as server:
        assert [get(server, token).status_code for token in ("laptop", "server", "laptop")] == [200, 200, 200]
        assert get(server, "server").json()["error"] == "rate_limit_reached"
        assert get(server, "colleague").headers["x-ratelimit-remaining"] == "2"
        given = refresh(server, server.sandbox.refresh_token("laptop")).json()
        assert get(server, given["access_token"]).json()["error"] == "rate_limit_reached"
        logged = [each for each in server.sandbox.requests if each.path == "/me"]
        one, other = (user["id"] for user in server.sandbox.users(1417)[:2])
        assert [each.user_id for each in logged] == [one, one, one, one, other, one]
        assert [each.token_number for each in logged] == [0, 1, 0, 1, 2, 3]
        assert [each.is_counted for each in logged] == [True, True, True, False, True, False]


def test_the_log_can_be_summed_by_user_and_frame(server: Server) -> None:
    box = server.sandbox
    started = box.now
    for minutes, count in ((0, 4), (50, 3), (20, 4)):
        box.advance(minutes=minutes)
        for _ in range(count):
            get(server, "one")
    get(server, "two")
    get(server, "unknown")
    one, two = (user["id"] for user in box.users(1417)[:2])
    frames = calls_per_frame(box.requests)
    later = started + timedelta(minutes=70)
    assert frames == {
        (one, started): 5,
        (one, later): 4,
        (two, later): 1,
    }  # of 7 calls in the first hour, 2 were refused
    assert most_calls_in_an_hour(box.requests) == {one: 5, two: 1}


def test_the_hour_may_be_that_of_the_clock(server: Server) -> None:
    box = server.sandbox
    box.behaviour = Behaviour(rate_window="clock_hour")
    box.advance(minutes=59)
    assert get(server, "one").headers["x-ratelimit-reset"] == str(box.now_seconds + 60)
    box.advance(minutes=1)
    assert get(server, "one").headers["x-ratelimit-remaining"] == "4"
    assert sorted(calls_per_frame(box.requests).values()) == [1, 1]


def test_what_costs_no_call_is_not_counted(server: Server) -> None:
    box = server.sandbox
    box.behaviour = Behaviour(not_modified_costs_a_call=False)
    path = "/1417/settings/topics"
    url, header = f"{server.base_url}{path}", {"Authorization": "Bearer one"}
    etag = httpx.get(url, headers=header | {"If-None-Match": "x"}).headers["etag"]
    assert httpx.get(url, headers=header | {"If-None-Match": etag}).status_code == 304
    assert [each.is_counted for each in box.requests] == [True, False]


def test_the_log_holds_no_secret(server: Server) -> None:
    given = refresh(server, server.sandbox.refresh_token("one")).json()
    httpx.get(f"{server.base_url}/me", params={"access_token": given["access_token"]})
    log = repr(server.sandbox.requests) + httpx.get(f"{server.base_url}/_sandbox/requests").text
    assert "grant_type" in log
    for secret in (*given.values(), server.sandbox.client[1], server.sandbox.refresh_token("one")):
        if secret not in {given["expires_in"], given["scope"]}:
            assert secret not in log

"""An access token that has expired is renewed once, whoever notices; what is given is stored before it is used."""

import json
import logging
import pickle
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from unittest.mock import ANY
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from pipelines.api import (
    AuthenticationFailed,
    Renewal,
    RenewalRefused,
    ServerFailed,
    SocialConnect,
    SocialConnectError,
    TransportFailed,
)
from pipelines.api.renewal import read_grant

Connect = Callable[..., SocialConnect]

CLIENT_SECRET = "canary-client-secret-77"
ACCESS, REFRESH = "canary-access-0123456789", "canary-refresh-0123456789"


class _Server:
    """Gives tokens that hold until the next ones are given; a refresh token is good for one use."""

    def __init__(self) -> None:
        self.access = "canary-access-number-0-void"
        self.refresh = REFRESH
        self.renewals: list[httpx.Request] = []
        self.requests: list[str] = []
        self.failures: list[httpx.Response | Exception] = []
        self.keeps_refresh_token = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "/oauth/" in request.url.path:
            return self.renew(request)
        self.requests.append(request.headers["authorization"])
        if request.headers["authorization"] != f"Bearer {self.access}":
            return httpx.Response(401, json={"code": 401, "error": "invalid_token"})
        return httpx.Response(200, json={"meta": {"code": 200}, "response": [self.access]})

    def renew(self, request: httpx.Request) -> httpx.Response:
        self.renewals.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        form = {name: value for name, (value,) in parse_qs(request.content.decode()).items()}
        given = {"grant_type": "refresh_token", "client_id": "app-7", "client_secret": CLIENT_SECRET}
        if form != given | {"refresh_token": self.refresh}:
            said = f"not {form.get('refresh_token')}"
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": said})
        self.access = f"canary-access-number-{len(self.renewals)}"
        answer = {"access_token": self.access, "expires_in": 7_776_000, "scope": "accounts_read"}
        if not self.keeps_refresh_token:
            self.refresh = f"canary-refresh-number-{len(self.renewals)}"
            answer["refresh_token"] = self.refresh
        return httpx.Response(200, json=answer)


@pytest.fixture
def server() -> _Server:
    return _Server()


@pytest.fixture
def client(connect: Connect, server: _Server, tmp_path: Path) -> Callable[..., SocialConnect]:
    def make(**options: Any) -> SocialConnect:
        renewal = Renewal("app-7", SecretStr(CLIENT_SECRET), (SecretStr(REFRESH),))
        given: dict[str, Any] = {"tokens": (ACCESS,), "renewal": renewal, "shared_folder": tmp_path}
        return connect(server, **(given | options))

    return make


def assert_no_secret(*texts: Any) -> None:
    for text in texts:
        assert "canary" not in f"{text} {text!r}"


def test_the_request_is_answered_with_the_new_token_and_nothing_shows_a_secret(
    client: Connect, server: _Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        api = client()
        response = api.get("/me")
    assert server.requests == [f"Bearer {ACCESS}", "Bearer canary-access-number-1"]
    assert response.body.count("[access-token]") == 1, "the new token is scrubbed as the first was"
    (renewal,) = server.renewals
    assert (renewal.method, str(renewal.url)) == ("POST", "https://app.engagor.com/oauth/access_token/")
    assert "authorization" not in renewal.headers
    assert_no_secret(caplog.text, response.body, api, renewal.url)
    assert api.budget.request_count == 2, "a renewal is no call of the allowance"


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("https://api-us.engagor.com/api", "https://us.engagor.com/oauth/access_token/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/oauth/access_token/"),
        ("https://proxy.example/social/", "https://proxy.example/social/oauth/access_token/"),
    ],
)
def test_each_host_has_its_own_place_to_ask(client: Connect, server: _Server, base_url: str, asked: str) -> None:
    client(base_url=base_url).get("/me")
    assert [str(request.url) for request in server.renewals] == [asked]


def test_what_was_given_is_there_for_the_next_process_and_for_its_owner_alone(
    client: Connect, server: _Server, tmp_path: Path
) -> None:
    client().get("/me")
    file = tmp_path / "tokens.json"
    assert file.stat().st_mode & 0o777 == 0o600
    ((name, kept),) = json.loads(file.read_text(encoding="utf-8")).items()
    assert_no_secret(name)
    assert kept == {"access_token": server.access, "refresh_token": server.refresh, "expires_at": ANY}
    again = client()
    again.get("/me")
    assert again.tokens_expire_at == (kept["expires_at"],)
    assert len(server.renewals) == 1
    server.access = "canary-access-number-9"  # and that expires too
    client().get("/me")
    assert len(server.renewals) == 2


@pytest.mark.parametrize(
    ("told", "expires_at"), [("7776000", 7_776_100.0), ("60.5", 160.5), ("null", None), ('"soon"', None)]
)
def test_what_is_told_of_the_end_of_a_token_keeps_none_from_being_read(told: str, expires_at: float | None) -> None:
    """A refresh token that was used is lost with an answer that is not read."""
    grant = read_grant(f'{{"access_token": "a", "refresh_token": "r", "expires_in": {told}}}'.encode(), now=100)
    assert grant is not None
    assert grant.expires_at == expires_at
    assert grant.refresh_token == SecretStr("r")


def test_a_refresh_token_that_is_not_replaced_stays_good(client: Connect, server: _Server) -> None:
    server.keeps_refresh_token = True
    for _ in range(3):
        client().get("/me")
        server.access = "canary-access-that-holds-no-more"
    assert len(server.renewals) == 3


def test_a_process_killed_before_it_uses_what_it_was_given_costs_nothing(
    client: Connect, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = client()

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.api.client.Scrubber", die)  # the first thing that is done with the new token
        with pytest.raises(KeyboardInterrupt):
            api.get("/me")
    client().get("/me")
    assert len(server.renewals) == 1


def test_one_of_many_threads_and_clients_renews(client: Connect, server: _Server) -> None:
    clients = [client() for _ in range(3)]
    barrier = Barrier(9)

    def get(number: int) -> Any:
        barrier.wait(timeout=30)
        return clients[number % 3].get("/me").is_not_modified

    with ThreadPoolExecutor(9) as pool:
        assert list(pool.map(get, range(9))) == [False] * 9
    assert len(server.renewals) == 1


def test_a_token_that_another_has_renewed_and_that_has_expired_again_is_renewed(
    client: Connect, server: _Server
) -> None:
    api = client()
    client().get("/me")
    server.access = "canary-access-that-holds-no-more"
    assert api.get("/me").data == ["[access-token]"]
    assert len(server.renewals) == 2


def test_tokens_that_were_set_anew_have_nothing_to_do_with_those_stored(client: Connect, server: _Server) -> None:
    client().get("/me")
    server.access, server.refresh = "canary-access-set-anew", "canary-refresh-set-anew"
    renewal = Renewal("app-7", SecretStr(CLIENT_SECRET), (SecretStr(server.refresh),))
    client(tokens=(server.access,), renewal=renewal).get("/me")
    assert server.requests[-1] == "Bearer canary-access-set-anew"
    assert len(server.renewals) == 1


def test_only_the_token_that_has_expired_is_renewed(connect: Connect, server: _Server, tmp_path: Path) -> None:
    server.access = "canary-access-of-another-user"
    tokens = (ACCESS, server.access)
    renewal = Renewal("app-7", SecretStr(CLIENT_SECRET), (SecretStr("canary-refresh-unused"), SecretStr(REFRESH)))
    with connect(server, tokens=tokens, renewal=renewal, shared_folder=tmp_path) as api:
        with pytest.raises(RenewalRefused) as caught:
            api.get("/me")
        assert caught.value.token_number == 1
        assert len(server.renewals) == 1


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.Response(400, json={"error": "invalid_grant", "error_description": REFRESH}), RenewalRefused),
        (httpx.Response(400, json={"error": "invalid_client", "error_description": CLIENT_SECRET}), RenewalRefused),
        (httpx.Response(302, headers={"location": f"https://evil.example/?x={REFRESH}"}), RenewalRefused),
        (httpx.Response(200, text=f"<p>{REFRESH}</p>"), RenewalRefused),
        (httpx.Response(200, json={"access_token": ""}), RenewalRefused),
        (httpx.Response(200, json={"access_token": ["canary"]}), RenewalRefused),
        (httpx.Response(503, text=f"{REFRESH} {CLIENT_SECRET}"), ServerFailed),
        (httpx.ConnectError("refused"), TransportFailed),
        (httpx.ReadTimeout("slow"), TransportFailed),
    ],
)
def test_what_fails_is_said_without_a_secret_and_can_be_tried_again(
    client: Connect, server: _Server, caplog: pytest.LogCaptureFixture, failure: Any, kind: type[SocialConnectError]
) -> None:
    server.failures = [failure]
    with caplog.at_level(logging.DEBUG), client(max_attempts=1) as api, pytest.raises(kind) as caught:
        api.get("/me")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "/pipelines/" in frame.filename]
    assert ours
    assert_no_secret(
        *(frame.locals for frame in ours),
        caplog.text,
        caught.value,
        pickle.dumps(caught.value),
        "".join(shown.format_exception_only()),
    )
    assert caught.value.path == "/oauth/access_token/"
    client().get("/me")
    assert len(server.renewals) == 2


def test_a_fault_of_a_moment_is_tried_again_at_once(client: Connect, server: _Server) -> None:
    server.failures = [httpx.Response(502), httpx.ConnectError("refused")]
    client().get("/me")
    assert len(server.renewals) == 3


def test_a_token_that_is_refused_however_new_it_is_ends_in_an_error(client: Connect, server: _Server) -> None:
    """Such as that of a user who has left."""

    def refuse(request: httpx.Request) -> httpx.Response:
        if "/oauth/" in request.url.path:
            return server(request)
        return httpx.Response(401, json={"code": 401, "error": "unauthorized"})

    with client() as api:
        api._http._transport.handler = refuse  # type: ignore[attr-defined]
        with pytest.raises(AuthenticationFailed):
            api.get("/me")
    assert len(server.renewals) == 2


def test_a_damaged_store_is_said_and_shows_nothing(
    client: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client().get("/me")
    file = tmp_path / "tokens.json"
    (name,) = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({name: {"access": "canary"}}), encoding="utf-8")
    with caplog.at_level(logging.WARNING), pytest.raises(RenewalRefused) as caught:
        client().get("/me")
    assert "cannot be read from its file" in caplog.text
    assert_no_secret(caplog.text, caught.value, "".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize(("refresh_tokens", "folder"), [((), True), (("a", "b"), True), (("a",), False)])
def test_a_renewal_that_cannot_work_is_refused(
    client: Connect, tmp_path: Path, refresh_tokens: tuple[str, ...], *, folder: bool
) -> None:
    renewal = Renewal("app-7", SecretStr(CLIENT_SECRET), tuple(map(SecretStr, refresh_tokens)))
    with pytest.raises(ValueError, match=r"refresh tokens are given|no folder is given"):
        client(renewal=renewal, shared_folder=tmp_path if folder else None)

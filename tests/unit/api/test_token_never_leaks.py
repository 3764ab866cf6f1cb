"""A token goes into one header and comes out nowhere: no URL, log, repr, error, report, page or response."""

import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from pipelines.api import SocialConnect, SocialConnectError, Timeouts
from pipelines.api.scrub import Scrubber

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]

TOKENS = ("canary/ONE+0123456789abcdef==", "canary-TWO-0123456789abcdef")
SECRETS = (*TOKENS, *(quote(token, safe="") for token in TOKENS), "ONE", "TWO", "third-partys-own")


def assert_no_secret(*texts: Any) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in str(text)
            assert secret not in repr(text)


def test_it_is_sent_in_the_header_and_in_no_url(connect: Connect, ok: Ok) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        link = f"https://api.engagor.com/x?access_token={quote(TOKENS[0], safe='')}&page_token={len(sent)}"
        return ok({"data": [], "paging": {"next_url": link} if len(sent) < 4 else []})

    with connect(answer, tokens=TOKENS) as api:
        list(api.pages("/x", {"limit": 1}))
    assert {request.headers["authorization"] for request in sent} <= {f"Bearer {token}" for token in TOKENS}
    assert_no_secret(*(request.url for request in sent), api)
    assert [str(request.url.query, "ascii") for request in sent[1:]] == ["page_token=1", "page_token=2", "page_token=3"]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda token: quote(token, safe=""),
        lambda token: quote(token, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
        lambda token: json.dumps(token).strip('"').replace("/", "\\/"),
        lambda token: "".join(c if c.isalnum() else f"\\u{ord(c):04X}" for c in token),
    ],
)
def test_every_writing_of_it_is_taken_out_of_a_body(write: Callable[[str], str], token: str) -> None:
    body = f'{{"a":"x{write(token)}y","b":["{write(token)}"]}}'
    scrubbed = Scrubber([SecretStr(token) for token in TOKENS]).scrub(body)
    assert_no_secret(scrubbed)
    assert set(json.loads(scrubbed)) == {"a", "b"}


@pytest.mark.parametrize(
    "paging",
    [
        r'"paging": {"next_url": "https://api.engagor.com/x?access_token=third-partys-own&p=1", "previous_url": ""}',
        r'"paging":{"previous_url" : "https:\/\/api.engagor.com\/x?p=1&access_token=third\/-partys-own"}',
        r'"next": {"count": 1, "url": "/x?access_token=third-partys-own\u0026p=1"}',
        r'"paging": {"next_url": "https://evil.example/x?access_token=third-partys-own"}',
    ],
)
def test_no_token_of_anybody_stays_in_a_paging_link(connect: Connect, paging: str) -> None:
    body = f'{{"meta":{{"code":200}},"response":{{"data":[1],{paging}}}}}'
    with connect([httpx.Response(200, text=body)]) as api:
        page = next(api.pages("/x"))
    assert_no_secret(page)
    assert "partys-own" not in page.body
    assert len(page.body) > len(body) - 30, "the rest of the link stays"


def failures() -> dict[str, Any]:
    """Everything a server can do with the token in hand, and every way to fail while it is on its way."""
    echo = " ".join(TOKENS)
    link = f"https://evil.example/?access_token={TOKENS[0]}"
    return {
        "error body": httpx.Response(
            403, json={"code": 403, "error": "no_permission", "error_description": echo, "error_details": [echo]}
        ),
        "bad token": httpx.Response(401, json={"code": 401, "error": f"invalid {echo}", "error_description": echo}),
        "html": httpx.Response(200, text=f"<p>{echo}</p>"),
        "server error": httpx.Response(500, text=echo),
        "cut": httpx.Response(200, text=f'{{"meta":{{"code":200}},"response":"{echo}'),
        "no utf-8": httpx.Response(
            200,
            content=f'{{"meta":{{"code":200}},"response":{{"paging":{{"next_url":"{link}"}}}},"x":"'.encode()
            + b'\xff"}',
        ),
        "foreign": httpx.Response(
            200, json={"meta": {"code": 200}, "response": {"data": [], "paging": {"next_url": link}}}
        ),
        "redirect": httpx.Response(302, headers={"location": link}),
        "unreachable": httpx.ConnectError("refused"),
        "timeout": httpx.ReadTimeout("slow"),
        "rate limit": httpx.Response(400, json={"code": 400, "error": "rate_limit_reached", "error_description": echo}),
        "messages": httpx.Response(
            200, json={"meta": {"code": 200, "messages": [{"level": "warning", "description": echo}]}, "response": {}}
        ),
    }


@pytest.mark.parametrize("kind", failures())
def test_no_log_line_error_or_report_shows_it(connect: Connect, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    reports: list[Any] = []

    def answer(_: httpx.Request) -> httpx.Response:
        given = failures()[kind]
        if isinstance(given, Exception):
            raise given
        assert isinstance(given, httpx.Response)
        return given

    query = {"filter": "content:whispered"}
    with (
        caplog.at_level(logging.DEBUG),
        connect(answer, tokens=TOKENS, on_request=reports.append, max_attempts=3) as api,
        pytest.raises(SocialConnectError) as caught,
    ):
        list(api.pages("/7/inbox/mentions", query))
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "/pipelines/" in frame.filename]
    assert ours
    assert_no_secret(
        caplog.text,
        caught.value,
        caught.value.args,
        pickle.dumps(caught.value),
        reports,
        api,
        "".join(shown.format_exception_only()),
    )
    assert_no_secret(*(frame.locals for frame in ours))
    assert caught.value.__cause__ is None
    assert reports
    assert "/7/inbox/mentions" in caplog.text
    assert "whispered" not in caplog.text
    assert "whispered" not in str(caught.value)


def test_cookies_of_one_users_session_are_not_kept(connect: Connect, ok: Ok) -> None:
    cookies: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie"))
        return ok([], headers={"set-cookie": "session=1; Path=/"})

    with connect(answer) as api:
        api.get("/me")
        api.get("/me")
    assert cookies == [None, None]


def test_a_redirect_is_not_followed(connect: Connect) -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    with connect(answer, timeouts=Timeouts()) as api, pytest.raises(SocialConnectError, match="redirect"):
        api.get("/me")
    assert hosts == ["api.engagor.com"]


def test_a_token_is_refused_as_a_parameter(connect: Connect) -> None:
    with connect([]) as api:
        with pytest.raises(ValueError, match="tokens go into a header"):
            api.get("/me", {"access_token": "x"})
        with pytest.raises(ValueError, match="give it as `params`") as caught:
            api.get("/me?access_token=canary-TWO")
    assert_no_secret(caught.value)

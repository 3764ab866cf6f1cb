"""Each failure is an error of one small tree whose message says what, where, and what to do next."""

import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import pipelines.api
from pipelines.api import (
    ApiError,
    AuthenticationFailed,
    BudgetUsedUp,
    ForeignNextUrl,
    InvalidParameter,
    NotFound,
    PagingBroken,
    PermissionDenied,
    RateLimitReached,
    RenewalRefused,
    RepeatedPage,
    ResponseUnreadable,
    ServerFailed,
    SocialConnect,
    SocialConnectError,
    StopRequested,
    TransportFailed,
)

Connect = Callable[..., SocialConnect]

EXAMPLES: list[tuple[SocialConnectError, str, str]] = [
    (TransportFailed("/x", "read timeout", 5), "no answer after 5 attempts (read timeout)", "Check the base URL"),
    (TransportFailed("/x", "read timeout", 1), "after 1 attempt (", "run again"),
    (
        ResponseUnreadable("/x", "it is empty", 5),
        "cannot be read after 5 attempts (it is empty)",
        "Check that the base",
    ),
    (ApiError(410, "deprecated", "Gone.", "/x"), "answered 410 (deprecated: Gone).", "Look the identifier up"),
    (ApiError(418, None, "", "/x"), "answered 418 (no reason given).", "Look the identifier up"),
    (AuthenticationFailed(401, None, "", "/x", 2), "answered 401", "token number 2"),
    (RenewalRefused(400, "invalid_grant", "", "/x", 2), "(invalid_grant)", "token number 2"),
    (PermissionDenied(403, "no_permission", "", "/x"), "(no_permission)", "Give the user"),
    (NotFound(404, "not_found", "", "/x"), "(not_found)", "Check the account id"),
    (InvalidParameter(400, "invalid_parameter", "date_to", "/x"), "date_to", "Correct the parameter"),
    (ServerFailed(503, None, "", "/x"), "answered 503", "run again later"),
    (BudgetUsedUp(1_750_000_000.0, "/x", 350), "no request before 2025-06-15T15:06:40Z (350 sent", "Run again then"),
    (BudgetUsedUp(None, "/x", 10), "all 10 requests that the caller allowed are used (max_requests)", "Allow more"),
    (RateLimitReached(1_750_000_000.0, "/x", 350), "no request before 2025-06-15T15:06:40Z", "Run again then"),
    (StopRequested("/x"), "Stopped before /x, as asked", "The next run goes on"),
    (PagingBroken("/x", "its next_url is not text"), "its next_url is not text", "read the list again"),
    (RepeatedPage("/x", 3), "after 3 pages", "read the list again"),
    (ForeignNextUrl("/x", "https://evil.example:443"), "leads to https://evil.example:443", "read the list again"),
]


@pytest.mark.parametrize(("error", "what", "next_step"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_it_says_what_where_and_what_next(error: SocialConnectError, what: str, next_step: str) -> None:
    text = str(error)
    assert text.startswith(("GET /x", "POST /x", "Stopped before /x"))
    assert what in text
    assert next_step in text[text.index(what) :]
    assert text.endswith(".")
    assert ".." not in text


@pytest.mark.parametrize("error", [error for error, _, _ in EXAMPLES], ids=lambda value: type(value).__name__)
def test_it_survives_the_way_to_another_process(error: SocialConnectError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own error, pickled on this line
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_every_error_has_an_example_here() -> None:
    errors = {
        name
        for name in pipelines.api.__all__
        if isinstance(kind := getattr(pipelines.api, name), type) and issubclass(kind, Exception)
    }
    assert errors - {type(error).__name__ for error, _, _ in EXAMPLES} == {"NotSent", "SocialConnectError"}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = (pipelines.api.errors.__doc__ or "").splitlines()
    parents: dict[int, str] = {}
    tree: dict[str, str] = {}
    for line in drawn:
        mark, _, rest = line.strip().partition(" ")
        if mark in {"*", "+", "-", "."}:
            depth = "*+-.".index(mark)
            parents[depth] = rest.split()[0]
            tree[parents[depth]] = parents[depth - 1] if depth else "Exception"
    assert tree == {
        error.__name__: error.__bases__[0].__name__
        for error in vars(pipelines.api.errors).values()
        if isinstance(error, type) and issubclass(error, SocialConnectError)
    }


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (401, {}, AuthenticationFailed, 401),
        (400, {"code": 401, "error": "invalid_token"}, AuthenticationFailed, 400),
        (403, {}, PermissionDenied, 403),
        (400, {"code": 400, "error": "no_permission"}, PermissionDenied, 400),
        (404, {}, NotFound, 404),
        (400, {"code": 404, "error": "not_found"}, NotFound, 400),
        (400, {"code": 400, "error": "invalid_parameter"}, InvalidParameter, 400),
        (400, {"code": 400, "error": "limit_exceeded"}, ApiError, 400),
        (400, {"code": 400, "error": "feature_limit_reached"}, ApiError, 400),
        (400, {}, ApiError, 400),
        (200, {"code": 403, "error": "no_permission"}, PermissionDenied, 403),
        (200, {"error": "invalid_parameter"}, InvalidParameter, 200),
        (200, {"meta": {"code": 404}, "response": []}, NotFound, 404),
        (301, {}, ApiError, 301),
    ],
)
def test_the_identifier_decides_then_the_status(
    connect: Connect, status: int, body: dict[str, Any], kind: type[ApiError], told: int
) -> None:
    with connect([httpx.Response(status, json=body)]) as api, pytest.raises(ApiError) as caught:
        api.get("/7/inbox/mentions", {"filter": "secret word"})
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.error_id, caught.value.path) == (
        told,
        body.get("error"),
        "/7/inbox/mentions",
    )


def test_the_apis_own_words_are_passed_on(connect: Connect) -> None:
    body = {"code": 400, "error": "invalid_parameter", "error_description": "Bad date", "error_details": [{"id": 7}]}
    with connect([httpx.Response(400, json=body)]) as api, pytest.raises(InvalidParameter) as caught:
        api.get("/x")
    assert caught.value.description == 'Bad date [{"id":7}]'


def test_long_words_are_cut(connect: Connect) -> None:
    body = {"code": 400, "error": "invalid_parameter", "error_description": "x" * 10_000}
    with connect([httpx.Response(400, json=body)]) as api, pytest.raises(InvalidParameter) as caught:
        api.get("/x")
    assert len(str(caught.value)) < 800


def test_a_token_that_is_not_accepted_is_named_by_its_number(connect: Connect) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"].endswith("new-token"):
            return httpx.Response(
                200, json={"meta": {"code": 200}, "response": []}, headers={"x-ratelimit-remaining": "9"}
            )
        return httpx.Response(401, json={"code": 401, "error": "invalid_token"})

    with connect(answer, tokens=("new-token", "old-token")) as api:
        api.get("/me")
        with pytest.raises(AuthenticationFailed) as caught:
            api.get("/me")
    assert caught.value.token_number == 2
    assert "token number 2" in str(caught.value)


def test_warnings_of_the_api_are_logged_once_and_given_each_time(
    connect: Connect, ok: Callable[..., httpx.Response], caplog: pytest.LogCaptureFixture
) -> None:
    messages = [{"level": "warning", "code": "deprecated", "description": "Use x"}, "old style", {"level": "info"}]
    with connect([ok([], messages=messages) for _ in range(3)]) as api:
        responses = [api.get("/me") for _ in range(3)]
    assert [response.messages for response in responses] == [tuple(messages)] * 3
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "GET /me: the API says: warning: deprecated: Use x",
        "GET /me: the API says: old style",
        "GET /me: the API says: info",
    ]

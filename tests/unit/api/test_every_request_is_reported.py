"""Whoever counts requests sees each that was sent, with what it cost, and nothing secret."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from pipelines.api import BudgetUsedUp, RequestReport, SocialConnect

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]


def test_each_attempt_is_one_report(connect: Connect, clock: Any) -> None:
    reports: list[RequestReport] = []
    body = '{"meta":{"code":200},"response":["\u00e9"]}'
    answers: list[Callable[[], httpx.Response]] = [
        lambda: httpx.Response(503, text="busy", headers={"x-ratelimit-remaining": "9"}),
        lambda: raising(httpx.ConnectError("refused")),
        lambda: httpx.Response(200, text=body, headers={"x-ratelimit-remaining": "7"}),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        clock.now += 0.25
        return answers[len(reports)]()

    with connect(answer, on_request=reports.append, max_requests=100) as api:
        api.get("/7/inbox/mentions", {"filter": "whispered"})
        assert api.budget.remaining_count == 7
    assert [asdict(report) for report in reports] == [
        {
            "path": "/7/inbox/mentions",
            "status": 503,
            "seconds": 0.25,
            "byte_count": 4,
            "row_count": None,
            "attempt": 1,
            "is_throttled": False,
            "remaining_count": 9,
        },
        {
            "path": "/7/inbox/mentions",
            "status": None,
            "seconds": 0.25,
            "byte_count": 0,
            "row_count": None,
            "attempt": 2,
            "is_throttled": False,
            "remaining_count": 8,
        },
        {
            "path": "/7/inbox/mentions",
            "status": 200,
            "seconds": 0.25,
            "byte_count": len(body.encode()),
            "row_count": 1,
            "attempt": 3,
            "is_throttled": False,
            "remaining_count": 7,
        },
    ]


def raising(error: Exception) -> httpx.Response:
    raise error


def test_a_refusal_because_of_the_rate_limit_is_told(connect: Connect, ok: Ok, clock: Any) -> None:
    reports: list[RequestReport] = []
    refusal = {"code": 400, "error": "rate_limit_reached", "error_description": "Rate limit reached"}
    answers = [
        httpx.Response(400, json=refusal, headers={"x-ratelimit-reset": str(int(clock.now) + 20)}),
        ok({"data": [1, 2], "count": 2}),
        ok({"id": 7}),
    ]
    with connect(answers, on_request=reports.append) as api:
        list(api.pages("/7/inbox/mentions"))
        api.get("/me")
    assert [(each.is_throttled, each.row_count) for each in reports] == [(True, None), (False, 2), (False, None)]


def test_a_request_that_was_not_sent_is_not_reported(connect: Connect, ok: Ok) -> None:
    reports: list[RequestReport] = []
    with connect([ok([])], on_request=reports.append, max_requests=1) as api:
        api.get("/me")
        with pytest.raises(BudgetUsedUp):
            api.get("/me")
    assert [report.remaining_count for report in reports] == [0]


def test_a_path_cannot_break_a_line_of_the_log(connect: Connect, ok: Ok, caplog: pytest.LogCaptureFixture) -> None:
    reports: list[RequestReport] = []
    with caplog.at_level("DEBUG"), connect([ok([])], on_request=reports.append) as api:
        api.get("/1/inbox/contact/web/a%0Ab c")
    assert reports[0].path == "/1/inbox/contact/web/a%0Ab%20c"
    assert all("\n" not in record.getMessage() for record in caplog.records)

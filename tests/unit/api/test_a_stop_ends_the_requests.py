"""Once a stop is asked for, no more requests are sent: not the next page, not the next attempt, not after a wait."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pipelines.api import SocialConnect, StopRequested

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]


def page(ok: Ok, next_page: int) -> httpx.Response:
    next_url = f"https://api.engagor.com/1/inbox/mentions?page={next_page}"
    return ok({"data": [{"id": next_page}], "count": 9, "paging": {"next_url": next_url}})


def test_pages_that_were_read_stand_and_the_next_is_not_asked_for(connect: Connect, ok: Ok) -> None:
    asked: list[bool] = []
    api = connect([page(ok, 2), page(ok, 3)], is_stopped=lambda: bool(asked))
    pages = api.pages("/1/inbox/mentions")
    assert [next(pages).records, next(pages).records] == [[{"id": 2}], [{"id": 3}]]
    asked.append(True)
    with pytest.raises(StopRequested, match=r"Stopped before /1/inbox/mentions, as asked\."):
        next(pages)
    assert api.budget.request_count == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={"code": 500, "error": "internal_server_error"}),
        httpx.Response(
            400, json={"code": 400, "error": "rate_limit_reached"}, headers={"x-ratelimit-reset": "1750000030"}
        ),
    ],
)
def test_who_waits_for_the_next_attempt_does_not_send_it(connect: Connect, answer: Any) -> None:
    asked: list[float] = []
    api = connect([answer], sleep=asked.append, is_stopped=lambda: bool(asked))
    with pytest.raises(StopRequested):
        api.get("/me")
    assert len(asked) == 1
    assert api.budget.request_count == 1

"""What may go away by itself is tried again, a bounded number of times and for a bounded time; nothing else is."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pipelines.api import (
    ApiError,
    BudgetUsedUp,
    ResponseUnreadable,
    ServerFailed,
    SocialConnect,
    Timeouts,
    TransportFailed,
)

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]


class _BreaksOff(httpx.SyncByteStream):
    """A body that ends with an error after its first bytes."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"meta":{"code":200},"resp'
        raise self.error


PASSING_FAULTS: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "unreachable": (lambda: httpx.ConnectError("refused"), TransportFailed),
    "connect timeout": (lambda: httpx.ConnectTimeout(""), TransportFailed),
    "read timeout": (lambda: httpx.ReadTimeout(""), TransportFailed),
    "hung up before answering": (lambda: httpx.RemoteProtocolError("no response"), TransportFailed),
    "reset in the body": (
        lambda: httpx.Response(200, stream=_BreaksOff(httpx.ReadError("reset"))),
        TransportFailed,
    ),
    "hung up in the body": (
        lambda: httpx.Response(200, stream=_BreaksOff(httpx.RemoteProtocolError("peer closed"))),
        ResponseUnreadable,
    ),
    "cut body": (lambda: httpx.Response(200, text='{"meta":{"code":200},"response":[1,'), ResponseUnreadable),
    "empty body": (lambda: httpx.Response(200), ResponseUnreadable),
    "html": (lambda: httpx.Response(200, text="<html>maintenance</html>"), ResponseUnreadable),
    "no envelope": (lambda: httpx.Response(200, json=[1]), ResponseUnreadable),
    "envelope without meta": (lambda: httpx.Response(200, json={"response": []}), ResponseUnreadable),
    "not UTF-8": (lambda: httpx.Response(200, content=b'{"meta":"\xff"}'), ResponseUnreadable),
    "not gzip": (
        lambda: httpx.Response(200, stream=_NotGzip(), headers={"content-encoding": "gzip"}),
        ResponseUnreadable,
    ),
    "304 out of nowhere": (lambda: httpx.Response(304), ResponseUnreadable),
    "500 with error body": (
        lambda: httpx.Response(500, json={"code": 500, "error": "internal_server_error"}),
        ServerFailed,
    ),
    "502 with html": (lambda: httpx.Response(502, text="<h1>Bad gateway</h1>"), ServerFailed),
    "503 empty": (lambda: httpx.Response(503), ServerFailed),
    "500 told in a 200": (lambda: httpx.Response(200, json={"meta": {"code": 500}, "response": None}), ServerFailed),
}


class _NotGzip(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"plain text under a gzip header"


@pytest.mark.parametrize("kind", PASSING_FAULTS)
def test_a_passing_fault_is_tried_again_until_it_passes(connect: Connect, ok: Ok, clock: Any, kind: str) -> None:
    fault, _ = PASSING_FAULTS[kind]
    with connect([fault(), fault(), ok([7])]) as api:
        assert api.get("/x").data == [7]
        assert api.budget.request_count == 3, "each attempt is a request"
    assert len(clock.naps) == 2


@pytest.mark.parametrize("kind", PASSING_FAULTS)
def test_a_lasting_fault_is_given_up_and_named(connect: Connect, kind: str) -> None:
    fault, error = PASSING_FAULTS[kind]
    with connect([fault() for _ in range(4)], max_attempts=4) as api:
        with pytest.raises(error) as caught:
            api.get("/x")
        assert api.budget.request_count == 4
    if not isinstance(caught.value, ServerFailed):
        assert "after 4 attempts" in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 422])
@pytest.mark.parametrize("body", ["", "<html>", '{"code":0,"error":"limit_exceeded"}'])
def test_a_refusal_is_not_tried_again(connect: Connect, clock: Any, status: int, body: str) -> None:
    with connect([httpx.Response(status, text=body)]) as api, pytest.raises(ApiError) as caught:
        api.get("/x")
    assert caught.value.status == status
    assert clock.naps == []


def test_pauses_grow_and_differ(connect: Connect, clock: Any) -> None:
    pauses: list[list[float]] = []
    for _ in range(20):
        clock.naps.clear()
        with connect([httpx.ConnectError("x")] * 8, max_attempts=8) as api, pytest.raises(TransportFailed):
            api.get("/x")
        pauses.append(list(clock.naps))
    for nth, expected in enumerate([0.5, 1, 2, 4, 8, 16, 30]):
        nth_pauses = [row[nth] for row in pauses]
        assert all(expected <= pause <= expected + 1 for pause in nth_pauses)
        assert len(set(nth_pauses)) > 1, "without jitter all clients come back together"


def test_all_attempts_together_take_no_longer_than_allowed(connect: Connect, clock: Any) -> None:
    began_at = clock.now

    def answer(_: httpx.Request) -> httpx.Response:
        clock.now += 20
        raise httpx.ReadTimeout("")

    with (
        connect(answer, max_attempts=100, timeouts=Timeouts(all_attempts_seconds=90)) as api,
        pytest.raises(TransportFailed),
    ):
        api.get("/x")
    assert 60 < clock.now - began_at <= 90 + 20
    assert 4 <= api.budget.request_count <= 5


def test_no_pause_is_begun_that_would_outlast_the_time_allowed(connect: Connect, clock: Any) -> None:
    for _ in range(20):
        clock.naps.clear()
        with (
            connect(
                [httpx.ConnectError("refused")] * 9, max_attempts=9, timeouts=Timeouts(all_attempts_seconds=10)
            ) as api,
            pytest.raises(TransportFailed),
        ):
            api.get("/x")
        assert 3.5 <= sum(clock.naps) <= 10


def test_waiting_for_the_budget_is_not_counted_as_trying(connect: Connect, ok: Ok, clock: Any) -> None:
    used_up = {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(clock.now) + 3000),
    }
    answers = [ok([], headers=used_up), httpx.Response(503), ok([7])]
    with connect(answers, max_wait_seconds=3600, timeouts=Timeouts(all_attempts_seconds=60)) as api:
        api.get("/x")
        assert api.get("/x").data == [7]
    assert max(clock.naps) >= 3000


def test_a_body_that_drips_is_ended_at_its_deadline(connect: Connect, clock: Any) -> None:
    began_at = clock.now

    def drip() -> Iterator[bytes]:
        while True:
            clock.now += 10
            yield b" "

    with (
        connect(
            lambda _: httpx.Response(200, content=drip()), max_attempts=2, timeouts=Timeouts(request_seconds=45)
        ) as api,
        pytest.raises(TransportFailed, match="not complete within 45 s"),
    ):
        api.get("/x")
    assert clock.now - began_at == pytest.approx(2 * 50 + sum(clock.naps))


def test_timeouts_reach_the_transport(connect: Connect, ok: Ok) -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.extensions["timeout"])
        return ok([])

    with connect(answer, timeouts=Timeouts(connect_seconds=3, read_seconds=70, request_seconds=40)) as api:
        api.get("/x")
    assert asked == [{"connect": 3, "read": 40, "write": 40, "pool": 40}]


def test_attempts_stop_where_the_callers_own_limit_is(connect: Connect) -> None:
    with connect([httpx.Response(503)] * 5, max_requests=2) as api, pytest.raises(BudgetUsedUp) as caught:
        api.get("/x")
    assert caught.value.resume_at is None
    assert api.budget.request_count == 2


def test_a_fault_of_ours_is_not_tried_again(connect: Connect, clock: Any) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    with connect(answer) as api, pytest.raises(ZeroDivisionError):
        api.get("/x")
    assert clock.naps == []

"""No request is sent that the API would refuse, as far as its answers tell; and none is held back in vain."""

import math
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime
from threading import Lock
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipelines.api import BudgetUsedUp, RateLimitReached, RequestBudget, SocialConnect, SocialConnectError, Timeouts
from pipelines.api.budget import Lease, RateLimitHeaders, Refusal, read_rate_limit_headers

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]

START = 1_750_000_000.0
REFUSAL = {"code": 400, "error": "rate_limit_reached", "error_description": "Rate limit reached"}


class _Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


class _Server:
    """Counts for itself, by its own clock: in fixed frames from some moment on, or in a window that slides."""

    def __init__(
        self,
        clock: _Clock,
        *,
        limit_count: int,
        frame_seconds: int,
        is_sliding: bool = False,
        skew_seconds: float = 0.0,
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self.clock = clock
        self.limit_count = limit_count
        self.frame_seconds = frame_seconds
        self.is_sliding = is_sliding
        self.skew_seconds = skew_seconds
        self.hidden = hidden
        self.accepted: dict[str, list[float]] = defaultdict(list)
        self.refused_count = 0
        self.lock = Lock()

    def now(self) -> float:
        return self.clock() + self.skew_seconds

    def counted(self, token: str) -> list[float]:
        now, frame = self.now(), self.frame_seconds
        if self.is_sliding:
            return [at for at in self.accepted[token] if at > now - frame]
        return [at for at in self.accepted[token] if at >= math.floor(now / frame) * frame]

    def reset_at(self, token: str) -> float:
        now, frame, counted = self.now(), self.frame_seconds, self.counted(token)
        return (counted[0] if counted else now) + frame if self.is_sliding else (math.floor(now / frame) + 1) * frame

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            token = request.headers["authorization"]
            is_refused = len(self.counted(token)) >= self.limit_count
            if is_refused:
                self.refused_count += 1
            else:
                self.accepted[token].append(self.now())
            headers = {
                "date": format_datetime(datetime.fromtimestamp(math.floor(self.now()), UTC), usegmt=True),
                "x-ratelimit-limit": str(self.limit_count),
                "x-ratelimit-time": str(self.frame_seconds),
                "x-ratelimit-remaining": str(self.limit_count - len(self.counted(token))),
                "x-ratelimit-reset": str(math.floor(self.reset_at(token))),
            }
            shown = {name: value for name, value in headers.items() if name not in self.hidden}
            body = REFUSAL if is_refused else {"meta": {"code": 200}, "response": []}
            return httpx.Response(400 if is_refused else 200, json=body, headers=shown)


def client(
    answers: Callable[[httpx.Request], httpx.Response], clock: _Clock, token_count: int = 1, **options: Any
) -> SocialConnect:
    return SocialConnect(
        "https://api.engagor.com",
        [SecretStr(f"token-{number}") for number in range(token_count)],
        transport=httpx.MockTransport(answers),
        clock=clock,
        sleep=clock.sleep,
        **options,
    )


def failure_of(api: SocialConnect) -> SocialConnectError | None:
    try:
        api.get("/x")
    except SocialConnectError as error:
        return error
    return None


@given(
    limit_count=st.integers(1, 6),
    frame_seconds=st.integers(30, 4000),
    token_count=st.integers(1, 3),
    is_sliding=st.booleans(),
    skew_seconds=st.floats(-1e6, 1e6),
    hidden=st.sets(st.sampled_from(["x-ratelimit-limit", "x-ratelimit-reset"])),
    gaps_seconds=st.lists(st.one_of(st.just(0.0), st.floats(0, 100), st.floats(0, 5000)), max_size=40),
)
@example(  # the second request of the second token is the first of a frame that nobody announced
    limit_count=2,
    frame_seconds=1214,
    token_count=2,
    is_sliding=False,
    skew_seconds=2.0,
    hidden={"x-ratelimit-reset"},
    gaps_seconds=[0.0, 0.0, 423.0, 0.0, 791.0],
)
def test_a_server_that_tells_what_is_left_never_has_to_refuse(
    *,
    limit_count: int,
    frame_seconds: int,
    token_count: int,
    skew_seconds: float,
    hidden: set[str],
    gaps_seconds: list[float],
    is_sliding: bool,
) -> None:
    """Whatever its clock says, however its frames lie, and also when it does not tell when they end."""
    clock = _Clock()
    server = _Server(
        clock,
        limit_count=limit_count,
        frame_seconds=frame_seconds,
        is_sliding=is_sliding,
        skew_seconds=skew_seconds,
        hidden=frozenset(hidden),
    )
    with client(server, clock, token_count, max_wait_seconds=0) as api:
        for gap_seconds in gaps_seconds:
            clock.now += gap_seconds
            error = failure_of(api)
            if error is None:
                continue
            assert isinstance(error, BudgetUsedUp)
            assert error.resume_at is not None
            assert clock.now < error.resume_at <= clock.now + frame_seconds + 3
            if "x-ratelimit-reset" not in hidden:
                left = token_count * limit_count - sum(len(server.counted(token)) for token in server.accepted)
                assert left == 0 or error.resume_at - clock.now <= 3, "held back in vain"
        assert api.budget.refused_count == server.refused_count == 0
        assert api.budget.request_count == sum(len(accepted) for accepted in server.accepted.values())


@given(
    limit_count=st.integers(1, 4),
    frame_seconds=st.integers(30, 600),
    is_sliding=st.booleans(),
    hidden=st.sets(st.sampled_from(["date", "x-ratelimit-limit", "x-ratelimit-reset", "x-ratelimit-time"])),
)
def test_waiting_until_it_says_so_is_waiting_long_enough(
    limit_count: int, frame_seconds: int, hidden: set[str], *, is_sliding: bool
) -> None:
    clock = _Clock()
    server = _Server(
        clock, limit_count=limit_count, frame_seconds=frame_seconds, is_sliding=is_sliding, hidden=frozenset(hidden)
    )
    with client(server, clock, max_wait_seconds=4000) as api:
        for _ in range(3 * limit_count):
            api.get("/x")
    assert server.refused_count == 0
    if "x-ratelimit-reset" not in hidden and not is_sliding:
        assert clock.now - START <= 3 * (frame_seconds + 2)


NONSENSE = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "abc", "nan", "inf", "-inf", "1e400", "1e300", "0x10", "349.5", " 7 ", "9" * 400, "1"]
    ),
    st.integers(-10, 10**13).map(str),
    st.integers(int(START) - 5000, int(START) + 9000).map(str),
)
DATES = st.one_of(
    st.sampled_from(["", "today", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 15 Jun 2025 15:06:40 -0000"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)


@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from(["ok", "ok", "refused", "refused", "failed"]),
            st.dictionaries(
                st.sampled_from(["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]), NONSENSE
            ),
            st.one_of(st.none(), DATES),
            st.floats(0, 30),
        ),
        min_size=1,
        max_size=30,
    ),
    token_count=st.integers(1, 3),
    max_requests=st.one_of(st.none(), st.integers(0, 20)),
    max_wait_seconds=st.sampled_from([0, 60, 4000]),
)
def test_nonsense_is_survived_and_no_refused_token_hammers(
    answers: list[tuple[str, dict[str, str], str | None, float]],
    token_count: int,
    max_requests: int | None,
    max_wait_seconds: float,
) -> None:
    """Two refusals of a token in a row, and it rests for a whole frame (one hour, nothing else being told)."""
    clock = _Clock()
    given_answers = iter(answers)
    history: dict[str, list[tuple[str, float]]] = defaultdict(list)

    def answer(request: httpx.Request) -> httpx.Response:
        kind, headers, date, seconds = next(given_answers, ("ok", {}, None, 1.0))
        token = request.headers["authorization"]
        before = history[token]
        if before and before[-1][0] == "refused":
            assert clock.now > before[-1][1], "sent again at once"
        if [past for past, _ in before[-2:]] == ["refused", "refused"]:
            assert clock.now >= before[-1][1] + 3600
        clock.now += seconds
        before.append((kind, clock.now))
        if kind == "failed":
            raise httpx.ReadTimeout("")
        shown = headers if date is None else {**headers, "date": date}
        if kind == "refused":
            return httpx.Response(400, json=REFUSAL, headers=shown)
        return httpx.Response(200, json={"meta": {"code": 200}, "response": []}, headers=shown)

    with client(answer, clock, token_count, max_requests=max_requests, max_wait_seconds=max_wait_seconds) as api:
        for _ in range(10):
            began_at, sent = clock.now, api.budget.request_count
            error = failure_of(api)
            if isinstance(error, BudgetUsedUp):
                assert (error.resume_at is None) == (api.budget.request_count == max_requests)
                assert error.resume_at is None or error.resume_at > clock.now
                assert str(error)
            assert api.budget.request_count - sent > 0 or clock.now - began_at <= max_wait_seconds
        assert api.budget.request_count == sum(len(past) for past in history.values())
        assert max_requests is None or api.budget.request_count <= max_requests


def test_several_threads_share_one_budget() -> None:
    clock = _Clock()
    server = _Server(clock, limit_count=50, frame_seconds=3600)
    with client(server, clock, max_wait_seconds=0) as api:
        api.get("/x")  # the first answer tells how many there are

        with ThreadPoolExecutor(8) as pool:
            outcomes = [error is None for error in pool.map(failure_of, [api] * 120)]
    assert server.refused_count == 0
    assert outcomes.count(True) + 1 == len(server.accepted["Bearer token-0"])
    assert 50 - 8 < outcomes.count(True) + 1 <= 50


def test_the_token_with_most_left_is_used(connect: Connect, ok: Ok) -> None:
    left = {"Bearer token-a": 5, "Bearer token-b": 7}
    used: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"]
        used.append(token[-1])
        left[token] -= 1
        return ok([], headers={"x-ratelimit-remaining": str(left[token])})

    with connect(answer, tokens=("token-a", "token-b"), max_wait_seconds=0) as api:
        for _ in range(12):
            api.get("/x")
        assert "".join(used[:4]) == "abbb"
        assert (used.count("a"), used.count("b"), api.budget.remaining_count) == (5, 7, 0)
        with pytest.raises(BudgetUsedUp):
            api.get("/x")
    assert len(used) == 12


def test_a_short_wait_is_waited_and_a_long_one_is_said(connect: Connect, ok: Ok, clock: Any) -> None:
    def used_up(seconds: int) -> httpx.Response:
        reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(clock.now) + seconds)}
        return ok([], headers=reset)

    seconds = iter([50, 70])
    with connect(lambda _: used_up(next(seconds))) as api:
        api.get("/x")
        assert api.budget.resume_at == clock.now + 51
        api.get("/x")
        assert clock.naps == [51]
        with pytest.raises(BudgetUsedUp) as caught:
            api.get("/x")
        assert type(caught.value) is BudgetUsedUp
        assert caught.value.resume_at == api.budget.resume_at == clock.now + 71
        assert api.budget.request_count == 2
        clock.now += 71
        assert api.budget.resume_at is None


def test_the_waits_of_one_request_add_up(connect: Connect, clock: Any) -> None:
    """Refused at each waking, it would otherwise wait for ever in small steps."""

    def refuse(_: httpx.Request) -> httpx.Response:
        told = {"x-ratelimit-reset": str(int(clock.now) + 40), "x-ratelimit-time": "45"}
        return httpx.Response(400, json=REFUSAL, headers=told)

    with connect(refuse, max_wait_seconds=60) as api, pytest.raises(RateLimitReached):
        api.get("/x")
    assert clock.naps == [41]


def test_a_moment_that_passes_meanwhile_is_not_waited_for() -> None:
    class _Ticking(_Clock):
        tick_seconds = 0.0

        def __call__(self) -> float:
            self.now += self.tick_seconds
            return self.now

    clock = _Ticking()
    server = _Server(clock, limit_count=1, frame_seconds=80)
    with client(server, clock, timeouts=Timeouts(request_seconds=900)) as api:
        api.get("/x")
        clock.tick_seconds = 30.0
        api.get("/x")


@pytest.mark.parametrize(("status", "body"), [(400, REFUSAL), (429, {})])
def test_a_refused_request_goes_on_with_another_token(
    connect: Connect, ok: Ok, clock: Any, status: int, body: dict[str, Any]
) -> None:
    answers = [httpx.Response(status, json=body), ok([7])]
    with connect(answers, tokens=("token-a", "token-b")) as api:
        assert api.get("/x").data == [7]
        assert (api.budget.refused_count, api.budget.request_count) == (1, 2)
    assert clock.naps == []


@pytest.mark.parametrize(
    ("earlier", "refusal", "rest_seconds"),
    [
        ({}, {}, 3500),
        ({}, {"x-ratelimit-time": "600"}, 500),
        ({"x-ratelimit-time": "900"}, {}, 800),
        ({}, {"x-ratelimit-reset": "{now+700}"}, 701),
        ({"x-ratelimit-reset": "{now+800}"}, {}, 701),  # what earlier answers told still holds
        ({}, {"x-ratelimit-reset": "{now-10}"}, 3500),
        ({}, {"x-ratelimit-reset": "{now+99999}"}, 3601),
        ({}, {"x-ratelimit-reset": "soon"}, 3500),
        # A server whose clock is 500 s ahead of ours, and says so.
        ({}, {"x-ratelimit-reset": "{now+700}", "date": "{date+500}"}, 201),
        # A date that has nothing to do with the reset, as from a proxy with a clock of its own.
        ({}, {"x-ratelimit-reset": "{now+700}", "date": "{date+500000}"}, 701),
        ({}, {"x-ratelimit-reset": "{now+700}", "date": "{date-500000}"}, 701),
    ],
)
def test_a_refused_token_rests_until_its_frame_is_over(
    *, connect: Connect, ok: Ok, clock: Any, earlier: dict[str, str], refusal: dict[str, str], rest_seconds: float
) -> None:
    """Counted from the first request of the frame, which was 100 s ago."""

    def filled(headers: dict[str, str]) -> dict[str, str]:
        def fill(text: str) -> str:
            if text.startswith("{now"):
                return str(int(clock.now) + int(text[4:-1]))
            if text.startswith("{date"):
                return format_datetime(datetime.fromtimestamp(clock.now + int(text[5:-1]), UTC), usegmt=True)
            return text

        return {name: fill(text) for name, text in headers.items()}

    def answer(_: httpx.Request) -> httpx.Response:
        if api.budget.request_count == 1:
            return ok([], headers=filled(earlier))
        return httpx.Response(400, json=REFUSAL, headers=filled(refusal))

    with connect(answer) as api:
        api.get("/x")
        clock.now += 100
        with pytest.raises(RateLimitReached) as caught:
            api.get("/x")
        assert caught.value.resume_at == clock.now + rest_seconds
        with pytest.raises(BudgetUsedUp):
            api.get("/x")
        assert api.budget.request_count == 2


def test_the_callers_own_limit_holds_for_the_clients_life(connect: Connect, ok: Ok, clock: Any) -> None:
    with connect(lambda _: ok([]), max_requests=3) as api:
        for _ in range(3):
            api.get("/x")
        assert api.budget.remaining_count == 0
        for _ in range(2):
            clock.now += 1e6
            with pytest.raises(BudgetUsedUp) as caught:
                api.get("/x")
            assert caught.value.resume_at is None
    assert api.budget.request_count == 3


def leased(budget: RequestBudget) -> Lease:
    lease = budget.lease()
    assert isinstance(lease, Lease)
    return lease


def test_requests_on_their_way_are_deducted() -> None:
    budget = RequestBudget(1, _Clock())
    assert budget.remaining_count is None
    budget.settle(leased(budget), RateLimitHeaders(remaining_count=2))
    first, second = leased(budget), leased(budget)
    assert budget.remaining_count == 0
    assert budget.lease() == Refusal(resume_at=START + 3600)
    budget.settle(first, RateLimitHeaders())
    budget.settle(second, RateLimitHeaders())
    assert budget.remaining_count == 0


def test_a_frame_begins_with_no_more_than_its_limit() -> None:
    clock = _Clock()
    budget = RequestBudget(1, clock)
    budget.settle(leased(budget), RateLimitHeaders(limit_count=2, remaining_count=1))
    clock.now += 3600
    assert budget.remaining_count == 2
    leased(budget), leased(budget)
    assert budget.lease() == Refusal(resume_at=clock.now + 3600)


def test_an_answer_that_comes_after_a_refusal_does_not_lift_it() -> None:
    budget = RequestBudget(1, _Clock())
    first, second = leased(budget), leased(budget)
    budget.settle(second, RateLimitHeaders(), is_refused=True)
    budget.settle(first, RateLimitHeaders(remaining_count=5))
    assert budget.lease() == Refusal(resume_at=START + 3600)


def test_a_refusal_is_forgotten_with_the_next_answer() -> None:
    """So a later reset is believed again."""
    clock = _Clock()
    budget = RequestBudget(1, clock)
    for _ in range(3):
        budget.settle(leased(budget), RateLimitHeaders(reset_at=clock.now + 40), is_refused=True)
        assert budget.resume_at == clock.now + 40
        clock.now += 40
        budget.settle(leased(budget), RateLimitHeaders())


def test_requests_at_once_are_spread_over_the_tokens() -> None:
    budget = RequestBudget(3, _Clock())
    assert {leased(budget).token_index for _ in range(3)} == {0, 1, 2}


def test_answers_that_overtake_each_other_give_nothing_back() -> None:
    budget = RequestBudget(1, _Clock())
    budget.settle(leased(budget), RateLimitHeaders(remaining_count=10))
    first, second = leased(budget), leased(budget)
    budget.settle(second, RateLimitHeaders(remaining_count=8))
    budget.settle(first, RateLimitHeaders(remaining_count=9))
    assert budget.remaining_count == 8


def test_an_answer_of_a_frame_that_is_over_says_nothing_about_the_next() -> None:
    budget = RequestBudget(1, _Clock())
    budget.settle(leased(budget), RateLimitHeaders(remaining_count=1, reset_at=START + 5))
    budget.settle(leased(budget), RateLimitHeaders(remaining_count=100, reset_at=START + 3600))
    first, second = leased(budget), leased(budget)
    budget.settle(second, RateLimitHeaders(remaining_count=98, reset_at=START + 3600))
    budget.settle(first, RateLimitHeaders(remaining_count=0, reset_at=START + 5))
    assert budget.remaining_count == 97


def test_a_frame_that_began_anew_before_we_thought_is_noticed() -> None:
    clock = _Clock()
    budget = RequestBudget(1, clock)
    budget.settle(leased(budget), RateLimitHeaders(remaining_count=5))
    clock.now += 1000
    budget.settle(leased(budget), RateLimitHeaders(remaining_count=349))
    assert budget.remaining_count == 349


@given(st.dictionaries(st.sampled_from(["limit", "time", "remaining", "reset"]), st.one_of(NONSENSE, st.text())), DATES)
def test_reading_headers_never_fails(values: dict[str, str], date: str) -> None:
    told = read_rate_limit_headers(
        {**{f"x-ratelimit-{name}": text for name, text in values.items()}, "date": date}, START
    )
    assert told.remaining_count is None or told.remaining_count >= 0
    assert told.limit_count is None or told.limit_count > 0
    assert told.frame_seconds is None or 0 < told.frame_seconds <= 86_400
    assert told.reset_at is None or told.reset_at > START

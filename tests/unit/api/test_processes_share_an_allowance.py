"""What one process knows of a token's allowance all know that use the same folder, whenever they start or die."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pipelines.api import BudgetUsedUp, RequestBudget, SocialConnect
from pipelines.api.budget import Lease, RateLimitHeaders, Refusal
from pipelines.api.sharing import SharedAllowances, SharedFile, fingerprint

Connect = Callable[..., SocialConnect]
Ok = Callable[..., httpx.Response]

START = 1_750_000_000.0
LIMIT = 12


class _Server:
    """Allows so many requests in an hour that begins with the first, and tells what is left."""

    def __init__(self, clock: Callable[[], float], limit: int = LIMIT) -> None:
        self.clock = clock
        self.limit = limit
        self.began_at = -1e9
        self.used = 0
        self.used_before: list[int] = []
        self.refused_count = 0

    def __call__(self, _: httpx.Request) -> httpx.Response:
        if self.clock() >= self.began_at + 3600:
            self.used_before.append(self.used)
            self.began_at, self.used = self.clock(), 0
        is_refused = self.used >= self.limit
        self.refused_count += is_refused
        self.used += not is_refused
        headers = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-time": "3600",
            "x-ratelimit-remaining": str(self.limit - self.used),
            "x-ratelimit-reset": str(int(self.began_at + 3600)),
        }
        if is_refused:
            return httpx.Response(400, json={"code": 400, "error": "rate_limit_reached"}, headers=headers)
        return httpx.Response(200, json={"meta": {"code": 200}, "response": []}, headers=headers)


def failure_of(api: SocialConnect) -> BudgetUsedUp | None:
    try:
        api.get("/x")
    except BudgetUsedUp as error:
        return error
    return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(turns=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 1, 700, 3700])), max_size=60))
def test_whoever_sends_and_whenever_no_request_is_refused_nor_held_back_in_vain(
    connect: Connect, clock: Any, tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int]]
) -> None:
    """Each client stands for a process: they have nothing in common but the folder, and one of them is made anew."""
    folder = tmp_path_factory.mktemp("home")
    server = _Server(clock)
    clients = [connect(server, shared_folder=folder, max_wait_seconds=0) for _ in range(2)]
    for who, pause_seconds in turns:
        clock.now += pause_seconds
        api = clients[who] if who < 2 else connect(server, shared_folder=folder, max_wait_seconds=0)
        error = failure_of(api)
        if error is not None:
            assert server.used == LIMIT
            assert server.began_at + 3600 <= (error.resume_at or 0) <= server.began_at + 3602
    assert server.refused_count == 0


def test_one_who_leaves_some_to_others_stops_in_time_and_they_go_on(
    connect: Connect, clock: Any, tmp_path: Path
) -> None:
    server = _Server(clock)
    backfill = connect(server, shared_folder=tmp_path, max_wait_seconds=0, reserved_count=4)
    sync = connect(server, shared_folder=tmp_path, max_wait_seconds=0)
    errors = [failure_of(backfill) for _ in range(LIMIT)]
    assert errors[: LIMIT - 4] == [None] * (LIMIT - 4)
    assert [error.resume_at for error in errors[LIMIT - 4 :] if error] == [server.began_at + 3601] * 4
    assert (backfill.budget.remaining_count, sync.budget.remaining_count) == (0, 4)
    for _ in range(4):
        sync.get("/x")
    with pytest.raises(BudgetUsedUp):
        sync.get("/x")
    clock.now = server.began_at + 3601
    backfill.get("/x")
    assert server.refused_count == 0


@pytest.mark.parametrize(
    ("calls_of_a_sync", "first_sync_seconds"),
    [(12, 500), *(pytest.param(*each, marks=pytest.mark.slow) for each in [(0, 0), (6, 70), (12, 0), (12, 850)])],
)
def test_one_who_waits_uses_every_frame_and_syncs_find_their_share(
    connect: Connect, clock: Any, tmp_path: Path, calls_of_a_sync: int, first_sync_seconds: int
) -> None:
    """A backfill of many hours beside a sync each quarter of an hour, at the allowance that a user has."""
    server = _Server(clock, limit=350)
    sync = connect(server, shared_folder=tmp_path, max_wait_seconds=0)
    synced_at = clock.now + first_sync_seconds - 900

    def sleep(seconds: float) -> None:
        nonlocal synced_at
        wakes_at = clock.now + seconds
        while (next_at := synced_at + 900) <= wakes_at:
            clock.now = synced_at = max(next_at, clock.now)
            assert [failure_of(sync) for _ in range(calls_of_a_sync)] == [None] * calls_of_a_sync
        clock.now = max(wakes_at, clock.now)

    backfill = connect(server, shared_folder=tmp_path, max_wait_seconds=3700, reserved_count=50, sleep=sleep)
    while len(server.used_before) < 3:
        sleep(2)
        backfill.get("/x")
    assert server.refused_count == 0
    assert all(350 * 0.95 <= used <= 350 for used in server.used_before[1:]), server.used_before


def test_no_more_than_half_of_an_allowance_is_left_to_others(connect: Connect, clock: Any, tmp_path: Path) -> None:
    """The console's tokens have 20 calls an hour: a reserve of 50 would leave nothing to work with."""
    server = _Server(clock)
    api = connect(server, shared_folder=tmp_path, max_wait_seconds=0, reserved_count=50)
    assert [failure_of(api) for _ in range(LIMIT)].count(None) == server.used == LIMIT // 2


def budget(clock: Callable[[], float], folder: Path) -> RequestBudget:
    return RequestBudget(1, clock, allowances=SharedAllowances(folder / "allowances.json", ["one"]))


def leased(budget: RequestBudget) -> Lease:
    lease = budget.lease()
    assert isinstance(lease, Lease)
    return lease


def test_a_request_of_a_process_that_died_counts_and_is_not_on_its_way_for_ever(clock: Any, tmp_path: Path) -> None:
    first = budget(clock, tmp_path)
    first.settle(leased(first), RateLimitHeaders(limit_count=5, remaining_count=3, reset_at=clock.now + 3600))
    leased(first)  # and dies
    assert budget(clock, tmp_path).remaining_count == 2
    clock.now += 301
    assert budget(clock, tmp_path).remaining_count == 2
    second = budget(clock, tmp_path)
    lease = leased(second)
    assert lease.is_alone, "nothing else is on its way"
    second.settle(lease, RateLimitHeaders(remaining_count=1))
    assert budget(clock, tmp_path).remaining_count == 1
    clock.now += 3600
    assert budget(clock, tmp_path).remaining_count == 5


def test_the_last_request_goes_to_one_of_two(clock: Any, tmp_path: Path) -> None:
    one, other = budget(clock, tmp_path), budget(clock, tmp_path)
    one.settle(leased(one), RateLimitHeaders(limit_count=5, remaining_count=1, reset_at=clock.now + 60))
    lease = leased(other)
    assert one.lease() == Refusal(resume_at=clock.now + 60)
    other.settle(lease, RateLimitHeaders(remaining_count=0, reset_at=clock.now + 60))
    assert one.lease() == Refusal(resume_at=clock.now + 60)


def test_tokens_of_different_users_have_allowances_of_their_own(connect: Connect, tmp_path: Path) -> None:
    left = {"Bearer first-token": 0, "Bearer second-token": 7}

    def answer(request: httpx.Request) -> httpx.Response:
        told = {"x-ratelimit-remaining": str(left[request.headers["authorization"]])}
        return httpx.Response(200, json={"meta": {"code": 200}, "response": []}, headers=told)

    connect(answer, tokens=("first-token",), shared_folder=tmp_path).get("/x")
    with pytest.raises(BudgetUsedUp):
        connect(answer, tokens=("first-token",), shared_folder=tmp_path).get("/x")
    both = connect(answer, tokens=("second-token", "first-token"), shared_folder=tmp_path)
    both.get("/x")
    assert both.budget.remaining_count == 7


def test_the_file_names_no_token_and_is_the_owners_alone(connect: Connect, ok: Ok, tmp_path: Path) -> None:
    token = "tk-5f9-secret-0a3c"
    connect([ok([])], tokens=(token,), shared_folder=tmp_path / "api").get("/x")
    (file,) = (tmp_path / "api").glob("*.json")
    assert token not in file.read_text(encoding="utf-8")
    assert list(json.loads(file.read_text(encoding="utf-8"))) == [fingerprint(SecretStr(token))]
    assert (file.stat().st_mode & 0o777, (tmp_path / "api").stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"7"])
def test_a_damaged_file_is_said_and_begun_anew(
    connect: Connect, ok: Ok, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "allowances.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        connect([ok([], headers={"x-ratelimit-remaining": "5"})], shared_folder=tmp_path).get("/x")
    assert "allowances.json is damaged" in caplog.text
    assert connect([], shared_folder=tmp_path).budget.remaining_count == 5


def test_what_another_version_has_written_besides_is_passed_over(connect: Connect, ok: Ok, tmp_path: Path) -> None:
    connect([ok([], headers={"x-ratelimit-remaining": "5"})], shared_folder=tmp_path).get("/x")
    file = tmp_path / "allowances.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({name: each | {"newer": 1} for name, each in kept.items()}), encoding="utf-8")
    assert connect([], shared_folder=tmp_path).budget.remaining_count == 5


def test_a_write_that_is_cut_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = SharedFile(tmp_path / "x.json")
    shared.write({"a": 1})

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        shared.write({"a": 2})
    monkeypatch.undo()
    assert SharedFile(tmp_path / "x.json").read() == {"a": 1}
    shared.write({"a": 3})
    assert SharedFile(tmp_path / "x.json").read() == {"a": 3}

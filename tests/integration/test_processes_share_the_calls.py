"""Several processes of one token, over real HTTP: together they use what the API allows, and it refuses nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import Sandbox, Server
from sandbox.requests import calls_per_frame

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("calling_process.py")
LIMIT = 60


def start(home: Path, server: Server, *, count: int = 1000, reserved: int = 0) -> subprocess.Popen[str]:
    arguments = [str(home), server.base_url, server.sandbox.token, str(count), str(reserved)]
    return subprocess.Popen([sys.executable, str(PROGRAM), *arguments], stdout=subprocess.PIPE, text=True)


def answered(process: subprocess.Popen[str]) -> int:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return int(said)


def test_a_backfill_and_a_sync_use_all_there_is_and_nothing_is_refused(tmp_path: Path) -> None:
    box = Sandbox(mentions=0, rate_limit_per_hour=LIMIT)
    with box.serve() as server:
        backfills = [start(tmp_path, server, reserved=20) for _ in range(2)]
        assert LIMIT - 20 - 1 <= sum(map(answered, backfills)) <= LIMIT - 20
        left = LIMIT - len(box.requests)
        assert answered(start(tmp_path, server, count=5)) == 5
        assert answered(start(tmp_path, server, reserved=20)) == 0
        assert answered(start(tmp_path, server)) == left - 5
    assert {request.status for request in box.requests} == {200}
    assert list(calls_per_frame(box.requests).values()) == [LIMIT]


def test_a_process_that_is_killed_while_it_waits_for_an_answer_takes_no_more_than_that_call(tmp_path: Path) -> None:
    box = Sandbox(mentions=0, rate_limit_per_hour=LIMIT)
    with box.serve() as server:
        assert answered(start(tmp_path, server, count=1)) == 1
        box.faults.add("delay", path="/me", after=3, seconds=2)
        killed = start(tmp_path, server)
        deadline = time.monotonic() + 60
        while len(box.requests) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=60)
        answered(start(tmp_path, server))
    assert {request.status for request in box.requests} == {200}
    assert max(calls_per_frame(box.requests).values()) >= LIMIT - 1

"""SIGTERM, as systems and schedulers send it: the run loads what it has read and ends; the next goes on from there."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pipelines.run import extract_and_load
from pipelines.settings import read_settings

STREAM_NAMES = ["topics", "users", "mentions"]
"""What mentions need, and no more: every other stream costs each sync time."""


def ask_to_stop(user: Any, *arguments: str, path: str, after: int) -> Any:
    """Runs a command that is told to stop while it waits for the answer to a request, which takes two seconds."""
    fault = user.box.faults.add("delay", path=path, after=after, seconds=2.0)
    command = user.start(*arguments)
    give_up_at = time.monotonic() + 60
    while fault.times and command.poll() is None and time.monotonic() < give_up_at:
        time.sleep(0.05)
    command.send_signal(signal.SIGTERM)
    said = user.end_of(command)
    user.box.faults.clear()
    return said


@pytest.mark.slow
def test_a_sync_loads_what_it_has_read_and_the_next_reads_the_rest(make_user: Callable[..., Any]) -> None:
    user = make_user()
    now = user.box.now.isoformat()
    said = ask_to_stop(
        user, "sync", "--streams", ",".join(STREAM_NAMES), "--as-of", now, path="inbox/mentions", after=2
    )
    assert said.exit_code == 143, said.stderr
    assert said.stderr.splitlines()[-1] == "Stopped before the transform, as asked. The next run goes on from there."
    work_file = user.home / "warehouse.duckdb"
    assert user.query("SELECT count(*) FROM social_connect.mentions", work_file) == [(300,)]
    assert not user.published_file.exists()
    sent_count = len(user.box.requests)
    settings = read_settings(
        social_connect_base_url=user.server.base_url,
        social_connect_access_token=user.box.token,
        social_warehouse_home=user.home,
    )
    extract_and_load(settings, as_of=user.box.now, stream_names=STREAM_NAMES)
    lists = [request for request in list(user.box.requests)[sent_count:] if request.path.endswith("/inbox/mentions")]
    assert len(lists) <= 2, "the last page of new mentions, and one of changed ones"
    assert user.query("SELECT count(*) FROM social_connect.mentions", work_file) == [(len(user.box.mentions(1417)),)]


@pytest.mark.slow
def test_a_backfill_that_waits_for_the_next_hour_stops_at_once(make_user: Callable[..., Any]) -> None:
    user = make_user()
    start, now = (user.box.now - timedelta(days=30)).isoformat(), user.box.now.isoformat()
    user.box.faults.add("throttle", path="inbox/mentions", after=2, times=None)
    command = user.start("backfill", "--from", start, "--to", now, "--as-of", now, "--wait")
    time.sleep(15)
    assert command.poll() is None, "it has not waited"
    asked_at = time.monotonic()
    command.send_signal(signal.SIGTERM)
    said = user.end_of(command)
    user.box.faults.clear()
    assert said.exit_code == 143, said.stderr
    assert time.monotonic() - asked_at < 30
    assert user.query("SELECT count(*) FROM social_connect.mentions", user.home / "warehouse.duckdb") != [(0,)]

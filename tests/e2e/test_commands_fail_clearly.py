"""Whatever goes wrong: one line that says what to do, the documented exit code, and the last good copy in its place."""

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from pipelines.publishing import publish
from pipelines.run import extract_and_load
from pipelines.settings import read_settings
from pipelines.warehouse import Warehouse
from sandbox import Sandbox

STREAM_NAMES = ["topics", "users", "mentions"]
"""What mentions need, and no more: every other stream costs each sync time."""
STREAMS = ("--streams", ",".join(STREAM_NAMES))

USAGE = 2

CASES: dict[str, tuple[tuple[str, ...], dict[str, str], int, str]] = {
    "no_token": ((), {"SOCIAL_CONNECT_ACCESS_TOKEN": ""}, 2, "SOCIAL_CONNECT_ACCESS_TOKEN is not set"),
    "wrong_token": ((), {"SOCIAL_CONNECT_ACCESS_TOKEN": "wrong"}, 1, "Access token number 1 .* is not accepted"),
    "unknown_account": ((), {"SOCIAL_CONNECT_ACCOUNT_IDS": "999"}, 1, "GET /999/.* leave this stream or account out"),
    "no_date_as_of": (("--as-of", "yesterday"), {}, 2, "'yesterday' is not a date or time.* such as 2026-01-31"),
    "no_start_date": ((), {"SOCIAL_CONNECT_START_DATE": "yesterday"}, 2, "SOCIAL_CONNECT_START_DATE is 'yesterday'"),
    "no_such_stream": (("--streams", "mention"), {}, 2, "--streams: mention unknown.* topics, mentions"),
    "no_url": ((), {"SOCIAL_CONNECT_BASE_URL": "api.engagor.com"}, 2, "SOCIAL_CONNECT_BASE_URL .*cannot be used"),
    "locked": ((), {}, 3, r"is in use by a test of ours \(process \d+, since .*\)\. Wait until it ends"),
    "unreachable_host": ((), {}, 1, "no answer after 5 attempts .* Check the base URL"),
    "half_a_page": ((), {}, 1, "GET /1417/inbox/mentions: the answer cannot be read after 5 attempts"),
}


@pytest.fixture(scope="module")
def good(make_user: Callable[..., Any]) -> Any:
    """A user whose first sync has gone well; six hours have passed since. No marts: what fails here comes before."""
    user = make_user()
    load(user, user)
    publish(Warehouse(user.home), now=user.box.now, keep_count=3)
    user.box.advance(hours=6)
    return user


def load(user: Any, good: Any) -> None:
    """A sync in this process, of the good sandbox, into a user's work file."""
    settings = read_settings(
        social_connect_account_ids=(),
        social_connect_start_date=None,
        social_connect_base_url=good.server.base_url,
        social_connect_access_token=good.box.token,
        social_warehouse_home=user.home,
    )
    extract_and_load(settings, as_of=good.box.now, stream_names=STREAM_NAMES)


@pytest.fixture(scope="module")
def ends(good: Any, make_user: Callable[..., Any]) -> Iterator[dict[str, tuple[Any, Future[Any]]]]:
    """Every case at once, each with its own copy of the good warehouse; those that wait longest begin first."""
    with ExitStack() as stack:
        broken = stack.enter_context(Sandbox(mentions=350).serve())
        broken.sandbox.advance(hours=6)
        broken.sandbox.faults.add("cut_connection", path="inbox", times=None)
        nobody = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = nobody.getsockname()[1]
        nobody.close()
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=4))
        running = {}
        for name in sorted(CASES, key=lambda name: name not in {"unreachable_host", "half_a_page"}):
            arguments, options, _, _ = CASES[name]
            user = make_user()
            shutil.copytree(good.home, user.home)
            lock = Warehouse(user.home).writer_lock("a test of ours") if name == "locked" else nullcontext()
            if name == "half_a_page":
                user = replace(user, server=broken)
            if name == "unreachable_host":
                user = replace(user, options={"SOCIAL_CONNECT_BASE_URL": f"http://127.0.0.1:{port}"})
            running[name] = user, pool.submit(sync_beside, lock, user, *arguments, **options)
        yield running


def sync_beside(lock: AbstractContextManager[Any], user: Any, *arguments: str, **options: str) -> Any:
    with lock:
        return user.sync(*STREAMS, *arguments, **options)


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_to_do_and_harms_nothing(ends: dict[str, tuple[Any, Future[Any]]], good: Any, name: str) -> None:
    user, future = ends[name]
    said = future.result()
    _, _, exit_code, complaint = CASES[name]
    assert said.exit_code == exit_code, said.stderr
    assert said.stdout == ""
    assert re.search(complaint, said.complaint), said.stderr
    assert good.box.token not in said.stderr
    assert user.published_file.read_bytes() == good.published_file.read_bytes()
    assert sorted(path.name for path in user.published_file.parent.iterdir()) == ["versions", "warehouse.duckdb"]
    if exit_code == USAGE:
        assert (user.home / "warehouse.duckdb").read_bytes() == (good.home / "warehouse.duckdb").read_bytes()
        return
    load(user, good)
    held = {(mention["unique_id"], mention["status"]) for mention in good.box.mentions(1417)}
    assert (
        set(user.query("SELECT unique_id, status FROM social_connect.mentions", user.home / "warehouse.duckdb")) == held
    )

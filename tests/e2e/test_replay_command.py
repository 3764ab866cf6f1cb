"""The replay as a user runs it: what it says, and the exit code of each way to end."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.run import extract_and_load
from pipelines.settings import read_settings
from pipelines.warehouse import Warehouse

pytestmark = pytest.mark.slow


def load(user: Any, **options: Any) -> None:
    settings = read_settings(
        social_connect_base_url=user.server.base_url,
        social_connect_access_token=user.box.token,
        social_warehouse_home=user.home,
        **options,
    )
    extract_and_load(settings, as_of=user.box.now, stream_names=["topics", "tags", "mentions"])


@pytest.fixture(scope="module")
def user(make_user: Callable[..., Any]) -> Any:
    """Somebody whose warehouse has rows and payloads."""
    user = make_user()
    load(user)
    return user


def test_nothing_is_written_where_nothing_has_changed(user: Any) -> None:
    said = user.run("replay", "--json", "--streams", "mentions,tags", SOCIAL_CONNECT_ACCESS_TOKEN="")
    assert said.exit_code == 0, said.stderr
    report = json.loads(said.stdout)
    assert report["record_counts"] == {"mentions": 350, "tags": len(user.box.objects(1417, "tags"))}
    assert report["row_counts"] == {}
    assert report["quarantined_count"] == 0


def test_it_says_what_it_did_and_what_comes_next(user: Any) -> None:
    said = user.run("replay", "--streams", "tags")
    assert said.exit_code == 0, said.stderr
    count = len(user.box.objects(1417, "tags"))
    assert said.stdout.splitlines() == [
        f"Read {count} payloads and 0 records of the quarantine, wrote 0 rows.",
        "Next: social-warehouse transform, then social-warehouse publish",
    ]


def test_without_payloads_there_is_nothing_to_replay(make_user: Callable[..., Any]) -> None:
    user = make_user(SOCIAL_WAREHOUSE_RAW_PAYLOADS="false")
    load(user, social_warehouse_raw_payloads=False)
    said = user.run("replay")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "no raw payloads, so there is nothing to replay. SOCIAL_WAREHOUSE_RAW_PAYLOADS is false" in said.complaint


def test_without_a_warehouse_there_is_nothing_to_replay(make_user: Callable[..., Any]) -> None:
    said = make_user().run("replay")
    assert said.exit_code == 1
    assert "does not exist. Run 'social-warehouse sync' first" in said.complaint


def test_another_policy_is_a_matter_of_usage(user: Any) -> None:
    for command in ("replay", "sync"):
        said = user.run(command, SOCIAL_WAREHOUSE_PERSONAL_DATA="drop")
        assert (said.exit_code, said.stdout) == (2, "")
        assert "SOCIAL_WAREHOUSE_PERSONAL_DATA is drop, but data was made with keep" in said.complaint


def test_one_run_at_a_time(user: Any) -> None:
    with Warehouse(user.home).run_lock("a test of ours"):
        for command in ("replay", "sync"):
            said = user.run(command)
            assert (said.exit_code, said.stdout) == (3, "")
            assert "is in use by a test of ours (process" in said.complaint

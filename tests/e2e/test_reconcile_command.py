"""The reconciliation as a user runs it: what it says, what readers then see, and how it ends early."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.run import extract_and_load
from pipelines.settings import read_settings


@pytest.fixture(scope="module")
def user(make_user: Callable[..., Any]) -> Any:
    """Somebody whose warehouse has mentions; one of them has since gone."""
    user = make_user(SOCIAL_WAREHOUSE_SWEEP_CALLS="5")
    settings = read_settings(
        social_connect_base_url=user.server.base_url,
        social_connect_access_token=user.box.token,
        social_warehouse_home=user.home,
    )
    extract_and_load(settings, as_of=user.box.now, stream_names=["topics", "tags", "mentions"])
    user.box.delete_mention(1417, user.box.mentions(1417)[100]["unique_id"])
    return user


@pytest.mark.slow
def test_it_ends_early_when_the_budget_does(user: Any) -> None:
    said = user.run("reconcile", "--max-requests", "4", "--as-of", user.box.now.isoformat())
    assert said.exit_code == 5, said.stderr
    assert "run it again to go on" in said.stderr


@pytest.mark.slow
def test_readers_see_what_is_gone(user: Any) -> None:
    said = user.run("reconcile", "--json", "--as-of", user.box.now.isoformat())
    assert said.exit_code == 0, said.stderr
    (account,) = json.loads(said.stdout)["accounts"]
    assert (
        account["deleted_count"],
        account["still_different_count"],
        sum(map(len, account["days_swept"].values())),
    ) == (1, 0, 5)
    assert user.query("SELECT count(*) FROM marts.fct_mentions WHERE is_deleted") == [(1,)]
    sweep = json.loads(user.run("status", "--json").stdout)["sweep"]["1417"]
    assert 0 < sweep["never_read_again_day_count"] < 2 * account["day_count"]
    assert sweep["longest_unread_since"]

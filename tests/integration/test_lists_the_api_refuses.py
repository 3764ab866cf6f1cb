"""A list that the API refuses is left out with a notice, and everything else is read; without some, nothing is."""

# ruff: noqa: S608 - names of tables come from the streams

import logging
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.api import ApiError, PermissionDenied
from pipelines.source import STREAMS
from sandbox import Behaviour

Make = Callable[..., Any]

NEEDED = {"topics", "mentions"}
PATHS = {stream.name: stream.path.removeprefix("{account_id}/") for stream in STREAMS}
BY_MENTION = {"mention_context_items"}
OFFERED = set(PATHS) - NEEDED - BY_MENTION - {"accounts"}
"""Lists with a path of their own that a sync can do without; without accounts it has to be told which to read."""


def count(site: Any, table: str) -> int:
    return int(site.one(f"SELECT count(*) FROM {table}"))


@pytest.fixture
def site(make_site: Make) -> Any:
    """Few mentions, and no statistics of long ago."""
    return make_site(mentions=30, options={"social_connect_start_date": "2026-02-25"})


def skipped(notices: tuple[str, ...]) -> set[str]:
    assert all(" of account 1417 skipped: " in notice for notice in notices), notices
    return {notice.split(" ")[0] for notice in notices}


@pytest.mark.parametrize(
    ("switch", "says"), [("without_permission", "no_permission"), ("not_in_plan", "feature_limit_reached")]
)
def test_every_list_that_a_sync_can_do_without_may_be_refused(
    site: Any, switch: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All at once: then the needed ones are read. Allowed again, each is read by the next run, whatever its rhythm."""
    caplog.set_level(logging.WARNING)
    site.box.behaviour = Behaviour(**{switch: frozenset(PATHS[name] for name in OFFERED)})
    extraction = site.sync()
    assert skipped(extraction.load.notices) == OFFERED
    for notice in extraction.load.notices:
        assert notice in caplog.text
        assert f"403 ({says}: " in notice
        assert PATHS[notice.split(" ")[0]] in notice
        assert site.box.token not in notice
    assert extraction.load.stopped_by is None
    assert not extraction.budget_was_used_up
    assert {name for name in OFFERED if count(site, name)} == set()
    assert {name for name in NEEDED | {"accounts"} if count(site, name)} == NEEDED | {"accounts"}
    site.assert_holds_the_truth("mention", "topic")

    site.box.behaviour = Behaviour()
    site.box.advance(seconds=1)
    allowed = site.sync()
    assert allowed.load.notices == ()
    assert {name for name in OFFERED if not count(site, name)} == set()
    site.assert_holds_the_truth()


def test_each_list_refused_alone_hinders_no_other(make_site: Make) -> None:
    """One after the other is taken away and given back; what was read before stays, and what others have goes on."""
    site = make_site(mentions=10, options={"social_connect_start_date": "2026-03-01"})
    site.sync()
    before = {name: count(site, name) for name in OFFERED}
    assert all(before.values())
    for number, name in enumerate(sorted(OFFERED)):
        switch = ("without_permission", "not_in_plan")[number % 2]
        site.box.behaviour = Behaviour(**{switch: frozenset({PATHS[name]})})
        site.box.advance(minutes=1)
        extraction = site.sync(stream_names=["topics", "mentions", *OFFERED])
        assert skipped(extraction.load.notices) == {name}
        assert set(extraction.load.page_counts) - {
            each for each, pages in extraction.load.page_counts.items() if pages
        } == {name}
        assert count(site, name) == before[name]


@pytest.mark.parametrize("name", sorted(NEEDED))
@pytest.mark.parametrize("switch", ["without_permission", "not_in_plan"])
def test_without_a_needed_list_a_sync_fails_and_says_which(site: Any, name: str, switch: str) -> None:
    site.box.behaviour = Behaviour(**{switch: frozenset({PATHS[name]})})
    with pytest.raises(ApiError) as error:
        site.sync()
    assert isinstance(error.value, PermissionDenied) == (switch == "without_permission")
    assert f"/1417/{PATHS[name]}" in str(error.value)
    assert "403" in str(error.value)
    site.box.behaviour = Behaviour()
    site.sync()
    site.assert_holds_the_truth("mention", "topic")


def test_a_list_refused_in_one_account_is_read_in_the_other(make_site: Make) -> None:
    """By the first account that allows it: a refusal ends neither the list nor the run."""
    site = make_site(accounts=(1417, 1418), mentions=10, options={"social_connect_start_date": "2026-03-01"})
    refused = site.box.accounts[1417].organisation.users[0]
    assert refused is not None
    site.box.faults.add("status", path="1417/settings/teams", times=None, status=403)
    extraction = site.sync()
    assert skipped(extraction.load.notices) == {"teams"}
    assert site.rows("SELECT DISTINCT account_id FROM teams") == [("1418",)]
    site.box.faults.clear()
    site.box.advance(hours=1)
    assert site.sync().load.notices == ()
    assert site.rows("SELECT DISTINCT account_id FROM teams ORDER BY 1") == [("1417",), ("1418",)]


def test_a_list_that_is_refused_later_keeps_its_versions_open(site: Any) -> None:
    """That nothing can be seen does not mean that nothing is there."""
    site.sync()
    versions = "SELECT * FROM history.users ORDER BY ALL"
    before, rows = site.rows(versions), site.rows("SELECT * FROM users ORDER BY ALL")
    assert before
    site.box.behaviour = Behaviour(without_permission=frozenset({PATHS["users"]}))
    site.box.advance(hours=2)
    assert skipped(site.sync().load.notices) == {"users"}
    assert site.rows(versions) == before
    assert site.rows("SELECT * FROM users ORDER BY ALL") == rows


def test_accounts_that_cannot_be_listed_can_be_named(site: Any) -> None:
    site.box.behaviour = Behaviour(without_permission=frozenset({PATHS["accounts"]}))
    with pytest.raises(PermissionDenied, match="me/accounts"):
        site.sync()
    extraction = site.sync(settings=site.settings(social_connect_account_ids="1417"))
    assert skipped(extraction.load.notices) == {"accounts"}
    site.assert_holds_the_truth("mention", "topic", "user")

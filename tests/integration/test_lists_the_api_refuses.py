"""A list that the API refuses is left out with a notice, and everything else is read; without some, nothing is."""

# ruff: noqa: S608 - names of tables come from the streams

import logging
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.api import PermissionDenied
from pipelines.source import STREAMS
from sandbox import Behaviour

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

NEEDED = {"topics", "mentions"}
PATHS = {stream.name: stream.path.removeprefix("{account_id}/") for stream in STREAMS}
BY_MENTION = {"mention_context_items"}
OFFERED = set(PATHS) - NEEDED - BY_MENTION - {"accounts"}
"""Lists with a path of their own that a sync can do without; without accounts it has to be told which to read."""


def with_rows(site: Any) -> set[str]:
    """The streams whose tables have rows."""
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in PATHS)
    return {name for name, count in site.rows(counts) if count}


@pytest.fixture
def site(make_site: Make) -> Any:
    """A few days of mentions, and no statistics of long ago."""
    return make_site(mentions=40, days=2, options={"social_connect_start_date": "2026-02-27"})


def skipped(notices: tuple[str, ...]) -> set[str]:
    assert all(" of account 1417 skipped: " in notice for notice in notices), notices
    return {notice.split(" ")[0] for notice in notices}


@pytest.mark.parametrize(
    ("switch", "says"),
    [
        ("without_permission", "no_permission"),
        ("not_in_plan", "feature_limit_reached"),
    ],
)
def test_every_list_that_a_sync_can_do_without_may_be_refused(
    site: Any, switch: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All at once: then the needed ones are read. Allowed again, each is read as soon as it is due."""
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
    assert with_rows(site) == NEEDED | {"accounts"}

    site.box.advance(minutes=15)
    assert skipped(site.sync().load.notices) == {"cases"}, "no other is asked for before it is due"
    site.box.behaviour = Behaviour()
    site.box.advance(hours=25)
    allowed = site.sync()
    assert allowed.load.notices == ()
    assert with_rows(site) == set(PATHS) - BY_MENTION
    site.assert_holds_the_truth()


@pytest.mark.parametrize(
    "name",
    ["cases", "contacts", "publisher_posts", "teams"],
)
def test_a_list_that_is_refused_later_hinders_no_other(site: Any, name: str) -> None:
    """Each is read in another way. What was read before stays."""
    few = ["topics", "users", "mentions", "cases", "contacts", "publisher_posts", "teams"]
    site.sync(stream_names=few)
    before = site.rows(f"SELECT * FROM {name} ORDER BY ALL")
    assert before
    site.box.behaviour = Behaviour(not_in_plan=frozenset({PATHS[name]}))
    site.box.advance(hours=3)
    extraction = site.sync(stream_names=few)
    assert skipped(extraction.load.notices) == {name}
    assert {each for each, pages in extraction.load.page_counts.items() if not pages} == {name}
    assert site.rows(f"SELECT * FROM {name} ORDER BY ALL") == before
    site.assert_holds_the_truth()


@pytest.mark.parametrize(
    ("name", "switch"),
    [("topics", "without_permission"), ("mentions", "not_in_plan")],
)
def test_without_a_needed_list_a_sync_fails_and_says_which(site: Any, name: str, switch: str) -> None:
    site.box.behaviour = Behaviour(**{switch: frozenset({PATHS[name]})})
    with pytest.raises(PermissionDenied, match=f"GET /1417/{PATHS[name]}: the API answered 403"):
        site.sync(stream_names=["topics", "users", "mentions"])
    site.box.behaviour = Behaviour()
    site.sync(stream_names=["topics", "users", "mentions"])
    site.assert_holds_the_truth()


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
    named = site.settings(social_connect_account_ids="1417")
    extraction = site.sync(settings=named, stream_names=["topics", "users", "mentions", "accounts"])
    assert skipped(extraction.load.notices) == {"accounts"}
    site.assert_holds_the_truth("mention", "topic", "user")

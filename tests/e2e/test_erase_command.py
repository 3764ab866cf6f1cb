"""`erase` asks before it begins, and says what it did; what it does is tested in tests/integration."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("arguments", [(), ("--author", "1", "--mention", "2")])
def test_it_takes_one_of_author_and_mention(make_user: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    said = make_user().run("erase", *arguments)
    assert said.exit_code == 2
    assert "--author ID or --mention UNIQUE_ID" in said.complaint


def test_nothing_is_done_unless_it_is_agreed_to(make_user: Callable[..., Any]) -> None:
    user = make_user()
    said = user.run("erase", "--author", "1")
    assert said.exit_code == 1
    assert "This cannot be undone" in said.stderr
    assert not (user.home / "erasure-key").exists()


@pytest.mark.slow
def test_it_says_what_it_did(make_user: Callable[..., Any]) -> None:
    user = make_user()
    assert user.sync().exit_code == 0
    ((author_id, count),) = user.query(
        "SELECT author_id, count(*) FROM social_connect.mentions"
        " WHERE NOT author_managed AND original_author_id IS NULL"
        r" AND regexp_full_match(author_id, '\d+')"  # of an article on a site, the site's address is the author
        " GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 1"
    )
    as_of = ("--as-of", user.box.now.isoformat())
    planned = json.loads(user.run("erase", "--author", author_id, "--dry-run", "--json").stdout)
    assert planned["object_counts"]["mentions"] >= count
    assert planned["row_counts"] == {}
    said = user.run("erase", "--author", author_id, "--reason", "asked", "--yes", *as_of)
    assert said.exit_code == 0, said.stdout + said.stderr
    assert "nothing found" in said.stdout
    assert f"{planned['object_counts']['mentions']:,} rows of raw.mentions" in said.stdout
    assert user.query(f"SELECT count(*) FROM marts.fct_mentions WHERE author_id = '{author_id}'") == [(0,)]  # noqa: S608
    listed = user.run("sql", "select distinct reason from erasures", "--csv").stdout
    assert listed.split() == ["reason", "asked"]

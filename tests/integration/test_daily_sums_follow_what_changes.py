"""Daily sums are kept by differences: whatever came in between, they are what a full build makes."""

# ruff: noqa: S608 - tables named here

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt_commands import dbt

from pipelines.transform import TransformFailed

pytestmark = pytest.mark.slow

SUMS = (
    *("marts.agg_agents_daily", "marts.agg_teams_daily", "marts.agg_channels_daily", "marts.agg_tags_daily"),
    *("marts.agg_response_times_daily", "marts.agg_volume_hourly", "marts.agg_backlog_daily"),
    *("intermediate.int_backlog_changes", "intermediate.int_compared_times"),
)
PLANTED = (
    "INSERT INTO intermediate.int_compared_times"
    " SELECT * REPLACE ('planted' AS measure) FROM intermediate.int_compared_times LIMIT 1"
)
"""A row that no item has: a build that makes the sums whole has not got it, one that adds differences keeps it."""
FAR_AHEAD_HOURS = 20


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Any:
    """A day after the first sync: until then somebody has come into a team, after which all is built anew.

    Each test goes on where another has ended, which is with sums that are as they have to be.
    """
    site = make_site()
    site.sync()
    site.box.advance(hours=24)
    site.sync()
    assert site.transform().is_full_refresh
    return site


def let_time_pass(site: Any, hours: int = 7) -> None:
    """New mentions and cases, replies to old ones, and one of each that is found deleted."""
    site.box.advance(hours=hours)
    site.sync()
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        for kind in ("mention", "case"):
            con.execute(
                f"UPDATE social_connect.{kind}s SET deleted_at = $1 WHERE unique_id ="
                f" (SELECT min(unique_id) FROM social_connect.{kind}s WHERE deleted_at IS NULL)",
                [site.box.now],
            )
            con.execute(
                f"INSERT INTO history.deletions BY NAME SELECT account_id, '{kind}' AS object, unique_id, deleted_at"
                f" FROM social_connect.{kind}s WHERE deleted_at = $1",
                [site.box.now],
            )


def execute(site: Any, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        return con.execute(statement).fetchall()


def has_planted_row(site: Any) -> bool:
    return bool(site.one("SELECT count(*) FROM intermediate.int_compared_times WHERE measure = 'planted'"))


def assert_equal_to_a_full_build(site: Any, folder: Path) -> None:
    shutil.copytree(site.home, folder)
    full = site.with_home(folder)
    execute(full, "DROP TABLE intermediate._built_with")
    assert full.transform().is_full_refresh
    with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as con:
        con.execute(f"ATTACH '{site.home / 'warehouse.duckdb'}' AS kept (READ_ONLY)")
        for table in SUMS:
            for here, there in (("", "kept."), ("kept.", "")):
                query = f"FROM {here}{table} EXCEPT ALL FROM {there}{table}"
                assert con.execute(query).fetchall() == [], f"{table}: rows of {here or 'the full build'} only"
            assert con.execute(f"SELECT count(*) FROM {table}").fetchall() > [(0,)]


def test_they_are_changed_by_what_was_touched_only(site: Any, tmp_path: Path) -> None:
    for _ in range(3):
        let_time_pass(site)
        assert not site.transform().is_full_refresh
    execute(site, PLANTED)
    let_time_pass(site)
    site.transform()
    assert has_planted_row(site), "the sums are made whole"
    left = execute(site, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'intermediate'")
    assert not [name for (name,) in left if name.startswith(("_changes", "_unfinished"))]
    execute(site, "DELETE FROM intermediate.int_compared_times WHERE measure = 'planted'")
    assert_equal_to_a_full_build(site, tmp_path / "full")


def test_after_a_build_that_failed_they_are_made_whole(site: Any, tmp_path: Path) -> None:
    """Facts had been changed when it failed, and sums had not, or the other way round."""
    let_time_pass(site)
    execute(site, PLANTED)
    ((view,),) = execute(site, "SELECT sql FROM duckdb_views() WHERE view_name = 'stg_mention_tags'")
    execute(site, "DROP VIEW staging.stg_mention_tags")
    with pytest.raises(TransformFailed, match="stg_mention_tags"):
        site.transform()
    execute(site, view)
    let_time_pass(site)
    assert not site.transform().is_full_refresh
    assert not has_planted_row(site)
    assert_equal_to_a_full_build(site, tmp_path / "full")


@pytest.mark.parametrize("chosen", ["+fct_mentions", "agg_channels_daily", "fct_mentions agg_channels_daily"])
def test_a_run_by_dbt_of_some_models_counts_nothing_twice(site: Any, chosen: str, tmp_path: Path) -> None:
    let_time_pass(site)
    rules = site.settings().social_warehouse_home / "rules"
    zone = '{"reporting_time_zone": "UTC"}'
    file = site.home / "warehouse.duckdb"
    dbt(file, ["run", "--select", *chosen.split(), "--vars", zone], rules=rules, as_of=site.box.now.isoformat())
    let_time_pass(site)
    assert not site.transform().is_full_refresh
    assert_equal_to_a_full_build(site, tmp_path / "full")


def test_what_a_clock_puts_after_the_build_is_open_when_it_has_come(site: Any, tmp_path: Path) -> None:
    """An item of tomorrow is in no backlog of today, and in that of tomorrow though nothing has touched it since."""
    count = (
        "SELECT sum(open_count) FROM marts.agg_backlog_daily"
        " WHERE backlog_date = (SELECT max(backlog_date) FROM marts.agg_backlog_daily)"
    )
    let_time_pass(site)
    ahead = f"added_at + INTERVAL {FAR_AHEAD_HOURS} HOURS"
    newest = (
        "(SELECT unique_id FROM social_connect.mentions WHERE deleted_at IS NULL"
        " AND NOT coalesce(author_managed, false) ORDER BY added_at DESC, unique_id LIMIT 1)"
    )
    execute(
        site,
        f"UPDATE social_connect.mentions SET added_at = {ahead}, published_at = {ahead}, status = 'new'"
        f" WHERE unique_id = {newest}",
    )
    execute(site, f"DELETE FROM social_connect.mention_actions WHERE unique_id = {newest}")
    site.transform()
    before = site.one(count)
    assert_equal_to_a_full_build(site, tmp_path / "full")
    site.box.advance(hours=FAR_AHEAD_HOURS + 2)
    site.transform()
    assert site.one(count) == before + 1
    assert_equal_to_a_full_build(site, tmp_path / "full later")

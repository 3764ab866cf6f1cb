"""Values that the API sends and nobody can read are null in the tables: the models are built, and every test passes."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.slow

SPOILT = """
-- a customer's mention of which one person did one thing, nobody knows when
update social_connect.mention_actions set added_at = null
where (account_id, unique_id) = (
    select (account_id, unique_id) from social_connect.mention_actions
    inner join social_connect.mentions using (account_id, unique_id)
    where user_id is not null and author_managed is not true and deleted_at is null
    group by account_id, unique_id order by count(*), unique_id limit 1
);
-- an action of a person of which nobody knows what it is
update social_connect.mention_actions set type = null
where rowid = (select max(rowid) from social_connect.mention_actions where type = 'tag' and user_id is not null);
-- a mention with a time of the API's, of which nobody knows when it came in
update social_connect.mentions set added_at = null
where unique_id = (
    select max(unique_id) from social_connect.mentions
    where response_time_seconds is not null and published_at is not null and author_managed is not true
);
-- hours of which nobody knows when they end
update history.business_hours_periods set end_time = '5pm'
where business_hours_schedule_id = (select min(business_hours_schedule_id) from history.business_hours_periods);
"""


def test_models_are_built_and_their_tests_pass(make_site: Callable[..., Any]) -> None:
    site = make_site(is_synced=True, mentions=300)
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        before = con.execute("select count(*) from social_connect.mention_actions where added_at is null").fetchone()
        for statement in filter(str.strip, SPOILT.split(";")):
            con.execute(statement)
        spoilt = con.execute(
            "select (select count(*) from social_connect.mention_actions where added_at is null),"
            " (select count(*) from social_connect.mention_actions where type is null),"
            " (select count(*) from social_connect.mentions where added_at is null),"
            " (select count(*) from history.business_hours_periods where end_time = '5pm')"
        ).fetchone()
    assert before == (0,)
    assert spoilt is not None
    assert all(spoilt), "each of them is there"

    report = site.transform()

    assert report.passed_test_count > 200
    assert any("warn_end_time_nobody_can_read" in warning for warning in report.warnings)
    closed = site.one(
        "select count(*) from intermediate.int_business_intervals where stretch_seconds > 0 and schedule_id ="
        " (select min(business_hours_schedule_id) from history.business_hours_periods)"
    )
    assert closed == 0, "periods that nobody can read are no hours"

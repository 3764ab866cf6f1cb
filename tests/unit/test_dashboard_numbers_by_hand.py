"""Numbers of the dashboard on a few rows, worked out by hand: where data begins, and where names are not unique."""

# ruff: noqa: S608 - rows written here

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pytest

from pipelines.dashboard import queries
from pipelines.dashboard.filters import Filters
from pipelines.dashboard.in_words import NOT_KNOWN, count, length, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.dashboard.queries import Query

FIRST, LAST = date(2026, 2, 26), date(2026, 3, 2)
"""The first date with data, and today in it: five days."""
MEASURES = ("first_response", "first_human_response", "resolve")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two accounts, each with a topic, a team and an agent of the same names; a mention of each topic on each day."""
    lengths = ", ".join(f"60 as {name}_seconds, 60 as {name}_business_hours_seconds" for name in MEASURES)
    sums = ", ".join(
        f"60 as {name}_seconds_sum, 1 as {name}_known_count, 60 as {name}_business_hours_seconds_sum,"
        f" 1 as {name}_business_hours_known_count"
        for name in MEASURES
    )
    work = (
        f"1 as action_count, 1 as reply_count, 0 as resolve_count, 0 as undone_resolve_count, {sums},"
        " 1 as in_business_hours_action_count, 0 as out_of_business_hours_action_count"
    )
    with duckdb.connect() as con:
        con.execute(f"""
            SET TimeZone = 'UTC';
            CREATE SCHEMA marts;
            CREATE TABLE marts.published_version AS
              SELECT '1' AS version, TIMESTAMPTZ '{LAST} 12:00:00+00' AS published_at, NULL::TIMESTAMPTZ AS as_of,
              '1' AS package_version;
            CREATE TABLE marts.dim_topics AS
              FROM (VALUES ('1', 't1', 'Support'), ('2', 't2', 'Support'), ('2', 't3', 'Sales'))
              AS t(account_id, topic_id, topic_name);
            CREATE TABLE marts.dim_agents AS
              FROM (VALUES ('1', 'a1', 'Kim'), ('1', 'a2', 'Kim'), ('2', 'a3', 'Lee'))
              AS t(account_id, agent_id, agent_name);
            CREATE TABLE marts.dim_teams AS
              FROM (VALUES ('1', 'g1', 'Care'), ('2', 'g2', 'Care')) AS t(account_id, team_id, team_name);
            CREATE TABLE marts.fct_mentions AS
              SELECT account_id, topic_id, day::DATE AS mention_date, 'facebook' AS channel, true AS has_reply,
              true AS has_resolve, true AS is_in_response_metrics, {lengths}
              FROM marts.dim_topics,
              range(TIMESTAMP '{FIRST}', TIMESTAMP '{LAST}' + INTERVAL 1 DAY, INTERVAL 1 DAY) t(day);
            CREATE TABLE marts.agg_volume_hourly AS
              SELECT account_id, topic_id, mention_date, 'UTC' AS reporting_time_zone FROM marts.fct_mentions;
            CREATE TABLE marts.agg_backlog_daily AS SELECT 'UTC' AS reporting_time_zone;
            CREATE TABLE marts.agg_response_times_daily AS
              SELECT account_id, topic_id, mention_date, 1 AS mention_count, {sums} FROM marts.fct_mentions;
            CREATE TABLE marts.agg_agents_daily AS
              SELECT account_id, agent_id, DATE '{LAST}' AS action_date, {work} FROM marts.dim_agents;
            CREATE TABLE marts.agg_teams_daily AS
              SELECT account_id, team_id, DATE '{LAST}' AS action_date, {work} FROM marts.dim_teams;
            CREATE TABLE marts.fct_account_changes AS
              SELECT '2' AS account_id, 't2' AS topic_id, 'c' || n AS change_id, 'a3' AS agent_id,
              'other' AS change_group, 'edit' AS change_type, DATE '{FIRST}' + n::INTEGER AS change_date,
              TIMESTAMPTZ '{FIRST} 08:00:00+00' + INTERVAL 1 DAY * n AS changed_at FROM range(5) t(n);
        """)
        yield con


def frame(con: duckdb.DuckDBPyConnection, query: Query, first: date = FIRST, last: date = LAST) -> pd.DataFrame:
    return con.execute(*query.statement(Filters(first, last))).to_arrow_table().to_pandas()


@pytest.mark.parametrize(
    ("first", "last", "is_whole"),
    [
        (FIRST, LAST, True),
        (date(2026, 2, 25), LAST, False),
        (date(2026, 2, 1), date(2026, 2, 7), False),
        (date(2031, 1, 1), date(2031, 1, 7), True),
    ],
)
def test_a_period_that_begins_before_the_data_is_nothing_to_compare_with(
    con: duckdb.DuckDBPyConnection, first: date, last: date, is_whole: bool
) -> None:
    totals = frame(con, queries.OVERVIEW_TOTALS, first, last).iloc[0]
    assert totals["mention_count"] == (15 if last == LAST else 0), "what there is of it is counted"
    told = queries.to_compare_with(totals)
    assert (count(told["mention_count"]) != NOT_KNOWN) is is_whole
    if not is_whole:
        columns = ("replied_share", "resolve_p50_seconds")
        assert [share(told[columns[0]]), length(told[columns[1]])] == [NOT_KNOWN, NOT_KNOWN]


def test_without_any_data_no_period_is_whole(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("DELETE FROM marts.fct_mentions; DELETE FROM marts.agg_volume_hourly")
    assert not frame(con, queries.OVERVIEW_TOTALS).iloc[0]["is_whole_period"]


def test_a_day_beside_a_change_counts_where_it_has_data_and_is_over(con: duckdb.DuckDBPyConnection) -> None:
    """Each day has one mention of the topic, so each mean is one, over however few days."""
    changes = frame(con, queries.CHANGES).sort_values("change_id")
    before, after = changes["mentions_a_day_before"], changes["mentions_a_day_after"]
    assert [None if pd.isna(each) else each for each in before] == [None, 1, 1, 1, 1]
    assert [None if pd.isna(each) else each for each in after] == [1, 1, 1, None, None], "today goes on"


@pytest.mark.parametrize(
    ("query", "column", "names"),
    [
        (queries.RESPONSE_BY_TOPIC, "topic", ["Sales", "Support (1, t1)", "Support (2, t2)"]),
        (queries.WORK_OF_AGENTS, "agent", ["Kim (1, a1)", "Kim (1, a2)", "Lee"]),
        (queries.WORK_OF_TEAMS, "team", ["Care (1, g1)", "Care (2, g2)"]),
    ],
)
def test_those_of_one_name_are_told_apart(
    con: duckdb.DuckDBPyConnection, query: Query, column: str, names: list[str]
) -> None:
    assert sorted(frame(con, query)[column]) == names

"""What an account of some years has, and a young one has not: other hours, people who move, things that go wrong."""

# ruff: noqa: S608 - tables named here

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from pathlib import Path


def let_things_happen(site: Any, rules: Path) -> None:
    """Lets things happen to what a site has read, before it is transformed."""
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        con.execute("SET TimeZone = 'UTC'")
        _assign_hours(con, rules)
        _move_people(con, site.box.now)
        _hand_over_cases(con)
        _delete_items(con, site.box.now)
        _let_numbers_differ(con)
        _keep_runs_and_drift(con)


def _assign_hours(con: duckdb.DuckDBPyConnection, rules: Path) -> None:
    """An agent, a team, a topic and the account have hours, and these have holidays, one of them in the afternoon."""
    schedules = [
        name for (name,) in con.execute("SELECT id FROM history.business_hours_schedules ORDER BY id").fetchall()
    ]
    (account_id, topic_id), *_ = con.execute(
        "SELECT account_id, topic_id FROM social_connect.mentions GROUP BY ALL ORDER BY count(*) DESC, topic_id"
    ).fetchall()
    (team_id,), *_ = con.execute("SELECT team_id FROM history.team_members GROUP BY ALL ORDER BY team_id").fetchall()
    (agent_id,), *_ = con.execute(
        "SELECT user_id FROM social_connect.mention_actions WHERE user_id IS NOT NULL"
        " GROUP BY ALL ORDER BY count(*) DESC, user_id"
    ).fetchall()
    scopes = [("agent", agent_id), ("team", team_id), ("topic", topic_id), ("account", "")]
    with (rules / "business_hours_assignments.csv").open("a", encoding="utf-8") as file:
        for place, (scope, scope_id) in enumerate(scopes):
            file.write(f"{account_id},{scope},{scope_id},{schedules[place % len(schedules)]}\n")
    with (rules / "holidays.csv").open("a", encoding="utf-8") as file:
        file.write(f",,2026-02-16,,,Carnival\n{account_id},{schedules[-1]},2026-02-18,1200,,A free afternoon\n")


def _move_people(con: duckdb.DuckDBPyConnection, now: Any) -> None:
    """After the first reading a third leaves the team, and some of these go to another one."""
    first, moved = now - timedelta(days=25), now - timedelta(days=12, hours=3)
    con.execute("UPDATE history.team_members SET valid_from = $1", [first])
    con.execute("UPDATE history.team_members SET valid_to = $1 WHERE user_id::bigint % 3 = 0", [moved])
    con.execute(
        "INSERT INTO history.team_members BY NAME SELECT * REPLACE ($1 AS valid_from, NULL AS valid_to,"
        " (SELECT max(team_id) FROM history.team_members) AS team_id)"
        " FROM history.team_members WHERE valid_to IS NOT NULL AND user_id::bigint % 2 = 0",
        [moved],
    )


def _hand_over_cases(con: duckdb.DuckDBPyConnection) -> None:
    """Some go to another agent a minute after they were assigned."""
    handed_over = "hash(unique_id) % 3 = 0"
    con.execute(
        "INSERT INTO social_connect.case_action_assignees SELECT assignees.* REPLACE"
        " (action_position + 100 AS action_position, (SELECT min(id) FROM social_connect.users) AS id)"
        " FROM social_connect.case_action_assignees AS assignees"
        f" WHERE type = 'user' AND assignees.position = 0 AND {handed_over}"
    )
    con.execute(
        "INSERT INTO social_connect.case_actions SELECT actions.* REPLACE"
        " (position + 100 AS position, added_at + INTERVAL 1 MINUTE AS added_at)"
        f" FROM social_connect.case_actions AS actions WHERE type = 'assign' AND {handed_over}"
    )


def _delete_items(con: duckdb.DuckDBPyConnection, now: Any) -> None:
    for kind in ("mention", "case"):
        gone = "hash(unique_id) % 11 = 0"
        con.execute(f"UPDATE social_connect.{kind}s SET deleted_at = $1 WHERE {gone}", [now - timedelta(days=2)])
        con.execute(
            f"INSERT INTO history.deletions BY NAME SELECT account_id, '{kind}' AS object, unique_id, deleted_at"
            f" FROM social_connect.{kind}s WHERE {gone}"
        )


def _let_numbers_differ(con: duckdb.DuckDBPyConnection) -> None:
    """The API's numbers are others than ours, for several reasons of which no day has all."""
    con.execute("UPDATE social_connect.statistics SET value = value + 3 WHERE hash(bucket_start_at) % 5 < 2")
    con.execute(
        "UPDATE social_connect.statistics SET _loaded_at = _loaded_at - INTERVAL 1 DAY"
        " WHERE hash(bucket_start_at) % 5 = 0"
    )
    con.execute(
        "UPDATE social_connect.mentions SET response_time_seconds = response_time_seconds + 7,"
        " resolve_time_business_hours_seconds = resolve_time_business_hours_seconds + 1"
        " WHERE hash(unique_id) % 4 = 0"
    )


def _keep_runs_and_drift(con: duckdb.DuckDBPyConnection) -> None:
    """Runs begin on the machine's clock: one is before the days of the budget, and one has failed."""
    for run_id, days_ago, outcome, error in (
        ("0" * 31 + "1", 9, "done", None),
        ("0" * 31 + "2", 2, "failed", "The API did not answer."),
        ("0" * 31 + "3", 1, "done", None),
    ):
        con.execute(
            "INSERT INTO history.runs BY NAME SELECT $1 AS run_id, 'sync' AS kind, $3 AS outcome, $4 AS error,"
            " now() - to_days($2) AS started_at, now() - to_days($2) + INTERVAL 90 SECOND AS ended_at, 90.5 AS seconds,"
            " 60 + $2 AS request_count, $2 - 1 AS quarantined_count",
            [run_id, days_ago, outcome, error],
        )
        con.execute(
            "INSERT INTO history.run_requests BY NAME SELECT $1 AS run_id, endpoint, $2 + 40 AS call_count,"
            " $2 AS retry_count, $2 + 1 AS throttled_count"
            " FROM (VALUES ('inbox/mentions'), ('insights/facets')) AS endpoints (endpoint)",
            [run_id, days_ago],
        )
    con.execute(
        "INSERT INTO history.schema_changes BY NAME SELECT 'mentions' AS table_name, '$.mood' AS path,"
        " NULL AS expected, 'text' AS found, '\"good\"' AS example, now() AS first_seen_at"
    )

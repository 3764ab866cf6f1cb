"""Warehouses that lack something: each is built whole, passes every data test, and says no more than is known.

All are the synced warehouse of two accounts with something taken out: everything, the schedules, the replies, all
data of one of them. What has nothing to do with it has to be as in the warehouse of which nothing was taken.
"""

# ruff: noqa: S608 - names of tables and columns come from the catalogue

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pipelines.transform import TransformReport

pytestmark = pytest.mark.slow

KEPT, LOST = ACCOUNTS = ("1417", "2020")
LOADED = ("social_connect", "history", "raw")
"""The schemas that the loader writes."""
POLICIES = """\
policy_id,account_id,object,metric,target_seconds,clock,schedule_id,topic_id,channel,priority,tag,pauses_while_pending,valid_from,valid_to
calendar answer,,mention,first_response,3600,calendar,,,,,,false,,
calendar resolve,,case,resolve,172800,calendar,,,,,,true,,
business answer,,mention,first_response,3600,business_hours,,,,,,false,,
business resolve,,case,resolve,57600,business_hours,,,,,,true,,
"""


# --- What is taken out ------------------------------------------------------------------------------------------------


def tables(con: duckdb.DuckDBPyConnection, *schemas: str, having: str) -> list[str]:
    """Tables of some schemas that have a column."""
    found = con.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_columns()"
        " WHERE schema_name IN (SELECT unnest($1)) AND column_name = $2",
        [list(schemas), having],
    )
    return [name for (name,) in found.fetchall()]


def nothing(_file: Path, _rules: Path) -> None:
    """Leaves all as it is."""


def all_tables(file: Path, _rules: Path) -> None:
    """As the file is before the first load."""
    file.unlink()
    duckdb.connect(file).close()


def all_rows(file: Path, _rules: Path) -> None:
    """As after syncs of an account in which nothing has ever happened."""
    with duckdb.connect(file) as con:
        for table in tables(con, *LOADED, having="account_id"):
            con.execute(f"DELETE FROM {table}")


def all_schedules(file: Path, rules: Path) -> None:
    """Of which users have none, then, and no rule names one."""
    with duckdb.connect(file) as con:
        for table in ("business_hours_schedules", "business_hours_periods"):
            for schema in ("social_connect", "history"):
                con.execute(f"DELETE FROM {schema}.{table}")
        for schema in ("social_connect", "history"):
            con.execute(f"UPDATE {schema}.users SET business_hours_schedule_id = NULL")
    write_assignments(rules, [])


def all_replies(file: Path, _rules: Path) -> None:
    """The API's own times of them, too."""
    with duckdb.connect(file) as con:
        for item in ("mention", "case"):
            con.execute(f"DELETE FROM social_connect.{item}_actions WHERE type = 'reply'")
            con.execute(
                f"UPDATE social_connect.{item}s"
                " SET response_time_seconds = NULL, response_time_business_hours_seconds = NULL"
            )
        con.execute(
            "DELETE FROM social_connect.statistics WHERE definition SIMILAR TO '(response|first_action)_time.*'"
        )


def all_of_one_account(file: Path, _rules: Path) -> None:
    """Rules go on naming it."""
    with duckdb.connect(file) as con:
        for table in tables(con, *LOADED, having="account_id"):
            con.execute(f"DELETE FROM {table} WHERE account_id = $1", [LOST])


TAKEN_OUT: dict[str, Callable[[Path, Path], None]] = {
    "whole": nothing,
    "before the first load": all_tables,
    "without a row": all_rows,
    "without schedules": all_schedules,
    "without replies": all_replies,
    "of one account of two": all_of_one_account,
}


# --- Warehouses -------------------------------------------------------------------------------------------------------


@dataclass
class _Built:
    """A warehouse that the product has transformed."""

    file: Path
    report: TransformReport
    whole: Path
    """The file of the warehouse of which nothing was taken."""

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """Marts are this warehouse's; those of `whole` are what they would be if nothing had been taken."""
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"ATTACH '{self.whole}' AS whole (READ_ONLY)")
        if self.file != self.whole:
            con.execute(f"ATTACH '{self.file}' AS here (READ_ONLY)")
        con.execute(f"USE {'whole' if self.file == self.whole else 'here'}")
        return con

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.con.execute(query).fetchall()

    @cached_property
    def marts(self) -> dict[str, dict[str, str]]:
        """The types of the columns of every table and view of the marts."""
        found: dict[str, dict[str, str]] = {}
        for mart, column, kind in self.rows(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = current_database() AND schema_name = 'marts' ORDER BY table_name, column_index"
        ):
            found.setdefault(mart, {})[column] = kind
        return found

    def assert_as_in_the_whole(self, mart: str, columns: Iterable[str] = "*", where: str = "true") -> None:
        """Rows are the same, and as many of each, as in the warehouse of which nothing was taken."""
        here, there = (f"SELECT {', '.join(columns)} FROM {at}marts.{mart} WHERE {where}" for at in ("", "whole."))
        self.assert_same(mart, here, there)

    def assert_same(self, what: str, query: str, expected: str) -> None:
        """Two queries give the same rows, and as many of each."""
        for difference, rows in (
            ("too many", f"{query} EXCEPT ALL {expected}"),
            ("missing", f"{expected} EXCEPT ALL {query}"),
        ):
            found = self.rows(f"{rows} LIMIT 3")
            assert not found, f"{what}: rows {difference}: {found}"

    def broken(self, mart: str, conditions: Iterable[str]) -> dict[str, int]:
        """How many rows each condition does not hold for, of those that do not hold for all."""
        asked = list(conditions)
        counts = ", ".join(f"count(*) FILTER (WHERE ({condition}) IS NOT TRUE)" for condition in asked)
        ((*found,),) = self.rows(f"SELECT {counts} FROM marts.{mart}") if asked else [()]
        return {condition: count for condition, count in zip(asked, found, strict=True) if count}

    def assert_everywhere(self, mart: str, *conditions: str) -> int:
        """Conditions hold for each row, and there are rows; gives how many conditions."""
        assert self.rows(f"SELECT count(*) > 0 FROM marts.{mart}") == [(True,)], f"{mart} has no rows"
        assert self.broken(mart, conditions) == {}, f"{mart}: conditions that do not hold, and for how many rows"
        return len(conditions)


def write_assignments(rules: Path, rows: Iterable[tuple[str, str, str, str]]) -> None:
    lines = ["account_id,scope,scope_id,schedule_id", *(",".join(row) for row in rows)]
    (rules / "business_hours_assignments.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def make(make_site: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], _Built]:
    """Gives the warehouse of a shape, which is built when it is first asked for."""
    site = make_site(accounts=tuple(map(int, ACCOUNTS)), mentions=150)
    site.sync()
    rules = site.home / "rules"
    rules.mkdir()
    (rules / "sla_policies.csv").write_text(POLICIES, encoding="utf-8")
    first = site.rows("SELECT account_id, min(id) FROM business_hours_schedules GROUP BY ALL ORDER BY ALL")
    assert [account for account, _ in first] == [KEPT, LOST]
    write_assignments(rules, [(account, "account", "", schedule) for account, schedule in first])
    homes: dict[str, Path] = {}
    built: dict[str, _Built] = {}

    def make_shape(shape: str) -> _Built:
        if shape not in built:
            homes[shape] = tmp_path_factory.mktemp("shape") / "home"
            shutil.copytree(site.home, homes[shape])
            file = homes[shape] / "warehouse.duckdb"
            TAKEN_OUT[shape](file, homes[shape] / "rules")
            report = site.with_home(homes[shape]).transform()
            whole = file if shape == "whole" else make_shape("whole").file
            built[shape] = _Built(file, report, whole)
        return built[shape]

    return make_shape


# --- Of every shape ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", TAKEN_OUT)
def test_everything_is_built_and_every_data_test_passes(make: Callable[[str], _Built], shape: str) -> None:
    report, whole = make(shape).report, make("whole")
    assert report.warnings == ()
    assert (report.model_count, report.passed_test_count) == (whole.report.model_count, whole.report.passed_test_count)
    assert make(shape).marts == whole.marts


@pytest.mark.parametrize("shape", TAKEN_OUT)
def test_no_number_is_divided_by_nothing_and_no_share_is_of_more_than_there_is(
    make: Callable[[str], _Built], shape: str
) -> None:
    built, checked = make(shape), 0
    for mart, columns in built.marts.items():
        numbers = [name for name, kind in columns.items() if kind == "DOUBLE"]
        shares = [name for name in numbers if name.endswith("_share")]
        conditions = [f"coalesce(isfinite({name}), true)" for name in numbers]
        conditions += [f"coalesce({name} BETWEEN 0 AND 1, true)" for name in shares]
        assert built.broken(mart, conditions) == {}, mart
        checked += len(conditions)
    assert checked > 80


# --- Of each ----------------------------------------------------------------------------------------------------------


def is_of_hours(column: str) -> bool:
    """Whether a column is made from schedules; the API's own values are not."""
    return not column.startswith("api_") and (
        "business_hours" in column or column in {"schedule_id", "is_start_in_hours", "is_end_in_hours"}
    )


def unknown(column: str) -> str:
    """That nothing is known: then a time is null, and 0 the count and the sum of what is known."""
    return f"{column} = 0" if column.endswith(("_count", "_sum")) else f"{column} IS NULL"


def test_the_whole_has_everything_that_the_others_lack(make: Callable[[str], _Built]) -> None:
    whole = make("whole")
    for mart, columns in whole.marts.items():
        whole.assert_everywhere(mart, "true")
        are_unknown = [unknown(name) for name in columns if is_of_hours(name)]
        assert list(whole.broken(mart, are_unknown)) == are_unknown, f"{mart}: a column is unknown everywhere"
    assert whole.rows("SELECT DISTINCT end_reason FROM marts.fct_replies ORDER BY ALL") == [
        ("reply",),
        ("resolve",),
        ("waiting",),
    ]


@pytest.mark.parametrize("shape", ["before the first load", "without a row"])
def test_where_nothing_is_no_mart_has_a_row(make: Callable[[str], _Built], shape: str) -> None:
    built = make(shape)
    for mart in built.marts:
        assert built.rows(f"FROM marts.{mart}") == [], mart


def test_without_schedules_no_business_time_is_known(make: Callable[[str], _Built]) -> None:
    """Null, that is, and not 0, which would say that it was outside hours."""
    built, checked = make("without schedules"), 0
    for mart, columns in built.marts.items():
        times_in_status = {
            f"{name}_business_hours_seconds": status for name, status in (("unresolved", "new"), ("pending", "pending"))
        }
        conditions = []
        for name in filter(is_of_hours, columns):
            if name in times_in_status:
                # 0 without a stretch that has ended: then it was in that status for no time, whatever the hours.
                ended = (
                    "SELECT account_id || unique_id FROM marts.fct_status_intervals WHERE ended_at IS NOT NULL"
                    f" AND object || 's' = '{mart.removeprefix('fct_')}' AND status = '{times_in_status[name]}'"
                )
                conditions.append(f"{name} IS NOT DISTINCT FROM if(account_id || unique_id IN ({ended}), NULL, 0)")
            else:
                conditions.append(unknown(name))
        checked += built.assert_everywhere(mart, *conditions) if conditions else 0
    assert checked > 90


def test_without_schedules_targets_in_business_time_neither_run_out_nor_count(make: Callable[[str], _Built]) -> None:
    built = make("without schedules")
    is_unknown = (
        "NOT is_clock_known AND NOT is_counted AND NOT is_active",
        "coalesce(elapsed_seconds, paused_seconds) IS NULL",
        "coalesce(due_at, breached_at, forecast_breach_at) IS NULL AND is_breached IS NULL",
    )
    built.assert_everywhere("fct_sla_events", *(f"clock = 'calendar' OR ({condition})" for condition in is_unknown))
    without_any = (
        "counted_count = 0 AND met_count = 0 AND breached_count = 0 AND active_count = 0",
        "elapsed_known_count = 0 AND elapsed_seconds_sum = 0",
        "coalesce(attainment_share, elapsed_mean_seconds, elapsed_p90_seconds) IS NULL",
    )
    built.assert_everywhere(
        "rpt_sla_attainment", *(f"starts_with(policy_id, 'calendar') OR ({condition})" for condition in without_any)
    )


def test_without_schedules_everything_else_is_as_with_them(make: Callable[[str], _Built]) -> None:
    built = make("without schedules")
    in_calendar_time = {
        "fct_sla_events": "clock = 'calendar'",
        "rpt_sla_attainment": "starts_with(policy_id, 'calendar')",
        "rpt_reconciliation": "NOT ends_with(measure, 'business_hours')",
    }
    for mart, columns in built.marts.items():
        others = [name for name in columns if not is_of_hours(name)]
        built.assert_as_in_the_whole(mart, others, in_calendar_time.get(mart, "true"))


def test_without_replies_nothing_was_answered(make: Callable[[str], _Built]) -> None:
    built, checked = make("without replies"), 0
    counts = {"reply_count", "human_reply_count", "replied_count", "replied_wait_count", "authors_serviced_count"}
    never = {"first_reply_at", "first_human_reply_at", "first_reply_actor_kind", "first_human_reply_agent_id"}
    times = ("first_response_", "first_human_response_", "api_response_time_")
    for mart, columns in built.marts.items():
        conditions = []
        for name in columns:
            if name in counts | never or name.startswith(times):
                conditions.append(unknown(name))
            elif name == "replied_share":
                conditions.append("replied_share IS NOT DISTINCT FROM if(mention_count = 0, NULL, 0)")
            elif name in {"has_reply", "is_reply"}:
                conditions.append(f"NOT {name}")
            elif name == "touch_class":
                conditions.append("touch_class = 'zero'")
        checked += built.assert_everywhere(mart, *conditions) if conditions else 0
    assert checked > 90
    (unanswered,) = built.rows(
        "SELECT sum(mention_unreplied_count), sum(case_unreplied_count),"
        " (SELECT count(*) FROM marts.fct_mentions WHERE is_in_response_metrics),"
        " (SELECT count(*) FROM marts.fct_cases WHERE is_in_response_metrics) FROM marts.agg_account_summary"
    )
    assert unanswered[:2] == unanswered[2:]


def test_without_replies_waits_go_on_or_end_with_the_resolve(make: Callable[[str], _Built]) -> None:
    built = make("without replies")
    built.assert_everywhere(
        "fct_replies",
        "end_reason = if(ended_at IS NULL, 'waiting', 'resolve')",
        "coalesce(human_wait_seconds::varchar, human_replied_at::varchar) IS NULL",
    )
    # Whoever writes waits from publication to the first resolve.
    waits = built.rows(
        "SELECT mentions.unique_id, mentions.first_resolved_at, mentions.resolve_seconds, waits.ended_at,"
        " waits.wait_seconds FROM marts.fct_mentions AS mentions LEFT JOIN marts.fct_replies AS waits"
        " ON waits.account_id = mentions.account_id AND waits.unique_id = mentions.unique_id"
        " AND waits.object = 'mention' AND waits.wait_number = 1 WHERE NOT is_own"
    )
    assert len(waits) > 200
    for unique_id, resolved_at, resolve_seconds, ended_at, wait_seconds in waits:
        assert (ended_at, wait_seconds) == (resolved_at, resolve_seconds), unique_id
    reasons = built.rows("SELECT DISTINCT metric, end_reason FROM marts.fct_sla_events ORDER BY ALL")
    assert reasons == [(metric, end) for metric in ("first_response", "resolve") for end in ("open", "resolved")]


def test_without_replies_all_that_is_no_reply_is_as_with_them(make: Callable[[str], _Built]) -> None:
    built = make("without replies")
    for mart in ("fct_status_intervals", "fct_assignments", "agg_backlog_daily", "rpt_status_times", "dim_contacts"):
        built.assert_as_in_the_whole(mart)
    # Whose an answer is, is told by the last reply before it.
    of_answers = [name for name in built.marts["fct_satisfaction"] if name != "agent_id"]
    built.assert_as_in_the_whole("fct_satisfaction", of_answers)
    built.assert_everywhere("fct_satisfaction", "agent_id IS NULL")
    words = ("resolve", "assign", "handoff", "pending", "queue", "owned", "unresolved", "reopening", "status")
    of_items = [name for name in built.marts["fct_mentions"] if any(word in name for word in words)]
    assert len(of_items) > 30
    for item in ("mention", "case"):
        built.assert_as_in_the_whole(f"fct_{item}s", ["account_id", "unique_id", *of_items])
    of_actions = ", ".join(name for name in built.marts["fct_mention_actions"] if name != "action_number")
    built.assert_same(
        "fct_mention_actions",
        f"SELECT {of_actions} FROM marts.fct_mention_actions",
        f"SELECT {of_actions} FROM whole.marts.fct_mention_actions WHERE action_type <> 'reply'",
    )
    for owner in ("agent", "team"):
        counts, at = f"SELECT account_id, {owner}_id, object, action_date", f"marts.agg_{owner}s_daily"
        built.assert_same(
            f"agg_{owner}s_daily",
            f"{counts}, action_count FROM {at} WHERE action_count > 0",
            f"{counts}, action_count - reply_count FROM whole.{at} WHERE action_count > reply_count",
        )


def test_rows_of_an_account_do_not_depend_on_another(make: Callable[[str], _Built]) -> None:
    built = make("of one account of two")
    for mart, columns in built.marts.items():
        if "account_id" in columns:
            built.assert_everywhere(mart, f"account_id = '{KEPT}'")
            whole = f"FROM whole.marts.{mart} WHERE account_id = '{KEPT}'"
            built.assert_same(mart, f"FROM marts.{mart}", whole)
        else:
            assert mart == "dim_dates"  # of all accounts
            built.assert_everywhere(mart, "true")
            assert built.rows(f"FROM marts.{mart} EXCEPT ALL FROM whole.marts.{mart}") == []

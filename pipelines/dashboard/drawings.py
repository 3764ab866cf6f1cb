"""Which chart a query is shown as, on a page and in a report, and what is said where it has no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.dashboard import charts, queries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from pipelines.dashboard.queries import Query

    Draw = Callable[[pd.DataFrame], charts.Chart]

NOTHING = "Nothing to show for this choice."
NO_TARGETS = (
    "No target has run in these dates. Targets are yours to set, in rules/sla_policies.csv of the warehouse's folder:"
    " docs/rules.md says how."
)
_NOTHING_OPEN = "Nothing is open."
_NO_ANSWER = "No answer to a survey in these dates and for this choice."
_NO_CASE = "No case of a customer in these dates and for this choice."
_NO_CHANGE = "No change of the account in these dates."


def _medians(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(what=frame["measure"].str.replace("_", " ") + ", " + frame["clock"])


def _backlog(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(what=frame["object"] + ", " + frame["status"])


def _in_percent(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(percent=100 * frame["attainment_share"])


def _surveys(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(survey=frame["survey_kind"] + " of " + frame["object"] + "s")


def _response_by(dimension: str) -> Draw:
    columns = {"p50_seconds": "median", "business_hours_p50_seconds": "median, business hours"}
    return lambda frame: charts.bars(frame, columns, dimension, "hours to the first reply")


def _mentions_by(dimension: str) -> Draw:
    return lambda frame: charts.bars(frame, {"mention_count": "mentions"}, dimension, "mentions")


_WORK = {"reply_count": "replies", "resolve_count": "resolves"}

CHARTS: Mapping[Query, Draw] = {
    queries.KEEPING_UP: lambda frame: charts.lines(
        frame, {"came_in_count": "came in", "reply_count": "replies", "resolve_count": "resolves"}, "a day"
    ),
    queries.TODAY_BY_HOUR: lambda frame: charts.lines(
        frame, {"today_count": "today", "usual_mean_count": "usual"}, "mentions", by="hour_of_day"
    ),
    queries.RESPONSE_PERCENTILES: lambda frame: charts.bars(
        _medians(frame), {"p50_seconds": "median", "p90_seconds": "90th percentile"}, "what", "hours"
    ),
    queries.RESPONSE_DISTRIBUTION: lambda frame: charts.classes(
        frame, queries.BUCKET_NAMES, "mention_count", "length", "clock", "mentions"
    ),
    queries.RESPONSE_BY_DAY: lambda frame: charts.lines(
        frame,
        {
            "p50_seconds": "median",
            "p90_seconds": "90th percentile",
            "business_hours_p50_seconds": "median, business hours",
            "business_hours_p90_seconds": "90th percentile, business hours",
        },
        "hours",
    ),
    queries.RESPONSE_BY_TOPIC: _response_by("topic"),
    queries.RESPONSE_BY_CHANNEL: _response_by("channel"),
    queries.RESPONSE_BY_LANGUAGE: _response_by("language"),
    queries.RESPONSE_BY_HOUR: lambda frame: charts.heat_map(frame, "p50_seconds", "median hours"),
    queries.BACKLOG_BY_DAY: lambda frame: charts.stacked_days(_backlog(frame), "open_count", "what", "open"),
    queries.AGE_OF_OPEN: lambda frame: charts.classes(
        frame, queries.BUCKET_NAMES, "mention_count", "age", "status", "mentions"
    ),
    queries.WORK_OF_AGENTS: lambda frame: charts.bars(frame, _WORK, "agent", "in these dates"),
    queries.WORK_OF_TEAMS: lambda frame: charts.bars(frame, _WORK, "team", "in these dates"),
    queries.WORK_BY_DAY: lambda frame: charts.lines(frame, _WORK, "a day"),
    queries.ATTAINMENT_BY_POLICY: lambda frame: charts.bars(
        _in_percent(frame), {"percent": "met"}, "policy", "% of those that count"
    ),
    queries.ATTAINMENT_BY_DAY: lambda frame: charts.lines_of(_in_percent(frame), "percent", "policy", "% met"),
    queries.SATISFACTION_BY_DAY: lambda frame: charts.lines_of(_surveys(frame), "score_mean", "survey", "mean score"),
    queries.CASES_BY_DAY: lambda frame: charts.stacked_days(frame, "case_count", "status", "cases"),
    queries.CASES_BY_TOUCH: lambda frame: charts.bars(frame, {"case_count": "cases"}, "touch_class", "cases"),
    queries.CHANNELS: _mentions_by("channel"),
    queries.SENTIMENT_BY_DAY: lambda frame: charts.stacked_days(frame, "mention_count", "sentiment", "mentions"),
    queries.TAGS: _mentions_by("tag"),
    queries.CHANGES_BY_DAY: lambda frame: charts.stacked_days(frame, "change_count", "change_group", "changes"),
    queries.SECURITY_BY_DAY: lambda frame: charts.stacked_days(frame, "event_count", "event_group", "events"),
}
"""The chart of each query that has one; the others are shown as tables."""

EMPTY: Mapping[Query, str] = {
    queries.AGE_OF_OPEN: _NOTHING_OPEN,
    queries.OPEN_ITEMS: _NOTHING_OPEN,
    queries.ATTAINMENT_BY_POLICY: NO_TARGETS,
    queries.ATTAINMENT_BY_DAY: NO_TARGETS,
    queries.DUE_NEXT: "No clock of a target runs now.",
    queries.SATISFACTION_BY_KIND: _NO_ANSWER,
    queries.SATISFACTION_BY_DAY: _NO_ANSWER,
    queries.SATISFACTION_BY_CHANNEL: _NO_ANSWER,
    queries.CASES_BY_DAY: _NO_CASE,
    queries.CASES_BY_TOUCH: _NO_CASE,
    queries.CHANGES_BY_DAY: _NO_CHANGE,
    queries.CHANGES: _NO_CHANGE,
    queries.SECURITY_BY_DAY: "No event of the security audit in these dates.",
    queries.RECONCILIATION: "Nothing has been compared with the API's own numbers in these dates.",
    queries.DRIFT: "The API has sent nothing but what is declared.",
    queries.RUNS: "No run has been recorded in this version.",
    queries.BUDGET: "No request in these days is recorded.",
}
"""What is said where a query has no rows, if it is more than NOTHING."""

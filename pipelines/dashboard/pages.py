"""What stands on which page, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.dashboard import queries
from pipelines.dashboard.in_words import count, length, share

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from pipelines.dashboard.view import View


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        title: in the navigation and above it.
        address: the last part of its address.
        show: draws it.
    """

    title: str
    address: str
    show: Callable[[View], None]


def _overview(view: View) -> None:
    st.caption(f"Is the team keeping up? Before: the {view.filters.day_count} days before these.")
    now, before = (
        view.frame(queries.OVERVIEW_TOTALS, filters).iloc[0] for filters in (view.filters, view.filters.before())
    )
    before = queries.to_compare_with(before)
    if not now["mention_count"]:
        st.info("No mention of a customer in these dates and for this choice.")
    with st.container(horizontal=True):
        _metric("Mentions", count(now["mention_count"]), count(before["mention_count"]))
        _metric("With a reply", share(now["replied_share"]), share(before["replied_share"]))
        for title, column in (
            ("First response, median", "first_response_p50_seconds"),
            ("in business hours", "first_response_business_hours_p50_seconds"),
            ("Resolve, median", "resolve_p50_seconds"),
        ):
            _metric(title, length(now[column]), length(before[column]))
    view.explain(queries.OVERVIEW_TOTALS, view.frame(queries.OVERVIEW_TOTALS))
    _open_now(view)
    _today(view)
    view.show(queries.KEEPING_UP)


def _metric(title: str, value: str, before: str | None = None) -> None:
    """A number in a box, and what it was before: in grey, since more mentions are neither good nor bad."""
    told = None if before is None else f"{before} before"
    st.metric(title, value, told, delta_color="off", delta_arrow="off", border=True, width=170)


def _open_now(view: View) -> None:
    frame = view.frame(queries.OPEN_NOW)
    st.subheader(queries.OPEN_NOW.title, anchor=queries.OPEN_NOW.name)
    if frame.empty:
        st.info("Nothing is open.")
    for _, row in frame.iterrows():
        with st.container(horizontal=True):
            _metric(f"{row['object']}s open".capitalize(), count(row["open_count"]))
            _metric("Unassigned", count(row["unassigned_count"]))
            _metric("Without a reply", count(row["unreplied_count"]))
            _metric("Oldest", length(row["oldest_age_seconds"]))
    view.explain(queries.OPEN_NOW, frame)


def _today(view: View) -> None:
    frame = view.frame(queries.TODAY_BY_HOUR)
    view.show(queries.TODAY_BY_HOUR)
    st.caption(_so_far(frame))


def _so_far(hours: pd.DataFrame) -> str:
    """Today beside the usual, in a sentence."""
    whole = hours[hours["is_whole_hour"]]
    if whole.empty:
        return "No hour of today is over yet."
    so_far = f"{count(whole['today_count'].sum())} mentions in the whole hours of today"
    if hours["usual_mean_count"].isna().all():
        return f"{so_far}; no earlier day to compare with yet."
    return f"{so_far}, {whole['usual_mean_count'].sum():,.1f} on a usual day of this weekday."


def _response_times(view: View) -> None:
    view.show(queries.RESPONSE_PERCENTILES)
    view.show(queries.RESPONSE_DISTRIBUTION)
    view.show(queries.RESPONSE_BY_DAY)
    view.show(queries.RESPONSE_BY_TOPIC)
    view.show(queries.RESPONSE_BY_CHANNEL)
    view.show(queries.RESPONSE_BY_LANGUAGE)
    view.show(queries.RESPONSE_BY_HOUR)


def _backlog(view: View) -> None:
    view.show(queries.BACKLOG_BY_DAY)
    view.show(queries.AGE_OF_OPEN)
    view.show(queries.OPEN_ITEMS)


def _agents_and_teams(view: View) -> None:
    view.show(queries.WORK_OF_AGENTS)
    view.show(queries.WORK_OF_TEAMS)
    view.show(queries.WORK_BY_DAY)


def _targets(view: View) -> None:
    view.show(queries.ATTAINMENT_BY_POLICY)
    view.show(queries.ATTAINMENT_BY_DAY)
    view.show(queries.DUE_NEXT)


def _satisfaction(view: View) -> None:
    view.show(queries.SATISFACTION_BY_KIND)
    view.show(queries.SATISFACTION_BY_DAY)
    view.show(queries.SATISFACTION_BY_CHANNEL)


def _cases(view: View) -> None:
    row = view.frame(queries.CASE_TOTALS).iloc[0]
    with st.container(horizontal=True):
        for title, column in (
            ("Cases", "case_count"),
            ("Open", "open_count"),
            ("Resolved", "resolved_count"),
            ("Reopened", "reopened_count"),
            ("Handed over", "handed_over_count"),
            ("At first contact", "resolved_at_first_contact_count"),
        ):
            _metric(title, count(row[column]))
        _metric("First response, median", length(row["first_response_p50_seconds"]))
        _metric("Resolve, median", length(row["resolve_p50_seconds"]))
    view.explain(queries.CASE_TOTALS, view.frame(queries.CASE_TOTALS))
    view.show(queries.CASES_BY_DAY)
    view.show(queries.CASES_BY_TOUCH)


def _channels(view: View) -> None:
    view.show(queries.CHANNELS)
    view.show(queries.SENTIMENT_BY_DAY)
    view.show(queries.TAGS)


def _audit(view: View) -> None:
    view.show(queries.CHANGES_BY_DAY)
    view.show(queries.CHANGES)
    view.show(queries.SECURITY_BY_DAY)


def _health(view: View) -> None:
    row = view.frame(queries.FRESHNESS).iloc[0]
    with st.container(horizontal=True):
        _metric("Data as of, UTC", f"{row['as_of']:%Y-%m-%d %H:%M}")
        _metric("Published, UTC", f"{row['published_at']:%Y-%m-%d %H:%M}")
    view.explain(queries.FRESHNESS, view.frame(queries.FRESHNESS))
    view.show(queries.RECONCILIATION)
    view.show(queries.DRIFT)
    view.show(queries.RUNS)
    view.show(queries.BUDGET)


PAGES = (
    Page("Overview", "overview", _overview),
    Page("Response times", "response-times", _response_times),
    Page("Backlog", "backlog", _backlog),
    Page("Agents and teams", "agents-and-teams", _agents_and_teams),
    Page("Targets", "targets", _targets),
    Page("Satisfaction", "satisfaction", _satisfaction),
    Page("Cases", "cases", _cases),
    Page("Channels and sentiment", "channels", _channels),
    Page("Audit", "audit", _audit),
    Page("Data health", "data-health", _health),
)
"""In the order of the navigation; the first is what the bare address shows."""

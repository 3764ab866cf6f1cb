"""How a page shows a query: a heading, the chart, and one click away its definition, its table and its CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipelines.dashboard.drawings import CHARTS, EMPTY, NOTHING
from pipelines.dashboard.filters import ZONE

if TYPE_CHECKING:
    from pipelines.dashboard.filters import Filters
    from pipelines.dashboard.published_copy import Reading
    from pipelines.dashboard.queries import Query

KEPT_RESULT_COUNT = 500
"""Results that the server keeps, whoever asked; those of an earlier version fall out."""


@st.cache_data(max_entries=KEPT_RESULT_COUNT, show_spinner=False)
def _frame(_reading: Reading, state: str, sql: str, parameters: dict[str, Any]) -> pd.DataFrame:  # noqa: ARG001 - the state is what tells results of one version from another's
    return _reading.frame(sql, parameters)


@dataclass(frozen=True)
class View:
    """One version of the copy, seen through what a viewer has chosen."""

    reading: Reading
    filters: Filters

    def frame(self, query: Query, filters: Filters | None = None) -> pd.DataFrame:
        """The rows of a query, none where the copy lacks its table.

        Args:
            query: what to show.
            filters: another choice than the viewer's.
        """
        if query.needs is not None and not self.reading.has(query.needs):
            return pd.DataFrame()
        return _frame(self.reading, self.reading.state, *query.statement(filters or self.filters))

    def show(self, query: Query) -> None:
        """The query's heading, chart, definition, table and CSV; a sentence where it has no rows.

        The table is shown openly where the query has no chart.
        """
        frame, draw = self.frame(query), CHARTS.get(query)
        st.subheader(query.title, anchor=query.name)
        if frame.empty:
            st.info(EMPTY.get(query, NOTHING))
            self.explain(query)
            return
        if draw is None:
            st.dataframe(frame, hide_index=True)
        else:
            chart = draw(frame)
            told = f"{query.title}. {chart.description} Its numbers are in the table and the CSV below it."
            st.altair_chart(chart.properties(description=told), width="stretch")
        self.explain(query, frame, has_table=draw is not None)

    def explain(self, query: Query, frame: pd.DataFrame | None = None, *, has_table: bool = True) -> None:
        """What the numbers of a query are, and where there are rows, their table and CSV."""
        ignored = query.not_followed(self.filters)
        if ignored:
            st.caption(f"Not filtered by {' and '.join(ignored)}.")
        with st.container(horizontal=True):
            with st.popover("Definition"):
                st.markdown(query.definition)
                if query.filters:
                    followed = (*query.filters, *((ZONE,) if query.follows_zone else ()))
                    st.markdown(f"Follows the filters: {', '.join(followed)}.")
                if query.metrics is not None:
                    st.markdown(f"More in docs/metrics.md, {query.metrics}.")
                st.code(query.sql.strip(), language="sql")
            if frame is None:
                return
            if has_table:
                with st.popover("Table"):
                    st.dataframe(frame, hide_index=True)
            st.download_button(
                "CSV",
                frame.to_csv(index=False),
                file_name=f"{query.name}.csv",
                mime="text/csv",
                key=f"csv {query.name}",
                on_click="ignore",
            )

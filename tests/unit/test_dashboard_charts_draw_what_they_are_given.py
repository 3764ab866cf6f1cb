"""What charts draw of the tables they are given, also where there is no number, or a name looks like a column's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipelines.dashboard import queries
from pipelines.dashboard.charts import svg
from pipelines.dashboard.drawings import CHARTS

if TYPE_CHECKING:
    from pipelines.dashboard.queries import Query

DAYS = pd.to_datetime(["2026-03-01", "2026-03-02"])


def drawn(query: Query, frame: pd.DataFrame) -> list[tuple[str, float | None]]:
    """Series and value of each point, in the order of the table; the picture can be made."""
    chart = CHARTS[query](frame)
    assert svg(chart).startswith("<svg")
    (points,) = chart.to_dict()["datasets"].values()
    return [(point["series"], point["value"]) for point in points]


@pytest.mark.parametrize("policy", ["gold", "resolved_in_seconds", "day", "value", "series"])
def test_a_policy_may_have_any_name(policy: str) -> None:
    frame = pd.DataFrame({"day": DAYS, "policy": policy, "attainment_share": [0.25, 0.75]})
    assert drawn(queries.ATTAINMENT_BY_DAY, frame) == [(policy, 25), (policy, 75)]


def test_what_has_no_number_is_not_drawn_and_all_else_is() -> None:
    frame = pd.DataFrame({"day": DAYS, "policy": ["gold", "silver"], "attainment_share": [float("nan"), 0.75]})
    assert drawn(queries.ATTAINMENT_BY_DAY, frame) == [("gold", None), ("silver", 75)]


def test_without_any_number_the_chart_is_empty() -> None:
    """Such as of clocks that all run still, and of answers of which none is a number."""
    frame = pd.DataFrame({"day": DAYS, "policy": "gold", "attainment_share": float("nan")})
    assert drawn(queries.ATTAINMENT_BY_DAY, frame) == [("gold", None), ("gold", None)]
    answers = pd.DataFrame({"day": DAYS, "survey_kind": "csat", "object": "case", "score_mean": float("nan")})
    assert drawn(queries.SATISFACTION_BY_DAY, answers) == [("csat of cases", None)] * 2

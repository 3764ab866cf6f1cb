"""The columns that lists are sorted and filtered by agree with the mentions as they are shown, at any time."""

from typing import Any

import numpy as np
import pytest

from sandbox import Sandbox
from sandbox.account import STATUSES
from sandbox.organisation import SENTIMENTS

Json = dict[str, Any]


def newest(mention: Json, kind: str | None = None) -> int:
    times = [action["date"]["added"] for action in mention["actions"] if kind in {None, action["type"]}]
    return max(times, default=-1)


@pytest.mark.parametrize("days", [0, 9, 45])
def test_columns_agree_with_what_is_shown(days: int) -> None:
    sandbox = Sandbox(seed=7, mentions=2_500)
    sandbox.advance(days=days)
    state = sandbox.accounts[1417].state(sandbox.now_seconds)
    rows = np.arange(max(state.size - 2_500, 0), state.size) if days < 45 else np.arange(2_500)
    shown = [state.mention(row) for row in rows.tolist()]
    names = [tag.name for tag in sandbox.accounts[1417].organisation.tags]

    def column(values: Any) -> list[Any]:
        return list(values[rows].tolist())

    assert column(state.added_at) == [mention["date"]["added"] for mention in shown]
    assert column(state.topic_id) == [mention["topic"]["id"] for mention in shown]
    assert column(state.status) == [STATUSES.index(mention["status"]) for mention in shown]
    assert column(state.sentiment) == [SENTIMENTS.index(mention["message"]["sentiment"]) for mention in shown]
    assert column(state.last_action_at) == [newest(mention) for mention in shown]
    assert column(state.last_status_at) == [newest(mention, "status") for mention in shown]
    times = [mention["timestamps"] for mention in shown]
    assert column(state.response_seconds) == [time.get("response_time", -1) for time in times]
    assert column(state.response_business_hours_seconds) == [time.get("response_time_during_bh", -1) for time in times]
    tags = [{name for bit, name in enumerate(names) if bits >> bit & 1} for bits in column(state.tags)]
    assert tags == [set(mention.get("tags", [])) for mention in shown]


def test_rows_stay_where_they_are_when_the_history_grows() -> None:
    sandbox = Sandbox(mentions=300)
    account = sandbox.accounts[1417]
    before = [account.unique_id(row) for row in range(300)]
    sandbox.advance(days=20)
    assert account.state(sandbox.now_seconds).size > 400
    assert [account.unique_id(row) for row in range(300)] == before
    assert [account.planned_row(unique_id) for unique_id in before] == list(range(300))

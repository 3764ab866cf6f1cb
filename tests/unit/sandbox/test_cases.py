"""Messages are bound to cases by hand-worked rules, and a longer history leaves the cases of a shorter one alone."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from sandbox.cases import bind
from sandbox.history import CASE_SLOTS, DAY, NEVER, History, Slot, plan
from sandbox.organisation import establish

NOW = 1_772_442_000


def history(*links: int, resolved: int = NEVER, reopened: int = NEVER, again: int = NEVER, **columns: Any) -> History:
    """Private messages of one author in one topic, linked at these instants; the first one's case has these times."""
    count = len(links)
    values: dict[str, Any] = {
        field.name: np.zeros(count, dtype=np.int64)
        for field in fields(History)
        if field.name not in {"times", "case_times"}
    }
    values["serial"] = np.arange(count)
    values["added_at"] = np.array(links)
    values["brand"] = values["by_automation"] = np.zeros(count, dtype=np.bool_)
    times = np.full((count, len(Slot)), NEVER, dtype=np.int64)
    times[:, Slot.CASE_AUTO] = links
    case_times = np.full((count, len(CASE_SLOTS)), NEVER, dtype=np.int64)
    for slot, at in ((Slot.RESOLVE, resolved), (Slot.REOPEN, reopened), (Slot.SECOND_RESOLVE, again)):
        case_times[:1, CASE_SLOTS.index(slot)] = at
    return History(**(values | {"times": times, "case_times": case_times} | columns))


def cases(planned: History, changed: dict[int, list[tuple[int, str]]] | None = None) -> list[int]:
    return [int(case) for case in bind(planned, changed or {}).case_of]


def test_messages_join_the_open_case() -> None:
    assert cases(history(100, 200, 300)) == [0, 0, 0]


def test_a_message_at_the_second_of_the_resolve_opens_another_case() -> None:
    assert cases(history(100, 199, 200, 300, resolved=200)) == [0, 0, 1, 1]


def test_a_reopened_case_takes_messages_again_until_its_second_resolve() -> None:
    assert cases(history(100, 250, resolved=200, reopened=240)) == [0, 0]
    assert cases(history(100, 250, 300, resolved=200, reopened=240, again=300)) == [0, 0, 1]


def test_a_case_that_was_replaced_is_not_reopened() -> None:
    book = bind(history(100, 210, 250, resolved=200, reopened=240, again=500), {})
    assert book.case_of.tolist() == [0, 1, 1]
    assert book.history.times[0, Slot.RESOLVE] == 200
    assert book.history.times[0, Slot.REOPEN] == book.history.times[0, Slot.SECOND_RESOLVE] == NEVER


def test_28_days_without_a_message_close_a_case() -> None:
    month = 28 * DAY
    assert cases(history(0, month - 1, 2 * month - 2)) == [0, 0, 0]
    assert cases(history(0, month)) == [0, 1]


def test_what_a_test_did_to_the_status_counts() -> None:
    assert cases(history(100, 200, 300), {0: [(150, "done")]}) == [0, 1, 1]
    assert cases(history(100, 200, 300), {0: [(150, "done"), (160, "new")]}) == [0, 0, 0]
    assert cases(history(100, 250, resolved=200), {0: [(210, "pending")]}) == [0, 0]


def test_people_topics_and_channels_do_not_share_cases() -> None:
    for name in ("author", "topic", "channel"):
        assert cases(history(100, 200, 300, **{name: np.array([1, 2, 1])})) == [0, 1, 0]


def test_messages_in_no_case_have_none() -> None:
    planned = history(100, 200)
    planned.times[1, Slot.CASE_AUTO] = NEVER
    assert cases(planned) == [0, -1]
    assert bind(history(), {}).links.tolist() == []


def test_links_are_grouped_by_case_and_ordered_by_time() -> None:
    book = bind(history(100, 200, 300, 400, author=np.array([1, 2, 2, 1])), {})
    assert book.links_of(0) == [(0, 100), (3, 400)]
    assert book.links_of(1) == [(1, 200), (2, 300)]


@pytest.mark.parametrize("seed", [1, 2])
def test_later_messages_change_no_earlier_case(seed: int) -> None:
    organisation = establish(1417, 0, NOW)
    common: dict[str, Any] = {"seed": seed, "authors": 60}
    first = plan(organisation, span=0, start=NOW - 40 * DAY, end=NOW, count=2_000, **common)
    second = plan(organisation, span=1, start=NOW + 1, end=NOW + 20 * DAY, count=1_000, **common)
    short, long = bind(first, {}), bind(first.followed_by(second), {})
    seen = np.flatnonzero(short.history.added_at <= NOW)
    assert long.opener[seen].tolist() == short.opener[seen].tolist()
    rows = np.flatnonzero(
        (short.case_of >= 0) & (first.times[:, [Slot.CASE_AUTO, Slot.CASE_MANUAL]].min(axis=1) <= NOW)
    )
    assert len(rows) > 500
    assert (long.opener[long.case_of[rows]] == short.opener[short.case_of[rows]]).all()
    past = np.where(short.history.times[seen] <= NOW, short.history.times[seen], -1)
    assert (np.where(long.history.times[seen] <= NOW, long.history.times[seen], -1) == past).all()

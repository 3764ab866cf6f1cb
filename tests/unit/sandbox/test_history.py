"""The planned history is repeatable, has the promised size and a believable shape."""

from dataclasses import fields

import numpy as np
import pytest

from sandbox import Sandbox
from sandbox.history import DAY, HOUR, NEVER, History, Slot, expected_count, plan
from sandbox.organisation import establish

NOW = 1_772_442_000  # 2026-03-02T09:00:00Z, a Monday


def history(seed: int = 1, count: int = 3_000, days: int = 28) -> History:
    organisation = establish(1417, 0, NOW)
    return plan(organisation, seed=seed, span=0, start=NOW - days * DAY, end=NOW, count=count, authors=500)


def same(one: History, other: History) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def test_a_seed_gives_one_history() -> None:
    assert same(history(seed=5), history(seed=5))
    assert not same(history(seed=5), history(seed=6))


def test_arrivals_stay_within_the_days_and_are_published_before() -> None:
    planned = history()
    assert planned.added_at.min() >= NOW - 28 * DAY
    assert planned.added_at.max() < NOW
    assert np.array_equal(planned.added_at, np.sort(planned.added_at))
    assert (planned.published_at <= planned.added_at).all()
    lateness = planned.added_at - planned.published_at
    assert (lateness > 3 * DAY).sum() > 10
    assert np.median(lateness) < HOUR


def test_deeds_follow_arrival_and_each_other() -> None:
    planned = history()
    happened = planned.times != NEVER
    assert (planned.times >= planned.added_at[:, None])[happened].all()
    previous = planned.added_at
    for slot in Slot:
        at = planned.times[:, slot]
        assert (at >= previous)[at != NEVER].all(), slot.name
        previous = np.where(at == NEVER, previous, at)
        assert (at != NEVER).any(), f"{slot.name} never happens"


def test_some_deeds_come_weeks_after_arrival() -> None:
    planned = history()
    age = np.where(planned.times == NEVER, -1, planned.times - planned.added_at[:, None])
    assert (age > 28 * DAY).any()


def test_weekends_and_nights_are_quieter() -> None:
    added_at = history(count=20_000).added_at
    weekday = (added_at // DAY + 3) % 7
    hour = added_at % DAY // HOUR
    assert (weekday == 6).sum() < 0.75 * (weekday == 0).sum()
    assert (hour == 2).sum() < 0.3 * (hour == 13).sum()


def test_expected_arrivals_of_whole_weeks_are_the_rate_times_the_days() -> None:
    assert expected_count(NOW, NOW + 14 * DAY, 100.0) == pytest.approx(1_400)
    parts = [expected_count(NOW + n * 1_000, NOW + (n + 1) * 1_000, 100.0) for n in range(600)]
    assert sum(parts) == pytest.approx(expected_count(NOW, NOW + 600_000, 100.0))


def test_a_message_found_by_two_topics_has_one_serial() -> None:
    planned = history()
    pairs = list(zip(planned.serial.tolist(), planned.topic.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert len(set(planned.serial.tolist())) < len(pairs)


def test_many_arrivals_share_their_second() -> None:
    added_at = history().added_at
    assert len(np.unique(added_at)) < len(added_at)


@pytest.mark.parametrize("count", [0, 1, 7, 400])
def test_as_many_mentions_are_visible_as_asked_for(count: int) -> None:
    assert len(Sandbox(mentions=count, days=9).mentions(1417)) == count


def test_the_future_does_not_depend_on_the_steps_of_the_clock() -> None:
    one_leap, small_steps = Sandbox(mentions=200), Sandbox(mentions=200)
    one_leap.advance(days=3, hours=5)
    for _ in range(77):
        small_steps.advance(hours=1)
        small_steps.mentions(1417)
    assert one_leap.mentions(1417) == small_steps.mentions(1417)


def test_mentions_keep_coming_at_the_same_rate() -> None:
    sandbox = Sandbox(mentions=2_800, days=28)
    sandbox.advance(days=28)
    assert len(sandbox.mentions(1417)) - 2_800 == pytest.approx(2_800, rel=0.08)


def test_without_mentions_nothing_ever_comes() -> None:
    sandbox = Sandbox(mentions=0)
    sandbox.advance(days=40)
    assert sandbox.mentions(1417) == []


def test_accounts_have_histories_of_their_own() -> None:
    sandbox = Sandbox(mentions=50, accounts=(1417, 2001))
    ids = [{mention["unique_id"] for mention in sandbox.mentions(account)} for account in sandbox.account_ids]
    assert not ids[0] & ids[1]
    topics = [{topic["id"] for topic in sandbox.topics(account)} for account in sandbox.account_ids]
    assert not topics[0] & topics[1]

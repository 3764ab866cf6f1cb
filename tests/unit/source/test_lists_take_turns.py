"""Lists beside the inbox take turns: few calls in each sync, none too late, and what was never read at once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.source import STREAMS, Memory
from pipelines.source.rhythm import lists_to_read
from pipelines.source.streams import EVERY_RUN, FACETS
from pipelines.source.windows import Cursor, Window

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RHYTHMS = {stream.name: stream.rhythm for stream in (*STREAMS, FACETS) if stream.rhythm != EVERY_RUN}
CALLS = dict.fromkeys(RHYTHMS, 1) | {FACETS.name: 2, "canned_responses": 2}
EVERY_SYNC = {stream.name for stream in STREAMS} - set(RHYTHMS)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def syncs(at: list[datetime]) -> tuple[list[frozenset[str]], dict[str, float]]:
    """What each sync reads, and how old each list became at most, in its rhythms."""
    asked_at: dict[str, datetime] = {}
    read: list[frozenset[str]] = []
    oldest = dict.fromkeys(RHYTHMS, 0.0)
    for number, now in enumerate(at):
        for name, before in asked_at.items():
            oldest[name] = max(oldest[name], (now - before) / RHYTHMS[name])
        read.append(lists_to_read(asked_at, CALLS, last_sync_at=at[number - 1] if number else None, now=now))
        asked_at |= {name: now for name in read[-1] if name in RHYTHMS}
    return read, oldest


def calls(read: Iterable[str]) -> int:
    return sum(CALLS[name] for name in set(read) - EVERY_SYNC)


def test_every_quarter_of_an_hour_has_two_calls_and_none_becomes_half_as_old_again_as_it_may() -> None:
    first, *later = syncs([NOW + minutes(15 * number) for number in range(4 * 24 * 21)])[0]
    assert first == set(RHYTHMS) | EVERY_SYNC
    assert max(map(calls, later)) == 2
    assert all(read >= EVERY_SYNC for read in later)
    assert sum(map(calls, later[:3])) == 0, "nothing is due within the first hour"
    oldest = syncs([NOW + minutes(15 * number) for number in range(4 * 24 * 21)])[1]
    assert max(oldest.values()) <= 1.5


@pytest.mark.parametrize("hours", [24, 25, 168])
def test_a_sync_a_day_reads_every_list(hours: int) -> None:
    for read in syncs([NOW + timedelta(hours=hours * number) for number in range(5)])[0]:
        assert read == set(RHYTHMS) | EVERY_SYNC


def test_a_sync_an_hour_has_the_calls_of_four_quarters() -> None:
    read, oldest = syncs([NOW + timedelta(hours=number) for number in range(24 * 7)])
    assert max(map(calls, read[1:])) == 8
    assert max(oldest.values()) <= 2


@given(st.lists(st.floats(0.1, 3000), min_size=2, max_size=40))
def test_whenever_syncs_come_calls_are_for_lists_that_are_due(gaps_minutes: list[float]) -> None:
    """And one that is due waits only where what is left is too little for it after lists older for their rhythm."""
    asked_at = dict.fromkeys(RHYTHMS, NOW)
    last, now = NOW, NOW
    for gap_minutes in gaps_minutes:
        last, now = now, now + minutes(gap_minutes)
        read = lists_to_read(asked_at, CALLS, last_sync_at=last, now=now) - EVERY_SYNC
        ages = {name: (now - at) / RHYTHMS[name] for name, at in asked_at.items()}
        due = {name for name, age in ages.items() if age >= 1}
        most = 2 * max(1, round(gap_minutes / 15))
        assert read <= due
        assert calls(read) <= most
        for waiting in due - read:
            assert calls(name for name in read if ages[name] >= ages[waiting]) + CALLS[waiting] > most
        asked_at |= dict.fromkeys(read, now)


def test_a_list_that_was_never_read_costs_the_others_nothing() -> None:
    asked_at = dict.fromkeys(RHYTHMS, NOW - timedelta(days=3))
    del asked_at["dashboards"]
    read = lists_to_read(asked_at, CALLS, last_sync_at=NOW - minutes(15), now=NOW) - EVERY_SYNC
    assert len(read) == 3
    assert "dashboards" in read


def test_a_list_of_many_pages_is_read_alone() -> None:
    asked_at = dict.fromkeys(RHYTHMS, NOW) | {"users": NOW - minutes(90), "contacts": NOW - minutes(80)}
    first = lists_to_read(asked_at, CALLS | {"users": 7}, last_sync_at=NOW - minutes(15), now=NOW)
    assert first - EVERY_SYNC == {"users"}
    later = lists_to_read(asked_at, CALLS | {"contacts": 7}, last_sync_at=NOW - minutes(15), now=NOW)
    assert later - EVERY_SYNC == {"users"}, "the other comes when it is the older"


def test_a_run_as_of_an_earlier_time_has_nothing_due() -> None:
    asked_at = dict.fromkeys(RHYTHMS, NOW)
    assert lists_to_read(asked_at, CALLS, last_sync_at=NOW, now=NOW - timedelta(days=2)) == EVERY_SYNC


# --- what earlier runs have left ---


def remembered(**cursors: dict[str, Cursor]) -> Memory:
    return Memory(
        {name: {"cursors": {key: each.to_state() for key, each in kept.items()}} for name, kept in cursors.items()}
    )


def test_nothing_is_known_at_first() -> None:
    assert (Memory().account_ids(), Memory().topic_ids("1417")) == (None, None)
    assert Memory().lists_to_read("1417", now=NOW) == set(RHYTHMS) | EVERY_SYNC


@pytest.mark.parametrize("ids", [(), ("7",), ("7", "8")])
def test_ids_come_back_as_they_were_kept(ids: tuple[str, ...]) -> None:
    assert Cursor.from_state(Cursor(read_at=NOW, ids=ids).to_state()) == Cursor(read_at=NOW, ids=ids)
    assert remembered(topics={"1417": Cursor(ids=ids)}).topic_ids("1417") == ids
    assert remembered(topics={"1417": Cursor(ids=ids)}).topic_ids("1418") is None


def test_topics_whose_history_is_still_read_are_known() -> None:
    span = Window(NOW - timedelta(days=2), NOW - timedelta(days=1))
    inbox = Cursor(read_at=NOW, ids=("7",), joining_ids=("8", "9"), joining=span)
    assert Cursor.from_state(inbox.to_state()) == inbox
    listed = Cursor(read_at=NOW - minutes(15), ids=("7", "8"))
    assert remembered(topics={"1": listed}, mentions={"1": inbox}).topic_ids("1") == ("7", "8", "9")


def test_accounts_are_those_of_the_latest_list_whichever_account_it_was_read_for() -> None:
    old, new = Cursor(read_at=NOW - minutes(60), ids=("1", "2", "3")), Cursor(read_at=NOW, ids=("1", "2"))
    assert remembered(accounts={"1": new, "3": old}).account_ids() == ("1", "2")
    assert remembered(accounts={"3": old, "1": new}).account_ids() == ("1", "2")


def test_accounts_are_listed_again_once_one_of_them_refuses_its_inbox() -> None:
    listed = {"1": Cursor(read_at=NOW, ids=("1", "2"))}
    doubtful = remembered(accounts=listed, mentions={"2": Cursor(refused_at=NOW + minutes(15))})
    assert doubtful.account_ids() is None
    assert "accounts" in doubtful.lists_to_read("1", now=NOW + minutes(30))
    settled = remembered(accounts=listed, mentions={"2": Cursor(refused_at=NOW)})
    assert settled.account_ids() == ("1", "2")
    assert "accounts" not in settled.lists_to_read("1", now=NOW + minutes(30))


def test_a_list_that_was_refused_waits_as_if_it_had_been_read() -> None:
    memory = remembered(teams={"1": Cursor(refused_at=NOW, read_at=NOW - timedelta(days=2))})
    assert "teams" not in memory.lists_to_read("1", now=NOW + minutes(59))
    assert "teams" in memory.lists_to_read("1", now=NOW + minutes(60))


def test_statistics_are_known_by_when_they_were_asked() -> None:
    kept = {"mentions@1a2b": "2026-02-01T00:00:00+00:00/2026-03-02T09:00:00+00:00"}
    kept |= {"read_at": NOW.isoformat(), "call_count": "2"}
    memory = Memory({FACETS.name: {"cursors": {"1": kept}}})
    assert FACETS.name not in memory.lists_to_read("1", now=NOW + minutes(59))
    assert FACETS.name in memory.lists_to_read("1", now=NOW + minutes(60))

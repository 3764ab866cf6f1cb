"""What the clock brings beside the mentions' own lives: so many a day, from the seed, and silently where promised."""

from collections import Counter
from typing import Any

import pytest

from sandbox import Behaviour, DailyChanges, Sandbox
from sandbox.account_changes import MENTION_CHANGES
from sandbox.facets import time_keys
from sandbox.query import filtered

Json = dict[str, Any]

EVERYTHING = DailyChanges(
    acts=40, edits=15, swaps=4, deletions=6, restorations=3, erasures=5, late_arrivals=10, moves=6
)


def changed_by(daily: DailyChanges | None, *, mentions: int = 1_500, days: float = 1) -> tuple[Sandbox, Sandbox]:
    """The same account without and with the changes, some days on."""
    boxes = Sandbox(seed=3, mentions=mentions), Sandbox(seed=3, mentions=mentions, daily=daily)
    for box in boxes:
        box.advance(days=days)
    return boxes


def by_id(box: Sandbox) -> dict[str, Json]:
    return {mention["unique_id"]: mention for mention in box.mentions(1417)}


def differing(plain: Sandbox, changed: Sandbox) -> list[tuple[Json, Json]]:
    """Mentions that both have, where they are not the same."""
    before, after = by_id(plain), by_id(changed)
    assert before.keys() == after.keys()
    return [(before[key], after[key]) for key in before if before[key] != after[key]]


def told(box: Sandbox) -> list[Json]:
    return [item for item in box.account_changes(1417) if item["type"] in MENTION_CHANGES]


def without(mention: Json, *paths: str) -> Json:
    """The mention without what stands at some paths."""
    copy = {name: dict(value) if isinstance(value, dict) else value for name, value in mention.items()}
    for path in paths:
        first, _, second = path.partition(".")
        if not second:
            copy.pop(first, None)
        elif isinstance(copy.get(first), dict):
            copy[first].pop(second, None)
    return copy


def test_an_account_without_rates_is_what_it_was() -> None:
    plain, changed = changed_by(DailyChanges(), days=3)
    assert differing(plain, changed) == []
    assert told(changed) == []


def test_how_the_clock_is_moved_makes_no_difference() -> None:
    at_once, step_by_step = (Sandbox(seed=3, mentions=600, daily=EVERYTHING) for _ in range(2))
    at_once.advance(days=4)
    for hours in (0.25, 0.25, 7, 30, 1.5, 57):
        step_by_step.advance(hours=hours)
        assert step_by_step.mentions(1417)
    assert step_by_step.now == at_once.now
    assert step_by_step.mentions(1417) == at_once.mentions(1417)
    assert step_by_step.account_changes(1417) == at_once.account_changes(1417)
    assert step_by_step.contacts(1417) == at_once.contacts(1417)
    assert at_once.mentions(1417) != Sandbox(seed=3, mentions=600).mentions(1417)


@pytest.mark.parametrize("days", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_silent_edits_are_so_many_and_leave_no_action(days: int) -> None:
    plain, changed = changed_by(DailyChanges(edits=15), days=days)
    pairs = differing(plain, changed)
    assert 14 * days <= len(pairs) <= 15 * days  # a mention may be hit twice, or be set right by its own life
    for before, after in pairs:
        assert after["actions"] == before["actions"]
        assert after["timestamps"] == before["timestamps"]
        assert after["date"] == before["date"]
    fields, messages = Counter[str](), Counter[str]()
    for before, after in pairs:
        fields.update(name for name in after if name != "message" and before.get(name) != after[name])
        messages.update(name for name, value in after["message"].items() if before["message"][name] != value)
    assert min(fields["tags"], fields["status"], fields["assignees"], messages["sentiment"], messages["content"]) >= 2
    assert set(fields) <= {"tags", "status", "assignees", "assignment"}
    assert told(changed) == []


def test_an_added_text_is_found_by_its_words() -> None:
    plain, changed = changed_by(DailyChanges(edits=15))
    found = 0
    for before, after in differing(plain, changed):
        old, new = (each["message"].get("stripped_content", each["message"].get("content")) for each in (before, after))
        if old != new:
            words = new.removeprefix(old).strip()
            state = changed.accounts[1417].state(changed.now_seconds)
            assert filtered(state, f'content:"{words}"')[state.row(after["unique_id"])]
            found += 1
    assert found == 3


@pytest.mark.slow
def test_swaps_show_in_no_count() -> None:
    plain, changed = changed_by(DailyChanges(swaps=5), mentions=6_000)
    pairs = differing(plain, changed)
    assert len(pairs) == 10
    assert all(without(before, "message.sentiment") == without(after, "message.sentiment") for before, after in pairs)

    def counted(box: Sandbox, zone: str, grouping: str) -> Counter[Any]:
        keys = time_keys(grouping, box.now_seconds - 40 * 86_400, box.now_seconds, zone)
        return Counter(
            (
                int(keys.starts_at.searchsorted(mention["date"]["added"], side="right")),
                mention["topic"]["id"],
                mention["status"],
                mention["message"]["sentiment"],
                "response_time" in mention["timestamps"],
            )
            for mention in box.mentions(1417)
        )

    for zone in ("Europe/Brussels", "America/New_York", "Asia/Kolkata"):
        for grouping in ("day", "hour"):
            assert counted(plain, zone, grouping) == counted(changed, zone, grouping)


def test_deletions_are_told_and_the_restored_come_back_as_they_were() -> None:
    plain, changed = changed_by(DailyChanges(deletions=8, restorations=2), days=5)
    kinds = Counter(item["type"] for item in told(changed))
    assert kinds["mention_delete"] + kinds["service_mention_delete"] == 40
    assert kinds["service_mention_delete"] >= 5
    assert 8 <= kinds["mention_restore"] <= 10  # none, while nothing is deleted
    before, after = by_id(plain), by_id(changed)
    assert len(before) - len(after) == 40 - kinds["mention_restore"]
    assert {key: before[key] for key in after} == after
    assert all(bool(item.get("user")) == (item["type"] != "service_mention_delete") for item in told(changed))


def test_history_names_the_mention_only_when_told_to() -> None:
    changed = Sandbox(seed=3, mentions=1_500, daily=DailyChanges(deletions=8))
    changed.advance(days=1)
    silent = told(changed)
    ids = {changed.accounts[1417].unique_id(each.row) for each in changed.accounts[1417].later.told}
    assert len(ids) == len(silent) == 8
    assert not [item for item in silent if any(each in item["description"] for each in ids)]
    changed.behaviour = Behaviour(history_names_mention=True)
    assert {item["description"].rpartition(" ")[2] for item in told(changed)} == ids


def test_erasures_empty_what_is_personal_and_leave_no_action() -> None:
    plain, changed = changed_by(DailyChanges(erasures=12))
    pairs = differing(plain, changed)
    assert len(pairs) >= 6  # a mention without text and author's name looks the same
    personal = [
        *("message.title", "message.content", "message.stripped_content", "message.entities", "message.attachments"),
        *("author.name", "author.fullname", "author.url", "author.img", "author.tags", "location"),
    ]
    for before, after in pairs:
        assert after == without(before, *personal)
        state = changed.accounts[1417].state(changed.now_seconds)
        assert state.erased[state.row(after["unique_id"])]


def test_late_arrivals_come_after_their_date_and_all_come() -> None:
    daily = DailyChanges(late_arrivals=40)
    plain, changed = changed_by(daily, days=2)
    before, after = by_id(plain), by_id(changed)
    missing = before.keys() - after.keys()
    assert after.keys() <= before.keys()
    assert missing
    assert len(before) == len(after) + len(missing)
    for box in (plain, changed):
        box.advance(days=2)
    arrived = by_id(changed)
    assert missing <= arrived.keys()
    for key in missing:
        assert arrived[key]["date"]["added"] <= (plain.now_seconds - 2 * 86_400)
        assert arrived[key] == by_id(plain)[key] or arrived[key]["actions"]


def test_moved_mentions_have_another_unique_id_and_the_same_date() -> None:
    plain, changed = changed_by(DailyChanges(moves=10), days=4)
    before, after = by_id(plain), by_id(changed)
    left, found = before.keys() - after.keys(), after.keys() - before.keys()
    assert len(left) == len(found) >= 200  # 10 for each of the 28 days before, and those of the days since
    assert {before[key]["id"] for key in left} == {after[key]["id"] for key in found}
    dates = {before[key]["id"]: before[key]["date"]["added"] for key in left}
    assert {after[key]["id"]: after[key]["date"]["added"] for key in found} == dates
    assert told(changed) == []


def test_acts_reach_mentions_of_any_age_and_show_as_actions() -> None:
    plain, changed = changed_by(DailyChanges(acts=100))
    pairs = differing(plain, changed)
    assert 90 <= len(pairs) <= 100
    ages = []
    kinds: Counter[str] = Counter()
    for before, after in pairs:
        newest = max(action["date"]["added"] for action in after["actions"])
        added = [action for action in after["actions"] if action not in before["actions"]]
        assert len(added) >= 1
        kinds.update(action["type"] for action in added)
        ages.append(newest - after["date"]["added"])
    assert max(ages) > 20 * 86_400
    assert set(kinds) == {"note", "tag", "sentiment", "assign", "status"}


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="deletions=-1"):
        DailyChanges(deletions=-1)

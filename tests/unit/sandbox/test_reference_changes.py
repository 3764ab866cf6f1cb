"""How the reference lists change: by the clock, by a test, and what the messages see of it."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sandbox import Sandbox
from sandbox.hours import Period, calendar
from sandbox.reference import LISTS, with_links

Json = dict[str, Any]
ACCOUNT = 1417


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(mentions=250, days=14)


def everything(sandbox: Sandbox) -> dict[str, list[Json]]:
    return {name: sandbox.objects(ACCOUNT, name) for name in LISTS}


def settled(objects: dict[str, list[Json]]) -> dict[str, list[Json]]:
    """Without what follows from the time of day alone."""
    passing = {"status", "business_hours_schedule_is_active"}
    settled = deepcopy(objects)
    del (
        settled["teams"],
        settled["crisis_plans"],
        settled["businesshoursschedules"],
    )  # they hold users, or counts of them
    settled["users"] = [
        {name: value for name, value in user.items() if name not in passing} for user in settled["users"]
    ]
    return settled


def by_name(sandbox: Sandbox, list_name: str, name: str) -> Json:
    return next(each for each in sandbox.objects(ACCOUNT, list_name) if each[LISTS[list_name].label] == name)


# --- by the clock ---


def test_nothing_has_changed_at_the_start_and_something_does_on_most_days(sandbox: Sandbox) -> None:
    start = sandbox.now_seconds
    assert sandbox.reference_changes(ACCOUNT) == []
    before = settled(everything(sandbox))
    sandbox.advance(days=22)
    changes = sandbox.reference_changes(ACCOUNT)
    assert [change.at for change in changes] == sorted(change.at for change in changes)
    assert all(start < change.at <= sandbox.now_seconds for change in changes)
    assert len({(change.at - start) // 86_400 for change in changes}) > 18
    assert {change.list_name for change in changes} >= {"teams", "tags", "users", "userroles", "canned_responses"}
    after = settled(everything(sandbox))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {change.list_name for change in changes} & set(before)


def test_small_steps_lead_to_the_same_lists_as_a_great_one() -> None:
    great, small = Sandbox(mentions=0), Sandbox(mentions=0)
    great.advance(days=30)
    for _ in range(60):
        small.advance(hours=12)
        small.objects(ACCOUNT, "teams")
    assert everything(small) == everything(great)
    assert small.reference_changes(ACCOUNT) == great.reference_changes(ACCOUNT)


def test_accounts_change_in_different_ways() -> None:
    sandbox = Sandbox(mentions=0, accounts=(1417, 2001))
    sandbox.advance(days=30)
    first, second = ([change.at for change in sandbox.reference_changes(account)] for account in (1417, 2001))
    assert not set(first) & set(second)


def test_changes_by_the_clock_leave_what_messages_name_alone(sandbox: Sandbox) -> None:
    names = [
        {each.name for each in getattr(sandbox.accounts[ACCOUNT].organisation, what)} for what in ("users", "tags")
    ]
    sandbox.advance(days=45)
    tags = {tag["tag"] for tag in sandbox.objects(ACCOUNT, "tags")}
    assert {tag for mention in sandbox.mentions(ACCOUNT) for tag in mention.get("tags", [])} <= tags
    assert names[0] < {user["name"] for user in sandbox.users(ACCOUNT)}
    assert names[1] < tags


def test_the_lists_survive_when_a_test_has_emptied_them(sandbox: Sandbox) -> None:
    for name in set(LISTS) - {"users", "userroles", "topics", "dashboards", "mailboxes"}:
        for each in sandbox.objects(ACCOUNT, name):
            sandbox.remove(ACCOUNT, name, each["id"])
    sandbox.advance(days=30)
    assert sandbox.objects(ACCOUNT, "teams") == []
    assert {change.what for change in sandbox.reference_changes(ACCOUNT)} == {"remove", "change"}
    assert sandbox.objects(ACCOUNT, "canned_responses") == []


# --- by a test ---


@pytest.mark.parametrize("name", LISTS)
def test_an_object_of_any_list_can_be_added_renamed_and_removed(sandbox: Sandbox, name: str) -> None:
    before, kind = sandbox.objects(ACCOUNT, name), LISTS[name]
    sandbox.advance(minutes=1)
    added = sandbox.add(ACCOUNT, name, **{kind.label: "Een"})
    assert sandbox.objects(ACCOUNT, name) == [*before, added]
    assert type(added[kind.key]) is type(before[0][kind.key])
    assert added[kind.key] not in {each[kind.key] for each in before}
    added_at = sandbox.now_seconds
    sandbox.advance(minutes=5)
    renamed = sandbox.change(ACCOUNT, name, added[kind.key], **{kind.label: "Twee"})
    assert renamed[kind.label] == "Twee"
    date = {
        "date": {"date": {"added": added_at, "updated": sandbox.now_seconds}},
        "date.updated": {"date": {"updated": sandbox.now_seconds}},
        "flat": {"created_at": added_at, "updated_at": sandbox.now_seconds},
        "none": {},
    }[kind.dates]
    assert {field: renamed[field] for field in date if field not in kind.hidden} == {
        field: value for field, value in date.items() if field not in kind.hidden
    }
    sandbox.remove(ACCOUNT, name, added[kind.key])
    assert [each[kind.key] for each in sandbox.objects(ACCOUNT, name)] == [each[kind.key] for each in before]
    last = sandbox.reference_changes(ACCOUNT)[-3:]
    assert [(change.what, change.name) for change in last] == [("add", "Een"), ("change", "Twee"), ("remove", "Twee")]
    again = sandbox.add(ACCOUNT, name, **{kind.label: "Drie"})
    assert again[kind.key] not in {added[kind.key], *(each[kind.key] for each in before)}


def test_only_the_changed_object_gets_another_date(sandbox: Sandbox) -> None:
    before = sandbox.objects(ACCOUNT, "teams")
    sandbox.advance(seconds=9)
    member = sandbox.users(ACCOUNT)[-1]["id"]
    changed = sandbox.change(ACCOUNT, "teams", before[0]["id"], users=[member])
    assert changed["date"] == {"added": before[0]["date"]["added"], "updated": sandbox.now_seconds}
    assert [user["id"] for user in changed["users"]] == [member]
    after = sandbox.objects(ACCOUNT, "teams")
    assert [each["date"] for each in after[1:]] == [each["date"] for each in before[1:]]


def test_who_leaves_is_missing_everywhere_and_the_teams_are_updated(sandbox: Sandbox) -> None:
    leaver = by_name(sandbox, "users", "Sofie De Smet")["id"]
    teams = [team["id"] for team in sandbox.objects(ACCOUNT, "teams") if leaver in [u["id"] for u in team["users"]]]
    assert len(teams) == 2
    sandbox.advance(seconds=30)
    sandbox.remove(ACCOUNT, "users", leaver)
    shown = everything(sandbox)
    assert "Sofie De Smet" not in json.dumps({name: shown[name] for name in ("users", "teams")}, ensure_ascii=False)
    coordinators = [each["id"] for plan in shown["crisis_plans"] for each in plan.get("coordinators", [])]
    assert coordinators
    assert leaver not in coordinators
    updated = [team["id"] for team in shown["teams"] if team["date"]["updated"] == sandbox.now_seconds]
    assert updated == teams


def test_what_is_removed_is_unlinked(sandbox: Sandbox) -> None:
    parent = by_name(sandbox, "tags", "Facturation")["id"]
    sandbox.remove(ACCOUNT, "tags", parent)
    assert "parent_id" not in by_name(sandbox, "tags", "Dubbele aanrekening")
    schedule = by_name(sandbox, "businesshoursschedules", "Night desk")["id"]
    holders = [user["id"] for user in sandbox.users(ACCOUNT) if user.get("business_hours_schedule_id") == schedule]
    sandbox.remove(ACCOUNT, "businesshoursschedules", schedule)
    shown = [user for user in sandbox.users(ACCOUNT) if user["id"] in holders]
    assert len(shown) == 2
    assert not any(key.startswith("business_hours") for user in shown for key in user)
    folder = by_name(sandbox, "canned_responses_folders", "Pannes")["id"]
    inside = {
        each["id"]
        for each in sandbox.objects(ACCOUNT, "canned_responses")
        if (each["folder"] or {}).get("id") == str(folder)
    }
    sandbox.remove(ACCOUNT, "canned_responses_folders", folder)
    assert inside
    assert all(each["folder"] == [] for each in sandbox.objects(ACCOUNT, "canned_responses") if each["id"] in inside)
    topic = sandbox.topics(ACCOUNT)[2]["id"]
    sandbox.remove(ACCOUNT, "topics", topic)
    assert not any(topic in [each["id"] for each in role["topics"]] for role in sandbox.objects(ACCOUNT, "userroles"))


def test_what_cannot_be_is_refused_with_the_choices(sandbox: Sandbox) -> None:
    before = everything(sandbox)
    team = before["teams"][0]["id"]
    with pytest.raises(KeyError, match=r"no list 'team': choose one of users, userroles, teams"):
        sandbox.objects(ACCOUNT, "team")
    with pytest.raises(ValueError, match=r"teams have no members: set name, show_in_team_performance, users"):
        sandbox.change(ACCOUNT, "teams", team, members=[1])
    with pytest.raises(KeyError, match=r"has no 1 in users"):
        sandbox.change(ACCOUNT, "teams", team, users=[1])
    with pytest.raises(KeyError, match=r"has no 'custom_99' in userroles"):
        sandbox.add(ACCOUNT, "users", name="X", account_role="custom_99")
    with pytest.raises(ValueError, match=r"a new object of tags needs tag"):
        sandbox.add(ACCOUNT, "tags", visible=True)
    with pytest.raises(KeyError, match=r"has no 5 in teams"):
        sandbox.change(ACCOUNT, "teams", 5, name="x")
    with pytest.raises(KeyError, match=r"has no 5 in teams"):
        sandbox.remove(ACCOUNT, "teams", 5)
    with pytest.raises(ValueError, match=r"users cannot be without name, account_role"):
        sandbox.change(ACCOUNT, "users", before["users"][0]["id"], name=None, account_role=None, avatar=None)
    with pytest.raises(ValueError, match=r"role observer is still that of Observer \(read only\)"):
        sandbox.remove(ACCOUNT, "userroles", "observer")
    assert everything(sandbox) == before
    assert sandbox.reference_changes(ACCOUNT) == []


def test_a_field_can_be_taken_away_when_objects_may_lack_it(sandbox: Sandbox) -> None:
    tag = by_name(sandbox, "tags", "FR")
    shown = sandbox.change(ACCOUNT, "tags", tag["id"], parent_id=None, color_code="rgb(1,2,3)")
    assert "parent_id" in tag
    assert "parent_id" not in shown
    assert shown["color_code"] == "rgb(1,2,3)"
    user = sandbox.users(ACCOUNT)[0]
    shown = sandbox.change(ACCOUNT, "users", user["id"], business_hours_schedule_id=None)
    assert set(user) - set(shown) == {"business_hours_schedule_id", "business_hours_schedule_is_active"}


def test_what_is_given_out_cannot_be_used_to_change_the_lists(sandbox: Sandbox) -> None:
    before = deepcopy(everything(sandbox))
    for objects in everything(sandbox).values():
        for each in objects:
            for value in each.values():
                if isinstance(value, list):
                    value.append("spoilt")
                elif isinstance(value, dict):
                    value.clear()
    assert everything(sandbox) == before


# --- what the messages see ---


@pytest.mark.parametrize(
    ("list_name", "old"),
    [("tags", "Facturation"), ("topics", "Care France"), ("users", "Jürgen Wouters"), ("teams", "Care Europe")],
)
def test_messages_show_a_new_name_and_nothing_else_changes(sandbox: Sandbox, list_name: str, old: str) -> None:
    new, label = "Zo heet het nu", LISTS[list_name].label
    mentions = sandbox.mentions(ACCOUNT)
    someone = by_name(sandbox, "users", "Jürgen Wouters")["id"]
    team = by_name(sandbox, "teams", "Care Europe")["id"]
    touched = mentions[0]["unique_id"]
    sandbox.act(ACCOUNT, touched, kind="tag", user_id=someone, tags_added=["Facturation"])
    sandbox.act(ACCOUNT, touched, kind="assign", user_id=someone, assignee_ids=[someone, team])
    before = json.dumps(sandbox.mentions(ACCOUNT), ensure_ascii=False)
    assert before.count(f'"{old}"') > 5
    found = by_name(sandbox, list_name, old)["id"]
    sandbox.change(ACCOUNT, list_name, found, **{label: new})
    after = json.dumps(sandbox.mentions(ACCOUNT), ensure_ascii=False)
    # The profiles of a topic keep their names; all else follows, also where the name is part of a text.
    assert after == before.replace(old, new).replace(f"Aurelle {new}", f"Aurelle {old}")


def test_a_renamed_tag_is_found_by_its_new_name() -> None:
    sandbox = Sandbox(mentions=250, days=14)
    tag = by_name(sandbox, "tags", "Facturation")
    sandbox.change(ACCOUNT, "tags", tag["id"], tag='Facture "2026"')
    assert by_name(sandbox, "tags", 'Facture "2026"')["filter"] == r'usertag:"Facture \"2026\""'
    state = sandbox.accounts[ACCOUNT].state(sandbox.now_seconds)
    assert state.tag_position('Facture "2026"') is not None
    assert state.tag_position("Facturation") is None


def test_new_hours_count_from_their_day_on() -> None:
    zone = ZoneInfo("Europe/Brussels")

    def at(day: int, hour: int) -> int:
        return int(datetime(2026, 3, day, hour, tzinfo=zone).timestamp())

    former = calendar(
        "Europe/Brussels", (Period(1, "0900", "1700"), Period(2, "0900", "1700"), Period(3, "0900", "1700"))
    )
    later = calendar(
        "Europe/Brussels", (Period(1, "1200", "2000"), Period(2, "1200", "2000"), Period(3, "1200", "2000"))
    )
    # Changed on Tuesday the 3rd at 15:00: Monday 9-17, Tuesday 9-15 as before and 15-20 anew, Wednesday 12-20.
    hours = former.followed_by(later, at(3, 15))
    assert hours.seconds_between(at(2, 0), at(3, 0)) == 8 * 3_600
    assert hours.seconds_between(at(3, 0), at(4, 0)) == 11 * 3_600
    assert hours.seconds_between(at(4, 0), at(5, 0)) == 8 * 3_600
    assert hours.seconds_between(at(2, 16), at(4, 13)) == (1 + 11 + 1) * 3_600
    assert not hours.contains(at(4, 11))
    assert hours.contains(at(3, 18))
    unchanged = former.followed_by(former, at(3, 15))
    assert [unchanged.seconds_between(at(1, 0), at(day, 12)) for day in (2, 3, 4, 9)] == [
        former.seconds_between(at(1, 0), at(day, 12)) for day in (2, 3, 4, 9)
    ]


def _open_seconds(periods: list[Json], zone: ZoneInfo, start: int, end: int) -> int:
    """Minute by minute: how much of [start, end) lies in the periods. Both are whole minutes."""
    total = 0
    for minute in range(start, end, 60):
        local = datetime.fromtimestamp(minute, tz=UTC).astimezone(zone)
        clock = f"{local:%H%M}"
        total += 60 * any(
            each["dayofweek"] == local.isoweekday() and each["start"] <= clock < each["end"] for each in periods
        )
    return total


def test_business_hours_times_follow_a_schedule_that_changes() -> None:
    sandbox = Sandbox(mentions=150, days=7)
    agent = by_name(sandbox, "users", "Sofie De Smet")
    schedule_id = agent["business_hours_schedule_id"]
    schedule = next(each for each in sandbox.schedules(ACCOUNT) if each["id"] == schedule_id)
    before = sandbox.mentions(ACCOUNT)
    changed_at = sandbox.now_seconds
    night = [{"dayofweek": day, "start": "1800", "end": "2400"} for day in range(1, 8)]
    changed = sandbox.change(ACCOUNT, "businesshoursschedules", schedule_id, periods=night)
    assert changed["periods"] == night
    assert changed["date"]["updated"] == changed_at
    assert sandbox.mentions(ACCOUNT) == before

    # Published on the Monday of the change at 08:00 UTC, an hour before it; answered the next day at 20:30 UTC.
    published_at = changed_at - 3_600
    raw = deepcopy(next(each for each in before if each["source"]["service"] == "facebook"))
    raw |= {"unique_id": f"{raw['topic']['id']}_77", "id": "77", "actions": [], "timestamps": {"handle_time": 0}}
    raw["date"] = {"added": published_at + 60, "published": published_at}
    sandbox.add_mention(ACCOUNT, raw)
    sandbox.advance(hours=35, minutes=30)
    answered = sandbox.act(ACCOUNT, raw["unique_id"], kind="reply", user_id=agent["id"], text="Hallo")
    zone = ZoneInfo(schedule["timezone"])
    expected = _open_seconds(schedule["periods"], zone, published_at, changed_at)
    expected += _open_seconds(night, zone, changed_at, sandbox.now_seconds)
    assert answered["timestamps"]["response_time_during_bh"] == expected == (1 + 6 + 3.5) * 3_600


def test_acts_of_a_newcomer_use_the_schedule_that_is_set() -> None:
    sandbox = Sandbox(mentions=150, days=7)
    always = by_name(sandbox, "businesshoursschedules", "24/7")["id"]
    newcomer = sandbox.add(ACCOUNT, "users", name="Nele Maes", business_hours_schedule_id=always)
    waiting = next(
        each
        for each in sandbox.mentions(ACCOUNT)
        if "published" in each["date"] and "response_time" not in (each["timestamps"] or {})
    )
    answered = sandbox.act(ACCOUNT, waiting["unique_id"], kind="reply", user_id=newcomer["id"], text="Hallo")
    times = answered["timestamps"]
    assert (
        times["response_time_during_bh"] == times["response_time"] == sandbox.now_seconds - waiting["date"]["published"]
    )
    assert answered["actions"][0]["user"] == {"id": str(newcomer["id"]), "name": "Nele Maes"}


# --- texts ---


def test_links_in_texts_can_be_clicked_and_nothing_else_is_html() -> None:
    assert with_links("a <b> https://x.example/?a=1&b=2 & c") == (
        'a &lt;b&gt; <a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a> &amp; c'
    )

"""Every metric of mentions and cases, against what plain Python makes of the sandbox's own objects.

The history has reopenings, bots, private messages, stripped tweets, an agent who changes the schedule, agents who
change teams, a schedule that is edited, a holiday and both clock changes of a year. It is read and transformed three
times as it goes on, so what is compared was built incrementally.
"""

# ruff: noqa: S608 - names of tables come from the catalogue

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from working_time import Holiday, Schedule, Version, stretches, worked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Json = dict[str, Any]
Key = tuple[Any, ...]

pytestmark = pytest.mark.slow

ACCOUNT = 1417
START = datetime(2025, 4, 20, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHRISTMAS = date(2025, 12, 25)
TABLES = ("fct_mentions", "fct_cases", "fct_status_intervals", "fct_assignments", "fct_replies", "int_actions")


@dataclass
class _History:
    """What a test has done to the sandbox, and the warehouse that followed it."""

    site: Any
    schedules: dict[str, Schedule] = field(default_factory=dict)
    schedule_of_user: dict[str, list[tuple[datetime, str | None]]] = field(default_factory=dict)
    teams_of_user: list[tuple[datetime, dict[str, set[str]]]] = field(default_factory=list)
    """Who is in which teams since when, from the oldest."""
    team_schedule: dict[str, str] = field(default_factory=dict)
    topic_schedule: dict[str, str] = field(default_factory=dict)
    account_schedule: str = ""
    _stretches: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def hours(self, schedule_id: str) -> list[tuple[datetime, datetime]]:
        if schedule_id not in self._stretches:
            self._stretches[schedule_id] = stretches(self.schedules[schedule_id], date(2025, 4, 1), date(2026, 5, 1))
        return self._stretches[schedule_id]

    def business_seconds(self, schedule_id: str | None, start: datetime | None, end: datetime | None) -> int | None:
        if schedule_id is None or start is None or end is None:
            return None
        return worked(self.hours(schedule_id), start, end) if start < end else 0

    def is_open(self, schedule_id: str, at: datetime) -> bool:
        return any(start <= at < end for start, end in self.hours(schedule_id))

    def teams(self, user_id: str, at: datetime) -> set[str]:
        """The teams that a user was in."""
        *_, members = (members for since, members in self.teams_of_user if since <= at)
        return members.get(user_id, set())

    def hours_of(self, user_id: str | None, at: datetime, topic_id: str) -> str | None:
        """In whose hours what a user did is measured."""
        told = None
        for since, schedule_id in self.schedule_of_user.get(user_id or "", []):
            if since <= at:
                told = schedule_id
        with_hours = sorted(self.team_schedule.keys() & self.teams(user_id, at)) if user_id else []
        of_team = self.team_schedule[with_hours[0]] if with_hours else None
        return told or of_team or self.topic_schedule.get(topic_id) or self.account_schedule

    @property
    def rows(self) -> Callable[..., list[tuple[Any, ...]]]:
        return self.site.rows  # type: ignore[no-any-return]


def seconds(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else max(0, int((end - start).total_seconds()))


def instant(value: int | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value, UTC)


@dataclass
class _Action:
    kind: str
    at: datetime
    user_id: str | None
    status: str | None
    agents: list[str] | None
    teams: list[str] | None
    hours: str | None

    @property
    def by(self) -> str:
        return "human" if self.user_id else "automation"


def actions_of(history: _History, item: Json) -> list[_Action]:
    """From the oldest; of two in one second, the one that the API lists further down came first."""
    listed = list(enumerate(item.get("actions") or []))
    made = []
    for _, each in sorted(listed, key=lambda one: (one[1]["date"]["added"], -one[0])):
        metadata = each.get("metadata") or {}
        user_id = (each.get("user") or {}).get("id")
        at = datetime.fromtimestamp(each["date"]["added"], UTC)
        named = metadata.get("assignees") or []
        is_assign = each["type"] == "assign"
        made.append(
            _Action(
                kind=each["type"],
                at=at,
                user_id=user_id,
                status=metadata.get("status") if each["type"] == "status" else None,
                agents=sorted(one["id"] for one in named if one["type"] == "user") if is_assign else None,
                teams=sorted(one["id"] for one in named if one["type"] == "team") if is_assign else None,
                hours=history.hours_of(user_id, at, str(item["topic"]["id"])),
            )
        )
    return made


def total(values: Iterable[int | None]) -> int | None:
    """The sum; null when a part is, or when there is none."""
    known = list(values)
    return None if not known or None in known else sum(value for value in known if value is not None)


@dataclass
class _Spell:
    status: str
    is_owned: bool
    start: datetime
    end: datetime | None = None
    hours: str | None = None


def spells_of(item: Json, actions: list[_Action], *, by_status_only: bool) -> list[_Spell]:
    told = any(action.status for action in actions)
    current = _Spell("new" if told else item["status"], False, datetime.fromtimestamp(item["date"]["added"], UTC))
    spells = [current]
    for action in actions:
        status = action.status or current.status
        is_owned = current.is_owned if action.agents is None else bool(action.agents)
        if (status, is_owned if not by_status_only else None) != (
            current.status,
            current.is_owned if not by_status_only else None,
        ):
            current.end, current.hours = action.at, action.hours
            current = _Spell(status, is_owned, action.at)
            spells.append(current)
        current.is_owned = is_owned
    return spells


def assignments_of(actions: list[_Action]) -> tuple[list[_Action], int]:
    """The actions that assigned it to somebody, and how often it went from some agents to others."""
    assigned: list[_Action] = []
    somebody_was_named = False
    handoffs, last_agents = 0, None
    for each in actions:
        if each.kind != "assign":
            continue
        names_somebody = bool(each.agents or each.teams)
        if names_somebody or not somebody_was_named:
            assigned.append(each)
        somebody_was_named |= names_somebody
        if each.agents:
            handoffs += last_agents is not None and each.agents != last_agents
            last_agents = each.agents
    return assigned, handoffs


def expected_fact(history: _History, item: Json) -> Json:
    """The measures of a mention or a case, from its JSON."""
    actions = actions_of(history, item)
    published = instant(item["date"].get("published"))
    replies = [each for each in actions if each.kind == "reply"]
    human = [each for each in replies if each.user_id]
    resolves = [each for each in actions if each.status == "done"]
    assigned, handoffs = assignments_of(actions)
    set_statuses = [each.status for each in actions if each.status]
    reopenings = sum(before == "done" != after for before, after in pairwise(set_statuses))

    def first(found: list[_Action]) -> tuple[int | None, int | None]:
        if not found:
            return None, None
        return seconds(published, found[0].at), history.business_seconds(found[0].hours, published, found[0].at)

    by_status = spells_of(item, actions, by_status_only=True)
    states = spells_of(item, actions, by_status_only=False)

    def in_status(status: str) -> tuple[int, int | None]:
        ended = [each for each in by_status if each.status == status and each.end]
        return sum(seconds(each.start, each.end) or 0 for each in ended), (
            total(history.business_seconds(each.hours, each.start, each.end) for each in ended) if ended else 0
        )

    def open_while(*, is_owned: bool) -> tuple[int, int | None]:
        ended = [each for each in states if each.status != "done" and each.is_owned is is_owned and each.end]
        return sum(seconds(each.start, each.end) or 0 for each in ended), total(
            history.business_seconds(each.hours, each.start, each.end) for each in ended
        )

    last_resolve = resolves[-1] if resolves else None
    measures = {
        "first_action": first(actions),
        "first_response": first(replies),
        "first_human_response": first(human),
        "first_assignment": first(assigned),
        "resolve": first(resolves),
        "last_resolve": first([last_resolve] if last_resolve else []),
        "unresolved": in_status("new"),
        "pending": in_status("pending"),
        "queue": open_while(is_owned=False),
        "owned": open_while(is_owned=True),
    }
    return {
        **{f"{name}_seconds": calendar for name, (calendar, _) in measures.items()},
        **{f"{name}_business_hours_seconds": business for name, (_, business) in measures.items()},
        "reply_count": len(replies),
        "human_reply_count": len(human),
        "resolve_count": len(resolves),
        "reopening_count": reopenings,
        "assignment_count": len(assigned),
        "handoff_count": handoffs,
        "assigned_agents_count": len({agent for each in actions for agent in each.agents or []}),
        "agents_touched_count": len({each.user_id for each in actions if each.user_id}),
        "touch_class": ("zero", "one", "two", "more")[min(len(human), 3)],
        "is_resolved_at_first_contact": bool(
            item["status"] == "done" and resolves and not reopenings and len(human) <= 1
        ),
        "first_resolve_actor_kind": resolves[0].by if resolves else None,
        "last_resolve_actor_kind": last_resolve.by if last_resolve else None,
        "is_owned": states[-1].is_owned,
        "status_since_at": by_status[-1].start,
    }


def expected_statuses(history: _History, item: Json) -> list[tuple[Any, ...]]:
    return [
        (
            number,
            each.status,
            each.start,
            each.end,
            seconds(each.start, each.end),
            history.business_seconds(each.hours, each.start, each.end),
        )
        for number, each in enumerate(spells_of(item, actions_of(history, item), by_status_only=True), 1)
    ]


def expected_assignments(history: _History, item: Json) -> set[tuple[Any, ...]]:
    """Who had it from when to when."""
    running: dict[tuple[str, str], datetime] = {}
    found = set()
    for each in actions_of(history, item):
        if each.agents is None or each.teams is None:
            continue
        named = {("agent", one) for one in each.agents} | {("team", one) for one in each.teams}
        for who in running.keys() - named:
            found.add((*who, running.pop(who), each.at))
        for who in named - running.keys():
            running[who] = each.at
    return found | {(*who, since, None) for who, since in running.items()}


class _WorkOfTeams:
    """By account, team, object and date, what people did who were in the team when they did it."""

    def __init__(self, history: _History) -> None:
        self.history = history
        self._sums: defaultdict[Key, Counter[str]] = defaultdict(Counter)
        self._items: defaultdict[Key, set[str]] = defaultdict(set)
        for key, item, *_ in items(history):
            self._add_actions(key, item)
            self._add_assignments(key, item)

    def rows(self) -> dict[Key, dict[str, int]]:
        """The sums that are not 0."""
        for key, handled in self._items.items():
            self._sums[key]["items_handled_count"] = len(handled)
        return {key: {name: value for name, value in sums.items() if value} for key, sums in self._sums.items()}

    def _of(self, user_id: str, item: Key, at: datetime) -> list[Key]:
        account, object_, _ = item
        return [(account, team, object_, at.date()) for team in self.history.teams(user_id, at) or {"unknown"}]

    def _add_actions(self, item_key: Key, item: Json) -> None:
        published = instant(item["date"].get("published"))
        actions = actions_of(self.history, item)
        by_people = [each for each in actions if each.user_id]
        firsts = {
            ("first_human_action", "first_human_action"): by_people[:1],
            ("first_human_response", "first_human_response"): [each for each in by_people if each.kind == "reply"][:1],
            ("first_resolve", "resolve"): [each for each in actions if each.status == "done"][:1],
        }
        for action in by_people:
            assert action.user_id
            assert action.hours
            for key in self._of(action.user_id, item_key, action.at):
                sums = self._sums[key]
                if action.kind == "like":
                    sums["like_count"] += 1
                else:
                    self._items[key].add(item_key[2])
                    sums["action_count"] += 1
                    sums["reply_count"] += action.kind == "reply"
                    is_open = self.history.is_open(action.hours, action.at)
                    sums["in_business_hours_action_count" if is_open else "out_of_business_hours_action_count"] += 1
                sums["resolve_count"] += action.status == "done"
                for (count, measure), first in firsts.items():
                    if action in first and not is_own(item):
                        business = self.history.business_seconds(action.hours, published, action.at)
                        sums[f"{count}_count"] += 1
                        sums[f"{measure}_known_count"] += published is not None
                        sums[f"{measure}_seconds_sum"] += seconds(published, action.at) or 0
                        sums[f"{measure}_business_hours_known_count"] += business is not None
                        sums[f"{measure}_business_hours_seconds_sum"] += business or 0

    def _add_assignments(self, item_key: Key, item: Json) -> None:
        account, object_, _ = item_key
        for kind, who, start, end in expected_assignments(self.history, item):
            name = "assignment" if kind == "agent" else "team_assignment"

            def of(at: datetime, kind: str = kind, who: str = who) -> list[Key]:
                return self._of(who, item_key, at) if kind == "agent" else [(account, who, object_, at.date())]

            for key in of(start):
                self._sums[key][f"{name}s_received_count"] += 1
            for key in of(end) if end else ():
                self._sums[key][f"{name}s_ended_count"] += 1
                self._sums[key][f"{name}_seconds_sum"] += seconds(start, end) or 0
                if kind == "agent":  # in the hours of whoever had it, when it was given
                    hours = self.history.hours_of(who, start, str(item["topic"]["id"]))
                    business = self.history.business_seconds(hours, start, end)
                    self._sums[key]["assignment_business_hours_known_count"] += business is not None
                    self._sums[key]["assignment_business_hours_seconds_sum"] += business or 0


@dataclass
class _Event:
    """Something that begins a wait (`action` is None, or a reopening) or ends one."""

    at: datetime
    order: int
    number: int
    kind: str
    action: _Action | None = None
    is_known: bool = True


def message(item: Json) -> _Event:
    published = item["date"].get("published")
    at = datetime.fromtimestamp(published or item["date"]["added"], UTC)
    return _Event(at, 0, 0, "message", is_known=published is not None)


def done_about(history: _History, item: Json, *, is_case: bool) -> Iterable[_Event]:
    """Replies, resolves and, of a mention, reopenings."""
    before = None
    for number, each in enumerate(actions_of(history, item), 1):
        if each.kind == "reply":
            yield _Event(each.at, 1, number, "reply", each)
        if each.status == "done":
            yield _Event(each.at, 1, number, "resolve", each)
        elif each.status and before == "done" and not is_case:
            yield _Event(each.at, 1, number, "message", each)
        before = each.status or before


def events_of(history: _History, item: Json, linked: list[Json], *, is_case: bool) -> list[_Event]:
    """In order; what a mention begins with comes first, whatever the clocks say."""
    done = list(done_about(history, item, is_case=is_case))
    if not is_case:
        return [message(item), *sorted(done, key=lambda event: (event.at, event.number))]
    for each in linked:
        done += [] if is_own(each) else [message(each)]
        done += [event for event in done_about(history, each, is_case=True) if event.kind == "reply"]
    return sorted(done, key=lambda event: (event.at, event.order, event.number))


def expected_waits(history: _History, item: Json, linked: list[Json], *, is_case: bool) -> list[tuple[Any, ...]]:
    """Start, end, reason and business seconds of each wait."""
    waits: list[tuple[Any, ...]] = []
    start: _Event | None = None
    for event in events_of(history, item, linked, is_case=is_case):
        if event.kind == "message":
            start = start or event
        elif start is not None and event.action is not None:
            length = seconds(start.at, event.at) if start.is_known else None
            business = history.business_seconds(event.action.hours, start.at, event.at) if start.is_known else None
            waits.append((start.at, event.at, event.kind, length, business))
            start = None
    return waits if start is None else [*waits, (start.at, None, "waiting", None, None)]


# --- The warehouse ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(make_site: Callable[..., Any]) -> _History:
    site = make_site(
        mentions=450,
        days=315,
        now=NOW,
        options={"social_connect_start_date": START},
        stream_names=["mentions", "cases", "users", "teams", "topics", "business_hours_schedules", "statistics"],
    )
    made = _History(site)
    box = site.box
    schedules = {each["id"]: each for each in box.schedules(ACCOUNT)}
    topics = [str(each["id"]) for each in box.topics(ACCOUNT)]
    office, always = next(iter(schedules)), list(schedules)[-1]
    made.topic_schedule, made.account_schedule = {topics[0]: always}, office
    teams = [each["id"] for each in box.objects(ACCOUNT, "teams")]
    made.team_schedule = dict(zip(map(str, teams), list(schedules)[1:], strict=False))
    of_teams = "".join(f"{ACCOUNT},team,{team},{schedule}\n" for team, schedule in made.team_schedule.items())
    rules = site.home / "rules"
    rules.mkdir()
    (rules / "business_hours_assignments.csv").write_text(
        "account_id,scope,scope_id,schedule_id\n"
        f"{of_teams}{ACCOUNT},topic,{topics[0]},{always}\n{ACCOUNT},account,,{office}\n",
        encoding="utf-8",
    )
    (rules / "holidays.csv").write_text(
        "account_id,schedule_id,holiday_date,start_time,end_time,name\n"
        f",,{CHRISTMAS},,,Christmas\n{ACCOUNT},{office},2025-12-24,1200,,Christmas Eve\n",
        encoding="utf-8",
    )
    for schedule_id, each in schedules.items():
        holidays = [Holiday(CHRISTMAS)]
        if schedule_id == office:
            holidays.append(Holiday(date(2025, 12, 24), "1200", None))
        made.schedules[schedule_id] = Schedule([_version(each, NOW)], holidays)
    for user in box.users(ACCOUNT):
        made.schedule_of_user[str(user["id"])] = [(START - timedelta(days=60), user.get("business_hours_schedule_id"))]
    # Who has no schedule works in the hours of the team: one of these will change teams, one is in two.
    first, second, third = teams
    members = {team["id"]: [user["id"] for user in team["users"]] for team in box.objects(ACCOUNT, "teams")}
    in_hours_of = {
        team: [user for user in users if made.schedule_of_user[str(user)][0][1] is None]
        for team, users in members.items()
    }
    mover, in_two_teams = in_hours_of[first][0], in_hours_of[second][0]
    leaver = next(user for user in reversed(members[first]) if user != mover)
    box.change(ACCOUNT, "teams", third, users=[*members[third], in_two_teams])
    made.teams_of_user.append((START - timedelta(days=60), _teams_of_users(box)))

    def follow() -> None:
        site.sync()
        site.transform()

    follow()
    box.advance(days=9, hours=3)
    # The office opens an hour later from now on, and an agent goes over to always being there.
    later = [{"dayofweek": day, "start": "1000", "end": "1730"} for day in range(1, 6)]
    box.change(ACCOUNT, "businesshoursschedules", office, periods=later)
    changed = {each["id"]: each for each in box.schedules(ACCOUNT)}[office]
    made.schedules[office].versions.append(_version(changed, box.now))
    changer = next(str(user["id"]) for user in box.users(ACCOUNT) if user.get("business_hours_schedule_id") == office)
    box.change(ACCOUNT, "users", int(changer), business_hours_schedule_id=always)
    made.schedule_of_user[changer].append((box.now, always))
    # One agent goes over to another team, and so to its hours; one leaves and is in none.
    box.change(ACCOUNT, "teams", first, users=[user for user in members[first] if user not in {mover, leaver}])
    box.change(ACCOUNT, "teams", third, users=[*members[third], in_two_teams, mover])
    made.teams_of_user.append((box.now, _teams_of_users(box)))
    follow()
    box.advance(days=31, hours=2)  # over the spring clock changes of both continents
    follow()
    return made


def _teams_of_users(box: Any) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for team in box.objects(ACCOUNT, "teams"):
        for user in team["users"]:
            found[str(user["id"])].add(str(team["id"]))
    return found


def _version(schedule: Json, valid_from: datetime) -> Version:
    return Version(
        schedule["timezone"],
        [(each["dayofweek"], each["start"], each["end"]) for each in schedule["periods"]],
        valid_from,
    )


def items(history: _History) -> Iterable[tuple[Key, Json, bool, list[Json]]]:
    box = history.site.box
    full = {each["unique_id"]: each for each in box.mentions(ACCOUNT)}
    for each in full.values():
        yield (str(ACCOUNT), "mention", each["unique_id"]), each, False, []
    for case in box.cases(ACCOUNT):
        linked = [full.get(one["unique_id"], one) for one in case["linked_mentions"]]
        yield (str(ACCOUNT), "case", case["case"]["unique_id"]), case["case"], True, linked


def is_own(item: Json) -> bool:
    return bool((item.get("author") or {}).get("managed", False))


# --- Comparing --------------------------------------------------------------------------------------------------------


def test_the_history_has_what_it_has_to_have(history: _History) -> None:
    everything = list(items(history))
    lives = [actions_of(history, item) for _, item, _, _ in everything]
    assert sum(is_case for _, _, is_case, _ in everything) > 50
    assert any(each.kind == "reply" and each.user_id is None for life in lives for each in life), "bots"
    assert any(item["message"].get("type") == "privatemessage" for _, item, _, _ in everything)
    assert any("published" not in item["date"] and item.get("actions") for _, item, _, _ in everything), "stripped"
    assert sum(expected_fact(history, item)["reopening_count"] for _, item, _, _ in everything) > 5
    ends = sorted(each.at for life in lives for each in life)
    assert ends[0] < datetime(2025, 10, 26, 1, tzinfo=UTC) < datetime(2026, 3, 29, 1, tzinfo=UTC) < ends[-1]


def test_the_history_has_agents_who_change_teams(history: _History) -> None:
    (_, before), (moved_at, after) = history.teams_of_user
    everything = (each for _, item, *_ in items(history) for each in actions_of(history, item))
    by_people = [each for each in everything if each.user_id]
    in_team_hours = [each for each in by_people if not history.schedule_of_user[str(each.user_id)][-1][1]]
    moved = {user for user in before if after.get(user) and before[user].isdisjoint(after[user])}
    hours = {(each.at >= moved_at, each.hours) for each in in_team_hours if each.user_id in moved}
    assert len(hours) == 2, "the hours of one team before, and those of another after"
    assert {is_after for is_after, _ in hours} == {True, False}
    assert any(len(before[str(each.user_id)]) == 2 for each in in_team_hours), "in the hours of the first of two teams"
    assert any(each.at >= moved_at and each.user_id not in after for each in by_people), "in no team any more"


def test_facts_of_mentions_and_cases(history: _History) -> None:
    compared = 0
    for table, object_ in (("fct_mentions", "mention"), ("fct_cases", "case")):
        expected = {key: expected_fact(history, item) for key, item, *_ in items(history) if key[1] == object_}
        names = list(next(iter(expected.values())))
        held = {
            (account, object_, unique_id): dict(zip(names, values, strict=True))
            for account, unique_id, *values in history.rows(
                f"SELECT account_id, unique_id, {', '.join(names)} FROM marts.{table}"
            )
        }
        assert held.keys() == expected.keys()
        for key, fact in expected.items():
            differences = {name: (held[key][name], fact[name]) for name in names if held[key][name] != fact[name]}
            assert not differences, f"{key}: (built, expected) {differences}"
            compared += sum(value is not None for value in fact.values())
    assert compared > 5_000


def test_statuses(history: _History) -> None:
    held: dict[Key, list[tuple[Any, ...]]] = {}
    for *key, number, status, start, end, length, business in history.rows(
        "SELECT account_id, object, unique_id, interval_number, status, started_at, ended_at, interval_seconds,"
        " interval_business_hours_seconds FROM marts.fct_status_intervals ORDER BY ALL"
    ):
        held.setdefault(tuple(key), []).append((number, status, start, end, length, business))
    assert held == {key: expected_statuses(history, item) for key, item, *_ in items(history)}


def test_assignments(history: _History) -> None:
    held: dict[Key, set[tuple[Any, ...]]] = {}
    for *key, kind, who, start, end in history.rows(
        "SELECT account_id, object, unique_id, assignee_type, assignee_id, started_at, ended_at"
        " FROM marts.fct_assignments"
    ):
        held.setdefault(tuple(key), set()).add((kind, who, start, end))
    expected = {key: expected_assignments(history, item) for key, item, *_ in items(history)}
    assert held == {key: found for key, found in expected.items() if found}


def test_work_of_teams(history: _History) -> None:
    expected = _WorkOfTeams(history).rows()
    names = sorted(set().union(*expected.values()))
    assert len(names) > 25
    held = {
        tuple(key): {name: value for name, value in zip(names, values, strict=True) if value}
        for *key, values in history.rows(
            f"SELECT account_id, team_id, object, action_date, [{', '.join(names)}] FROM marts.agg_teams_daily"
        )
    }
    assert {team for _, team, *_ in expected} == {"unknown", *history.team_schedule}
    assert held.keys() == expected.keys()
    for key, sums in expected.items():
        assert held[key] == sums, key


def test_waits(history: _History) -> None:
    held: dict[Key, list[tuple[Any, ...]]] = {}
    for *key, _, start, end, reason, length, business in history.rows(
        "SELECT account_id, object, unique_id, wait_number, started_at, ended_at, end_reason, wait_seconds,"
        " wait_business_hours_seconds FROM marts.fct_replies ORDER BY ALL"
    ):
        held.setdefault(tuple(key), []).append((start, end, reason, length, business))
    expected = {
        key: expected_waits(history, item, linked, is_case=is_case)
        for key, item, is_case, linked in items(history)
        if not is_own(item)
    }
    for key in expected.keys() | held.keys():
        assert held.get(key, []) == expected.get(key, []), key


def test_every_count_of_the_api_is_ours_and_every_difference_has_a_reason(history: _History) -> None:
    """Older statistics are asked once: their mentions have been read again since, and the report says so."""
    judged = history.rows(
        "SELECT compared_with, measure, unit, reason, count(*), sum(compared_count), sum(equal_count)"
        " FROM marts.rpt_reconciliation GROUP BY ALL"
    )
    assert not [row for row in judged if row[3] == "not known"]
    equal = {(row[0], row[1]): row[4] for row in judged if row[3] is None}
    assert equal["statistics", "mentions"] > 30
    assert equal["statistics", "mentions_by_status"] > 60
    assert equal["statistics", "response_time"] > 20
    assert equal["timestamps", "mention_resolve_time_business_hours"] > 20
    assert equal["timestamps", "case_pending_time"] > 20
    stale = "mentions were read again after the number was asked for"
    assert {row[3] for row in judged if row[2] in {"mentions", "cases"}} <= {None, stale}


def test_what_was_built_incrementally_equals_a_full_build(history: _History, tmp_path: Path) -> None:
    shutil.copytree(history.site.home, tmp_path / "home")
    file = tmp_path / "home" / "warehouse.duckdb"
    with duckdb.connect(file) as con:
        con.execute("DROP TABLE intermediate._built_with")
    site = history.site.with_home(tmp_path / "home")
    full = site.transform()
    assert full.is_full_refresh
    again = site.transform()
    assert not again.is_full_refresh
    assert again.model_count < full.model_count, "views are left as they are"
    of_columns_of_reports = full.passed_test_count - again.passed_test_count
    assert 20 < of_columns_of_reports < 30, "all else is tested all the same"
    with duckdb.connect(file, read_only=True) as con:
        con.execute(f"ATTACH '{history.site.home / 'warehouse.duckdb'}' AS incremental (READ_ONLY)")
        tables = con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
            " AND schema_name IN ('marts', 'intermediate') AND NOT starts_with(table_name, '_')"
            " AND table_name <> 'int_touched_items'"
        ).fetchall()
        assert {name for _, name in tables} >= set(TABLES)
        for schema, name in tables:
            for here, there in (("", "incremental."), ("incremental.", "")):
                query = f"FROM {here}{schema}.{name} EXCEPT ALL FROM {there}{schema}.{name}"
                assert con.execute(query).fetchall() == [], f"{name}: rows of {here or 'the full build'} only"

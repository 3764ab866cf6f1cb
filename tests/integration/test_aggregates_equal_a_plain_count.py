"""Work of agents and teams, backlog and volume, against loops over the rows that the loader wrote."""

# ruff: noqa: S608 - names of tables come from here

from __future__ import annotations

import json
import shutil
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from dbt_commands import PROJECT, dbt
from test_business_time_equals_an_oracle import Schedule, Version, stretches, worked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Row = dict[str, Any]
Key = tuple[Any, ...]

pytestmark = pytest.mark.slow

STREAMS = ["topics", "mentions", "cases", "users", "teams", "business_hours_schedules"]
KINDS = ("reply", "assign", "status", "tag", "note")
SIZES = [
    pytest.param((140, "Europe/Brussels"), id="140 mentions"),
    pytest.param((3_000, "America/New_York"), id="3,000 mentions"),
]
LONG_AGO, FAR_AHEAD = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class _Action:
    """An action on an item, in its place from the oldest."""

    kind: str
    agent: str | None
    at: datetime
    status: str | None
    agents: set[str] | None
    teams: set[str] | None
    is_undone: bool = False
    is_first_human: bool = False
    is_first_reply: bool = False
    is_first_resolve: bool = False


@dataclass
class _Item:
    """A mention or a case, and what was done to it."""

    object: str
    row: Row
    actions: list[_Action] = field(default_factory=list)

    @property
    def account(self) -> str:
        return str(self.row["account_id"])

    @property
    def topic(self) -> str:
        return self.row["topic_id"] or "unknown"

    @property
    def at(self) -> datetime:
        when: datetime = self.row["published_at"] or self.row["added_at"]
        return when

    @property
    def is_own(self) -> bool:
        return bool(self.row["author_managed"])

    def mark(self) -> None:
        """Says of each action whether it is the first of its kind, and whether it made the item done and was undone."""
        seen: set[str] = set()
        resolved_by: _Action | None = None
        for action in self.actions:
            is_resolve = action.status == "done"
            for name, applies in (
                ("is_first_human", action.agent is not None),
                ("is_first_reply", action.agent is not None and action.kind == "reply"),
                ("is_first_resolve", is_resolve),
            ):
                if applies and name not in seen:
                    seen.add(name)
                    setattr(action, name, not self.is_own)
            if is_resolve:
                resolved_by = resolved_by or action
            elif action.status is not None and resolved_by is not None:
                resolved_by.is_undone, resolved_by = True, None

    def spells(self) -> Iterator[tuple[str, bool, datetime, datetime]]:
        """Its stretches of one status and one answer to whether an agent has it; the last has no end."""
        told = any(action.status for action in self.actions)
        status, has_agent, since = "new" if told else self.row["status"] or "new", False, self.row["added_at"]
        for action in self.actions:
            to_status = action.status or status
            to_agent = bool(action.agents) if action.kind == "assign" else has_agent
            if (to_status, to_agent) != (status, has_agent):
                yield status, has_agent, since, action.at
                status, has_agent, since = to_status, to_agent, action.at
        yield status, has_agent, since, FAR_AHEAD


@dataclass
class _Told:
    """What the normalised tables say, read with no SQL but of whole tables."""

    file: Path
    zone: ZoneInfo
    as_of: datetime
    rules: list[tuple[str, str, str, str]]

    def rows(self, table: str) -> list[Row]:
        with duckdb.connect(self.file, read_only=True) as con:
            con.execute("SET TimeZone = 'UTC'")
            result = con.execute(f"FROM {table}")
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def day(self, when: datetime) -> date:
        return when.astimezone(self.zone).date()

    @cached_property
    def items(self) -> list[_Item]:
        made = []
        for name in ("mention", "case"):
            actions, assignees = defaultdict(list), defaultdict(list)
            for row in self.rows(f"social_connect.{name}_actions"):
                actions[row["account_id"], row["unique_id"]].append(row)
            for row in self.rows(f"social_connect.{name}_action_assignees"):
                assignees[row["account_id"], row["unique_id"], row["action_position"]].append((row["type"], row["id"]))
            for row in self.rows(f"social_connect.{name}s"):
                key = (row["account_id"], row["unique_id"])
                item = _Item(name, row)
                for each in sorted(actions[key], key=lambda one: (one["added_at"], -one["position"])):
                    named = assignees[(*key, each["position"])] if each["type"] == "assign" else None
                    item.actions.append(
                        _Action(
                            each["type"],
                            each["user_id"],
                            each["added_at"],
                            each["metadata_status"] if each["type"] == "status" else None,
                            None if named is None else {who for kind, who in named if kind == "user"},
                            None if named is None else {who for kind, who in named if kind == "team"},
                        )
                    )
                item.mark()
                made.append(item)
        return made

    @cached_property
    def hours(self) -> dict[Key, list[tuple[datetime, datetime]]]:
        """The working time of each schedule around all that happened."""
        periods = defaultdict(list)
        for row in self.rows("social_connect.business_hours_periods"):
            weekly = (row["day_of_week"], row["start_time"], row["end_time"])
            periods[row["account_id"], row["business_hours_schedule_id"]].append(weekly)
        first = min(item.at for item in self.items).date() - timedelta(days=3)
        return {
            key: stretches(
                Schedule([Version(row["timezone"], periods[key], LONG_AGO)]),
                first,
                self.as_of.date() + timedelta(days=3),
            )
            for row in self.rows("social_connect.business_hours_schedules")
            for key in [(row["account_id"], row["id"])]
        }

    @cached_property
    def schedules(self) -> dict[Key, str | None]:
        """The schedule that the API tells of each user."""
        return {(row["account_id"], row["id"]): row["business_hours_schedule_id"] for row in self.rows("history.users")}

    def of_topic(self, item: _Item) -> str | None:
        given = {(scope, which): schedule for account, scope, which, schedule in self.rules if account == item.account}
        return given.get(("topic", item.topic)) or given.get(("account", item.account))

    def is_open(self, account: str, schedule: str | None, when: datetime) -> bool | None:
        spans = self.hours.get((account, schedule))
        if spans is None:
            return None
        place = bisect_right(spans, (when, FAR_AHEAD)) - 1
        return place >= 0 and when < spans[place][1]

    def business_seconds(self, account: str, schedule: str | None, start: datetime, end: datetime) -> int | None:
        spans = self.hours.get((account, schedule))
        return None if spans is None else worked(spans, start, end)

    @cached_property
    def memberships(self) -> dict[Key, list[tuple[str, datetime, datetime]]]:
        found: defaultdict[Key, list[tuple[str, datetime, datetime]]] = defaultdict(list)
        first: dict[str, datetime] = {}
        rows = self.rows("history.team_members")
        for row in rows:
            first[row["account_id"]] = min(row["valid_from"], first.get(row["account_id"], FAR_AHEAD))
        for row in rows:
            since = LONG_AGO if row["valid_from"] == first[row["account_id"]] else row["valid_from"]
            spell = (row["team_id"], since, row["valid_to"] or FAR_AHEAD)
            found[row["account_id"], row["user_id"]].append(spell)
        return found

    def teams(self, account: str, agent: str, when: datetime) -> Iterable[str]:
        spells = self.memberships[account, agent]
        return {team for team, start, end in spells if start <= when < end} or {"unknown"}

    def assignments(self, item: _Item) -> Iterator[tuple[str, str, datetime, datetime | None]]:
        """Who had the item from when to when: whoever is named by follow-up assigns goes on."""
        having: dict[tuple[str, str], datetime] = {}
        for action in (action for action in item.actions if action.kind == "assign"):
            named = {("agent", agent) for agent in action.agents or ()} | {
                ("team", team) for team in action.teams or ()
            }
            for who in sorted(having.keys() - named):
                yield *who, having.pop(who), action.at
            having |= dict.fromkeys(named - having.keys(), action.at)
        for who, since in having.items():
            yield *who, since, None


class _Work:
    """Sums of one agent or team on one day, as they are counted by hand."""

    def __init__(self) -> None:
        self.sums: defaultdict[str, int] = defaultdict(int)
        self.items: set[str] = set()
        self.recent_items: set[str] = set()
        self.authors: set[str] = set()

    def act(self, told: _Told, item: _Item, action: _Action) -> None:
        """Counts an action."""
        account = item.account
        schedule = told.schedules.get((account, action.agent)) or told.of_topic(item)
        published = item.row["published_at"]
        if action.kind == "like":
            self.sums["like_count"] += 1
        else:
            self.sums["action_count"] += 1
            self.sums[f"{action.kind if action.kind in KINDS else 'other'}_count"] += 1
            self.sums["own_item_action_count"] += item.is_own
            is_open = told.is_open(account, schedule, action.at)
            self.sums["in_business_hours_action_count"] += is_open is True
            self.sums["out_of_business_hours_action_count"] += is_open is False
            self.items.add(item.row["unique_id"])
            if action.at - item.at <= timedelta(days=28):
                self.recent_items.add(item.row["unique_id"])
        if action.kind == "reply" and not item.is_own and item.row["author_id"]:
            self.authors.add(item.row["author_id"])
        self.sums["resolve_count"] += action.status == "done"
        self.sums["undone_resolve_count"] += action.is_undone
        for measure, count, is_first in (
            ("first_human_action", "first_human_action", action.is_first_human),
            ("first_human_response", "first_human_response", action.is_first_reply),
            ("resolve", "first_resolve", action.is_first_resolve),
        ):
            self.sums[f"{count}_count"] += is_first
            if is_first and published is not None:
                self.sums[f"{measure}_known_count"] += 1
                self.sums[f"{measure}_seconds_sum"] += max(0, int((action.at - published).total_seconds()))
                business = told.business_seconds(account, schedule, published, action.at)
                self.sums[f"{measure}_business_hours_known_count"] += business is not None
                self.sums[f"{measure}_business_hours_seconds_sum"] += business or 0
        if action.is_first_resolve and item.row["handle_time_seconds"] is not None:
            self.sums["api_handle_time_known_count"] += 1
            self.sums["api_handle_time_seconds_sum"] += item.row["handle_time_seconds"]

    def row(self) -> dict[str, int]:
        """The sums that are not 0, by their columns."""
        different = {
            "items_handled_count": len(self.items),
            "items_handled_within_28_days_count": len(self.recent_items),
            "authors_serviced_count": len(self.authors),
        }
        return {name: value for name, value in (self.sums | different).items() if value}


def work_of(told: _Told, whose: str) -> dict[Key, dict[str, int]]:
    """What agg_agents_daily or agg_teams_daily has to say, by key."""
    found: defaultdict[Key, _Work] = defaultdict(_Work)

    def days(item: _Item, kind: str, who: str, when: datetime) -> list[_Work]:
        in_teams = kind == "agent" and whose == "team"
        owners = told.teams(item.account, who, when) if in_teams else [who] * (kind in {"agent", whose})
        return [found[item.account, owner, item.object, told.day(when)] for owner in owners]

    for item in (item for item in told.items if item.row["deleted_at"] is None):
        for action in (action for action in item.actions if action.agent is not None):
            for work in days(item, "agent", str(action.agent), action.at):
                work.act(told, item, action)
        for kind, who, start, end in told.assignments(item):
            name = "assignment" if kind == "agent" else "team_assignment"
            for work in days(item, kind, who, start):
                work.sums[f"{name}s_received_count"] += 1
            for work in days(item, kind, who, end) if end else ():
                work.sums[f"{name}s_ended_count"] += 1
                work.sums[f"{name}_seconds_sum"] += int((end - start).total_seconds()) if end else 0
    return {key: work.row() for key, work in found.items()}


def backlog_of(told: _Told) -> dict[Key, tuple[int, int, int]]:
    """Open and unassigned items and their ages at the end of each date, where something was open."""
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0])
    today = told.day(told.as_of)
    for item in (item for item in told.items if not item.is_own):
        gone = item.row["deleted_at"] or FAR_AHEAD
        opened = min(item.at, item.row["added_at"])
        for status, has_agent, start, until in item.spells():
            end, day = min(until, gone), told.day(start)
            while status != "done" and day <= min(told.day(end), today):
                midnight = datetime(day.year, day.month, day.day, tzinfo=told.zone) + timedelta(days=1)
                measured = min(midnight.astimezone(UTC), told.as_of)
                if start < measured <= end and not (day == today and end <= measured):
                    sums = found[
                        item.account, item.object, item.topic, item.row["source_service"] or "unknown", status, day
                    ]
                    sums[0] += 1
                    sums[1] += not has_agent
                    sums[2] += int((measured - min(opened, start)).total_seconds())
                day += timedelta(days=1)
    return {key: (count, unassigned, age) for key, (count, unassigned, age) in found.items()}


def volume_of(told: _Told) -> dict[Key, tuple[int, int, int, int]]:
    """Mentions of customers and own ones by hour, and those of a known schedule and in its hours."""
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for item in told.items:
        if item.object == "mention" and item.row["deleted_at"] is None:
            local = item.at.astimezone(told.zone)
            channel = item.row["source_service"] or "unknown"
            sums = found[item.account, local.date(), local.hour, local.isoweekday(), item.topic, channel]
            is_open = told.is_open(item.account, told.of_topic(item), item.at)
            sums[item.is_own] += 1
            sums[2] += not item.is_own and is_open is not None
            sums[3] += not item.is_own and is_open is True
    return {key: (a, b, c, d) for key, (a, b, c, d) in found.items()}


@pytest.fixture(scope="module", params=SIZES)
def told(request: pytest.FixtureRequest, make_site: Callable[..., Any]) -> _Told:
    """An account's warehouse in which people change teams and some items are gone, with its aggregates built."""
    mentions, zone = request.param
    site = make_site(mentions=mentions, stream_names=STREAMS)
    site.sync()
    file, now = site.home / "warehouse.duckdb", site.box.now
    moved, first = now - timedelta(days=12, hours=3), now - timedelta(days=25)
    with duckdb.connect(file) as con:
        con.execute("SET TimeZone = 'UTC'")
        for table in ("mentions", "cases"):
            con.execute(
                f"UPDATE social_connect.{table} SET deleted_at = $1 WHERE hash(unique_id) % 23 = 0",
                [now - timedelta(days=2)],
            )
        # The first reading was early: a third of the members leaves twelve days ago, and half of these go elsewhere.
        con.execute("UPDATE history.team_members SET valid_from = $1", [first])
        con.execute("UPDATE history.team_members SET valid_to = $1 WHERE user_id::bigint % 3 = 0", [moved])
        con.execute(
            "INSERT INTO history.team_members BY NAME SELECT * REPLACE ($1 AS valid_from, NULL AS valid_to,"
            " (SELECT max(team_id) FROM history.team_members AS others WHERE others.account_id = members.account_id)"
            " AS team_id) FROM history.team_members AS members WHERE valid_to IS NOT NULL AND user_id::bigint % 2 = 0",
            [moved],
        )
        query = "SELECT account_id, min(id), max(id) FROM social_connect.{} GROUP BY ALL"
        ((account, topic, _),) = con.execute(query.format("topics")).fetchall()
        ((_, office_hours, always),) = con.execute(query.format("business_hours_schedules")).fetchall()
    given = [(account, "topic", topic, office_hours), (account, "account", account, always)]
    folder = Path(shutil.copytree(PROJECT / "rules", site.home / "hours"))
    lines = ["account_id,scope,scope_id,schedule_id", *(",".join(rule) for rule in given)]
    (folder / "business_hours_assignments.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    models = ("agg_agents_daily", "agg_teams_daily", "agg_backlog_daily", "agg_volume_hourly")
    as_of = now + timedelta(hours=30)
    dbt(
        file,
        ["run", "--select", *(f"+{model}" for model in models), "--vars", json.dumps({"reporting_time_zone": zone})],
        rules=folder,
        as_of=as_of.isoformat(),
    )
    return _Told(file, ZoneInfo(zone), as_of, given)


@pytest.mark.parametrize("whose", ["agent", "team"])
def test_work_is_what_a_loop_over_actions_counts(told: _Told, whose: str) -> None:
    found = {
        (row["account_id"], row[f"{whose}_id"], row["object"], row["action_date"]): row
        for row in told.rows(f"marts.agg_{whose}s_daily")
    }
    expected = work_of(told, whose)
    assert found.keys() == expected.keys()
    uncounted = {"reopening_count", "assignment_business_hours_known_count", "assignment_business_hours_seconds_sum"}
    for key, row in found.items():
        counted = {
            name: value
            for name, value in row.items()
            if name.endswith(("_count", "_sum")) and value and name not in uncounted
        }
        assert counted == expected[key], key
    totals = [sum(row[name] for row in found.values()) for name in ("reply_count", "undone_resolve_count")]
    assert all(totals), "the account shows nothing of what is to be tested"
    if whose == "team":
        assert {row["team_id"] for row in found.values()} > {"unknown"}


def test_the_backlog_is_what_a_loop_over_days_counts(told: _Told) -> None:
    found = {
        (row["account_id"], row["object"], row["topic_id"], row["channel"], row["status"], row["backlog_date"]): row
        for row in told.rows("marts.agg_backlog_daily")
    }
    expected = backlog_of(told)
    assert expected.keys() <= found.keys()
    for key, row in found.items():
        counts = (row["open_count"], row["unassigned_count"], row["age_seconds_sum"])
        assert counts == expected.get(key, (0, 0, 0)), key
    assert {key[-1] for key in found} >= {told.day(told.as_of)}


def test_volume_is_what_a_loop_over_mentions_counts(told: _Told) -> None:
    found = {
        tuple(
            row[name] for name in ("account_id", "mention_date", "hour_of_day", "iso_weekday", "topic_id", "channel")
        ): (
            row["mention_count"],
            row["own_mention_count"],
            row["business_hours_known_count"],
            row["in_business_hours_count"],
        )
        for row in told.rows("marts.agg_volume_hourly")
    }
    assert found == volume_of(told)
    assert 0 < sum(row[3] for row in found.values()) < sum(row[2] for row in found.values())

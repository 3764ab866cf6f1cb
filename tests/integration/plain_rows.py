"""What the API sent about an account, and what plain Python makes of it: the truth that a dashboard is held against.

Read are whole tables of the schemas `social_connect` and `history` and the files of rules, by no SQL but `from`; no
model of dbt has a part in it. Business hours are ticked off by `working_time`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from published_site import ZONE
from working_time import FAR_AHEAD, LONG_AGO, Holiday, Schedule, Version, stretches, worked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb

Json = dict[str, Any]
Lengths = tuple[int | None, int | None]
"""Seconds of the calendar, and seconds within hours."""
SCHEMAS = ("social_connect", "history")
MEASURES = ("first_response", "first_human_response", "first_action", "first_assignment", "resolve")


def local(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(ZONE))


def seconds(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else max(0, int(end.timestamp()) - int(start.timestamp()))


def quantile(values: Iterable[float | None], at: float) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.quantile(known, at)) if known else None


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def grouped(rows: Iterable[Json], *names: str) -> dict[tuple[Any, ...], list[Json]]:
    groups: dict[tuple[Any, ...], list[Json]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


@dataclass
class Spell:
    """A stretch in which an item had one status, and an agent or none.

    Attributes:
        by: the agent whose action began it; None of automation, and of the beginning.
        schedule: in whose hours its length is, those of who ended it.
    """

    status: str
    is_owned: bool
    start: datetime
    by: str | None = None
    end: datetime | None = None
    schedule: str | None = None


@dataclass
class PlainRows:
    """Rows of a copy as dicts, and mentions and cases with all that is counted of them.

    Attributes:
        con: on the published copy, with time zone UTC.
        rules: folder of the files of rules.
        now: the instant of the build.
        version: the name of the copy.
    """

    con: duckdb.DuckDBPyConnection
    rules: Path
    now: datetime
    version: str

    def table(self, name: str) -> list[Json]:
        """All rows of a table of what was read, or of what is kept about it."""
        assert name.partition(".")[0] in SCHEMAS, f"{name} is made by the product's own models"
        return self.con.execute(f"from {name}").to_arrow_table().to_pylist()

    def rule(self, name: str) -> list[dict[str, str]]:
        """The rows of a file of rules."""
        with (self.rules / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    # --- Names and lists ---

    @cached_property
    def topics(self) -> dict[str, str]:
        """Name of each topic, as it is listed, else as the newest item says."""
        items = sorted((*self._raw["mention"], *self._raw["case"]), key=lambda row: row["added_at"])
        seen = {row["topic_id"] or "unknown": row["topic_name"] or row["topic_id"] or "unknown" for row in items}
        return seen | {row["id"]: row["name"] for row in self.table("social_connect.topics") if row["name"]}

    @cached_property
    def projects(self) -> dict[str, set[str]]:
        """Topics of each project, as the account lists them."""
        topics = self.table("social_connect.account_topics")
        return {
            project["id"]: {
                topic["id"]
                for topic in topics
                if (topic["account_id"], topic["project_position"]) == (project["account_id"], project["position"])
            }
            for project in self.table("social_connect.account_projects")
        }

    @cached_property
    def agents(self) -> dict[str, str]:
        """Name of each user, as it is listed, else as it stands on the newest action."""
        actions = (action for rows in self._actions.values() for action in rows if action["user_id"])
        acting = {row["user_id"]: row["user_name"] for row in sorted(actions, key=lambda row: row["added_at"])}
        return acting | {row["id"]: row["name"] for row in self.table("social_connect.users") if row["name"]}

    @cached_property
    def teams(self) -> dict[str, str]:
        """Name of each team that ever was, as it was listed last."""
        return {
            row["id"]: row["name"] for row in sorted(self.table("history.teams"), key=lambda row: row["valid_from"])
        }

    @cached_property
    def tags(self) -> set[str]:
        """Every tag that was ever listed, or is on a mention."""
        listed = {row["tag"] for row in self.table("history.tags")}
        return (listed | {row["tag"] for row in self.table("social_connect.mention_tags")}) - {None}

    @cached_property
    def members(self) -> list[Json]:
        """Who was in which team from when to when; those of the first reading have been since ever."""
        rows = self.table("history.team_members")
        first = min(row["valid_from"] for row in rows)
        return [
            {
                "team": row["team_id"],
                "agent": row["user_id"],
                "start": LONG_AGO if row["valid_from"] == first else row["valid_from"],
                "end": row["valid_to"] or FAR_AHEAD,
            }
            for row in rows
            if row["user_id"]
        ]

    def teams_of(self, agent: str | None, at: datetime) -> set[str]:
        """The teams that an agent was in at an instant."""
        return {row["team"] for row in self.members if row["agent"] == agent and row["start"] <= at < row["end"]}

    # --- Hours ---

    @cached_property
    def _hours(self) -> dict[str, list[tuple[datetime, datetime]]]:
        """The working time of each schedule, around all that happened."""
        periods = grouped(self.table("history.business_hours_periods"), "business_hours_schedule_id", "valid_from")
        holidays = self.rule("holidays")
        first = min(row["published_at"] or row["added_at"] for rows in self._raw.values() for row in rows)
        found = {}
        for (name,), versions in grouped(self.table("history.business_hours_schedules"), "id").items():
            schedule = Schedule(
                [
                    Version(
                        row["timezone"],
                        [
                            (each["day_of_week"], each["start_time"], each["end_time"])
                            for each in periods[name, row["valid_from"]]
                        ],
                        row["valid_from"],
                    )
                    for row in sorted(versions, key=lambda row: row["valid_from"])
                ],
                [
                    Holiday(
                        datetime.fromisoformat(row["holiday_date"]).date(),
                        row["start_time"] or None,
                        row["end_time"] or None,
                    )
                    for row in holidays
                    if row["schedule_id"] in {"", name}
                ],
            )
            found[name] = stretches(schedule, first.date() - timedelta(days=3), self.now.date() + timedelta(days=3))
        return found

    def _schedule(self, agent: str | None, at: datetime, topic: str | None) -> str | None:
        """In whose hours it is measured what somebody did to an item of a topic."""
        given = {(row["scope"], row["scope_id"]): row["schedule_id"] for row in self._assigned}
        told = None
        for version in self._users.get(agent or "", ()):
            if told is None or version["valid_from"] <= at:
                told = version
        in_hours_of = sorted(team for team in self.teams_of(agent, at) if ("team", team) in given)
        return (
            given.get(("agent", agent or ""))
            or (told and told["business_hours_schedule_id"])
            or (given["team", in_hours_of[0]] if in_hours_of else None)
            or given.get(("topic", topic or ""))
            or given.get(("account", ""))
        )

    @cached_property
    def _assigned(self) -> list[dict[str, str]]:
        return self.rule("business_hours_assignments")

    @cached_property
    def _users(self) -> dict[str, list[Json]]:
        versions = sorted(self.table("history.users"), key=lambda row: row["valid_from"])
        return {name: rows for (name,), rows in grouped(versions, "id").items()}

    def _within(self, schedule: str | None, start: datetime | None, end: datetime | None) -> int | None:
        if schedule not in self._hours or start is None or end is None:
            return None
        return worked(self._hours[schedule], start, end) if start < end else 0

    def _is_open(self, schedule: str | None, at: datetime) -> bool | None:
        return any(start <= at < end for start, end in self._hours[schedule]) if schedule in self._hours else None

    # --- Mentions and cases ---

    @cached_property
    def all_mentions(self) -> list[Json]:
        """Own and deleted ones too."""
        return self._items("mention")

    @cached_property
    def mentions(self) -> list[Json]:
        """Those of customers that are not deleted."""
        return [row for row in self.all_mentions if not row["is_own"] and not row["is_deleted"]]

    @cached_property
    def all_cases(self) -> list[Json]:
        """Own and deleted ones too."""
        return self._items("case")

    @cached_property
    def cases(self) -> list[Json]:
        """Those of customers that are not deleted."""
        return [row for row in self.all_cases if not row["is_own"] and not row["is_deleted"]]

    @cached_property
    def _raw(self) -> dict[str, list[Json]]:
        return {kind: self.table(f"social_connect.{kind}s") for kind in ("mention", "case")}

    @cached_property
    def _actions(self) -> dict[tuple[str, str], list[Json]]:
        """Of each item, from the oldest; of two in one second, the one that the API lists further down came first."""
        found: dict[tuple[str, str], list[Json]] = defaultdict(list)
        for kind in ("mention", "case"):
            topics = {row["unique_id"]: row["topic_id"] for row in self._raw[kind]}
            named = grouped(self.table(f"social_connect.{kind}_action_assignees"), "unique_id", "action_position")
            rows = self.table(f"social_connect.{kind}_actions")
            for row in sorted(rows, key=lambda row: (row["added_at"], -row["position"])):
                who = named.get((row["unique_id"], row["position"]), [])
                schedule = self._schedule(row["user_id"], row["added_at"], topics[row["unique_id"]])
                found[kind, row["unique_id"]].append(
                    row
                    | {
                        "status": row["metadata_status"] if row["type"] == "status" else None,
                        "agents": sorted(each["id"] for each in who if each["type"] == "user"),
                        "teams": sorted(each["id"] for each in who if each["type"] == "team"),
                        "schedule": schedule,
                        "is_in_hours": self._is_open(schedule, row["added_at"]),
                    }
                )
        return found

    def _items(self, kind: str) -> list[Json]:
        tags = grouped(self.table("social_connect.mention_tags"), "unique_id")
        linked = grouped(self.table("social_connect.case_linked_mentions"), "unique_id")
        answers = grouped(self.table(f"social_connect.{kind}_attachments"), "unique_id")
        return [
            self._item(kind, row, linked[row["unique_id"],])
            | {
                "tags": {tag["tag"] for tag in tags[row["unique_id"],]} if kind == "mention" else set(),
                "attachments": sorted(answers[row["unique_id"],], key=lambda each: each["position"]),
            }
            for row in self._raw[kind]
        ]

    def _item(self, kind: str, row: Json, linked: Sequence[Json]) -> Json:
        published, at = row["published_at"], row["published_at"] or row["added_at"]
        actions = self._actions[kind, row["unique_id"]]
        assigns = [action for action in actions if action["type"] == "assign"]
        replies = [action for action in actions if action["type"] == "reply"]
        resolves = [action for action in actions if action["status"] == "done"]
        reopenings = [
            after
            for before, after in pairwise(action for action in actions if action["status"])
            if before["status"] == "done" != after["status"]
        ]
        named_agents = [action["agents"] for action in assigns if action["agents"]]
        spells = _spells(row, actions)
        firsts: dict[str, Iterable[Json]] = {
            "first_response": replies,
            "first_human_response": (action for action in replies if action["user_id"]),
            "first_action": actions,
            "first_assignment": _assignments(assigns),
            "resolve": resolves,
        }
        return {
            "object": kind,
            "raw": row,
            "account_id": row["account_id"],
            "unique_id": row["unique_id"],
            "topic_id": row["topic_id"] or "unknown",
            "topic": self.topics[row["topic_id"] or "unknown"],
            "channel": row["source_service"] or "unknown",
            "language": row["message_language"] or "unknown",
            "sentiment": row["message_sentiment"] or "unknown",
            "status": row["status"],
            "is_own": bool(row["author_managed"]),
            "is_deleted": row["deleted_at"] is not None,
            "published": published,
            "at": at,
            "day": local(at).date(),
            "actions": actions,
            "replies": replies,
            "resolves": resolves,
            "has_reply": bool(replies),
            "has_resolve": bool(resolves),
            "reopenings": len(reopenings),
            "handoffs": sum(before != after for before, after in pairwise(named_agents)),
            "human_replies": [action for action in replies if action["user_id"]],
            "is_owned": spells[-1].is_owned,
            "agents": assigns[-1]["agents"] if assigns else [],
            "holding_teams": assigns[-1]["teams"] if assigns else [],
            "teams": {team for action in assigns for team in action["teams"]},
            "spells": spells,
            "waiting_since": self._waiting_since(kind, row, actions, reopenings, linked),
            **{name: self._until(published, found) for name, found in firsts.items()},
        }

    def _until(self, published: datetime | None, found: Iterable[Json]) -> Lengths:
        """From publication to the first of these actions, in the hours of who took it."""
        first = next(iter(found), None)
        if first is None:
            return None, None
        return seconds(published, first["added_at"]), self._within(first["schedule"], published, first["added_at"])

    def time_in(self, item: Json, status: str) -> Lengths:
        """Over all spells of a status that have ended; within hours not known where one is not."""
        ended = [each for each in _by_status(item["spells"]) if each.status == status and each.end]
        within = [self._within(each.schedule, each.start, each.end) for each in ended]
        known = [each for each in within if each is not None]
        return sum(seconds(each.start, each.end) or 0 for each in ended), (
            sum(known) if len(known) == len(within) else None
        )

    def _waiting_since(
        self, kind: str, row: Json, actions: Iterable[Json], reopenings: Sequence[Json], linked: Iterable[Json]
    ) -> datetime | None:
        """The first message of the customer, or reopening, since the last answer; None when nobody waits."""
        answers = [action["added_at"] for action in actions if action["type"] == "reply" or action["status"] == "done"]
        since: datetime | None
        if kind == "mention":
            since, later = row["published_at"] or row["added_at"], [action["added_at"] for action in reopenings]
        else:
            own = {each["unique_id"] for each in self._raw["mention"] if each["author_managed"]}
            listed = [each for each in linked if each["mention_unique_id"] not in own]
            since, later = None, [each["published_at"] or each["added_at"] for each in listed]
            for each in linked:
                of_mention = self._actions.get(("mention", each["mention_unique_id"]), [])
                answers += [action["added_at"] for action in of_mention if action["type"] == "reply"]
        # In one second, the message comes before what is done about it; a mention begins before anything is done.
        for at, is_answer in sorted([*((at, False) for at in later), *((at, True) for at in answers)]):
            since = None if is_answer else since or at
        return since


def _assignments(assigns: Sequence[Json]) -> Iterator[Json]:
    """Those that name somebody; before the first of them also those that name nobody, as the API did not tell whom."""
    somebody_was_named = False
    for action in assigns:
        is_named = bool(action["agents"] or action["teams"])
        if is_named or not somebody_was_named:
            yield action
        somebody_was_named |= is_named


def _spells(row: Json, actions: Sequence[Json]) -> list[Spell]:
    """From when it came in; the last one goes on."""
    is_told = any(action["status"] for action in actions)
    found = [Spell("new" if is_told else row["status"] or "new", False, row["added_at"])]
    for action in actions:
        last = found[-1]
        status = action["status"] or last.status
        is_owned = bool(action["agents"]) if action["type"] == "assign" else last.is_owned
        if (status, is_owned) != (last.status, last.is_owned):
            last.end, last.schedule = action["added_at"], action["schedule"]
            found.append(Spell(status, is_owned, action["added_at"], action["user_id"]))
    return found


def _by_status(spells: Iterable[Spell]) -> list[Spell]:
    """The same, where only the status counts."""
    found: list[Spell] = []
    for each in spells:
        if found and found[-1].status == each.status:
            found[-1].end, found[-1].schedule = each.end, each.schedule
        else:
            found.append(Spell(**vars(each)))
    return found


def undone_resolves(item: Json) -> list[tuple[str | None, datetime]]:
    """Who resolved it, and when, of each time that it was reopened again."""
    return [(each.by, each.start) for each in _by_status(item["spells"]) if each.status == "done" and each.end]


def status_differs(item: Json) -> bool:
    """Whether the API says another status than the last action."""
    return bool(item["spells"][-1].status != item["status"])

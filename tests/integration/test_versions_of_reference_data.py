"""The versions of reference data are those that whoever looked at each sync, and wrote down what differs, would have.

The truth is a replay: what the lists showed at each reading, row by row, in columns chosen by hand.
"""

# ruff: noqa: S608 - names of tables come from this file

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from pipelines.api import AuthenticationFailed

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Version = tuple[Any, ...]
Observed = dict[str, set[Version]]
Interval = tuple[Version, datetime, datetime | None]
Make = Callable[..., Any]

ACCOUNTS = (1417, 1418)

USER = ("id", "name", "email", "avatar", "account_role", "business_hours_schedule_id")
PROFILE = ("id", "type", "service_id", "displayname", "username", "avatar", "provider")
DATED = ("added_at", "updated_at")

# The columns of a version: all but what is only true at the moment (availability, counts of users, being in the hours),
# and the place in a list.
COLUMNS: dict[str, tuple[str, ...]] = {
    "users": USER,
    "teams": ("id", "name", "is_shown_in_team_performance", *DATED),
    "team_members": ("team_id", "user_id", *USER[1:]),
    "user_roles": ("id", "title", "license", *DATED),
    "user_role_permissions": ("user_role_id", "permission"),
    "user_role_topics": ("user_role_id", "topic_id", "topic_name"),
    "tags": (
        *("id", "tag", "filter", "color_code", "parent_id", "is_visible", "is_category_model_tag", "is_smart_tag"),
        "status",
    ),
    "topics": ("id", "name", "searchkeywords"),
    "topic_monitored_profiles": (*("topic_id", *PROFILE, "filters_postedby", "filters_postedin", "filters_profile"),),
    "business_hours_schedules": ("id", "name", "timezone", "summary", *DATED),
    "business_hours_periods": ("business_hours_schedule_id", "day_of_week", "start_time", "end_time"),
}
HOURLY = {"topics", "topic_monitored_profiles", "users", "teams", "team_members"}
EVERY_FOUR_HOURS = {"tags", "business_hours_schedules", "business_hours_periods"}
DAILY = {"user_roles", "user_role_permissions", "user_role_topics"}
REFERENCE = ["topics", "users", "teams", "user_roles", "tags", "business_hours_schedules"]


# --- what the lists show ---


def seen(box: Any, account_id: int) -> Observed:  # noqa: C901 - a list of lists
    """The rows that the lists of an account show now, in the columns above."""
    rows: Observed = {table: set() for table in COLUMNS}

    def note(table: str, values: dict[str, Any]) -> None:
        rows[table].add((str(account_id), *(values.get(name) for name in COLUMNS[table])))

    for user in box.users(account_id):
        note("users", person(user))
    for team in box.objects(account_id, "teams"):
        shown = team["show_in_team_performance"]
        note(
            "teams", {"id": str(team["id"]), "name": team["name"], "is_shown_in_team_performance": shown} | dates(team)
        )
        for user in team["users"]:
            note("team_members", person(user) | {"team_id": str(team["id"]), "user_id": str(user["id"])})
    for role in box.objects(account_id, "userroles"):
        note("user_roles", {name: role[name] for name in ("id", "title", "license")} | dates(role))
        for permission in role["permissions"]:
            note("user_role_permissions", {"user_role_id": role["id"], "permission": permission})
        for topic in role["topics"]:
            named = {"user_role_id": role["id"], "topic_id": str(topic["id"]), "topic_name": topic["name"]}
            note("user_role_topics", named)
    for tag in box.objects(account_id, "tags"):
        note(
            "tags",
            {name: tag.get(name) for name in ("tag", "filter", "color_code", "status")}
            | {"id": str(tag["id"]), "parent_id": text(tag.get("parent_id")), "is_visible": tag["visible"]}
            | {"is_category_model_tag": tag["category_model_tag"], "is_smart_tag": tag["is_smarttag"]},
        )
    for topic in box.topics(account_id):
        words = json.dumps(topic["searchkeywords"]) if "searchkeywords" in topic else None
        note("topics", {"id": str(topic["id"]), "name": topic["name"], "searchkeywords": words})
        for profile in topic.get("monitoredprofiles", ()):
            filters = profile["filters"] or {}
            note(
                "topic_monitored_profiles",
                {name: profile.get(name) for name in PROFILE}
                | {"topic_id": str(topic["id"]), "id": str(profile["id"]), "service_id": str(profile["service_id"])}
                | {f"filters_{name}": filters.get(name) for name in ("postedby", "postedin", "profile")},
            )
    for schedule in box.schedules(account_id):
        named = {name: schedule[name] for name in ("id", "name", "timezone", "summary")}
        note("business_hours_schedules", named | dates(schedule))
        for period in schedule["periods"]:
            note(
                "business_hours_periods",
                {"business_hours_schedule_id": schedule["id"], "day_of_week": period["dayofweek"]}
                | {"start_time": period["start"], "end_time": period["end"]},
            )
    return rows


def person(user: Json) -> dict[str, Any]:
    return {name: text(user.get(name)) for name in USER}


def dates(shown: Json) -> dict[str, datetime]:
    date = shown.get("date", {})
    return {f"{name}_at": datetime.fromtimestamp(date[name], UTC) for name in ("added", "updated") if name in date}


def text(value: Any) -> str | None:
    return None if value is None else str(value)


# --- the replay ---


class _Replay:
    """Whoever looks at the lists now and then, and writes down from when to when each row was there."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.open: dict[tuple[str, str], dict[Version, datetime]] = defaultdict(dict)
        self.closed: dict[str, list[Interval]] = defaultdict(list)

    def sync(self, tables: Iterable[str] | None = None, **options: Any) -> None:
        """Syncs, looks at the lists of some tables, and finds the warehouse to have the same versions."""
        tables = COLUMNS if tables is None else tables
        self.site.sync(**options)
        for account_id in ACCOUNTS:
            rows = seen(self.site.box, account_id)
            for table in tables:
                self._look(table, str(account_id), rows[table], self.site.box.now)
        self.assert_same()

    def _look(self, table: str, account_id: str, rows: set[Version], now: datetime) -> None:
        is_open = self.open[table, account_id]
        for gone in [version for version in is_open if version not in rows]:
            self.closed[table].append((gone, is_open.pop(gone), now))
        for version in rows:
            is_open.setdefault(version, now)

    def intervals(self, table: str) -> list[Interval]:
        present = [
            (version, since, None)
            for (name, _), versions in self.open.items()
            for version, since in versions.items()
            if name == table
        ]
        return [*self.closed[table], *present]

    def assert_same(self) -> None:
        for table, intervals in held(self.site).items():
            expected, found = Counter(self.intervals(table)), Counter(intervals)
            assert not (found - expected), f"{table}: too many: {list(found - expected)[:3]}"
            assert not (expected - found), f"{table}: missing: {list(expected - found)[:3]}"
            assert_intervals_are_sound(table, intervals)


def assert_intervals_are_sound(table: str, intervals: list[Interval]) -> None:
    """None is empty, and no version is there twice at a time; of an object there is one version at a time."""
    spans: dict[Version, list[tuple[datetime, datetime]]] = defaultdict(list)
    for version, start, end in intervals:
        assert end is None or start < end, f"{table}: {version} is valid from {start} to {end}"
        thing = version[:2] if COLUMNS[table][0] == "id" else version
        spans[thing].append((start, end or datetime.max.replace(tzinfo=UTC)))
    for thing, held_spans in spans.items():
        in_order = sorted(held_spans)
        for (_, end), (start, _) in pairwise(in_order):
            assert end <= start, f"{table}: {thing} has two versions at {start}"


def held(site: Any) -> dict[str, list[Interval]]:
    """The versions that the warehouse has, by table; none of a list that was never read."""
    with duckdb.connect(site.home / "warehouse.duckdb", read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        present = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'history'").fetchall()
        return {
            table: [
                ((account_id, *map(in_one_writing, columns, values)), valid_from, valid_to)
                for account_id, *values, valid_from, valid_to in con.execute(
                    f"SELECT account_id, {', '.join(columns)}, valid_from, valid_to FROM history.{table}"
                ).fetchall()
            ]
            if (table,) in present
            else []
            for table, columns in COLUMNS.items()
        }


def in_one_writing(column: str, value: Any) -> Any:
    return json.dumps(json.loads(value)) if column == "searchkeywords" and value is not None else value


# --- the tests ---


@pytest.fixture
def replay(make_site: Make) -> _Replay:
    """Two accounts, hardly any mentions, and no statistics of long ago."""
    return _Replay(make_site(accounts=ACCOUNTS, mentions=3, options={"social_connect_start_date": "2026-02-27"}))


def test_a_version_has_all_that_lasts_and_nothing_of_the_moment(replay: _Replay) -> None:
    replay.sync(stream_names=REFERENCE)
    for table, columns in COLUMNS.items():
        described = replay.site.rows(f"DESCRIBE history.{table}")
        names = {name for name, *_ in described}
        assert names == {"account_id", *columns, "_version_hash", "valid_from", "valid_to"}, table
    known = {
        name for (name,) in replay.site.rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'history'")
    }
    found_out = {"schema_changes", "reconciliations", "deletions", "days_read", "lateness", "erasures", "layout"}
    assert known == {*COLUMNS, *found_out, "runs", "run_streams", "run_requests"}


def test_lists_are_looked_at_in_their_rhythm(replay: _Replay) -> None:
    """Topics and people by the hour, tags and hours every four, roles by the day; what happens between shows later."""
    box = replay.site.box
    replay.sync()
    for account_id in ACCOUNTS:
        rename_everything(box, account_id, "A")
    box.advance(minutes=50)
    replay.sync(())
    box.advance(minutes=45)
    replay.sync(HOURLY)
    box.advance(hours=3)
    replay.sync(HOURLY | EVERY_FOUR_HOURS)
    rename_everything(box, 1418, "B")
    box.advance(hours=23)
    replay.sync(HOURLY | EVERY_FOUR_HOURS | DAILY)
    closed = {table for table in COLUMNS if replay.closed[table]}
    assert closed == set(COLUMNS) - {"topic_monitored_profiles"}, "else a table was not put to the test"


def rename_everything(box: Any, account_id: int, name: str) -> None:
    users, team = box.users(account_id), box.objects(account_id, "teams")[0]
    role, schedule = box.objects(account_id, "userroles")[0], box.schedules(account_id)[0]
    box.change(account_id, "users", users[0]["id"], name=f"User {name}", email=None)
    box.change(account_id, "teams", team["id"], name=f"Team {name}", users=[user["id"] for user in users[-2:]])
    box.change(account_id, "userroles", role["id"], title=f"Role {name}", permissions=role["permissions"][1:])
    box.change(account_id, "tags", box.objects(account_id, "tags")[0]["id"], color_code=name)
    box.change(account_id, "topics", box.topics(account_id)[0]["id"], name=f"Topic {name}")
    periods = [{"dayofweek": 1, "start": "0900", "end": f"1{len(schedule['periods']) % 10}00"}]
    box.change(account_id, "businesshoursschedules", schedule["id"], summary=name, periods=periods)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_to_the_lists(replay: _Replay, seed: int) -> None:
    """Acts drawn at random in both accounts, some between the same two looks, some undone before or after one."""
    draw, box = random.Random(seed), replay.site.box
    replay.sync(stream_names=REFERENCE)
    for _ in range(6):
        for _ in range(draw.randrange(5)):
            something_happens(draw, box, draw.choice(ACCOUNTS))
            box.advance(seconds=draw.randrange(90))
        box.advance(seconds=draw.choice([1, 600, 7_200, 40_000]))
        replay.sync(stream_names=REFERENCE)
    versions = sum(len(replay.closed[table]) for table in COLUMNS)
    assert versions > 10, "else little was put to the test"


def something_happens(draw: random.Random, box: Any, account_id: int) -> None:
    users, teams = box.users(account_id), box.objects(account_id, "teams")
    roles, tags = box.objects(account_id, "userroles"), box.objects(account_id, "tags")
    topics, schedules = box.topics(account_id), box.schedules(account_id)
    user, team, role, tag = (draw.choice(each) for each in (users, teams, roles, tags))
    schedule, name = draw.choice(schedules), f"n{draw.randrange(3)}"
    members = [each["id"] for each in team["users"]]
    one, permission = user["id"], "watchdogs.read"
    toggled = [each for each in members if each != one] if one in members else [*members, one]
    granted = [each for each in role["permissions"] if each != permission]
    period = {"dayofweek": draw.randrange(1, 8), "start": "0000", "end": "2400"}
    acts: list[Callable[[], Any]] = [
        lambda: box.add(account_id, "users", name=name),
        lambda: box.change(account_id, "users", one, name=name),
        lambda: box.change(account_id, "users", one, business_hours_schedule_id=schedule["id"]),
        lambda: box.change(account_id, "users", one, business_hours_schedule_id=None),
        lambda: box.change(account_id, "teams", team["id"], users=toggled),
        lambda: box.change(account_id, "teams", team["id"], show_in_team_performance=draw.random() < 0.5),
        lambda: box.add(account_id, "teams", name=name, users=members),
        lambda: box.change(
            account_id, "userroles", role["id"], permissions=draw.choice([granted, [*granted, permission]])
        ),
        lambda: box.change(account_id, "userroles", role["id"], topics=[draw.choice(topics)["id"]]),
        lambda: box.change(account_id, "tags", tag["id"], visible=not tag["visible"]),
        lambda: box.add(account_id, "tags", tag=name, parent_id=tag["id"]),
        lambda: box.change(account_id, "topics", draw.choice(topics)["id"], name=name),
        lambda: box.change(
            account_id, "businesshoursschedules", schedule["id"], periods=[*schedule["periods"], period]
        ),
        lambda: box.change(account_id, "businesshoursschedules", schedule["id"], periods=schedule["periods"][1:]),
        lambda: box.add(account_id, "businesshoursschedules", name=name, timezone="Asia/Tokyo", periods=[period]),
    ]
    if len(users) > 3 and one != users[0]["id"]:  # the first is the token's
        acts.append(lambda: box.remove(account_id, "users", one))
    if len(teams) > 1:
        acts.append(lambda: box.remove(account_id, "teams", team["id"]))
    if len(tags) > 2:
        acts.append(lambda: box.remove(account_id, "tags", tag["id"]))
    if len(schedules) > 1:
        acts.append(lambda: box.remove(account_id, "businesshoursschedules", schedule["id"]))
    draw.choice(acts)()


def test_what_comes_back_is_a_new_version_of_the_same(replay: _Replay) -> None:
    box = replay.site.box
    team = box.objects(1417, "teams")[0]
    members = [user["id"] for user in team["users"]]
    user = box.users(1417)[-1]["id"]
    without = [member for member in members if member != user]
    for users in ([*without, user], without, [*without, user]):
        box.change(1417, "teams", team["id"], users=users)
        replay.sync({"teams", "team_members"}, stream_names=["teams"])
        box.advance(hours=2)
    times = replay.site.rows(
        "SELECT valid_to IS NULL FROM history.team_members WHERE account_id = '1417' AND team_id = $1 AND user_id = $2"
        " ORDER BY valid_from",
        str(team["id"]),
        str(user),
    )
    assert times == [(False,), (True,)]


def test_a_list_that_is_emptied_has_no_version_any_more(replay: _Replay) -> None:
    """In one account; the other's go on."""
    box = replay.site.box
    replay.sync(stream_names=REFERENCE)
    for list_name in ("teams", "tags", "businesshoursschedules"):
        for each in box.objects(1417, list_name):
            box.remove(1417, list_name, each["id"])
    box.advance(hours=1)
    replay.sync(stream_names=REFERENCE)
    for table in ("teams", "team_members", "tags", "business_hours_schedules", "business_hours_periods"):
        present = replay.site.rows(f"SELECT DISTINCT account_id FROM history.{table} WHERE valid_to IS NULL")
        assert present == [("1418",)], table


@pytest.mark.parametrize("fault", ["throttle", "expired_token"])
def test_a_list_that_was_read_half_way_closes_and_opens_nothing(replay: _Replay, fault: str) -> None:
    box = replay.site.box
    for number in range(60):
        box.add(1417, "users", name=f"Agent {number}")
    replay.sync({"users"}, stream_names=["users"])
    before = sorted(map(repr, held(replay.site)["users"]))
    box.change(1417, "users", box.users(1417)[0]["id"], name="Changed")
    box.remove(1417, "users", box.users(1417)[-1]["id"])
    box.advance(hours=2)
    box.faults.add(fault, path="1417/settings/users", after=1)
    try:
        assert replay.site.sync(stream_names=["users"]).budget_was_used_up
    except AuthenticationFailed:
        assert fault == "expired_token"
    assert sorted(map(repr, held(replay.site)["users"])) == before
    box.advance(hours=2)
    replay.sync({"users"}, stream_names=["users"])


@pytest.mark.parametrize("stream_names", [None, REFERENCE])
def test_a_run_as_of_an_earlier_time_changes_nothing(replay: _Replay, stream_names: list[str] | None) -> None:
    box = replay.site.box
    replay.sync(stream_names=REFERENCE)
    before = held(replay.site)
    rename_everything(box, 1417, "A")
    replay.site.sync(as_of=box.now - timedelta(days=2), stream_names=stream_names)
    assert held(replay.site) == before
    box.advance(hours=1)
    replay.sync(stream_names=REFERENCE)


def test_two_runs_as_of_the_same_time_leave_no_empty_version(replay: _Replay) -> None:
    """The later one counts."""
    box = replay.site.box
    replay.sync(stream_names=REFERENCE)
    box.advance(hours=1)
    rename_everything(box, 1417, "A")
    replay.site.sync(stream_names=REFERENCE)
    rename_everything(box, 1417, "B")
    replay.sync(stream_names=REFERENCE)

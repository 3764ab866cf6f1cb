"""Every clock of every policy on random items, against a loop in plain Python that follows them piece by piece."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter, defaultdict
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import pyarrow as pa
import pytest
from dbt_commands import dbt, make_source_tables
from working_time import (
    ACCOUNT,
    FAR_AHEAD,
    LONG_AGO,
    WORKDAYS,
    Holiday,
    Schedule,
    Span,
    Version,
    holidays_of,
    insert_schedules,
    random_schedule,
    stretches,
    week,
    worked,
    write_rules,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Row = dict[str, Any]
Item = tuple[str, str, str]
"""Account, object and unique_id."""

OTHER_ACCOUNT = "2020"
OPENING, AS_OF, LATER = (datetime(2024, month, 1, 8, tzinfo=UTC) for month in (3, 5, 6))
TOPICS = ("100", "200", "300", None)
CHANNELS = ("facebook", "whatsapp", "twitter", None)
PRIORITIES = (None, "low", "medium", "high")
TAGS = ("VIP", "refund", None)
TARGETS = (60, 600, 3_600, 7_200, 28_800, 32_400, 90_000, 400_000)


# --- What there is ----------------------------------------------------------------------------------------------------


class Action(NamedTuple):
    """What somebody did to an item; an item's are in the order in which they happened."""

    at: datetime
    kind: str
    status: str | None = None
    priority: str | None = None
    previous_priority: str | None = None


@dataclass
class Thing:
    """A mention or a case."""

    key: Item
    topic: str | None
    channel: str | None
    is_own: bool
    status: str | None
    priority: str | None
    published_at: datetime | None
    added_at: datetime
    actions: list[Action]
    load: str
    tags: list[str | None] = field(default_factory=list)
    mentions: list[Thing] = field(default_factory=list)
    deleted_at: datetime | None = None

    @property
    def item_at(self) -> datetime:
        """When it happened as far as known."""
        return self.published_at or self.added_at


@dataclass
class Policy:
    """A row of the file of policies."""

    policy_id: str
    account_id: str | None
    object: str
    metric: str
    target_seconds: int
    clock: str
    schedule_id: str | None
    topic_id: str | None
    channel: str | None
    priority: str | None
    tag: str | None
    pauses_while_pending: bool
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass
class World:
    """All of it at one instant."""

    things: dict[Item, Thing]
    policies: list[Policy]
    schedules: dict[str, Schedule]
    assigned: dict[tuple[str, str, str | None], str]
    as_of: datetime


# --- The rules, one after the other -----------------------------------------------------------------------------------


class Cycle(NamedTuple):
    """A time in which something was to be done."""

    number: int
    start: datetime
    is_known: bool
    end: datetime | None
    reason: str


class Application(NamedTuple):
    """A part of a cycle in which a policy applied."""

    number: int
    priority: str
    applied_at: datetime
    end: datetime | None
    reason: str


def cycles(thing: Thing, metric: str) -> list[Cycle]:
    """The cycles of a metric; what was running when the item went is cancelled, and nothing starts after."""
    found = {"first_response": first_response, "next_response": next_responses, "resolve": resolves}[metric](thing)
    gone = thing.deleted_at
    if gone is None:
        return found
    return [
        cycle._replace(end=gone, reason="cancelled") if cycle.end is None or cycle.end > gone else cycle
        for cycle in found
        if cycle.start < gone
    ]


def first_response(thing: Thing) -> list[Cycle]:
    ends = [(each.at, number, reason) for number, each in enumerate(thing.actions) for reason in ended_by(each)]
    ends += [
        (each.at, number, "replied")
        for mention in thing.mentions
        for number, each in enumerate(mention.actions)
        if each.kind == "reply" and each.at >= thing.item_at
    ]
    end, _, reason = min(ends, default=(None, 0, "open"))
    return [Cycle(1, thing.item_at, thing.published_at is not None, end, reason)]


def ended_by(action: Action) -> list[str]:
    if action.kind == "reply":
        return ["replied"]
    return ["resolved"] if action.status == "done" else []


def next_responses(thing: Thing) -> list[Cycle]:
    """The waits after the first: of a mention from its reopenings, in a case from the customer's messages."""
    happened: list[tuple[datetime, int, str]] = []
    if thing.key[1] == "case":
        for mention in thing.mentions:
            if not mention.is_own:
                happened.append((mention.item_at, -1, "told" if mention.published_at else "added"))
            happened += [(each.at, n, "replied") for n, each in enumerate(mention.actions) if each.kind == "reply"]
    else:
        happened.append((LONG_AGO, -1, "told"))
    is_done = False
    for number, each in enumerate(thing.actions):
        happened += [(each.at, number, reason) for reason in ended_by(each)]
        if each.status is not None:
            if is_done and each.status != "done" and thing.key[1] == "mention":
                happened.append((each.at, number, "told"))
            is_done = each.status == "done"
    waits: list[Cycle] = []
    is_waiting = False
    for at, _, what in sorted(happened, key=lambda each: each[:2]):
        if what in {"told", "added"} and not is_waiting:
            waits.append(Cycle(len(waits), at, what == "told", None, "open"))
            is_waiting = True
        elif what in {"replied", "resolved"} and is_waiting:
            waits[-1] = waits[-1]._replace(end=at, reason=what)
            is_waiting = False
    return waits[1:]


def resolves(thing: Thing) -> list[Cycle]:
    found = [Cycle(1, thing.item_at, thing.published_at is not None, None, "open")]
    for each in thing.actions:
        if each.status == "done" and found[-1].end is None:
            found[-1] = found[-1]._replace(end=each.at, reason="resolved")
        elif each.status not in {None, "done"} and found[-1].end is not None:
            found.append(Cycle(len(found) + 1, each.at, True, None, "open"))
    return found


def priority_at(thing: Thing, instant: datetime) -> str:
    """What was set last, up to and with the instant; before all else, what the first change says was before."""
    changes = [each for each in thing.actions if each.priority is not None]
    priority = changes[0].previous_priority if changes else thing.priority
    for each in changes:
        if each.at <= instant:
            priority = each.priority
    return priority or "none"


def applications(thing: Thing, cycle: Cycle, wanted: str | None) -> list[Application]:
    """When a policy for a priority applied in a cycle: at once and to the end, if it is for any."""
    start = priority_at(thing, cycle.start)
    if wanted is None:
        return [Application(1, start, cycle.start, cycle.end, cycle.reason)]
    turns = [(cycle.start, start)]
    for at in sorted({each.at for each in thing.actions if each.priority is not None}):
        if cycle.start < at < (cycle.end or FAR_AHEAD) and priority_at(thing, at) != turns[-1][1]:
            turns.append((at, priority_at(thing, at)))
    return [
        Application(number, priority, at, *(
            (turns[number][0], "superseded") if number < len(turns) else (cycle.end, cycle.reason)
        ))
        for number, (at, priority) in enumerate(turns, start=1)
        if priority == wanted
    ]  # fmt: skip


def pendings(thing: Thing) -> list[tuple[datetime, datetime | None]]:
    """When the item was pending; to set what it is already changes nothing."""
    sets = [(each.at, each.status) for each in thing.actions if each.status is not None]
    status = "new" if sets else thing.status
    found: list[tuple[datetime, datetime | None]] = [(thing.added_at, None)] if status == "pending" else []
    for at, new in sets:
        if status == "pending" != new:
            found[-1] = (found[-1][0], at)
        elif new == "pending" != status:
            found.append((at, None))
        status = new
    return found


def cut(pauses: Iterable[tuple[datetime, datetime | None]], start: datetime, end: datetime | None) -> list[Any]:
    """The parts of the pauses that lie between two instants, the second of which may not have come."""
    found = []
    for a, b in pauses:
        paused = max(a, start)
        resumed = min(each for each in (b, end, FAR_AHEAD) if each is not None)
        if paused < resumed:
            found.append((paused, resumed if b or end else None))
    return found


def pieces(spans: list[Span], pauses: list[Any], start: datetime) -> Iterator[Span]:
    """The stretches after an instant in which a clock runs: working time, but for the pauses."""
    for a, b in spans[max(bisect_right(spans, (start, FAR_AHEAD)) - 1, 0) :]:
        at = max(a, start)
        for paused, resumed in pauses:
            if at < min(b, paused):
                yield at, min(b, paused)
            at = max(at, min(b, resumed or FAR_AHEAD) if paused < b else b)
        if at < b:
            yield at, b


def expected_events(world: World) -> dict[tuple[Any, ...], Row]:
    """Every row that fct_sla_events has to have, by its key."""
    last = (world.as_of + timedelta(days=1096)).date()
    spans = {name: stretches(schedule, date(2024, 2, 1), last) for name, schedule in world.schedules.items()}
    found: dict[tuple[Any, ...], Row] = {}
    for policy in world.policies:
        for thing in world.things.values():
            if not selects(policy, thing):
                continue
            for cycle in cycles(thing, policy.metric):
                if (policy.valid_from or LONG_AGO) <= cycle.start < (policy.valid_to or FAR_AHEAD):
                    for each in applications(thing, cycle, policy.priority):
                        key = (*thing.key, policy.policy_id, cycle.number, each.number)
                        found[key] = expected_event(world, policy, thing, cycle, each, spans)
    return found


def selects(policy: Policy, thing: Thing) -> bool:
    account_id, kind, _ = thing.key
    return (
        policy.object == kind
        and not thing.is_own
        and policy.account_id in {None, account_id}
        and policy.topic_id in {None, thing.topic or "unknown"}
        and policy.channel in {None, thing.channel or "unknown"}
        and (policy.tag is None or policy.tag in thing.tags)
    )


def expected_event(
    world: World, policy: Policy, thing: Thing, cycle: Cycle, each: Application, spans_of: dict[str, list[Span]]
) -> Row:
    schedule_id = None
    spans: list[Span] | None = [(LONG_AGO, FAR_AHEAD)]
    if policy.clock == "business_hours":
        account_id = thing.key[0]
        schedule_id = (
            policy.schedule_id
            or world.assigned.get((account_id, "topic", thing.topic or "unknown"))
            or world.assigned.get((account_id, "account", None))
        )
        # Schedules belong to one account.
        spans = spans_of.get(schedule_id or "") if account_id == ACCOUNT else None
    row: Row = {
        "metric": policy.metric,
        "target_seconds": policy.target_seconds,
        "clock": policy.clock,
        "schedule_id": schedule_id,
        "topic_id": thing.topic or "unknown",
        "channel": thing.channel or "unknown",
        "priority": each.priority,
        "started_at": cycle.start,
        "applied_at": each.applied_at,
        "ended_at": each.end,
        "end_reason": each.reason,
        "is_start_known": cycle.is_known,
        "is_clock_known": spans is not None,
    }
    if spans is None:
        return row | {
            **dict.fromkeys(("elapsed_seconds", "paused_seconds", "due_at", "breached_at", "is_breached")),
            **dict.fromkeys(("is_active", "is_counted", "is_paused"), False),
            "forecast_breach_at": None,
            "is_within_horizon": True,
        }
    pauses = cut(pendings(thing), cycle.start, each.end) if policy.pauses_while_pending else []
    now = each.end or world.as_of
    run, run_to_due, due = timedelta(), timedelta(), None
    target = timedelta(seconds=policy.target_seconds)
    for a, b in pieces(spans, pauses, cycle.start):
        run += max(min(b, now) - a, timedelta())
        if due is None and run_to_due + (b - a) >= target:
            due = a + (target - run_to_due)
        run_to_due += b - a
        if due is not None and b >= now:
            break
    is_breached = run > target
    is_open = each.end is None
    is_paused = due is None and bool(pauses) and pauses[-1][1] is None and is_open
    return row | {
        "elapsed_seconds": None if is_open else int(run.total_seconds()),
        "paused_seconds": sum(worked(spans, a, b) for a, b in pauses if b is not None),
        "due_at": due,
        "breached_at": max(due, each.applied_at) if is_breached and due else None,
        "is_breached": None if is_open and not is_breached else is_breached,
        "is_active": is_open and not is_breached,
        "is_counted": (is_breached or not is_open) and each.reason not in {"superseded", "cancelled"},
        "forecast_breach_at": due if is_open and not is_breached else None,
        "is_paused": is_paused,
        "is_within_horizon": due is not None or is_paused,
    }


# --- Drawing it -------------------------------------------------------------------------------------------------------


def some_time_after(dice: random.Random, start: datetime) -> datetime:
    """Soon or late, in the same second, or where a target is just used up."""
    if dice.random() < 0.1:
        return start
    if dice.random() < 0.3:
        return start + timedelta(seconds=dice.choice(TARGETS) + dice.choice((-2, 0, 0, 2)))
    return start + timedelta(seconds=2 * int(dice.expovariate(1 / 30_000)))


def random_actions(dice: random.Random, start: datetime, parity: int, until: datetime) -> list[Action]:
    """In order; in even or in odd seconds, so that no action on a case is in the second of one on a mention."""
    at = start.replace(second=start.second // 2 * 2 + parity)
    priority = dice.choice(PRIORITIES)
    found = []
    for _ in range(dice.choice((0, 1, 2, 4, 8))):
        at = some_time_after(dice, at)
        kind = dice.choice(("reply", "reply", "status", "status", "status", "property", "property", "note"))
        if at > until:
            break
        if kind == "property":
            before, priority = priority, dice.choice(PRIORITIES[1:])
            found.append(Action(at, kind, priority=priority, previous_priority=before))
        elif kind == "status":
            found.append(Action(at, kind, status=dice.choice(("done", "done", "pending", "pending", "new"))))
        else:
            found.append(Action(at, kind))
    return found


def random_thing(dice: random.Random, key: Item, load: str, parity: int, between: Span) -> Thing:
    length = int((between[1] - between[0]).total_seconds())
    added = between[0] + timedelta(seconds=2 * dice.randrange(length // 2))
    if dice.random() < 0.4:
        # On the hour, at which hours begin and end.
        added = added.replace(minute=0, second=0)
    published = None if dice.random() < 0.2 else added - timedelta(seconds=dice.choice((0, 60, 7_200)))
    start = added - timedelta(seconds=30) if dice.random() < 0.1 else added
    actions = random_actions(dice, start, parity, between[1])
    statuses = [each.status for each in actions if each.status]
    priorities = [each.priority for each in actions if each.priority]
    return Thing(
        key=key,
        topic=dice.choice(TOPICS),
        channel=dice.choice(CHANNELS),
        is_own=dice.random() < 0.1,
        status=statuses[-1] if statuses else dice.choice(("new", "new", "pending", None)),
        priority=priorities[-1] if priorities else dice.choice(PRIORITIES),
        published_at=published,
        added_at=added,
        actions=actions,
        load=load,
        tags=[dice.choice(TAGS) for _ in range(dice.randrange(3))],
        deleted_at=added + timedelta(seconds=dice.randrange(300_000)) if dice.random() < 0.1 else None,
    )


def random_things(dice: random.Random, count: int, load: str, between: Span) -> dict[Item, Thing]:
    """Mentions, and a case for every fourth, with some of the mentions before it."""
    found: dict[Item, Thing] = {}
    mentions: dict[str, list[Thing]] = defaultdict(list)
    for number in range(count):
        account_id = ACCOUNT if dice.random() < 0.9 else OTHER_ACCOUNT
        mention = random_thing(dice, (account_id, "mention", f"{load}_{number}"), load, 1, between)
        found[mention.key] = mention
        mentions[account_id].append(mention)
        if number % 4 == 0:
            case = random_thing(dice, (account_id, "case", f"{load}_{number}"), load, 0, between)
            case.channel, case.tags, case.is_own = "social_case", [], False
            case.mentions = dice.sample(mentions[account_id], min(dice.randrange(4), len(mentions[account_id])))
            found[case.key] = case
    return found


def random_policies(dice: random.Random, count: int, schedules: Iterable[str]) -> list[Policy]:
    found = []
    metrics = ("first_response", "next_response", "resolve")
    names = [*schedules, "nobody_knows_it"]
    for number in range(count):
        is_for_mentions = number % 3 > 0
        clock = "calendar" if dice.random() < 0.4 else "business_hours"
        starts_late, ends_early = dice.random() < 0.1, dice.random() < 0.1
        found.append(
            Policy(
                policy_id=f"policy {number}",
                account_id=dice.choice((None, None, ACCOUNT)),
                object="mention" if is_for_mentions else "case",
                metric=metrics[number // 3 % 3],
                target_seconds=dice.choice(TARGETS),
                clock=clock,
                schedule_id=dice.choice((None, *names)) if clock == "business_hours" else None,
                topic_id=dice.choice((None, None, None, *TOPICS[:3], "unknown")),
                channel=dice.choice((None, None, None, *CHANNELS[:3], "unknown")) if is_for_mentions else None,
                priority=dice.choice((None, *PRIORITIES[1:], "none")),
                tag=dice.choice((None, None, None, "VIP")) if is_for_mentions else None,
                pauses_while_pending=dice.random() < 0.6,
                valid_from=OPENING + timedelta(days=20) if starts_late else None,
                valid_to=OPENING + timedelta(days=30) if ends_early else None,
            )
        )
    return found


def random_world(seed: int, count: int) -> World:
    dice = random.Random(seed)
    office = Schedule([Version("Europe/Brussels", week(WORKDAYS, ("0900", "1700")), OPENING)])
    office.holidays.append(Holiday(date(2024, 4, 1)))
    schedules = {"office": office, "never": Schedule([Version("UTC", [], OPENING)])}
    for zone in ("America/New_York", "Asia/Kolkata", "Australia/Sydney"):
        schedules[zone] = random_schedule(dice, zone)
    return World(
        things=random_things(dice, count, "first", (OPENING, AS_OF)),
        policies=random_policies(dice, 45, schedules),
        schedules=schedules,
        assigned={
            (ACCOUNT, "topic", "100"): "office",
            (ACCOUNT, "topic", "200"): "Asia/Kolkata",
            (ACCOUNT, "account", None): "America/New_York",
            (OTHER_ACCOUNT, "topic", "100"): "office",
        },
        as_of=AS_OF,
    )


def some_time_later(dice: random.Random, world: World) -> World:
    """The same world after what a month may bring, to its items, its policies and its hours."""
    things = dict(world.things)
    for key, thing in things.items():
        fate = dice.random()
        if fate < 0.1:
            thing.deleted_at = None if thing.deleted_at else AS_OF + timedelta(seconds=dice.randrange(100_000))
        elif fate < 0.4:
            start = max([AS_OF, *(each.at for each in thing.actions)])
            more = random_actions(dice, start, 1 if key[1] == "mention" else 0, LATER)
            changes = [each.priority for each in thing.actions if each.priority]
            # What the first change of priority says of before has to follow from the last.
            known = changes[-1] if changes else thing.priority
            for number, each in enumerate(more):
                if each.priority:
                    more[number] = each._replace(previous_priority=known)
                    known = each.priority
            thing.actions = [*thing.actions, *more]
            thing.priority = known
            thing.status = next((each.status for each in reversed(thing.actions) if each.status), thing.status)
            if key[1] == "mention":
                thing.tags = [dice.choice(TAGS) for _ in range(dice.randrange(3))]
            thing.topic = dice.choice(TOPICS)
            thing.load = "second"
    things |= random_things(dice, len(things) // 6, "second", (AS_OF, LATER))
    policies = [policy for number, policy in enumerate(world.policies) if number % 9]
    for policy in policies[::7]:
        policy.priority = dice.choice((None, "low"))
    for policy in policies[1::7]:
        policy.target_seconds = dice.choice(TARGETS)
        policy.clock = "business_hours"
        policy.pauses_while_pending = not policy.pauses_while_pending
    for number, policy in enumerate(random_policies(dice, 6, world.schedules)):
        policy.policy_id = f"later policy {number}"
        policies.append(policy)
    office = world.schedules["office"]
    office.versions[-1].valid_to = AS_OF + timedelta(days=3)
    office.versions.append(Version("Europe/Brussels", week(WORKDAYS, ("0800", "1200")), AS_OF + timedelta(days=3)))
    office.holidays.append(Holiday(date(2024, 4, 30), "1200", None))
    return World(things, policies, world.schedules, world.assigned | {(ACCOUNT, "topic", "300"): "never"}, LATER)


# --- The warehouse ----------------------------------------------------------------------------------------------------

SOURCES = {
    "social_connect": (
        *("mentions", "mention_actions", "mention_action_assignees", "mention_tags"),
        *("cases", "case_actions", "case_action_assignees", "case_linked_mentions"),
    ),
    "history": ("business_hours_schedules", "business_hours_periods", "deletions"),
}


def write(world: World, folder: Path) -> Path:
    """All of the world's rows, as a loader that begins anew would leave them; and the rules beside them."""
    with duckdb.connect(folder / "warehouse.duckdb") as con:
        con.execute("SET TimeZone = 'UTC'")
        for schema, names in SOURCES.items():
            for name in names:
                con.execute(f"DROP TABLE IF EXISTS {schema}.{name}")
            make_source_tables(con, schema, *names)
        insert_schedules(con, world.schedules)
        rows: dict[str, list[Row]] = defaultdict(list)
        for thing in world.things.values():
            add_rows(rows, thing)
        for name, given in rows.items():
            con.register("given", pa.Table.from_pylist(given))
            con.execute(f"INSERT INTO {name} BY NAME FROM given")
    assigned = [(account_id, scope, scope_id, name) for (account_id, scope, scope_id), name in world.assigned.items()]
    return write_rules(
        folder / "rules",
        holidays=holidays_of(world.schedules),
        business_hours_assignments=assigned,
        sla_policies=[list(vars(policy).values()) for policy in world.policies],
    )


def add_rows(rows: dict[str, list[Row]], thing: Thing) -> None:
    account_id, kind, unique_id = thing.key
    key = {"account_id": account_id, "unique_id": unique_id}
    rows[f"social_connect.{kind}s"].append(
        key
        | {
            "id": unique_id,
            "author_managed": thing.is_own or None,
            "source_service": thing.channel,
            "topic_id": thing.topic,
            "status": thing.status,
            "priority_name": thing.priority,
            "added_at": thing.added_at,
            "published_at": thing.published_at,
            "deleted_at": thing.deleted_at,
            "_dlt_load_id": thing.load,
        }
    )
    # The API lists the newest first.
    for position, each in enumerate(reversed(thing.actions)):
        rows[f"social_connect.{kind}_actions"].append(
            key
            | {
                "position": position,
                "type": each.kind,
                "added_at": each.at,
                "metadata_status": each.status,
                "metadata_priority": each.priority,
                "metadata_previous_priority": each.previous_priority,
            }
        )
    for position, tag in enumerate(thing.tags):
        rows["social_connect.mention_tags"].append(key | {"position": position, "tag": tag})
    for position, mention in enumerate(thing.mentions):
        linked = {"mention_unique_id": mention.key[2], "position": position}
        times = {"added_at": mention.added_at, "published_at": mention.published_at}
        rows["social_connect.case_linked_mentions"].append(key | linked | times)
    if thing.deleted_at:
        rows["history.deletions"].append(key | {"object": kind, "deleted_at": thing.deleted_at})


WITHOUT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
KEY = ("account_id", "object", "unique_id", "policy_id", "cycle_number", "application_number")


def build(world: World, folder: Path, *models: str) -> dict[tuple[Any, ...], Row]:
    """The rows of fct_sla_events, by their key, after a build on what is there from the last one."""
    rules = write(world, folder)
    command = ["build", "--select", "+fct_sla_events", *models, *WITHOUT_TESTS]
    dbt(folder / "warehouse.duckdb", command, rules=rules, as_of=world.as_of.isoformat())
    rows = read(folder, "marts.fct_sla_events")
    found = {tuple(row.pop(name) for name in KEY): row for row in rows}
    assert len(found) == len(rows), "no key comes twice"
    return found


def read(folder: Path, table: str) -> list[Row]:
    with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        found: list[Row] = con.execute(f"FROM {table}").to_arrow_table().to_pylist()
        return found


def assert_equal(found: dict[tuple[Any, ...], Row], expected: dict[tuple[Any, ...], Row], what: str) -> None:
    differences = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }
    shown = [
        (key, {name: (row[name], truth[name]) for name in row if row[name] != truth[name]} if row and truth else row)
        for key, (row, truth) in list(differences.items())[:3]
    ]
    assert not differences, f"{what}: {len(differences)} of {len(expected)} rows differ, such as {shown}"


def assert_shows_every_case(rows: Iterable[Row]) -> None:
    """Nothing that matters is left out by chance."""
    shown: Counter[Any] = Counter()
    for row in rows:
        shown.update((name, row[name]) for name in ("end_reason", "metric", "is_breached", "is_counted", "is_active"))
        shown.update((name, row[name]) for name in ("is_paused", "is_clock_known", "is_within_horizon"))
        late = row["breached_at"] is not None and row["breached_at"] == row["applied_at"]
        shown.update({"late": late, "exact": row["elapsed_seconds"] == row["target_seconds"]})
        shown["negative"] += row["ended_at"] is not None and row["ended_at"] < row["started_at"]
        shown["superseded_late"] += row["end_reason"] == "superseded" and row["is_breached"] is True
    reasons = [("end_reason", each) for each in ("replied", "resolved", "superseded", "cancelled", "open")]
    metrics = [("metric", each) for each in ("first_response", "next_response", "resolve")]
    flags = ("is_breached", "is_counted", "is_active", "is_paused", "is_clock_known", "is_within_horizon")
    both = [(name, value) for name in flags for value in (True, False)]
    for each in (*reasons, *metrics, *both, ("is_breached", None), "late", "exact", "negative", "superseded_late"):
        assert shown[each] >= 5, f"{each}: shown by {shown[each]} rows"


# --- Tests ------------------------------------------------------------------------------------------------------------

SEED = 20_240_601


@pytest.mark.slow
def test_every_event_of_2_000_items(tmp_path: Path) -> None:
    world = random_world(SEED, 2_000)
    expected = expected_events(world)
    assert_shows_every_case(expected.values())
    assert_equal(build(world, tmp_path), expected, f"seed {SEED}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_build_on_the_last_one_equals_the_loop_too(seed: int, tmp_path: Path) -> None:
    """A month later: items read again, gone or back, other policies, hours and holidays; then nothing new."""
    world = random_world(seed, 1_000)
    later = some_time_later(random.Random(seed), deepcopy(world))
    later_still = replace(later, as_of=later.as_of + timedelta(days=2))
    touched = []
    for each in (world, later, later_still):
        # What is built is only kept in mind when all models that go by it are built.
        found = build(each, tmp_path, "+config.materialized:incremental")
        assert_equal(found, expected_events(each), f"seed {seed} at {each.as_of}")
        touched.append(len(read(tmp_path, "intermediate.int_touched_items")))
    assert touched[0] == len(world.things)
    assert 300 < touched[1] < 0.7 * len(later.things)
    assert touched[2] == 0

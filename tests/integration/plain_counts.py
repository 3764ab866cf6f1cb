"""What each query of the dashboard has to give, counted in plain Python over what the API sent.

Each count names all columns of its query, so a new query or column has to come with one. A query's limits are taken
from it; nothing else is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from plain_reconciliation import comparisons
from plain_rows import MEASURES, grouped, local, mean, quantile, ratio, seconds, undone_resolves
from published_site import POLICY, TARGET_SECONDS, ZONE

from pipelines.dashboard import queries
from pipelines.dashboard.filters import Filters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plain_reconciliation import Comparison
    from plain_rows import Json, PlainRows

Rows = list[tuple[Any, ...]]
Count = Callable[["PlainRows", Filters], Rows]
COUNTS: dict[str, tuple[Count, tuple[str, ...]]] = {}
"""By name of the query, its plain count and the columns that it counts."""
CALENDAR, BUSINESS_HOURS = 0, 1
"""Places in lengths."""


def gives(query: queries.Query, *columns: str) -> Callable[[Count], Count]:
    """Marks a function as the count of a query, whose columns it gives in this order."""

    def keep(function: Count) -> Count:
        COUNTS[query.name] = function, columns
        return function

    return keep


def by_topics(rows: PlainRows, filters: Filters) -> Filters:
    """The same choice without projects: their topics are chosen, as the account's own list of projects says."""
    if not filters.project:
        return filters
    topics = set[str]().union(*(rows.projects[project] for project in filters.project))
    chosen = topics & {*filters.topic} if filters.topic else topics
    return replace(filters, project=(), topic=tuple(chosen) or ("none at all",))


def follows(row: Json, filters: Filters, *, day: str | None = "day") -> bool:
    """Whether a row is chosen, by those filters that it has a value for."""
    return (
        (day is None or (row[day] is not None and filters.first_date <= row[day] <= filters.last_date))
        and (not filters.account or row["account_id"] in filters.account)
        and (not filters.topic or "topic_id" not in row or row["topic_id"] in filters.topic)
        and (not filters.channel or "channel" not in row or row["channel"] in filters.channel)
        and (not filters.team or "teams" not in row or bool(row["teams"] & set(filters.team)))
        and (not filters.tag or "tags" not in row or bool(row["tags"] & set(filters.tag)))
    )


def of_place(filters: Filters) -> Filters:
    """The same choice without teams and tags, which daily sums do not know."""
    return replace(filters, team=(), tag=())


def age(rows: PlainRows, at: datetime) -> int:
    return int(rows.now.timestamp()) - int(at.timestamp())


# --- Overview ---------------------------------------------------------------------------------------------------------


@gives(
    queries.OVERVIEW_TOTALS,
    "mention_count",
    "replied_count",
    "replied_share",
    "resolved_count",
    "resolved_share",
    "first_response_p50_seconds",
    "first_response_business_hours_p50_seconds",
    "resolve_p50_seconds",
    "is_whole_period",
)
def overview_totals(rows: PlainRows, filters: Filters) -> Rows:
    chosen = [row for row in rows.mentions if follows(row, filters)]
    replied, resolved = sum(row["has_reply"] for row in chosen), sum(row["has_resolve"] for row in chosen)
    return [
        (
            len(chosen),
            replied,
            ratio(replied, len(chosen)),
            resolved,
            ratio(resolved, len(chosen)),
            quantile((row["first_response"][CALENDAR] for row in chosen), 0.5),
            quantile((row["first_response"][BUSINESS_HOURS] for row in chosen), 0.5),
            quantile((row["resolve"][CALENDAR] for row in chosen), 0.5),
            any(row["day"] <= filters.first_date for row in rows.all_mentions if not row["is_deleted"]),
        )
    ]


def _open_items(rows: PlainRows, filters: Filters) -> list[Json]:
    free = of_place(filters)
    return [row for row in (*rows.mentions, *rows.cases) if row["status"] != "done" and follows(row, free, day=None)]


@gives(queries.OPEN_NOW, "object", "open_count", "unassigned_count", "unreplied_count", "oldest_age_seconds")
def open_now(rows: PlainRows, filters: Filters) -> Rows:
    return [
        (
            name,
            len(items),
            sum(not row["is_owned"] for row in items),
            sum(not row["has_reply"] for row in items),
            age(rows, min(row["at"] for row in items)),
        )
        for (name,), items in grouped(_open_items(rows, filters), "object").items()
    ]


@gives(queries.TODAY_BY_HOUR, "hour_of_day", "today_count", "is_whole_hour", "usual_mean_count")
def today_by_hour(rows: PlainRows, filters: Filters) -> Rows:
    free = of_place(filters)
    counts = Counter((row["day"], local(row["at"]).hour) for row in rows.mentions if follows(row, free, day=None))
    first = min(row["day"] for row in rows.all_mentions if not row["is_deleted"])
    today, now_hour = local(rows.now).date(), local(rows.now).hour
    usual = [day for weeks in range(1, 5) if (day := today - timedelta(weeks=weeks)) >= first]
    return [
        (
            hour,
            counts[today, hour] if hour <= now_hour else None,
            hour < now_hour,
            ratio(sum(counts[day, hour] for day in usual), len(usual)),
        )
        for hour in range(24)
    ]


@gives(queries.KEEPING_UP, "day", "came_in_count", "reply_count", "resolve_count")
def keeping_up(rows: PlainRows, filters: Filters) -> Rows:
    came_in = Counter(row["day"] for row in rows.mentions if follows(row, filters))
    done = {
        name: Counter(
            local(action["added_at"]).date()
            for row in rows.mentions
            if follows(row, filters, day=None)
            for action in row[name]
            if filters.first_date <= local(action["added_at"]).date() <= filters.last_date
        )
        for name in ("replies", "resolves")
    }
    days = sorted({*came_in, *done["replies"], *done["resolves"]})
    return [(day, came_in[day], done["replies"][day], done["resolves"][day]) for day in days]


# --- Response times ---------------------------------------------------------------------------------------------------


@gives(
    queries.RESPONSE_PERCENTILES,
    *("measure", "clock", "known_count", "mean_seconds", "p50_seconds", "p90_seconds", "p95_seconds"),
)
def response_percentiles(rows: PlainRows, filters: Filters) -> Rows:
    chosen = [row for row in rows.mentions if follows(row, filters)]
    found: Rows = []
    for measure in MEASURES:
        for clock, place in (("calendar", CALENDAR), ("business hours", BUSINESS_HOURS)):
            values = [row[measure][place] for row in chosen]
            known = len([value for value in values if value is not None])
            found.append((measure, clock, known, mean(values), *(quantile(values, at) for at in (0.5, 0.9, 0.95))))
    return found


@gives(
    queries.RESPONSE_BY_DAY,
    "day",
    "known_count",
    "p50_seconds",
    "p90_seconds",
    "business_hours_p50_seconds",
    "business_hours_p90_seconds",
)
def response_by_day(rows: PlainRows, filters: Filters) -> Rows:
    days = grouped((row for row in rows.mentions if follows(row, filters)), "day")
    return [
        (
            day,
            sum(row["first_response"][CALENDAR] is not None for row in of_day),
            *(quantile((row["first_response"][CALENDAR] for row in of_day), at) for at in (0.5, 0.9)),
            *(quantile((row["first_response"][BUSINESS_HOURS] for row in of_day), at) for at in (0.5, 0.9)),
        )
        for (day,), of_day in days.items()
    ]


CLASSES = {
    "under 5 min": (0, 5),
    "5 to 15 min": (5, 15),
    "15 to 30 min": (15, 30),
    "30 to 60 min": (30, 60),
    "1 to 2 h": (60, 120),
    "2 to 4 h": (120, 240),
    "4 to 8 h": (240, 480),
    "8 to 24 h": (480, 1440),
    "1 to 3 days": (1440, 4320),
    "3 to 7 days": (4320, 10080),
    "7 days and more": (10080, float("inf")),
}
"""Minutes from and to, as their names say."""


def in_classes(values: Iterable[float | None]) -> list[tuple[int, str, int]]:
    known = [value for value in values if value is not None]
    counts = [
        (place, name, sum(start * 60 <= value < end * 60 for value in known))
        for place, (name, (start, end)) in enumerate(CLASSES.items())
    ]
    return [each for each in counts if each[2]]


@gives(queries.RESPONSE_DISTRIBUTION, "clock", "place", "length", "mention_count")
def response_distribution(rows: PlainRows, filters: Filters) -> Rows:
    chosen = [row["first_response"] for row in rows.mentions if follows(row, filters)]
    return [
        (clock, *each)
        for clock, place in (("calendar", CALENDAR), ("business hours", BUSINESS_HOURS))
        for each in in_classes(lengths[place] for lengths in chosen)
    ]


def apart(names: dict[str, str], account_id: str) -> dict[str, str]:
    """Names by identifier; those that several have, with account and identifier."""
    counts = Counter(names.values())
    return {key: name if counts[name] == 1 else f"{name} ({account_id}, {key})" for key, name in names.items()}


def _response_by(dimension: str) -> Count:
    def expected(rows: PlainRows, filters: Filters) -> Rows:
        chosen = [row for row in rows.mentions if follows(row, filters)]
        if dimension == "topic":
            chosen = [row | {"topic": apart(rows.topics, row["account_id"])[row["topic_id"]]} for row in chosen]
        groups = grouped(chosen, dimension)
        return [
            (
                name,
                len(group),
                sum(row["has_reply"] for row in group) / len(group),
                *(quantile((row["first_response"][CALENDAR] for row in group), at) for at in (0.5, 0.9)),
                quantile((row["first_response"][BUSINESS_HOURS] for row in group), 0.5),
            )
            for (name,), group in groups.items()
        ]

    return expected


for _query, _dimension in (
    (queries.RESPONSE_BY_TOPIC, "topic"),
    (queries.RESPONSE_BY_CHANNEL, "channel"),
    (queries.RESPONSE_BY_LANGUAGE, "language"),
):
    gives(
        _query,
        *(_dimension, "mention_count", "replied_share", "p50_seconds", "p90_seconds", "business_hours_p50_seconds"),
    )(_response_by(_dimension))

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@gives(queries.RESPONSE_BY_HOUR, "iso_weekday", "weekday", "hour_of_day", "mention_count", "p50_seconds")
def response_by_hour(rows: PlainRows, filters: Filters) -> Rows:
    chosen = [
        row | {"weekday": local(row["published"]).weekday(), "hour": local(row["published"]).hour}
        for row in rows.mentions
        if row["published"] and follows(row, filters)
    ]
    return [
        (
            weekday + 1,
            WEEKDAYS[weekday],
            hour,
            len(group),
            quantile((row["first_response"][CALENDAR] for row in group), 0.5),
        )
        for (weekday, hour), group in grouped(chosen, "weekday", "hour").items()
    ]


# --- Backlog ----------------------------------------------------------------------------------------------------------


def _backlog(rows: PlainRows, filters: Filters) -> list[Json]:
    """What was open at the end of each day, spell by spell; a status is told of from its first spell on."""
    free, today = of_place(filters), local(rows.now).date()
    spells: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for item in (*rows.all_mentions, *rows.all_cases):
        if not item["is_own"] and follows(item, free, day=None):
            gone = item["raw"]["deleted_at"]
            for spell in item["spells"]:
                end = min(filter(None, (spell.end, gone)), default=None)
                if spell.status != "done" and spell.start <= rows.now and (end is None or spell.start < end):
                    since = min(item["at"], item["raw"]["added_at"], spell.start)
                    spells[item["object"], spell.status].append({"spell": spell, "end": end, "since": since})
    found = []
    for (name, status), of_status in spells.items():
        day = min(local(each["spell"].start).date() for each in of_status)
        while day <= today:
            midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(ZONE)).astimezone(UTC)
            instant = min(midnight, rows.now)
            is_build = instant == rows.now
            still = [
                each
                for each in of_status
                if (each["spell"].start <= instant if is_build else each["spell"].start < instant)
                and (each["end"] is None or (each["end"] > instant if is_build else each["end"] >= instant))
            ]
            if filters.first_date <= day <= filters.last_date:
                ages = [int(instant.timestamp()) - int(each["since"].timestamp()) for each in still]
                found.append(
                    {
                        "day": day,
                        "object": name,
                        "status": status,
                        "open": len(still),
                        "unassigned": sum(not each["spell"].is_owned for each in still),
                        "age": mean(ages),
                    }
                )
            day += timedelta(days=1)
    return found


@gives(queries.BACKLOG_BY_DAY, "day", "object", "status", "open_count", "unassigned_count", "mean_age_seconds")
def backlog_by_day(rows: PlainRows, filters: Filters) -> Rows:
    return [tuple(row.values()) for row in _backlog(rows, filters)]


@gives(queries.BACKLOG_AT_END, "open_mention_count", "open_case_count")
def backlog_at_end(rows: PlainRows, filters: Filters) -> Rows:
    everything = Filters(date(1990, 1, 1), date(2090, 1, 1))
    if filters.last_date not in {row["day"] for row in _backlog(rows, everything)}:
        return [(None, None)]
    last = _backlog(rows, replace(filters, first_date=filters.last_date))
    return [tuple(sum(row["open"] for row in last if row["object"] == name) for name in ("mention", "case"))]


@gives(queries.AGE_OF_OPEN, "place", "age", "status", "mention_count")
def age_of_open(rows: PlainRows, filters: Filters) -> Rows:
    chosen = [row for row in rows.mentions if row["status"] != "done" and follows(row, filters, day=None)]
    return [
        (place, name, status, number)
        for (status,), group in grouped(chosen, "status").items()
        for place, name, number in in_classes(age(rows, row["at"]) for row in group)
    ]


@gives(
    queries.OPEN_ITEMS,
    *("object", "item_at", "age_hours", "waiting_hours", "status", "priority", "topic", "channel", "sentiment"),
    *("agents", "teams", "has_reply", "permalink", "account_id", "unique_id"),
)
def open_items(rows: PlainRows, filters: Filters) -> Rows:
    found = [
        (
            row["object"],
            row["at"],
            age(rows, row["at"]) / 3600,
            None if row["waiting_since"] is None else age(rows, row["waiting_since"]) / 3600,
            row["status"],
            row["raw"]["priority_name"],
            row["topic"],
            row["channel"],
            row["raw"]["message_sentiment"],
            ", ".join(rows.agents.get(agent) or agent for agent in row["agents"]) or None,
            ", ".join(rows.teams.get(team) or team for team in row["holding_teams"]) or None,
            row["has_reply"],
            row["raw"]["permalink"],
            row["account_id"],
            row["unique_id"],
        )
        for row in _open_items(rows, filters)
    ]
    return sorted(found, key=lambda row: (-row[2], row[-1]))[: queries.OPEN_ITEM_LIMIT]


# --- Agents and teams -------------------------------------------------------------------------------------------------


def _deeds(rows: PlainRows) -> list[Json]:
    """What people did to items that are not deleted, likes left out; a first reply with the time to it."""
    found = []
    for item in (*rows.all_mentions, *rows.all_cases):
        if item["is_deleted"]:
            continue
        undone = undone_resolves(item)
        (first_human_reply, *_) = item["human_replies"] or [None]
        for action in item["actions"]:
            if not action["user_id"] or action["type"] == "like":
                continue
            is_first = action is first_human_reply and not item["is_own"]
            is_resolve = action["status"] == "done"
            found.append(
                {
                    "account_id": item["account_id"],
                    "day": local(action["added_at"]).date(),
                    "agent": action["user_id"],
                    "teams_then": rows.teams_of(action["user_id"], action["added_at"]) or {"unknown"},
                    "is_reply": action["type"] == "reply",
                    "is_resolve": is_resolve,
                    "is_undone": is_resolve and (action["user_id"], action["added_at"]) in undone,
                    "response": item["first_human_response"] if is_first else (None, None),
                    "is_in_hours": action["is_in_hours"],
                }
            )
    return found


def _sums(deeds: Sequence[Json]) -> tuple[Any, ...]:
    replies, resolves = sum(each["is_reply"] for each in deeds), sum(each["is_resolve"] for each in deeds)
    return (
        len(deeds),
        replies,
        resolves,
        ratio(sum(each["is_undone"] for each in deeds), resolves),
        mean(each["response"][CALENDAR] for each in deeds),
        mean(each["response"][BUSINESS_HOURS] for each in deeds),
        mean(each["is_in_hours"] for each in deeds),
    )


_SUMS = (
    "action_count",
    "reply_count",
    "resolve_count",
    "undone_resolve_share",
    "first_human_response_mean_seconds",
    "first_human_response_business_hours_mean_seconds",
    "in_business_hours_share",
)


def _of_agents(rows: PlainRows, filters: Filters) -> list[Json]:
    members = {row["agent"] for row in rows.members if row["team"] in filters.team}
    return [each for each in _deeds(rows) if follows(each, filters) and (not filters.team or each["agent"] in members)]


@gives(queries.WORK_OF_AGENTS, "agent", *_SUMS)
def work_of_agents(rows: PlainRows, filters: Filters) -> Rows:
    named = (
        each | {"name": apart(rows.agents, each["account_id"]).get(each["agent"]) or each["agent"]}
        for each in _of_agents(rows, filters)
    )
    return [(name, *_sums(deeds)) for (name,), deeds in grouped(named, "name").items()]


@gives(queries.WORK_OF_TEAMS, "team", *_SUMS)
def work_of_teams(rows: PlainRows, filters: Filters) -> Rows:
    of_teams = (
        each | {"name": "No team" if team == "unknown" else apart(rows.teams, each["account_id"])[team]}
        for each in _deeds(rows)
        if follows(each, filters)
        for team in each["teams_then"]
        if not filters.team or team in filters.team
    )
    return [(name, *_sums(deeds)) for (name,), deeds in grouped(of_teams, "name").items()]


@gives(queries.WORK_BY_DAY, "day", "reply_count", "resolve_count", "agents_count")
def work_by_day(rows: PlainRows, filters: Filters) -> Rows:
    return [
        (
            day,
            sum(each["is_reply"] for each in deeds),
            sum(each["is_resolve"] for each in deeds),
            len({each["agent"] for each in deeds}),
        )
        for (day,), deeds in grouped(_of_agents(rows, filters), "day").items()
    ]


# --- Targets ----------------------------------------------------------------------------------------------------------


def _clocks(rows: PlainRows, filters: Filters) -> list[Json]:
    """The clock of the site's one target on each mention: until the first reply, or a resolve without one.

    One that ran when its mention was deleted is none.
    """
    found = []
    for row in rows.all_mentions:
        ended = min((each[0]["added_at"] for each in (row["replies"], row["resolves"]) if each), default=None)
        gone = row["raw"]["deleted_at"]
        is_cancelled = gone is not None and (ended is None or gone < ended)
        if row["is_own"] or is_cancelled or not follows(row, of_place(filters)):
            continue
        elapsed = seconds(row["at"], ended or rows.now)
        assert elapsed is not None
        found.append(
            row
            | {
                "is_breached": elapsed > TARGET_SECONDS,
                "is_met": ended is not None and elapsed <= TARGET_SECONDS,
                "is_active": ended is None and elapsed <= TARGET_SECONDS,
            }
        )
    return found


def _attainment(clocks: Sequence[Json]) -> tuple[Any, ...]:
    met, breached = sum(row["is_met"] for row in clocks), sum(row["is_breached"] for row in clocks)
    active = sum(row["is_active"] for row in clocks)
    return met + breached, met, breached, active, ratio(met, met + breached)


_ATTAINMENT = ("counted_count", "met_count", "breached_count", "active_count", "attainment_share")


@gives(queries.ATTAINMENT_BY_POLICY, "policy", "object", "metric", *_ATTAINMENT)
def attainment_by_policy(rows: PlainRows, filters: Filters) -> Rows:
    clocks = _clocks(rows, filters)
    return [(POLICY, "mention", "first_response", *_attainment(clocks))] if clocks else []


@gives(queries.ATTAINMENT_BY_DAY, "day", "policy", *_ATTAINMENT)
def attainment_by_day(rows: PlainRows, filters: Filters) -> Rows:
    days = grouped(_clocks(rows, filters), "day")
    return [(day, POLICY, *_attainment(clocks)) for (day,), clocks in days.items()]


@gives(
    queries.DUE_NEXT,
    *("due_at", "policy", "object", "metric", "topic", "channel", "priority", "is_paused", "account_id", "unique_id"),
)
def due_next(rows: PlainRows, filters: Filters) -> Rows:
    every_day = replace(filters, first_date=date.min, last_date=date.max)
    running = [
        (
            row["at"] + timedelta(seconds=TARGET_SECONDS),
            POLICY,
            "mention",
            "first_response",
            row["topic"],
            row["channel"],
            _first_priority(row),
            False,
            row["account_id"],
            row["unique_id"],
        )
        for row in _clocks(rows, every_day)
        if row["is_active"]
    ]
    return sorted(running, key=lambda row: (row[0], row[-1]))[: queries.DUE_LIMIT]


def _first_priority(row: Json) -> str:
    """The priority before the first change of it."""
    changes = [action for action in row["actions"] if action["metadata_priority"]]
    first = changes[0]["metadata_previous_priority"] if changes else row["raw"]["priority_name"]
    return first or "none"


# --- Satisfaction -----------------------------------------------------------------------------------------------------

SURVEYS = ("csat", "nps", "rating")


def _answers(rows: PlainRows) -> list[Json]:
    """Answers on what is not deleted. The last ones are those that actions tell of; those before came with the item."""
    found = []
    for item in (*rows.all_mentions, *rows.all_cases):
        if item["is_deleted"]:
            continue
        for kind in SURVEYS:
            given = [each for each in item["attachments"] if each["type"] == f"{kind}_answer"]
            told = [each["added_at"] for each in item["actions"] if each["type"] == f"{kind}_reply"]
            times = [None] * (len(given) - len(told)) + told[max(len(told) - len(given), 0) :]
            for answer, at in zip(given, times, strict=True):
                is_number = re.fullmatch(r"\d+(\.\d+)?", answer["content"] or "")
                found.append(
                    {name: item[name] for name in ("account_id", "topic_id", "channel", "object")}
                    | {
                        "survey_kind": kind,
                        "day": local(at or item["at"]).date(),
                        "score": float(answer["content"]) if is_number else None,
                    }
                )
    return found


def _satisfaction(*names: str) -> Count:
    def expected(rows: PlainRows, filters: Filters) -> Rows:
        chosen = (row for row in _answers(rows) if follows(row, filters))
        found: Rows = []
        for key, answers in grouped(chosen, *names, "survey_kind", "object").items():
            scores = [row["score"] for row in answers if row["score"] is not None]
            kind = key[-2]
            found.append(
                (
                    *key,
                    len(answers),
                    mean(scores),
                    mean(score >= 4 for score in scores) if kind == "csat" else None,
                    mean(100 * ((score >= 9) - (score <= 6)) for score in scores) if kind == "nps" else None,
                )
            )
        return found

    return expected


_OF_ANSWERS = ("survey_kind", "object", "answer_count", "score_mean", "satisfied_share", "net_promoter_score")
gives(queries.SATISFACTION_BY_KIND, *_OF_ANSWERS)(_satisfaction())
gives(queries.SATISFACTION_BY_DAY, "day", *_OF_ANSWERS)(_satisfaction("day"))
gives(queries.SATISFACTION_BY_CHANNEL, "channel", *_OF_ANSWERS)(_satisfaction("channel"))


# --- Cases ------------------------------------------------------------------------------------------------------------


def _cases(rows: PlainRows, filters: Filters) -> list[Json]:
    free = replace(filters, channel=(), tag=())
    return [row for row in rows.cases if follows(row, free)]


@gives(
    queries.CASE_TOTALS,
    "case_count",
    "open_count",
    "resolved_count",
    "reopened_count",
    "handed_over_count",
    "resolved_at_first_contact_count",
    "first_response_p50_seconds",
    "resolve_p50_seconds",
)
def case_totals(rows: PlainRows, filters: Filters) -> Rows:
    chosen = _cases(rows, filters)
    return [
        (
            len(chosen),
            sum(row["status"] != "done" for row in chosen),
            sum(row["has_resolve"] for row in chosen),
            sum(row["reopenings"] > 0 for row in chosen),
            sum(row["handoffs"] > 0 for row in chosen),
            sum(
                row["status"] == "done"
                and row["has_resolve"]
                and not row["reopenings"]
                and len(row["human_replies"]) <= 1
                for row in chosen
            ),
            quantile((row["first_response"][CALENDAR] for row in chosen), 0.5),
            quantile((row["resolve"][CALENDAR] for row in chosen), 0.5),
        )
    ]


@gives(queries.CASES_BY_DAY, "day", "status", "case_count")
def cases_by_day(rows: PlainRows, filters: Filters) -> Rows:
    return [(*key, len(group)) for key, group in grouped(_cases(rows, filters), "day", "status").items()]


@gives(queries.CASES_BY_TOUCH, "touch_class", "case_count", "resolve_p50_seconds")
def cases_by_touch(rows: PlainRows, filters: Filters) -> Rows:
    names = ("zero", "one", "two", "more")
    chosen = [row | {"touch": names[min(3, len(row["human_replies"]))]} for row in _cases(rows, filters)]
    return [
        (touch, len(group), quantile((row["resolve"][CALENDAR] for row in group), 0.5))
        for (touch,), group in grouped(chosen, "touch").items()
    ]


# --- Channels and sentiment -------------------------------------------------------------------------------------------


def _of_sentiment(group: Sequence[Json]) -> tuple[Any, ...]:
    return (
        len(group),
        mean(row["has_reply"] for row in group),
        mean(row["sentiment"] == "positive" for row in group),
        mean(row["sentiment"] == "negative" for row in group),
    )


_OF_SENTIMENT = ("mention_count", "replied_share", "positive_share", "negative_share")


@gives(queries.CHANNELS, "channel", *_OF_SENTIMENT, "first_response_mean_seconds")
def channels(rows: PlainRows, filters: Filters) -> Rows:
    chosen = (row for row in rows.mentions if follows(row, of_place(filters)))
    return [
        (channel, *_of_sentiment(group), mean(row["first_response"][CALENDAR] for row in group))
        for (channel,), group in grouped(chosen, "channel").items()
    ]


@gives(queries.SENTIMENT_BY_DAY, "day", "sentiment", "mention_count")
def sentiment_by_day(rows: PlainRows, filters: Filters) -> Rows:
    chosen = (row for row in rows.mentions if follows(row, of_place(filters)))
    return [(*key, len(group)) for key, group in grouped(chosen, "day", "sentiment").items()]


@gives(queries.TAGS, "tag", *_OF_SENTIMENT)
def tags(rows: PlainRows, filters: Filters) -> Rows:
    free = Filters(filters.first_date, filters.last_date, filters.account)
    tagged = (
        row | {"tag": tag}
        for row in rows.mentions
        if follows(row, free)
        for tag in row["tags"]
        if not filters.tag or tag in filters.tag
    )
    found = [(tag, *_of_sentiment(group)) for (tag,), group in grouped(tagged, "tag").items()]
    return sorted(found, key=lambda row: (-row[1], row[0]))[: queries.TAG_LIMIT]


# --- Audit ------------------------------------------------------------------------------------------------------------

GROUPS_OF_CHANGES = {
    "account": {"account_businesshoursschedules_holiday_add", "connectedservice_expired"},
    "data": {"account_volume_warning"},
    "workflow": {
        *("automation_rule_edit", "automation_rule_status", "chart_template_add", "dashboard_component_edit"),
        "saved_search_edit",
    },
    "inbox": {"mailbox_folder_watchdog_edit"},
    "project_topic": {"query_connectedservice_auth_refresh", "query_mention_add", "query_stream_edit"},
    "security": {"security_settings_changed"},
    "other": {"custom_error"},
}
"""Where the product's account history shows the kinds of changes that the site has."""
GROUPS_OF_EVENTS = {
    "sign_in": {
        *("admin_logged_in_as_user", "admin_logged_out_as_user", "login_failure", "login_success"),
        *("login_success_cxstudiosso", "logout"),
    },
    "password": {"password_changed_by_password_reset", "password_reset"},
    "lock": {"account_locked", "account_unlocked", "user_blocked_device", "user_blocked_location"},
    "user": {
        *("user_added_by_casemanagement_sync", "user_adds_user", "user_confirmed_email", "user_registered"),
        "user_removes_user",
    },
    "device_or_place": {"device_added", "location_removed"},
    "settings": {"settings_edited"},
}
"""What the kinds of security events that the site has are about."""


def _group_of(kind: str, groups: dict[str, set[str]]) -> str:
    (found,) = (group for group, kinds in groups.items() if kind in kinds)
    return found


def _changes(rows: PlainRows, filters: Filters) -> list[Json]:
    free = replace(of_place(filters), channel=())
    changes = (
        row | {"day": local(row["added_at"]).date(), "group": _group_of(row["type"], GROUPS_OF_CHANGES)}
        for row in rows.table("social_connect.account_changes")
        if row["added_at"]
    )
    return [row for row in changes if follows(row, free)]


@gives(queries.CHANGES_BY_DAY, "day", "change_group", "change_count")
def changes_by_day(rows: PlainRows, filters: Filters) -> Rows:
    return [(*key, len(group)) for key, group in grouped(_changes(rows, filters), "day", "group").items()]


@gives(
    queries.CHANGES,
    "changed_at",
    "change_group",
    "change_type",
    "changed_by",
    "topic",
    "mentions_a_day_before",
    "mentions_a_day_after",
    "first_response_mean_seconds_before",
    "first_response_mean_seconds_after",
    "account_id",
    "change_id",
)
def changes(rows: PlainRows, filters: Filters) -> Rows:
    found: Rows = []
    for row in _changes(rows, filters):
        near = [
            each
            for each in rows.mentions
            if each["account_id"] == row["account_id"] and row["topic_id"] in {None, each["topic_id"]}
        ]
        before = [each for each in near if timedelta(0) < row["day"] - each["day"] <= timedelta(days=7)]
        today = local(rows.now).date()
        after = [
            each for each in near if timedelta(0) < each["day"] - row["day"] <= timedelta(7) and each["day"] < today
        ]
        with_data = {
            each["day"]
            for each in rows.all_mentions
            if not each["is_deleted"] and each["account_id"] == row["account_id"]
        }
        days = [row["day"] + timedelta(number) for number in range(-7, 8)]
        before_days = sum(min(with_data) <= day < row["day"] for day in days)
        after_days = sum(row["day"] < day < today for day in days)
        found.append(
            (
                row["added_at"],
                row["group"],
                row["type"],
                rows.agents.get(row["user_id"]) or row["user_id"] or "automation",
                rows.topics.get(row["topic_id"]) or row["topic_id"],
                len(before) / before_days if before else None,
                len(after) / after_days if after and after_days else None,
                mean(each["first_response"][CALENDAR] for each in before),
                mean(each["first_response"][CALENDAR] for each in after),
                row["account_id"],
                row["id"],
            )
        )
    return sorted(found, key=lambda row: (-row[0].timestamp(), row[-1]))[: queries.CHANGE_LIMIT]


@gives(queries.SECURITY_BY_DAY, "day", "event_group", "event_count", "failed_sign_in_count")
def security_by_day(rows: PlainRows, filters: Filters) -> Rows:
    free = Filters(filters.first_date, filters.last_date, filters.account)
    events = (
        row | {"day": local(row["added_at"]).date(), "group": _group_of(row["type"], GROUPS_OF_EVENTS)}
        for row in rows.table("social_connect.security_events")
    )
    return [
        (*key, len(group), sum(row["type"] == "login_failure" for row in group))
        for key, group in grouped((row for row in events if follows(row, free)), "day", "group").items()
    ]


# --- Health of the data -----------------------------------------------------------------------------------------------


def main_reason(group: Iterable[Comparison]) -> str | None:
    """The reason of most numbers that are not equal; of two of as many, the first by name."""
    counts: Counter[str] = Counter()
    for each in group:
        if each.reason is not None:
            counts[each.reason] += each.compared_count - each.equal_count
    return min(counts, key=lambda reason: (-counts[reason], reason), default=None)


@gives(
    queries.RECONCILIATION,
    *("measure", "compared_with", "compared_count", "equal_count", "equal_share", "main_reason"),
)
def reconciliation(rows: PlainRows, filters: Filters) -> Rows:
    groups: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for each in comparisons(rows):
        if filters.first_date <= each.day <= filters.last_date and (
            not filters.account or each.account_id in filters.account
        ):
            groups[each.measure, each.compared_with].append(each)
    found: Rows = []
    for key, group in groups.items():
        compared, equal = sum(each.compared_count for each in group), sum(each.equal_count for each in group)
        found.append((*key, compared, equal, ratio(equal, compared), main_reason(group)))
    return found


def _as_kept(table: str, *names: str) -> Count:
    return lambda rows, _filters: [tuple(row[name] for name in names) for row in rows.table(table)]


_OF_DRIFT = ("first_seen_at", "table_name", "path", "expected", "found", "example")
gives(queries.DRIFT, *_OF_DRIFT)(_as_kept("history.schema_changes", *_OF_DRIFT))


@gives(queries.RUNS, *("started_at", "kind", "outcome", "seconds", "request_count", "quarantined_count", "error"))
def runs(rows: PlainRows, filters: Filters) -> Rows:
    del filters
    _, columns = COUNTS[queries.RUNS.name]
    newest = sorted(rows.table("history.runs"), key=lambda row: row["started_at"], reverse=True)
    return [tuple(row[name] for name in columns) for row in newest[: queries.RUN_LIMIT]]


def _published_at(rows: PlainRows) -> datetime:
    return datetime.strptime(rows.version, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@gives(queries.BUDGET, "endpoint", "call_count", "retry_count", "throttled_count")
def budget(rows: PlainRows, filters: Filters) -> Rows:
    del filters
    begin = _published_at(rows) - timedelta(days=queries.BUDGET_DAYS)
    recent = {row["run_id"] for row in rows.table("history.runs") if row["started_at"] > begin}
    requests = (row for row in rows.table("history.run_requests") if row["run_id"] in recent)
    names = ("call_count", "retry_count", "throttled_count")
    return [
        (*key, *(sum(row[name] for row in group) for name in names))
        for key, group in grouped(requests, "endpoint").items()
    ]


@gives(
    queries.FRESHNESS,
    *("version", "published_at", "as_of", "reporting_time_zone", "package_version", "today", "hour_now"),
)
def freshness(rows: PlainRows, filters: Filters) -> Rows:
    del filters
    there = local(rows.now)
    made_by = version("social-connect-warehouse")
    return [(rows.version, _published_at(rows), rows.now, ZONE, made_by, there.date(), there.hour)]


@gives(queries.CHOICES, "filter", "value", "label", "account_id")
def choices(rows: PlainRows, filters: Filters) -> Rows:
    del filters
    items = (*rows.all_mentions, *rows.all_cases)
    (account_id,) = {row["account_id"] for row in items}
    names = {row["id"]: row["name"] for row in rows.table("social_connect.account_projects")}
    seen = {row["topic_id"] for row in items}
    found: list[tuple[str, str, str, str | None]] = [
        *(("project", key, names[key], account_id) for key, topics in rows.projects.items() if topics & seen),
        *(("topic", key, name, account_id) for key, name in rows.topics.items()),
        *(("team", key, name, account_id) for key, name in rows.teams.items()),
        *(("channel", name, name, None) for name in {row["channel"] for row in items}),
        *(("tag", name, name, None) for name in rows.tags),
    ]
    return [("account", account_id, account_id, None), *found]

"""Satisfaction, account changes, security events, contacts and dates, against what made-up customers and people did."""

# ruff: noqa: S608 - names of tables come from the contract and this file

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from dbt_commands import dbt, make_source_tables

from transforms.contract import contract, contracts

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Json = dict[str, Any]

ZONE = "Europe/Brussels"
ACCOUNTS = ("1417", "2020")
BUILT = ("rpt_satisfaction", "dim_dates", "dim_contacts", "dim_agents", "dim_channels")
START = int(datetime(2026, 3, 20, 21, tzinfo=UTC).timestamp())
SERVICES = ("facebook", "twitter", "whatsapp")
AUTHORS = tuple(f"author {number}" for number in range(12))
CONTENTS: tuple[tuple[Any, Decimal | None], ...] = (
    *((score, Decimal(score)) for score in range(11)),
    *((str(score), Decimal(score)) for score in (1, 4, 5, 6, 9)),
    (4.5, Decimal("4.5")),
    ("3.99", Decimal("3.99")),
    *((text, None) for text in ("very good", "", "nan", "inf", None, True)),
)
"""What the API may send as the content of an answer, and the score that it is."""


# --- What happened ----------------------------------------------------------------------------------------------------


@dataclass
class Item:
    """A mention or a case: what the API sends of it, and the answers that were given on it, from the oldest."""

    object: str
    raw: Json
    is_deleted: bool
    answers: list[Json] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its identifier, unique within its account and object."""
        return str(self.raw["unique_id"])

    @property
    def at(self) -> int:
        """When it was published, as far as known."""
        dates = self.raw["date"]
        return int(dates.get("published", dates["added"]))


def happen(draw: random.Random, of: str, number: int) -> Item:
    """Lets people and customers do things to a mention or case, one after the other, some in one second."""
    now = START + number * 7_919
    topic, service = draw.choice([46283, 46284, None]), draw.choice([*SERVICES, None])
    raw: Json = {
        "id": str(number),
        "unique_id": f"{topic}_{number}",
        "author": {"id": draw.choice(AUTHORS)},
        "message": {"attachments": [], "content": "Hello"},
        "source": {"category": "social"} | ({"service": service} if service else {}),
        "status": "new",
        "actions": [],
        "date": {"added": now + 90} | ({"published": now} if draw.random() < 0.7 else {}),
    } | ({"topic": {"id": topic, "name": f"Topic {topic}"}} if topic else {})
    item = Item(of, raw, is_deleted=draw.random() < 0.1)
    last_agent = None

    def answer(kind: str, at: int | None) -> None:
        content, score = draw.choice(CONTENTS)
        question = None if kind == "rating" else f"{kind}_q"
        raw["message"]["attachments"].append(
            {"type": f"{kind}_answer", "content": content} | ({"question": question} if question else {})
        )
        agent = None if at is None else last_agent
        item.answers.append({"survey_kind": kind, "at": at, "score": score, "question_id": question, "agent_id": agent})

    for kind in draw.choice([(), (), ("csat",), ("nps",), ("rating",), ("rating", "nps")]):
        answer(kind, None)  # the message itself is an answer
    for _ in range(draw.randint(0, 9)):
        now += draw.choice([0, 0, 1, 3_600, 50_000])
        kind = draw.choice(
            ["reply", "reply", "automatic reply", "note", "photo", "csat_reply", "csat_reply", "nps_reply"]
        )
        agent = draw.choice(["12", "13"])
        if kind == "photo":
            raw["message"]["attachments"].append({"type": "photo", "content": "5", "url": "https://example.org/5.png"})
            continue
        done: Json = {"type": kind.removeprefix("automatic "), "date": {"added": now}}
        if kind in {"reply", "note"}:
            done["user"] = {"id": agent, "name": f"Agent {agent}"}
        if kind.endswith("_reply"):
            answer(kind.removesuffix("_reply"), now)
        if kind == "reply":
            last_agent = agent
        raw["actions"].insert(0, done)  # the API lists the newest first
    return item


def with_contacts(draw: random.Random) -> list[Json]:
    """Contacts with none to three profiles; some profiles are several contacts', or listed twice."""
    made = []
    for number in range(15):
        profiles = [
            {"type": draw.choice(SERVICES)} | ({"service_id": draw.choice(AUTHORS)} if draw.random() < 0.9 else {})
            for _ in range(draw.randint(0, 3))
        ]
        made.append(
            {
                "id": str(number),
                "name": f"Contact {number}",
                "socialprofiles": profiles + profiles[: draw.randint(0, 1)],
                "tags": [draw.choice(["vip", "press", "loyal"]) for _ in range(draw.randint(0, 3))],
                "date": {"added": START + number, "updated": START + 2 * number},
            }
            | draw.choice([{}, {"company": "ACME"}, {"company": ""}])
        )
    return made


KINDS_OF_CHANGE = next(
    column.values for column in contract("account_change").tables[0].columns if column.name == "type"
)
KINDS_OF_EVENT = next(column.values for column in contract("security_event").tables[0].columns if column.name == "type")


def changes() -> list[Json]:
    """A change of every known kind, one of a kind nobody knows, and one without."""
    return [
        {"id": number, "description": "Changed", "date": {"added": START + number * 5_000}}
        | ({"type": kind} if kind else {})
        | ({"user": {"id": 12 + number % 2, "name": "Ann"}} if number % 3 else {})
        | ({"topic": {"id": 46283, "name": "Care"}} if number % 2 else {})
        for number, kind in enumerate([*KINDS_OF_CHANGE, "brand_new", None])
    ]


def events() -> list[Json]:
    return [
        {"id": number, "description": "Happened", "dateadd": START - 86_400 + number * 5_000}
        | ({"type": kind} if kind else {})
        | ({"user": {"id": 13, "name": "Bo"}} if number % 3 else {})
        for number, kind in enumerate([*KINDS_OF_EVENT, "brand_new", None])
    ]


DRAW = random.Random("satisfaction")
ITEMS = {
    account: [happen(DRAW, of, number) for of, count in (("mention", 150), ("case", 60)) for number in range(count)]
    for account in ACCOUNTS
}
CONTACTS = {account: with_contacts(DRAW) for account in ACCOUNTS}
CHANGES, EVENTS = changes(), events()
"""Of the first account; the second has none."""


# --- What the marts should say of it ----------------------------------------------------------------------------------


def local_date(at: int) -> date:
    return datetime.fromtimestamp(at, ZoneInfo(ZONE)).date()


def instant(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def expected_answers() -> dict[tuple[Any, ...], Json]:
    """The rows of fct_satisfaction, by key."""
    rows = {}
    for account, item in ((account, item) for account, items in ITEMS.items() for item in items):
        given = defaultdict(list)
        for answer in item.answers:
            given[answer["survey_kind"]].append(answer)
        for kind, answers in given.items():
            for place, answer in enumerate(answers):
                score, before = answer["score"], answers[place - 1]["score"] if place else None
                known = score is not None and before is not None
                rows[account, item.object, item.key, kind, place + 1] = {
                    "topic_id": str(item.raw["topic"]["id"]) if "topic" in item.raw else "unknown",
                    "channel": item.raw["source"].get("service", "unknown"),
                    "question_id": answer["question_id"],
                    "agent_id": answer["agent_id"],
                    "score": score,
                    "previous_score": before,
                    "is_first": place == 0,
                    "is_last": place == len(answers) - 1,
                    "is_improved": score > before if known else None,
                    "is_worsened": score < before if known else None,
                    "is_deleted": item.is_deleted,
                    "answered_at": instant(answer["at"]),
                    "answer_date": local_date(item.at if answer["at"] is None else answer["at"]),
                    "reporting_time_zone": ZONE,
                }
    return rows


ANSWERS = expected_answers()


def by(*names: str) -> dict[tuple[Any, ...], list[Json]]:
    """The answers on what is not deleted, by account, object, kind and the named columns."""
    groups = defaultdict(list)
    for (account, of, _, kind, _), answer in ANSWERS.items():
        if not answer["is_deleted"]:
            groups[account, of, kind, *(answer[name] for name in names)].append(answer)
    return groups


def scores_of(answers: Iterable[Json]) -> list[Decimal]:
    return [answer["score"] for answer in answers if answer["score"] is not None]


# --- Warehouse --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, flatten: Callable[..., Any]) -> Path:
    """A warehouse file of both accounts on which dbt has run."""
    file = tmp_path_factory.mktemp("satisfaction") / "warehouse.duckdb"
    objects: dict[str, dict[str, list[Json]]] = {
        account: {
            "mention": [item.raw for item in items if item.object == "mention"],
            "case": [{"case": item.raw, "linked_mentions": []} for item in items if item.object == "case"],
            "contact": CONTACTS[account],
        }
        for account, items in ITEMS.items()
    }
    objects[ACCOUNTS[0]] |= {"account_change": CHANGES, "security_event": EVENTS}
    with duckdb.connect(file) as con:
        con.execute("SET TimeZone = 'UTC'")
        make_source_tables(con, "social_connect", *(table.name for each in contracts() for table in each.tables))
        for account, lists in objects.items():
            for name, records in lists.items():
                body = json.dumps({"response": records})
                made = flatten(contract(name), [body], records_path="$.response", account_id=account)
                for table, rows in made.tables.items():
                    con.register("rows", rows)
                    con.execute(f"INSERT INTO social_connect.{table} BY NAME SELECT * FROM rows")
        for account, items in ITEMS.items():
            for item in (item for item in items if item.is_deleted):
                con.execute(
                    f"UPDATE social_connect.{item.object}s SET deleted_at = added_at"
                    " WHERE account_id = ? AND unique_id = ?",
                    [account, item.key],
                )
    build = ["build", "--select", *(f"+{name}" for name in BUILT), "--indirect-selection", "cautious"]
    options = ["--exclude-resource-type", "unit_test", "--vars", json.dumps({"reporting_time_zone": ZONE})]
    dbt(file, [*build, *options])
    return file


def rows_of(warehouse: Path, mart: str, *key: str) -> dict[tuple[Any, ...], Json]:
    """The rows of a mart, by key."""
    with duckdb.connect(warehouse, read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.execute(f"FROM marts.{mart}")
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    keyed = {tuple(row[name] for name in key): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def chosen(row: Json, like: Json) -> Json:
    return {name: row[name] for name in like}


# --- Satisfaction -----------------------------------------------------------------------------------------------------


def test_the_made_up_answers_show_every_case() -> None:
    together = list(ANSWERS.values())
    for name in ("is_improved", "is_worsened"):
        assert {answer[name] for answer in together} == {None, True, False}
    for name in ("score", "agent_id", "answered_at"):
        assert sum(answer[name] is None for answer in together) > 20
        assert sum(answer[name] is not None for answer in together) > 100
    # An answer that came with the message, and another that was told of later.
    assert sum(answer["is_first"] and not answer["is_last"] and not answer["answered_at"] for answer in together) > 10


def test_answers_are_paired_with_what_was_told_of_them_and_set_against_the_one_before(warehouse: Path) -> None:
    rows = rows_of(warehouse, "fct_satisfaction", "account_id", "object", "unique_id", "survey_kind", "answer_number")
    assert rows.keys() == ANSWERS.keys()
    for key, expected in ANSWERS.items():
        assert chosen(rows[key], expected) == expected, key


def test_daily_satisfaction_equals_sums_over_the_answers(warehouse: Path) -> None:
    dimensions = ("answer_date", "topic_id", "channel")
    rows = rows_of(warehouse, "agg_satisfaction_daily", "account_id", "object", "survey_kind", *dimensions)
    groups = by(*dimensions)
    assert rows.keys() == groups.keys()
    for key, answers in groups.items():
        kind, scores = key[2], scores_of(answers)
        expected = {
            "answer_count": len(answers),
            "score_known_count": len(scores),
            "score_sum": sum(scores),
            "satisfied_count": sum(score >= 4 for score in scores) if kind == "csat" else 0,
            "promoter_count": sum(score >= 9 for score in scores) if kind == "nps" else 0,
            "detractor_count": sum(score <= 6 for score in scores) if kind == "nps" else 0,
        }
        assert chosen(rows[key], expected) == expected, key


def test_the_report_equals_means_and_shares_over_the_answers(warehouse: Path) -> None:
    key = ("account_id", "object", "survey_kind", "level", "answer_date", "topic_id", "channel")
    rows = rows_of(warehouse, "rpt_satisfaction", *key)
    checked = set()
    for level, name in (("day", "answer_date"), ("topic", "topic_id"), ("channel", "channel"), ("total", None)):
        for (account, of, kind, *value), answers in by(*([name] if name else [])).items():
            place = {"answer_date": None, "topic_id": "all", "channel": "all"}
            if name:
                place[name] = value[0]
            row = rows[account, of, kind, level, *place.values()]
            scores = [float(score) for score in scores_of(answers)]
            satisfied = sum(score >= 4 for score in scores)
            leaning = sum(score >= 9 for score in scores) - sum(score <= 6 for score in scores)
            known = len(scores)
            expected = {
                "answer_count": len(answers),
                "score_known_count": known,
                "score_mean": sum(scores) / known if known else None,
                "satisfied_share": satisfied / known if known and kind == "csat" else None,
                "net_promoter_score": 100 * leaning / known if known and kind == "nps" else None,
            }
            assert chosen(row, expected) == pytest.approx(expected)
            checked.add((account, of, kind, level, *place.values()))
    assert checked == rows.keys()


# --- Changes, events, contacts, dates ---------------------------------------------------------------------------------


def test_every_known_kind_of_change_has_a_group(warehouse: Path) -> None:
    rows = rows_of(warehouse, "fct_account_changes", "account_id", "change_id")
    assert {row["change_type"] for row in rows.values() if row["change_group"] == "other"} == {
        *("custom_error", "brand_new", None)
    }
    # As the product's help page on the account history tells.
    told = {
        "project_topic": {"project_restore", "query_add", "query_connectedservice_edit"},
        "user": {"user_delete", "security_user_locked", "user_custom_role_edit", "user_businesshours_change"},
        "account": {"account_plan_edit", "account_tag_add", "account_customfield_edit", "account_teams_add"},
        "data": {"account_volume_reset", "account_premium_volume_blocked", "mention_restore", "service_mention_delete"},
        "workflow": {"automation_rule_add", "saved_search_edit", "chart_template_add", "dashboard_component_delete"},
        "inbox": {"mailbox_add", "mailbox_folder_delete"},
        "security": {"security_settings_changed"},
    }
    groups = {row["change_type"]: row["change_group"] for row in rows.values()}
    assert {kind: groups[kind] for kinds in told.values() for kind in kinds} == {
        kind: group for group, kinds in told.items() for kind in kinds
    }


def test_changes_say_who_when_and_where(warehouse: Path) -> None:
    rows = rows_of(warehouse, "fct_account_changes", "account_id", "change_id")
    expected = {
        (ACCOUNTS[0], str(raw["id"])): {
            "change_type": raw.get("type"),
            "actor_kind": "human" if "user" in raw else "automation",
            "agent_id": str(raw["user"]["id"]) if "user" in raw else None,
            "topic_id": str(raw["topic"]["id"]) if "topic" in raw else None,
            "changed_at": instant(raw["date"]["added"]),
            "change_date": local_date(raw["date"]["added"]),
            "reporting_time_zone": ZONE,
        }
        for raw in CHANGES
    }
    assert {key: chosen(row, expected[key]) for key, row in rows.items()} == expected


def test_events_say_who_and_when(warehouse: Path) -> None:
    rows = rows_of(warehouse, "fct_security_events", "account_id", "event_id")
    expected = {
        (ACCOUNTS[0], str(raw["id"])): {
            "event_type": raw.get("type"),
            "is_failed_sign_in": raw.get("type") == "login_failure",
            "agent_id": str(raw["user"]["id"]) if "user" in raw else None,
            "happened_at": instant(raw["dateadd"]),
            "event_date": local_date(raw["dateadd"]),
            "reporting_time_zone": ZONE,
        }
        for raw in EVENTS
    }
    assert {key: chosen(row, expected[key]) for key, row in rows.items()} == expected
    assert {row["event_type"] for row in rows.values() if row["event_group"] == "other"} == {"brand_new", None}


def test_contacts_have_the_mentions_of_their_profiles(warehouse: Path) -> None:
    rows = rows_of(warehouse, "dim_contacts", "account_id", "contact_id")
    assert len(rows) == sum(map(len, CONTACTS.values()))
    for account, raw in ((account, raw) for account, contacts in CONTACTS.items() for raw in contacts):
        profiles = {
            (profile["type"], profile["service_id"]) for profile in raw["socialprofiles"] if "service_id" in profile
        }
        written = [
            item.at
            for item in ITEMS[account]
            if item.object == "mention"
            and not item.is_deleted
            and (item.raw["source"].get("service"), item.raw["author"]["id"]) in profiles
        ]
        expected = {
            "has_company": raw.get("company") == "ACME",
            "tag_count": len(set(raw["tags"])),
            "social_profile_count": len(raw["socialprofiles"]),
            "service_count": len({profile["type"] for profile in raw["socialprofiles"]}),
            "first_service": raw["socialprofiles"][0]["type"] if raw["socialprofiles"] else None,
            "mention_count": len(written) if profiles else None,
            "first_mention_at": instant(min(written, default=None)),
            "last_mention_at": instant(max(written, default=None)),
            "added_at": instant(raw["date"]["added"]),
            "updated_at": instant(raw["date"]["updated"]),
        }
        assert chosen(rows[account, raw["id"]], expected) == expected


def test_dates_run_from_the_first_to_the_last_on_which_anything_happened(warehouse: Path) -> None:
    items = [item for items in ITEMS.values() for item in items]
    days = [local_date(item.at) for item in items if item.object == "mention"]
    days += [
        local_date(done["date"]["added"]) for item in items for done in item.raw["actions"] if item.object == "mention"
    ]
    days += [local_date(raw["date"]["added"]) for raw in CHANGES] + [local_date(raw["dateadd"]) for raw in EVENTS]
    days += [answer["answer_date"] for answer in ANSWERS.values()]
    expected = {}
    for number in range((max(days) - min(days)).days + 1):
        day = min(days) + timedelta(days=number)
        iso = day.isocalendar()
        expected[day,] = {
            "calendar_date": day,
            "year": day.year,
            "quarter": (day.month + 2) // 3,
            "month": day.month,
            "iso_year": iso.year,
            "iso_week": iso.week,
            "day_of_week": iso.weekday,
            "is_weekend": day.strftime("%a") in {"Sat", "Sun"},
        }
    assert rows_of(warehouse, "dim_dates", "calendar_date") == expected

"""The dbt project, built on warehouses made by the real flattener, against its metrics computed in plain Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from pipelines.keeping import keep_versions
from pipelines.publishing import PARTITIONED_BY
from transforms.contract import contracts
from transforms.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from transforms.contract import Contract

Json = dict[str, Any]

PROJECT = Path(__file__).parents[2] / "sql"
ZONE = "Europe/Brussels"
LOADED_AT = datetime(2026, 4, 1, tzinfo=UTC)
READ_AT = [LOADED_AT + timedelta(days=day) for day in range(4)]
"""When the lists of teams and tags were read."""
BUSY, QUIET = "1417", "2020"
TABLES = (
    "dim_agents",
    "dim_topics",
    "dim_channels",
    "dim_teams",
    "dim_tags",
    "dim_contacts",
    "dim_dates",
    "bridge_team_members",
    "bridge_mention_tags",
    "fct_mentions",
    "fct_mention_actions",
    "fct_satisfaction",
    "fct_account_changes",
    "fct_security_events",
    "agg_response_times_daily",
    "agg_satisfaction_daily",
)
HOUSEKEEPING = {"_extra", "_content_hash", "_is_removed", "_dlt_load_id"}

# dbt runs in a process of its own: it keeps global state, and its imports raise warnings that are not ours to mend.
RUN_DBT = "import sys, dbt.cli.main as dbt; sys.exit(not dbt.dbtRunner().invoke(sys.argv[1:]).success)"


# --- Mentions ---------------------------------------------------------------------------------------------------------


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def action(kind: str, when: int, user: int | None = 12, status: str | None = None) -> Json:
    shown: Json = {"type": kind, "date": {"added": when}, "metadata": {"status": status} if status else []}
    return shown | ({"user": {"id": user, "name": f"Agent {user}"}} if user else {})


def mention(
    key: str,
    *,
    published: int | None,
    actions: Sequence[Json] = (),
    topic: int | None = 46283,
    channel: str | None = "facebook",
    is_own: bool | None = False,
    timestamps: Json | None = None,
    tags: Sequence[str] = (),
) -> Json:
    """A mention as the API sends it. Give `actions` from the oldest; the API lists the newest first."""
    source = {"category": "social"} | ({"service": channel} if channel else {})
    shown: Json = {
        "id": key,
        "unique_id": f"{topic}_{key}",
        "author": {"id": "77"} | ({} if is_own is None else {"managed": is_own}),
        "message": {"sentiment": "neutral"} | ({"content": "Hello"} if published is not None else {}),
        "source": source,
        "status": "new",
        "actions": list(reversed(actions)),
        "tags": list(tags),
        "timestamps": {"handle_time": 0} | (timestamps or {}),
        "date": {"added": (published if published is not None else at("2026-03-28 22:30:00")) + 90},
    }
    if published is not None:
        shown["date"]["published"] = published
    if topic is not None:
        shown["topic"] = {"id": topic, "name": f"Topic {topic}"}
    return shown


def special_mentions() -> list[Json]:
    """One mention for each rule that a day's ordinary mentions might not show."""
    noon = at("2026-03-28 12:00:00")
    return [
        mention("untouched", published=noon, tags=["urgent", "unlisted", "urgent"]),
        mention("at_once", published=noon, actions=[action("reply", noon)], timestamps={"response_time": 0}),
        mention(
            "reopened",
            published=noon,
            actions=[
                action("status", noon + 100, status="done"),
                action("status", noon + 200, user=None, status="new"),
                action("reply", noon + 250),
                action("status", noon + 300, status="done"),
            ],
            timestamps={"response_time": 250, "resolve_time": 100, "resolve_time_during_bh": 60},
        ),
        mention("before_publication", published=noon, actions=[action("reply", noon - 5), action("reply", noon + 9)]),
        mention(
            "tweet",
            published=None,
            channel="twitter",
            actions=[action("reply", noon + 50_000, user=13)],
            timestamps={"response_time": 321, "response_time_during_bh": 21},
        ),
        mention(
            "bot_first", published=noon, actions=[action("reply", noon + 3, user=None), action("reply", noon + 900)]
        ),
        mention(
            "one_second",
            published=noon,
            actions=[
                action("status", noon + 60, status="done"),
                action("status", noon + 60, status="new"),
                action("reply", noon + 60),
            ],
        ),
        mention("own", published=noon, is_own=True, actions=[action("reply", noon + 1)]),
        mention("unsaid", published=noon, is_own=None, tags=["hurry"]),
        mention("deleted", published=noon, actions=[action("reply", noon + 2)]),
        mention("no_topic", published=noon, topic=None, channel=None, actions=[action("reply", noon + 7)]),
        mention("api_differs", published=noon, actions=[action("reply", noon + 40)], timestamps={"response_time": 41}),
        mention("left_agent", published=noon, actions=[action("reply", noon + 70, user=99)]),
    ]


def ordinary_mentions() -> list[Json]:
    """A hundred mentions around the night in which Brussels' clocks change, with delays from seconds to days."""
    made = []
    for number in range(100):
        published = at("2026-03-28 20:00:00") + number * 613
        replied, resolved = published + number**3 % 90_000, published + number**3 % 200_000 + 1
        actions = [action("tag", published + 1, user=None)]
        actions += [action("reply", replied, user=12 + number % 2)] if number % 3 else []
        actions += [action("status", resolved, status="done" if number % 4 else "pending")] if number % 5 else []
        took = replied - published
        timestamps = {"response_time": took, "response_time_during_bh": took // 3} if number % 3 else {}
        made.append(
            mention(
                str(number),
                published=published,
                actions=actions,
                topic=46283 + number % 2,
                channel=("facebook", "instagram", "whatsapp")[number % 3],
                timestamps=timestamps,
            )
        )
    return made


BUSY_MENTIONS = special_mentions() + ordinary_mentions()
QUIET_MENTIONS = [
    mention("untouched", published=at("2026-03-28 22:59:59")),
    mention("late", published=at("2026-03-28 23:00:00")),
]
OBJECTS: dict[str, dict[str, list[Json]]] = {
    BUSY: {
        "mention": BUSY_MENTIONS,
        "user": [{"id": 12, "name": "Ann"}, {"id": 13, "name": "Bo"}],
        "topic": [{"id": 46283, "name": "Care", "monitoredprofiles": [{"type": "facebook"}]}],
    },
    QUIET: {"mention": QUIET_MENTIONS},
}
ANN, BO = {"id": 12, "name": "Ann"}, {"id": 13, "name": "Bo"}
LISTED: list[dict[str, list[Json]]] = [
    {
        "team": [{"id": 1, "name": "Care", "users": [ANN, BO]}, {"id": 2, "name": "Night", "users": [BO]}],
        "tag": [{"id": 7, "tag": "hurry"}, {"id": 8, "tag": "legal", "parent_id": 7}],
    },
    {
        "team": [{"id": 1, "name": "Care EU", "users": [ANN | {"name": "Anna"}]}],
        "tag": [{"id": 7, "tag": "urgent"}, {"id": 8, "tag": "legal", "parent_id": 7}],
    },
    {
        "team": [{"id": 1, "name": "Care EU", "users": []}],
        "tag": [{"id": 7, "tag": "urgent"}],
    },
    {
        "team": [{"id": 1, "name": "Care EU", "users": [ANN, BO]}],
        "tag": [{"id": 7, "tag": "urgent"}],
    },
]
"""The busy account's lists of teams and tags, each time they were read."""


# --- The same metrics in plain Python ---------------------------------------------------------------------------------


def seconds(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else max(0, end - start)


def from_the_oldest(raw: Json) -> list[Json]:
    """The actions by time; of two in one second, the one that the API lists further down came first."""
    actions = raw["actions"]
    places = sorted(range(len(actions)), key=lambda place: (actions[place]["date"]["added"], -place))
    return [actions[place] for place in places]


def expected_fact(raw: Json) -> Json:
    """What fct_mentions should say of a mention, read from the API's own JSON."""
    published = raw["date"].get("published")
    actions = from_the_oldest(raw)
    replies = [a for a in actions if a["type"] == "reply"]
    statuses = [(a["metadata"]["status"], a["date"]["added"]) for a in actions if a["type"] == "status"]
    resolves = [when for status, when in statuses if status == "done"]
    by_people = [a for a in replies if "user" in a]
    reply_at = replies[0]["date"]["added"] if replies else None
    local = datetime.fromtimestamp(published if published is not None else raw["date"]["added"], ZoneInfo(ZONE))
    is_deleted = raw["id"] == "deleted"
    is_own = raw["author"].get("managed", False)
    return {
        "topic_id": str(raw["topic"]["id"]) if "topic" in raw else "unknown",
        "channel": raw["source"].get("service", "unknown"),
        "mention_date": local.date(),
        "reporting_time_zone": ZONE,
        "is_own": is_own,
        "is_deleted": is_deleted,
        "is_in_response_metrics": not is_own and not is_deleted,
        "is_stripped": published is None,
        "is_negative_interval": published is not None and any(a["date"]["added"] < published for a in actions),
        "has_reply": bool(replies),
        "has_resolve": bool(resolves),
        "first_response_seconds": seconds(published, reply_at),
        "first_human_response_seconds": seconds(published, by_people[0]["date"]["added"] if by_people else None),
        "first_human_reply_agent_id": str(by_people[0]["user"]["id"]) if by_people else None,
        "resolve_seconds": seconds(published, resolves[0] if resolves else None),
        "api_response_time_seconds": raw["timestamps"].get("response_time"),
        "api_response_time_business_hours_seconds": raw["timestamps"].get("response_time_during_bh"),
        "api_resolve_time_seconds": raw["timestamps"].get("resolve_time"),
        "api_resolve_time_business_hours_seconds": raw["timestamps"].get("resolve_time_during_bh"),
        "api_handle_time_seconds": raw["timestamps"]["handle_time"],
        "action_count": len(actions),
        "reply_count": len(replies),
        "human_reply_count": len(by_people),
        "resolve_count": len(resolves),
        "reopening_count": sum(before == "done" and after != "done" for (before, _), (after, _) in pairwise(statuses)),
    }


EXPECTED_FACTS = {
    (account, raw["unique_id"]): expected_fact(raw)
    for account, mentions in ((BUSY, BUSY_MENTIONS), (QUIET, QUIET_MENTIONS))
    for raw in mentions
}


def grouped(names: Sequence[str]) -> dict[tuple[Any, ...], list[Json]]:
    """The mentions that count in response metrics, by account and the named columns."""
    groups = defaultdict(list)
    for (account, _), fact in EXPECTED_FACTS.items():
        if fact["is_in_response_metrics"]:
            groups[account, *(fact[name] for name in names)].append(fact)
    return groups


def known(facts: Iterable[Json], column: str) -> list[int]:
    return sorted(fact[column] for fact in facts if fact[column] is not None)


def percentile(ordered: Sequence[int], share: float) -> float | None:
    """Linear between the two nearest values, the first at 0 and the last at 1."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


# --- Warehouses -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Built:
    """A warehouse file on which dbt has run: dbt's exit code, its output, and each node's result by name."""

    file: Path
    target: Path
    exit_code: int
    output: str

    @property
    def results(self) -> dict[str, Json]:
        """What became of each node of the run, by its name."""
        read = json.loads((self.target / "run_results.json").read_text(encoding="utf-8"))
        return {node_name(result["unique_id"]): result for result in read["results"]}

    @property
    def manifest(self) -> Json:
        """Everything the project declares, as dbt read it."""
        read: Json = json.loads((self.target / "manifest.json").read_text(encoding="utf-8"))
        return read

    def rows(self, query: str) -> list[Json]:
        """The rows that a query gives on the built warehouse, by column name."""
        with duckdb.connect(self.file, read_only=True) as con:
            con.execute("SET TimeZone = 'UTC'")
            result = con.execute(query)
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def node_name(unique_id: str) -> str:
    """The name in dbt's `test.<project>.<name>.<hash>` or `unit_test.<project>.<model>.<name>`."""
    kind, _, name, *rest = unique_id.split(".")
    return rest[0] if kind == "unit_test" else name


@pytest.fixture(scope="session")
def make_warehouse(flatten: Callable[..., Any]) -> Callable[[Path, dict[str, dict[str, list[Json]]]], None]:
    """Writes the normalised tables of every contract, by account, as the loader would, and nothing of what it keeps."""

    def make(file: Path, objects: dict[str, dict[str, list[Json]]]) -> None:
        with duckdb.connect(file) as con:
            con.execute("SET TimeZone = 'UTC'; CREATE SCHEMA social_connect")
            for number, (account, by_object) in enumerate(objects.items()):
                for contract in contracts():
                    made = flatten_list(flatten, contract, by_object.get(contract.object, []), account, LOADED_AT)
                    for name, rows in made.items():
                        con.register("rows", rows)
                        start = "INSERT INTO" if number else "CREATE TABLE"
                        con.execute(
                            f"{start} social_connect.{name} {'' if number else 'AS'}"
                            f" FROM rows SELECT *, 'load {number}' AS _dlt_load_id"
                        )
            con.execute("UPDATE social_connect.mentions SET deleted_at = '2026-03-30 00:00:00+00' WHERE id = 'deleted'")

    return make


def flatten_list(
    flatten: Callable[..., Any], contract: Contract, records: list[Json], account: str, loaded_at: datetime
) -> dict[str, Any]:
    body = json.dumps({"response": records})
    tables: dict[str, Any] = flatten(
        contract, [body], records_path="$.response", account_id=account, loaded_at=loaded_at
    ).tables
    return tables


def write_versions(flatten: Callable[..., Any], file: Path) -> None:
    """Keeps the versions of the busy account's teams and tags, reading after reading."""
    rows_file = file.with_suffix(".versions.parquet")
    with duckdb.connect(file) as con:
        con.execute("SET TimeZone = 'UTC'")
        for read_at, lists in zip(READ_AT, LISTED, strict=True):
            for contract in (contract for contract in contracts() if contract.object in lists):
                made = flatten_list(flatten, contract, lists[contract.object], BUSY, read_at)
                for table in contract.tables:
                    con.register("rows", made[table.name])
                    con.execute(f"COPY ({versions(table, 'FROM rows')}) TO '{rows_file}' (FORMAT parquet)")
                    keep_versions(con, table, rows_file, account_ids=[BUSY], seen_at=read_at)


def build(file: Path, *options: str) -> Built:
    target = file.with_suffix(".target")
    places = {
        "project-dir": PROJECT,
        "profiles-dir": PROJECT,
        "target-path": target,
        "log-path": file.with_suffix(".logs"),
    }
    where = [f"--{name}={place}" for name, place in places.items()]
    command = [sys.executable, "-c", RUN_DBT, "build", *where, *options]
    environment = os.environ | {"SOCIAL_WAREHOUSE_FILE": str(file)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    return Built(file, target, done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, flatten: Callable[..., Any], make_warehouse: Callable[..., None]
) -> Built:
    file = tmp_path_factory.mktemp("small") / "warehouse.duckdb"
    make_warehouse(file, OBJECTS)
    write_versions(flatten, file)
    return build(file, "--vars", json.dumps({"reporting_time_zone": ZONE}))


@pytest.fixture(scope="module")
def models(built: Built) -> list[Json]:
    return [node for node in built.manifest["nodes"].values() if node["resource_type"] == "model"]


# --- Building ---------------------------------------------------------------------------------------------------------


def test_the_project_builds_and_only_the_expected_warnings_are_raised(built: Built) -> None:
    assert built.exit_code == 0, built.output
    unusual = {name: (found["status"], found["failures"]) for name, found in built.results.items() if found["failures"]}
    # "api_differs" says 41 seconds where its actions say 40; "before_publication" was answered 5 seconds early.
    expected = {"warn_first_response_differs_from_api": ("warn", 1), "warn_action_before_publication": ("warn", 1)}
    assert unusual == expected


def test_every_unit_test_of_a_metric_is_run(built: Built) -> None:
    declared = {test["name"] for test in built.manifest["unit_tests"].values()}
    assert {built.results[name]["status"] for name in declared} == {"pass"}


def test_the_program_trusts_no_build_but_its_own(built: Built) -> None:
    """Nobody knows with which rules and zone it was made, so the next transform builds all rows."""
    assert built.rows("FROM intermediate._built_with") == [{"fingerprint": None}]


@pytest.mark.slow
def test_building_again_changes_no_row(built: Built, tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    file.write_bytes(built.file.read_bytes())
    again = build(file, "--exclude-resource-type", "unit_test", "--vars", json.dumps({"reporting_time_zone": ZONE}))
    assert again.exit_code == 0, again.output
    for mart in TABLES:
        query = f"FROM marts.{mart} ORDER BY ALL"
        assert again.rows(query) == built.rows(query)


def with_a_key_twice(built: Built, folder: Path) -> Path:
    file = folder / "warehouse.duckdb"
    file.write_bytes(built.file.read_bytes())
    with duckdb.connect(file) as con:
        con.execute("INSERT INTO social_connect.topics BY NAME SELECT '1' AS account_id, '2' AS id FROM range(2)")
    return file


def test_a_key_that_two_rows_share_is_found_by_its_test(built: Built, tmp_path: Path) -> None:
    (key_test,) = built.target.glob("compiled/**/unique_combination_stg_topics*.sql")
    query = key_test.read_text(encoding="utf-8")
    assert built.rows(query) == []
    with duckdb.connect(with_a_key_twice(built, tmp_path), read_only=True) as con:
        assert len(con.execute(query).fetchall()) == 1


@pytest.mark.slow
def test_a_key_that_two_rows_share_fails_the_build(built: Built, tmp_path: Path) -> None:
    file = with_a_key_twice(built, tmp_path)
    failed = build(file, "--select", "stg_topics")
    assert failed.exit_code == 1
    (key_test,) = (name for name in failed.results if name.startswith("unique_combination_stg_topics"))
    assert failed.results[key_test]["status"] == "fail"


@pytest.mark.slow
def test_views_survive_being_copied_into_a_file_of_another_name(
    built: Built, models: list[Json], tmp_path: Path
) -> None:
    copy = tmp_path / "published_elsewhere.duckdb"
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{built.file}' AS original (READ_ONLY); ATTACH '{copy}' AS copy")
        con.execute("COPY FROM DATABASE original TO copy")
    with duckdb.connect(copy, read_only=True) as con:
        for model in models:
            name = f"{model['schema']}.{model['name']}"
            assert len(con.execute(f"FROM {name}").fetchall()) == len(built.rows(f"FROM {name}")), name


# --- Numbers ----------------------------------------------------------------------------------------------------------


def test_facts_equal_a_computation_over_the_raw_mentions(built: Built) -> None:
    rows = {(row["account_id"], row["unique_id"]): row for row in built.rows("FROM marts.fct_mentions")}
    assert rows.keys() == EXPECTED_FACTS.keys()
    for key, expected in EXPECTED_FACTS.items():
        assert {name: rows[key][name] for name in expected} == expected, key


def test_actions_are_in_order_and_measured_from_publication(built: Built) -> None:
    expected = {
        (account, raw["unique_id"], number): (
            a["type"],
            str(a["user"]["id"]) if "user" in a else None,
            "human" if "user" in a else "automation",
            datetime.fromtimestamp(a["date"]["added"], UTC),
            datetime.fromtimestamp(a["date"]["added"], ZoneInfo(ZONE)).date(),
            seconds(raw["date"].get("published"), a["date"]["added"]),
        )
        for account, mentions in ((BUSY, BUSY_MENTIONS), (QUIET, QUIET_MENTIONS))
        for raw in mentions
        for number, a in enumerate(from_the_oldest(raw), start=1)
    }
    values = ("action_type", "agent_id", "actor_kind", "action_at", "action_date", "since_publication_seconds")
    rows = built.rows("FROM marts.fct_mention_actions")
    found = {(row["account_id"], row["unique_id"], row["action_number"]): tuple(row[v] for v in values) for row in rows}
    assert found == expected


def test_daily_sums_equal_sums_over_the_raw_mentions(built: Built) -> None:
    dimensions = ("mention_date", "topic_id", "channel")
    found = built.rows("FROM marts.agg_response_times_daily")
    rows = {(row["account_id"], *(row[name] for name in dimensions)): row for row in found}
    groups = grouped(dimensions)
    assert rows.keys() == groups.keys()
    for key, facts in groups.items():
        expected = {
            "mention_count": len(facts),
            "replied_count": sum(fact["has_reply"] for fact in facts),
            "resolved_count": sum(fact["has_resolve"] for fact in facts),
        }
        for measure in (column for column in facts[0] if column.endswith("_seconds")):
            values = known(facts, measure)
            expected |= {f"{measure.removesuffix('_seconds')}_known_count": len(values), f"{measure}_sum": sum(values)}
        assert {name: rows[key][name] for name in expected} == expected, key


def test_the_report_equals_means_and_percentiles_over_the_raw_mentions(built: Built) -> None:
    rows = {
        (row["level"], row["account_id"], row["mention_date"], row["topic_id"], row["channel"]): row
        for row in built.rows("FROM marts.rpt_response_times")
    }
    columns = {"day": "mention_date", "topic": "topic_id", "channel": "channel"}
    checked = set()
    for parts in (parts for size in range(4) for parts in combinations(columns, size)):
        for (account, *values), facts in grouped([columns[part] for part in parts]).items():
            place = {"day": None, "topic": "all", "channel": "all"} | dict(zip(parts, values, strict=True))
            key = ("_".join(parts) or "total", account, place["day"], place["topic"], place["channel"])
            row = rows[key]
            replied_count, resolved_count = sum(f["has_reply"] for f in facts), sum(f["has_resolve"] for f in facts)
            counts = (row["mention_count"], row["replied_count"], row["resolved_count"])
            assert counts == (len(facts), replied_count, resolved_count)
            assert row["replied_share"] == pytest.approx(replied_count / len(facts))
            assert row["resolved_share"] == pytest.approx(resolved_count / len(facts))
            for measure, unit, unit_seconds in (("first_response", "minutes", 60), ("resolve", "hours", 3600)):
                ordered = known(facts, f"{measure}_seconds")
                assert row[f"{measure}_known_count"] == len(ordered)
                statistics = {f"p{int(share * 100)}": percentile(ordered, share) for share in (0.5, 0.9, 0.95)}
                statistics["mean"] = sum(ordered) / len(ordered) if ordered else None
                for name, value in statistics.items():
                    in_seconds, in_unit = row[f"{measure}_{name}_seconds"], row[f"{measure}_{name}_{unit}"]
                    if value is None:
                        assert (in_seconds, in_unit) == (None, None), key
                    else:
                        assert (in_seconds, in_unit) == pytest.approx((value, value / unit_seconds)), key
            checked.add(key)
    assert checked == rows.keys()


def test_the_day_turns_at_midnight_in_the_reporting_time_zone(built: Built) -> None:
    rows = built.rows("FROM marts.fct_mentions ORDER BY published_at")
    first, second = (row["mention_date"] for row in rows if row["account_id"] == QUIET)
    assert second - first == timedelta(days=1)


def test_what_is_not_listed_any_more_keeps_a_row(built: Built) -> None:
    agents = {row["agent_id"]: (row["agent_name"], row["is_listed"]) for row in built.rows("FROM marts.dim_agents")}
    assert agents == {"12": ("Ann", True), "13": ("Bo", True), "99": ("Agent 99", False)}
    topics = {
        row["topic_id"]: (row["topic_name"], row["is_listed"])
        for row in built.rows("FROM marts.dim_topics")
        if row["account_id"] == BUSY
    }
    assert topics == {"46283": ("Care", True), "46284": ("Topic 46284", False), "unknown": ("unknown", False)}


def test_teams_are_as_they_were_last_listed(built: Built) -> None:
    names = ("account_id", "team_id", "team_name", "is_listed", "gone_at", "member_count")
    rows = {tuple(row[name] for name in names) for row in built.rows("FROM marts.dim_teams")}
    assert rows == {(BUSY, "1", "Care EU", True, None, 2), (BUSY, "2", "Night", False, READ_AT[1], 0)}


def test_memberships_run_from_reading_to_reading(built: Built) -> None:
    found = built.rows("FROM marts.bridge_team_members")
    spells = {(row["team_id"], row["agent_id"], row["valid_from"], row["valid_to"]) for row in found}
    expected = set()
    times = [*READ_AT, None]
    teams = [{str(team["id"]): {str(user["id"]) for user in team["users"]} for team in at["team"]} for at in LISTED]
    for team, agent in {(team, agent) for read in teams for team, agents in read.items() for agent in agents}:
        was_there = [agent in read.get(team, ()) for read in teams]
        starts = [n for n, there in enumerate(was_there) if there and (n == 0 or not was_there[n - 1])]
        for start in starts:
            end = next((n for n in range(start, len(was_there)) if not was_there[n]), len(was_there))
            expected.add((team, agent, times[start], times[end]))
    assert len(expected) == 5
    assert spells == expected
    assert len(found) == len(expected)


def test_tags_join_mentions_to_what_they_are_called_now(built: Built) -> None:
    names = ("tag", "tag_id", "present_tag", "parent_tag", "is_listed")
    assert {tuple(row[name] for name in names) for row in built.rows("FROM marts.dim_tags")} == {
        ("hurry", "7", "urgent", None, False),
        ("urgent", "7", "urgent", None, True),
        ("legal", "8", None, "urgent", False),
        ("unlisted", None, None, None, False),
    }
    tagged = {(row["unique_id"], row["tag"]) for row in built.rows("FROM marts.bridge_mention_tags")}
    assert tagged == {(raw["unique_id"], tag) for raw in BUSY_MENTIONS for tag in raw["tags"]}


# --- Descriptions and tests -------------------------------------------------------------------------------------------


def test_every_model_and_column_is_described_and_no_other(built: Built, models: list[Json]) -> None:
    for model in models:
        assert model["description"], f"{model['name']} has no description"
        undescribed = [name for name, column in model["columns"].items() if not column["description"]]
        assert not undescribed, f"columns of {model['name']} without a description: {undescribed}"
        columns = {row["column_name"] for row in built.rows(f"DESCRIBE {model['schema']}.{model['name']}")}
        assert columns == model["columns"].keys(), f"{model['name']}: the .yml and the .sql name different columns"


def test_every_source_column_is_described(built: Built) -> None:
    for source in built.manifest["sources"].values():
        assert source["description"]
        assert all(column["description"] for column in source["columns"].values())


def test_every_staging_view_is_one_source_table_that_a_model_reads(models: list[Json], built: Built) -> None:
    sources = built.manifest["sources"]
    staged = [model for model in models if model["schema"] == "staging"]
    read = {name for model in models if model["schema"] != "staging" for name in model["depends_on"]["nodes"]}
    assert {model["unique_id"] for model in staged} == {name for name in read if ".stg_" in name}
    assert not any(name in sources for name in read), "models read staging views, not source tables"
    for model in staged:
        (source,) = model["depends_on"]["nodes"]
        assert source in sources


def test_staging_leaves_out_no_column_of_the_normalised_tables(models: list[Json], built: Built) -> None:
    tables = {table.name: table for contract in contracts() for table in contract.tables}
    for model in (model for model in models if model["schema"] == "staging"):
        source = built.manifest["sources"][model["depends_on"]["nodes"][0]]
        if source["schema"] == "social_connect" and source["name"] in tables:
            is_list = tables[source["name"]].parent is not None
            kept = source["columns"].keys() - HOUSEKEEPING - ({"_loaded_at"} if is_list else set())
            staged = model["columns"].keys() - {"load_id"}
            assert len(staged) == len(kept), f"{model['name']} leaves out a column"


def test_every_table_of_the_contracts_is_a_source_with_its_columns(built: Built) -> None:
    sources = {
        source["name"]: source["columns"].keys()
        for source in built.manifest["sources"].values()
        if source["schema"] == "social_connect"
    }
    declared = {
        table.name: {column.name for column in table.all_columns}
        for contract in contracts()
        for table in contract.tables
    }
    assert {name: sources[name] - {"_dlt_load_id"} for name in declared} == declared
    assert sources.keys() - declared.keys() == {"statistics", "quarantine"}


def test_every_model_has_a_test_of_its_key_and_every_mart_a_unit_test(built: Built, models: list[Json]) -> None:
    keyed = {
        node["attached_node"]
        for node in built.manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "unique_combination"
    }
    assert {model["unique_id"] for model in models} == keyed
    unit_tested = {test["model"] for test in built.manifest["unit_tests"].values()}
    assert {model["name"] for model in models if model["schema"] == "marts"} <= unit_tested


@pytest.mark.parametrize(("column", "dimension"), [("topic_id", "dim_topics"), ("channel", "dim_channels")])
def test_every_mart_is_tested_to_have_only_topics_and_channels_of_the_dimensions(
    built: Built, models: list[Json], column: str, dimension: str
) -> None:
    """Rows of cases too: only those for all topics or channels together are left out. Changes of lost topics warn."""
    tests = [
        node
        for node in built.manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "foreign_key"
        and node["test_metadata"]["kwargs"]["columns"] == ["account_id", column]
        and node["test_metadata"]["kwargs"]["to"] == f"ref('{dimension}')"
    ]
    having = {
        model["unique_id"]: model["name"]
        for model in models
        if model["schema"] == "marts" and column in model["columns"] and model["name"] != dimension
    }
    assert {having[test["attached_node"]] for test in tests} == set(having.values())
    assert {test["config"]["where"] for test in tests} <= {None, f"{column} <> 'all'"}
    lenient = {having[test["attached_node"]] for test in tests if test["config"]["severity"].lower() != "error"}
    assert lenient <= {"fct_account_changes"}


def test_what_reports_refer_to_is_tested_in_a_table_too(built: Built) -> None:
    """Where not everything is built, it is tested there only."""
    of_reports, of_tables = set(), set()
    for node in built.manifest["nodes"].values():
        if (node.get("test_metadata") or {}).get("name") == "foreign_key":
            told = node["test_metadata"]["kwargs"]
            is_of_report = node["attached_node"].rpartition(".")[2].startswith("rpt_")
            (of_reports if is_of_report else of_tables).add((*told["columns"], told["to"]))
    assert of_reports
    assert of_reports <= of_tables


def test_every_mart_is_under_contract_with_a_type_for_each_column(models: list[Json]) -> None:
    for model in (model for model in models if model["schema"] == "marts"):
        assert model["contract"]["enforced"], model["name"]
        assert all(column["data_type"] for column in model["columns"].values()), model["name"]


def test_views_of_the_marts_read_only_what_is_published_with_them(models: list[Json]) -> None:
    """Facts may read anything: the published copy has them as tables."""
    schemas = {model["unique_id"]: model["schema"] for model in models}
    marts = [model for model in models if model["schema"] == "marts" and model["name"] not in PARTITIONED_BY]
    views = [model for model in marts if model["config"]["materialized"] == "view"]
    assert views
    for model in views:
        assert {schemas[name] for name in model["depends_on"]["nodes"]} == {"marts"}, model["name"]

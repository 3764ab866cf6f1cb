"""Statistics read over HTTP and loaded: every number is that of a recount of the mentions the sandbox holds."""

# ruff: noqa: S608 - names of tables and columns are those of the statistics table

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from pydantic import SecretStr

from pipelines.api import BudgetUsedUp, SocialConnect
from pipelines.load import make_pipeline
from pipelines.source import AccountReading
from pipelines.source.dlt_source import social_connect
from pipelines.source.packages import LoadTally
from pipelines.source.statistics import StatisticsLoader, definitions, read_definitions
from pipelines.warehouse import Warehouse
from sandbox import Behaviour, Sandbox, Server
from transforms.statistics import Definition
from transforms.tables import STATISTICS

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Numbers = dict[tuple[str, str, datetime], float]

ZONE = ZoneInfo("Europe/Brussels")
ACCOUNT = 1417


@pytest.fixture
def server() -> Iterator[Server]:
    """Ends in the first days of summer time, so that one day has 23 hours."""
    box = Sandbox(seed=5, mentions=1_200, now=datetime(2026, 3, 30, 14, 30, tzinfo=UTC), days=28)
    with box.serve() as running:
        yield running


class _Statistics:
    """A warehouse of statistics only, kept in step with a sandbox."""

    def __init__(self, server: Server, home: Path, asked: tuple[Definition, ...] | None = None) -> None:
        self.server = server
        self.asked = asked
        self.warehouse = Warehouse(home)
        self.warehouse.make_folders()
        self.pipeline = make_pipeline(self.warehouse)
        self.start_date = server.sandbox.now - timedelta(days=40)
        self.tally = LoadTally()

    @property
    def box(self) -> Sandbox:
        return self.server.sandbox

    def sync(self, *, max_requests: int | None = None) -> StatisticsLoader:
        self.tally = LoadTally()
        with self._api(max_requests) as api:
            accounts = [
                AccountReading(api, str(account_id), self.start_date, self.box.now)
                for account_id in self.box.account_ids
            ]
            loader = StatisticsLoader(accounts, loaded_at=self.box.now, asked=self.asked)
            while not loader.is_done:
                state = self.pipeline.state.get("sources", {}).get("social_connect", {})
                package = loader.read(state.get(loader.name, {}))
                with self.warehouse.connect(read_only=False) as con:
                    package.keep(con, self.tally)
                self.pipeline.extract(social_connect([package], state, self.tally))
                package.close()
                self.pipeline.normalize()
                self.pipeline.load()
            return loader

    @contextmanager
    def _api(self, max_requests: int | None) -> Iterator[SocialConnect]:
        token = SecretStr(self.box.token)
        with SocialConnect(self.server.base_url, [token], max_requests=max_requests, max_wait_seconds=0) as api:
            yield api

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.warehouse.file, read_only=True) as con:
            con.execute("SET search_path = 'social_connect'; SET TimeZone = 'UTC'")
            return con.execute(query).fetchall()

    def numbers(self) -> Numbers:
        """What the warehouse holds, of the counts all that are not 0 and of the averages all that are there."""
        found = self.rows(
            "SELECT definition, segment, bucket_start_at, value FROM statistics"
            " WHERE value IS NOT NULL AND (value <> 0 OR unit = 'seconds')"
        )
        return {(definition, segment, start): value for definition, segment, start, value in found}


@pytest.fixture
def statistics(server: Server, tmp_path: Path) -> _Statistics:
    return _Statistics(server, tmp_path)


# --- the truth ---


def day_of(added: int) -> datetime:
    local = datetime.fromtimestamp(added, ZONE)
    return datetime(local.year, local.month, local.day, tzinfo=ZONE).astimezone(UTC)


def hour_of(added: int) -> datetime:
    return datetime.fromtimestamp(added - added % 3_600, UTC)


def since_publication(kind: str | None, *, is_done: bool = False) -> Callable[[Json], float | None]:
    def seconds(row: Json) -> float | None:
        times = [
            action["date"]["added"]
            for action in row["actions"]
            if kind in {None, action["type"]} and (not is_done or action["metadata"].get("status") == "done")
        ]
        return min(times) - row["date"]["published"] if times else None

    return seconds


# What a definition of the warehouse's own counts, from a mention as the inbox shows it.
SEGMENTS: dict[str, Callable[[Json], Any]] = {
    "status": lambda row: "sent" if row["author"]["managed"] else row["status"],
    "sentiment": lambda row: row["message"].get("sentiment"),
    "topic": lambda row: row["topic"]["id"],
    "source_category": lambda row: row["source"]["category"],
    "": lambda _row: "all",
}
VALUES: dict[str, Callable[[Json], float | None]] = {
    "response_time": lambda row: row["timestamps"].get("response_time"),
    "resolve_time": lambda row: row["timestamps"].get("resolve_time"),
    "assign_time": since_publication("assign"),
    "first_action_time": since_publication(None),
}


def truth(box: Sandbox, since: datetime, published_at: dict[str, int], *, account_id: int = ACCOUNT) -> Numbers:
    """Every number of the definitions that come with the warehouse, for local days that begin at `since` or later."""
    groups: dict[tuple[str, str, datetime], list[float | None]] = defaultdict(list)
    sources = {"mentions": box.mentions(account_id), "cases": [row["case"] for row in box.cases(account_id)]}
    for name, definition in {each.name: each for each in definitions()}.items():
        segment = SEGMENTS[name.partition("_by_")[2]]
        for row in sources[definition.type]:
            begins = day_of(row["date"]["added"])
            if begins < since or segment(row) is None:
                continue
            shown = {**row, "date": {"published": published_at.get(row["unique_id"]), **row["date"]}}
            value = 1.0 if definition.value is None else VALUES[definition.value](shown)
            groups[name, str(segment(row)), begins].append(value)
    units = {each.name: each.unit for each in definitions()}
    numbers: Numbers = {}
    for key, values in groups.items():
        known = [value for value in values if value is not None]
        if known:
            numbers[key] = mean(known) if units[key[0]] == "seconds" else sum(known)
    return numbers


def publications(box: Sandbox) -> dict[str, int]:
    """When mentions were published whose publication the API does not show; its statistics know it."""
    account = box.accounts[ACCOUNT]
    state = account.state(box.now_seconds)
    return {
        state.mention(row)["unique_id"]: int(account.history.published_at[row])
        for row in range(state.planned)
        if state.alive[row]
    }


def first_midnight(start_date: datetime) -> datetime:
    return start_date.replace(hour=0, minute=0, second=0)


def assert_equal(statistics: _Statistics) -> None:
    expected = truth(statistics.box, first_midnight(statistics.start_date), publications(statistics.box))
    assert statistics.numbers() == {key: pytest.approx(value, abs=0.006) for key, value in expected.items()}


# --- tests ---


def test_every_number_is_that_of_a_recount(statistics: _Statistics) -> None:
    loader = statistics.sync()
    assert (loader.notices, loader.stopped_by) == ([], None)
    assert_equal(statistics)
    found = statistics.numbers()
    assert {definition for definition, _, _ in found} == {each.name for each in definitions()}
    assert len({start for _, _, start in found}) >= 28
    offsets = {start.hour for definition, _, start in found if definition == "mentions"}
    assert offsets == {22, 23}, "days of winter time and of summer time"


def test_segments_add_up_to_the_number_over_all(statistics: _Statistics) -> None:
    statistics.sync()
    differing = statistics.rows(
        """
        SELECT * FROM
          (SELECT bucket_start_at, value FROM statistics WHERE definition = 'mentions') AS overall
          JOIN (SELECT definition, bucket_start_at, sum(value) AS parts FROM statistics
                WHERE definition IN ('mentions_by_status', 'mentions_by_topic', 'mentions_by_source_category')
                GROUP BY ALL) USING (bucket_start_at)
        WHERE parts IS DISTINCT FROM value
        """
    )
    assert differing == []


def test_numbers_follow_what_happens_to_mentions(statistics: _Statistics) -> None:
    statistics.sync()
    box = statistics.box
    agent = box.users(ACCOUNT)[0]["id"]
    mentions = box.mentions(ACCOUNT)
    for mention in mentions[::40]:
        box.act(ACCOUNT, mention["unique_id"], kind="reply", user_id=agent, text="ok")
        box.act(ACCOUNT, mention["unique_id"], kind="status", status="done", user_id=agent)
    for mention in mentions[1::40]:
        box.edit_mention(ACCOUNT, mention["unique_id"], {"message": {"sentiment": "positive"}})
    for mention in mentions[2::40]:
        box.delete_mention(ACCOUNT, mention["unique_id"])
    assert statistics.sync().stopped_by is None
    assert_equal(statistics)
    box.advance(hours=31)
    statistics.sync()
    assert_equal(statistics)


def test_a_segment_that_is_gone_leaves_no_number(statistics: _Statistics) -> None:
    statistics.sync()
    box = statistics.box
    before = {segment for name, segment, _ in statistics.numbers() if name == "mentions_by_sentiment"}
    assert "negative" in before
    for mention in box.mentions(ACCOUNT):
        if mention["message"].get("sentiment") == "negative":
            box.edit_mention(ACCOUNT, mention["unique_id"], {"message": {"sentiment": "neutral"}})
    statistics.sync()
    assert statistics.rows("FROM statistics WHERE segment = 'negative'") == []
    assert_equal(statistics)
    for mention in box.mentions(ACCOUNT):
        box.delete_mention(ACCOUNT, mention["unique_id"])
    statistics.sync()
    assert not any(name.startswith("mentions") for name, _, _ in statistics.numbers())
    held = {name for (name,) in statistics.rows("SELECT DISTINCT definition FROM statistics")}
    assert "mentions" in held, "a count of 0 is a number"
    assert "mentions_by_sentiment" not in held, "a segment that is not told is none"


def test_what_has_not_changed_is_not_written_again(statistics: _Statistics) -> None:
    statistics.sync()
    assert statistics.tally.row_counts["statistics"] > 1_000
    loaded = statistics.rows("FROM statistics ORDER BY ALL")
    statistics.box.advance(seconds=1)
    statistics.sync()
    assert statistics.tally.row_counts["statistics"] < 200, "no more than the days on which something came in"
    statistics.sync()
    assert statistics.tally.row_counts["statistics"] == 0
    assert len(statistics.rows("FROM statistics")) == len(loaded)


def test_the_key_is_unique_and_its_columns_are_those_declared(statistics: _Statistics) -> None:
    statistics.sync()
    statistics.sync()
    key = ", ".join(STATISTICS.key_names)
    assert statistics.rows(f"SELECT {key}, count(*) FROM statistics GROUP BY ALL HAVING count(*) > 1") == []
    assert statistics.rows(f"FROM statistics WHERE ({key}) IS NULL") == []
    types = {"text": "VARCHAR", "json": "VARCHAR", "float": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN"}
    types["timestamp"] = "TIMESTAMP WITH TIME ZONE"
    declared = {column.name: types[column.type] for column in STATISTICS.all_columns} | {"_dlt_load_id": "VARCHAR"}
    columns = statistics.rows(
        "SELECT column_name, data_type FROM duckdb_columns()"
        " WHERE table_name = 'statistics' AND schema_name = 'social_connect'"
    )
    assert dict(columns) == declared
    assert (
        statistics.rows("FROM statistics WHERE _dlt_load_id NOT IN (SELECT load_id FROM _dlt_loads WHERE status = 0)")
        == []
    )


def test_any_number_can_be_asked_again(statistics: _Statistics) -> None:
    statistics.sync()
    rows = statistics.rows(
        "SELECT request, filter, topic_ids, asked_from_at, asked_to_at, segment, bucket_start_at, value FROM statistics"
        " USING SAMPLE 40 ROWS (reservoir, 1)"
    )
    with statistics._api(None) as api:
        for request, words, topic_ids, begin, end, segment, start, value in rows:
            dates = {"date_from": begin.isoformat(), "date_to": end.isoformat()}
            asked = {"facetdefinitions": f"[{request}]", "filter": words, "topic_ids": topic_ids, **dates}
            (facet,) = api.get(f"/{ACCOUNT}/insights/facets", asked).data
            across = next(place for place, key in enumerate(facet["keys"]) if key["id"] == start.timestamp())
            named = [str(each["id"]) for each in facet["segments"]]
            assert facet["data"][named.index(segment) if segment in named else 0][across] == value


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "UTC", "America/New_York"])
def test_days_are_whole_in_any_zone_though_they_are_asked_in_parts(server: Server, tmp_path: Path, zone: str) -> None:
    """Two calls meet inside a local day; what each counts of it alone is not its number."""
    server.sandbox.behaviour = replace(Behaviour(), statistics_zone=zone)
    asked = read_definitions(
        "days: {counts: M., unit: mentions}\nhours: {counts: M., unit: mentions, grouping: hour}", file="f"
    )
    statistics = _Statistics(server, tmp_path, asked)
    server.sandbox.advance(days=30)
    statistics.start_date -= timedelta(days=200)
    loader = statistics.sync()
    assert loader.page_count == 4
    begin = first_midnight(statistics.start_date)
    expected: dict[tuple[str, str, datetime], int] = defaultdict(int)
    for mention in server.sandbox.mentions(ACCOUNT):
        local = datetime.fromtimestamp(mention["date"]["added"], ZoneInfo(zone))
        day = local.replace(hour=0, minute=0, second=0)
        hour = local.replace(minute=0, second=0)
        for name, start in (("days", day), ("hours", hour)):
            if start >= begin:
                expected[name, "all", start.astimezone(UTC)] += 1
    assert statistics.numbers() == expected


def test_a_used_up_budget_keeps_what_was_read_and_the_next_sync_goes_on(statistics: _Statistics) -> None:
    statistics.start_date -= timedelta(days=300)
    stopped = statistics.sync(max_requests=3)
    assert isinstance(stopped.stopped_by, BudgetUsedUp)
    held = statistics.numbers()
    assert held
    assert len({start for _, _, start in held}) <= 36 + 92
    assert statistics.sync().stopped_by is None
    assert_equal(statistics)
    before = len(statistics.box.requests)
    statistics.sync()
    asked = [each for each in statistics.box.requests[before:] if each.path.endswith("/facets")]
    assert len(asked) == 2, "recent days only, one call for mentions and one for cases"


@pytest.mark.parametrize("switch", ["without_permission", "not_in_plan"])
def test_an_account_without_statistics_gets_a_notice(statistics: _Statistics, switch: str) -> None:
    box = statistics.box
    box.behaviour = replace(Behaviour(), **{switch: frozenset({"insights/facets"})})  # type: ignore[arg-type]
    loader = statistics.sync()
    assert loader.stopped_by is None
    assert len(loader.notices) == 2
    assert all("account 1417: statistics" in notice and "left out" in notice for notice in loader.notices)
    assert statistics.rows("FROM statistics") == [], "the table is there"
    box.behaviour = Behaviour()
    assert statistics.sync().notices == []
    assert_equal(statistics)


def test_a_definition_that_the_api_does_not_know_is_left_out_and_the_rest_goes_on(
    server: Server, tmp_path: Path
) -> None:
    text = "by_author: {counts: M., unit: mentions, segmentation: {field: author.name, size: 5}}"
    statistics = _Statistics(server, tmp_path, (*read_definitions(text, file="f"), *definitions()))
    loader = statistics.sync()
    (notice,) = loader.notices
    assert "statistics by_author are left out" in notice
    assert_equal(statistics)


@pytest.mark.parametrize("average", ["null", "zero"])
def test_an_average_of_nothing_is_what_the_api_says(server: Server, tmp_path: Path, average: Any) -> None:
    server.sandbox.behaviour = replace(Behaviour(), statistics_without_values=average)
    text = "none: {counts: T., unit: seconds, value: response_time, filter: 'content:nobody-writes-this'}"
    statistics = _Statistics(server, tmp_path, read_definitions(text, file="f"))
    statistics.sync()
    assert {value for (value,) in statistics.rows("SELECT value FROM statistics")} == {None if average == "null" else 0}


def test_fans_of_named_profiles_are_theirs(server: Server, tmp_path: Path) -> None:
    profiles = [str(profile["id"]) for profile in server.sandbox.objects(ACCOUNT, "connectedprofiles")[:2]]
    text = (
        "fans: {counts: Fans., unit: fans, type: monitored profile kpis, value: followers,"
        f" profile_ids: {json.dumps(profiles)}}}"
    )
    statistics = _Statistics(server, tmp_path, read_definitions(text, file="f"))
    statistics.sync()
    found = statistics.rows("SELECT DISTINCT segment, profile_ids FROM statistics ORDER BY segment")
    assert found == [(profile, ",".join(profiles)) for profile in sorted(profiles)]
    assert statistics.rows("FROM statistics WHERE value IS NULL OR value <= 0") == []


def test_each_account_has_its_own_numbers(tmp_path: Path) -> None:
    box = Sandbox(seed=3, accounts=(1417, 2002), mentions=200)
    with box.serve() as server:
        statistics = _Statistics(server, tmp_path)
        statistics.sync()
        for account_id in box.account_ids:
            (total,) = statistics.rows(
                f"SELECT sum(value) FROM statistics WHERE definition = 'mentions' AND account_id = '{account_id}'"
            )
            assert total == (len(box.mentions(account_id)),)

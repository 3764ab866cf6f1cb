"""The ready analyses run on a built warehouse as they are and as the page for analysts prints them, and are right."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dbt_commands import PROJECT, dbt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

Row = dict[str, Any]

ANALYSES = sorted(file.stem for file in (PROJECT / "analyses").glob("*.sql"))
PAGE = PROJECT.parent / "docs" / "analysts.md"
STREAMS = ["topics", "mentions", "cases", "users", "teams", "tags", "business_hours_schedules"]


def compiled(warehouse: Path) -> Path:
    """The folder of the analyses as plain SQL."""
    return warehouse.parent / "target" / "compiled" / "social_connect_warehouse" / "analyses"


@pytest.fixture(scope="module")
def built(make_site: Callable[..., Any]) -> Path:
    site = make_site(mentions=250, stream_names=STREAMS)
    site.sync()
    file: Path = site.home / "warehouse.duckdb"
    dbt(file, ["run"], ["compile"], as_of=(site.box.now + timedelta(hours=1)).isoformat())
    return file


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "warehouse.duckdb"
    dbt(file, ["build", "--exclude-resource-type", "unit_test"], ["compile"])
    return file


def rows(warehouse: Path, query: str) -> list[Row]:
    """Rows of plain SQL as a reader of the published copy would get them: names need no schema."""
    with duckdb.connect(warehouse, read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'; SET search_path = 'marts,social_connect,history'")
        found = con.execute(query)
        names = [name for name, *_ in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def answer(warehouse: Path, name: str) -> list[Row]:
    return rows(warehouse, (compiled(warehouse) / f"{name}.sql").read_text(encoding="utf-8"))


def as_of(warehouse: Path) -> datetime:
    (summary,) = rows(warehouse, "SELECT as_of FROM agg_account_summary")
    made: datetime = summary["as_of"]
    return made


def printed() -> dict[str, str]:
    """The queries of the page for analysts, by the file that the line before each names."""
    queries, name, lines = {}, "", []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("<!-- sql/analyses/"):
            name = line.removeprefix("<!-- sql/analyses/").removesuffix(".sql -->")
        elif name and line == "```":
            queries[name] = "\n".join(lines)
            name, lines = "", []
        elif name and line != "```sql":
            lines.append(line)
    return queries


def test_each_begins_with_its_question() -> None:
    assert len(ANALYSES) >= 6
    for name in ANALYSES:
        first, *_ = (PROJECT / "analyses" / f"{name}.sql").read_text(encoding="utf-8").splitlines()
        assert first.startswith("-- "), name
        assert first.endswith("?"), name


def test_the_page_for_analysts_has_every_one() -> None:
    assert sorted(printed()) == ANALYSES


@pytest.mark.parametrize("name", ANALYSES)
def test_each_finds_something(built: Path, name: str) -> None:
    found = [tuple(row.values()) for row in answer(built, name)]
    assert found
    assert len(found) == len(set(found)), "the same row twice"


@pytest.mark.parametrize("name", ANALYSES)
def test_what_the_page_prints_gives_the_same(built: Path, name: str) -> None:
    assert rows(built, printed()[name]) == answer(built, name)


@pytest.mark.parametrize("name", ANALYSES)
def test_each_finds_nothing_where_nothing_is(empty: Path, name: str) -> None:
    assert answer(empty, name) == []


# --- The same, counted one by one ---


def test_days_are_counted_by_kind_and_a_day_without_any_is_a_row_of_zeros(built: Path) -> None:
    today = as_of(built).date()
    counted = {today - timedelta(days=back): Counter[str]() for back in range(28)}
    for mention in rows(built, "FROM fct_mentions"):
        if (of := counted.get(mention["mention_date"])) is not None:
            is_customers = not mention["is_own"] and not mention["is_deleted"]
            of["customer_count"] += is_customers
            of["private_count"] += is_customers and mention["message_type"] == "privatemessage"
            of["stripped_count"] += is_customers and mention["is_stripped"]
            of["own_count"] += mention["is_own"] and not mention["is_deleted"]
            of["deleted_count"] += mention["is_deleted"]
    found = answer(built, "volume_by_day")
    kinds = [name for name in found[0] if name.endswith("_count")]
    assert {row["mention_date"]: {kind: row[kind] for kind in kinds} for row in found} == {
        day: {kind: of[kind] for kind in kinds} for day, of in counted.items()
    }
    assert [row["mention_date"] for row in found if not row["is_over"]] == [today]
    assert sum(row["private_count"] for row in found) > 0
    assert sum(row["stripped_count"] for row in found) > 0


def test_of_a_week_only_what_is_a_day_old_is_asked_whether_it_was_answered_within_a_day(built: Path) -> None:
    now = as_of(built)
    counted: defaultdict[date, list[Row]] = defaultdict(list)
    for mention in rows(built, "FROM fct_mentions"):
        if mention["is_own"] or mention["is_deleted"] or mention["published_at"] is None:
            continue
        if now - mention["published_at"] >= timedelta(days=1):
            counted[mention["mention_date"] - timedelta(days=mention["mention_date"].weekday())].append(mention)

    def answered(mention: Row, reply: str) -> bool:
        return mention[reply] is not None and mention[reply] - mention["published_at"] <= timedelta(days=1)

    expected = [
        {
            "week_start_date": week,
            "old_enough_count": len(mentions),
            "within_a_day_count": sum(answered(mention, "first_reply_at") for mention in mentions),
            "within_a_day_share": sum(answered(mention, "first_reply_at") for mention in mentions) / len(mentions),
            "by_a_person_share": sum(answered(mention, "first_human_reply_at") for mention in mentions) / len(mentions),
        }
        for week, mentions in sorted(counted.items())
    ]
    found = [
        {name: row[name] for name in row if name != "account_id"}
        for row in answer(built, "answered_within_a_day_by_week")
    ]
    assert len(found) == len(expected) > 2
    for row, truth in zip(found, expected, strict=True):
        assert row == pytest.approx(truth, abs=0.0005)
    assert sum(row["old_enough_count"] for row in found) < len(rows(built, "FROM fct_mentions"))


def test_a_tag_grows_by_its_share_of_whole_weeks(built: Path) -> None:
    today = as_of(built).date()
    tags: defaultdict[str, set[str]] = defaultdict(set)
    for pair in rows(built, "FROM bridge_mention_tags"):
        tags[pair["unique_id"]].add(pair["tag"])
    weeks = {"this": Counter[str](), "last": Counter[str]()}
    totals = Counter[str]()
    for mention in rows(built, "FROM fct_mentions"):
        age = (today - mention["mention_date"]).days
        if mention["is_own"] or mention["is_deleted"] or not 1 <= age <= 14:
            continue
        week = "this" if age <= 7 else "last"
        totals[week] += 1
        weeks[week].update(tags[mention["unique_id"]])
    found = {row["tag"]: row for row in answer(built, "tags_that_grow")}
    assert found.keys() == weeks["this"].keys() | weeks["last"].keys()
    for tag, row in found.items():
        assert (row["this_week_count"], row["last_week_count"]) == (weeks["this"][tag], weeks["last"][tag])
        this, last = weeks["this"][tag] / totals["this"], weeks["last"][tag] / totals["last"]
        assert (row["this_week_share"], row["last_week_share"]) == pytest.approx((this, last), abs=0.00005)
        assert row["grown_share"] == pytest.approx(this - last, abs=0.00005)


def test_satisfaction_is_the_mean_of_answers_and_not_of_days(built: Path) -> None:
    scores: defaultdict[tuple[str, str], list[float | None]] = defaultdict(list)
    for given in rows(built, "FROM fct_satisfaction"):
        if given["is_deleted"] or given["answer_date"] is None:
            continue
        score = given["score"]
        scores[given["survey_kind"], given["channel"]].append(None if score is None else float(score))
    found = {(row["survey_kind"], row["channel"]): row for row in answer(built, "satisfaction_by_channel")}
    assert found.keys() == scores.keys()
    for (kind, channel), given in scores.items():
        row, known = found[kind, channel], [score for score in given if score is not None]
        assert (row["answer_count"], row["known_count"]) == (len(given), len(known))
        mean = sum(known) / len(known) if known else None
        satisfied = sum(score >= 4 for score in known) / len(known) if known and kind == "csat" else None
        promoters = sum((score >= 9) - (score <= 6) for score in known)
        net = 100 * promoters / len(known) if known and kind == "nps" else None
        assert row["score_mean"] == (mean if mean is None else pytest.approx(mean, abs=0.005))
        assert row["satisfied_share"] == (satisfied if satisfied is None else pytest.approx(satisfied, abs=0.0005))
        assert row["net_promoter_score"] == (net if net is None else pytest.approx(net, abs=0.05))

"""What every query of the dashboard has: marts to read from, a definition, and all the filters that it says."""

import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pipelines.dashboard.filters import LISTS, ZONE, Filters
from pipelines.dashboard.in_words import NOT_KNOWN, count, length, share
from pipelines.dashboard.pages import PAGES, _so_far
from pipelines.dashboard.queries import DATES, QUERIES, SOURCES, Query

ROOT = Path(__file__).parents[2]
NOTHING = Filters(date(2026, 2, 1), date(2026, 2, 7))
ALL = Filters(
    date(2026, 2, 1),
    date(2026, 2, 7),
    *(("1417",), ("5021",), ("46283",), ("facebook",), ("7",), ("it's; drop table",)),
    zone="Asia/Tokyo",
)
MARTS = re.compile(r"marts\.(fct|dim|agg|rpt|bridge)_[a-z_]+|marts\.published_version")

each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


@each_query
def test_numbers_come_from_marts_only(query: Query) -> None:
    sql, _ = query.statement(ALL)
    read = re.findall(r"(?<!distinct )\b(?:from|join)\s+([a-z_.]+)", sql)
    own = set(re.findall(r"(?:with|,)\s+([a-z_]+) as \(", sql))
    outside = {name for name in read if "." in name and not MARTS.fullmatch(name)}
    assert all("." in name or name in own or name == "unnest" for name in read), "every table has its schema"
    assert any("." in name for name in read)
    if query.needs is None:
        assert outside == set()
    else:
        assert outside
        assert all(name.startswith("history.") for name in outside)


@each_query
def test_a_query_says_what_it_is_and_where_that_is_defined(query: Query) -> None:
    assert query.definition.endswith(".")
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert query.metrics is None or query.metrics in headings


@each_query
def test_a_choice_becomes_parameters_and_never_text(query: Query) -> None:
    sql, parameters = query.statement(ALL)
    assert "drop table" not in sql
    assert set(re.findall(r"\$([a-z_]+)", sql)) == set(parameters)
    names = {"first_date", "last_date"} if DATES in query.filters else set()
    zone = {ZONE} if query.follows_zone else set()
    assert set(parameters) == names | zone | {name for name in query.filters if name != DATES}


@each_query
def test_what_is_not_chosen_is_no_condition(query: Query) -> None:
    _, parameters = query.statement(NOTHING)
    assert set(parameters) == ({"first_date", "last_date"} if DATES in query.filters else set())
    assert query.not_followed(NOTHING) == ()


@each_query
def test_a_filter_that_changes_nothing_is_told(query: Query) -> None:
    zone = {ZONE} if DATES in query.filters and not query.follows_zone else set()
    assert set(query.not_followed(ALL)) == zone | set(LISTS) - set(query.filters)


def test_names_are_unique_and_every_source_is_used() -> None:
    names = [query.name for query in QUERIES]
    assert len(names) == len(set(names)) > 30
    assert {source for query in QUERIES for source in query.sources} == set(SOURCES)


def test_every_page_has_an_address_of_its_own() -> None:
    assert len({page.address for page in PAGES}) == len({page.title for page in PAGES}) == len(PAGES) == 10


@pytest.mark.parametrize(
    ("whole_hour_count", "usual", "sentence"),
    [
        (0, 2.5, "No hour of today is over yet."),
        (0, None, "No hour of today is over yet."),
        (3, 2.5, "12 mentions in the whole hours of today, 7.5 on a usual day of this weekday."),
        (3, 0.0, "12 mentions in the whole hours of today, 0.0 on a usual day of this weekday."),
        (3, None, "12 mentions in the whole hours of today; no earlier day to compare with yet."),
    ],
)
def test_today_is_told_beside_the_usual(whole_hour_count: int, usual: float | None, sentence: str) -> None:
    hours = pd.DataFrame({"hour_of_day": range(24), "today_count": 4, "usual_mean_count": [usual] * 24})
    assert _so_far(hours.assign(is_whole_hour=hours["hour_of_day"] < whole_hour_count)) == sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, NOT_KNOWN),
        (float("nan"), NOT_KNOWN),
        (0, "0m 0s"),
        (59.9, "0m 59s"),
        (3_599, "59m 59s"),
        (3_600, "1h 0m"),
        (86_399, "23h 59m"),
        (86_400, "1d 0h"),
        (6_841_315, "79d 4h"),
    ],
)
def test_lengths_are_told_in_two_units(seconds: float | None, text: str) -> None:
    assert length(seconds) == text


def test_null_and_nothing_differ() -> None:
    assert (count(0), share(0), count(None), share(float("nan"))) == ("0", "0%", NOT_KNOWN, NOT_KNOWN)
    assert (count(1_823), share(0.598)) == ("1,823", "60%")

"""Each number of the dashboard, against plain Python over the rows that the API sent: no mart has a part in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from statistics import mode
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest
from eventful_account import let_things_happen
from plain_counts import COUNTS, by_topics
from plain_rows import MEASURES, PlainRows
from published_site import ZONE, published_site
from streamlit.testing.v1 import AppTest

from pipelines.dashboard import queries
from pipelines.dashboard.drawings import CHARTS
from pipelines.dashboard.filters import Filters
from pipelines.dashboard.pages import PAGES
from pipelines.dashboard.published_copy import PublishedCopy
from pipelines.dashboard.view import View
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.dashboard.pages import Page
    from pipelines.dashboard.published_copy import Reading

pytestmark = pytest.mark.slow

Drawn = Callable[[dict[str, Any]], Iterable[tuple[tuple[Any, ...], float | None]]]

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = date(2026, 3, 2)
WIDE = Filters(date(2025, 1, 1), date(2026, 12, 31))
ELSEWHERE = "Pacific/Auckland"
"""So far from the reporting zone that half of all days are others."""


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Any:
    site = published_site(make_site, then=let_things_happen, mentions=400)
    assert site.box.now == NOW
    return site


@pytest.fixture(scope="module")
def rows(site: Any) -> Iterator[PlainRows]:
    published = site.home / "published"
    (version,) = (file.stem for file in (published / "versions").glob("*.duckdb"))
    with duckdb.connect(published / "warehouse.duckdb", read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        yield PlainRows(con, site.home / "targets", NOW, version)


@pytest.fixture(scope="module")
def rows_elsewhere(rows: PlainRows) -> PlainRows:
    """The same rows, whose days are worked out anew in another zone."""
    return replace(rows)


@pytest.fixture(scope="module")
def reading(site: Any, rows: PlainRows) -> Iterator[Reading]:
    del rows
    with PublishedCopy(Warehouse(site.home)).reading() as reading:
        yield reading


@pytest.fixture(scope="module")
def choices_of_viewers(rows: PlainRows) -> dict[str, Filters]:
    """Choices that leave something over, so that a filter that does nothing is found out."""
    count_of = Counter(row["topic_id"] for row in rows.mentions)
    (topic, _), (other, _) = count_of.most_common(2)
    project = next(key for key, topics in rows.projects.items() if topic in topics)
    outside = next(each for each in count_of if each not in rows.projects[project])
    channel = mode(row["channel"] for row in rows.mentions if row["topic_id"] == topic)
    team = mode(team for row in rows.mentions for team in row["teams"])
    tag = mode(tag for row in rows.mentions if team in row["teams"] for tag in row["tags"])
    return {
        "everything": WIDE,
        "ten days": Filters(TODAY - timedelta(days=9), TODAY),
        "a topic and a channel": Filters(WIDE.first_date, WIDE.last_date, topic=(topic,), channel=(channel,)),
        "two topics of an account": Filters(WIDE.first_date, WIDE.last_date, account=("1417",), topic=(topic, other)),
        "a project": Filters(WIDE.first_date, WIDE.last_date, project=(project,)),
        "a topic of a project": Filters(WIDE.first_date, WIDE.last_date, project=(project,), topic=(topic, outside)),
        "another account": Filters(WIDE.first_date, WIDE.last_date, account=("2",)),
        "a team": Filters(WIDE.first_date, WIDE.last_date, team=(team,)),
        "a tag of a team": Filters(TODAY - timedelta(days=27), TODAY, team=(team,), tag=(tag,)),
        "days of another zone": Filters(TODAY - timedelta(days=9), TODAY, zone=ELSEWHERE),
    }


@pytest.fixture
def open_page(site: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Page, Filters], AppTest]:
    def open_it(page: Page, filters: Filters) -> AppTest:
        monkeypatch.setenv("SOCIAL_WAREHOUSE_HOME", str(site.home))
        test = AppTest.from_function(script, args=(page.address,), default_timeout=60)
        for name, values in filters.to_address(today=TODAY).items():
            test.query_params[name] = values
        test.run()
        assert not test.exception
        return test

    return open_it


def script(address: str) -> None:
    """What runs for a viewer of a page, without the navigation, which the test runner does not know."""
    from pipelines.dashboard.app import show  # noqa: PLC0415 - it runs by itself, without the rest of this file
    from pipelines.dashboard.pages import PAGES  # noqa: PLC0415 - as above

    show(next(page for page in PAGES if page.address == address))


CHOICES = (
    "everything",
    "ten days",
    "a topic and a channel",
    "two topics of an account",
    "a project",
    "a topic of a project",
    "another account",
    "a team",
    "a tag of a team",
    "days of another zone",
)


def plain(value: Any) -> Any:
    """A value as plain Python: dates for midnights, floats for numbers, None for what is missing."""
    if pd.isna(value):
        return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.date()
    if isinstance(value, str | date):
        return value
    return pytest.approx(float(value), rel=1e-9, abs=1e-6)


def in_order(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows in an order of their own: by what is exact, texts and dates first."""
    return [list(map(plain, row)) for row in sorted(rows, key=lambda row: [str(plain(each)) for each in row])]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("query", queries.QUERIES, ids=lambda query: query.name)
def test_numbers_are_those_of_a_plain_count(
    query: queries.Query,
    choice: str,
    rows: PlainRows,
    rows_elsewhere: PlainRows,
    reading: Reading,
    choices_of_viewers: dict[str, Filters],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filters = choices_of_viewers[choice]
    if filters.zone and query.follows_zone:
        monkeypatch.setattr("plain_rows.ZONE", filters.zone)
        rows = rows_elsewhere
    assert query.name in COUNTS, f"{query.name} has no plain count: write one in plain_counts.py"
    count, columns = COUNTS[query.name]
    frame = reading.frame(*query.statement(filters))
    assert tuple(frame.columns) == columns, f"{query.name}: each column has to be counted in plain_counts.py"
    shown = list(frame.itertuples(index=False, name=None))
    assert in_order(shown) == in_order(count(rows, by_topics(rows, filters)))
    assert shown or choice != "everything", "a comparison of nothing shows nothing"


def test_the_account_shows_what_is_to_be_compared(rows: PlainRows) -> None:
    everything = {name: count(rows, WIDE) for name, (count, _) in COUNTS.items()}

    def values(query: queries.Query, column: str) -> set[Any]:
        _, columns = COUNTS[query.name]
        return {row[columns.index(column)] for row in everything[query.name]}

    assert len(rows.all_mentions) - len(rows.mentions) > 40, "own and deleted ones"
    assert len(values(queries.WORK_OF_TEAMS, "team")) > 2
    assert "No team" in values(queries.WORK_OF_TEAMS, "team")
    for column in ("undone_resolve_share", "in_business_hours_share"):
        assert len(values(queries.WORK_OF_AGENTS, column) - {None, 0, 1}) > 3
    assert {None} < values(queries.OPEN_ITEMS, "waiting_hours")
    assert {None} < values(queries.OPEN_ITEMS, "agents")
    assert {None} < values(queries.OPEN_ITEMS, "teams")
    assert len(values(queries.RECONCILIATION, "main_reason") - {None}) > 3
    assert {row["outcome"] for row in rows.table("history.runs")} == {"done", "failed"}
    assert any(row["handoffs"] for row in rows.cases)
    for measure in MEASURES:
        lengths = [row[measure] for row in rows.mentions]
        assert sum(calendar != within and within is not None for calendar, within in lengths) > 20


# --- What pages make of the rows themselves ---------------------------------------------------------------------------


def test_every_query_that_a_page_shows_is_counted(
    open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: set[str] = set()
    frame_of = View.frame

    def frame(view: View, query: queries.Query, filters: Filters | None = None) -> pd.DataFrame:
        shown.add(query.name)
        return frame_of(view, query, filters)

    monkeypatch.setattr(View, "frame", frame)
    for page in PAGES:
        open_page(page, WIDE)
    assert len(shown) > 30
    assert shown <= COUNTS.keys(), "each has to be counted in plain_counts.py"
    assert {query.name for query in CHARTS} <= COUNTS.keys()
    assert COUNTS.keys() - {query.name for query in queries.QUERIES} == set(), "a count of nothing that is shown"


def told(seconds: float | None) -> str:
    """A length as people read it: its two largest units, cut off."""
    if seconds is None:
        return "not known"
    units = {"d": int(seconds) // 86_400, "h": int(seconds) // 3_600 % 24, "m": int(seconds) // 60 % 60}
    largest = next((place for place, number in enumerate(units.values()) if number), 2)
    pairs = [f"{number}{unit}" for unit, number in (units | {"s": int(seconds) % 60}).items()]
    return " ".join(pairs[largest : largest + 2])


def boxes(rows: PlainRows, page: Page, filters: Filters, before: Filters) -> list[tuple[str, str, str]]:
    """Title, number and number before of each box of a page, from plain counts."""

    def counted(query: queries.Query, chosen: Filters = filters) -> list[dict[str, Any]]:
        count, columns = COUNTS[query.name]
        return [dict(zip(columns, row, strict=True)) for row in count(rows, chosen)]

    if page.address == "overview":
        (now,), (then,) = counted(queries.OVERVIEW_TOTALS), counted(queries.OVERVIEW_TOTALS, before)
        if not then["is_whole_period"]:
            then = dict.fromkeys(then)
        texts: dict[str, tuple[str, Callable[[Any], str]]] = {
            "Mentions": ("mention_count", lambda number: "not known" if number is None else f"{number:,}"),
            "With a reply": ("replied_share", lambda share: "not known" if share is None else f"{share:.0%}"),
            "First response, median": ("first_response_p50_seconds", told),
            "in business hours": ("first_response_business_hours_p50_seconds", told),
            "Resolve, median": ("resolve_p50_seconds", told),
        }
        found = [
            (title, in_words(now[column]), f"{in_words(then[column])} before")
            for title, (column, in_words) in texts.items()
        ]
        for row in sorted(counted(queries.OPEN_NOW), key=lambda row: row["object"], reverse=True):
            found += [
                (f"{row['object'].capitalize()}s open", f"{row['open_count']:,}", ""),
                ("Unassigned", f"{row['unassigned_count']:,}", ""),
                ("Without a reply", f"{row['unreplied_count']:,}", ""),
                ("Oldest", told(row["oldest_age_seconds"]), ""),
            ]
        return found
    if page.address == "cases":
        (row,) = counted(queries.CASE_TOTALS)
        return [
            ("Cases", f"{row['case_count']:,}", ""),
            ("Open", f"{row['open_count']:,}", ""),
            ("Resolved", f"{row['resolved_count']:,}", ""),
            ("Reopened", f"{row['reopened_count']:,}", ""),
            ("Handed over", f"{row['handed_over_count']:,}", ""),
            ("At first contact", f"{row['resolved_at_first_contact_count']:,}", ""),
            ("First response, median", told(row["first_response_p50_seconds"]), ""),
            ("Resolve, median", told(row["resolve_p50_seconds"]), ""),
        ]
    if page.address == "data-health":
        (row,) = counted(queries.FRESHNESS)
        return [
            ("Data as of, UTC", f"{row['as_of']:%Y-%m-%d %H:%M}", ""),
            ("Published, UTC", f"{row['published_at']:%Y-%m-%d %H:%M}", ""),
        ]
    return []


@pytest.mark.parametrize("choice", ["ten days", "a topic and a channel"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.address)
def test_boxes_show_plain_counts(
    page: Page,
    choice: str,
    rows: PlainRows,
    open_page: Callable[[Page, Filters], AppTest],
    choices_of_viewers: dict[str, Filters],
) -> None:
    """A box that nobody has counted is one too many."""
    filters = choices_of_viewers[choice]
    days = timedelta(days=(filters.last_date - filters.first_date).days + 1)
    before = replace(filters, first_date=filters.first_date - days, last_date=filters.last_date - days)
    shown = [(str(each.label), str(each.value), str(each.delta)) for each in open_page(page, filters).metric]
    assert shown == boxes(rows, page, filters, before)


def test_days_are_those_of_the_zone_that_is_chosen(
    rows: PlainRows, open_page: Callable[[Page, Filters], AppTest]
) -> None:
    """The usual days too: in Auckland, it is already evening of the day that begins at the build."""
    there = rows.now.astimezone(ZoneInfo(ELSEWHERE)).date()
    page = open_page(PAGES[1], replace(Filters.usual(there), zone=ELSEWHERE))
    said = " ".join(each.value for each in page.caption)
    assert f"{there - timedelta(days=27)} to {there}, days of {ELSEWHERE}." in said
    (choice,) = page.selectbox
    choice.select(None).run()
    said = " ".join(each.value for each in page.caption)
    assert f"{TODAY - timedelta(days=27)} to {TODAY}, days of {ZONE}." in said


def test_sums_by_day_say_that_their_days_stay(open_page: Callable[[Page, Filters], AppTest]) -> None:
    page = next(page for page in PAGES if page.address == "backlog")
    shown = open_page(page, replace(WIDE, zone=ELSEWHERE))
    assert [each.value for each in shown.caption].count("Not filtered by zone.") == 1, queries.BACKLOG_BY_DAY.name


def test_the_sentence_of_today_shows_a_plain_count(
    rows: PlainRows, open_page: Callable[[Page, Filters], AppTest]
) -> None:
    count, _ = COUNTS[queries.TODAY_BY_HOUR.name]
    whole = [(today, usual) for _, today, is_whole, usual in count(rows, WIDE) if is_whole]
    so_far, usual = (sum(numbers) for numbers in zip(*whole, strict=True))
    captions = [each.value for each in open_page(PAGES[0], WIDE).caption]
    assert f"{so_far} mentions in the whole hours of today, {usual:,.1f} on a usual day of this weekday." in captions


def _columns(key: str, **series: str) -> Drawn:
    """A value for each column, in hours where it is in seconds."""

    def of(row: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], float | None]]:
        for column, name in series.items():
            per = 3_600 if column.endswith("_seconds") else 1
            yield (row[key], name), None if row[column] is None else row[column] / per

    return of


def _one(value: str, *keys: str, times: float = 1) -> Drawn:
    """A value for each row."""
    return lambda row: [(tuple(row[key] for key in keys), None if row[value] is None else row[value] * times)]


_RESPONSE = {"p50_seconds": "median", "business_hours_p50_seconds": "median, business hours"}
_WORK = {"reply_count": "replies", "resolve_count": "resolves"}
DRAWN: dict[queries.Query, Drawn] = {
    queries.KEEPING_UP: _columns("day", came_in_count="came in", **_WORK),
    queries.TODAY_BY_HOUR: _columns("hour_of_day", today_count="today", usual_mean_count="usual"),
    queries.RESPONSE_PERCENTILES: lambda row: [
        ((f"{row['measure'].replace('_', ' ')}, {row['clock']}", name), row[column] and row[column] / 3_600)
        for column, name in (("p50_seconds", "median"), ("p90_seconds", "90th percentile"))
    ],
    queries.RESPONSE_DISTRIBUTION: _one("mention_count", "length", "clock"),
    queries.RESPONSE_BY_DAY: _columns(
        "day",
        p90_seconds="90th percentile",
        business_hours_p90_seconds="90th percentile, business hours",
        **_RESPONSE,
    ),
    queries.RESPONSE_BY_TOPIC: _columns("topic", **_RESPONSE),
    queries.RESPONSE_BY_CHANNEL: _columns("channel", **_RESPONSE),
    queries.RESPONSE_BY_LANGUAGE: _columns("language", **_RESPONSE),
    queries.RESPONSE_BY_HOUR: _one("p50_seconds", "weekday", "hour_of_day", times=1 / 3_600),
    queries.BACKLOG_BY_DAY: lambda row: [((row["day"], f"{row['object']}, {row['status']}"), row["open_count"])],
    queries.AGE_OF_OPEN: _one("mention_count", "age", "status"),
    queries.WORK_OF_AGENTS: _columns("agent", **_WORK),
    queries.WORK_OF_TEAMS: _columns("team", **_WORK),
    queries.WORK_BY_DAY: _columns("day", **_WORK),
    queries.ATTAINMENT_BY_POLICY: lambda row: [((row["policy"], "met"), 100 * row["attainment_share"])],
    queries.ATTAINMENT_BY_DAY: _one("attainment_share", "day", "policy", times=100),
    queries.SATISFACTION_BY_DAY: lambda row: [
        ((row["day"], f"{row['survey_kind']} of {row['object']}s"), row["score_mean"])
    ],
    queries.CASES_BY_DAY: _one("case_count", "day", "status"),
    queries.CASES_BY_TOUCH: _columns("touch_class", case_count="cases"),
    queries.CHANNELS: _columns("channel", mention_count="mentions"),
    queries.SENTIMENT_BY_DAY: _one("mention_count", "day", "sentiment"),
    queries.TAGS: _columns("tag", mention_count="mentions"),
    queries.CHANGES_BY_DAY: _one("change_count", "day", "change_group"),
    queries.SECURITY_BY_DAY: _one("event_count", "day", "event_group"),
}
"""What each chart has to draw of a row of its query: by what the viewer reads beside it."""


@pytest.mark.parametrize("query", CHARTS, ids=lambda query: query.name)
def test_charts_draw_plain_counts(query: queries.Query, rows: PlainRows, reading: Reading) -> None:
    assert query in DRAWN, f"the chart of {query.name} has to be in DRAWN"
    spec = CHARTS[query](reading.frame(*query.statement(WIDE))).to_dict()
    encoding = spec["encoding"]
    *keys, value = (each["field"] for each in encoding["tooltip"])
    assert value in {encoding[place].get("field") for place in ("x", "y", "color") if place in encoding}
    (data,) = spec["datasets"].values()
    count, columns = COUNTS[query.name]
    expected = [pair for row in count(rows, WIDE) for pair in DRAWN[query](dict(zip(columns, row, strict=True)))]
    drawn = [(tuple(row[key] for key in keys), row[value]) for row in data]
    assert _by_key(drawn) == {key: pytest.approx(values) for key, values in _by_key(expected).items()}


def _by_key(pairs: Iterable[tuple[tuple[Any, ...], float | None]]) -> dict[tuple[str, ...], list[float]]:
    """Values in order by their texts: dates without their time of day, and nothing where there is no value."""
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for key, value in pairs:
        if value is not None:
            found[tuple(str(each).removesuffix("T00:00:00") for each in key)].append(value)
    return {key: sorted(values) for key, values in found.items()}

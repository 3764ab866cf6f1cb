"""The numbers of a report, as text on its page, against plain SQL on the tables that the marts are made of."""

# ruff: noqa: S608 - conditions written here

from __future__ import annotations

import os
import re
import stat
from datetime import date
from html import unescape
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from published_site import ZONE, published_site

from pipelines.dashboard.report import NoSuchValue, html, make_report, write
from pipelines.traces import Texts, find
from pipelines.warehouse import Warehouse, WarehouseUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

LAST = date(2026, 3, 1)
"""The day before the sandbox's last: the last that is over."""
PERIOD = (date(2026, 2, 2), LAST)
BEFORE = (date(2026, 1, 5), date(2026, 2, 1))


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Any:
    return published_site(make_site, mentions=400)


@pytest.fixture(scope="module")
def warehouse(site: Any) -> Warehouse:
    return Warehouse(site.home)


@pytest.fixture
def con(site: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(site.home / "published" / "warehouse.duckdb", read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def day(column: str) -> str:
    return f"cast(timezone('{ZONE}', {column}) as date)"


def mentions_of(period: tuple[date, date], condition: str = "true") -> str:
    """Mentions of customers of some dates, with the first reply and resolve of each."""
    return f"""(
        select
            mentions.*,
            (select min(added_at) from social_connect.mention_actions as a
             where a.account_id = mentions.account_id and a.unique_id = mentions.unique_id
             and type = 'reply' and _is_removed is not true) as replied_at,
            (select min(added_at) from social_connect.mention_actions as a
             where a.account_id = mentions.account_id and a.unique_id = mentions.unique_id
             and type = 'status' and metadata_status = 'done' and _is_removed is not true) as resolved_at
        from social_connect.mentions
        where deleted_at is null and author_managed is not true and {condition}
        and {day("coalesce(published_at, added_at)")} between date '{period[0]}' and date '{period[1]}'
    )"""


def seconds(until: str) -> str:
    length = f"floor(epoch({until})) - floor(epoch(published_at))"
    return f"case when {length} < 0 then 0 else {length} end"


def plain_numbers(con: duckdb.DuckDBPyConnection, period: tuple[date, date], condition: str = "true") -> list[Any]:
    row = con.execute(
        f"""
        select
            count(*),
            count(replied_at) / nullif(count(*), 0),
            median({seconds("replied_at")}),
            median({seconds("resolved_at")})
        from {mentions_of(period, condition)}
        """
    ).fetchone()
    return [None if value is None else pytest.approx(value) for value in row or ()]


SAME = ("mention_count", "replied_share", "first_response_p50_seconds", "resolve_p50_seconds")


@pytest.mark.parametrize("channel", [None, "facebook"])
def test_the_main_numbers_of_the_period_and_the_one_before(
    warehouse: Warehouse, con: duckdb.DuckDBPyConnection, channel: str | None
) -> None:
    report = make_report(warehouse, chosen={"channel": (channel,)} if channel else {})
    assert (report.filters.first_date, report.filters.last_date) == PERIOD
    condition = f"source_service = '{channel}'" if channel else "true"
    numbers = {each.name: each for each in report.numbers}
    assert [numbers[name].now for name in SAME] == plain_numbers(con, PERIOD, condition)
    assert [numbers[name].before for name in SAME] == plain_numbers(con, BEFORE, condition)
    assert numbers["mention_count"].now


def test_what_was_open_when_the_last_day_ended(warehouse: Warehouse, con: duckdb.DuckDBPyConnection) -> None:
    numbers = {each.name: each.now for each in make_report(warehouse).numbers}
    for item, name in (("mention", "open_mention_count"), ("case", "open_case_count")):
        (expected,) = con.execute(
            f"""
            select count(distinct (account_id, unique_id))
            from marts.fct_status_intervals
            inner join social_connect.{item}s as items using (account_id, unique_id)
            where object = '{item}' and fct_status_intervals.status <> 'done' and author_managed is not true
            and started_at < timestamptz '2026-03-01 23:00:00+00'
            and coalesce(least(ended_at, deleted_at) >= timestamptz '2026-03-01 23:00:00+00', true)
            """
        ).fetchone() or (None,)
        assert numbers[name] == expected
        assert expected


def test_the_lengths_in_business_hours_are_those_of_the_facts(
    warehouse: Warehouse, con: duckdb.DuckDBPyConnection
) -> None:
    numbers = {each.name: each.now for each in make_report(warehouse).numbers}
    (expected,) = con.execute(
        f"""
        select median(first_response_business_hours_seconds)
        from marts.fct_mentions
        semi join {mentions_of(PERIOD)} as chosen using (account_id, unique_id)
        """
    ).fetchone() or (None,)
    assert numbers["first_response_business_hours_p50_seconds"] == pytest.approx(expected)


def rows_of(page: str, title: str) -> list[tuple[str, ...]]:
    """The rows of a table of the page, by what its summary says."""
    (_, there, rest) = page.partition(f"<summary>Table: {title}</summary>")
    assert there
    body = rest[rest.index("<tbody>") : rest.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [tuple(map(unescape, re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row))) for row in rows]


def test_a_table_of_the_page_has_the_rows_of_a_plain_count(
    warehouse: Warehouse, con: duckdb.DuckDBPyConnection
) -> None:
    period = (date(2026, 2, 20), date(2026, 2, 26))
    page = html(make_report(warehouse, first_date=period[0], last_date=period[1]))
    expected = con.execute(
        f"""
        select
            coalesce(source_service, 'unknown') as channel,
            cast(count(*) as varchar),
            format('{{:.1f}}%', 100 * count(replied_at) / count(*))
        from {mentions_of(period)}
        group by channel order by count(*) desc, channel
        """
    ).fetchall()
    assert [row[:3] for row in rows_of(page, "By channel")] == expected
    assert len(expected) > 3
    days = con.execute(
        f"select cast({day('coalesce(published_at, added_at)')} as varchar) as day, count(*)"
        f" from {mentions_of(period)} group by day order by day"
    ).fetchall()
    assert {row[0]: int(row[1]) for row in rows_of(page, "What came in and what was done") if row[1] != "0"} == dict(
        days
    )


def test_a_topic_is_chosen_by_its_name_or_its_identifier(warehouse: Warehouse, con: duckdb.DuckDBPyConnection) -> None:
    topic_id, name = con.execute(
        "select topic_id, topic_name from marts.dim_topics"
        " where topic_id = (select mode(topic_id) from social_connect.mentions)"
    ).fetchone() or ("", "")
    by_id, by_name = (make_report(warehouse, chosen={"topic": (value,)}) for value in (topic_id, name))
    assert by_id.as_json() == by_name.as_json()
    assert by_id.labels == {"topic": (name,)}
    assert by_id.numbers[0].now == plain_numbers(con, PERIOD, f"topic_id = '{topic_id}'")[0]
    assert f"Topic: {name}." in unescape(html(by_id))


def test_a_project_stands_for_its_topics(warehouse: Warehouse, con: duckdb.DuckDBPyConnection) -> None:
    position, name = con.execute(
        "select project_position, any_value(project.name) from social_connect.account_topics"
        " join social_connect.account_projects as project on project.position = project_position"
        " group by project_position order by count(*) desc, project_position limit 1"
    ).fetchone() or (0, "")
    made = make_report(warehouse, chosen={"project": (name,)})
    its_topics = f"topic_id in (select id from social_connect.account_topics where project_position = {position})"
    assert made.numbers[0].now == plain_numbers(con, PERIOD, its_topics)[0]
    assert f"Project: {name}." in unescape(html(made))


@pytest.mark.parametrize("name", ["account", "project", "topic", "channel", "team", "tag"])
def test_a_value_that_there_is_not_is_refused_and_the_known_ones_are_said(warehouse: Warehouse, name: str) -> None:
    with pytest.raises(NoSuchValue, match=f"the data has no {name} 'no such'. It has .+"):
        make_report(warehouse, chosen={name: ("no such",)})


def test_dates_without_data_say_so(warehouse: Warehouse) -> None:
    report = make_report(warehouse, first_date=date(2031, 1, 1), last_date=date(2031, 1, 7))
    assert [each.now for each in report.numbers] == [0, None, None, None, None, None, None]
    page = html(report)
    assert page.count("not known") >= 6
    assert "Nothing to show for this choice." in page


def test_what_was_never_read_is_not_nought(warehouse: Warehouse) -> None:
    numbers = make_report(warehouse, first_date=date(2025, 1, 1), last_date=LAST).numbers
    assert numbers[0].now
    assert {each.before for each in numbers} == {None}


def test_a_number_that_a_team_does_not_change_says_so(warehouse: Warehouse, con: duckdb.DuckDBPyConnection) -> None:
    (team,) = con.execute("select min(team_id) from marts.dim_teams").fetchone() or ("",)
    numbers = {each.name: each for each in make_report(warehouse, chosen={"team": (team,)}).numbers}
    assert numbers["open_mention_count"].not_followed == ("team",)
    assert numbers["open_mention_count"].now == make_report(warehouse).numbers[-2].now
    assert numbers["mention_count"].not_followed == ()


def test_days_are_counted_back_from_the_last(warehouse: Warehouse) -> None:
    made = make_report(warehouse, last_date=date(2026, 2, 20), day_count=7)
    assert (made.filters.first_date, made.filters.last_date) == (date(2026, 2, 14), date(2026, 2, 20))
    with pytest.raises(NoSuchValue, match="the first date, 2026-02-21, is after the last one, 2026-02-20"):
        make_report(warehouse, first_date=date(2026, 2, 21), last_date=date(2026, 2, 20))


def test_nobody_s_name_is_in_it(warehouse: Warehouse, con: duckdb.DuckDBPyConnection) -> None:
    page = unescape(html(make_report(warehouse, first_date=date(2025, 1, 1), last_date=date(2026, 3, 2))))
    agents = con.execute("select agent_name from marts.dim_agents where agent_name like '% %'").fetchall()
    authors = con.execute(
        "select distinct author_name from social_connect.mentions where author_name like '% %'"
    ).fetchall()
    assert len(agents) > 3
    assert len(authors) > 3
    assert [name for (name,) in agents + authors if name in page] == []


@pytest.mark.parametrize(
    "made",
    ["create table marts.fct_mentions (unique_id varchar)", "create table marts.published_version (version varchar)"],
)
def test_a_copy_of_an_earlier_program_is_told_of(tmp_path: Path, made: str) -> None:
    """It lacks tables, or columns of them."""
    (tmp_path / "published").mkdir()
    with duckdb.connect(tmp_path / "published" / "warehouse.duckdb") as con:
        con.execute(f"create schema marts; {made}")
    with pytest.raises(WarehouseUnreadable, match="earlier version"):
        make_report(Warehouse(tmp_path))


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
def test_the_file_is_its_owner_s_whatever_was_there(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("before")
    file.chmod(0o666)
    before = os.umask(0)
    try:
        write("<p>Söhne</p>", file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text(encoding="utf-8") == "<p>Söhne</p>"
    assert list(tmp_path.iterdir()) == [file]


def test_an_erasure_looks_into_reports(warehouse: Warehouse, con: duckdb.DuckDBPyConnection) -> None:
    (tag,) = con.execute("select mode(tag) from marts.bridge_mention_tags").fetchone() or ("",)
    file = warehouse.reports_folder / "report.html"
    file.parent.mkdir()
    write(html(make_report(warehouse)), file)
    found = {trace.file for trace in find(warehouse, Texts(anywhere=frozenset({tag})))}
    assert "reports/report.html" in found
    file.unlink()

"""Every page by Streamlit's own test runner: with data, with an empty account, and with nothing that can be read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from published_site import published_site
from streamlit.testing.v1 import AppTest

from pipelines.dashboard.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.dashboard.pages import Page

pytestmark = pytest.mark.slow

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.address)


def script(address: str) -> None:
    """What runs for a viewer of a page, without the navigation, which the test runner does not know."""
    from pipelines.dashboard.app import show  # noqa: PLC0415 - it runs by itself, without the rest of this file
    from pipelines.dashboard.pages import PAGES  # noqa: PLC0415 - as above

    show(next(page for page in PAGES if page.address == address))


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def open_it(home: Path, page: Page, address: dict[str, list[str] | str] | None = None) -> AppTest:
        monkeypatch.setenv("SOCIAL_WAREHOUSE_HOME", str(home))
        test = AppTest.from_function(script, args=(page.address,), default_timeout=60)
        for name, value in (address or {}).items():
            test.query_params[name] = value
        return test.run()

    return open_it


@pytest.fixture(scope="module")
def home(make_site: Callable[..., Any]) -> Path:
    home: Path = published_site(make_site, mentions=150).home
    return home


@pytest.fixture(scope="module")
def empty_home(make_site: Callable[..., Any]) -> Path:
    home: Path = published_site(make_site, mentions=0).home
    return home


def one(home: Path, query: str) -> Any:
    with duckdb.connect(home / "published" / "warehouse.duckdb", read_only=True) as con:
        ((value,),) = con.execute(query).fetchall()
    return value


def shown(test: AppTest, label: str) -> str:
    return next(str(metric.value) for metric in test.metric if metric.label == label)


@each_page
def test_a_page_shows_the_data(page: Page, home: Path, open_page: Callable[..., AppTest]) -> None:
    test = open_page(home, page)
    assert not test.exception
    assert not test.warning
    assert [title.value for title in test.title] == [page.title]
    assert len(test.subheader) >= 2
    assert len(test.info) < len(test.subheader), "something is there to read"
    titles = tuple(f"{heading.value}. " for heading in test.subheader)
    charts = test.get("vega_lite_chart")
    assert charts or page.address == "data-health"
    for chart in charts:
        told = json.loads(chart.proto.spec)["description"]  # what a screen reader says
        assert told.startswith(titles)
        assert re.search(r"\. (A line|A bar|Bars|A cell) .+; .+\. Its numbers are in the table", told)


@each_page
def test_a_page_of_an_empty_account_says_so(page: Page, empty_home: Path, open_page: Callable[..., AppTest]) -> None:
    assert one(empty_home, "select count(*) from marts.fct_mentions") == 0
    test = open_page(empty_home, page)
    assert not test.exception
    assert not test.warning
    assert test.info or page.address in {"audit", "data-health"}


@each_page
def test_a_page_before_the_first_publish_says_the_next_step(
    page: Page, tmp_path: Path, open_page: Callable[..., AppTest]
) -> None:
    test = open_page(tmp_path, page)
    assert not test.exception
    assert "social-warehouse sync" in test.warning[0].value


@pytest.mark.parametrize(
    "made",
    ["create table marts.fct_mentions (unique_id varchar)", "create table marts.published_version (version varchar)"],
)
def test_a_copy_of_an_earlier_program_is_told_of(tmp_path: Path, open_page: Callable[..., AppTest], made: str) -> None:
    """It lacks tables, or columns of them."""
    (tmp_path / "published").mkdir()
    with duckdb.connect(tmp_path / "published" / "warehouse.duckdb") as con:
        con.execute(f"create schema marts; {made}")
    test = open_page(tmp_path, PAGES[0])
    assert not test.exception
    assert "earlier version" in test.warning[0].value


def test_what_the_address_says_is_chosen_and_counted(home: Path, open_page: Callable[..., AppTest]) -> None:
    topic = one(home, "select mode(topic_id) from marts.fct_mentions where is_in_response_metrics")
    test = open_page(home, PAGES[0], {"topic": [topic], "from": "2025-12-01", "to": "2026-03-02"})
    expected = one(
        home,
        f"select count(*) from social_connect.mentions where topic_id = '{topic}' and deleted_at is null"  # noqa: S608 - a topic of the sandbox
        " and author_managed is not true and coalesce(published_at, added_at) >= timestamptz '2025-11-30 23:00:00+00'",
    )
    assert not test.exception
    assert shown(test, "Mentions") == f"{expected:,}"
    assert test.multiselect(key="topic").value == [topic]


def test_a_choice_changes_the_numbers_and_the_address(home: Path, open_page: Callable[..., AppTest]) -> None:
    channel = one(home, "select mode(channel) from marts.fct_mentions where is_in_response_metrics")
    test = open_page(home, PAGES[0])
    before = shown(test, "Mentions")
    test.multiselect(key="channel").set_value([channel]).run()
    assert not test.exception
    assert int(shown(test, "Mentions").replace(",", "")) < int(before.replace(",", ""))
    assert test.query_params["channel"] in (channel, [channel])
    assert "from" not in test.query_params
    test.multiselect(key="channel").set_value([]).run()
    assert shown(test, "Mentions") == before
    assert "channel" not in test.query_params


def test_what_a_chart_does_not_follow_is_said(home: Path, open_page: Callable[..., AppTest]) -> None:
    tag = one(home, "select mode(tag) from marts.bridge_mention_tags")
    test = open_page(home, next(page for page in PAGES if page.address == "backlog"), {"tag": [tag]})
    assert not test.exception
    assert "Not filtered by tag." in [caption.value for caption in test.caption]


def test_a_value_that_is_gone_stays_chosen_and_finds_nothing(home: Path, open_page: Callable[..., AppTest]) -> None:
    test = open_page(home, PAGES[0], {"topic": ["no such topic"]})
    assert not test.exception
    assert shown(test, "Mentions") == "0"
    assert test.multiselect(key="topic").value == ["no such topic"]

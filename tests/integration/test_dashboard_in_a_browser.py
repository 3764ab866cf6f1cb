"""The dashboard as people have it: the command, and Chromium. Skipped where there is no Chromium."""

from __future__ import annotations

from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pandas as pd
import pytest
from chromium import chromium, needs_chromium
from published_site import ZONE, mention_count, published_site
from served_dashboard import go, metric, served, settle, watched_page

from pipelines.dashboard import queries
from pipelines.dashboard.filters import Filters
from pipelines.dashboard.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, needs_chromium]

USUAL_DATES = date(2026, 2, 3), date(2026, 3, 2)
"""The last 28 days of what the site has read, which is what is shown before anything is chosen."""


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Any:
    return published_site(make_site, mentions=400)


@pytest.fixture(scope="module")
def url(site: Any) -> Iterator[str]:
    with served(site.home) as dashboard:
        yield dashboard.url
    assert "Traceback" not in dashboard.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def watched(browser: Browser, url: str) -> Iterator[tuple[Page, list[str]]]:
    with watched_page(browser, url) as page_and_complaints:
        yield page_and_complaints


@pytest.fixture
def page(watched: tuple[Page, list[str]]) -> Page:
    return watched[0]


@pytest.fixture
def complaints(watched: tuple[Page, list[str]]) -> list[str]:
    """What was wrong on the page of a test."""
    return watched[1]


@pytest.mark.parametrize("of", PAGES, ids=lambda page: page.address)
def test_every_page_renders_and_nothing_complains(of: Any, page: Page, url: str, complaints: list[str]) -> None:
    go(page, f"{url}/{'' if of is PAGES[0] else of.address}")
    assert page.locator("h1").inner_text() == of.title
    assert page.locator("h2, h3").count() >= 2
    charts = page.locator('[data-testid="stVegaLiteChart"]')
    for place in range(charts.count()):
        charts.nth(place).locator("canvas, svg").first.wait_for()
    assert charts.count() > 0 or of.address == "data-health"
    assert complaints == []


def test_a_click_on_a_page_keeps_the_choice(page: Page, url: str, complaints: list[str]) -> None:
    go(page, f"{url}/?channel=facebook")
    page.get_by_role("link", name="Response times").click()
    page.locator("h1", has_text="Response times").wait_for()
    settle(page)
    assert parse_qs(urlsplit(page.url).query) == {"channel": ["facebook"]}
    assert page.locator('[data-testid="stMultiSelect"]').filter(has_text="facebook").count() == 1
    assert complaints == []


def test_a_shared_address_shows_the_same_view(site: Any, page: Page, url: str, complaints: list[str]) -> None:
    go(page, f"{url}/response-times?from=2026-02-10&to=2026-02-20&channel=facebook")
    assert page.locator("h1").inner_text() == "Response times"
    assert page.get_by_text("2026-02-10 to 2026-02-20").count() == 1
    filters = Filters(date(2026, 2, 10), date(2026, 2, 20), channel=("facebook",))
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").first.click()
    told = pd.read_csv(StringIO(Path(download.value.path()).read_text(encoding="utf-8")))
    assert download.value.suggested_filename == "response_percentiles.csv"
    with duckdb.connect(site.home / "published" / "warehouse.duckdb", read_only=True) as con:
        sql, parameters = queries.RESPONSE_PERCENTILES.statement(filters)
        expected = con.execute(sql, parameters).to_arrow_table().to_pandas()
    pd.testing.assert_frame_equal(told, expected, check_dtype=False)
    assert complaints == []


def test_a_filter_changes_a_number_to_what_sql_says(site: Any, page: Page, url: str, complaints: list[str]) -> None:
    go(page, url)
    assert metric(page, "Mentions") == mention_count(site, *USUAL_DATES)
    choice = page.locator('[data-testid="stMultiSelect"]').filter(has_text="Channel")
    choice.locator("input").fill("facebook")
    choice.locator("input").press("Enter")
    page.wait_for_url("**/?channel=facebook")
    settle(page)
    assert metric(page, "Mentions") == mention_count(site, *USUAL_DATES, "source_service = 'facebook'")
    assert complaints == []


def test_a_zone_makes_days_of_its_own(site: Any, page: Page, url: str, complaints: list[str]) -> None:
    dates = date(2026, 2, 16), date(2026, 2, 16)
    here, there = (mention_count(site, *dates, zone=zone) for zone in (ZONE, "Pacific/Auckland"))
    assert here != there
    go(page, f"{url}/?from={dates[0]}&to={dates[1]}")
    assert metric(page, "Mentions") == here
    choice = page.get_by_role("combobox", name="Days of")
    choice.click()
    choice.press("Control+a")
    choice.press_sequentially("Auckland")
    page.get_by_role("option", name="Pacific/Auckland").click()
    page.wait_for_url(lambda address: parse_qs(urlsplit(address).query).get("zone") == ["Pacific/Auckland"])
    settle(page)
    assert metric(page, "Mentions") == there
    assert page.get_by_text("days of Pacific/Auckland.").count() == 1
    assert complaints == []


def test_a_definition_is_one_click_away(page: Page, url: str) -> None:
    go(page, url)
    page.get_by_role("button", name="Definition").first.click()
    page.get_by_text(queries.OVERVIEW_TOTALS.definition[:40]).wait_for()


def test_a_phone_has_nothing_beside_its_screen(browser: Browser, url: str) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True) as context:
        page = context.new_page()
        for of in PAGES:
            go(page, f"{url}/{'' if of is PAGES[0] else of.address}")
            widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert widths[0] <= widths[1], of.address

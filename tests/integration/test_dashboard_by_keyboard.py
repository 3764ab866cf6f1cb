"""The dashboard without a mouse: Tab reaches everything in the order of the page, and one sees where one is."""

from __future__ import annotations

from datetime import date
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from chromium import chromium, needs_chromium
from PIL import Image, ImageChops
from published_site import mention_count, published_site
from served_dashboard import go, metric, served, settle, watched_page

from pipelines.dashboard import queries
from pipelines.dashboard.filters import LISTS
from pipelines.dashboard.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, needs_chromium]

HEIGHT_PIXELS = 2200
"""The whole page, so that nothing scrolls between two pictures."""
FOCUSED = "document.activeElement"
TOLD = f"(({FOCUSED}).getAttribute('aria-label') || {FOCUSED}.innerText).split('\\n')[0]"
POPOVER = '[data-testid="stPopoverBody"]'
CONTROLS = ("Definition", "Table", "CSV")
DATE = ("year, {0}", "month, {0}", "day, {0}", "Choose date")
TOOLS = ("Show data", "Download as PNG", "Copy Vega-Lite spec", "Fullscreen")
OVERVIEW = (
    "Skip to main content",
    *(page.title for page in PAGES),
    *(part.format(name) for name in ("From", "To, included") for part in DATE),
    *(name.capitalize() for name in LISTS),
    "Days of",
    "Main menu",
    "Overview",  # the page itself, which the arrow keys scroll
    "Link to heading",
    *CONTROLS,  # the period
    "Link to heading",
    *CONTROLS,  # open now
    *("Link to heading", *TOOLS, *CONTROLS) * 2,  # today, and what came in and was done
)
"""What Tab comes by on the overview, in the order in which it stands there."""
VISIBLE_PIXELS = 100
VISIBLE_DIFFERENCE = 24
"""Of 255: fainter than that, a frame is not seen."""


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Any:
    return published_site(make_site, mentions=150)


@pytest.fixture(scope="module")
def opened(site: Any) -> Iterator[tuple[Browser, str]]:
    with served(site.home) as dashboard, chromium() as browser:
        yield browser, dashboard.url
    assert "Traceback" not in dashboard.log.read_text(encoding="utf-8")


@pytest.fixture
def page(opened: tuple[Browser, str]) -> Iterator[Page]:
    browser, url = opened
    with watched_page(browser, url, height=HEIGHT_PIXELS) as (page, complaints):
        go(page, url)
        yield page
        assert complaints == []


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what has this name has the focus."""
    come_by = []
    for _ in range(2 * len(OVERVIEW)):
        page.keyboard.press("Tab")
        come_by.append(page.evaluate(TOLD))
        if come_by[-1] == name:
            return
    raise AssertionError(f"Tab does not reach {name}, but {come_by}")


def picture(page: Page, place: dict[str, float]) -> Image.Image:
    return Image.open(BytesIO(page.screenshot(clip=place, animations="disabled"))).convert("L")  # type: ignore[arg-type]


def test_tab_comes_by_everything_in_order_and_the_focus_is_seen(page: Page) -> None:
    come_by, unseen = [], []
    page.evaluate("window.reached = []")
    before: tuple[str, dict[str, float], Image.Image] | None = None
    for _ in OVERVIEW:
        page.keyboard.press("Tab")
        page.evaluate(f"reached.push({FOCUSED})")
        if before is not None:
            name, place, focused = before
            changed = ImageChops.difference(focused, picture(page, place)).histogram()[VISIBLE_DIFFERENCE:]
            if sum(changed) < VISIBLE_PIXELS:
                unseen.append(name)
        come_by.append(page.evaluate(TOLD))
        place = page.evaluate(
            f"(({{x, y, width, height}}) => ({{x: Math.max(0, x - 6), y: Math.max(0, y - 6),"
            f" width: width + 12, height: height + 12}}))({FOCUSED}.getBoundingClientRect())"
        )
        before = come_by[-1], place, picture(page, place)
    assert tuple(come_by) == OVERVIEW
    assert unseen == []
    left_out = page.evaluate(
        "() => [...document.querySelectorAll('button, a[href], input, select, textarea, [role=button]')]"
        ".filter(one => one.checkVisibility() && !reached.includes(one))"
        ".map(one => one.getAttribute('aria-label') || one.dataset.testid || one.parentElement.dataset.testid)"
    )
    # The lists and dates open by the arrow keys in their own fields; the side bar is hidden with the mouse only.
    assert set(left_out) <= {"Open", "hidden-dateinput-container", "Collapse sidebar"}


def test_a_page_a_date_and_a_channel_are_chosen_by_keys(site: Any, page: Page) -> None:
    first, last = date(2026, 2, 10), date(2026, 3, 2)
    assert metric(page, "Mentions") == mention_count(site, date(2026, 2, 3), last)
    tab_to(page, "year, From")
    page.keyboard.type("20260210")
    tab_to(page, "year, To, included")  # a date counts when one leaves it
    page.wait_for_url("**/?from=2026-02-10&to=2026-03-02")
    settle(page)
    assert metric(page, "Mentions") == mention_count(site, first, last)
    assert mention_count(site, first, last) != mention_count(site, date(2026, 2, 3), last)
    tab_to(page, "Channel")
    page.keyboard.type("facebook")
    page.get_by_role("option", name="facebook").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**channel=facebook**")
    page.keyboard.press("Escape")
    settle(page)
    assert metric(page, "Mentions") == mention_count(site, first, last, "source_service = 'facebook'")
    tab_to(page, "Response times")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="Response times").wait_for()
    settle(page)
    assert page.get_by_text("2026-02-10 to 2026-03-02").count() == 1


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_definition_table_and_csv_open_by_keys(site: Any, page: Page, key: str) -> None:
    tab_to(page, "Skip to main content")
    page.keyboard.press("Enter")
    for name, told in (("Definition", queries.OVERVIEW_TOTALS.definition[:40]), ("Table", "mention_count")):
        tab_to(page, name)
        page.keyboard.press(key)
        page.locator(POPOVER).get_by_text(told).first.wait_for(state="attached")
        page.keyboard.press("Escape")
        page.locator(POPOVER).wait_for(state="detached")
        assert page.evaluate(TOLD) == name, "the focus is back at what was opened"
    tab_to(page, "CSV")
    with page.expect_download() as download:
        page.keyboard.press(key)
    told_count = pd.read_csv(StringIO(Path(download.value.path()).read_text(encoding="utf-8")))["mention_count"].item()
    assert f"{told_count:,}" == mention_count(site, date(2026, 2, 3), date(2026, 3, 2))


def test_what_a_table_holds_is_reached_at_the_end_of_the_page(page: Page) -> None:
    tab_to(page, "Table")
    page.keyboard.press("Enter")
    page.locator(POPOVER).locator("canvas").first.wait_for()
    for _ in OVERVIEW:
        page.keyboard.press("Tab")
        if page.evaluate(f"{FOCUSED}.closest('{POPOVER}') !== null"):
            return
    raise AssertionError("the table is not reached")

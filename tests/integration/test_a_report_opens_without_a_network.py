"""A report in Chromium with its network switched off. Skipped where there is no Chromium."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from chromium import chromium, needs_chromium
from published_site import published_site

from pipelines.dashboard.report import html, make_report, write
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def warehouse(make_site: Callable[..., Any]) -> Warehouse:
    return Warehouse(published_site(make_site, mentions=400).home)


@pytest.fixture(scope="module")
def file(warehouse: Warehouse) -> Path:
    file = warehouse.home / "report.html"
    write(html(make_report(warehouse)), file)
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def complaints() -> list[str]:
    """What the browser said was wrong, or asked of others."""
    return []


@pytest.fixture
def open_file(browser: Browser, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    opened = []

    def open_it(file: Path, width: int = 1100) -> Page:
        context = browser.new_context(offline=True, viewport={"width": width, "height": 900})
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((file.as_uri(), "data:")) else complaints.append(f"asked {request.url}")
            ),
        )
        page.goto(file.as_uri())
        return page

    yield open_it
    for context in opened:
        context.close()


def test_every_picture_is_drawn_and_nothing_is_asked_of_others(
    file: Path, open_file: Callable[..., Page], complaints: list[str]
) -> None:
    page = open_file(file)
    sizes = page.evaluate("[...document.images].map(image => [image.complete, image.naturalWidth])")
    assert len(sizes) >= 12
    assert all(is_complete and width > 100 for is_complete, width in sizes)
    assert page.locator("h1").inner_text() == "Social Connect report, 2026-02-02 to 2026-03-01"
    assert complaints == []


def test_a_table_opens_by_the_keyboard(file: Path, open_file: Callable[..., Page]) -> None:
    page = open_file(file)
    details = page.locator("details").filter(has_text="Table: Channels")
    assert not details.locator("table").is_visible()
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    assert details.locator("table").is_visible()
    assert details.get_by_role("columnheader", name="mention count").count() == 1
    assert details.get_by_role("rowheader").count() == details.locator("tbody tr").count() > 3


def test_a_phone_and_a_sheet_of_paper_have_nothing_beside_them(file: Path, open_file: Callable[..., Page]) -> None:
    page = open_file(file, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1]
    paper = open_file(file)
    paper.emulate_media(media="print")
    assert not paper.locator("summary").first.is_visible()
    assert paper.locator("img").first.is_visible()


def test_one_without_data_has_its_sentences(
    warehouse: Warehouse, tmp_path: Path, open_file: Callable[..., Page], complaints: list[str]
) -> None:
    empty = tmp_path / "empty.html"
    write(html(make_report(warehouse, first_date=date(2031, 1, 1), last_date=date(2031, 1, 7))), empty)
    page = open_file(empty)
    assert page.get_by_text("not known").count() >= 6
    assert page.get_by_text("Nothing to show for this choice.").count() >= 5
    assert complaints == []

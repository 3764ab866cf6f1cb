"""Pages of the dashboard that stay open while syncs run beside it and publish: one left alone, one in use."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from chromium import chromium, needs_chromium
from published_site import ZONE, mention_count, published_site
from served_dashboard import COMMAND, go, metric, served, settle, watched_page

from pipelines.dashboard.app import LOOK_EVERY_SECONDS
from pipelines.dashboard.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, needs_chromium]

HOURS_BETWEEN_SYNCS = 24
"""So that the usual dates move on too."""
READING_MILLISECONDS = 1_500
"""How long somebody looks at a page before going on."""
CHANNEL = "facebook"


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Any:
    return published_site(make_site, mentions=400)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@contextmanager
def syncing(site: Any) -> Iterator[subprocess.Popen[str]]:
    """A sync of the site by the command, as of the sandbox's clock, which has succeeded at the end of the block."""
    # Hours of the sandbox pass in no time: what is left of one that is over must not be kept.
    (site.home / "api" / "allowances.json").unlink(missing_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
    environment = clean | {
        "SOCIAL_CONNECT_BASE_URL": site.server.base_url,
        "SOCIAL_CONNECT_ACCESS_TOKEN": site.box.token,
        "SOCIAL_CONNECT_MAX_WAIT_SECONDS": "0",
        "SOCIAL_WAREHOUSE_HOME": str(site.home),
        "SOCIAL_WAREHOUSE_REPORTING_TIME_ZONE": ZONE,
        "SOCIAL_WAREHOUSE_RULES": str(site.home / "targets"),
    }
    log = site.home / "sync.log"
    with (
        log.open("w") as told,
        subprocess.Popen(
            [COMMAND, "sync", "--as-of", site.box.now.isoformat()],
            env=environment,
            stdout=told,
            stderr=told,
            text=True,
        ) as process,
    ):
        try:
            yield process
            assert process.wait(300) == 0, log.read_text(encoding="utf-8")
        finally:
            process.kill()


def dates(now: datetime) -> tuple[date, date]:
    """The usual dates: 28 days, of which the last is that of an instant in the reporting time zone."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    return today - timedelta(days=27), today


def told(now: datetime) -> str:
    """What a page says of the version of an instant, above its numbers."""
    first, last = dates(now)
    return f"{first} to {last}, days of {ZONE}. Data as of {now:%Y-%m-%d %H:%M} UTC."


def shown(page: Page) -> str:
    return page.get_by_text("Data as of", exact=False).first.inner_text()


@dataclass
class _Viewer:
    """Somebody who looks at one page after the other, and chooses a channel or takes the choice back."""

    page: Page
    acts: Iterator[Any] = field(default_factory=lambda: cycle(PAGES[1:]))
    is_chosen: bool = False
    act_count: int = 0
    seen: list[str] = field(default_factory=list)

    def act(self) -> None:
        """Goes to the next page, changes the choice there, and looks at what version is shown."""
        self.look_at(next(self.acts).title)
        self.choose(not self.is_chosen)
        self.act_count += 1
        self.seen.append(shown(self.page))
        self.page.wait_for_timeout(READING_MILLISECONDS)

    def look_at(self, title: str) -> None:
        self.page.get_by_role("link", name=title, exact=True).click()
        self.page.locator("h1", has_text=title).wait_for()
        settle(self.page)

    def choose(self, is_chosen: bool) -> None:
        box = self.page.locator('[data-testid="stMultiSelect"]').filter(has_text="Channel")
        if is_chosen:
            box.locator("input").fill(CHANNEL)
            box.locator("input").press("Enter")
            self.page.wait_for_url(f"**channel={CHANNEL}**")
        else:
            box.locator("input").press("Backspace")
            self.page.wait_for_url(lambda url: "channel=" not in url)
        box.locator("input").press("Escape")  # while the list is open, nothing else can be reached
        self.is_chosen = is_chosen
        settle(self.page)


def test_while_syncs_publish_no_page_shows_an_error(site: Any, browser: Browser) -> None:
    """The one that is left alone follows by itself; each number at the end is the new version's."""
    versions, counts = [site.box.now], [mention_count(site, *dates(site.box.now))]
    with (
        served(site.home) as dashboard,
        watched_page(browser, dashboard.url) as (left_alone, complaints),
        watched_page(browser, dashboard.url) as (used, complaints_of_used),
    ):
        go(left_alone, dashboard.url)
        go(used, dashboard.url)
        assert metric(left_alone, "Mentions") == counts[0]
        viewer = _Viewer(used)
        for _ in range(2):
            assert shown(left_alone) == told(versions[-1])
            site.box.advance(hours=HOURS_BETWEEN_SYNCS)
            versions.append(site.box.now)
            acts_before = viewer.act_count
            with syncing(site) as sync:
                while sync.poll() is None:
                    viewer.act()
            assert viewer.act_count >= acts_before + 2
            deadline = time.monotonic() + 2 * LOOK_EVERY_SECONDS
            while shown(left_alone) != told(versions[-1]):
                assert time.monotonic() < deadline, f"the page has not followed: {shown(left_alone)}, {complaints}"
                viewer.act()
            settle(left_alone)
            counts.append(mention_count(site, *dates(versions[-1])))
            assert metric(left_alone, "Mentions") == counts[-1]
        assert len({*counts}) == len(counts), "each version has its own number"
        viewer.look_at(PAGES[0].title)
        for is_chosen in (True, False) if not viewer.is_chosen else (False, True):
            viewer.choose(is_chosen)
            condition = f"source_service = '{CHANNEL}'" if is_chosen else "true"
            assert metric(used, "Mentions") == mention_count(site, *dates(versions[-1]), condition)
        places = [[told(version) for version in versions].index(one) for one in viewer.seen]
        assert places == sorted(places)
        assert (complaints, complaints_of_used) == ([], [])
    assert "Traceback" not in dashboard.log.read_text(encoding="utf-8")


def test_the_watch_sees_what_goes_wrong(site: Any, browser: Browser, tmp_path: Any) -> None:
    """A number that cannot be worked out, a file that is not there, a script that fails, a server that is gone."""
    (tmp_path / "published").mkdir()
    copy = shutil.copy(site.home / "published" / "warehouse.duckdb", tmp_path / "published")
    with duckdb.connect(copy) as con:
        con.execute("create table marts.kept as from marts.published_version")
        con.execute("drop table marts.published_version")
        con.execute(
            "create view marts.published_version as"
            " select * replace (cast('no instant' || version as timestamptz) as published_at) from marts.kept"
        )
    with served(tmp_path) as dashboard, watched_page(browser, dashboard.url) as (page, complaints):

        def wait_for(complaint: str) -> None:
            deadline = time.monotonic() + 60
            while not any(complaint in each for each in complaints):
                assert time.monotonic() < deadline, complaints
                page.wait_for_timeout(100)

        page.goto(dashboard.url)
        wait_for("stException")
        page.evaluate("() => { fetch('/media/no-such-file.csv') }")
        wait_for("no-such-file.csv: 404")
        page.evaluate("() => { setTimeout(() => { throw new Error('a planted one') }) }")
        wait_for("a planted one")
        page.evaluate(
            "() => { const box = document.createElement('p'); box.dataset.testid = 'stAlertContentError';"
            " document.body.append(box); box.remove() }"
        )
        wait_for("stAlertContentError")
        dashboard.process.terminate()
        wait_for("stConnectionStatus")

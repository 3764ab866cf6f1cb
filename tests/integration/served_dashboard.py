"""The dashboard as people have it: its command, and pages in a browser that are watched for anything that is wrong."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

COMMAND = Path(sys.executable).with_name("social-warehouse")
LOOKED_FOR = re.compile(r"/_stcore/(health|host-config)$")
"""Where Streamlit's own script looks for its server first, below the page's address, before it finds it at the root."""
ERRORS = ", ".join(
    f'[data-testid="{name}"]'
    for name in (
        "stException",
        "stAlertContentError",
        "stAlertContentWarning",  # what is said where nothing can be read
        "stConnectionStatus",
        "stDialog",  # that the connection is lost, or that there is no such page
        "stDownloadButtonError",
        "stErrorElementStack",
    )
)
"""What Streamlit shows when something is wrong; the dashboard itself has no dialog."""
WATCH = """errors => new MutationObserver(changes => {
  for (const change of changes)
    for (const added of change.type === 'attributes' ? [change.target] : change.addedNodes)
      if (added instanceof Element)
        for (const shown of [added, ...added.querySelectorAll(errors)])
          if (shown.matches(errors)) window.complain(`${shown.dataset.testid}: ${shown.textContent}`)
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-testid']})"""
"""Tells of all that is shown, be it for an instant between two looks of the test."""


@dataclass(frozen=True)
class Served:
    """A dashboard that is being served."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def served(home: Path) -> Iterator[Served]:
    """Serves the dashboard of a warehouse with the command, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [COMMAND, "dashboard", "--port", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "SOCIAL_WAREHOUSE_HOME": str(home)}
    log = home / "dashboard.log"
    with log.open("w") as told, subprocess.Popen(command, env=environment, stdout=told, stderr=told) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for_server(url)
            yield Served(url, log, server)
        finally:
            server.terminate()
            server.wait(20)


def wait_for_server(url: str) -> None:
    """Waits until the dashboard answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/_stcore/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        assert time.monotonic() < deadline, f"the dashboard does not answer at {url}"


@contextmanager
def watched_page(browser: Browser, url: str, *, height: int = 900) -> Iterator[tuple[Page, list[str]]]:
    """A page, and a list to which all is added that is wrong on it, or was fetched from elsewhere."""
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.expose_function("complain", lambda complaint: complaints.append(complaint))  # noqa: PLW0108 - it marks what it is given
    page.add_init_script(f"({WATCH})({ERRORS!r})")
    page.on(
        "console",
        lambda said: (
            complaints.append(f"the console: {said.text}")
            if said.type == "error" and not LOOKED_FOR.search(said.location["url"])
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"a script: {error}"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((url, "data:", "blob:")) else complaints.append(f"asked {request.url}")
        ),
    )
    page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    page.on(
        "response",
        lambda answer: (
            complaints.append(f"{answer.url}: {answer.status}")
            if answer.status >= httpx.codes.BAD_REQUEST and not LOOKED_FOR.search(answer.url)
            else None
        ),
    )
    try:
        yield page, complaints
    finally:
        page.close()


def go(page: Page, address: str) -> None:
    """Opens an address and waits until its page has been made."""
    page.goto(address)
    page.wait_for_selector("h1")
    settle(page)


def settle(page: Page) -> None:
    """Waits until the page has been made and its charts are drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_function("() => !document.querySelector('[data-testid=\"stSkeleton\"]')")


def metric(page: Page, label: str) -> str:
    """The number in the box of this label."""
    box = page.locator('[data-testid="stMetric"]').filter(has=page.get_by_text(label, exact=True)).first
    return box.locator('[data-testid="stMetricValue"]').inner_text()

"""Takes the pictures of the dashboard in docs/pictures, with Chromium: of the demo's data, at a size for the README.

social-warehouse demo && python docs/make_pictures.py data/demo
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).with_name("pictures")
PICTURES = {"overview": "", "response-times": "response-times"}
"""By name of the file, the page's address."""
PORT = 8599
COMMAND = Path(sys.executable).with_name("social-warehouse")


def main(home: str) -> None:
    """Starts the dashboard of a warehouse and takes its pictures."""
    environment = os.environ | {"SOCIAL_WAREHOUSE_HOME": home}
    with subprocess.Popen([COMMAND, "dashboard", "--port", str(PORT)], env=environment) as server:  # noqa: S603 - our own command
        try:
            wait_for_server()
            take_pictures()
        finally:
            server.terminate()


def wait_for_server() -> None:
    """Waits until the dashboard answers."""
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{PORT}/_stcore/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(f"The dashboard does not answer on port {PORT}.")


def take_pictures() -> None:
    """Writes a picture of each page."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1080})
        for name, address in PICTURES.items():
            page.goto(f"http://127.0.0.1:{PORT}/{address}")
            page.wait_for_selector('[data-testid="stVegaLiteChart"] canvas, [data-testid="stVegaLiteChart"] svg')
            page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
            page.wait_for_timeout(1_000)  # charts take their size
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])

"""Pages of the dashboard over a published copy, by Streamlit's own runner: what its server does for a click."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from pipelines.dashboard.pages import PAGES


def page_of(address: str) -> None:
    """What runs for a viewer of a page, without the navigation, which the runner does not know."""
    from pipelines.dashboard.app import show  # noqa: PLC0415 - it runs by itself, without the rest of this file
    from pipelines.dashboard.pages import PAGES  # noqa: PLC0415 - as above

    show(next(page for page in PAGES if page.address == address))


def main() -> None:
    """Prints as JSON, by page, how many seconds it takes when nothing of it has been asked before, and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the warehouse's home")
    parser.add_argument("--from", dest="first_date", help="first date (default: the last 28 days)")
    parser.add_argument("--to", dest="last_date", help="last date")
    options = parser.parse_args()
    os.environ["SOCIAL_WAREHOUSE_HOME"] = str(options.folder)
    chosen = {"from": options.first_date, "to": options.last_date} if options.first_date else {}
    _seconds(PAGES[0].address, chosen)  # the first of a server imports, and opens the file
    told = {}
    for page in PAGES:
        st.cache_data.clear()
        told[page.address] = [_seconds(page.address, chosen), _seconds(page.address, chosen)]
    print(json.dumps(told))


def _seconds(address: str, chosen: dict[str, str]) -> float:
    page = AppTest.from_function(page_of, args=(address,), default_timeout=600)
    for name, value in chosen.items():
        page.query_params[name] = value
    begin = time.perf_counter()
    page.run()
    seconds = time.perf_counter() - begin
    wrong = [*page.exception, *page.warning, *page.error]
    if wrong:
        raise SystemExit(f"{address}: {wrong[0].value}")
    return seconds


if __name__ == "__main__":
    main()

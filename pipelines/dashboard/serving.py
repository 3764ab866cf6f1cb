"""Starts the dashboard's server in the place of this process, so that what is sent to it reaches the server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipelines.dashboard.extras import need
from pipelines.warehouse import WarehouseUnreadable

if TYPE_CHECKING:
    from pipelines.warehouse import Warehouse

APP = Path(__file__).with_name("app.py")
PRIMARY_COLOUR = "#0072B2"


def serve(warehouse: Warehouse, *, host: str, port: int, opens_browser: bool) -> NoReturn:
    """Serves the dashboard of a warehouse until stopped; does not return.

    Args:
        warehouse: whose published copy is shown.
        host: address to serve on.
        port: port to serve on.
        opens_browser: whether to open a browser on this machine.

    Raises:
        pipelines.dashboard.extras.ExtraNotInstalled: the extra `dashboard` is not installed.
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet.
    """
    need("dashboard")
    if not warehouse.published_file.exists():
        raise WarehouseUnreadable(f"{warehouse.published_file} does not exist. Run 'social-warehouse sync' first.")
    sys.stdout.flush()
    os.execve(  # noqa: S606 - no shell is wanted
        sys.executable,
        [sys.executable, "-m", "streamlit", "run", str(APP), *options(host, port, opens_browser=opens_browser)],
        os.environ | {"SOCIAL_WAREHOUSE_HOME": str(warehouse.home.resolve())},
    )


def options(host: str, port: int, *, opens_browser: bool) -> list[str]:
    """The server's options: nothing is sent to others, and a viewer sees no traceback."""
    given = {
        "server.address": host,
        "server.port": port,
        "server.headless": not opens_browser,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "runner.magicEnabled": False,  # it would show each docstring of the script
        "theme.primaryColor": PRIMARY_COLOUR,
    }
    return [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in given.items()]

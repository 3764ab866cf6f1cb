"""Where log lines go: a file per day beside the warehouse, warnings on the terminal, and no secret in either."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from pipelines.settings import Settings


@contextmanager
def log_to(settings: Settings) -> Iterator[None]:
    """Writes log lines to the day's file in the warehouse's log folder; on a terminal, only warnings to standard error.

    Raises:
        PermissionError: the folder cannot be written.
    """
    warehouse = Warehouse(settings.social_warehouse_home)
    warehouse.make_folders()
    file = logging.FileHandler(
        warehouse.logs_folder / f"{time.strftime('%Y-%m-%d', time.gmtime())}.log", encoding="utf-8"
    )
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO if not sys.stderr.isatty() else logging.WARNING)
    formatter = _WithoutSecrets([secret.get_secret_value() for secret in settings.secrets])
    root = logging.getLogger("pipelines")
    level, propagates = root.level, root.propagate
    root.setLevel(logging.INFO)
    root.propagate = False  # dbt gives the root logger a handler of its own
    for handler in (file, terminal):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    Path(file.baseFilename).chmod(0o600)
    try:
        yield
    finally:
        root.propagate = propagates
        root.setLevel(level)
        for handler in (file, terminal):
            root.removeHandler(handler)
            handler.close()


def remove_old_logs(warehouse: Warehouse, before: date) -> int:
    """Removes the log files of the days before a day (UTC); gives how many there were."""
    old = [file for file in warehouse.logs_folder.glob("????-??-??.log") if file.stem < before.isoformat()]
    for file in old:
        file.unlink()
    return len(old)


class _WithoutSecrets(logging.Formatter):
    """The API client scrubs tokens already; this is for what no client sees, such as a traceback's text."""

    converter = staticmethod(time.gmtime)

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

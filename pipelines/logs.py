"""Where log lines go: a file per day beside the warehouse, warnings on the terminal.

No secret is in them: `pipelines.redaction` takes those out before any handler sees a record.
"""

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
    formatter = _OneLine("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
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


class _OneLine(logging.Formatter):
    """A name that the API gave may hold line breaks and escape codes; a log line is one line, and moves no cursor."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class fixes the name
        record.message = "".join(each if each.isprintable() else repr(each)[1:-1] for each in record.message)
        return super().formatMessage(record)

"""What brings a work file that an earlier version of this program has written to the present layout.

Most changes need nothing here: the loader adds columns, `make_history` adds those of the history, and a transform
builds the models anew when they have changed. A step is for rows that would otherwise be read wrongly. It may find its
work done, and a file in which there is nothing for it to do.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

from pipelines.keeping import HISTORY, has_table, make_history, transaction
from transforms.selects import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import duckdb

logger = logging.getLogger(__name__)


def _days_and_deletions_were_of_mentions(con: duckdb.DuckDBPyConnection) -> None:
    """Before cases were reconciled too, what was found gone and what was read again was not said to be mentions."""
    for table in ("deletions", "days_read"):
        con.execute(f"UPDATE {HISTORY}.{table} SET object = 'mention' WHERE object IS NULL")


STEPS: tuple[Callable[[duckdb.DuckDBPyConnection], None], ...] = (_days_and_deletions_were_of_mentions,)
"""In their order; the first leads to layout 1. Steps that a release had are not changed, nor taken out."""

LAYOUT = len(STEPS)
"""The layout that this program writes, and the newest that it reads."""


def layout_of(con: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """The layout of a work file, and the version of the program that wrote it; 0 where the file does not say."""
    row = None
    if has_table(con, HISTORY, "layout"):
        row = con.execute(
            f"SELECT version, package_version FROM {HISTORY}.layout ORDER BY version DESC LIMIT 1"
        ).fetchone()
    return (0, "an early version") if row is None else (row[0], row[1])


def migrate(con: duckdb.DuckDBPyConnection, *, now: datetime) -> None:
    """Brings a work file to the present layout, each step in a transaction of its own. One that is there stays.

    Args:
        con: a connection to the work file that may write.
        now: when this is, UTC.
    """
    found, _ = layout_of(con)
    if found >= LAYOUT:
        return
    make_history(con)  # before the transactions: a table cannot be altered and updated in one
    for number, step in enumerate(STEPS[found:], found + 1):
        with transaction(con):
            step(con)
            con.execute(
                f"INSERT INTO {HISTORY}.layout BY NAME SELECT $number AS version, $written_with AS package_version,"
                f" {moment(now)} AS written_at",
                {"number": number, "written_with": version("social-connect-warehouse")},
            )
        logger.info("the work file is of layout %d now", number)

"""Backfills of one home that the system kills, one after the other: `python killed_backfill.py HOME MOMENT:COUNT ...`.

MOMENT is when it dies: `received` (a page has come, and is not kept yet), `kept` (it is), `copied` (a table's rows are
being loaded), `committed` (a package is loaded, and its pages are still there); COUNT is the how-manieth time.
`never:0` ends by itself. The options come from the environment, the clock from AS_OF, the span from FROM and TO.
PAGE_ROWS and FULL_ROWS make pages and windows smaller. The ids on each page that came are written to HOME.pages, a line
for a page.
"""

import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pipelines.load  # isort: skip # noqa: F401 - the loader reads switches that are set there, when it is imported
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.job_client_impl import SqlJobClientBase

from pipelines import backfill as backfills
from pipelines.run import backfill
from pipelines.settings import read_settings
from pipelines.source import backfill_plan
from pipelines.source.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable


def die_at(owner: type, name: str, count: int, *, before: bool = False) -> None:
    """Makes the process die when a method is called for that time, or has done its work."""
    method: Callable[..., Any] = getattr(owner, name)
    called = 0

    def instead(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal called
        called += 1
        if before and called == count:
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(self, *arguments, **options)
        if called == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, instead)


def note_pages(file: Path) -> None:
    """Writes down what is on each page that comes."""
    add: Callable[..., Any] = Spool.add

    def instead(self: Any, window: Any, page: Any, **options: Any) -> Any:
        with file.open("a") as opened:
            opened.write(json.dumps([record["unique_id"] for record in page.records]) + "\n")
        return add(self, window, page, **options)

    setattr(Spool, "add", instead)  # noqa: B010 - a checker takes the plain way for a mistake


def run_once(home: Path, moment: str, count: int) -> None:
    moments: dict[str, Callable[[], None]] = {
        "received": lambda: die_at(Spool, "add", count, before=True),
        "kept": lambda: die_at(Spool, "add", count),
        "copied": lambda: die_at(DuckDbCopyJob, "run", count),
        "committed": lambda: die_at(SqlJobClientBase, "complete_load", count),
        "never": lambda: None,
    }
    moments[moment]()
    note_pages(home.with_suffix(".pages"))
    start, end, as_of = (datetime.fromisoformat(os.environ[name]) for name in ("FROM", "TO", "AS_OF"))
    backfill(read_settings(social_warehouse_home=home), start=start, end=end, as_of=as_of)


def main(home: Path, *deaths: str) -> None:
    mentions = next(stream for stream in backfills.INBOX if stream.name == "mentions")
    object.__setattr__(mentions, "page_size", int(os.environ["PAGE_ROWS"]))
    backfills.INBOX = (mentions,)
    backfill_plan.FULL_ROWS = int(os.environ["FULL_ROWS"])
    backfill_plan.PART_ROWS = backfill_plan.FULL_ROWS // 4
    for death in deaths:
        moment, _, count = death.partition(":")
        process_id = os.fork()  # a process of its own, that need not import everything again
        if process_id == 0:
            run_once(home, moment, int(count))
            os._exit(0)
        _, ended = os.waitpid(process_id, 0)
        expected = 0 if moment == "never" else -signal.SIGKILL
        if os.waitstatus_to_exitcode(ended) != expected:
            sys.exit(f"{death}: it ended with {os.waitstatus_to_exitcode(ended)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

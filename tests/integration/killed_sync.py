"""A sync that the system kills at a chosen point: `python killed_sync.py POINT TABLE`.

The options come from the environment, the clock from AS_OF, the streams from STREAMS. The points lie in the loader, so
no hook is needed in the code under test. The process ends by SIGKILL, or with exit code 0 when the sync has not come by
the point.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pipelines.load  # isort: skip # noqa: F401 - the loader reads switches that are set there, when it is imported
import dlt
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.job_client_impl import SqlJobClientBase, SqlLoadJob
from dlt.extract.extractors import Extractor

from pipelines.run import extract_and_load
from pipelines.settings import read_settings


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_before(owner: type, name: str, is_it: Callable[[Any], bool] = lambda _owner: True) -> None:
    """Makes a method never begin."""
    method = getattr(owner, name)

    def instead(self: Any, *arguments: Any, **options: Any) -> Any:
        if is_it(self):
            die()
        return method(self, *arguments, **options)

    setattr(owner, name, instead)


def kill_after(owner: type, name: str, is_it: Callable[[Any], bool] = lambda _owner: True) -> None:
    """Makes a method do its work and never return."""
    method = getattr(owner, name)

    def instead(self: Any, *arguments: Any, **options: Any) -> Any:
        result = method(self, *arguments, **options)
        if is_it(self):
            die()
        return result

    setattr(owner, name, instead)


def main(point: str, table: str) -> None:
    def is_of_table(job: Any) -> bool:
        return str(job.job_file_info().table_name) == table

    points: dict[str, Callable[[], None]] = {
        "in_extract": lambda: kill_after(Extractor, "_import_item"),
        "after_extract": lambda: kill_before(dlt.Pipeline, "normalize"),
        "after_normalize": lambda: kill_before(dlt.Pipeline, "load"),
        "after_copy": lambda: kill_after(DuckDbCopyJob, "run", is_of_table),
        "before_merge": lambda: kill_before(SqlLoadJob, "run", is_of_table),
        "after_merge": lambda: kill_after(SqlLoadJob, "run", is_of_table),
        "before_commit": lambda: kill_before(SqlJobClientBase, "complete_load"),
        "after_commit": lambda: kill_after(SqlJobClientBase, "complete_load"),
    }
    points[point]()
    extract_and_load(
        read_settings(),
        as_of=datetime.fromisoformat(os.environ["AS_OF"]),
        stream_names=os.environ["STREAMS"].split(","),
    )


main(*sys.argv[1:])

"""A replay that the system kills at a chosen point: `python killed_replay.py POINT`.

The options come from the environment. The points lie in the loader, so no hook is needed in the code under test. The
process ends by SIGKILL, or with exit code 0 when the replay has not come by the point.
"""

import os
import signal
import sys
from typing import Any

import pipelines.load  # isort: skip # noqa: F401 - the loader reads switches that are set there, when it is imported
import dlt
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.job_client_impl import SqlJobClientBase, SqlLoadJob

from pipelines.run import replay
from pipelines.settings import read_settings

POINTS: dict[str, tuple[type, str, str]] = {
    "before_normalize": (dlt.Pipeline, "normalize", ""),
    "before_copy": (DuckDbCopyJob, "run", "mention_tags"),
    "before_merge": (SqlLoadJob, "run", "mention_tags"),
    "before_commit": (SqlJobClientBase, "complete_load", ""),
}


def main(point: str, skipped: int) -> None:
    """Kills the process when it has come by the point so many times, and comes again."""
    owner, name, table = POINTS[point]
    method = getattr(owner, name)
    passed = 0

    def instead(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal passed
        if not table or str(self.job_file_info().table_name) == table:
            passed += 1
            if passed > skipped:
                os.kill(os.getpid(), signal.SIGKILL)
        return method(self, *arguments, **options)

    setattr(owner, name, instead)
    replay(read_settings())


main(sys.argv[1], int(sys.argv[2]))

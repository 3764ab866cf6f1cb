"""A replay that the system kills at a chosen point: `python killed_replay.py POINT SKIPPED`.

The options come from the environment. The points lie in the flattening and in the loader, so no hook is needed in the
code under test. The process ends by SIGKILL, or with exit code 0 when the replay has not come by the point.
"""

import os
import signal
import sys
from typing import Any

import pipelines.load  # isort: skip # noqa: F401 - the loader reads switches that are set there, when it is imported
import dlt
from dlt.destinations.job_client_impl import SqlJobClientBase

from pipelines import rebuild
from pipelines.run import replay
from pipelines.settings import read_settings
from transforms.flatten import Flattening

POINTS: dict[str, tuple[type, str, str]] = {
    "before_objects": (Flattening, "read_kept", ""),
    "between_tables": (Flattening, "rows", "mention_tags"),
    "before_cursors": (dlt.Pipeline, "sync_schema", ""),
    "before_normalize": (dlt.Pipeline, "normalize", ""),
    "before_commit": (SqlJobClientBase, "complete_load", ""),
}


def main(point: str, skipped: int) -> None:
    """Kills the process when it has come by the point so many times, and comes again."""
    owner, name, table = POINTS[point]
    method = getattr(owner, name)
    passed = 0

    def instead(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal passed
        if not table or arguments[0].name == table:
            passed += 1
            if passed > skipped:
                os.kill(os.getpid(), signal.SIGKILL)
        return method(self, *arguments, **options)

    setattr(owner, name, instead)
    rebuild.OBJECTS_AT_ONCE = 20
    replay(read_settings())


main(sys.argv[1], int(sys.argv[2]))

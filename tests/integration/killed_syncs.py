"""Syncs of one home that are killed: for each line `AS_OF SECONDS` on standard input, one that lives so long at most.

Each is a fork of this process, which has imported all that a sync needs: so a kill costs the sync, and not the start of
Python too. The options come from the environment. The exit code of each is printed, negative for a signal.
"""

import os
import signal
import sys
import time
import traceback
import warnings
from datetime import datetime

import pipelines.load
import pipelines.source.statistics
import pipelines.transform  # noqa: F401 - as above
from pipelines import run
from pipelines.settings import read_settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what dbt's imports raise is not ours to mend
    import dbt.cli.main  # noqa: F401 - as above


def sync(as_of: str) -> None:
    try:
        run.sync(read_settings(), as_of=datetime.fromisoformat(as_of))
    except BaseException:  # noqa: BLE001 - told to the test, whatever it is
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def exit_code_within(pid: int, seconds: float) -> int:
    """Waits for a child, and kills it when its time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


for line in sys.stdin:
    as_of, seconds = line.split()
    child = os.fork()
    if child == 0:
        sync(as_of)
    print(exit_code_within(child, float(seconds)), flush=True)  # noqa: T201 - to the test

"""What a backfill costs when it is killed, and how much of the allowance it uses when it waits.

The first part reads a history whole, and again killed (SIGKILL) a number of times at random moments; both warehouses
are compared, table by table. The second lets the hours of an account of 350 calls an hour pass, on a clock of its own.

python benchmarks/backfill.py
python benchmarks/backfill.py --mentions 20000 --hourly-mentions 70000
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from pipelines import run
from pipelines.api import SocialConnect
from pipelines.settings import read_settings
from pipelines.stopping import Stop
from sandbox import Sandbox, Server
from sandbox.requests import calls_per_frame

PAGE_ROWS = 100
HISTORY_DAYS = 60
HOURLY_CALLS = 350
INBOX = "/inbox/mentions"
COMMAND = Path(sys.executable).with_name("social-warehouse")


@dataclass(frozen=True)
class Backfilled:
    """A history that was read: pages of mentions that were asked for, runs of which all but the last were killed."""

    page_count: int
    run_count: int
    seconds: float


def main() -> None:
    """Runs both parts and prints."""
    options = _options()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        _killed(Path(folder), options)
        _hourly(Path(folder), options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mentions", type=int, default=200_000, help="of the history that is read with kills")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--hourly-mentions", type=int, default=140_000, help="of the account of 350 calls an hour")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    return parser.parse_args()


def _killed(folder: Path, options: argparse.Namespace) -> None:
    with Sandbox(mentions=options.mentions, days=HISTORY_DAYS, rate_limit_per_hour=10**6).serve() as server:
        whole = _backfill(server, folder / "whole", [])
        draw = random.Random(options.seed)  # noqa: S311 - drawn the same each time
        moments = [draw.uniform(0.05, 1) * whole.seconds / (options.kills + 1) + 5 for _ in range(options.kills)]
        killed = _backfill(server, folder / "killed", moments)
    least = options.mentions / PAGE_ROWS
    _say(f"{options.mentions:,} mentions of {HISTORY_DAYS} days, {least:,.0f} full pages at the least")
    for name, done in (("not killed", whole), ("killed", killed)):
        _say(
            f"  {name}: {done.run_count} runs, {done.page_count:,} pages of mentions"
            f" ({least / done.page_count:.2%} full), {done.seconds:.0f} s"
        )
    _say(f"  pages read again for {killed.run_count - 1} kills: {killed.page_count - whole.page_count}")
    differences = _differences(folder / "whole", folder / "killed")
    _say(f"  tables that differ: {', '.join(differences) or 'none'}")


def _backfill(server: Server, home: Path, moments: list[float]) -> Backfilled:
    """Runs the command until it ends by itself; before, kills one run after each of some seconds."""
    box = server.sandbox
    before, began = len(box.requests), time.monotonic()
    start = box.now - timedelta(days=HISTORY_DAYS + 1)
    run_count = 0
    for seconds in (*moments, None):
        run_count += 1
        running = subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, "backfill", "--from", _iso(start), "--to", _iso(box.now), "--as-of", _iso(box.now)],
            env={name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
            | {
                "SOCIAL_CONNECT_BASE_URL": server.base_url,
                "SOCIAL_CONNECT_ACCESS_TOKEN": box.token,
                "SOCIAL_WAREHOUSE_HOME": str(home),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, complaint = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            continue
        if running.returncode:
            raise SystemExit(complaint)
        break
    pages = sum(request.path.endswith(INBOX) and "limit=100" in request.query for request in box.requests[before:])
    return Backfilled(pages, run_count, time.monotonic() - began)


def _differences(one: Path, other: Path) -> list[str]:
    """The normalised tables of which the two warehouses hold different rows, but for the loader's own columns."""
    with duckdb.connect() as con:
        for name, home in (("one", one), ("other", other)):
            con.execute(f"ATTACH '{home / 'warehouse.duckdb'}' AS {name} (READ_ONLY)")
        tables = con.execute(
            "SELECT DISTINCT table_name FROM duckdb_tables()"
            " WHERE schema_name = 'social_connect' AND NOT starts_with(table_name, '_dlt') ORDER BY 1"
        ).fetchall()
        rows = "SELECT COLUMNS(c -> NOT starts_with(c, '_dlt')) FROM {}.social_connect.{}"
        differing = []
        for (table,) in tables:
            ours, theirs = rows.format("one", table), rows.format("other", table)
            (count,) = con.execute(
                f"SELECT count(*) FROM (({ours} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {ours}))"  # noqa: S608 - from the catalogue
            ).fetchone() or (0,)
            if count:
                differing.append(f"{table} ({count} rows)")
        return differing


def _hourly(folder: Path, options: argparse.Namespace) -> None:
    box = Sandbox(mentions=options.hourly_mentions, days=HISTORY_DAYS, rate_limit_per_hour=HOURLY_CALLS)
    as_of = box.now

    def clock() -> float:
        return box.now.timestamp()

    # The client waits on the sandbox's clock, so hours pass in seconds; each call takes two of its seconds.
    box.before_request = lambda _path: box.advance(seconds=2)

    class Waiting(Stop):
        def wait(self, seconds: float) -> None:
            box.advance(seconds=seconds)

    with box.serve() as server:
        settings = read_settings(
            social_connect_base_url=server.base_url,
            social_connect_access_token=box.token,
            social_warehouse_home=folder / "hourly",
        )
        run.SocialConnect = functools.partial(SocialConnect, clock=clock)  # type: ignore[misc,assignment]
        start = as_of - timedelta(days=HISTORY_DAYS + 1)
        report = run.backfill(settings, start=start, end=as_of, as_of=as_of, waits=True, stop=Waiting())
    used = [count for _, count in sorted(calls_per_frame(box.requests).items())]
    statuses = Counter(request.status for request in box.requests)
    _say(f"{options.hourly_mentions:,} mentions at {HOURLY_CALLS} calls an hour, with the default reserve for syncs")
    _say(f"  calls used in each hour but the last: {', '.join(map(str, used[:-1]))}")
    _say(f"  the least of them: {min(used[:-1], default=0) / HOURLY_CALLS:.1%}; answers by status: {dict(statuses)}")
    _say(f"  mentions read in {len(used)} hours: {report.outcome.record_counts['mentions']:,}")


def _iso(time_: datetime) -> str:
    return time_.isoformat()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

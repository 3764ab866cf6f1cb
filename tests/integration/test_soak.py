"""A long time of everything at once: faults, kills, stops and a clock that moves, while readers read.

`make soak` takes half an hour (SOAK_MINUTES), the slow tests a minute of it. SOAK_SEED makes the same draws again.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import DailyChanges
from sandbox.faults import KINDS

Make = Callable[..., Any]

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("social-warehouse")
READER = Path(__file__).with_name("reading_process.py")
MINUTES = float(os.environ.get("SOAK_MINUTES", "1"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or time.time_ns() % 100_000

DONE, FAILED, BUSY, BUDGET_USED_UP, STOPPED = 0, 1, 3, 5, 143
DAILY = DailyChanges(acts=40, edits=8, swaps=2, deletions=3, restorations=1, erasures=1, late_arrivals=3, moves=1)


class _Soak:
    """An account whose clock and faults are drawn, and the commands that a scheduler would run on it."""

    def __init__(self, site: Any, rng: random.Random) -> None:
        self.site = site
        self.rng = rng
        self.endings: Counter[str] = Counter()
        self.has_faults = False

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts a command as of the sandbox's clock."""
        # Hours of the sandbox pass in no time: what is left of one that is over must not be kept.
        (self.site.home / "api" / "allowances.json").unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
        return subprocess.Popen(
            [str(COMMAND), *arguments, "--as-of", self.site.box.now.isoformat()],
            cwd=self.site.home.parent,
            env=environment
            | {
                "SOCIAL_CONNECT_BASE_URL": self.site.server.base_url,
                "SOCIAL_CONNECT_ACCESS_TOKEN": self.site.box.token,
                "SOCIAL_CONNECT_START_DATE": "2026-01-20",
                "SOCIAL_CONNECT_MAX_WAIT_SECONDS": "0",
                "SOCIAL_WAREHOUSE_HOME": str(self.site.home),
                "SOCIAL_WAREHOUSE_SWEEP_CALLS": "1000",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: "subprocess.Popen[str]", *, allowed: set[int]) -> None:
        """Waits for a command, and sees that it ended as it may, with a message that is for people."""
        with process:
            _, said = process.communicate(timeout=600)
        self.endings[f"{process.args[1]} {process.returncode}"] += 1  # type: ignore[index]
        assert process.returncode in allowed, f"seed {SEED}: {process.args} ended {process.returncode}: {said}"
        assert "Traceback" not in said, f"seed {SEED}: {said}"

    def turn(self) -> None:
        """The clock moves, faults may come, and a command or two run, or are stopped or killed."""
        self.site.box.advance(hours=self.rng.choice([0.1, 0.25, 0.25, 1, 6]))
        self._draw_faults()
        allowed = {DONE, BUDGET_USED_UP} | ({FAILED} if self.has_faults else set())
        how = self.rng.choices(["let", "kill", "stop", "two"], [45, 35, 10, 10])[0]
        command = self.start(*self._draw_command())
        if how == "two":
            second = self.start("sync")
            self.end(second, allowed=allowed | {BUSY})
            allowed |= {BUSY}
        elif how in {"kill", "stop"}:
            number = signal.SIGKILL if how == "kill" else signal.SIGTERM
            allowed |= {-number, STOPPED}
            try:
                command.wait(timeout=self.rng.uniform(0.5, 30))
            except subprocess.TimeoutExpired:
                command.send_signal(number)
        self.end(command, allowed=allowed)
        self.site.box.faults.clear()

    def _draw_command(self) -> tuple[str, ...]:
        return self.rng.choices(
            [
                ("sync",),
                ("sync", "--max-requests", str(self.rng.randint(1, 12))),
                ("reconcile",),
                ("backfill", "--from", "2026-01-20", "--to", "2026-02-10"),
                ("transform",),
            ],
            [50, 10, 20, 15, 5],
        )[0]

    def _draw_faults(self) -> None:
        self.has_faults = self.rng.random() < 0.4
        if not self.has_faults:
            return
        for _ in range(self.rng.randint(1, 3)):
            kind = self.rng.choice(KINDS)
            path = self.rng.choice(["inbox/mentions", "inbox/cases", "insights", ""])
            self.site.box.faults.add(
                kind, path=path, after=self.rng.randint(0, 6), times=self.rng.randint(1, 3), seconds=0.5
            )

    def bring_in_step(self) -> None:
        """Undisturbed runs, as they come when the trouble is over; a day later, so that each list has its turn."""
        self.site.box.advance(hours=25)
        for command in ("sync", "reconcile", "sync"):
            self.end(self.start(command), allowed={DONE})


@contextmanager
def readers(published_file: Path, count: int) -> Iterator[list[dict[str, Any]]]:
    """Processes that read the published copy; what they have seen is told at the end."""
    stop_file = published_file.with_suffix(".stop")
    reading = [
        subprocess.Popen(
            [sys.executable, str(READER), str(published_file), str(stop_file)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    told: list[dict[str, Any]] = []
    try:
        yield told
    finally:
        stop_file.touch()
        told += [json.loads(process.communicate(timeout=60)[0]) for process in reading]


def test_after_all_that_the_warehouse_is_the_account(make_site: Make, record_property: Callable[..., None]) -> None:
    site = make_site(seed=SEED, mentions=300, days=20, daily=DAILY, options={"social_connect_start_date": "2026-01-20"})
    soak = _Soak(site, random.Random(SEED))
    soak.end(soak.start("sync"), allowed={DONE})
    end_at = time.monotonic() + MINUTES * 60
    turn_count = 0
    with readers(site.home / "published" / "warehouse.duckdb", 2) as told:
        while time.monotonic() < end_at:
            soak.turn()
            turn_count += 1
        soak.bring_in_step()
    summary = {"seed": SEED, "turn_count": turn_count, "endings": dict(soak.endings), "readers": told}
    record_property("soak", json.dumps(summary))
    print(json.dumps(summary))  # noqa: T201 - shown with -s, and when it fails
    assert all(reader["read_count"] and not reader["problems"] for reader in told), summary
    site.assert_holds_the_truth()
    assert site.cases_alive() == site.true_cases()
    alive = {unique_id for (unique_id,) in site.rows("SELECT unique_id FROM mentions WHERE deleted_at IS NULL")}
    assert alive == {mention["unique_id"] for mention in site.mentions(1417)}

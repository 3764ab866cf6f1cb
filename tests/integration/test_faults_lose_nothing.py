"""Kills at random instants, a full disk, a read-only folder, an API that fails all the time: nothing is lost."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import run
from pipelines.api import SocialConnectError
from pipelines.keeping import keep_built_with
from pipelines.source import ReadingFailed
from sandbox.faults import KINDS

Make = Callable[..., Any]

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("social-warehouse")
KILLED_SYNCS = Path(__file__).with_name("killed_syncs.py")
START = "2026-01-20"
KILL_COUNT = 50
FACTS = ("fct_mentions", "fct_mention_actions", "fct_replies", "fct_status_intervals", "fct_assignments")


def start(
    site: Any, *arguments: str, home: Path | None = None, prefix: tuple[str, ...] = ()
) -> "subprocess.Popen[str]":
    """Starts the command as of the sandbox's clock."""
    # Hours of the sandbox pass in no time: what is left of one that is over must not be kept.
    (site.home / "api" / "allowances.json").unlink(missing_ok=True)
    return subprocess.Popen(
        [*prefix, str(COMMAND), *arguments, "--as-of", site.box.now.isoformat()],
        cwd=site.home.parent,
        env=environment(site) | ({"SOCIAL_WAREHOUSE_HOME": str(home)} if home else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def environment(site: Any) -> dict[str, str]:
    """That of a process which reads the site's account into its home."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
    return clean | {
        "SOCIAL_CONNECT_BASE_URL": site.server.base_url,
        "SOCIAL_CONNECT_ACCESS_TOKEN": site.box.token,
        "SOCIAL_CONNECT_START_DATE": START,
        "SOCIAL_CONNECT_MAX_WAIT_SECONDS": "0",
        "SOCIAL_WAREHOUSE_HOME": str(site.home),
    }


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Waits for a command; its exit code and all it said."""
    with process:
        said, _ = process.communicate(timeout=400)
    return process.returncode, said


def assert_published_belongs_together(file: Path) -> None:
    with duckdb.connect(file, read_only=True) as con:
        query = "SELECT (SELECT count(*) FROM social_connect.mentions), count(*) FROM marts.fct_mentions"
        ((mention_count, fact_count),) = con.execute(query).fetchall()
    assert mention_count == fact_count > 0


def facts(site: Any) -> dict[str, list[tuple[Any, ...]]]:
    with site.reading() as con:
        return {name: con.execute(f"SELECT * FROM marts.{name} ORDER BY ALL").fetchall() for name in FACTS}  # noqa: S608 - names above


@pytest.mark.soak
def test_fifty_kills_at_any_instant(make_site: Make) -> None:
    """Of syncs that read, load, transform and publish; the clock goes on a quarter of an hour each time."""
    site = make_site(seed=11, mentions=200, days=20, options={"social_connect_start_date": START})
    rng = random.Random(11)
    endings: Counter[int] = Counter()
    with subprocess.Popen(
        [sys.executable, str(KILLED_SYNCS)],
        env=environment(site),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as syncs:
        assert syncs.stdin is not None
        assert syncs.stdout is not None

        def sync(seconds: float) -> int:
            site.box.advance(minutes=15)
            (site.home / "api" / "allowances.json").unlink(missing_ok=True)
            print(site.box.now.isoformat(), seconds, file=syncs.stdin, flush=True)
            return int(syncs.stdout.readline())

        for _ in range(2):  # the second takes as long as those that follow
            began = time.monotonic()
            assert sync(300) == 0
        whole_seconds = time.monotonic() - began
        while endings[-signal.SIGKILL] < KILL_COUNT:
            exit_code = sync(rng.uniform(0, whole_seconds))
            assert exit_code in {0, -signal.SIGKILL}
            endings[exit_code] += 1
            assert endings[0] < KILL_COUNT, "hardly any was killed"
            assert_published_belongs_together(site.home / "published" / "warehouse.duckdb")
        syncs.stdin.close()
    site.box.advance(hours=25)  # so that each list has its turn
    exit_code, said = end(start(site, "sync"))
    assert exit_code == 0, said
    site.assert_holds_the_truth()
    assert site.cases_alive() == site.true_cases()
    assert_published_belongs_together(site.home / "published" / "warehouse.duckdb")
    incremental = facts(site)
    with duckdb.connect(site.home / "warehouse.duckdb") as con:
        keep_built_with(con, None)
    assert site.transform().is_full_refresh
    assert facts(site) == incremental


UNSHARE = shutil.which("unshare")
CAN_MOUNT = UNSHARE is not None and (
    subprocess.run(
        [UNSHARE, "--user", "--map-root-user", "--mount", "true"], capture_output=True, check=False
    ).returncode
    == 0
)
ON_A_SMALL_DISK = """
mount -t tmpfs -o size=$1k tmpfs "$2" && cp -a "$3/." "$2/" && shift 3 || exit 99
"$@"; code=$?
cp -a "$SOCIAL_WAREHOUSE_HOME/." "$AFTERWARDS/"
exit $code
"""


@pytest.mark.skipif(not CAN_MOUNT, reason="a disk of its own needs unshare and user namespaces")
@pytest.mark.parametrize("spare_kilobytes", [64, 3_000, 9_000, 20_000])
def test_a_disk_that_fills_up(
    make_site: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare_kilobytes: int
) -> None:
    """A disk with so much to spare beside a synced warehouse; then one with room."""
    site = make_site(seed=12, mentions=300, days=20, is_synced=True, options={"social_connect_start_date": START})
    published = site.home / "published"
    disk, afterwards = tmp_path / "disk", tmp_path / "afterwards"
    disk.mkdir(mode=0o700)
    afterwards.mkdir(mode=0o700)
    held_kilobytes = sum(file.stat().st_blocks // 2 + 4 for file in site.home.rglob("*"))
    monkeypatch.setenv("AFTERWARDS", str(afterwards))
    site.box.advance(hours=30)
    size = str(held_kilobytes + spare_kilobytes)
    in_namespace = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh", size)
    exit_code, said = end(start(site, "sync", home=disk, prefix=(*in_namespace, str(disk), str(site.home))))
    assert exit_code == 1, said
    assert "Traceback" not in said
    assert re.search(r"Error: .*(No space left|no space|could not write|[Dd]isk|Out of disk)", said, re.DOTALL), said
    assert not (afterwards / "published" / "warehouse.duckdb").exists() or published.exists()

    after = site.with_home(afterwards)
    exit_code, said = end(start(after, "sync"))
    assert exit_code == 0, said
    after.assert_holds_the_truth()
    assert_published_belongs_together(afterwards / "published" / "warehouse.duckdb")


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift || exit 99
exec "$@"
"""


@pytest.fixture(scope="module")
def site(make_site: Make) -> Any:
    """One that tests may share which leave it in step with its account."""
    site = make_site(seed=13, mentions=150, days=10, options={"social_connect_start_date": START})
    assert end(start(site, "sync"))[0] == 0
    return site


@pytest.mark.skipif(not CAN_MOUNT, reason="a read-only folder, also for root, needs unshare and user namespaces")
@pytest.mark.parametrize("folder", ["", "published", "dlt", "api", "runs", "logs"])
def test_a_folder_that_is_read_only(site: Any, folder: str) -> None:
    """The home itself, or one folder in it; then it may be written to again."""
    published = site.home / "published" / "warehouse.duckdb"
    before = published.read_bytes()
    site.box.advance(hours=30)
    read_only = site.home / folder
    in_namespace = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh", str(read_only))
    exit_code, said = end(start(site, "sync", prefix=in_namespace))
    assert exit_code == 1, said
    assert "Traceback" not in said
    assert re.search(rf"Error: .*{re.escape(str(read_only))}", said, re.DOTALL), said
    assert published.read_bytes() == before
    exit_code, said = end(start(site, "sync"))
    assert exit_code == 0, said
    site.assert_holds_the_truth()
    assert_published_belongs_together(published)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_backfill_through_an_api_that_fails_all_the_time(make_site: Make, seed: int) -> None:
    site = make_site(seed=seed, mentions=900, days=40, stream_names=["topics", "mentions", "cases"])
    site.options = {"social_connect_start_date": (site.box.now - timedelta(hours=1)).isoformat()}
    rng = random.Random(seed)
    begin = site.box.now - timedelta(days=41)
    endings: Counter[str] = Counter()
    has_ended = False
    while not has_ended:
        is_quiet = sum(endings.values()) > 40
        for _ in range(0 if is_quiet else rng.randint(1, 4)):
            kind, path = rng.choice(KINDS), rng.choice(["inbox/mentions", "inbox/cases", "insights", ""])
            after, times = rng.randint(0, 8), rng.randint(1, 6)
            site.box.faults.add(kind, path=path, after=after, times=times, seconds=0.05)
        (site.home / "api" / "allowances.json").unlink(missing_ok=True)
        try:
            outcome = run.backfill(site.settings(), start=begin, end=site.box.now, as_of=site.box.now).outcome
            has_ended = outcome.stopped_by is None
            endings["ended" if has_ended else "budget"] += 1
        except (SocialConnectError, ReadingFailed) as error:
            endings[type(error).__name__] += 1
        site.box.faults.clear()
    # What the faults put into records stays until they are read again.
    site.sync()
    run.reconcile(
        site.settings(social_warehouse_sweep_calls=1_000, social_warehouse_reconcile_days=60), as_of=site.box.now
    )
    site.assert_holds_the_truth("mention")
    assert site.cases_alive() == site.true_cases()

"""A real Prefect server, on this machine only: schedules are kept, killed runs block nothing, nothing piles up."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from receivers import webhook

from pipelines.warehouse import Warehouse
from sandbox import Sandbox, Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVING = """
from datetime import timedelta
from pipelines import flows
flows.serve(every=timedelta(seconds=20), reconcile_every=timedelta(days=1), reference_cron="0 0 1 1 *",
            maintain_cron="0 0 1 1 *")
"""
"""What the command does, but oftener than every minute."""
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LONGEST_SECONDS = 900
TOKEN = "sandbox-token"


def wait_for(what: str, found: Callable[[], Any], seconds: float = LONGEST_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(1)
    pytest.fail(f"{what} has not come in {seconds} seconds")


@dataclass
class _Prefect:
    """A Prefect server, and what it and those who run flows for it get as environment."""

    port: int
    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = self.popen("server", str(Path(sys.executable).with_name("prefect")), *arguments)
        wait_for("the server", self.is_up)

    def is_up(self) -> bool:
        try:
            return bool(self.ask("GET", "health"))
        except OSError:
            return False

    def popen(self, name: str, *command: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """A process in a group of its own, with what it starts."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=cwd or self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def command(self, *arguments: str, cwd: Path | None = None, **variables: str) -> str:
        """What one of Prefect's own commands says."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("prefect")), "--no-prompt", *arguments],
            cwd=cwd or self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=180,
            check=True,
        ).stdout

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=LONGEST_SECONDS
        ) as answer:
            return json.loads(answer.read() or b"null")

    def runs(self, flow: str, *states: str) -> list[dict[str, Any]]:
        """The runs of a flow in some states, in the order in which they were due."""
        of_flow = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        found = self.ask("POST", "flow_runs/filter", of_flow)
        return [each for each in found if not states or each["state_name"] in states]

    def artifacts(self, run_id: str) -> dict[str, Any]:
        of_run = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        of_its_tasks = self.ask("POST", "artifacts/filter", of_run)
        return {each["key"]: each["data"] for each in of_its_tasks}


def kill(process: subprocess.Popen[bytes]) -> None:
    """As a power cut does: the process and all that it has started, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            kill(process)


@pytest.fixture(scope="module")
def account() -> Iterator[Server]:
    now = datetime.now(UTC).replace(microsecond=0)
    with Sandbox(mentions=150, rate_limit_per_hour=100_000, real_time=True, now=now).serve() as server:
        yield server


@pytest.fixture(scope="module")
def prefect(account: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Prefect]:
    folder = tmp_path_factory.mktemp("prefect")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SOCIAL_", "PREFECT_"))}
    environment = clean | {
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1",
        "SOCIAL_CONNECT_BASE_URL": account.base_url,
        "SOCIAL_CONNECT_ACCESS_TOKEN": account.sandbox.token,
        "SOCIAL_WAREHOUSE_HOME": str(folder / "data"),
    }
    server = _Prefect(port, folder, environment)
    server.start()
    yield server
    if server.process is not None and server.process.poll() is None:
        kill(server.process)


def test_a_scheduled_run_leaves_artifacts_and_a_killed_one_blocks_nothing(prefect: _Prefect) -> None:
    """The server is killed too: what it keeps in memory alone, of who may run, is lost, and must not matter."""
    serving = prefect.popen("serving", sys.executable, "-c", SERVING)
    with ending(serving):
        (first,) = wait_for("a scheduled sync", lambda: prefect.runs("sync", "Completed", "Failed", "Crashed"))[:1]
        assert (first["state_name"], first["auto_scheduled"]) == ("Completed", True), first["state"]
        artifacts = prefect.artifacts(first["id"])
        assert set(artifacts) == {"sync-report", "rows-per-table", "request-budget", "failing-tests"}
        assert "| mentions read | 150 |" in artifacts["sync-report"]
        assert {"schema": "marts", "table": "fct_mentions", "rows": 150} in json.loads(artifacts["rows-per-table"])
        (budget,) = json.loads(artifacts["request-budget"])
        assert budget["token"] == 1
        assert 99_000 < budget["requests left"] < 100_000
        assert TOKEN not in json.dumps(artifacts)
        assert len(prefect.runs("sync", "Running", "Pending")) <= 1, "one at a time"
        going_on = wait_for("a sync that goes on", lambda: prefect.runs("sync", "Running"))[0]
        assert prefect.process is not None
        kill(serving)
    kill(prefect.process)
    prefect.start()
    assert prefect.ask("GET", f"flow_runs/{going_on['id']}")["state_name"] == "Running", "nobody has told it"
    killed_at = datetime.now(UTC).isoformat()
    time.sleep(45)  # two more are due by now
    again = prefect.popen("serving", sys.executable, "-c", SERVING)
    with ending(again):

        def completed_since() -> list[dict[str, Any]]:
            return [each for each in prefect.runs("sync", "Completed") if each["start_time"] > killed_at]

        wait_for("the next sync", completed_since)
        lost = prefect.ask("GET", f"flow_runs/{going_on['id']}")
        assert lost["state_name"] == "Crashed"
        assert "Its process is gone" in lost["state"]["message"]
        assert len(prefect.runs("sync", "Running", "Pending")) <= 1
        overdue = [
            each for each in prefect.runs("sync", "Scheduled", "Late") if each["expected_start_time"] < killed_at
        ]
        assert overdue == [], "what was due while nobody ran it is not made up for"


def test_a_run_whose_process_is_killed_is_told(prefect: _Prefect) -> None:
    with webhook() as hook:
        told = replace(prefect, environment=prefect.environment | {"SOCIAL_WAREHOUSE_NOTIFY_WEBHOOK_URL": hook.url})
        serving = told.popen("serving", sys.executable, "-c", SERVING)
        with ending(serving):
            holder = prefect.folder / "data" / "flow-sync.json"
            before = {each["id"] for each in prefect.runs("sync")}

            def new() -> list[dict[str, Any]]:
                return [each for each in prefect.runs("sync", "Running") if each["id"] not in before]

            begun = wait_for("a sync", new)
            wait_for("its lock", lambda: Warehouse(prefect.folder / "data").flow_holder("sync"))
            os.kill(json.loads(holder.read_text(encoding="utf-8"))["pid"], signal.SIGKILL)
            wait_for("the news", lambda: hook.received)
            assert hook.received[0]["event"] == "sync crashed"
            assert prefect.ask("GET", f"flow_runs/{begun[0]['id']}")["state_name"] == "Crashed"


def test_a_second_one_that_serves_is_refused(prefect: _Prefect) -> None:
    serving = prefect.popen("serving", sys.executable, "-c", SERVING)
    with ending(serving):
        warehouse = Warehouse(prefect.folder / "data")
        warehouse.make_folders()
        wait_for("the first", lambda: warehouse.flow_holder("serve"))
        command = [str(Path(sys.executable).with_name("social-warehouse")), "serve"]
        second = subprocess.run(
            command, env=prefect.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert second.returncode == 3
        assert "in use by Prefect's serve" in second.stderr


def test_a_pool_runs_the_deployments_of_the_file_and_late_ones_once(prefect: _Prefect) -> None:
    folder = prefect.folder / "at-work"
    folder.mkdir()
    names = ("SOCIAL_CONNECT_BASE_URL", "SOCIAL_CONNECT_ACCESS_TOKEN")
    lines = [f'{name.lower()} = "{prefect.environment.pop(name)}"' for name in names]
    prefect.environment.pop("SOCIAL_WAREHOUSE_HOME")
    (folder / "social-warehouse.toml").touch(mode=0o600)
    (folder / "social-warehouse.toml").write_text("\n".join(lines), encoding="utf-8")
    prefect.command("work-pool", "create", "social-warehouse", "--type", "process")
    said = prefect.command(
        "deploy",
        *("--all", "--prefect-file", "deploy/prefect.yaml"),
        cwd=ROOT,
        DEPLOY_FOLDER=str(folder),
    )
    flows = ("sync", "reconcile", "reference", "backfill", "maintain")
    assert all(f"'{name}/social-connect-warehouse' successfully created" in " ".join(said.split()) for name in flows)
    for name in flows:
        deployment = prefect.ask("GET", f"deployments/name/{name}/social-connect-warehouse")
        assert deployment["work_pool_name"] == "social-warehouse"
        assert deployment["global_concurrency_limit"]["limit"] == 1
    sync = prefect.ask("GET", "deployments/name/sync/social-connect-warehouse")
    # Three of the schedule's own runs become overdue: their times are put back, as if nobody had run them.
    database = prefect.folder / "prefect" / "prefect.db"
    overdue = [each["id"] for each in wait_for("its schedule", lambda: prefect.runs("sync", "Scheduled"))[:3]]
    put_back(database, overdue)
    for each in prefect.runs("sync", "Running", "Pending"):
        crashed = {"state": {"type": "CRASHED"}, "force": True}
        prefect.ask("POST", f"flow_runs/{each['id']}/set_state", crashed)
    worker = prefect.popen(
        "worker", str(Path(sys.executable).with_name("prefect")), "worker", "start", "--pool", "social-warehouse"
    )
    with ending(worker):

        def ended() -> list[str] | None:
            found = [prefect.ask("GET", f"flow_runs/{run_id}") for run_id in overdue]
            is_over = all(each["state_type"] in FINAL for each in found)
            return sorted(each["state_name"] for each in found) if is_over else None

        # One does the work of all: one of them, or a run of the schedule that became due meanwhile.
        assert wait_for("the overdue runs", ended)[:2] == ["Cancelled", "Cancelled"]
        assert wait_for("the one that does their work", lambda: prefect.runs("sync", "Completed"))
        backfill = prefect.ask("GET", "deployments/name/backfill/social-connect-warehouse")
        span = {"start": "2025-01-01T00:00:00Z", "end": "2025-01-02T00:00:00Z"}
        asked = prefect.ask("POST", f"deployments/{backfill['id']}/create_flow_run", {"parameters": span})

        def backfilled() -> dict[str, Any] | None:
            found: dict[str, Any] = prefect.ask("GET", f"flow_runs/{asked['id']}")
            return found if found["state_type"] in FINAL else None

        done = wait_for("the backfill", backfilled)
        assert done["state_name"] == "Completed", done["state"]
        assert "Backfill of 2025-01-01" in prefect.artifacts(asked["id"])["backfill-report"]
    assert sync["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def put_back(database: Path, run_ids: list[str]) -> None:
    """Makes scheduled runs due long ago."""
    import sqlite3  # noqa: PLC0415 - here alone

    with sqlite3.connect(database, timeout=60) as con:
        for hours, run_id in enumerate(run_ids, start=1):
            due = f"2020-01-01 0{hours}:00:00.000000"
            changed = con.execute(
                "UPDATE flow_run SET next_scheduled_start_time = ?, expected_start_time = ? WHERE id = ?",
                (due, due, run_id),
            )
            assert changed.rowcount == 1
            # A run waits for the time that its state says.
            con.execute(
                "UPDATE flow_run_state SET state_details = json_set(state_details, '$.scheduled_time', ?)"
                " WHERE flow_run_id = ?",
                (f"2020-01-01T0{hours}:00:00Z", run_id),
            )
    con.close()

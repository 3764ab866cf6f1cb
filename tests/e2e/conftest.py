"""The installed command in a process of its own, against a sandbox that this process serves."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox import Sandbox, Server

COMMAND = Path(sys.executable).with_name("social-warehouse")
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING) \S+: ")


@dataclass(frozen=True)
class _Said:
    """What a command said and the exit code it ended with."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The one error on standard error; all else there are log lines or click's usage lines."""
        assert "Traceback" not in self.stderr, self.stderr
        lines = [line for line in self.stderr.splitlines() if line and not LOG_LINE.match(line)]
        lines = [line for line in lines if not line.startswith(("Usage: ", "Try "))]
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("Error: ")
        return lines[0].removeprefix("Error: ")


@dataclass(frozen=True)
class _User:
    """Somebody at a terminal: a working folder, the options in the environment, and the command."""

    server: Server
    folder: Path
    options: dict[str, str] = field(default_factory=dict)

    @property
    def box(self) -> Sandbox:
        return self.server.sandbox

    @property
    def home(self) -> Path:
        return self.folder / "data"

    @property
    def published_file(self) -> Path:
        return self.home / "published" / "warehouse.duckdb"

    def environment(self, **options: str) -> dict[str, str]:
        """That of the command; an option that is empty is left out."""
        given = {
            "SOCIAL_CONNECT_BASE_URL": self.server.base_url,
            "SOCIAL_CONNECT_ACCESS_TOKEN": self.box.token,
            "SOCIAL_CONNECT_MAX_WAIT_SECONDS": "0",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
        return {name: value for name, value in (clean | given | self.options | options).items() if value}

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[str]:
        """A command that serves until it is stopped; gives the first address that it prints."""
        command = [str(COMMAND), *arguments]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, text=True
        ) as serving:
            assert serving.stdout is not None
            try:
                said = serving.stdout.readline()
                (address, *_) = re.findall(r"http://[^/\s]+", said)
                yield address
            finally:
                serving.terminate()

    def start(self, *arguments: str, **options: str) -> "subprocess.Popen[str]":
        """Starts the command; options are environment variables in addition, an empty one is left out."""
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            cwd=self.folder,
            env=self.environment(**options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **options: str) -> _Said:
        """Runs the command to its end; options as for `start`."""
        return self.end_of(self.start(*arguments, **options))

    def end_of(self, started: "subprocess.Popen[str]") -> _Said:
        """Waits for a command that was started."""
        with started:
            stdout, stderr = started.communicate(timeout=180)
        return _Said(started.returncode, stdout, stderr)

    def sync(self, *arguments: str, **options: str) -> _Said:
        """Runs a sync as of the sandbox's clock."""
        return self.run("sync", "--as-of", self.box.now.isoformat(), *arguments, **options)

    def query(self, sql: str, file: Path | None = None) -> list[tuple[Any, ...]]:
        """Asks a file of the warehouse, by default the published one."""
        with duckdb.connect(file or self.published_file, read_only=True) as con:
            return con.execute(sql).fetchall()

    def assert_published_is_complete(self) -> None:
        """Every mention that the account holds is published, in its present state."""
        held = {
            (mention["unique_id"], mention["status"], len(mention["actions"])) for mention in self.box.mentions(1417)
        }
        published = self.query(
            "SELECT unique_id, status, (SELECT count(*) FROM social_connect.mention_actions a"
            " WHERE a.unique_id = m.unique_id) FROM social_connect.mentions m"
        )
        assert len(published) == len(held)
        assert set(published) == held
        facts = self.query("SELECT count(*), count(DISTINCT unique_id) FROM marts.fct_mentions")
        assert facts == [(len(held), len(held))]


@pytest.fixture(scope="module")
def make_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., _User]]:
    """Makes users, each with a folder of its own, of one account of 350 mentions."""
    with Sandbox(mentions=350, rate_limit_per_hour=100_000).serve() as server:

        def make(**options: str) -> _User:
            return _User(server, tmp_path_factory.mktemp("folder"), options)

        yield make

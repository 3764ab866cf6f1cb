"""A PostgreSQL server of the tests' own: a fresh cluster in a temporary folder, on a Unix socket there."""

# ruff: noqa: S608 - names of tables and columns come from here or from the catalogue

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from pipelines.warehouse import Warehouse

OWNER, PASSWORD = "owner", "p@ss/word of the owner"
SCHEMA = "social_connect_marts"
NOBODY = "postgres"
"""Who runs the server where the tests are run by root, whom it refuses. Debian's package makes this user."""


def is_installed() -> bool:
    """Whether this machine has a server to start, and psql."""
    return _programs() is not None and shutil.which("psql") is not None


def _programs() -> Path | None:
    """The folder of the server's programs; None where it is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@dataclass(frozen=True)
class PostgresServer:
    """A server that runs."""

    folder: Path

    def url(self, user: str = OWNER, password: str = PASSWORD, database: str = "postgres") -> str:
        """The address of a database, as the settings take it."""
        return f"postgresql://{user}:{quote(password, safe='')}@/{database}?host={quote(str(self.folder), safe='/')}"

    def psql(self, statement: str, *options: str, user: str = OWNER, password: str = PASSWORD) -> str:
        """What psql prints of a statement, without headings; an error of it is an error here."""
        told = {"PGHOST": str(self.folder), "PGUSER": user, "PGPASSWORD": password, "PGDATABASE": "postgres"}
        command = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *options, "-c", statement]
        done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip("\n")


@contextmanager
def serving_postgres() -> Iterator[PostgresServer]:
    """Starts a server; it and its folder go at the end."""
    found = _programs()
    assert found is not None
    is_root = os.getuid() == 0

    def call(*command: str | Path) -> None:
        user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_root else {}
        # What pg_ctl starts would keep a pipe open.
        subprocess.run(command, check=True, cwd=folder, timeout=60, stdout=subprocess.DEVNULL, **user)

    # Not in pytest's folder: another user cannot pass through that, and a socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="postgres-") as made:
        folder = Path(made)
        secret = folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if is_root:
            for path in (folder, secret):
                shutil.chown(path, NOBODY, NOBODY)
        cluster = folder / "cluster"
        known = ("-U", OWNER, "-A", "scram-sha-256", "--pwfile", secret)
        call(found / "initdb", "-D", cluster, *known, "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        control = (found / "pg_ctl", "-D", cluster, "-w", "-s")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        call(*control, "-l", folder / "log", "-o", options, "start")
        try:
            yield PostgresServer(folder)
        finally:
            call(*control, "-m", "immediate", "stop")


def tables_of(database: PostgresServer) -> list[str]:
    listed = database.psql(
        f"SELECT relname FROM pg_class WHERE relnamespace = '{SCHEMA}'::regnamespace"
        " AND relkind IN ('r', 'v') ORDER BY 1"
    )
    return listed.split("\n")


def assert_holds_the_copy(database: PostgresServer, warehouse: Warehouse, folder: Path) -> None:
    """Every table there is the published copy's, column by column and row by row, as psql tells it."""
    with duckdb.connect(warehouse.published_file, read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        names = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts' UNION ALL"
            " SELECT view_name FROM duckdb_views() WHERE schema_name = 'marts' ORDER BY 1"
        ).fetchall()
        assert names
        assert tables_of(database) == sorted([*(name for (name,) in names), "published_tables"])
        for (name,) in names:
            described = con.execute(f"DESCRIBE marts.{name}").fetchall()
            lists = {column for column, kind, *_ in described if kind.endswith("[]")}
            columns = [f'to_json("{column}")' if column in lists else f'"{column}"' for column, *_ in described]
            file = folder / f"{name}.csv"
            copied = f"COPY (SELECT {', '.join(columns)} FROM {SCHEMA}.{name}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"
            # psql's own zone must not matter: it writes the offset.
            file.write_text(database.psql(f"SET TIME ZONE 'Asia/Tokyo'; {copied}"), encoding="utf-8")
            kinds = {column: "VARCHAR" for column, *_ in described}
            there = ", ".join(
                f'from_json("{column}", \'["VARCHAR"]\')' if column in lists else f'CAST("{column}" AS {kind})'
                for column, kind, *_ in described
            )
            read = (
                f"SELECT {there} FROM read_csv('{file}', header = false, columns = {kinds}, nullstr = '',"
                " allow_quoted_nulls = false, new_line = '\\n', auto_detect = false, quote = '\"', escape = '\"')"
            )
            here = con.execute(f"FROM marts.{name} ORDER BY ALL").fetchall()
            assert con.execute(f"FROM ({read}) ORDER BY ALL").fetchall() == here, name

"""dbt on a warehouse file, in a process of its own: it keeps global state, and its imports raise warnings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    import duckdb

PROJECT = Path(__file__).parents[2] / "sql"

RUN = """
import json, sys
from dbt.cli.main import dbtRunner
for arguments in json.loads(sys.argv[1]):
    outcome = dbtRunner().invoke(arguments)
    if not outcome.success:
        sys.exit(1)
    if arguments[0] == "compile":
        print("COMPILED", json.dumps([result.node.compiled_code for result in outcome.result.results]))
"""


def dbt(warehouse: Path, *commands: list[str], rules: Path | None = None, as_of: str | None = None) -> list[str]:
    """Runs commands one after the other; the plain SQL of each that compiles a query with macros and refs.

    Dbt's target folder is beside the warehouse file.

    Raises:
        AssertionError: dbt failed; says what it printed.
    """
    folders = [
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(warehouse.parent / "target"), "--log-path", str(warehouse.parent / "logs")),
        "--quiet",
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([[*command, *folders] for command in commands])],
        env=os.environ
        | {
            "SOCIAL_WAREHOUSE_FILE": str(warehouse),
            "SOCIAL_WAREHOUSE_RULES": str(rules or PROJECT / "rules"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        | ({"SOCIAL_WAREHOUSE_AS_OF": as_of} if as_of else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    printed = (line for line in done.stdout.splitlines() if line.startswith("COMPILED "))
    return [str(sql) for line in printed for sql in json.loads(line.removeprefix("COMPILED "))]


def make_source_tables(con: duckdb.DuckDBPyConnection, schema: str, *names: str) -> None:
    """Makes empty tables as the project expects them from the loader."""
    declared = yaml.safe_load((PROJECT / "models" / "staging" / "sources.yml").read_text(encoding="utf-8"))
    tables = next(each["tables"] for each in declared["sources"] if each["schema"] == schema)
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in tables:
        if table["name"] in names:
            columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in table["columns"])
            con.execute(f"CREATE TABLE {schema}.{table['name']} ({columns})")

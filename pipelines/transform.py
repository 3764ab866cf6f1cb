"""Runs the dbt project over the work file: models, then tests. The only importer of dbt."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.keeping import built_with, keep_built_with, versions_fingerprint
from transforms.selects import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb
    from dbt.artifacts.schemas.run import RunExecutionResult

    from pipelines.warehouse import Warehouse

SQL_FOLDER = Path(__file__).parents[1] / "sql"
RULES_FOLDER = SQL_FOLDER / "rules"
"""The files of rules as the project has them: their columns, and no row."""

_CHANGING = (
    *("--select", "config.materialized:table", "config.materialized:incremental", "resource_type:test"),
    *("--exclude", "tag:in_fingerprint", "foreign_key_rpt_*", "accepted_values_rpt_*"),
    # Tests are named above; else those of what is left out would be left out too.
    *("--indirect-selection", "empty"),
)
"""What is built when only rows have changed: not views, nor tables of what the fingerprint has, which are as the last
transform left them. Tests run, but those of single columns of reports, which have been tested where a report takes them
from: to make each report once more for each of them takes longer than the build."""


class TestsFailed(Exception):
    """A data test found rows that break its claim; nothing is published.

    Attributes:
        failing: name of each test that failed, and what it had to say.
    """

    __test__ = False  # not a test, whatever pytest makes of its name

    def __init__(self, text: str, failing: tuple[tuple[str, str], ...]) -> None:
        super().__init__(text, failing)
        self.failing = failing

    def __str__(self) -> str:
        return str(self.args[0])


class TransformFailed(Exception):
    """A model could not be built.

    Attributes:
        model_names: those that could not. The text has what the database said, which may quote rows.
    """

    def __init__(self, text: str, model_names: tuple[str, ...] = ()) -> None:
        super().__init__(text, model_names)
        self.model_names = model_names

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class TransformReport:
    """What dbt did: models built, tests passed, and what tests of severity warn had to say."""

    model_count: int
    passed_test_count: int
    warnings: tuple[str, ...]
    seconds: float
    is_full_refresh: bool
    """Whether all rows were built anew; else those of items that had changed since the last transform."""


def transform(
    warehouse: Warehouse, *, reporting_time_zone: str, as_of: datetime, rules_folder: Path | None = None
) -> TransformReport:
    """Builds and tests every model in the work file. The caller holds the writer lock.

    Rows of items that have not changed since the last transform stay as they are, unless something else has that they
    are made from: the models, the rules, the reporting zone, the versions of users and schedules. Then all are built
    anew, and the views. Unit tests of the models are left to the project's own tests: they do not depend on the data.

    Args:
        warehouse: where the work file and dbt's own folder are.
        reporting_time_zone: IANA zone in which days are cut.
        as_of: the instant that ages and open items are reckoned to, UTC.
        rules_folder: where the user's files of rules are; in the warehouse's own folder when not given. Those that are
            not there are made, without a row.

    Raises:
        TestsFailed: a data test failed; its text names the tests.
        TransformFailed: a model failed; its text names the models and where their SQL is.
    """
    from dbt.artifacts.schemas.run import RunExecutionResult  # noqa: PLC0415 - dbt takes two seconds to import; most commands do not need it
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - as above

    dbt_folder = warehouse.dbt_folder.resolve()
    rules_folder = (rules_folder or warehouse.rules_folder).resolve()
    make_rules(rules_folder)
    with warehouse.connect() as con:
        fingerprint = _fingerprint(rules_folder, reporting_time_zone, versions_fingerprint(con))
        is_full_refresh = built_with(con) != fingerprint
    arguments = [
        "build",
        *("--exclude-resource-type", "unit_test"),
        *(() if is_full_refresh else _CHANGING),
        *("--project-dir", str(SQL_FOLDER), "--profiles-dir", str(SQL_FOLDER)),
        # dbt takes a relative path for one inside the project.
        *("--target-path", str(dbt_folder / "target"), "--log-path", str(dbt_folder / "logs")),
        *("--vars", f"{{reporting_time_zone: '{reporting_time_zone}'}}"),
        *(("--full-refresh",) if is_full_refresh else ()),
        "--quiet",
        *("--log-level", "none", "--log-level-file", "none"),
        "--no-use-colors",
    ]
    # dbt opens the file for each model and test. While this connection is open, that costs nothing and writes no
    # checkpoint.
    with (
        _environment(
            SOCIAL_WAREHOUSE_FILE=str(warehouse.file.resolve()),
            SOCIAL_WAREHOUSE_RULES=str(rules_folder),
            SOCIAL_WAREHOUSE_AS_OF=as_of.isoformat(),
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
            DO_NOT_TRACK="1",
        ),
        _command(arguments),
        warehouse.connect(read_only=False) as con,
    ):
        con.execute("RESET threads")  # of which the connections of a load have one
        if is_full_refresh:
            keep_built_with(con, None)  # until all is built
        outcome = dbtRunner().invoke(arguments)
        if not is_full_refresh:
            keep_built_with(con, fingerprint)  # which the build took away: it cannot know it
        elif isinstance(outcome.result, RunExecutionResult) and _all_built(outcome.result):
            keep_built_with(con, fingerprint)
            _drop_what_no_model_makes(con, outcome.result)
    if not isinstance(outcome.result, RunExecutionResult):
        raise TransformFailed(f"dbt could not start: {outcome.exception}")
    compiled = dbt_folder / "target" / "compiled"
    by_status: dict[str, list[str]] = {}
    for result in outcome.result.results:
        by_status.setdefault(str(result.status), []).append(
            f"{result.node.name}: {result.message}" if result.message else result.node.name
        )
    if broken := by_status.get("error"):
        raise TransformFailed(
            f"{len(broken)} models could not be built: {'; '.join(broken)}. Their SQL is in {compiled}.",
            tuple(each.node.name for each in outcome.result.results if str(each.status) == "error"),
        )
    if failing := by_status.get("fail"):
        raise TestsFailed(
            f"{len(failing)} data tests failed, so nothing was published and readers keep the last good copy:"
            f" {'; '.join(failing)}."
            f" Their SQL is in {compiled}: run it on {warehouse.file} to see the rows.",
            tuple(
                (each.node.name, each.message or "") for each in outcome.result.results if str(each.status) == "fail"
            ),
        )
    return TransformReport(
        model_count=sum(str(each.node.resource_type) == "model" for each in outcome.result.results),
        passed_test_count=len(by_status.get("pass", [])),
        warnings=tuple(by_status.get("warn", [])),
        seconds=round(outcome.result.elapsed_time, 1),
        is_full_refresh=is_full_refresh,
    )


def is_full_refresh_due(con: duckdb.DuckDBPyConnection, *, reporting_time_zone: str, rules_folder: Path) -> bool:
    """Whether the next transform builds all rows anew; arguments as for `transform`, and a connection."""
    return built_with(con) != _fingerprint(rules_folder, reporting_time_zone, versions_fingerprint(con))


def make_rules(folder: Path) -> None:
    """Makes the files of rules that are not there, without a row; those that are there stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in RULES_FOLDER.glob("*.csv"):
        if not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)


def _fingerprint(rules_folder: Path, reporting_time_zone: str, versions: str) -> str:
    """What rows of items that have not changed depend on."""
    project = (
        file
        for folder in ("models", "macros", "materializations")
        for file in sorted((SQL_FOLDER / folder).rglob("*"))
        if file.suffix in {".sql", ".yml"}
    )
    own = ((rules_folder / file.name, file) for file in sorted(RULES_FOLDER.glob("*.csv")))
    rules = (rule if rule.exists() else as_made for rule, as_made in own)
    made_of = hashlib.sha256(f"{reporting_time_zone}\n{versions}\n".encode())
    for file in (SQL_FOLDER / "dbt_project.yml", *project, *rules):
        made_of.update(f"{file.name}\n".encode() + file.read_bytes())
    return made_of.hexdigest()


def _all_built(result: RunExecutionResult) -> bool:
    """Whether every model was built, whatever the tests found."""
    models = [each for each in result.results if str(each.node.resource_type) == "model"]
    return all(str(each.status) == "success" for each in models)


def _drop_what_no_model_makes(con: duckdb.DuckDBPyConnection, result: RunExecutionResult) -> None:
    """Drops what models have made that are no more: nothing would keep it current, and it would be published.

    Names that begin with an underscore are the builds' own.
    """
    made = {
        (str(each.node.schema), each.node.name) for each in result.results if str(each.node.resource_type) == "model"
    }
    found = con.execute(
        "SELECT schema_name, table_name, 'TABLE' FROM duckdb_tables() UNION ALL"
        " SELECT schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    schemas = {schema for schema, _ in made}
    for schema, name, kind in found:
        if schema in schemas and (schema, name) not in made and not name.startswith("_"):
            con.execute(f"DROP {kind} {schema}.{quoted(name)}")


@contextmanager
def _command(arguments: list[str]) -> Iterator[None]:
    """Dbt writes the process's command into its files, and that may name whom an erasure is of."""
    before, sys.argv = sys.argv, ["dbt", *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Sets environment variables for dbt, which reads its profile from them, and puts back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

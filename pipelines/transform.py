"""Runs the dbt project over the work file: models, then tests. The only importer of dbt."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.warehouse import Warehouse

SQL_FOLDER = Path(__file__).parents[1] / "sql"


class TestsFailed(Exception):
    """A data test found rows that break its claim; nothing is published."""

    __test__ = False  # not a test, whatever pytest makes of its name


class TransformFailed(Exception):
    """A model could not be built."""


@dataclass(frozen=True)
class TransformReport:
    """What dbt did: models built, tests passed, and what tests of severity warn had to say."""

    model_count: int
    passed_test_count: int
    warnings: tuple[str, ...]
    seconds: float


def transform(warehouse: Warehouse, *, reporting_time_zone: str) -> TransformReport:
    """Builds and tests every model in the work file. The caller holds the writer lock.

    Unit tests of the models are left to the project's own tests: they do not depend on the data.

    Args:
        warehouse: where the work file and dbt's own folder are.
        reporting_time_zone: IANA zone in which days are cut.

    Raises:
        TestsFailed: a data test failed; its text names the tests.
        TransformFailed: a model failed; its text names the models and where their SQL is.
    """
    from dbt.artifacts.schemas.run import RunExecutionResult  # noqa: PLC0415 - dbt takes two seconds to import; most commands do not need it
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - as above

    dbt_folder = warehouse.dbt_folder.resolve()
    arguments = [
        "build",
        *("--exclude-resource-type", "unit_test"),
        *("--project-dir", str(SQL_FOLDER), "--profiles-dir", str(SQL_FOLDER)),
        # dbt takes a relative path for one inside the project.
        *("--target-path", str(dbt_folder / "target"), "--log-path", str(dbt_folder / "logs")),
        *("--vars", f"{{reporting_time_zone: '{reporting_time_zone}'}}"),
        "--quiet",
        *("--log-level", "none", "--log-level-file", "none"),
        "--no-use-colors",
    ]
    # dbt opens the file for each model and test. While this connection is open, that costs nothing and writes no
    # checkpoint.
    with (
        _environment(
            SOCIAL_WAREHOUSE_FILE=str(warehouse.file.resolve()),
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
            DO_NOT_TRACK="1",
        ),
        warehouse.connect(read_only=False),
    ):
        outcome = dbtRunner().invoke(arguments)
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
            f"{len(broken)} models could not be built: {'; '.join(broken)}. Their SQL is in {compiled}."
        )
    if failing := by_status.get("fail"):
        raise TestsFailed(
            f"{len(failing)} data tests failed, so nothing was published and readers keep the last good copy:"
            f" {'; '.join(failing)}."
            f" Their SQL is in {compiled}: run it on {warehouse.file} to see the rows."
        )
    return TransformReport(
        model_count=len(by_status.get("success", [])),
        passed_test_count=len(by_status.get("pass", [])),
        warnings=tuple(by_status.get("warn", [])),
        seconds=round(outcome.result.elapsed_time, 1),
    )


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

"""The Prefect flows: thin tasks over `pipelines.run`, a run-report artifact, and the schedule.

The only importer of prefect.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

# Prefect reads these when it is imported. The first two keep it from reporting to its makers.
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "pipelines,transforms")
# The server that a flow without one starts needs ten seconds here, and more on a busy or slow machine.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")

from prefect import flow, task
from prefect import serve as serve_deployments
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

from pipelines import run
from pipelines.api import ResponseUnreadable, ServerFailed, TransportFailed
from pipelines.run_history import recorded
from pipelines.settings import SettingsInvalid, read_settings
from pipelines.warehouse import WarehouseBusy

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.deployments.runner import RunnerDeployment
    from prefect.tasks import Task

    from pipelines.settings import Settings
    from pipelines.transform import TransformReport

PASSING = (TransportFailed, ServerFailed, ResponseUnreadable, WarehouseBusy)
"""What may be over in a few minutes.

The client has retried for seconds already; anything else would only fail again.
"""


def _settings() -> Settings:
    """The settings, with the token of the Prefect Secret block that they name, where they name one.

    Raises:
        SettingsInvalid: there is no such block, or an option cannot be read.
    """
    settings = read_settings()
    if (name := settings.social_warehouse_prefect_secret) is None:
        return settings
    try:
        # The methods of a block run in whichever way the caller does.
        block = cast("Secret[str]", Secret.load(name))
    except ValueError as error:
        raise SettingsInvalid(
            f"SOCIAL_WAREHOUSE_PREFECT_SECRET is {name!r}, which cannot be loaded: {error} It wants the name of a"
            " Secret block that this Prefect server has."
        ) from None
    return read_settings(social_connect_access_token=block.get())


def _is_passing(_task: Task[Any, Any], _task_run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), PASSING)


@task(retries=2, retry_delay_seconds=[60, 300], retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def extract_and_load(as_of: datetime, stream_names: list[str] | None) -> run.Extraction:
    """Reads the API and loads the tables. Safe to repeat: cursors move only with their rows."""
    return run.extract_and_load(_settings(), as_of=as_of, stream_names=stream_names)


@task(retries=2, retry_delay_seconds=60, retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def transform_and_test(as_of: datetime) -> TransformReport:
    """Builds and tests the models. Safe to repeat: they are rebuilt from the tables."""
    return run.transform(_settings(), as_of=as_of)


@task(retries=2, retry_delay_seconds=60, retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def publish() -> int:
    """Swaps in the new published copy. Safe to repeat: it is replaced as a whole."""
    return run.publish(_settings()).byte_count


@flow(name="sync")
def sync(as_of: datetime | None = None, stream_names: list[str] | None = None) -> dict[str, Any]:
    """Reads new and changed rows, transforms, tests, publishes, and leaves a run report.

    Args:
        as_of: the run's clock, UTC; now when not given.
        stream_names: which streams to read; all when not given.

    Returns:
        The run report in plain values.
    """
    started = datetime.now(UTC)
    as_of = as_of or started
    with recorded(read_settings(), "sync", as_of=as_of):
        extraction = extract_and_load(as_of, stream_names)
        transformed = transform_and_test(as_of)
        published_bytes = publish()
    report = run.SyncReport(
        as_of, extraction, transformed, published_bytes, round((datetime.now(UTC) - started).total_seconds(), 1)
    )
    create_markdown_artifact(
        report.as_markdown(), key="sync-report", description="What the sync read, wrote and published"
    )
    return report.as_json()


@task(retries=2, retry_delay_seconds=[60, 300], retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def compare_and_read_again(as_of: datetime) -> run.ReconcileReport:
    """Compares with the API's counts and reads what differs. Safe to repeat: what is in step by then is left alone."""
    return run.reconcile(_settings(), as_of=as_of)


@flow(name="reconcile")
def reconcile(as_of: datetime | None = None) -> dict[str, Any]:
    """Compares mentions and cases with the API's counts, transforms, tests, publishes, and leaves a report.

    Args:
        as_of: the run's clock, UTC; now when not given.

    Returns:
        The report in plain values.
    """
    as_of = as_of or datetime.now(UTC)
    with recorded(read_settings(), "reconcile", as_of=as_of):
        report = compare_and_read_again(as_of)
        transform_and_test(as_of)
        publish()
    create_markdown_artifact(
        report.as_markdown(),
        key="reconcile-report",
        description="What differed from the API's counts, and what was done",
    )
    return report.as_json()


def deployments(*, every: timedelta, reconcile_every: timedelta) -> tuple[RunnerDeployment, RunnerDeployment]:
    """The scheduled sync and the scheduled reconciliation.

    A run that is due while another of its kind goes on is dropped, not queued: the next one reads what it would have
    read. A sync and a reconciliation that meet: the second finds the warehouse busy, and tries again.
    """
    limit = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    name = "social-connect-warehouse"
    return (
        cast("RunnerDeployment", sync.to_deployment(name=name, interval=every, concurrency_limit=limit)),
        cast("RunnerDeployment", reconcile.to_deployment(name=name, interval=reconcile_every, concurrency_limit=limit)),
    )


def serve(*, every: timedelta, reconcile_every: timedelta) -> None:
    """Schedules both and runs them here until stopped. Needs a Prefect server (`PREFECT_API_URL`)."""
    serve_deployments(*deployments(every=every, reconcile_every=reconcile_every), pause_on_shutdown=False)

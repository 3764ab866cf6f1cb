"""The Prefect flows: thin tasks over `pipelines.run`, artifacts, and the schedules.

The only importer of prefect.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

# Prefect reads these when it is imported. The first two keep it from reporting to its makers.
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "pipelines,transforms")
# The server that a flow without one starts needs ten seconds here, and more on a busy or slow machine.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")

from prefect import flow, task
from prefect import serve as serve_deployments
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.runtime import deployment as running_deployment
from prefect.runtime import flow_run as running_flow_run
from prefect.schedules import Cron, Interval
from prefect.states import Cancelled, Crashed
from prefect.types.entrypoint import EntrypointType

from pipelines import run
from pipelines.api import ResponseUnreadable, ServerFailed, TransportFailed
from pipelines.dashboard import extras
from pipelines.health import budgets
from pipelines.notifications import crash_of, senders_asked_for, tell, telling
from pipelines.run_history import recorded
from pipelines.settings import SettingsInvalid, read_settings
from pipelines.transform import TestsFailed
from pipelines.warehouse import WarehouseBusy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State, TaskRun
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule
    from prefect.tasks import Task

    from pipelines.settings import Settings
    from pipelines.transform import TransformReport
    from pipelines.warehouse import Warehouse

DEPLOYMENT = "social-connect-warehouse"
"""The name of every deployment, of `serve` and of `deploy/prefect.yaml`: whichever comes last replaces the other."""
PASSING = (TransportFailed, ServerFailed, ResponseUnreadable, WarehouseBusy)
"""What may be over in a few minutes.

The client has retried for seconds already; anything else would only fail again.
"""
LOST_AFTER = timedelta(minutes=10)
"""A run that began so long ago and does not hold its lock is not alive."""
SCHEDULES_ANCHOR_AT = datetime(2020, 1, 1, tzinfo=UTC)
"""From which intervals are counted, so that a restart moves no schedule."""


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


@task(retries=2, retry_delay_seconds=[60, 300], retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def compare_and_read_again(as_of: datetime) -> run.ReconcileReport:
    """Compares with the API's counts and reads what differs. Safe to repeat: what is in step by then is left alone."""
    return run.reconcile(_settings(), as_of=as_of)


@task(retries=2, retry_delay_seconds=[60, 300], retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def read_span(start: datetime, end: datetime, as_of: datetime) -> run.BackfillReport:
    """Reads a span of the past, and waits for the API's frames. Safe to repeat: what was read is not read again."""
    return run.backfill(_settings(), start=start, end=end, as_of=as_of, waits=True)


@task(retries=2, retry_delay_seconds=[60, 300], retry_condition_fn=_is_passing, cache_policy=NO_CACHE)
def compact_and_prune(as_of: datetime) -> run.MaintenanceReport:
    """Compacts the work file and removes what is old. Safe to repeat."""
    return run.maintain(_settings(), as_of=as_of)


@task(cache_policy=NO_CACHE)
def write_and_send(day_count: int) -> tuple[str, dict[str, Any]]:
    """Writes the report of the last days that are over, and sends it; gives its main numbers as Markdown and plainly.

    Not repeated as a whole, since it may have reached some already: each way is tried again by itself.
    """
    extras.need("report")
    from pipelines.dashboard import report as reports  # noqa: PLC0415 - other flows do without its extra

    settings = read_settings()
    senders_asked_for(settings)
    warehouse = run.open_warehouse(settings)
    made = reports.make_report(warehouse, day_count=day_count)
    page = reports.html(made)
    file = reports.keep(page, made, warehouse)
    sent_count = reports.send(settings, made, page, now=datetime.now(UTC))
    lines = reports.in_words(made).replace("\n", "  \n")  # two spaces: a line of its own in Markdown
    told = {"file": str(file.resolve()), "sent_count": sent_count, **made.as_json()}
    return f"# {made.title}\n\n{lines}\n", told


def _tell_of_crash(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's
    """Called by the process that serves when the process of a run has died."""
    tell(read_settings(), [crash_of(flow.name, datetime.now(UTC))], ())


@flow(name="sync", on_crashed=[_tell_of_crash])
def sync(as_of: datetime | None = None, stream_names: list[str] | None = None) -> dict[str, Any]:
    """Reads new and changed rows, transforms, tests, publishes, and leaves a run report.

    Args:
        as_of: the run's clock, UTC; now when not given.
        stream_names: which streams to read; all when not given.

    Returns:
        The run report in plain values.
    """
    with _alone("sync", as_of):
        return _sync(as_of, stream_names, report_key="sync-report")


@flow(name="reference", on_crashed=[_tell_of_crash])
def reference(as_of: datetime | None = None) -> dict[str, Any]:
    """Reads every list of reference data anew, however lately a sync has, transforms, tests, publishes.

    Args:
        as_of: the run's clock, UTC; now when not given.

    Returns:
        The run report in plain values.
    """
    with _alone("reference", as_of):
        return _sync(as_of, ["reference"], report_key="reference-report")


@flow(name="reconcile", on_crashed=[_tell_of_crash])
def reconcile(as_of: datetime | None = None) -> dict[str, Any]:
    """Compares mentions and cases with the API's counts, transforms, tests, publishes, and leaves a report.

    Args:
        as_of: the run's clock, UTC; now when not given.

    Returns:
        The report in plain values.
    """
    with _alone("reconcile", as_of):
        as_of = as_of or datetime.now(UTC)
        found = compare_and_read_again(as_of)
        create_markdown_artifact(
            found.as_markdown(),
            key="reconcile-report",
            description="What differed from the API's counts, and what was done",
        )
        _build_and_publish(as_of)
        return found.as_json()


@flow(name="backfill", on_crashed=[_tell_of_crash])
def backfill(start: datetime, end: datetime, as_of: datetime | None = None) -> dict[str, Any]:
    """Reads what was added in a span of the past, then transforms, tests, publishes. Run again, it goes on.

    Args:
        start: beginning of the span, UTC.
        end: its end, not in it, UTC.
        as_of: the run's clock, UTC; now when not given.

    Returns:
        The report in plain values.
    """
    with _alone("backfill", as_of):
        as_of = as_of or datetime.now(UTC)
        done = read_span(start, end, as_of)
        create_markdown_artifact(
            done.as_markdown(), key="backfill-report", description="What the backfill read and wrote"
        )
        _build_and_publish(as_of)
        return done.as_json()


@flow(name="maintain", on_crashed=[_tell_of_crash])
def maintain(as_of: datetime | None = None) -> dict[str, Any]:
    """Compacts the work file, removes old logs, and leaves a report.

    Args:
        as_of: the run's clock, UTC; now when not given.

    Returns:
        The report in plain values.
    """
    with _alone("maintain", as_of, tests_data=False):
        done = compact_and_prune(as_of or datetime.now(UTC))
        create_markdown_artifact(done.as_markdown(), key="maintain-report", description="What was freed and removed")
        return done.as_json()


@flow(name="report", on_crashed=[_tell_of_crash])
def report(day_count: int = 7) -> dict[str, Any]:
    """Writes the report of the last days that are over, and sends it to those whom the settings name.

    Args:
        day_count: how many days, in the reporting time zone; the last is the day before that of the data.

    Returns:
        What `social-warehouse report --send --json` prints.
    """
    with _alone("report", None, tests_data=False):
        text, told = write_and_send(day_count)
        create_markdown_artifact(text, key="period-report", description="The main numbers of the report that was sent")
        return told


FLOWS = (sync, reconcile, reference, backfill, maintain, report)


@contextmanager
def _alone(kind: str, as_of: datetime | None, *, tests_data: bool = True) -> Iterator[None]:
    """For a run that is the only one of its kind, does the work of those that are overdue, and tells how it ends."""
    settings = read_settings()
    warehouse = run.open_warehouse(settings)
    with (
        warehouse.flow_lock(kind),
        telling(settings, kind, tests_data=tests_data, now=as_of),
        recorded(settings, kind, as_of=as_of),
    ):
        if running_deployment.id is not None:
            _drop_overdue_runs()
            _end_lost_runs(warehouse, (StateType.RUNNING,), begun_before=datetime.now(UTC) - LOST_AFTER)
        yield


def _sync(as_of: datetime | None, stream_names: list[str] | None, *, report_key: str) -> dict[str, Any]:
    started = datetime.now(UTC)
    as_of = as_of or started
    extraction = extract_and_load(as_of, stream_names)
    transformed, published_bytes = _build_and_publish(as_of)
    done = run.SyncReport(
        as_of, extraction, transformed, published_bytes, round((datetime.now(UTC) - started).total_seconds(), 1)
    )
    create_markdown_artifact(done.as_markdown(), key=report_key, description="What the run read, wrote and published")
    return done.as_json()


def _build_and_publish(as_of: datetime) -> tuple[TransformReport, int]:
    """Transforms, tests and publishes; leaves what the tests found, rows per table, and the requests that are left."""
    lefts = ((each["token"], each["remaining_call_count"]) for each in budgets(_settings(), datetime.now(UTC)))
    create_table_artifact(
        [{"token": number, "requests left": "not known" if left is None else left} for number, left in lefts],
        key="request-budget",
        description="What the API still allows each token, in the order given, in its present frame",
    )
    try:
        transformed = transform_and_test(as_of)
    except TestsFailed as error:
        _leave_tests([("failed", *each) for each in error.failing])
        raise
    _leave_tests([("warned", name, said) for name, _, said in (each.partition(": ") for each in transformed.warnings)])
    published_bytes = publish()
    create_table_artifact(
        [
            {"schema": schema, "table": table, "rows": count}
            for schema, table, count in run.rows_per_table(read_settings())
        ],
        key="rows-per-table",
        description="Rows of each published table",
    )
    return transformed, published_bytes


def _leave_tests(found: list[tuple[str, str, str]]) -> None:
    rows = [{"test": name, "has": outcome, "because": said} for outcome, name, said in found]
    create_table_artifact(
        rows or [{"test": "all", "has": "passed", "because": ""}],
        key="failing-tests",
        description="Data tests that did not pass",
    )


def _drop_overdue_runs() -> None:
    """Cancels the runs of the same schedule that are due by now: this one does their work.

    They have piled up while nothing ran them. Those that somebody has asked for stay.
    """
    due = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[UUID(str(running_deployment.id))]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=cast("Any", datetime.now(UTC))),
    )
    with get_client(sync_client=True) as client:
        while overdue := [each for each in client.read_flow_runs(flow_run_filter=due) if each.auto_scheduled]:
            for each in overdue:
                message = f"Overdue: {running_flow_run.name} does its work."
                client.set_flow_run_state(each.id, Cancelled(message=message), force=True)


def _end_lost_runs(
    warehouse: Warehouse, states: tuple[StateType, ...], *, begun_before: datetime | None = None
) -> None:
    """Marks runs as crashed whose process has died together with the one that would have said so.

    Such a run keeps its deployment's only slot: for five minutes, and for good where the server was restarted too, as
    it then no longer knows until when. A run that goes on although nobody serves it any more holds its kind's lock.

    Args:
        warehouse: whose locks tell which runs are alive.
        states: in which runs are looked at.
        begun_before: runs that have begun later are left alone: they may not have come to their lock yet.
    """
    begun = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states))),
        start_time=FlowRunFilterStartTime(before_=cast("Any", begun_before)) if begun_before else None,
    )
    for each in FLOWS:
        if warehouse.flow_holder(each.name) is not None:
            continue
        with get_client(sync_client=True) as client:
            lost = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[each.name])),
                deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[DEPLOYMENT])),
                flow_run_filter=begun,
            )
            for found in lost:
                state: State[Any] = Crashed(message="Its process is gone, and so is the one that started it.")
                client.set_flow_run_state(found.id, state, force=True)
        if lost:
            tell(read_settings(), [crash_of(each.name, datetime.now(UTC))], ())


def deployments(
    *,
    every: timedelta,
    reconcile_every: timedelta,
    reference_cron: str,
    maintain_cron: str,
    report_cron: str | None,
    time_zone: str,
) -> tuple[RunnerDeployment, ...]:
    """The flows with their schedules; the backfill has none, and the report where none is given.

    A run that is due while another of its kind goes on is dropped, not queued: the next one reads what it would have
    read. A backfill is of a span of its own, so it waits. Runs of two kinds that meet: the second finds the warehouse
    busy, and tries again.

    Args:
        every: how often to sync.
        reconcile_every: how often to reconcile.
        reference_cron: when to read the reference data.
        maintain_cron: when to maintain the work file.
        report_cron: when to send a report of a week; only when somebody asks when not given.
        time_zone: IANA zone of the crons.

    Raises:
        SettingsInvalid: a cron cannot be read.
    """
    schedules: dict[str, Schedule] = {
        sync.name: Interval(every, anchor_date=SCHEDULES_ANCHOR_AT, timezone=time_zone),
        reconcile.name: Interval(reconcile_every, anchor_date=SCHEDULES_ANCHOR_AT, timezone=time_zone),
        reference.name: _cron("--reference", reference_cron, time_zone),
        maintain.name: _cron("--maintain", maintain_cron, time_zone),
    }
    if report_cron is not None:
        schedules[report.name] = _cron("--report", report_cron, time_zone)
    dropped, queued = ConcurrencyLimitStrategy.CANCEL_NEW, ConcurrencyLimitStrategy.ENQUEUE
    return tuple(
        cast(
            "RunnerDeployment",
            each.to_deployment(
                name=DEPLOYMENT,
                schedule=schedules.get(each.name),
                entrypoint_type=EntrypointType.MODULE_PATH,
                concurrency_limit=ConcurrencyLimitConfig(
                    limit=1, collision_strategy=queued if each is backfill else dropped
                ),
            ),
        )
        for each in FLOWS
    )


def _cron(option: str, cron: str, time_zone: str) -> Schedule:
    try:
        return Cron(cron, timezone=time_zone)
    except ValueError:
        raise SettingsInvalid(
            f"{option} {cron!r} is not a cron. It wants minute, hour, day, month and weekday, such as '5 3 * * *'."
        ) from None


def serve(
    *,
    every: timedelta,
    reconcile_every: timedelta,
    reference_cron: str,
    maintain_cron: str,
    report_cron: str | None = None,
) -> None:
    """Schedules the flows and runs them here until stopped. Needs a Prefect server (`PREFECT_API_URL`).

    Crons are in the reporting time zone. Other arguments are as for `deployments`.

    Raises:
        SettingsInvalid: a cron cannot be read.
        pipelines.warehouse.WarehouseBusy: the warehouse is served already.
    """
    settings = read_settings()
    warehouse = run.open_warehouse(settings)
    served = deployments(
        every=every,
        reconcile_every=reconcile_every,
        reference_cron=reference_cron,
        maintain_cron=maintain_cron,
        report_cron=report_cron,
        time_zone=settings.social_warehouse_reporting_time_zone,
    )
    with warehouse.flow_lock("serve"):
        _end_lost_runs(warehouse, (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING))
        serve_deployments(*served, pause_on_shutdown=False)

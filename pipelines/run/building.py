"""What comes after the load: the models are made and tested, and a version of them is published."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines import postgres, publishing
from pipelines.run.opening import LOCK_WAIT_SECONDS, open_warehouse
from pipelines.run_history import forget_published, keep_runs, prune_runs, recorded
from pipelines.stopping import Stop

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.transform import TransformReport
    from pipelines.warehouse import Warehouse

logger = logging.getLogger(__name__)


def transform(settings: Settings, *, as_of: datetime | None = None, stop: Stop | None = None) -> TransformReport:
    """Builds and tests the models in the work file.

    Args:
        settings: the options.
        as_of: the instant that ages and open items are reckoned to, UTC; now when not given.
        stop: whether it has been asked to stop; it then ends at once.

    Raises:
        pipelines.api.StopRequested: it has been asked to stop. Nothing was published.
        pipelines.warehouse.WarehouseBusy: another run writes.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
        pipelines.transform.TestsFailed: a data test failed.
        pipelines.transform.TransformFailed: a model failed.
    """
    from pipelines.load import end_stopped_load  # noqa: PLC0415 - dlt takes a second to import
    from pipelines.transform import transform as build  # noqa: PLC0415 - dbt takes two

    warehouse = open_warehouse(settings)
    with (
        recorded(settings, "transform", as_of=as_of),
        (stop or Stop()).at_once_in("the transform"),
        warehouse.writer_lock("a transform", timeout_seconds=LOCK_WAIT_SECONDS),
    ):
        with warehouse.connect():
            pass  # says clearly that there is nothing to transform, before dbt makes an empty file
        warehouse.bring_up_to_date()
        end_stopped_load(warehouse)  # half an object is nothing to build on
        with warehouse.connect(read_only=False) as con:  # here, since what is written later would count as untested
            keep_runs(con, warehouse)
            prune_runs(con, datetime.now(UTC) - timedelta(days=settings.social_warehouse_run_history_days))
        report = build(
            warehouse,
            reporting_time_zone=settings.social_warehouse_reporting_time_zone,
            as_of=as_of or datetime.now(UTC),
            rules_folder=settings.social_warehouse_rules,
        )
        warehouse.mark_tested()
        return report


def publish(settings: Settings, *, exports_parquet: bool = False, to_postgres: bool = False) -> publishing.Version:
    """Publishes a version of the work file's present tables.

    Where the settings or the caller want it, it is exported too, and brought to PostgreSQL.

    Raises:
        SettingsInvalid: no PostgreSQL server is named.
        pipelines.postgres.PostgresFailed: the version is published, but PostgreSQL's readers keep the former one.
        pipelines.warehouse.WarehouseBusy: another run writes.
        pipelines.warehouse.WarehouseUnreadable: there is no work file yet.
        pipelines.warehouse.WarehouseUntested: its data tests have failed, or not run since the last load.
    """
    warehouse = open_warehouse(settings)
    server = postgres.server_of(settings) if to_postgres or settings.social_warehouse_postgres else None
    with recorded(settings, "publish") as record:
        with warehouse.writer_lock("a publish", timeout_seconds=LOCK_WAIT_SECONDS):
            with warehouse.connect():
                pass  # says clearly that there is nothing to publish
            warehouse.check_tested()
            version = publishing.publish(
                warehouse,
                now=datetime.now(UTC),
                keep_count=settings.social_warehouse_published_versions,
                exports_parquet=exports_parquet or settings.social_warehouse_parquet,
            )
            record.published_bytes = version.byte_count
            forget_published(warehouse)
        if server is not None:  # without the lock: it may take minutes, and wants nothing of the work file
            postgres.publish(warehouse, server)
        return version


def roll_back(settings: Settings) -> publishing.Version:
    """Publishes the version before the one that is published; it is replaced by the next publish.

    PostgreSQL gets it too, where the settings name a server that marts have been brought to. Where they do not name it
    any more, a warning says so.

    Raises:
        pipelines.postgres.PostgresFailed: it is published, but PostgreSQL's readers keep what they have.
        pipelines.warehouse.WarehouseBusy: another run writes.
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet; the version before is damaged; or the
            note of where marts have been brought to is, which keeps nothing from being published.
        pipelines.publishing.NothingToRollBackTo: no version before the published one is kept, or it is none of those
            that are.
    """
    warehouse = open_warehouse(settings)
    with recorded(settings, "rollback"):
        with warehouse.writer_lock("a rollback", timeout_seconds=LOCK_WAIT_SECONDS):
            version = publishing.roll_back(warehouse)
        if (left := bring_along(settings)) is not None:
            logger.warning("%s", left)
        return version


def bring_along(settings: Settings) -> str | None:
    """Brings what is published to PostgreSQL, where the settings name a server that marts have been brought to.

    For what must not stay there: it is done whether or not each publish does it. Gives where marts have been brought to
    earlier that the settings do not lead to, and what to do about it; None where there is no such place.

    Raises:
        pipelines.postgres.PostgresFailed: PostgreSQL's readers keep what they have.
        pipelines.warehouse.WarehouseBusy: another publish into the schema has gone on for a minute.
        pipelines.warehouse.WarehouseUnreadable: the note of where marts have been brought to is damaged.
    """
    warehouse = open_warehouse(settings)
    server = None if settings.social_warehouse_postgres_url is None else postgres.server_of(settings)
    if server is not None:
        if settings.social_warehouse_postgres or postgres.holds_marts(server):
            postgres.publish(warehouse, server)
        else:
            postgres.forget_place(warehouse, server)
    return _not_named(warehouse, server)


def _not_named(warehouse: Warehouse, server: postgres.Server | None) -> str | None:
    left = postgres.places_not_named(warehouse, server)
    if not left:
        return None
    return (
        f"Marts were brought to PostgreSQL, to {', to '.join(map(str, left))}, where the settings do not lead now: they"
        " are there as they were. Set SOCIAL_WAREHOUSE_POSTGRES_URL and SOCIAL_WAREHOUSE_POSTGRES_SCHEMA to it and run"
        f" this again, or drop the schema there and take it out of {warehouse.postgres_file}."
    )


def rows_per_table(settings: Settings) -> list[tuple[str, str, int]]:
    """Schema, name and number of rows of each table of the published copy.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet.
    """
    with open_warehouse(settings).connect_published() as con:
        tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
        return [
            (schema, table, int((con.execute(f'FROM {schema}."{table}" SELECT count(*)').fetchone() or (0,))[0]))
            for schema, table in tables
        ]

"""Recover, extract, normalise, load: the way of a run's rows into the warehouse.

A kill at any instant leaves steps that can be repeated.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

# dlt reads its switches from the environment when it is imported. They are ours to set, not the user's.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
os.environ["RUNTIME__INTERCEPT_SIGNALS"] = "false"  # it would give up the package; see `pipelines.stopping`
os.environ["LOAD__DELETE_COMPLETED_JOBS"] = "true"
os.environ["LOAD__WORKERS"] = "1"

import dlt
import duckdb
import pyarrow as pa
from dlt.common.storages.load_package import PackageStorage, TPackageJobState
from dlt.pipeline.exceptions import PipelineStepFailed

from pipelines.api import NotSent
from pipelines.keeping import DATASET, has_table, keep_changes_of_shape, keep_lateness, transaction
from pipelines.migrations import migrate
from pipelines.source.dlt_source import cursors_alone, social_connect
from pipelines.source.packages import PACKAGE_BYTES, PACKAGE_BYTES_WITH_PAYLOADS, LoadTally, Manner, StreamLoader
from pipelines.warehouse import allow_for_large_objects
from transforms.personal_data import KEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from pipelines.source.packages import Package
    from pipelines.source.reading import Reader
    from pipelines.source.statistics import StatisticsLoader, StatisticsPackage
    from pipelines.warehouse import Warehouse
    from transforms.personal_data import Policy

logger = logging.getLogger(__name__)

pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what was given back to it: 50 MB after thirty packages

_BEGUN: tuple[TPackageJobState, ...] = ("started_jobs", "failed_jobs", "completed_jobs")
"""Where the loader moves a package's jobs, in the order of `_put_back`."""
LOCK_WAIT_SECONDS = 600
"""How long a run that has read the API waits for another writer, rather than throw its pages away."""


@dataclass(frozen=True)
class LoadReport:
    """What one run moved.

    `record_counts`: records read, by stream. `row_counts`: rows written, by table (rows found unchanged are not
    written). `notices`: what was not read, and why. `stopped_by`: why the reading ended early, when it
    did; what was read until then is loaded.
    """

    record_counts: dict[str, int]
    page_counts: dict[str, int]
    row_counts: dict[str, int]
    quarantined_count: int
    drift: tuple[str, ...]
    package_count: int
    notices: tuple[str, ...]
    stopped_by: NotSent | None


def load(
    warehouse: Warehouse,
    readers: Sequence[Reader],
    *,
    loaded_at: datetime,
    others: Sequence[StatisticsLoader] = (),
    policy: Policy = KEEP,
    keeps_payloads: bool = True,
    lock_wait_seconds: float = 0,
    on_report: Callable[[LoadReport], None] = lambda _report: None,
) -> LoadReport:
    """Reads the streams batch by batch and loads what makes a package together, with its cursors.

    The writer lock is held while the warehouse is worked on, never while the API is read.

    Args:
        warehouse: what is loaded into.
        readers: one for each stream.
        loaded_at: start of the run, UTC.
        others: what makes packages without being a stream of objects.
        policy: what becomes of personal data.
        keeps_payloads: whether the raw payloads are kept.
        lock_wait_seconds: how long to wait, before anything is read, for another process that writes.
        on_report: is told what was moved, also where the reading then fails.

    Raises:
        pipelines.api.SocialConnectError: the API cannot be read. All that could be read is loaded.
        pipelines.source.ReadingFailed: the API does not keep what reading it rests on. As above.
        pipelines.warehouse.WarehouseBusy: another process holds the writer lock.
    """
    tally = LoadTally()
    package_count = 0
    pipeline = make_pipeline(warehouse)
    with warehouse.writer_lock("the start of a sync", timeout_seconds=lock_wait_seconds):
        recover(pipeline, warehouse)
    with warehouse.scratch() as scratch:
        manner = Manner(scratch.connect, allow_for_large_objects, scratch.folder, loaded_at, policy, keeps_payloads)
        loaders: list[StreamLoader | StatisticsLoader] = [
            *(StreamLoader(reader, manner) for reader in readers),
            *others,
        ]
        package_bytes = PACKAGE_BYTES_WITH_PAYLOADS if keeps_payloads else PACKAGE_BYTES
        waiting: list[Package | StatisticsPackage] = []
        for loader in loaders:
            while not loader.is_done:
                room = package_bytes - sum(package.byte_count for package in waiting)
                waiting.append(loader.read(read_state(pipeline).get(loader.name, {}), most_bytes=room))
                if not loader.is_done:  # it has stopped because the package is full: no second one of a stream waits
                    package_count += _load_packages(pipeline, warehouse, waiting, tally, loaded_at=loaded_at)
                    waiting = []
        package_count += _load_packages(pipeline, warehouse, waiting, tally, loaded_at=loaded_at)
    sources: list[Reader | StatisticsLoader] = [*readers, *others]
    stops = [source.stopped_by for source in sources if source.stopped_by]
    report = LoadReport(
        record_counts={source.name: source.record_count for source in sources},
        page_counts={source.name: source.page_count for source in sources},
        row_counts={name: count for name, count in tally.row_counts.items() if count and name != "quarantine"},
        quarantined_count=tally.row_counts["quarantine"],
        drift=tuple(str(finding) for finding in sorted(tally.drift)),
        package_count=package_count,
        notices=tuple(notice for source in sources for notice in source.notices),
        stopped_by=next((stop for stop in stops if isinstance(stop, NotSent)), None),
    )
    on_report(report)
    for stop in stops:
        if not isinstance(stop, NotSent):
            raise stop
    return report


def make_pipeline(warehouse: Warehouse) -> dlt.Pipeline:
    """The dlt pipeline into the warehouse; its working folder lies beside it."""
    return dlt.pipeline(
        pipeline_name="social_connect_warehouse",
        pipelines_dir=str(warehouse.dlt_folder),
        # The loader takes a relative path from the folder in which its own folder was made, wherever that was.
        destination=dlt.destinations.duckdb(str(warehouse.file.absolute())),
        dataset_name=DATASET,
    )


def recover(pipeline: dlt.Pipeline, warehouse: Warehouse) -> None:
    """Ends what a killed run left behind. The caller holds the writer lock.

    What a run has read is loaded, which saves the calls that read it. Where the load has begun, the rows that it has
    brought are removed, and it begins again: the rest of its jobs alone could fill the loader's staging tables twice.
    What cannot be loaded, such as a file that is damaged, is given up, and read again.

    A replay into a warehouse without the loader's own tables writes those last. Where it did not come so far, rows may
    be missing, so the loader shall not go on from the place that it has on its own: everything is read again. Nor shall
    it where it has loaded before, and the file is gone, or an older one has been put in its place. Where its folder is
    new, the rest of a load that was stopped may have been in the one before: what that has written is read again.
    """
    if _is_behind(warehouse):
        logger.warning(
            "%s is not there, or is older than what was last loaded into it: what it lacks is read again",
            warehouse.file,
        )
        pipeline.drop()
    warehouse.bring_up_to_date()
    if warehouse.file.exists():
        if _is_half_replayed(warehouse):
            logger.warning("a replay was stopped before its end: what it has not made is read again")
            pipeline.drop()
        if pipeline.first_run:
            warehouse.distrust_unfinished_loads()
        with _cause_raised():
            pipeline.sync_destination()
    if not pipeline.has_pending_data:
        return
    logger.warning("a run was stopped before it had loaded what it read: that is done now")
    for load_id in pipeline.list_normalized_load_packages():
        package = pipeline.get_load_package_info(load_id)
        if any(package.jobs[state] for state in _BEGUN):
            warehouse.take_back(load_id)
            _put_back(Path(package.package_path))
    try:
        with warehouse.connect(read_only=False):
            _load_pending(pipeline, warehouse)
    except duckdb.Error as error:
        logger.warning("it cannot be loaded, so it is read again: %s", str(error).partition("\n")[0])
        warehouse.distrust_unfinished_loads()
        pipeline.abort_packages()  # puts the cursors back


def end_stopped_load(warehouse: Warehouse) -> None:
    """Ends a load that a killed run has left, if there is one, as `recover`. The caller holds the writer lock."""
    pipeline = make_pipeline(warehouse)
    if pipeline.has_pending_data:
        recover(pipeline, warehouse)


def holds_cursors(warehouse: Warehouse) -> bool:
    """Whether the loader's state is in the warehouse; it is not where the normalised tables were dropped."""
    with warehouse.connect() as con:
        if not (has_table(con, DATASET, "_dlt_pipeline_state") and has_table(con, DATASET, "_dlt_loads")):
            return False
        found = con.execute(
            f"SELECT 1 FROM {DATASET}._dlt_pipeline_state JOIN {DATASET}._dlt_loads ON _dlt_load_id = load_id"
            " WHERE status = 0"
        ).fetchone()
        return found is not None


def _is_behind(warehouse: Warehouse) -> bool:
    """Whether the work file lacks the last load that has ended: it was lost, or an older copy is in its place.

    The loader would go on from its own place, as if the rows were there. Where only the tables were dropped, it sees to
    that itself.
    """
    ended = _loaded(warehouse)
    if not ended:
        return False
    if not warehouse.file.exists():
        return True
    with warehouse.connect() as con:
        if not has_table(con, DATASET, "_dlt_loads"):
            return False
        return con.execute(f"SELECT 1 FROM {DATASET}._dlt_loads WHERE load_id = ?", [ended[-1].name]).fetchone() is None


def _is_half_replayed(warehouse: Warehouse) -> bool:
    with warehouse.connect() as con:
        return has_table(con, DATASET, "quarantine") and not has_table(con, DATASET, "_dlt_loads")


def save_cursors(pipeline: dlt.Pipeline, warehouse: Warehouse, names: Collection[str]) -> None:
    """Writes the cursors of some streams, as the local state has them, into a warehouse that holds none.

    The loader takes a warehouse without its own tables for a new one, and forgets where it was. Of other streams it
    shall: their rows are gone, so they have to be read again. The caller holds the writer lock.
    """
    kept = {name: stream["cursors"] for name, stream in read_state(pipeline).items() if name in names}
    if not kept:
        return
    with _cause_raised():
        pipeline.sync_schema()
        pipeline.abort_packages()
        pipeline.extract(cursors_alone(kept))
    _load_pending(pipeline, warehouse)


def read_cursors(warehouse: Warehouse) -> dict[str, str]:
    """How far each stream and account has been read, as the loader's local state has it."""
    return {
        f"{stream} of account {account_id}, {name}": text
        for stream, kept in read_state(make_pipeline(warehouse)).items()
        for account_id, cursor in kept.get("cursors", {}).items()
        for name, text in cursor.items()
    }


def recovered_state(
    warehouse: Warehouse, holder: str = "the start of a sync", *, lock_wait_seconds: float = 0
) -> dict[str, dict[str, Any]]:
    """What the loader keeps of each stream, once what a killed run left behind is ended; empty without a work file.

    The caller holds the loader lock.

    Args:
        warehouse: what is recovered.
        holder: what is going on, for the message another process shows.
        lock_wait_seconds: how long to wait for another process that writes.

    Raises:
        pipelines.warehouse.WarehouseBusy: another process holds the writer lock.
    """
    pipeline = make_pipeline(warehouse)
    with warehouse.writer_lock(holder, timeout_seconds=lock_wait_seconds):
        recover(pipeline, warehouse)
    return read_state(pipeline) if warehouse.file.exists() else {}


def expected_state(warehouse: Warehouse, holder: str) -> dict[str, dict[str, Any]]:
    """What the loader keeps of each stream, for who changes nothing: empty where the work file lacks what was loaded.

    Of an older work file that was put back, `recovered_state` may keep more.

    Args:
        warehouse: what is looked at.
        holder: what is going on, for the message another process shows.

    Raises:
        pipelines.warehouse.WarehouseBusy: another process has held the writer lock for long.
    """
    with warehouse.writer_lock(holder, timeout_seconds=LOCK_WAIT_SECONDS):
        return {} if _is_behind(warehouse) else read_state(make_pipeline(warehouse))


def read_state(pipeline: dlt.Pipeline) -> dict[str, dict[str, Any]]:
    """What the loader keeps of each stream, the cursors among it."""
    kept: dict[str, dict[str, Any]] = pipeline.state.get("sources", {}).get("social_connect", {})
    return kept


def _load_packages(
    pipeline: dlt.Pipeline,
    warehouse: Warehouse,
    packages: Sequence[Package | StatisticsPackage],
    tally: LoadTally,
    *,
    loaded_at: datetime,
) -> bool:
    """Loads what has been read; False when it is nothing.

    The loader opens the file for each of its jobs. While this connection is open, that costs nothing and writes no
    checkpoint.
    """
    with warehouse.writing("a sync that loads", timeout_seconds=LOCK_WAIT_SECONDS) as con:
        with transaction(con):
            for package in packages:
                package.keep(con, tally)
        with _cause_raised():
            pipeline.extract(social_connect(packages, read_state(pipeline), tally))
        for package in packages:
            package.close()
        has_rows = bool(pipeline.has_pending_data)
        if has_rows:
            _load_pending(pipeline, warehouse)
        migrate(con, now=loaded_at)  # a new file shall say its layout
        keep_changes_of_shape(con, tally.drift, seen_at=loaded_at)
        keep_lateness(con, tally.lateness.items(), loaded_at=loaded_at)
        tally.lateness.clear()
        return has_rows


def _load_pending(pipeline: dlt.Pipeline, warehouse: Warehouse) -> None:
    with _cause_raised():
        pipeline.normalize()
        pipeline.load()
    _forget_loaded(warehouse)


def _forget_loaded(warehouse: Warehouse) -> None:
    """Removes what the loader keeps of packages that are loaded, a schema and folders each, but for the last one's."""
    for package in _loaded(warehouse)[:-1]:
        shutil.rmtree(package)


def _loaded(warehouse: Warehouse) -> list[Path]:
    """The folders of packages whose load has ended, the newest last.

    The loader's own list of them fails where the folder is not there, as nothing else does.
    """
    return sorted(warehouse.dlt_folder.glob("*/load/loaded/*"), key=lambda package: package.name)


def _put_back(package: Path) -> None:
    """Makes a package one whose load has not begun. What says that it has goes last, so a kill inside is repeated.

    The loader has no such way back itself: it goes on with the jobs that are left, or gives up the package.
    """
    new_jobs = package / PackageStorage.NEW_JOBS_FOLDER
    for file in (*new_jobs.glob("*.sql"), *(package / PackageStorage.PENDING_TRANSITIONS_FOLDER).glob("*")):
        file.unlink()  # loading has made it, and makes it again
    applied = package / PackageStorage.APPLIED_SCHEMA_UPDATES_FILE_NAME
    if applied.exists():  # with it there, the staging tables would not be emptied
        applied.rename(package / PackageStorage.SCHEMA_UPDATES_FILE_NAME)
    for state in _BEGUN:
        for job in (package / state).iterdir():
            if job.suffix in {".sql", ".exception"}:
                job.unlink()
            else:
                job.rename(new_jobs / job.name)


@contextmanager
def _cause_raised() -> Iterator[None]:
    """Raises what went wrong itself, not the loader's wrapping of it."""
    try:
        yield
    except PipelineStepFailed as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise cause from None

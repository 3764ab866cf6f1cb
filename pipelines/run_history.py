"""What each run did: a small file from its beginning on, then rows of `history.runs` and the tables beside it.

A run has a file in the warehouse's `runs` folder, and holds the lock beside it until it ends: so a run that found the
warehouse busy or the disk full is known, and one whose process is gone without an end was killed. The next transform
writes what has ended into the work file, by the run's identifier, so a second time changes nothing; the file goes when
the published copy has its run. The published copy and the files together are never behind.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections import Counter
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from filelock import FileLock, Timeout

from pipelines.api import BudgetUsedUp, NotSent, StopRequested
from pipelines.api.sharing import SharedFile
from pipelines.keeping import HISTORY, has_table, make_history, transaction
from pipelines.redaction import without_secrets
from pipelines.source import STREAMS
from pipelines.source.streams import FACETS
from pipelines.transform import TestsFailed
from pipelines.warehouse import Warehouse, WarehouseBusy, WarehouseUntested
from transforms.tables import RUN_REQUESTS, RUN_STREAMS, RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from pipelines.api import RequestReport
    from pipelines.settings import Settings

logger = logging.getLogger(__name__)

GOES_ON = "running"
"""In place of an outcome, of a run that has not ended."""
KEPT_OF_EACH = 5
"""Of how many of the last runs of each kind and outcome `run_history` tells."""
MOST_ERROR_CHARACTERS = 500
"""So that the end of a run has room in the block of its beginning, should the disk be full."""

_TABLES = {"runs": RUNS, "run_streams": RUN_STREAMS, "run_requests": RUN_REQUESTS}
_NAME = re.compile(r"(?P<started_at>\d{8}T\d{6}Z)-(?P<kind>[a-z_]+)-[0-9a-f]{8}")
_ENDPOINTS = {
    # Whatever stands before: a base URL may have a path, and older links to a next page carry an extra /api.
    f"/{stream.path}": re.compile(".*/" + re.sub(r"\{\w+\}", "[^/]+", stream.path.replace("{account_id}", r"\d+")))
    for stream in (*STREAMS, FACETS)
}
"""How the path of a request looks, by the name of its endpoint."""


class Loaded(Protocol):
    """What a load has moved, by stream and by table."""

    @property
    def record_counts(self) -> Mapping[str, int]:
        """Records read, by stream."""

    @property
    def page_counts(self) -> Mapping[str, int]:
        """Pages read, by stream."""

    @property
    def row_counts(self) -> Mapping[str, int]:
        """Rows written, by table."""

    @property
    def quarantined_count(self) -> int:
        """Records set aside."""

    @property
    def notices(self) -> Sequence[str]:
        """What was left out, and why."""

    @property
    def stopped_by(self) -> NotSent | None:
        """Why the reading ended early, when it did."""


class Run:
    """A run that goes on, and what is counted of it. `as_of` is its clock, UTC; None until it is known.

    `published_bytes` is the size of the copy that it has published, None where it has not.
    """

    def __init__(self, as_of: datetime | None) -> None:
        self.as_of = as_of
        self.published_bytes: int | None = None
        self.stopped_by: NotSent | None = None
        self._requests: dict[str, dict[str, Any]] = {}
        self._streams: dict[str, Counter[str]] = {}
        self._quarantined_count: int | None = None
        self._notices: list[str] = []
        self._lock = Lock()

    def count_request(self, report: RequestReport) -> None:
        """Adds a request that was sent; from any thread."""
        with self._lock:
            counted = self._requests.setdefault(
                endpoint(report.path),
                {
                    "call_count": 0,
                    "row_count": None,
                    "retry_count": 0,
                    "throttled_count": 0,
                    "byte_count": 0,
                    "seconds": 0.0,
                },
            )
            counted["call_count"] += 1
            if report.row_count is not None:
                counted["row_count"] = (counted["row_count"] or 0) + report.row_count
            counted["retry_count"] += report.attempt > 1
            counted["throttled_count"] += report.is_throttled
            counted["byte_count"] += report.byte_count
            counted["seconds"] += report.seconds

    def add_load(self, load: Loaded) -> None:
        """Adds what a load has moved."""
        self.add_counts(load.record_counts, load.row_counts, load.quarantined_count)
        for stream, count in load.page_counts.items():
            self._of_stream(stream)["page_count"] += count
        self._notices += load.notices
        self.stopped_by = load.stopped_by or self.stopped_by

    def add_counts(
        self, record_counts: Mapping[str, int], row_counts: Mapping[str, int], quarantined_count: int
    ) -> None:
        """Adds records read, by stream, rows written, by table, and how many records were set aside."""
        for stream, count in record_counts.items():
            self._of_stream(stream)["record_count"] += count
        for table, count in row_counts.items():
            if (stream_of_table := _streams_of_tables().get(table)) is not None:  # the quarantine is of none
                self._of_stream(stream_of_table)["row_count"] += count
        self._quarantined_count = (self._quarantined_count or 0) + quarantined_count

    def counts(self) -> dict[str, Any]:
        """All that was counted, in plain values."""
        return {
            "as_of": _text(self.as_of),
            "notices": json.dumps(self._notices, ensure_ascii=False),
            "request_count": sum(each["call_count"] for each in self._requests.values()),
            "quarantined_count": self._quarantined_count,
            "published_bytes": self.published_bytes,
            "run_streams": [{"stream": name} | dict(counts) for name, counts in self._streams.items()],
            "run_requests": [
                {"endpoint": name} | counted | {"seconds": round(counted["seconds"], 3)}
                for name, counted in self._requests.items()
            ],
        }

    def _of_stream(self, name: str) -> Counter[str]:
        return self._streams.setdefault(name, Counter(record_count=0, page_count=0, row_count=0))


_going_on: ContextVar[Run | None] = ContextVar("_going_on", default=None)


@contextmanager
def recorded(settings: Settings, kind: str, *, as_of: datetime | None = None) -> Iterator[Run]:
    """Records what is done inside as one run; inside another run, as a part of that.

    Args:
        settings: the options.
        kind: what is run, in lower-case letters.
        as_of: the run's clock, UTC.

    Raises:
        PermissionError: the home folder cannot be written.
    """
    clock = as_of.astimezone(UTC).replace(microsecond=0) if as_of else None
    whole = _going_on.get()
    if whole is not None:
        whole.as_of = whole.as_of or clock
        yield whole
        return
    warehouse = Warehouse(settings.social_warehouse_home)
    warehouse.make_folders()
    run = Run(clock)
    started_at, begun_at_seconds = datetime.now(UTC), time.monotonic()
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{kind}-{secrets.token_hex(4)}"
    path = warehouse.runs_folder / f"{run_id}.json"
    file = SharedFile(path)
    begun = {
        "run_id": run_id,
        "kind": kind,
        "as_of": _text(run.as_of),
        "started_at": _text(started_at),
        "pid": os.getpid(),
        "package_version": version("social-connect-warehouse"),
    }
    token = _going_on.set(run)
    file.lock.acquire()
    outcome, error = "done", None
    try:
        file.write(begun)
        yield run
        if run.stopped_by is not None:
            outcome, error = _outcome_of(run.stopped_by), _one_line(run.stopped_by, settings)
    except BaseException as stop:
        outcome, error = _outcome_of(stop), _one_line(stop, settings)
        raise
    finally:
        _going_on.reset(token)
        ended = begun | {
            "ended_at": _text(datetime.now(UTC)),
            "seconds": round(time.monotonic() - begun_at_seconds, 3),
            "outcome": outcome,
            "error": error,
        }
        _write_end(file, path, ended, run.counts())
        file.lock.release()
        lock_of(path).unlink(missing_ok=True)


@cache
def _streams_of_tables() -> dict[str, str]:
    of_streams = {table.name: stream.name for stream in STREAMS for table in stream.contract.tables}
    return of_streams | {FACETS.name: FACETS.name}


def endpoint(path: str) -> str:
    """A request's path below the API's root, without identifiers."""
    for name, pattern in _ENDPOINTS.items():
        if pattern.fullmatch(path):
            return name
    return "/".join(part if re.fullmatch("[a-z_]*", part) else "{id}" for part in path.split("/"))


def runs_in_files(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The runs that have a file, the earliest first; of those that go on, the outcome is `GOES_ON`."""
    found = (_read(path) for path in sorted(warehouse.runs_folder.glob("*.json")))
    return [run for run in found if run is not None]


def keep_runs(con: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    """Writes the runs that have ended and have a file into the work file. The caller holds the writer lock."""
    make_history(con)
    ended = [run for run in runs_in_files(warehouse) if run["outcome"] != GOES_ON]
    with transaction(con):
        for run in ended:
            for table, columns in _TABLES.items():
                con.execute(f"DELETE FROM {HISTORY}.{table} WHERE run_id = $1", [run["run_id"]])
                names = [column.name for column in columns]
                for row in [run] if table == "runs" else run.get(table, []):
                    con.execute(
                        f"INSERT INTO {HISTORY}.{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                        [({"run_id": run["run_id"]} | row).get(name) for name in names],
                    )


def forget_published(warehouse: Warehouse) -> None:
    """Removes the files of runs that the published copy has. The caller holds the writer lock."""
    files = {path.stem: path for path in warehouse.runs_folder.glob("*.json")}
    with warehouse.connect_published() as con:
        for run_id in published_of(con, files):
            lock_of(files[run_id]).unlink(missing_ok=True)
            files[run_id].unlink()


def published_of(con: duckdb.DuckDBPyConnection, run_ids: Mapping[str, Any] | Sequence[str]) -> set[str]:
    """Those of some runs that have a row."""
    if not has_table(con, HISTORY, "runs"):
        return set()
    found = con.execute(f"SELECT run_id FROM {HISTORY}.runs WHERE run_id IN (SELECT unnest($1))", [list(run_ids)])
    return {run_id for (run_id,) in found.fetchall()}


def prune_runs(con: duckdb.DuckDBPyConnection, before: datetime) -> None:
    """Removes the runs that began before a time, UTC. The caller holds the writer lock, and the tables are there."""
    with transaction(con):
        for table in reversed(_TABLES):
            con.execute(
                f"DELETE FROM {HISTORY}.{table}"
                f" WHERE run_id IN (SELECT run_id FROM {HISTORY}.runs WHERE started_at < $1)",
                [before],
            )


@dataclass
class RunHistory:
    """What is known of runs.

    Attributes:
        last: the last of each kind and outcome, `KEPT_OF_EACH` at least, and those that go on, the latest first: the
            columns of `history.runs`, the notices as a list.
        read_through: clock of the last run that read what was new in the inbox to its end and published it, UTC.
        counted_from: since when the following are counted, UTC.
        run_counts: how many have ended, by kind and outcome; 0 where none has since.
        request_counts: what they asked of each endpoint: the sums of the columns of `history.run_requests`.
    """

    last: list[dict[str, Any]]
    read_through: datetime | None
    counted_from: datetime
    run_counts: Counter[tuple[str, str]]
    request_counts: dict[str, Counter[str]]


def run_history(
    con: duckdb.DuckDBPyConnection | None, in_files: Sequence[dict[str, Any]], *, counted_from: datetime
) -> RunHistory:
    """What the published copy and the files tell together.

    Args:
        con: a connection to the published copy; None where there is none.
        in_files: the runs that have a file, as looked up before the connection was made: a file goes once the copy has
            its run.
        counted_from: since when runs and requests are counted, UTC.
    """
    history = _published(con, counted_from) if con is not None and has_table(con, HISTORY, "runs") else None
    if history is None:
        history = RunHistory([], None, counted_from, Counter(), {})
    known = published_of(con, [run["run_id"] for run in in_files]) if con is not None else set()
    for run in in_files:
        if run["run_id"] in known:
            continue
        history.last.append(run)
        if run["outcome"] == GOES_ON:
            continue
        is_counted = datetime.fromisoformat(run["started_at"]) >= counted_from
        history.run_counts[run["kind"], run["outcome"]] += is_counted
        for asked in run.get("run_requests", []) if is_counted else []:
            of_endpoint = history.request_counts.setdefault(asked["endpoint"], Counter())
            of_endpoint.update({name: asked[name] or 0 for name in _SUMMED})
        if _has_read_through(run):
            history.read_through = max(
                filter(None, (history.read_through, datetime.fromisoformat(run["as_of"]))), default=None
            )
    history.last.sort(key=lambda run: str(run["started_at"]), reverse=True)
    history.last = [
        {column.name: run.get(column.name) for column in RUNS} | {"notices": json.loads(run.get("notices") or "null")}
        for run in history.last
    ]
    return history


_SUMMED = [column.name for column in RUN_REQUESTS if column.type in {"integer", "float"}]
_READS_WHAT_IS_NEW = ("sync", "reconcile")


def _has_read_through(run: Mapping[str, Any]) -> bool:
    return bool(
        run["kind"] in _READS_WHAT_IS_NEW
        and run["outcome"] == "done"
        and run.get("published_bytes")
        and run.get("as_of")
        and any(each["stream"] == "mentions" for each in run.get("run_streams", []))
    )


def _published(con: duckdb.DuckDBPyConnection, counted_from: datetime) -> RunHistory:
    names = [column.name for column in RUNS]
    last = con.execute(
        f"SELECT {', '.join(names)} FROM {HISTORY}.runs"
        " QUALIFY row_number() OVER (PARTITION BY kind, outcome ORDER BY started_at DESC) <= $1",
        [KEPT_OF_EACH],
    ).fetchall()
    (read_through,) = con.execute(
        f"SELECT max(as_of) FROM {HISTORY}.runs SEMI JOIN"
        f" (FROM {HISTORY}.run_streams WHERE stream = 'mentions') USING (run_id)"
        " WHERE kind IN (SELECT unnest($1)) AND outcome = 'done' AND published_bytes IS NOT NULL",
        [_READS_WHAT_IS_NEW],
    ).fetchone() or (None,)
    run_counts = con.execute(
        f"SELECT kind, outcome, count(*) FILTER (started_at >= $1) FROM {HISTORY}.runs GROUP BY ALL", [counted_from]
    ).fetchall()
    sums = ", ".join(f"coalesce(sum(run_requests.{name}) FILTER (started_at >= $1), 0)" for name in _SUMMED)
    asked = con.execute(
        f"SELECT endpoint, {sums} FROM {HISTORY}.run_requests JOIN {HISTORY}.runs USING (run_id) GROUP BY ALL",
        [counted_from],
    ).fetchall()
    return RunHistory(
        last=[{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in last],
        read_through=read_through,
        counted_from=counted_from,
        run_counts=Counter({(kind, outcome): count for kind, outcome, count in run_counts}),
        request_counts={name: Counter(dict(zip(_SUMMED, row, strict=True))) for name, *row in asked},
    )


def _plain(value: Any) -> Any:
    return _text(value) if isinstance(value, datetime) else value


def _text(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time else None


def _outcome_of(stop: BaseException) -> str:
    if isinstance(stop, WarehouseBusy):
        return "busy"
    if isinstance(stop, TestsFailed | WarehouseUntested):
        return "tests_failed"
    if isinstance(stop, StopRequested | KeyboardInterrupt):
        return "stopped"
    return "budget_used_up" if isinstance(stop, BudgetUsedUp) else "failed"


def _one_line(stop: BaseException, settings: Settings) -> str:
    """What went wrong, without a secret.

    Where personal data is not kept, an error that is not ours is named only: its text may show a value.
    """
    kind = type(stop)
    is_ours = kind.__module__.startswith("pipelines.")
    if not is_ours and not isinstance(stop, OSError) and settings.social_warehouse_personal_data != "keep":
        return kind.__name__
    text = " ".join(str(stop).split())
    if not is_ours:
        text = f"{kind.__name__}: {text}" if text else kind.__name__
    return without_secrets(text)[:MOST_ERROR_CHARACTERS]


def _write_end(file: SharedFile, path: Path, ended: dict[str, Any], counts: dict[str, Any]) -> None:
    """Puts the end in the place of the beginning, as a whole; where that fails, the main thing over it.

    A disk that is full has no room for a second file, but the first has its own. What went wrong in the run is told by
    the run: a failure to write it down must not take its place.
    """
    try:
        file.write(ended | counts)
    except OSError as error:
        logger.warning("%s: the run's counts are not kept: %s", path, error)
        with suppress(OSError):  # what was begun of it
            path.with_name(f"{path.name}.new").unlink()
        try:
            with path.open("r+", encoding="utf-8") as stream:
                stream.write(json.dumps(ended))
                stream.truncate()
        except OSError as again:
            logger.warning("%s: the run's end is not kept: %s", path, again)


def _read(path: Path) -> dict[str, Any] | None:
    """A run's file; None where it is none, or has gone."""
    named = _NAME.fullmatch(path.stem)
    if named is None:
        return None
    # First: a run that ends meanwhile has written its end before it lets the lock go.
    goes_on = _is_held(lock_of(path))
    told = SharedFile(path).read()
    if not told and not path.exists():
        return None
    started_at = datetime.strptime(named["started_at"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    run = {"run_id": path.stem, "kind": named["kind"], "started_at": _text(started_at), "package_version": "unknown"}
    return {"outcome": GOES_ON if goes_on else "killed"} | run | told


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def lock_of(path: Path) -> Path:
    """The lock that a run holds, from the path of its file."""
    return Path(SharedFile(path).lock.lock_file)

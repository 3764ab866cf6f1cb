"""Whatever becomes of a run, it is told once: how it ended and what it asked; never a secret of it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from pipelines import run
from pipelines.api import AuthenticationFailed, BudgetUsedUp, RequestReport, StopRequested
from pipelines.publishing import publish
from pipelines.run_history import (
    GOES_ON,
    endpoint,
    forget_published,
    keep_runs,
    lock_of,
    prune_runs,
    recorded,
    run_history,
    runs_in_files,
)
from pipelines.settings import Settings, read_settings
from pipelines.transform import TestsFailed
from pipelines.warehouse import Warehouse, WarehouseBusy

AS_OF = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(
        social_warehouse_home=tmp_path / "home",
        social_connect_access_token=TOKEN,
        social_connect_client_secret=SecretStr("the-secret-of-the-client"),
    )


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings.social_warehouse_home)


def report(path: str = "/1417/inbox/mentions", **other: Any) -> RequestReport:
    told: dict[str, Any] = {
        "status": 200,
        "seconds": 0.25,
        "byte_count": 1000,
        "row_count": 100,
        "attempt": 1,
        "is_throttled": False,
        "remaining_count": None,
    }
    return RequestReport(path=path, **(told | other))


def loaded(**other: Any) -> Any:
    told: dict[str, Any] = {
        "record_counts": {"mentions": 100},
        "page_counts": {"mentions": 1},
        "row_counts": {"mentions": 90, "mention_tags": 7, "statistics": 3},
        "quarantined_count": 2,
        "notices": ("teams skipped",),
        "stopped_by": None,
    }
    return SimpleNamespace(**(told | other))


@contextmanager
def work_file(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.connect(read_only=False) as con:
        yield con


def keep(warehouse: Warehouse) -> None:
    with work_file(warehouse) as con:
        keep_runs(con, warehouse)


def rows(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with work_file(warehouse) as con:
        return con.execute(query).fetchall()


def test_a_run_that_is_done_tells_what_it_asked_and_moved(settings: Settings, warehouse: Warehouse) -> None:
    with recorded(settings, "sync", as_of=AS_OF) as record:
        record.count_request(report())
        record.count_request(report(attempt=2, row_count=None))
        record.count_request(report(is_throttled=True, row_count=None, byte_count=0))
        record.count_request(report("/me", row_count=None))
        record.add_load(loaded())
        record.published_bytes = 12345
    keep(warehouse)
    ((ended_at, *told),) = rows(
        warehouse,
        "SELECT ended_at, kind, as_of, outcome, error, notices, request_count, quarantined_count, published_bytes,"
        " ended_at - started_at < INTERVAL 1 MINUTE AND seconds < 60 FROM history.runs",
    )
    assert told == ["sync", AS_OF, "done", None, '["teams skipped"]', 4, 2, 12345, True]
    assert datetime.now(UTC) - ended_at < timedelta(minutes=1)
    assert rows(warehouse, "SELECT * EXCLUDE run_id FROM history.run_requests ORDER BY ALL") == [
        ("/me", 1, None, 0, 0, 1000, 0.25),
        ("/{account_id}/inbox/mentions", 3, 100, 1, 1, 2000, 0.75),
    ]
    assert rows(warehouse, "SELECT * EXCLUDE run_id FROM history.run_streams ORDER BY ALL") == [
        ("mentions", 100, 1, 97),
        ("statistics", 0, 0, 3),
    ]


@pytest.mark.parametrize(
    ("stop", "outcome", "text"),
    [
        (WarehouseBusy("in use by\na sync"), "busy", "in use by a sync"),
        (TestsFailed("one test failed", (("a_test", "Got 1 result"),)), "tests_failed", "one test failed"),
        (BudgetUsedUp(None, "/me", 3), "budget_used_up", str(BudgetUsedUp(None, "/me", 3))),
        (StopRequested("/me"), "stopped", str(StopRequested("/me"))),
        (OSError(28, "No space left on device"), "failed", "OSError: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), "stopped", "KeyboardInterrupt"),
        (ValueError(f"with {TOKEN} and the-secret-of-the-client"), "failed", "ValueError: with *** and ***"),
    ],
)
def test_what_ends_a_run_is_its_outcome(
    settings: Settings, warehouse: Warehouse, stop: BaseException, outcome: str, text: str
) -> None:
    with pytest.raises(type(stop)), recorded(settings, "sync"):
        raise stop
    keep(warehouse)
    assert rows(warehouse, "SELECT outcome, error FROM history.runs") == [(outcome, text)]


def test_a_run_that_ends_early_and_well_is_not_done(settings: Settings, warehouse: Warehouse) -> None:
    stop = BudgetUsedUp(1_800_000_000.0, "/1417/inbox/mentions", 350)
    with recorded(settings, "sync") as record:
        record.add_load(loaded(stopped_by=stop))
    (told,) = runs_in_files(warehouse)
    assert (told["outcome"], told["error"]) == ("budget_used_up", str(stop))


@pytest.mark.parametrize(("mode", "shown"), [("keep", "ValueError: 'Leonie' is no number"), ("drop", "ValueError")])
def test_an_error_that_is_not_ours_may_show_a_value_only_where_values_are_kept(
    settings: Settings, warehouse: Warehouse, mode: str, shown: str
) -> None:
    with (
        pytest.raises(ValueError, match="Leonie"),
        recorded(settings.model_copy(update={"social_warehouse_personal_data": mode}), "sync"),
    ):
        raise ValueError("'Leonie' is no number")
    refused = AuthenticationFailed(401, "invalid_token", "unknown", "/me")
    with pytest.raises(AuthenticationFailed), recorded(settings, "sync"):
        raise refused
    assert {each["error"] for each in runs_in_files(warehouse)} == {shown, str(refused)}


def test_the_steps_of_a_run_are_part_of_it(settings: Settings, warehouse: Warehouse) -> None:
    with recorded(settings, "reconcile") as whole:
        with recorded(settings, "transform", as_of=AS_OF) as step:
            assert step is whole
        with pytest.raises(WarehouseBusy), recorded(settings, "publish"):  # tried again, as a flow does
            raise WarehouseBusy("for a while")
    with recorded(settings, "publish"):
        pass
    assert [(each["kind"], each["as_of"], each["outcome"]) for each in runs_in_files(warehouse)] in (
        [("publish", None, "done"), ("reconcile", AS_OF.isoformat(), "done")],
        [("reconcile", AS_OF.isoformat(), "done"), ("publish", None, "done")],
    )


def test_a_run_goes_on_as_long_as_its_lock_is_held_whatever_its_process_number(
    settings: Settings, warehouse: Warehouse
) -> None:
    with recorded(settings, "sync"):
        (running,) = runs_in_files(warehouse)
        assert (running["outcome"], running["pid"]) == (GOES_ON, os.getpid())
        keep(warehouse)
        assert rows(warehouse, "FROM history.runs") == []
        (file,) = warehouse.runs_folder.glob("*.json")
        begun = file.read_text(encoding="utf-8")
    # As if it had been killed: no end, nobody holds the lock, and another process has its number, which is ours.
    file.write_text(begun, encoding="utf-8")
    lock_of(file).touch()
    keep(warehouse)
    assert rows(warehouse, "SELECT kind, outcome, ended_at, seconds, request_count FROM history.runs") == [
        ("sync", "killed", None, None, None)
    ]


def test_a_file_that_is_torn_still_tells_when_what_began(settings: Settings, warehouse: Warehouse) -> None:
    with recorded(settings, "sync"):
        pass
    (file,) = warehouse.runs_folder.glob("*.json")
    file.write_text('{"run_id": "20', encoding="utf-8")
    (warehouse.runs_folder / "notes.json").write_text("of somebody else", encoding="utf-8")
    keep(warehouse)
    ((kind, started_at, outcome),) = rows(warehouse, "SELECT kind, started_at, outcome FROM history.runs")
    assert (kind, outcome) == ("sync", "killed")
    assert datetime.now(UTC) - started_at < timedelta(minutes=1)


def test_where_no_second_file_can_be_made_the_end_is_written_over_the_beginning(
    settings: Settings, warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a full disk; what went wrong in the run is raised, and not that."""
    with pytest.raises(ZeroDivisionError):
        fail_without_room(settings, warehouse)
    (told,) = runs_in_files(warehouse)
    assert (told["kind"], told["outcome"], told["error"]) == ("sync", "failed", "ZeroDivisionError")
    assert "request_count" not in told
    assert "the run's counts are not kept" in caplog.text


def fail_without_room(settings: Settings, warehouse: Warehouse) -> None:
    with recorded(settings, "sync") as record:
        record.count_request(report())
        (file,) = warehouse.runs_folder.glob("*.json")
        file.with_name(f"{file.name}.new").mkdir()  # where the end would be written first
        raise ZeroDivisionError


def test_files_are_for_their_owner_and_no_lock_is_left(settings: Settings, warehouse: Warehouse) -> None:
    with recorded(settings, "sync"):
        pass
    (file,) = warehouse.runs_folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(warehouse.runs_folder.stat().st_mode) == 0o700
    assert TOKEN not in file.read_text(encoding="utf-8")


def test_a_kill_between_the_rows_and_the_files_neither_loses_nor_doubles(
    settings: Settings, warehouse: Warehouse
) -> None:
    with recorded(settings, "sync") as record:
        record.count_request(report())
        record.add_load(loaded())
    keep(warehouse)
    keep(warehouse)
    counts = "SELECT (SELECT count(*) FROM history.runs), (SELECT count(*) FROM history.run_requests)"
    assert rows(warehouse, counts) == [(1, 1)]
    publish(warehouse, now=datetime.now(UTC), keep_count=3)
    with recorded(settings, "transform"):
        pass
    forget_published(warehouse)
    (left,) = runs_in_files(warehouse)
    assert left["kind"] == "transform", "it is not in the copy yet"
    forget_published(warehouse)
    keep(warehouse)
    assert rows(warehouse, "SELECT kind FROM history.runs ORDER BY started_at, run_id DESC") == [
        ("sync",),
        ("transform",),
    ]


def test_copy_and_files_together_are_never_behind_and_tell_a_run_once(settings: Settings, warehouse: Warehouse) -> None:
    with recorded(settings, "sync", as_of=AS_OF) as record:
        record.count_request(report())
        record.add_load(loaded())
        record.published_bytes = 1
    keep(warehouse)
    publish(warehouse, now=datetime.now(UTC), keep_count=3)  # the file is there still
    with recorded(settings, "sync", as_of=AS_OF + timedelta(hours=1)) as record:
        record.count_request(report())
        record.add_load(loaded(stopped_by=BudgetUsedUp(None, "/me", 1)))
        record.published_bytes = 1
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with recorded(settings, "replay"), warehouse.connect_published() as con:
        known = run_history(con, runs_in_files(warehouse), counted_from=LONG_AGO)
        later = run_history(con, runs_in_files(warehouse), counted_from=tomorrow)
    assert {(each["kind"], each["outcome"]) for each in known.last} == {
        ("sync", "done"),
        ("sync", "budget_used_up"),
        ("replay", GOES_ON),
    }
    assert known.run_counts == {("sync", "done"): 1, ("sync", "budget_used_up"): 1}
    assert known.request_counts["/{account_id}/inbox/mentions"]["call_count"] == 2
    assert known.read_through == AS_OF, "the later one has not read all"
    assert dict(later.run_counts) == {("sync", "done"): 0, ("sync", "budget_used_up"): 0}, (
        "a counter that is there stays there"
    )
    assert later.request_counts["/{account_id}/inbox/mentions"]["call_count"] == 0


def test_old_runs_go_with_all_that_is_of_them(settings: Settings, warehouse: Warehouse) -> None:
    for _ in range(2):
        with recorded(settings, "sync") as record:
            record.count_request(report())
            record.add_load(loaded())
    keep(warehouse)
    with work_file(warehouse) as con:
        (old,) = con.execute(
            "UPDATE history.runs SET started_at = '2025-01-01T00:00:00Z'"
            " WHERE run_id = (SELECT min(run_id) FROM history.runs) RETURNING run_id"
        ).fetchone() or (None,)
        prune_runs(con, datetime(2025, 1, 2, tzinfo=UTC))
        for table in ("runs", "run_streams", "run_requests"):
            found = con.execute(f"SELECT DISTINCT run_id FROM history.{table}").fetchall()  # noqa: S608 - as above
            assert len(found) == 1
            assert found != [(old,)]


def test_a_transform_keeps_what_has_ended_and_removes_what_is_old_even_where_its_tests_fail(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(settings, "backfill"):
        pass
    keep(warehouse)
    for file in warehouse.runs_folder.iterdir():
        file.unlink()
    rows(warehouse, "UPDATE history.runs SET started_at = now() - INTERVAL 32 DAY")
    with recorded(settings, "replay"):
        pass
    monkeypatch.setattr("pipelines.transform.transform", failing)
    for days, kept in ((33, {"backfill", "replay"}), (31, {"replay", "transform"})):
        with pytest.raises(TestsFailed):
            run.transform(settings.model_copy(update={"social_warehouse_run_history_days": days}))
        assert {kind for (kind,) in rows(warehouse, "SELECT kind FROM history.runs")} == kept
    assert [each["outcome"] for each in runs_in_files(warehouse) if each["kind"] == "transform"] == ["tests_failed"] * 2


def failing(*_arguments: Any, **_options: Any) -> None:
    raise TestsFailed("one test failed", (("a_test", "Got 1 result"),))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/1417/inbox/mentions", "/{account_id}/inbox/mentions"),
        ("/api/1417/inbox/mentions", "/{account_id}/inbox/mentions"),
        ("/1417/inbox/context/99/a_name", "/{account_id}/inbox/context/{topic_id}/{mention_id}"),
        ("/gateway/1417/insights/facets", "/{account_id}/insights/facets"),
        ("/me/accounts", "/me/accounts"),
        ("/me", "/me"),
        ("/1417/inbox/contact/web/Leonie%20V", "/{id}/inbox/contact/web/{id}"),
    ],
)
def test_an_endpoint_has_no_identifiers(path: str, name: str) -> None:
    assert endpoint(path) == name

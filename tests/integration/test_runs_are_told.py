"""What the history says of runs is what the API's own log and the tables say; of those that fail, how they ended."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import health
from pipelines.api import AuthenticationFailed, ServerFailed
from pipelines.publishing import publish
from pipelines.run_history import forget_published, keep_runs, runs_in_files
from pipelines.source import STREAMS
from pipelines.stopping import Stop
from pipelines.warehouse import Warehouse, WarehouseBusy

pytestmark = pytest.mark.slow

Make = Callable[..., Any]
WRONG_TOKEN = "a-token-that-is-of-nobody"


@pytest.fixture(scope="module")
def story(make_site: Make) -> Any:
    """A site whose runs went well, failed, found the warehouse busy, were refused and were cut short, in this order."""
    site = make_site(stream_names=["topics", "mentions", "cases", "security_events"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stop, "wait", lambda _stop, _seconds: None)
        site.box.faults.add("status", path="inbox/cases", status=503, times=2)
        site.whole = site.sync()
        site.requests = list(site.box.requests)
        with site.reading() as con:
            site.written = {
                stream.name: sum(con.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0] for table in tables)  # noqa: S608 - a stream's tables
                for stream in STREAMS
                if stream.name in site.stream_names
                for tables in (stream.contract.tables,)
            }
        site.box.advance(hours=30)
        site.box.faults.add("status", path="security/audit", status=500, times=None)
        with pytest.raises(ServerFailed):
            site.sync()
        site.box.faults.clear()
    with Warehouse(site.home).run_lock("a test of ours"), pytest.raises(WarehouseBusy):
        site.sync()
    with pytest.raises(AuthenticationFailed):
        site.sync(settings=site.settings(social_connect_access_token=WRONG_TOKEN))
    site.sync(max_requests=1)
    with Warehouse(site.home).writing("a test of ours") as con:
        keep_runs(con, Warehouse(site.home))
    return site


def test_requests_are_counted_as_the_api_counts_them(story: Any) -> None:
    asked = Counter(re.sub(r"^(/api)?/\d+/", "/{account_id}/", each.path) for each in story.requests)
    told = story.rows(
        "SELECT endpoint, call_count, retry_count FROM history.run_requests WHERE run_id ="
        " (SELECT min_by(run_id, started_at) FROM history.runs)"
    )
    assert {name: calls for name, calls, _ in told} == asked
    assert {name: retries for name, _, retries in told if retries} == {"/{account_id}/inbox/cases": 2}
    assert story.rows("SELECT request_count FROM history.runs ORDER BY started_at LIMIT 1") == [(len(story.requests),)]


def test_rows_are_those_that_were_read_and_loaded(story: Any) -> None:
    told = {
        stream: counts
        for stream, *counts in story.rows(
            "SELECT stream, record_count, page_count, row_count FROM history.run_streams WHERE run_id ="
            " (SELECT min_by(run_id, started_at) FROM history.runs)"
        )
    }
    assert {name: record_count for name, (record_count, _, _) in told.items()} == story.whole.load.record_counts
    assert {name: row_count for name, (_, _, row_count) in told.items()} == story.written
    assert {name: page_count for name, (_, page_count, _) in told.items()} == story.whole.load.page_counts
    assert min(map(min, told.values())) > 0
    (listed,) = story.rows(
        "SELECT row_count FROM history.run_requests WHERE endpoint = '/{account_id}/security/audit'"
        " AND run_id = (SELECT min_by(run_id, started_at) FROM history.runs)"
    )
    assert listed == (told["security_events"][0],)


def test_each_run_has_its_outcome_and_error(story: Any) -> None:
    found = story.rows("SELECT kind, outcome, error FROM history.runs ORDER BY started_at")
    assert [each[:2] for each in found] == [
        ("sync", "done"),
        ("sync", "failed"),
        ("sync", "busy"),
        ("sync", "failed"),
        ("sync", "budget_used_up"),
    ]
    for (_, _, error), expected in zip(
        found, (None, "security/audit", "in use by a test of ours", "not accepted", "max_requests"), strict=True
    ):
        assert error is None if expected is None else expected in error


def test_of_a_run_that_failed_what_it_loaded_is_told(story: Any) -> None:
    (counted,) = story.rows(
        "SELECT record_count, row_count FROM history.run_streams JOIN history.runs USING (run_id)"
        " WHERE stream = 'mentions' AND outcome = 'failed' AND request_count > 5"
    )
    assert min(counted) > 0


def test_no_token_is_in_any_of_it(story: Any, tmp_path: Path) -> None:
    files = [*(story.home / "runs").iterdir(), tmp_path / "rows"]
    with story.reading() as con:
        rows = [con.execute(f"FROM history.{name}").fetchall() for name in ("runs", "run_streams", "run_requests")]
    files[-1].write_text(str(rows), encoding="utf-8")
    told = str(health.status(story.settings()))
    assert all(token not in each.read_text() for each in files for token in (story.box.token, WRONG_TOKEN))
    assert story.box.token not in told


def test_status_is_never_behind(story: Any) -> None:
    """Before anything is published, between its publication and the removal of the files, and after."""
    warehouse = Warehouse(story.home)
    now = story.box.now + timedelta(hours=2)
    moments = [health.status(story.settings(), as_of=now)]
    assert moments[0]["published_file"] is None
    publish(warehouse, now=datetime.now(UTC), keep_count=3)
    moments.append(health.status(story.settings(), as_of=now))
    forget_published(warehouse)
    assert runs_in_files(warehouse) == []
    moments.append(health.status(story.settings(), as_of=now))
    for found in moments:
        assert [run["outcome"] for run in found["last_failures"]] == ["budget_used_up", "failed", "busy", "failed"]
        assert {each["outcome"]: each["run_count"] for each in found["run_counts"]} == {
            "done": 1,
            "failed": 2,
            "busy": 1,
            "budget_used_up": 1,
        }
        assert found["last_runs"]["sync"]["outcome"] == "budget_used_up"
        lists = {each["stream"]: each for each in found["streams"]}
        assert lists["security_events"]["lag_seconds"] == 32 * 3600
        assert lists["security_events"]["is_late"]
        assert found["budgets"][0]["limit_call_count"] == 100_000
    assert moments[0]["request_counts"] == moments[1]["request_counts"]
    assert moments[1]["request_counts"] == moments[2]["request_counts"]

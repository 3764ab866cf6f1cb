"""A signal that comes while a library is at work: a load goes on to its end, a transform ends at once."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from dbt.parser.manifest import ManifestLoader
from dbt.task.run import ModelRunner
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

from pipelines import run
from pipelines.api import StopRequested
from pipelines.run_history import runs_in_files
from pipelines.stopping import Stop, stopped_by_signals
from pipelines.warehouse import Warehouse

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_that_was_read_is_loaded(
    make_site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    site = make_site(stream_names=["topics", "users", "mentions"])
    copy = DuckDbCopyJob.run
    signals_left = [number]

    def copy_and_ask(job: Any) -> None:
        copy(job)
        if signals_left:
            os.kill(os.getpid(), signals_left.pop())

    monkeypatch.setattr(DuckDbCopyJob, "run", copy_and_ask)
    stop = Stop()
    with stopped_by_signals(stop), pytest.raises(StopRequested, match="Stopped before the transform, as asked"):
        run.sync(site.settings(), as_of=site.box.now, stream_names=site.stream_names, stop=stop)
    assert not signals_left
    site.assert_holds_the_truth("mention")
    assert [each["outcome"] for each in runs_in_files(Warehouse(site.home))] == ["stopped"]


@pytest.mark.parametrize(("owner", "step"), [(ManifestLoader, "load"), (ModelRunner, "execute")])
def test_a_transform_ends_at_once(
    make_site: Callable[..., Any],
    projects_read: dict[tuple[str, ...], Any],
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    step: str,
) -> None:
    """Wherever dbt is: it takes the interruption for a failure of its own, and may not say of what."""
    projects_read.clear()
    site = make_site(stream_names=["topics", "users", "mentions"], is_synced=True)
    work = getattr(owner, step)
    signals_left = [signal.SIGTERM]

    def ask_and_work(*arguments: Any, **options: Any) -> Any:
        if signals_left:
            os.kill(os.getpid(), signals_left.pop())
        return work(*arguments, **options)

    monkeypatch.setattr(owner, step, ask_and_work)
    stop = Stop()
    with stopped_by_signals(stop), pytest.raises(StopRequested, match="Stopped before the transform, as asked"):
        run.transform(site.settings(), as_of=site.box.now, stop=stop)
    assert not signals_left
    assert [each["outcome"] for each in runs_in_files(Warehouse(site.home))] == ["done", "stopped"]
    assert run.transform(site.settings(), as_of=site.box.now).passed_test_count > 100

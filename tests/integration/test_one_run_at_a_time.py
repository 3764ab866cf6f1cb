"""Of two syncs or replays of one warehouse the second says that it is in use; other work goes on beside a reading."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.run import replay
from pipelines.warehouse import Warehouse, WarehouseBusy

pytestmark = pytest.mark.slow

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def site(make_site: Make) -> Any:
    site = make_site(mentions=40, stream_names=["topics", "users", "mentions", "cases"])
    site.sync()
    return site


@pytest.mark.parametrize("holder", ["a sync", "a replay"])
def test_a_second_run_is_refused_before_it_asks_anything(site: Any, holder: str) -> None:
    request_count = len(site.box.requests)
    with Warehouse(site.home).run_lock(holder):
        for second in (site.sync, lambda: replay(site.settings())):
            with pytest.raises(WarehouseBusy, match=rf"in use by {holder} \(process \d+, since .*\)\. Wait until"):
                second()
    assert len(site.box.requests) == request_count
    replay(site.settings())
    site.sync()


def test_a_sync_that_reads_lets_others_write_and_keeps_its_files(site: Any) -> None:
    """The second would remove what the first has flattened, and load what the first has extracted."""
    site.box.advance(hours=30)
    site.box.faults.add("delay", path="inbox/cases", seconds=2)
    failures: list[Exception] = []

    def first() -> None:
        try:
            site.sync()
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    request_count = len(site.box.requests)
    reading = threading.Thread(target=first)
    reading.start()
    while len(site.box.requests) < request_count + 2:
        assert reading.is_alive()
    with pytest.raises(WarehouseBusy, match="in use by a sync"):
        site.sync()
    with Warehouse(site.home).writing("a test of ours") as con:
        con.execute("CREATE TABLE written_meanwhile AS SELECT 1")
    assert reading.is_alive()
    reading.join()
    assert failures == []
    site.assert_holds_the_truth()


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    with pytest.raises(ZeroDivisionError), warehouse.run_lock("a sync"):
        raise ZeroDivisionError
    with warehouse.run_lock("a sync"), warehouse.writer_lock("a sync that loads"):
        assert sorted(path.name for path in tmp_path.glob("*.json")) == ["loader.json", "run.json", "writer.json"]
    assert not list(tmp_path.glob("*.json"))

"""Pages that are made while versions are published beside them: each is of one version, and the next of the newest."""

# ruff: noqa: S608 - names of tables come from here

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import duckdb
import pytest

from pipelines.dashboard.published_copy import PublishedCopy
from pipelines.publishing import publish, roll_back
from pipelines.warehouse import Warehouse, WarehouseUnreadable

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.dashboard.published_copy import Reading

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUERY = "select min(number) as low, max(number) as high from marts.numbers"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path / "home")
    warehouse.make_folders()
    return warehouse


def publish_number(warehouse: Warehouse, number: int, *, keep_count: int = 2) -> None:
    """Publishes a version in which every number is the same."""
    with duckdb.connect(warehouse.file) as con:
        con.execute("CREATE SCHEMA IF NOT EXISTS marts")
        con.execute(f"CREATE OR REPLACE TABLE marts.numbers AS SELECT {number} AS number FROM range(50_000)")
    publish(warehouse, now=START + timedelta(minutes=number), keep_count=keep_count)


def number_of(reading: Reading) -> int:
    row = reading.frame(QUERY, {}).iloc[0]
    assert row["low"] == row["high"]
    return int(row["low"])


def test_a_page_stays_with_its_version_and_the_next_has_the_new_one(warehouse: Warehouse) -> None:
    publish_number(warehouse, 1)
    copy = PublishedCopy(warehouse)
    with copy.reading() as first:
        publish_number(warehouse, 2, keep_count=1)  # the file of the first is gone
        assert copy.state() != first.state
        with copy.reading() as second:
            assert (number_of(first), number_of(second)) == (1, 2)
            assert second.state == copy.state()
        assert number_of(first) == 1
    with copy.reading() as again:
        assert number_of(again) == 2


def test_a_rollback_is_followed_too(warehouse: Warehouse) -> None:
    publish_number(warehouse, 1)
    publish_number(warehouse, 2)
    copy = PublishedCopy(warehouse)
    with copy.reading() as reading:
        assert number_of(reading) == 2
        roll_back(warehouse)
        with copy.reading() as earlier:
            assert number_of(earlier) == 1


def test_readers_in_threads_never_fail_nor_see_two_versions(warehouse: Warehouse) -> None:
    publish_number(warehouse, 0)
    copy, stop = PublishedCopy(warehouse), Event()

    def read() -> list[int]:
        seen = []
        while not stop.is_set():
            with copy.reading() as reading:
                seen.append(number_of(reading))
                assert number_of(reading) == seen[-1]
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for number in range(1, 6):
                publish_number(warehouse, number)
        finally:
            stop.set()
        seen = [reader.result() for reader in readers]
    for numbers in seen:
        assert numbers == sorted(numbers)
        assert numbers[-1] >= 4
    with copy.reading() as reading:
        assert number_of(reading) == 5


def test_a_version_that_nobody_reads_any_more_is_closed(warehouse: Warehouse) -> None:
    publish_number(warehouse, 1)
    copy = PublishedCopy(warehouse)
    with copy.reading() as first:
        publish_number(warehouse, 2)
        with copy.reading():
            pass
        assert number_of(first) == 1
    with pytest.raises(duckdb.Error, match="closed"):
        number_of(first)


def test_a_copy_that_is_lost_is_shown_as_it_was(warehouse: Warehouse) -> None:
    publish_number(warehouse, 1)
    copy = PublishedCopy(warehouse)
    with copy.reading() as reading:
        assert number_of(reading) == 1
    warehouse.published_file.unlink()
    with copy.reading() as reading:
        assert number_of(reading) == 1
    assert copy.state() is None


def test_before_the_first_publish_the_next_step_is_said(warehouse: Warehouse) -> None:
    copy = PublishedCopy(warehouse)
    assert copy.state() is None
    with pytest.raises(WarehouseUnreadable, match="social-warehouse sync"), copy.reading():
        pass
    publish_number(warehouse, 1)
    with copy.reading() as reading:
        assert number_of(reading) == 1


def test_where_there_are_no_hard_links_the_copy_itself_is_read(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    copy = PublishedCopy(warehouse)
    for number in (1, 2, 3):
        publish_number(warehouse, number)
        with copy.reading() as reading:
            assert number_of(reading) == number

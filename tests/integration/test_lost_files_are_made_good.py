"""What was lost of a warehouse's home is made good by the next sync, from what is left or from the API."""

import importlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines import run
from pipelines.warehouse import WarehouseUnreadable

pytestmark = pytest.mark.slow

Make = Callable[..., Any]

KILLS = importlib.import_module("test_kill_at_any_point")


@pytest.fixture(scope="module")
def make_site(make_site: Make) -> Make:
    """Sites that read what mentions need, and no more: every other stream costs each sync time."""
    return partial(
        make_site,
        seed=5,
        mentions=120,
        stream_names=["topics", "users", "mentions"],
        options={"social_connect_start_date": "2026-01-01"},
    )


def undated(site: Any) -> dict[str, list[Any]]:
    """Every table whole, without the loader's columns and the time at which a row was loaded."""
    with site.reading() as con:
        tables = con.execute(
            "SELECT table_name FROM duckdb_tables()"
            " WHERE schema_name = 'social_connect' AND NOT starts_with(table_name, '_dlt') ORDER BY 1"
        ).fetchall()
        columns = "COLUMNS(c -> NOT starts_with(c, '_dlt') AND c <> '_loaded_at')"
        return {name: con.execute(f'SELECT {columns} FROM "{name}" ORDER BY ALL').fetchall() for (name,) in tables}  # noqa: S608 - from the catalogue


@pytest.fixture(scope="module")
def undisturbed(make_site: Make) -> tuple[int, dict[str, list[Any]]]:
    """How many mentions the second sync of a home that nothing was lost of reads, and the tables it then has."""
    site = make_site(is_synced=True)
    site.box.advance(hours=30)
    return site.sync().load.record_counts["mentions"], undated(site)


@pytest.mark.parametrize(
    ("lost", "reads_all_again"),
    [
        (["dlt"], False),
        (["warehouse.duckdb", "warehouse.duckdb.wal"], True),
        (["warehouse.duckdb", "warehouse.duckdb.wal", "dlt"], True),
        (["api", "logs", "rules", "dbt", "published"], False),
    ],
    ids=["the loader's folder", "the work file", "both", "everything else"],
)
def test_a_sync_makes_it_good(
    make_site: Make, undisturbed: tuple[int, dict[str, list[Any]]], lost: list[str], reads_all_again: bool
) -> None:
    read_count, tables = undisturbed
    site = make_site(is_synced=True)
    site.box.advance(hours=30)
    for name in lost:
        remove(site.home / name)
    extraction = site.sync()
    site.assert_holds_the_truth()
    assert undated(site) == tables
    assert (extraction.load.record_counts["mentions"] > read_count) == reads_all_again


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_a_damaged_work_file_is_named_and_a_copy_of_it_goes_on(make_site: Make, tmp_path: Path) -> None:
    site = make_site(is_synced=True)
    work_file = site.home / "warehouse.duckdb"
    kept = shutil.copy(work_file, tmp_path)
    with work_file.open("r+b") as file:
        file.write(b"\0" * 4096)
    with pytest.raises(WarehouseUnreadable, match=r"warehouse\.duckdb cannot be opened"):
        site.sync()
    shutil.copy(kept, work_file)
    site.box.advance(hours=1)
    site.sync()
    site.assert_holds_the_truth()


@pytest.mark.parametrize("stop", ["", "after_extract"])
def test_an_older_copy_of_the_work_file_is_brought_up_to_date(make_site: Make, tmp_path: Path, stop: str) -> None:
    site = make_site(is_synced=True)
    kept = shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    site.box.advance(hours=30)
    site.sync()
    if stop:  # what a killed run has read goes on from rows that are lost
        site.box.advance(hours=1)
        KILLS.kill(site, stop, "")
    shutil.copy(kept, site.home / "warehouse.duckdb")
    site.sync()
    site.assert_holds_the_truth()


@pytest.mark.parametrize("is_put_back", [True, False], ids=["an older copy", "none"])
def test_a_backfill_reads_again_what_a_lost_work_file_had(
    make_site: Make, tmp_path: Path, *, is_put_back: bool
) -> None:
    """Before any sync has looked at what there is, and though the loader's folder says that it was read."""
    site = make_site(is_synced=True, options={"social_connect_start_date": "2026-03-01"})
    start, end = site.box.now - timedelta(days=60), site.box.now

    def backfill(**options: Any) -> Any:
        return run.backfill(site.settings(), start=start, end=end, as_of=site.box.now, **options)

    kept = shutil.copy(site.home / "warehouse.duckdb", tmp_path)
    read = backfill().outcome.record_counts["mentions"]
    assert read > 20
    assert backfill().outcome.planned_count == 0
    remove(site.home / "warehouse.duckdb.wal")
    if is_put_back:
        shutil.copy(kept, site.home / "warehouse.duckdb")
    else:
        remove(site.home / "warehouse.duckdb")
    planned = backfill(is_dry_run=True)
    assert planned.estimate.row_counts["mentions"] == pytest.approx(read, abs=2)
    assert (site.home / "warehouse.duckdb").exists() == is_put_back
    assert backfill().outcome.record_counts["mentions"] == read
    site.sync()
    site.assert_holds_the_truth()


def test_of_packages_that_are_loaded_the_last_alone_is_kept(make_site: Make) -> None:
    """By it a work file is known as an older one, which another test puts back."""
    site = make_site(is_synced=True)
    for _ in range(2):
        site.box.advance(hours=6)
        site.sync()
        (loaded,) = (site.home / "dlt").glob("*/load/loaded/*")
        assert loaded.name == site.one("SELECT max(load_id) FROM _dlt_loads")


def test_a_clock_that_was_wrong_loses_nothing(make_site: Make, caplog: pytest.LogCaptureFixture) -> None:
    site = make_site(is_synced=True)
    site.box.advance(hours=6)
    site.sync(as_of=site.box.now - timedelta(days=2))
    site.sync(as_of=site.box.now + timedelta(days=3))
    site.box.advance(hours=6)
    site.sync()
    site.assert_holds_the_truth("mention")
    # A list that is kept as versions is not read again before the time at which it was: versions would overlap.
    assert "users of account 1417 have been read as of 2026-03-" in caplog.text
    site.box.advance(days=4)
    site.sync()
    site.assert_holds_the_truth()

"""A maintenance gives free space back and removes what is old; what is in the warehouse and what is published stays."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from pipelines import run
from pipelines.settings import Settings, read_settings
from pipelines.warehouse import CompactionFailed, Warehouse, WarehouseBusy, WarehouseUnreadable, WarehouseUntested

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROWS = "SELECT range AS id, repeat(md5(range::varchar), 8) AS text FROM range(100_000)"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A work file of many tables' manners, most of whose blocks are free, tested as it is."""
    warehouse = Warehouse(tmp_path)
    warehouse.make_folders()
    with duckdb.connect(warehouse.file) as con:
        con.execute("CREATE SCHEMA marts; CREATE SCHEMA social_connect; CREATE SCHEMA history")
        con.execute(
            f"CREATE TABLE social_connect.gone AS {ROWS}; CREATE TABLE social_connect.kept AS {ROWS} LIMIT 5000"
        )
        con.execute("CREATE TABLE social_connect._dlt_loads (load_id VARCHAR NOT NULL, status BIGINT)")
        con.execute(
            "INSERT INTO social_connect._dlt_loads VALUES ('1', 0); COMMENT ON TABLE social_connect.kept IS 'k'"
        )
        con.execute("COMMENT ON COLUMN social_connect.kept.id IS 'its id'")
        con.execute("CREATE VIEW marts.a_view AS FROM social_connect.kept; CREATE VIEW marts.b AS FROM marts.a_view")
        con.execute("CHECKPOINT; DROP TABLE social_connect.gone; CHECKPOINT")
        # What lies at the end keeps the file from being cut.
        con.execute("CREATE TABLE social_connect.last AS FROM range(10); CHECKPOINT")
    warehouse.mark_tested()
    return warehouse


def settings_of(warehouse: Warehouse) -> Settings:
    return read_settings(social_warehouse_home=warehouse.home, social_warehouse_log_days=30)


def contents(file: Path) -> dict[str, Any]:
    with duckdb.connect(file, read_only=True) as con:
        return {
            "rows": con.execute("FROM marts.b ORDER BY ALL").fetchall(),
            "loads": con.execute("FROM social_connect._dlt_loads").fetchall(),
            "comments": con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'kept'").fetchall(),
            "of columns": con.execute("SELECT comment FROM duckdb_columns() WHERE table_name = 'kept'").fetchall(),
            "constraints": con.execute("SELECT constraint_text FROM duckdb_constraints()").fetchall(),
        }


def test_free_space_is_given_back_and_the_file_can_be_published_as_before(warehouse: Warehouse) -> None:
    before, size = contents(warehouse.file), warehouse.file.stat().st_size
    report = run.maintain(settings_of(warehouse), as_of=NOW)
    assert report.compaction.before_bytes == size
    assert report.compaction.after_bytes == warehouse.file.stat().st_size < size / 2
    assert contents(warehouse.file) == before
    assert warehouse.file.stat().st_mode & 0o777 == 0o600
    warehouse.check_tested()
    assert run.publish(settings_of(warehouse)).byte_count > 0
    again = run.maintain(settings_of(warehouse), as_of=NOW)
    assert again.compaction.after_bytes == again.compaction.before_bytes, "there is nothing left to free"
    warehouse.check_tested()


KILLED = """
import os, sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute("INSERT INTO social_connect.last VALUES (11)")
os._exit(9)
"""
"""A process that dies after its commit, which is in the log beside the file then, and not in the file."""


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("is_maintained", [False, True])
def test_what_could_not_be_published_cannot_be_afterwards(
    warehouse: Warehouse, *, is_killed: bool, is_maintained: bool
) -> None:
    if is_killed:
        before = warehouse.file.stat()
        killed = subprocess.run([sys.executable, "-c", KILLED, str(warehouse.file)], check=False)
        after = warehouse.file.stat()
        assert killed.returncode == 9
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    else:
        with duckdb.connect(warehouse.file) as con:
            con.execute("INSERT INTO social_connect.last VALUES (11)")
    if is_maintained:
        run.maintain(settings_of(warehouse), as_of=NOW)
    with pytest.raises(WarehouseUntested):
        run.publish(settings_of(warehouse))


def test_what_was_tested_with_its_log_is_published_with_it(warehouse: Warehouse) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(warehouse.file)], check=False)
    warehouse.mark_tested()
    run.publish(settings_of(warehouse))
    run.maintain(settings_of(warehouse), as_of=NOW)
    assert not (warehouse.home / "warehouse.duckdb.wal").exists()
    run.publish(settings_of(warehouse))
    with warehouse.connect() as con:
        assert con.execute("SELECT count(*) FROM social_connect.last WHERE range = 11").fetchone() == (1,)


@pytest.mark.parametrize("harm", ["disk", "copy"])
def test_where_it_cannot_be_done_the_file_stays_as_it_is(
    warehouse: Warehouse, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if harm == "disk":
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    else:
        monkeypatch.setattr("pipelines.warehouse._contents", lambda _con, database: [[(database,)]])
    inode, before = warehouse.file.stat().st_ino, contents(warehouse.file)
    with pytest.raises(CompactionFailed, match="Make room" if harm == "disk" else "its copy is not the same"):
        run.maintain(settings_of(warehouse), as_of=NOW)
    assert warehouse.file.stat().st_ino == inode
    assert contents(warehouse.file) == before
    assert not list(warehouse.home.glob("*.compacting*"))


def test_old_logs_and_old_sql_go_and_others_stay(warehouse: Warehouse) -> None:
    for name in ("2026-01-30.log", "2026-01-31.log", "2026-03-02.log", "cron.log"):
        (warehouse.logs_folder / name).touch()
    folder = warehouse.dbt_folder / "target" / "compiled" / "p"
    folder.mkdir(parents=True)
    for name, age in (("old.sql", 31), ("new.sql", 29), ("manifest.json", 31)):
        (folder / name).touch()
        at = (NOW - timedelta(days=age)).timestamp()
        os.utime(folder / name, (at, at))
    report = run.maintain(settings_of(warehouse), as_of=NOW)
    assert (report.removed_log_count, report.removed_dbt_file_count) == (1, 1)
    assert sorted(file.name for file in warehouse.logs_folder.iterdir()) == [
        "2026-01-31.log",
        "2026-03-02.log",
        "cron.log",
    ]
    assert sorted(file.name for file in folder.iterdir()) == ["manifest.json", "new.sql"]


def test_it_waits_for_no_run_and_needs_a_warehouse(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.run_lock("a sync"), pytest.raises(WarehouseBusy, match="a sync"):
        run.maintain(settings_of(warehouse), as_of=NOW)
    with pytest.raises(WarehouseUnreadable, match="Run 'social-warehouse sync' first"):
        run.maintain(read_settings(social_warehouse_home=tmp_path / "other"), as_of=NOW)


@pytest.mark.slow
def test_syncs_and_transforms_go_on_in_a_compacted_file(
    make_site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.warehouse.FREE_SHARE", -1)
    monkeypatch.setattr("pipelines.warehouse.LEAST_FREE_BYTES", 0)
    site = make_site()
    site.sync()
    site.transform()
    inode, before = (site.home / "warehouse.duckdb").stat().st_ino, site.snapshot()
    run.maintain(site.settings(), as_of=site.box.now)
    assert (site.home / "warehouse.duckdb").stat().st_ino != inode
    assert site.snapshot() == before
    run.publish(site.settings())
    site.box.advance(hours=6)
    site.sync()
    assert site.transform().is_full_refresh is False
    run.publish(site.settings())
    site.assert_holds_the_truth()

"""A work file says its layout: an older one is brought up to date step by step, a later one is refused."""

# ruff: noqa: S608 - names of tables come from the code

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import migrations
from pipelines.keeping import HISTORY
from pipelines.migrations import LAYOUT, layout_of, migrate
from pipelines.publishing import publish
from pipelines.warehouse import Warehouse, WarehouseUnreadable

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def old(warehouse: Warehouse) -> Warehouse:
    """A work file of before layouts: what was found gone is not said to be mentions."""
    with duckdb.connect(warehouse.file) as con:
        con.execute(f"""
            CREATE SCHEMA {HISTORY};
            CREATE TABLE {HISTORY}.deletions AS SELECT '1417' AS account_id, 'm' || n AS unique_id,
              TIMESTAMPTZ '2026-03-01 00:00:00+00' AS deleted_at, NULL::TIMESTAMPTZ AS restored_at FROM range(2) t(n);
            CREATE TABLE {HISTORY}.days_read AS SELECT '1417' AS account_id,
              TIMESTAMPTZ '2026-03-01 00:00:00+00' AS day_start_at, NULL::TIMESTAMPTZ AS read_at;
        """)
    return warehouse


def rows(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(warehouse.file, read_only=True) as con:
        return con.execute(query).fetchall()


def test_an_older_file_is_brought_up_to_date_and_keeps_its_rows(old: Warehouse) -> None:
    deletions = rows(old, f"SELECT account_id, unique_id, deleted_at FROM {HISTORY}.deletions ORDER BY ALL")
    old.bring_up_to_date()
    same = f"SELECT account_id, unique_id, deleted_at FROM {HISTORY}.deletions WHERE object = 'mention' ORDER BY ALL"
    assert rows(old, same) == deletions
    assert rows(old, f"SELECT object, read_at FROM {HISTORY}.days_read") == [("mention", None)]
    assert rows(old, f"SELECT version FROM {HISTORY}.layout ORDER BY 1") == [(n,) for n in range(1, LAYOUT + 1)]


def test_what_is_up_to_date_is_not_written(old: Warehouse) -> None:
    old.bring_up_to_date()
    before = old.file.stat().st_mtime_ns
    old.bring_up_to_date()
    assert old.file.stat().st_mtime_ns == before


def test_each_step_may_find_its_work_done(old: Warehouse) -> None:
    """A file that has rows before it says its layout: its first load was killed."""
    with duckdb.connect(old.file) as con:
        migrate(con, now=NOW)
        con.execute(
            f"UPDATE {HISTORY}.deletions SET object = 'case' WHERE unique_id = 'm1'; DELETE FROM history.layout"
        )
        migrate(con, now=NOW)
        found = con.execute(f"SELECT unique_id, object FROM {HISTORY}.deletions ORDER BY 1").fetchall()
    assert found == [("m0", "mention"), ("m1", "case")]


def test_a_step_that_fails_leaves_the_layout_before_it(old: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(con: duckdb.DuckDBPyConnection) -> None:
        con.execute(f"DELETE FROM {HISTORY}.deletions")
        con.execute("SELECT * FROM nowhere")

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, fails))
    monkeypatch.setattr(migrations, "LAYOUT", LAYOUT + 1)
    with duckdb.connect(old.file) as con:
        with pytest.raises(duckdb.Error, match="nowhere"):
            migrate(con, now=NOW)
        assert layout_of(con)[0] == LAYOUT
        assert con.execute(f"SELECT count(*) FROM {HISTORY}.deletions").fetchone() == (2,)


def test_a_later_layout_is_refused_by_all_that_open_the_work_file(old: Warehouse) -> None:
    old.bring_up_to_date()
    with duckdb.connect(old.file) as con:
        con.execute(f"INSERT INTO {HISTORY}.layout VALUES ({LAYOUT + 1}, '9.9', now())")
    before = old.file.read_bytes()
    refused = rf"has layout {LAYOUT + 1}, written by version 9\.9 of this program; .* up to {LAYOUT}\. Use that version"
    with pytest.raises(WarehouseUnreadable, match=refused), old.writing("a test"):
        pass
    with pytest.raises(WarehouseUnreadable, match=refused):
        old.bring_up_to_date()
    with pytest.raises(WarehouseUnreadable, match=refused):
        publish(old, now=NOW, keep_count=1)
    assert old.file.read_bytes() == before
    assert not old.published_file.exists()


def test_before_the_first_load_there_is_no_file_to_bring_up_to_date(tmp_path: Path) -> None:
    Warehouse(tmp_path).bring_up_to_date()
    assert not Warehouse(tmp_path).file.exists()

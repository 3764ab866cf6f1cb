"""The warehouse's folder: who may write, what is opened, and what a crash leaves."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.keeping import DATASET, known_versions
from pipelines.publishing import publish
from pipelines.warehouse import MARTS, Warehouse, WarehouseBusy, WarehouseUnreadable
from transforms.contract import contract

# --- The writer lock ---


def test_one_writer_at_a_time_and_the_other_is_told_who_it_is(warehouse: Warehouse) -> None:
    with (
        warehouse.writer_lock("a sync that loads"),
        pytest.raises(
            WarehouseBusy, match=rf"in use by a sync that loads \(process {os.getpid()}, since 20.*Wait until"
        ),
        Warehouse(warehouse.home).writer_lock("another"),
    ):
        raise AssertionError("two writers")
    with Warehouse(warehouse.home).writer_lock("another"):
        assert warehouse.writer() is not None


def test_the_refused_writer_does_not_take_the_holders_name_away(warehouse: Warehouse) -> None:
    with warehouse.writer_lock("the holder"):
        for _ in range(2):
            with pytest.raises(WarehouseBusy, match="the holder"), Warehouse(warehouse.home).writer_lock("another"):
                raise AssertionError("two writers")
        assert "the holder" in str(warehouse.writer())


def test_a_failing_writer_lets_go(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.writer_lock("a sync"):
        raise ZeroDivisionError
    assert warehouse.writer() is None
    assert not (warehouse.home / "writer.json").exists()


@pytest.mark.parametrize("left", ["", '{"hol', '{"holder": "a sync", "pid": 1, "since": "then"}'])
def test_a_name_that_a_dead_writer_left_holds_nothing(warehouse: Warehouse, left: str) -> None:
    (warehouse.home / "writer.json").write_text(left, encoding="utf-8")
    assert warehouse.writer() is None
    with warehouse.writer_lock("a sync"):
        assert "a sync" in str(Warehouse(warehouse.home).writer())


@pytest.mark.parametrize("left", ["", '{"hol'])
def test_a_holder_whose_name_is_half_written_is_another_process(warehouse: Warehouse, left: str) -> None:
    with warehouse.writer_lock("a sync"):
        (warehouse.home / "writer.json").write_text(left, encoding="utf-8")
        assert Warehouse(warehouse.home).writer() == "another process"


def test_the_folders_are_the_owners_alone(warehouse: Warehouse) -> None:
    folders = [warehouse.home, *(path for path in warehouse.home.iterdir() if path.is_dir())]
    assert len(folders) == 6
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


# --- Opening ---


def test_a_missing_file_is_named_with_the_next_step_and_not_made(warehouse: Warehouse) -> None:
    for connection in (warehouse.connect(), warehouse.connect_published()):
        with (
            pytest.raises(WarehouseUnreadable, match=r"does not exist\. Run 'social-warehouse sync' first"),
            connection,
        ):
            pass
    assert not warehouse.file.exists()
    assert not warehouse.published_file.exists()


def test_a_damaged_file_is_named(warehouse: Warehouse) -> None:
    warehouse.file.write_bytes(b"not a database" * 1000)
    with pytest.raises(WarehouseUnreadable, match=r"warehouse\.duckdb cannot be opened"), warehouse.connect():
        pass


@pytest.mark.parametrize(
    "query",
    [
        "COPY mentions TO '{outside}'",
        "FROM read_csv('{secret}')",
        "FROM '{secret}'",
        "SELECT content FROM read_text('{secret}')",
        "FROM glob('{folder}/*')",
        "ATTACH '{outside}' AS other",
        "EXPORT DATABASE '{outside}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FROM frame",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET python_enable_replacements = true",
        "SET temp_directory = '{folder}'",
    ],
)
def test_a_query_of_a_reader_reaches_nothing_but_the_copy(filled: Warehouse, tmp_path: Path, query: str) -> None:
    publish(filled, now=datetime.now(UTC), keep_count=3)
    outside, secret = tmp_path / "outside", tmp_path / "secret.csv"
    secret.write_text("a\nsecret\n", encoding="utf-8")
    frame = pa.table({"a": ["secret"]})
    with filled.connect_published() as con, pytest.raises(duckdb.Error):
        con.execute(query.format(outside=outside, secret=secret, folder=tmp_path)).fetchall()
    assert not outside.exists()
    assert frame.num_rows == 1


def test_a_reader_who_allows_it_may_copy_rows_out(filled: Warehouse, tmp_path: Path) -> None:
    publish(filled, now=datetime.now(UTC), keep_count=3)
    file = tmp_path / "mentions.parquet"
    with filled.connect_published(allows_files=True) as con:
        con.execute(f"COPY mentions TO '{file}'")
        assert con.execute(f"SELECT count(*) FROM '{file}'").fetchone() == (2,)
        with pytest.raises(duckdb.Error, match=r"read-only|read only"):
            con.execute("DELETE FROM mentions")


def test_compacting_keeps_every_row_and_no_byte_of_what_was_deleted(filled: Warehouse) -> None:
    with filled.writing("a test") as con:
        con.execute(f"UPDATE {DATASET}.mentions SET author_name = 'Quagga Zwaluwstaart the ' || unique_id")
        con.execute("CHECKPOINT")
        con.execute(f"UPDATE {DATASET}.mentions SET author_name = NULL")
        before = con.execute(f"FROM {DATASET}.mentions ORDER BY unique_id").fetchall()
    assert b"Quagga Zwaluwstaart" in filled.file.read_bytes(), "else this would show nothing"
    filled.compact(always=True)
    assert b"Zwaluwstaart" not in filled.file.read_bytes()
    with filled.connect() as con:
        assert con.execute(f"FROM {DATASET}.mentions ORDER BY unique_id").fetchall() == before
        assert con.execute(f"SELECT count(*) FROM {MARTS}.fct_mentions").fetchone() == (2,)
        (comment,) = con.execute("SELECT comment FROM duckdb_views() WHERE view_name = 'fct_mentions'").fetchone() or (
            "",
        )
    assert comment == "One row per mention."
    assert sorted(path.name for path in filled.home.glob("warehouse*")) == ["warehouse.duckdb"]


# --- What the loader asks ---


def known(warehouse: Warehouse, asked: pa.Table) -> pa.Table:
    with warehouse.connect() as con:
        return known_versions(con, contract("mention").root, asked)


def keys(*unique_ids: str) -> pa.Table:
    return pa.table({"account_id": ["1417"] * len(unique_ids), "unique_id": list(unique_ids)})


def test_known_versions_are_those_asked_for(filled: Warehouse) -> None:
    found = known(filled, keys("m1", "stranger"))
    assert found.to_pylist() == [{"account_id": "1417", "unique_id": "m1", "_content_hash": "hash1"}]


def test_of_another_account_nothing_is_known(filled: Warehouse) -> None:
    asked = pa.table({"account_id": ["2020"], "unique_id": ["m1"]})
    assert known(filled, asked).num_rows == 0


def test_without_a_table_nothing_is_known_in_the_same_shape(warehouse: Warehouse) -> None:
    shape = ["account_id", "unique_id", "_content_hash"]
    duckdb.connect(warehouse.file).close()
    found = known(warehouse, keys("m1"))
    assert (found.num_rows, found.column_names) == (0, shape)


@pytest.fixture
def half_loaded(filled: Warehouse) -> Warehouse:
    """A load that was stopped: m1 has a new tag from it, m2 only tags, m3 only a row, and m0's tag is still staged."""
    with duckdb.connect(filled.file) as con:
        con.execute(f"""
            INSERT INTO {DATASET}.mention_tags BY NAME SELECT '1417' AS account_id, unnest(['m1', 'm2']) AS unique_id,
              1 AS position, 'new' AS tag, 'stopped' AS _dlt_load_id, now() AS _loaded_at;
            INSERT INTO {DATASET}.mentions BY NAME SELECT '1417' AS account_id, 'm3' AS unique_id,
              'hash3' AS _content_hash, 'stopped' AS _dlt_load_id, now() AS _loaded_at;
            CREATE SCHEMA {DATASET}_staging;
            CREATE TABLE {DATASET}_staging.mention_tags AS
                SELECT '1417' AS account_id, 'm0' AS unique_id, 0 AS position, 'new' AS tag, 'stopped' AS _dlt_load_id;
        """)
    return filled


def test_rows_of_a_stopped_load_are_written_again_whatever_they_hold(half_loaded: Warehouse) -> None:
    half_loaded.distrust_unfinished_loads()
    with half_loaded.connect() as con:
        versions = dict(con.execute(f"SELECT unique_id, _content_hash FROM {DATASET}.mentions").fetchall())
        orphans = con.execute(f"SELECT * FROM {DATASET}.mention_tags WHERE unique_id = 'm2'").fetchall()
    assert versions == {"m0": None, "m1": None, "m3": None}
    assert orphans == []


def test_rows_of_ended_loads_keep_their_version(filled: Warehouse) -> None:
    filled.distrust_unfinished_loads()
    found = known(filled, keys("m0", "m1"))
    assert sorted(found["_content_hash"].to_pylist()) == ["hash0", "hash1"]


def test_a_contract_that_has_grown_since_the_last_load_is_in_nobodys_way(filled: Warehouse) -> None:
    """A new version of this program declares a table and a column that only the next sync will make."""
    with duckdb.connect(filled.file) as con:
        con.execute(f"DROP TABLE {DATASET}.mention_todos; ALTER TABLE {DATASET}.mentions DROP COLUMN status")
    filled.distrust_unfinished_loads()
    publish(filled, now=datetime.now(UTC), keep_count=1)
    with filled.connect_published() as con:
        assert con.execute("SELECT count(*) FROM mentions").fetchone() == (2,)


def test_a_load_that_is_taken_back_leaves_no_row(half_loaded: Warehouse) -> None:
    half_loaded.take_back("stopped")
    with half_loaded.connect() as con:
        mentions = con.execute(f"SELECT unique_id FROM {DATASET}.mentions ORDER BY ALL").fetchall()
        tags = con.execute(f"SELECT count(*) FROM {DATASET}.mention_tags WHERE _dlt_load_id = 'stopped'").fetchone()
    assert mentions == [("m0",), ("m1",)]
    assert tags == (0,)


def test_there_is_nothing_to_take_back_or_to_distrust_before_the_first_load(warehouse: Warehouse) -> None:
    warehouse.take_back("stopped")
    warehouse.distrust_unfinished_loads()
    assert not warehouse.file.exists()


def test_the_holder_file_is_plain_json(warehouse: Warehouse) -> None:
    with warehouse.writer_lock("a sync"):
        holder = json.loads((warehouse.home / "writer.json").read_text(encoding="utf-8"))
    assert holder["holder"] == "a sync"
    assert holder["pid"] == os.getpid()
    assert datetime.fromisoformat(holder["since"]).tzinfo is not None

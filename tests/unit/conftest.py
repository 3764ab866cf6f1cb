"""A warehouse's folder, empty and with a small work file; a process without options."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import os
from pathlib import Path

import duckdb
import pytest

from pipelines.keeping import DATASET
from pipelines.warehouse import MARTS, Warehouse
from transforms.contract import contract
from transforms.selects import STORED_AS


@pytest.fixture
def nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, and no option in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith(("SOCIAL_CONNECT_", "SOCIAL_WAREHOUSE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "home")
    made.make_folders()
    return made


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """Every table of the mention's contract, two mentions with tags, a mart over them, and the loader's own table."""
    with duckdb.connect(warehouse.file) as con:
        con.execute(f"CREATE SCHEMA {DATASET}; CREATE SCHEMA {MARTS}")
        for table in contract("mention").tables:
            columns = ", ".join(f'"{column.name}" {STORED_AS[column.type]}' for column in table.all_columns)
            con.execute(f"CREATE TABLE {DATASET}.{table.name} ({columns}, _dlt_load_id VARCHAR)")
        con.execute(f"""
            INSERT INTO {DATASET}.mentions BY NAME SELECT '1417' AS account_id, 'm' || n AS unique_id,
              'hash' || n AS _content_hash, 'ended' AS _dlt_load_id, now() AS _loaded_at FROM range(2) t(n);
            INSERT INTO {DATASET}.mention_tags BY NAME SELECT account_id, unique_id, 0 AS position, 'tag' AS tag,
              'ended' AS _dlt_load_id, now() AS _loaded_at FROM {DATASET}.mentions;
            CREATE TABLE {DATASET}._dlt_loads AS SELECT 'ended' AS load_id, 0 AS status;
            CREATE VIEW {MARTS}.fct_mentions AS
              SELECT unique_id, DATE '2026-03-02' AS mention_date FROM {DATASET}.mentions;
            COMMENT ON VIEW {MARTS}.fct_mentions IS 'One row per mention.';
        """)
    return warehouse

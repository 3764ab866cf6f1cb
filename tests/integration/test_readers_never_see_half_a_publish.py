"""Readers in processes of their own, in a loop, while versions are published, exported and rolled back beside them."""

# ruff: noqa: S608 - names of tables and columns come from here

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from pipelines.publishing import publish, roll_back, versions
from pipelines.warehouse import Warehouse

pytestmark = pytest.mark.slow

READING = """
import json, sys
from pathlib import Path
import duckdb

published, ready, stop, manner = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
file = published / "warehouse.duckdb"
kept = duckdb.connect(file, read_only=True) if manner == "kept open" else None
reads = []
while True:
    is_last = stop.exists()
    if manner == "parquet":
        folder = (published / "parquet").resolve()
        con = duckdb.connect()
        tables = [f"read_parquet('{folder}/{name}/**/*.parquet')" for name in ("first", "last", "both")]
        about = json.loads((folder / "schema.json").read_text())["version"]
    else:
        con = kept or duckdb.connect(file, read_only=True)
        tables = ["marts.first", "marts.last", "marts.both"]
        (about,) = con.execute("SELECT version FROM marts.published_version").fetchone()
    seen = [con.execute(f"SELECT min(number), max(number), count(*) FROM {table}").fetchone() for table in tables]
    reads.append([about, *seen])
    if con is not kept:
        con.close()
    ready.touch()
    if is_last:
        break
print(json.dumps(reads))
"""
"""Reads three tables until told to stop; each version has one number in all of their rows."""
MANNERS = ("opened anew", "kept open", "parquet")
ROW_COUNT = 20_000


def give_number(warehouse: Warehouse, number: int) -> None:
    with duckdb.connect(warehouse.file) as con:
        con.execute(f"""
            CREATE SCHEMA IF NOT EXISTS marts;
            CREATE OR REPLACE TABLE marts.first AS SELECT {number} AS number FROM range({ROW_COUNT});
            CREATE OR REPLACE TABLE marts.last AS SELECT {number} AS number FROM range({ROW_COUNT});
            CREATE OR REPLACE VIEW marts.both AS SELECT number FROM marts.first UNION ALL SELECT number FROM marts.last;
        """)


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, list[list[object]]]]:
    """The number of each version that was published, and what each reader read, manner by manner."""
    folder = tmp_path_factory.mktemp("readers")
    warehouse = Warehouse(folder / "home")
    warehouse.make_folders()
    stop = folder / "stop"
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    published: dict[str, int] = {}

    def publish_number(number: int) -> None:
        give_number(warehouse, number)
        now = start + timedelta(minutes=number)
        published[publish(warehouse, now=now, keep_count=3, exports_parquet=True).name] = number

    publish_number(0)
    readers = {
        manner: subprocess.Popen(
            [sys.executable, "-c", READING, warehouse.published_folder, folder / manner, stop, manner],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for manner in MANNERS
    }
    try:
        while not all((folder / manner).exists() for manner in MANNERS):  # all have read the first version
            assert all(reader.poll() is None for reader in readers.values()), "a reader has ended"
            time.sleep(0.05)
        for number in range(1, 7):
            publish_number(number)
            if number % 2 == 0:
                roll_back(warehouse)
    finally:
        stop.touch()
        ended = {manner: reader.communicate(timeout=120) for manner, reader in readers.items()}
    assert {manner: complaint for manner, (_, complaint) in ended.items() if complaint} == {}
    assert next(version for version in versions(warehouse) if version.is_published).name.endswith("0500Z")
    return published, {manner: json.loads(said) for manner, (said, _) in ended.items()}


@pytest.mark.parametrize("manner", MANNERS)
def test_every_read_is_of_one_version_and_whole(
    reads: tuple[dict[str, int], dict[str, list[list[object]]]], manner: str
) -> None:
    published, by_manner = reads
    for version, *seen in by_manner[manner]:
        number = published[str(version)]
        assert seen == [[number, number, ROW_COUNT], [number, number, ROW_COUNT], [number, number, 2 * ROW_COUNT]]


def test_who_opens_anew_sees_what_is_new_and_who_keeps_it_open_keeps_it(
    reads: tuple[dict[str, int], dict[str, list[list[object]]]],
) -> None:
    published, by_manner = reads
    for manner in ("opened anew", "parquet"):
        seen = [published[str(version)] for version, *_ in by_manner[manner]]
        assert seen[0] == 0
        assert seen[-1] == 5, "the last rollback went back from 6 to 5"
    assert {published[str(version)] for version, *_ in by_manner["kept open"]} == {0}

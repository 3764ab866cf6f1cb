"""What readers find: a copy that is whole, its last versions, the way back, and the Parquet export beside it."""

# ruff: noqa: S608 - names of tables and columns come from the contract or the catalogue

import json
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from pipelines import publishing
from pipelines.cli import _print_versions
from pipelines.keeping import DATASET
from pipelines.publishing import PARTITIONED_BY, NothingToRollBackTo, Version, forget_versions, roll_back, versions
from pipelines.warehouse import MARTS, Warehouse, WarehouseUnreadable
from transforms.contract import contract

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
MODELS = Path(__file__).parents[2] / "sql" / "models" / "marts"


def publish(warehouse: Warehouse, number: int = 0, *, keep_count: int = 3, exports_parquet: bool = False) -> Version:
    """Publishes as of the number's hour of a morning, with as many mentions more in the work file."""
    with duckdb.connect(warehouse.file) as con:
        con.execute(f"DELETE FROM {DATASET}.mentions WHERE starts_with(unique_id, 'more')")
        con.execute(
            f"INSERT INTO {DATASET}.mentions BY NAME SELECT '1417' AS account_id, 'more' || n AS unique_id"
            " FROM range($1) t(n)",
            [number],
        )
    now = MORNING + timedelta(hours=number)
    return publishing.publish(warehouse, now=now, keep_count=keep_count, exports_parquet=exports_parquet)


def published_number(warehouse: Warehouse) -> int:
    """The number that the published copy was published with; read from its bytes, as a new process would."""
    with duckdb.connect(warehouse.published_file.resolve(), read_only=True) as con:
        (count,) = con.execute(f"SELECT count(*) - 2 FROM {DATASET}.mentions").fetchone() or (None,)
    return int(str(count))


def numbers(warehouse: Warehouse) -> list[int]:
    return [int(version.name[9:11]) - MORNING.hour for version in versions(warehouse)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def small(warehouse: Warehouse) -> Warehouse:
    """Two mentions, and a mart over them: what is about versions needs no more."""
    with duckdb.connect(warehouse.file) as con:
        con.execute(f"""
            CREATE SCHEMA {DATASET}; CREATE SCHEMA {MARTS};
            CREATE TABLE {DATASET}.mentions AS SELECT '1417' AS account_id, 'm' || n AS unique_id FROM range(2) t(n);
            CREATE VIEW {MARTS}.fct_mentions AS
              SELECT unique_id, DATE '2026-03-02' AS mention_date FROM {DATASET}.mentions;
            COMMENT ON VIEW {MARTS}.fct_mentions IS 'One row per mention.';
        """)
    return warehouse


# --- The copy ---


def test_the_copy_has_every_table_and_view_and_none_of_the_loaders(filled: Warehouse) -> None:
    assert publish(filled).byte_count == filled.published_file.stat().st_size
    with duckdb.connect(filled.published_file, read_only=True) as con:
        found = con.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
        tables = sorted((DATASET, table.name) for table in contract("mention").tables)
        assert found == [(MARTS, "fct_mentions"), (MARTS, "published_version"), *tables]
        assert con.execute(f"SELECT count(*) FROM {MARTS}.fct_mentions").fetchone() == (2,)
    assert names(filled.published_folder) == ["versions", "warehouse.duckdb"]
    for path in filled.published_folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_copy_says_what_its_tables_and_columns_mean(filled: Warehouse) -> None:
    publish(filled)
    with filled.connect_published() as con:
        (table,) = con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'mentions'").fetchone() or ()
        (mart,) = con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'fct_mentions'").fetchone() or ()
        (column,) = (
            con.execute(
                "SELECT comment FROM duckdb_columns() WHERE table_name = 'mentions' AND column_name = 'unique_id'"
            ).fetchone()
            or ()
        )
    root = contract("mention").root
    assert table == root.description
    assert mart == "One row per mention."
    assert column == next(column.description for column in root.all_columns if column.name == "unique_id")


def test_views_stay_views_but_facts_are_tables_with_the_rows_of_what_stays_behind(small: Warehouse) -> None:
    with duckdb.connect(small.file) as con:
        con.execute(f"""
            CREATE SCHEMA intermediate;
            CREATE TABLE intermediate.int_actions AS
              SELECT unique_id, 1 AS action_number FROM {DATASET}.mentions;
            CREATE VIEW {MARTS}.fct_mention_actions AS FROM intermediate.int_actions;
            CREATE VIEW {MARTS}.rpt_volume AS SELECT count(*) AS action_count FROM {MARTS}.fct_mention_actions;
            COMMENT ON VIEW {MARTS}.rpt_volume IS 'One row.';
            COMMENT ON VIEW {MARTS}.fct_mention_actions IS 'One row per action.';
            COMMENT ON COLUMN {MARTS}.fct_mention_actions.action_number IS 'From the oldest.';
        """)
    publish(small)
    with small.connect_published() as con:
        relations = con.execute(
            "SELECT table_name, comment FROM duckdb_tables()"
            " WHERE schema_name = $1 AND table_name <> 'published_version'"
            " UNION ALL SELECT view_name || ' (view)', comment FROM duckdb_views() WHERE schema_name = $1 ORDER BY 1",
            [MARTS],
        ).fetchall()
        columns = con.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'fct_mention_actions'"
        ).fetchall()
        assert con.execute("FROM fct_mention_actions ORDER BY ALL").fetchall() == [("m0", 1), ("m1", 1)]
        assert con.execute("FROM rpt_volume").fetchall() == [(2,)]
    assert relations == [
        ("fct_mention_actions", "One row per action."),
        ("fct_mentions", "One row per mention."),
        ("rpt_volume (view)", "One row."),
    ]
    assert columns == [("unique_id", None), ("action_number", "From the oldest.")]


def test_the_copy_says_which_version_it_is_and_what_it_is_reckoned_to(filled: Warehouse) -> None:
    with duckdb.connect(filled.file) as con:
        con.execute(
            "CREATE SCHEMA intermediate;"
            "CREATE TABLE intermediate.int_as_of AS SELECT TIMESTAMPTZ '2026-03-02 08:59:00+00' AS as_of"
        )
    publish(filled)
    with filled.connect_published() as con:
        told = con.execute("SELECT version, published_at, as_of FROM published_version").fetchall()
    assert told == [("20260302T090000Z", MORNING, MORNING - timedelta(minutes=1))]
    assert versions(filled)[0].as_of == MORNING - timedelta(minutes=1)


def test_readers_cannot_write_and_need_no_schema_and_see_utc(filled: Warehouse) -> None:
    publish(filled)
    with filled.connect_published() as con:
        assert con.execute("SELECT count(*) FROM fct_mentions JOIN mentions USING (unique_id)").fetchone() == (2,)
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        with pytest.raises(duckdb.Error, match=r"read-only|read only"):
            con.execute("DELETE FROM mentions")


# --- What goes wrong ---


def test_a_publish_that_fails_leaves_the_last_copy_and_nothing_else(filled: Warehouse) -> None:
    publish(filled)
    before = filled.published_file.read_bytes()
    with duckdb.connect(filled.file) as con:
        con.execute(f"ALTER TABLE {DATASET}.mentions RENAME TO mentions_of_old")  # the mart's view now leads nowhere
    with pytest.raises(duckdb.Error):
        publishing.publish(filled, now=MORNING, keep_count=3)
    filled.file.unlink()
    with pytest.raises(WarehouseUnreadable, match="Run 'social-warehouse sync' first"):
        publishing.publish(filled, now=MORNING, keep_count=3)
    assert filled.published_file.read_bytes() == before
    assert names(filled.published_folder) == ["versions", "warehouse.duckdb"]
    assert len(versions(filled)) == 1


def test_what_a_killed_publish_left_is_in_nobodys_way(filled: Warehouse) -> None:
    """A half-built file, and the log of a database that is no more."""
    building = filled.published_file.with_suffix(".building")
    with duckdb.connect(building) as con:
        con.execute("SET wal_autocheckpoint = '1TB'; CREATE SCHEMA old; CREATE TABLE old.left_over (i int)")
        log = building.with_name(f"{building.name}.wal")
        kept, kept_log = building.read_bytes(), log.read_bytes()
    building.write_bytes(kept)
    log.write_bytes(kept_log)
    publish(filled)
    with filled.connect_published() as con:
        found = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert "left_over" not in found
    assert "mentions" in found
    assert names(filled.published_folder) == ["versions", "warehouse.duckdb"]


PUBLISHING = """
import os, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines import publishing
from pipelines.warehouse import Warehouse

def dies(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "full disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
else:
    setattr(publishing, sys.argv[2], dies)
now = datetime(2026, 3, 2, 10, tzinfo=UTC)
publishing.publish(Warehouse(Path(sys.argv[1])), now=now, keep_count=3, exports_parquet=True)
"""
"""Publishes in a process of its own that no file may grow large in, or that is killed where a function is called."""
MOMENTS = ("_describe", "_export", "keys_of_marts", "_point_to", "_point_parquet_to", "_remove_all_but")
AFTER_THE_SWAP = {"_point_parquet_to", "_remove_all_but"}


@pytest.mark.slow
def test_killed_at_any_moment_or_on_a_full_disk_it_leaves_the_old_copy_or_the_new(
    small: Warehouse, tmp_path: Path
) -> None:
    publish(small, exports_parquet=True)
    homes = {moment: Warehouse(tmp_path / moment) for moment in ("full disk", *MOMENTS)}
    for warehouse in homes.values():
        shutil.copytree(small.home, warehouse.home, symlinks=True)

    def publish_apart(moment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PUBLISHING, str(homes[moment].home), moment]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    with ThreadPoolExecutor(max_workers=2) as pool:
        ended = dict(zip(homes, pool.map(publish_apart, homes), strict=True))
    for moment, home in homes.items():
        if moment == "full disk":
            assert ended[moment].returncode == 1
            assert "File too large" in ended[moment].stderr
        else:
            assert ended[moment].returncode == -signal.SIGKILL, ended[moment].stderr
        (published,) = (version for version in versions(home) if version.is_published)
        assert published.name == ("20260302T100000Z" if moment in AFTER_THE_SWAP else "20260302T090000Z")
        assert published_number(home) == 0
        readable = read_parquet(home, "fct_mentions")
        assert len(readable) == 2
        publish(home, 2, exports_parquet=True)
        assert published_number(home) == 2
        assert names(home.published_folder) == ["parquet", "parquet-versions", "versions", "warehouse.duckdb"]
        assert names(home.published_folder / "parquet-versions") == [version.name for version in versions(home)][::-1]


# --- Versions ---


def test_the_last_versions_are_kept_and_take_no_space_twice(small: Warehouse) -> None:
    for number in range(5):
        publish(small, number)
    assert numbers(small) == [4, 3, 2]
    assert [version.is_published for version in versions(small)] == [True, False, False]
    assert small.published_file.samefile(versions(small)[0].file)
    publish(small, 5, keep_count=1)
    assert numbers(small) == [5]


def test_without_hard_links_the_copy_is_a_copy(small: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_self: Path, _target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuses)
    publish(small, 0)
    publish(small, 1)
    assert roll_back(small).name == "20260302T090000Z"
    assert published_number(small) == 0
    assert [version.is_published for version in versions(small)] == [False, True]
    assert not small.published_file.samefile(versions(small)[1].file)


def test_versions_of_one_second_or_of_a_clock_that_went_back_keep_their_order(small: Warehouse) -> None:
    made = [publishing.publish(small, now=MORNING - timedelta(hours=n), keep_count=3).name for n in (0, 0, 1)]
    assert made == ["20260302T090000Z", "20260302T090001Z", "20260302T090002Z"]


def test_a_rollback_goes_one_back_each_time_until_there_is_none(small: Warehouse) -> None:
    for number in range(3):
        publish(small, number)
    for number in (1, 0):
        assert roll_back(small).is_published
        assert published_number(small) == number
        assert numbers(small) == [2, 1, 0]
    with pytest.raises(NothingToRollBackTo, match=r"SOCIAL_WAREHOUSE_PUBLISHED_VERSIONS says how many"):
        roll_back(small)
    assert published_number(small) == 0


def test_what_was_rolled_back_from_is_not_gone_back_to(small: Warehouse) -> None:
    for number in range(3):
        publish(small, number)
    roll_back(small)
    publish(small, 3)
    assert numbers(small) == [3, 1, 0]
    roll_back(small)
    assert published_number(small) == 1


def test_before_the_first_publish_there_is_nothing_to_go_back_to(small: Warehouse) -> None:
    with pytest.raises(WarehouseUnreadable, match="Run 'social-warehouse sync' first"):
        roll_back(small)
    assert versions(small) == []


def test_a_copy_of_before_there_were_versions_stays_until_the_next_publish(small: Warehouse) -> None:
    small.published_file.write_bytes(small.file.read_bytes())
    with pytest.raises(NothingToRollBackTo):
        roll_back(small)
    assert small.published_file.read_bytes() == small.file.read_bytes()
    publish(small, 1)
    assert numbers(small) == [1]


def damage(file: Path) -> None:
    """Overwrites a version under each of its names."""
    file.write_bytes(b"no database" * 1000)


def test_a_published_file_that_is_damaged_is_replaced_by_the_next_publish(small: Warehouse) -> None:
    for number in range(2):
        publish(small, number)
    damage(small.published_file)
    assert [(each.is_published, each.is_readable) for each in versions(small)] == [(True, False), (False, True)]
    assert versions(small)[0].as_of is None
    assert publish(small, 2).is_readable
    assert published_number(small) == 2
    assert numbers(small) == [2, 1, 0]


def test_a_published_file_that_is_damaged_is_gone_back_from(small: Warehouse) -> None:
    for number in range(2):
        publish(small, number)
    damage(small.published_file)
    roll_back(small)
    assert published_number(small) == 0


def test_a_damaged_version_is_not_gone_back_to_and_the_next_step_is_said(small: Warehouse) -> None:
    for number in range(3):
        publish(small, number)
    damaged = versions(small)[1].file
    damage(damaged)
    with pytest.raises(WarehouseUnreadable, match=rf"{damaged}, .+ cannot be read.+ Remove that file and try again"):
        roll_back(small)
    assert published_number(small) == 2
    damaged.unlink()
    roll_back(small)
    assert published_number(small) == 0


def test_a_list_of_versions_says_which_cannot_be_read(small: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        publish(small, number)
    damage(versions(small)[1].file)
    _print_versions(versions(small), as_json=False)
    whole, damaged = capsys.readouterr().out.splitlines()
    assert "data of an unknown time" in whole
    assert " ".join(damaged.split()) == "version 20260302T090000Z, cannot be read, 0.0 MB"


def test_in_a_folder_that_was_copied_without_its_times_the_published_version_is_known(
    small: Warehouse, tmp_path: Path
) -> None:
    for number in range(2):
        publish(small, number)
    roll_back(small)
    copied = Warehouse(tmp_path / "copied")
    shutil.copytree(small.home, copied.home, copy_function=shutil.copyfile)
    assert [version.is_published for version in versions(copied)] == [False, True]


def test_a_copy_that_is_none_of_the_versions_is_not_gone_back_from(small: Warehouse) -> None:
    for number in range(2):
        publish(small, number)
    small.published_file.unlink()
    small.published_file.write_bytes(small.file.read_bytes())
    with pytest.raises(NothingToRollBackTo, match=r"is none of the versions in .+ Run 'social-warehouse publish'"):
        roll_back(small)
    publish(small, 2)
    assert numbers(small) == [2, 1, 0]


def test_beside_a_publish_the_published_version_is_found(small: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(small, 0)

    def look_before_a_publish(file: Path) -> str | None:
        monkeypatch.undo()
        looked = publishing._signature(file)
        publish(small, 1, keep_count=1)
        return looked

    monkeypatch.setattr(publishing, "_signature", look_before_a_publish)
    assert [(each.name, each.is_published) for each in versions(small)] == [("20260302T100000Z", True)]


def test_a_version_that_a_publish_removes_meanwhile_is_none(small: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(small, 0)
    publish(small, 1)
    told = publishing._as_of

    def look_after_a_publish(file: Path) -> datetime | None:
        (small.published_folder / "versions" / "20260302T090000Z.duckdb").unlink(missing_ok=True)
        return told(file)

    monkeypatch.setattr(publishing, "_as_of", look_after_a_publish)
    assert numbers(small) == [1]


# --- Parquet ---


def read_parquet(warehouse: Warehouse, table: str) -> list[tuple[Any, ...]]:
    """The rows of an exported table, with its partition's column where it has one."""
    folder = warehouse.published_folder / "parquet" / table
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        files = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
        return con.execute(f"FROM {files} ORDER BY ALL").fetchall()


@pytest.fixture
def with_facts(small: Warehouse) -> Warehouse:
    """Replies of two months and one without a time, and security events without a row."""
    with duckdb.connect(small.file) as con:
        con.execute(f"""
            SET TimeZone = 'UTC';
            CREATE TABLE {MARTS}.fct_replies (unique_id VARCHAR, started_at TIMESTAMPTZ);
            INSERT INTO {MARTS}.fct_replies VALUES
              ('m0', '2026-02-28 23:59:59+00'), ('m1', '2026-03-01 00:00:00+00'), ('m2', NULL);
            CREATE TABLE {MARTS}.fct_security_events (event_id VARCHAR, event_date DATE);
            COMMENT ON TABLE {MARTS}.fct_replies IS 'One row per wait.';
            COMMENT ON COLUMN {MARTS}.fct_replies.started_at IS 'When it began.';
        """)
    return small


def test_an_export_has_every_mart_by_month_where_it_grows_with_time(with_facts: Warehouse) -> None:
    publish(with_facts, exports_parquet=True)
    folder = with_facts.published_folder / "parquet"
    assert names(folder) == ["fct_mentions", "fct_replies", "fct_security_events", "published_version", "schema.json"]
    months = ["started_month=2026-02", "started_month=2026-03", "started_month=__HIVE_DEFAULT_PARTITION__"]
    assert names(folder / "fct_replies") == months
    first, second = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    assert read_parquet(with_facts, "fct_replies") == [
        ("m0", first, "2026-02"),
        ("m1", second, "2026-03"),
        ("m2", None, None),
    ]
    day = datetime(2026, 3, 2, tzinfo=UTC).date()
    assert read_parquet(with_facts, "fct_mentions") == [("m0", day, "2026-03"), ("m1", day, "2026-03")]
    assert read_parquet(with_facts, "fct_security_events") == []
    for path in folder.resolve().rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_export_says_what_its_tables_are(with_facts: Warehouse) -> None:
    publish(with_facts, exports_parquet=True)
    folder = with_facts.published_folder / "parquet"
    told = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    assert told["version"] == "20260302T090000Z"
    tables = {table["name"]: table for table in told["tables"]}
    assert {name: table["row_count"] for name, table in tables.items()} == {
        "fct_mentions": 2,
        "fct_replies": 3,
        "fct_security_events": 0,
        "published_version": 1,
    }
    assert tables["fct_mentions"]["kind"] == "table"
    assert tables["fct_mentions"]["description"] == "One row per mention."
    replies = tables["fct_replies"]
    assert replies["partitioned_by"] == "started_month"
    assert replies["key"] == ["account_id", "object", "unique_id", "wait_number"]
    assert [(column["name"], column["type"], column["description"]) for column in replies["columns"]] == [
        ("unique_id", "VARCHAR", None),
        ("started_at", "TIMESTAMP WITH TIME ZONE", "When it began."),
        ("started_month", "VARCHAR", "Month of started_at, as 2026-03, in UTC; in the folders' names."),
    ]
    for name, table in tables.items():
        with duckdb.connect() as con:
            files = f"read_parquet('{folder}/{name}/**/*.parquet', hive_partitioning = true)"
            found = con.execute(f"DESCRIBE FROM {files}").fetchall()
        assert [column[0] for column in found] == [column["name"] for column in table["columns"]]


def test_exports_go_with_their_versions_and_the_one_that_readers_find_stays(small: Warehouse) -> None:
    exports = small.published_folder / "parquet-versions"
    for number in range(3):
        publish(small, number, exports_parquet=True, keep_count=2)
    assert names(exports) == ["20260302T100000Z", "20260302T110000Z"]
    assert len(read_parquet(small, "fct_mentions")) == 4
    for number in (3, 4, 5):
        publish(small, number, keep_count=2)
    assert names(exports) == ["20260302T110000Z"], "nothing has been exported since, and readers have it"
    assert len(read_parquet(small, "fct_mentions")) == 4


def test_a_rollback_takes_the_export_along(small: Warehouse) -> None:
    """Also where that version was not exported."""
    publish(small, 0)
    publish(small, 1, exports_parquet=True)
    roll_back(small)
    assert len(read_parquet(small, "fct_mentions")) == 2
    assert json.loads((small.published_folder / "parquet" / "schema.json").read_text())["version"][9:11] == "09"


def test_a_rollback_without_an_export_makes_none(small: Warehouse) -> None:
    for number in range(2):
        publish(small, number)
    roll_back(small)
    assert not (small.published_folder / "parquet").exists()


@cache
def models() -> dict[str, Any]:
    """Every mart, as its yml describes it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    texts = [file.read_text(encoding="utf-8") for file in sorted(MODELS.glob("*.yml"))]
    files = [yaml.load(text, loader) for text in texts]  # noqa: S506 - it is a safe one
    return {model["name"]: model for file in files for model in file["models"]}


def test_every_fact_is_parted_by_a_date_that_it_has() -> None:
    facts = {name for name in models() if name.startswith("fct_")}
    assert set(PARTITIONED_BY) == facts, "say in PARTITIONED_BY by which date the export of a fact is parted"
    for name, date in PARTITIONED_BY.items():
        assert date in {column["name"] for column in models()[name]["columns"]}, name


def test_every_mart_has_a_key_to_tell_readers_of_parquet() -> None:
    assert set(publishing.keys_of_marts()) == {*models(), "published_version"}


# --- Forgetting ---


def test_what_is_forgotten_is_in_no_version_and_no_export_but_the_published(small: Warehouse) -> None:
    for number in range(3):
        publish(small, number, exports_parquet=True)
    small.published_file.with_suffix(".building").write_text("a half-built copy", encoding="utf-8")
    before = small.published_file.read_bytes()
    forget_versions(small)
    assert numbers(small) == [2]
    assert small.published_file.read_bytes() == before
    assert names(small.published_folder) == ["parquet", "parquet-versions", "versions", "warehouse.duckdb"]
    assert names(small.published_folder / "parquet-versions") == ["20260302T110000Z"]
    assert len(read_parquet(small, "fct_mentions")) == 4


def test_an_export_that_is_not_of_the_published_version_is_forgotten_too(small: Warehouse) -> None:
    publish(small, 0, exports_parquet=True)
    publish(small, 1)
    forget_versions(small)
    assert numbers(small) == [1]
    assert names(small.published_folder / "parquet-versions") == []
    assert not (small.published_folder / "parquet").is_symlink()


def test_there_is_nothing_to_forget_before_the_first_publish(warehouse: Warehouse) -> None:
    forget_versions(warehouse)
    assert names(warehouse.published_folder) == []

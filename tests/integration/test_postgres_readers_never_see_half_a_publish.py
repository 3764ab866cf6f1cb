"""The marts in PostgreSQL are the published copy's; who reads there sees one version, whatever happens to a publish."""

# ruff: noqa: S608 - names of tables and columns come from here or from the catalogue

import csv
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from postgres_server import (
    NOBODY,
    OWNER,
    PASSWORD,
    SCHEMA,
    PostgresServer,
    assert_holds_the_copy,
    is_installed,
    serving_postgres,
    tables_of,
)
from pydantic import SecretStr

from pipelines import postgres, publishing
from pipelines.postgres import PostgresFailed, Server, holds_marts
from pipelines.warehouse import Warehouse, WarehouseBusy, WarehouseUnreadable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="no PostgreSQL server is installed (apt-get: postgresql)"),
]

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROW_COUNT = 2_000


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with serving_postgres() as server:
        yield server


@pytest.fixture
def server(database: PostgresServer) -> Server:
    """The schema as before the first publish."""
    database.psql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", "-o", "/dev/null")
    return Server(SecretStr(database.url()), SCHEMA)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "home")
    made.make_folders()
    give_number(made, 0)
    return made


def change(warehouse: Warehouse, statements: str) -> None:
    with duckdb.connect(warehouse.file) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(statements)


def give_number(warehouse: Warehouse, number: int) -> None:
    """Every row of three tables, of which one is a view, says the same number; dim_tags stays as it is."""
    change(
        warehouse,
        f"""
        CREATE SCHEMA IF NOT EXISTS marts;
        CREATE OR REPLACE TABLE marts.fct_cases AS
          SELECT '1417' AS account_id, 'c' || id AS unique_id, {number} AS number FROM range({ROW_COUNT}) AS t (id);
        CREATE OR REPLACE TABLE marts.fct_mentions AS
          SELECT '1417' AS account_id, 'm' || id AS unique_id, {number} AS number
          FROM range({number}, {ROW_COUNT} + {number}) AS t (id);
        CREATE OR REPLACE VIEW marts.rpt_open_items AS
          SELECT account_id, 'mention' AS object, unique_id, number FROM marts.fct_mentions;
        CREATE OR REPLACE TABLE marts.dim_tags AS SELECT '1417' AS account_id, 't' || id AS tag FROM range(9) AS t (id);
        COMMENT ON TABLE marts.dim_tags IS 'One row per tag.';
        COMMENT ON COLUMN marts.dim_tags.tag IS 'The tag; it''s a "word".';
        """,
    )


def publish(warehouse: Warehouse, server: Server, number: int | None = None) -> None:
    if number is not None:
        give_number(warehouse, number)
    now = START + timedelta(minutes=number or 0)
    publishing.publish(warehouse, now=now, keep_count=3)
    postgres.publish(warehouse, server)


def number_in(database: PostgresServer, table: str = "fct_mentions") -> str:
    """The one number that all rows of a table say, and how many rows these are."""
    return database.psql(f"SELECT string_agg(DISTINCT number::text, ',') || ' ' || count(*) FROM {SCHEMA}.{table}")


# --- What is there ---

EVERY_TYPE = """
CREATE SCHEMA marts;
CREATE TABLE marts.fct_cases AS SELECT
  '1417' AS account_id, unique_id, whole, large, sum, share, is_open, opened_at, day, score, tags, text
FROM (VALUES
  ('a', 9223372036854775807, 170141183460469231731687303715884105, 12.5::DECIMAL(18, 2), 0.1::DOUBLE, true,
   '2026-03-29 01:30:00.123456+00'::TIMESTAMPTZ, '2026-03-29'::DATE, 4.25::DECIMAL(9, 2), ['x', 'y,"z"', NULL, ''],
   E'a "quoted", \\ttabbed\\nand broken ü 🇧🇪'),
  ('b', -1, -5, -0.01, 'nan', false, '1969-12-31 23:59:59+00', '1900-01-01', -99.99, [], ''),
  ('c', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('d', 0, 0, 0, -1e300, false, '9999-12-31 00:00:00+00', '9999-12-31', 0, ['one'], '\\N')
) AS t (unique_id, whole, large, sum, share, is_open, opened_at, day, score, tags, text);
ALTER TABLE marts.fct_cases ALTER large TYPE HUGEINT;
ALTER TABLE marts.fct_cases ALTER score TYPE DECIMAL(9, 2);
"""


def test_every_kind_of_value_arrives_as_it_is(database: PostgresServer, server: Server, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "home")
    warehouse.make_folders()
    change(warehouse, EVERY_TYPE)
    publish(warehouse, server)
    types = database.psql(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = '{SCHEMA}.fct_cases'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert dict(line.split("|") for line in types.split("\n")) == {
        "account_id": "text",
        "unique_id": "text",
        "whole": "bigint",
        "large": "numeric(38,0)",
        "sum": "numeric(18,2)",
        "share": "double precision",
        "is_open": "boolean",
        "opened_at": "timestamp with time zone",
        "day": "date",
        "score": "numeric(9,2)",
        "tags": "text[]",
        "text": "text",
    }
    told = database.psql(
        f"SELECT unique_id, large, sum, share, opened_at AT TIME ZONE 'UTC', text FROM {SCHEMA}.fct_cases"
        " WHERE unique_id IN ('a', 'b') ORDER BY unique_id",
        "--csv",
        "-t",
    )
    assert list(csv.reader(told.splitlines(keepends=True))) == [
        ["a", "170141183460469231731687303715884105", "12.50", "0.1", "2026-03-29 01:30:00.123456",
         'a "quoted", \ttabbed\nand broken ü 🇧🇪'],
        ["b", "-5", "-0.01", "NaN", "1969-12-31 23:59:59", ""],
    ]  # fmt: skip
    with duckdb.connect(warehouse.file) as con:  # the comparison of NaN is the database's, not Python's
        con.execute("UPDATE marts.fct_cases SET share = 1.5 WHERE isnan(share)")
    publish(warehouse, server)
    assert_holds_the_copy(database, warehouse, tmp_path)


def test_what_is_nested_is_text_and_what_postgres_cannot_hold_is_replaced_or_refused(
    database: PostgresServer, server: Server, warehouse: Warehouse
) -> None:
    change(warehouse, "CREATE TABLE marts.dim_teams AS SELECT '1417' AS account_id, 't' AS team_id,"
           " {'a': 1, 'b': ['x']} AS about, 'one' || chr(0) || 'two' AS name, ['p' || chr(0)] AS names,"
           " '{\"k\": null}'::JSON AS told")  # fmt: skip
    publish(warehouse, server)
    row = database.psql(f"SELECT about, name, names, told FROM {SCHEMA}.dim_teams")
    assert row == '{"a":1,"b":["x"]}|one\ufffdtwo|{p\ufffd}|{"k":null}'
    change(warehouse, "CREATE OR REPLACE TABLE marts.dim_teams AS SELECT '1417' AS account_id, 't' AS team_id,"
           " 'infinity'::TIMESTAMPTZ AS valid_to")  # fmt: skip
    with pytest.raises(PostgresFailed, match="valid_to has an infinite time"):
        publish(warehouse, server)
    assert database.psql(f"SELECT team_id FROM {SCHEMA}.dim_teams") == "t"


def test_tables_say_what_they_mean_and_have_their_keys(
    database: PostgresServer, server: Server, warehouse: Warehouse
) -> None:
    change(warehouse, "CREATE TABLE marts.rpt_tags AS SELECT '1417' AS account_id, 'all' AS period,"
           " NULL::DATE AS period_start_date, 't' AS tag")  # fmt: skip
    publish(warehouse, server)
    said = "obj_description('{0}.{1}'::regclass), col_description('{0}.{1}'::regclass, {2})"
    assert database.psql(f"SELECT {said.format(SCHEMA, 'dim_tags', 2)}") == 'One row per tag.|The tag; it\'s a "word".'
    change(warehouse, "COMMENT ON COLUMN marts.dim_tags.tag IS 'The word.'")
    publish(warehouse, server)
    assert database.psql(f"SELECT {said.format(SCHEMA, 'dim_tags', 2)}") == "One row per tag.|The word."
    indexes = database.psql(f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{SCHEMA}' AND tablename IN"
                            " ('dim_tags', 'rpt_tags') ORDER BY tablename")  # fmt: skip
    made = f"CREATE UNIQUE INDEX {{0}}_key ON {SCHEMA}.{{0}} USING btree "
    assert indexes.split("\n") == [
        made.format("dim_tags") + "(account_id, tag)",
        made.format("rpt_tags") + "(account_id, period, period_start_date, tag) NULLS NOT DISTINCT",
    ]
    primary = "SELECT conrelid::regclass FROM pg_constraint WHERE contype = 'p' AND conname = 'dim_tags_key'"
    assert database.psql(primary) == f"{SCHEMA}.dim_tags"
    listed = database.psql(f"SELECT table_name, row_count, key_columns FROM {SCHEMA}.published_tables"
                           " WHERE table_name IN ('dim_tags', 'fct_mentions') ORDER BY 1")  # fmt: skip
    assert listed.split("\n") == ["dim_tags|9|{account_id,tag}", f"fct_mentions|{ROW_COUNT}|{{account_id,unique_id}}"]


def test_a_publish_writes_what_differs_and_leaves_all_else(
    database: PostgresServer, server: Server, warehouse: Warehouse, tmp_path: Path
) -> None:
    change(warehouse, "CREATE TABLE marts.not_known AS SELECT 1 AS number UNION ALL SELECT 1")  # it has no key
    publish(warehouse, server)
    written = f"SELECT xmin, unique_id FROM {SCHEMA}.fct_cases ORDER BY unique_id"
    before = database.psql(written).split("\n")
    change(warehouse, "UPDATE marts.fct_cases SET number = NULL WHERE unique_id = 'c7';"
           "DELETE FROM marts.fct_cases WHERE unique_id = 'c8'; INSERT INTO marts.fct_cases VALUES ('1417', 'new', 1);"
           "INSERT INTO marts.not_known VALUES (2), (2)")  # fmt: skip
    publish(warehouse, server)
    after = database.psql(written).split("\n")
    assert {line.partition("|")[2] for line in set(before) ^ set(after)} == {"c7", "c8", "new"}
    assert_holds_the_copy(database, warehouse, tmp_path)


def test_the_reader_of_the_settings_reads_and_does_no_more(
    database: PostgresServer, server: Server, warehouse: Warehouse
) -> None:
    database.psql('DROP ROLE IF EXISTS "bi-reader"; CREATE ROLE "bi-reader" LOGIN PASSWORD \'only reads\'')
    publish(warehouse, Server(server.address, SCHEMA, "bi-reader"))
    reading = {"user": "bi-reader", "password": "only reads"}
    for number in (0, 1):
        publish(warehouse, Server(server.address, SCHEMA, "bi-reader"), number)
        assert database.psql(f"SELECT max(number) FROM {SCHEMA}.rpt_open_items", **reading) == str(number)
    for refused in ("DELETE FROM {}.fct_cases", "CREATE TABLE {}.mine (a int)", "DROP TABLE {}.fct_cases"):
        with pytest.raises(AssertionError, match=r"permission denied|must be owner"):
            database.psql(refused.format(SCHEMA), **reading)
    with pytest.raises(PostgresFailed, match=r'role "nobody there" does not exist.*SOCIAL_WAREHOUSE_POSTGRES_READER'):
        publish(warehouse, Server(server.address, SCHEMA, "nobody there"), 2)
    assert number_in(database) == f"1 {ROW_COUNT}"


# --- What others have there ---


def test_what_others_have_built_stays(database: PostgresServer, server: Server, warehouse: Warehouse) -> None:
    publish(warehouse, server)
    database.psql(f"CREATE VIEW {SCHEMA}.ours AS SELECT max(number) AS number FROM {SCHEMA}.fct_mentions;"
                  f"CREATE TABLE {SCHEMA}.notes AS SELECT 'mine' AS note")  # fmt: skip
    publish(warehouse, server, 1)
    assert database.psql(f"SELECT number, note FROM {SCHEMA}.ours, {SCHEMA}.notes") == "1|mine"


def test_a_table_of_somebody_else_is_not_written_over(
    database: PostgresServer, server: Server, warehouse: Warehouse
) -> None:
    database.psql(f"CREATE SCHEMA {SCHEMA}; CREATE TABLE {SCHEMA}.fct_cases AS SELECT 'mine' AS note")
    with pytest.raises(PostgresFailed, match=r"has fct_cases already, not made by a publish.*POSTGRES_SCHEMA"):
        publish(warehouse, server)
    assert database.psql(f"SELECT note FROM {SCHEMA}.fct_cases") == "mine"
    assert tables_of(database) == ["fct_cases"]
    assert not holds_marts(server)


def test_a_table_with_other_columns_takes_the_place_of_the_former_and_one_that_is_gone_goes(
    database: PostgresServer, server: Server, warehouse: Warehouse, tmp_path: Path
) -> None:
    publish(warehouse, server)
    change(warehouse, "ALTER TABLE marts.fct_cases ADD COLUMN more VARCHAR DEFAULT 'x'; DROP TABLE marts.dim_tags")
    publish(warehouse, server)
    assert_holds_the_copy(database, warehouse, tmp_path)
    assert database.psql(f"SELECT count(*) FROM {SCHEMA}.fct_cases WHERE more = 'x'") == str(ROW_COUNT)
    database.psql(f"CREATE VIEW {SCHEMA}.ours AS SELECT more FROM {SCHEMA}.fct_cases")
    change(warehouse, "ALTER TABLE marts.fct_cases DROP COLUMN more")
    with pytest.raises(PostgresFailed, match=f"view {SCHEMA}.ours depends on table {SCHEMA}.fct_cases.*drop what was"):
        publish(warehouse, server)
    assert database.psql(f"SELECT count(*) FROM {SCHEMA}.ours WHERE more = 'x'") == str(ROW_COUNT)


# --- Readers ---

READING = """
import json, sys
from contextlib import closing
from pathlib import Path
from adbc_driver_postgresql import dbapi

address, ready, stop, isolation = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
tables = ("fct_cases", "fct_mentions", "rpt_open_items")
one = "(SELECT min(number) || ' ' || max(number) || ' ' || count(*) FROM social_connect_marts.{})"
version = "(SELECT version FROM social_connect_marts.published_version)"
reads = []
with closing(dbapi.connect(address, autocommit=isolation == "one statement")) as con, closing(con.cursor()) as cursor:
    def ask(query):
        cursor.execute("SELECT " + query)
        return cursor.fetchone()
    while True:
        is_last = stop.exists()
        if isolation == "one statement":
            reads.append([*ask(", ".join([version, *map(one.format, tables), version]))])
        else:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL " + isolation)
            (first,) = ask(version)
            seen = [ask(one.format(table))[0] for table in tables]
            reads.append([first, *seen, *ask(version)])
            con.rollback()
        ready.touch()
        if is_last:
            break
print(json.dumps(reads))
"""
"""Reads three tables, and before and after them which version it is, until told to stop."""
MANNERS = ("one statement", "repeatable read")


@pytest.fixture(scope="module")
def reads(
    database: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, int], dict[str, list[list[str]]]]:
    """The number of each version that was published, and what each reader has read meanwhile."""
    folder = tmp_path_factory.mktemp("readers")
    warehouse = Warehouse(folder / "home")
    warehouse.make_folders()
    database.psql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", "-o", "/dev/null")
    server, published = Server(SecretStr(database.url()), SCHEMA), dict[str, int]()

    def publish_number(number: int) -> None:
        publish(warehouse, server, number)
        published[f"{START + timedelta(minutes=number):%Y%m%dT%H%M%SZ}"] = number

    publish_number(0)
    stop = folder / "stop"
    readers = {
        manner: subprocess.Popen(
            [sys.executable, "-c", READING, database.url(), folder / manner, stop, manner],
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
        publishing.roll_back(warehouse)
        postgres.publish(warehouse, server)
    finally:
        stop.touch()
        ended = {manner: reader.communicate(timeout=60) for manner, reader in readers.items()}
    assert {manner: complaint for manner, (_, complaint) in ended.items() if complaint} == {}
    return published, {manner: json.loads(said) for manner, (said, _) in ended.items()}


@pytest.mark.parametrize("manner", MANNERS)
def test_every_read_is_of_one_version_and_whole(
    reads: tuple[dict[str, int], dict[str, list[list[str]]]], manner: str
) -> None:
    published, by_manner = reads
    for version, *seen, version_after in by_manner[manner]:
        number = published[version]
        assert seen == [f"{number} {number} {ROW_COUNT}"] * 3
        assert version_after == version
    versions = [published[version] for version, *_ in by_manner[manner]]
    assert versions[0] == 0
    assert versions[-1] == 5, "the rollback went back from 6 to 5"
    assert len(set(versions)) > 2


def test_a_reader_of_a_table_that_is_replaced_waits_a_moment_at_most_and_is_not_ended(
    database: PostgresServer, server: Server, warehouse: Warehouse
) -> None:
    """He reads one table, then another, while the publish wants both: either would wait for the other for ever."""
    publish(warehouse, server)
    change(warehouse, "ALTER TABLE marts.fct_cases ADD COLUMN more INTEGER;"
           "ALTER TABLE marts.dim_tags ADD COLUMN more INTEGER")  # fmt: skip
    reading = (
        f"BEGIN; SELECT count(*) FROM {SCHEMA}.fct_cases; SELECT pg_sleep(3); SELECT count(*) FROM {SCHEMA}.dim_tags;"
        f"SELECT version FROM {SCHEMA}.published_version; COMMIT"
    )
    (before,) = database.psql(f"SELECT version FROM {SCHEMA}.published_version").split()
    with ThreadPoolExecutor() as pool:
        read = pool.submit(database.psql, reading)
        time.sleep(0.5)
        publishing.publish(warehouse, now=START + timedelta(minutes=1), keep_count=3)
        published = pool.submit(postgres.publish, warehouse, server)
        assert read.result(timeout=30).split() == [str(ROW_COUNT), "9", before]
        published.result(timeout=30)
    assert database.psql(f"SELECT version FROM {SCHEMA}.published_version") == "20260302T090100Z"


def test_rights_on_a_table_that_is_replaced_are_those_on_the_new_one(
    database: PostgresServer, server: Server, warehouse: Warehouse
) -> None:
    publish(warehouse, server)
    database.psql(
        'DROP ROLE IF EXISTS "an Analyst"; DROP ROLE IF EXISTS clerk; CREATE ROLE "an Analyst"; CREATE ROLE clerk;'
        f'GRANT SELECT ON {SCHEMA}.fct_cases TO "an Analyst" WITH GRANT OPTION;'
        f"GRANT SELECT (unique_id, number), REFERENCES (unique_id) ON {SCHEMA}.fct_cases TO clerk;"
        f"GRANT SELECT ON {SCHEMA}.dim_tags TO PUBLIC"
    )
    change(
        warehouse,
        "ALTER TABLE marts.fct_cases DROP COLUMN number; ALTER TABLE marts.fct_cases ADD COLUMN more INTEGER;"
        "ALTER TABLE marts.dim_tags ADD COLUMN more INTEGER",
    )
    publish(warehouse, server)
    given = (
        "SELECT string_agg(grantee || ' ' || what || ' ' || privilege_type || ' ' || is_grantable, ', ' ORDER BY 1)"
        " FROM (SELECT grantee, table_name AS what, privilege_type, is_grantable"
        " FROM information_schema.table_privileges"
        f" WHERE table_schema = '{SCHEMA}' UNION ALL SELECT grantee, table_name || '.' || column_name, privilege_type,"
        f" is_grantable FROM information_schema.column_privileges WHERE table_schema = '{SCHEMA}' AND grantee = 'clerk'"
        f") AS given WHERE grantee <> '{OWNER}'"
    )
    assert set(database.psql(given).split(", ")) == {
        "PUBLIC dim_tags SELECT NO",
        "an Analyst fct_cases SELECT YES",
        "clerk fct_cases.unique_id REFERENCES NO",
        "clerk fct_cases.unique_id SELECT NO",
    }
    database.psql(f'DROP SCHEMA {SCHEMA} CASCADE; DROP ROLE "an Analyst"; DROP ROLE clerk', "-o", "/dev/null")


def test_once_no_reader_is_in_the_way_a_publish_waits_for_locks_as_before(
    server: Server, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    comment = postgres._comment

    def look(cursor: Any, *rest: Any) -> None:
        waits.extend(postgres._ask(cursor, "SELECT current_setting('lock_timeout')"))
        comment(cursor, *rest)

    monkeypatch.setattr(postgres, "_comment", look)
    publish(warehouse, server)
    change(warehouse, "ALTER TABLE marts.dim_tags ADD COLUMN more INTEGER")
    publish(warehouse, server)
    assert waits == [("1min",), ("1min",)]


# --- What goes wrong ---

PUBLISHING = """
import os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from pipelines import postgres
from pipelines.warehouse import Warehouse

def dies(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(postgres, sys.argv[3], dies)
postgres.publish(Warehouse(Path(sys.argv[1])), postgres.Server(SecretStr(sys.argv[2]), "social_connect_marts"))
"""
MOMENTS = ("_told", "_replace", "_comment", "_grant")
"""What is called when tables are loaded and changed, and later."""


@pytest.mark.parametrize(
    "moment", [pytest.param(moment, marks=[pytest.mark.slow] * (moment != "_replace")) for moment in MOMENTS]
)
def test_killed_in_the_middle_it_leaves_the_old(
    database: PostgresServer, server: Server, warehouse: Warehouse, moment: str, tmp_path: Path
) -> None:
    publish(warehouse, server)
    before = tables_of(database)
    change(warehouse, "CREATE TABLE marts.dim_teams AS SELECT '1417' AS account_id, 't' AS team_id")
    give_number(warehouse, 1)
    publishing.publish(warehouse, now=START + timedelta(minutes=1), keep_count=3)
    killed = subprocess.run(
        [sys.executable, "-c", PUBLISHING, warehouse.home, database.url(), moment],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert number_in(database) == f"0 {ROW_COUNT}"
    assert tables_of(database) == before
    postgres.publish(warehouse, server)
    assert_holds_the_copy(database, warehouse, tmp_path)


def test_a_connection_that_is_lost_in_the_middle_leaves_the_old(
    database: PostgresServer, server: Server, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(warehouse, server)

    def end_it(*_arguments: Any) -> None:
        database.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'social-warehouse'"
        )

    monkeypatch.setattr(postgres, "_replace", end_it)
    with pytest.raises(PostgresFailed, match="readers keep what they had: terminating connection due to administrator"):
        publish(warehouse, server, 1)
    assert number_in(database) == f"0 {ROW_COUNT}"


def test_two_at_once_come_one_after_the_other(
    database: PostgresServer, server: Server, warehouse: Warehouse, tmp_path: Path
) -> None:
    publish(warehouse, server)
    give_number(warehouse, 1)
    publishing.publish(warehouse, now=START + timedelta(minutes=1), keep_count=3)
    with ThreadPoolExecutor(max_workers=3) as pool:
        for each in [pool.submit(postgres.publish, warehouse, server) for _ in range(3)]:
            each.result(timeout=60)
    assert_holds_the_copy(database, warehouse, tmp_path)


def test_who_has_waited_for_another_for_long_says_so(
    server: Server, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(warehouse, server)
    bring_all, holds, goes_on = postgres._bring_all, threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:
        holds.set()
        assert goes_on.wait(30)
        return bring_all(*arguments)

    monkeypatch.setattr(postgres, "_bring_all", slowly)
    monkeypatch.setattr(postgres, "LOCK_WAIT_SECONDS", 1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(postgres.publish, warehouse, server)
        assert holds.wait(30)
        with pytest.raises(WarehouseBusy, match=f"writing to schema {SCHEMA} of PostgreSQL for 1 seconds"):
            postgres.publish(warehouse, server)
        goes_on.set()
        first.result(timeout=30)


def test_a_user_without_rights_is_told_so(database: PostgresServer, server: Server, warehouse: Warehouse) -> None:
    database.psql("DROP ROLE IF EXISTS loader; CREATE ROLE loader LOGIN PASSWORD 'loads the marts'")
    weak = Server(SecretStr(database.url("loader", "loads the marts")), SCHEMA)
    with pytest.raises(PostgresFailed, match=r"permission denied for database postgres\. Give its user that right"):
        publish(warehouse, weak)
    publish(warehouse, server)
    with pytest.raises(PostgresFailed, match=f"permission denied for schema {SCHEMA}"):
        publish(warehouse, weak, 1)
    assert number_in(database) == f"0 {ROW_COUNT}"


@pytest.mark.usefixtures("server")
def test_a_user_who_owns_the_schema_needs_no_other_right(database: PostgresServer, warehouse: Warehouse) -> None:
    """As docs/publishing.md says to make him."""
    database.psql("DROP ROLE IF EXISTS loader; CREATE ROLE loader LOGIN PASSWORD 'loads the marts';"
                  f"CREATE SCHEMA {SCHEMA} AUTHORIZATION loader")  # fmt: skip
    for number in range(2):
        publish(warehouse, Server(SecretStr(database.url("loader", "loads the marts")), SCHEMA), number)
        assert number_in(database) == f"{number} {ROW_COUNT}"
    database.psql(f"DROP SCHEMA {SCHEMA} CASCADE; DROP ROLE loader")


def test_a_wrong_password_and_a_server_that_is_gone_are_said_without_the_password(
    database: PostgresServer, warehouse: Warehouse, server: Server
) -> None:
    publish(warehouse, server)
    for address, said in (
        (database.url(password="not this one"), 'password authentication failed for user "owner"'),
        (database.url().replace("?host=", "?port=1&host="), "No such file or directory"),
        (database.url(database="nowhere"), 'database "nowhere" does not exist'),
    ):
        with pytest.raises(PostgresFailed, match=r"readers keep what they had.*SOCIAL_WAREHOUSE_POSTGRES_URL") as error:
            postgres.publish(warehouse, Server(SecretStr(address), SCHEMA))
        text = str(error.value)
        assert said in text
        assert "\n" not in text
        assert not any(part in text for part in ("not this one", "not%20this", PASSWORD, "p%40ss"))


@pytest.fixture
def small_disk(database: PostgresServer) -> Iterator[str]:
    """A tablespace on a disk of its own of a megabyte."""
    folder = database.folder / "small"
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False)  # noqa: S607 - the system's
    if mounted.returncode != 0:
        pytest.skip("no disk can be mounted here")
    try:
        shutil.chown(folder, NOBODY, NOBODY)
        database.psql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        yield "small"
        database.psql(f"ALTER ROLE {OWNER} RESET ALL")
        database.psql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", folder], check=True)  # noqa: S607 - the system's


@pytest.mark.parametrize("option", ["temp_tablespaces", "default_tablespace"])
def test_a_full_disk_of_the_server_leaves_the_old(
    database: PostgresServer, server: Server, warehouse: Warehouse, small_disk: str, option: str, tmp_path: Path
) -> None:
    """While rows are loaded beside, and while a table is made."""
    publish(warehouse, server)
    before = tables_of(database)
    database.psql(f"ALTER ROLE {OWNER} SET {option} = {small_disk}")
    change(warehouse, "CREATE TABLE marts.dim_teams AS SELECT '1417' AS account_id, repeat('t', 50) || id AS team_id"
           " FROM range(30_000) AS t (id)")  # fmt: skip
    change(warehouse, "CREATE OR REPLACE TABLE marts.fct_cases AS SELECT '1417' AS account_id,"
           " repeat('c', 50) || id AS unique_id, 1 AS number FROM range(30_000) AS t (id)")  # fmt: skip
    publishing.publish(warehouse, now=START + timedelta(minutes=1), keep_count=3)
    with pytest.raises(PostgresFailed, match=r"readers keep what they had: could not extend file.*No space left.*disk"):
        postgres.publish(warehouse, server)
    assert tables_of(database) == before
    assert number_in(database) == f"0 {ROW_COUNT}"
    database.psql(f"ALTER ROLE {OWNER} RESET ALL")
    postgres.publish(warehouse, server)
    assert_holds_the_copy(database, warehouse, tmp_path)


def test_before_the_first_publish_there_is_nothing_to_bring(server: Server, tmp_path: Path) -> None:
    empty = Warehouse(tmp_path / "empty")
    empty.make_folders()
    with pytest.raises(WarehouseUnreadable, match="Run 'social-warehouse sync' first"):
        postgres.publish(empty, server)
    assert not holds_marts(server)

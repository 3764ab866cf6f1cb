"""What BI tools and notebooks are made of reads the published copy, and the marts in PostgreSQL, as docs/bi.md says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import adbc_driver_postgresql.dbapi
import duckdb
import pytest
from postgres_server import SCHEMA, PostgresServer, is_installed, serving_postgres
from pydantic import SecretStr

from pipelines import postgres, publishing
from pipelines.postgres import Server
from pipelines.warehouse import Warehouse

pytestmark = pytest.mark.slow

ROWS = [
    ("1417", "a", date(2026, 3, 1), datetime(2026, 3, 1, 23, 59, 59, 123456, tzinfo=UTC), 3600, True, Decimal("4.25")),
    ("1417", "b", date(2026, 3, 2), None, None, False, None),
]
QUERY = "SELECT * FROM marts.fct_mentions ORDER BY unique_id"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    made = Warehouse(tmp_path_factory.mktemp("clients") / "home")
    made.make_folders()
    with duckdb.connect(made.file) as con:
        con.execute(
            "CREATE SCHEMA marts; CREATE TABLE marts.fct_mentions (account_id VARCHAR, unique_id VARCHAR,"
            " mention_date DATE, first_response_at TIMESTAMPTZ, first_response_seconds BIGINT, is_open BOOLEAN,"
            " score DECIMAL(9, 2)); COMMENT ON TABLE marts.fct_mentions IS 'One row per mention.'"
        )
        con.executemany("INSERT INTO marts.fct_mentions VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
        con.execute("CREATE VIEW marts.rpt_tags AS SELECT account_id, count(*) AS n FROM marts.fct_mentions GROUP BY 1")
    publish(made, 0)
    return made


def publish(warehouse: Warehouse, minute: int) -> None:
    publishing.publish(warehouse, now=datetime(2026, 3, 2, 9, minute, tzinfo=UTC), keep_count=3)


def in_utc(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Clients give an instant in the zone of their session."""
    return [tuple(each.astimezone(UTC) if isinstance(each, datetime) else each for each in row) for row in rows]


# --- The published copy: each client in a process of its own, as tools are ---

SQLALCHEMY = """
import json, sys
import pandas as pd
import sqlalchemy as sa

engine = sa.create_engine(f"duckdb:///{sys.argv[1]}", connect_args={"read_only": True}, poolclass=sa.NullPool)
inspector = sa.inspect(engine)
with engine.connect() as con:
    rows = [list(row) for row in con.execute(sa.text(sys.argv[2]))]
facts = sa.table("fct_mentions", sa.column("unique_id"), sa.column("mention_date", sa.Date), schema="marts")
late_facts = sa.select(facts.c.unique_id).where(facts.c.mention_date > sa.literal("2026-03-01"))
with engine.connect() as con:
    late = con.execute(late_facts).scalars().all()
frame = pd.read_sql(sys.argv[2], engine)
refused = []
for ask in (inspector.get_pk_constraint, inspector.get_foreign_keys):
    try:
        ask("fct_mentions", "marts")
    except sa.exc.DBAPIError:
        refused.append(ask.__name__)
print(json.dumps({
    "rows": rows,
    "late": late,
    "tables": inspector.get_table_names("marts"),
    "views": inspector.get_view_names("marts"),
    "types": {column["name"]: str(column["type"]) for column in inspector.get_columns("fct_mentions", "marts")},
    "comment": inspector.get_table_comment("fct_mentions", "marts")["text"],
    "seconds_in_pandas": frame["first_response_seconds"].fillna(-1).tolist(),
    "instant_in_pandas": frame["first_response_at"][0].tz_convert("UTC").isoformat(),
    "refused": refused,
}, default=str))
"""
ADBC = """
import json, sys
import adbc_driver_duckdb, adbc_driver_manager.dbapi as dbapi

options = {"path": sys.argv[1], "access_mode": "READ_ONLY"}
driver = adbc_driver_duckdb.driver_path()
with dbapi.connect(driver=driver, entrypoint="duckdb_adbc_init", db_kwargs=options) as con, con.cursor() as cursor:
    cursor.execute(sys.argv[2])
    print(json.dumps([list(row.values()) for row in cursor.fetch_arrow_table().to_pylist()], default=str))
"""
POOLED = """
import sys
import sqlalchemy as sa

address, read_only = f"duckdb:///{sys.argv[1]}", {"read_only": True}
pooled = sa.create_engine(address, connect_args=read_only)
for line in sys.stdin:
    if line.strip() == "dispose":
        pooled.dispose()
    with pooled.connect() as con:
        print(con.execute(sa.text("SELECT version FROM marts.published_version")).scalar(), flush=True)
"""


def said_by(client: str, *arguments: object) -> Any:
    command = [sys.executable, "-c", client, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_json(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return json.loads(json.dumps(rows, default=str))


def from_json(rows: list[list[Any]]) -> list[list[Any]]:
    """Clients give an instant in the zone of their session."""
    given = [[*row[:3], datetime.fromisoformat(row[3]) if row[3] else None, *row[4:]] for row in rows]
    return as_json(in_utc([tuple(row) for row in given]))


def test_sqlalchemy_and_pandas_read_the_copy(warehouse: Warehouse) -> None:
    said = said_by(SQLALCHEMY, warehouse.published_file, QUERY)
    assert from_json(said["rows"]) == as_json(ROWS)
    assert said["late"] == ["b"]
    assert {"fct_mentions", "published_version"} <= {*said["tables"]}
    assert said["views"] == ["rpt_tags"]
    assert said["comment"] == "One row per mention."
    types = said["types"]
    assert (types["unique_id"], types["first_response_seconds"], types["mention_date"]) == ("VARCHAR", "BIGINT", "DATE")
    assert types["first_response_at"].startswith("TIMESTAMP")
    assert said["seconds_in_pandas"] == [3600, -1]
    assert said["instant_in_pandas"] == "2026-03-01T23:59:59.123456+00:00"
    assert said["refused"] == ["get_pk_constraint", "get_foreign_keys"], "docs/bi.md says that it asks these in vain"


def test_adbc_reads_the_copy(warehouse: Warehouse) -> None:
    assert from_json(said_by(ADBC, warehouse.published_file, QUERY)) == as_json(ROWS)


def test_a_pool_that_keeps_the_file_open_keeps_its_version_until_it_is_disposed_of(warehouse: Warehouse) -> None:
    """As docs/bi.md says of tools with a pool."""
    command = [sys.executable, "-c", POOLED, warehouse.published_file]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None

        def seen(after: str) -> str:
            print(after, file=client.stdin, flush=True)
            return client.stdout.readline().strip()

        assert seen("look") == "20260302T090000Z"
        publish(warehouse, 1)
        assert seen("look again") == "20260302T090000Z"
        assert seen("dispose") == "20260302T090100Z"
        client.stdin.close()


# --- PostgreSQL ---


@pytest.fixture(scope="module")
def database(warehouse: Warehouse) -> Iterator[PostgresServer]:
    if not is_installed():
        pytest.skip("no PostgreSQL server is installed (apt-get: postgresql)")
    with serving_postgres() as server:
        server.psql("CREATE ROLE bi LOGIN PASSWORD 'reads it'")
        postgres.publish(warehouse, Server(SecretStr(server.url()), SCHEMA, "bi"))
        yield server


def test_psql_and_adbc_read_the_marts_in_postgres(database: PostgresServer) -> None:
    reading = {"user": "bi", "password": "reads it"}
    counted = database.psql(f"SELECT account_id, n FROM {SCHEMA}.rpt_tags", **reading)  # noqa: S608 - a constant
    assert counted == "1417|2"
    described = database.psql(f"\\d+ {SCHEMA}.fct_mentions", **reading)
    assert "first_response_at|timestamp with time zone" in described
    with (
        closing(adbc_driver_postgresql.dbapi.connect(database.url(**reading))) as con,
        closing(con.cursor()) as cursor,
    ):
        cursor.execute(QUERY.replace("marts.", f"{SCHEMA}."))
        rows = in_utc(cursor.fetchall())
    # This driver gives numerics as texts.
    assert rows == [(*row[:6], str(row[6]) if row[6] is not None else None) for row in ROWS]


def test_duckdb_and_postgres_give_one_answer(warehouse: Warehouse, database: PostgresServer) -> None:
    query = "SELECT mention_date, count(*), sum(first_response_seconds) FROM {}.fct_mentions GROUP BY 1 ORDER BY 1"
    with duckdb.connect(warehouse.published_file, read_only=True) as con:
        here = con.execute(query.format("marts")).fetchall()
    there = database.psql(query.format(SCHEMA))
    assert there.split("\n") == [f"{day}|{count}|{'' if total is None else total}" for day, count, total in here]

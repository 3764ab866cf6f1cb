"""Keeps the marts in a schema of a PostgreSQL database, for tools that want a server.

A publish is one transaction. Its rows are loaded beside the tables that readers have, which then get what differs: who
reads has all of the old version or all of the new one, waits for nobody, and keeps what he has built on these tables.
Why so: docs/decisions/postgres.md.
"""

from __future__ import annotations

import json
import logging
import re
import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import duckdb
import pyarrow as pa

from pipelines.publishing import EXPORT_MEMORY_LIMIT, PUBLISHED_VERSION, Key, keys_of_marts
from pipelines.redaction import without_secrets
from pipelines.settings import SettingsInvalid
from pipelines.warehouse import MARTS, WarehouseBusy, WarehouseUnreadable, open_database
from transforms.selects import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from adbc_driver_manager.dbapi import Cursor
    from pydantic import SecretStr

    from pipelines.settings import Settings
    from pipelines.warehouse import Warehouse

logger = logging.getLogger(__name__)

PUBLISHED_TABLES = "published_tables"
"""Table of one row per table that a publish has made in the schema, itself among them: all else there is others'."""
OLDEST_SERVER = 15
"""The first version in which a unique index takes one null for another."""
ROWS_AT_ONCE = 20_000
CONNECT_SECONDS = 30
"""How long to wait for a server that does not answer, unless its address says how long."""
LOCK_WAIT_SECONDS = 60
"""How long a publish waits for another one into the same schema, and for readers of a table that is replaced."""
_TRY_MILLISECONDS = 300
"""How long each try for readers' tables may hold up others: less than the second after which the server ends somebody
for a deadlock."""

_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric(20,0)",
    "HUGEINT": "numeric(38,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "BLOB": "bytea",
}
"""What a column becomes. Decimals stay such, lists become arrays; whatever else is nested or rare is text, as JSON."""
_LISTED = {"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR"}
_SENT_AS = {"UTINYINT": "SMALLINT", "TINYINT": "SMALLINT", "USMALLINT": "INTEGER", "UINTEGER": "BIGINT"} | {
    "UBIGINT": "DECIMAL(20, 0)",
    "HUGEINT": "DECIMAL(38, 0)",
}
_APPLICATION = "social-warehouse"
_LOCK_NOT_AVAILABLE = "55P03"
_OPTIONS = {
    "application_name": _APPLICATION,
    "client_encoding": "UTF8",
    "client_connection_check_interval": "5s",  # a server then notices during a long statement that this process is gone
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
}
"""Of the connection, whatever the server's defaults are."""
_NOT_BROUGHT = "The marts were not brought to PostgreSQL, and its readers keep what they had"
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_SERVERS_LINE = re.compile(r"(?:ERROR|FATAL|PANIC):\s+(?P<said>.+)")
_DETAIL = re.compile(r"^DETAIL:\s+(?P<said>(?:.|\n(?![A-Z]+:))+)", re.MULTILINE)
_NEXT_STEPS = {
    "42501": "Give its user that right (docs/publishing.md says which it needs)",
    "42704": "Make that role there, or mend SOCIAL_WAREHOUSE_POSTGRES_READER",
    "53100": "Make room on the server's disk",
    "2BP01": "Its columns have changed: drop what was built on it, and make that again afterwards",
    "55P03": "Somebody holds a lock on a table of the schema: end that",
    None: "See that the server runs, and that SOCIAL_WAREHOUSE_POSTGRES_URL says how to reach it",
}
"""What to do about a failure, by its SQLSTATE; None where no connection was made."""
_BEING_READ = "tables are being read that the publish has to replace"
_END_READING = "Their columns have changed, and somebody has read them for a minute on end: end that"


Failure = Literal["package", "unreached", "refused", "version", "statement"]
"""The driver is missing, no server answers, it does not let this user in, is too old, or refuses what it is asked."""


class PostgresFailed(Exception):
    """The marts were not brought to PostgreSQL; its readers keep what they had. The text says why, and what to do.

    Attributes:
        failure: at what it failed, for who must not say what the server says.
    """

    def __init__(self, message: str, failure: Failure = "statement") -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(frozen=True)
class Server:
    """Where the marts are kept: the address of a database, the schema there, and the role that may read it."""

    address: SecretStr
    schema: str
    reader: str | None = None


@dataclass(frozen=True)
class Place:
    """Where marts have been brought to, without anything secret."""

    host: str
    database: str
    schema: str

    def __str__(self) -> str:
        return f"schema {self.schema} of database {self.database} on {self.host}"


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    """As PostgreSQL writes it."""
    comment: str | None


@dataclass(frozen=True)
class _Shape:
    """What a table is, beside its rows."""

    columns: tuple[_Column, ...]
    key: tuple[str, ...]
    has_primary_key: bool
    comment: str | None

    def fits(self, other: _Shape) -> bool:
        """Whether rows of one can be put into the other."""
        types = [(column.name, column.type) for column in self.columns]
        return (types, self.key, self.has_primary_key) == (
            [(column.name, column.type) for column in other.columns],
            other.key,
            other.has_primary_key,
        )


@dataclass(frozen=True)
class _Table:
    """A table to be brought over, and where its rows come from."""

    name: str
    shape: _Shape
    key: Key
    query: str


def server_of(settings: Settings) -> Server:
    """The server of the settings.

    Raises:
        SettingsInvalid: they name none.
    """
    address = settings.social_warehouse_postgres_url
    if address is None:
        raise SettingsInvalid(
            "SOCIAL_WAREHOUSE_POSTGRES_URL is not set. It wants the address of a PostgreSQL database: set it in the"
            " environment, in a file of secrets, in .env or in social-warehouse.toml."
        )
    return Server(address, settings.social_warehouse_postgres_schema, settings.social_warehouse_postgres_reader)


def place_of(server: Server) -> Place:
    """What the address says of where it is."""
    url = urlsplit(server.address.get_secret_value())
    options = parse_qs(url.query)
    host = options.get("host", [""])[-1] or unquote(url.netloc.rpartition("@")[2]) or "this machine"
    database = options.get("dbname", [""])[-1] or unquote(url.path.lstrip("/"))
    return Place(host, database or "of the user's name", server.schema)


def places(warehouse: Warehouse) -> list[Place]:
    """Where a publish has brought marts to, as far as nobody has found since that there are none.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: the note of it is damaged.
    """
    file = warehouse.postgres_file
    try:
        return [Place(**each) for each in json.loads(file.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise WarehouseUnreadable(
            f"{file} cannot be read: {error}. It lists where in PostgreSQL marts have been brought to: mend it, or"
            " remove it once there are none."
        ) from error


def places_not_named(warehouse: Warehouse, server: Server | None) -> list[Place]:
    """Where marts have been brought to and the settings do not lead any more.

    Args:
        warehouse: whose marts.
        server: that of the settings; None where they name none.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: the note of it is damaged.
    """
    return [place for place in places(warehouse) if server is None or place != place_of(server)]


def _note(warehouse: Warehouse, noted: Collection[Place]) -> None:
    file = warehouse.postgres_file
    building = file.with_suffix(".new")
    told = [asdict(place) for place in sorted(noted, key=str)]
    building.write_text(json.dumps(told, indent=2), encoding="utf-8")
    building.chmod(0o600)
    building.replace(file)


def forget_place(warehouse: Warehouse, server: Server) -> None:
    """Notes that no marts of the warehouse are there.

    Raises:
        pipelines.warehouse.WarehouseUnreadable: the note of it is damaged.
    """
    noted = places(warehouse)
    if place_of(server) in noted:
        _note(warehouse, {*noted} - {place_of(server)})


def holds_marts(server: Server) -> bool:
    """Whether marts have been brought to the schema.

    Raises:
        PostgresFailed: the server cannot be asked.
    """
    with _connected(server) as cursor:
        return PUBLISHED_TABLES in _shapes(cursor, server.schema)


@dataclass(frozen=True)
class Standing:
    """What the user of a server's address finds there.

    Attributes:
        version: of the published copy whose marts the schema has; None where none were brought there.
        lacks: what a publish would lack.
    """

    version: str | None
    lacks: tuple[str, ...] = ()


def standing(server: Server) -> Standing:
    """Looks whether a publish could bring marts to the schema, and which are there. Changes nothing.

    Raises:
        PostgresFailed: the server cannot be asked, or is too old.
    """
    with _connected(server) as cursor:
        lacks = tuple(what for what, has_it in _rights(cursor, server) if not has_it)
        may_read = "SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class c JOIN pg_namespace n"
        found = _ask(
            cursor,
            f"{may_read} ON n.oid = c.relnamespace WHERE n.nspname = {literal(server.schema)}"
            f" AND has_schema_privilege(n.oid, 'USAGE') AND c.relname = {literal(PUBLISHED_VERSION)}",
        )
        if found != [(True,)]:
            return Standing(None, lacks)
        told = _ask(cursor, f"SELECT version FROM {quoted(server.schema)}.{PUBLISHED_VERSION}")
        return Standing(next((version for (version,) in told), None), lacks)


def _rights(cursor: Cursor, server: Server) -> Iterator[tuple[str, bool]]:
    """What a publish needs, and whether it is there."""
    ((may_make_temporary, may_make_schemas),) = _ask(
        cursor,
        "SELECT has_database_privilege(current_database(), 'TEMPORARY'),"
        " has_database_privilege(current_database(), 'CREATE')",
    )
    yield "the right to make temporary tables in the database (TEMPORARY)", may_make_temporary
    schema = _ask(
        cursor,
        "SELECT has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE')"
        f" FROM pg_namespace WHERE nspname = {literal(server.schema)}",
    )
    if not schema:
        yield f"schema {server.schema}, or the right to make it (CREATE on the database)", may_make_schemas
    else:
        yield f"the rights USAGE and CREATE on schema {server.schema}", schema == [(True,)]
        ((owns_all,),) = _ask(
            cursor,
            "SELECT coalesce(bool_and(pg_has_role(c.relowner, 'USAGE')), true) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            f" WHERE n.nspname = {literal(server.schema)} AND c.relname IN"
            f" ({literal(PUBLISHED_TABLES)}, {literal(PUBLISHED_VERSION)})",
        )
        yield f"the ownership of the tables that a publish has made in schema {server.schema}", owns_all
    if server.reader is not None:
        role = _ask(cursor, f"SELECT 1 FROM pg_roles WHERE rolname = {literal(server.reader)}")
        yield "the role that SOCIAL_WAREHOUSE_POSTGRES_READER names", bool(role)


def publish(warehouse: Warehouse, server: Server) -> None:
    """Brings every table and view of the published copy's marts to the schema, where it takes the place of the former.

    Which version is published is looked up when no other publish into the schema goes on, so the last one to end leaves
    the newest. Whatever fails leaves what readers have. Where they are brought to is noted in the warehouse's folder.

    Raises:
        PostgresFailed: the server cannot be reached, refuses something, or is gone in the middle.
        pipelines.warehouse.WarehouseBusy: another publish into the schema has gone on for a minute.
        pipelines.warehouse.WarehouseUnreadable: nothing has been published yet, or the note is damaged.
    """
    started = time.monotonic()
    with _connected(server) as cursor:
        _wait_for_other_publishes(cursor, server.schema)
        with open_database(warehouse.published_file) as con:
            con.execute(f"SET memory_limit = '{EXPORT_MEMORY_LIMIT}'")
            row_counts, changed = _bring_all(cursor, server, con)
        # Before they are there: who is killed between the two has noted too much, not too little.
        _note(warehouse, {*places(warehouse), place_of(server)})
        cursor.connection.commit()
    if changed:
        _clear_away(server, changed)
    logger.info(
        "%d tables with %d rows are in schema %s of PostgreSQL, %d of them changed, after %.1f s",
        len(row_counts),
        sum(row_counts.values()),
        server.schema,
        len(changed),
        time.monotonic() - started,
    )


def _bring_all(
    cursor: Cursor, server: Server, con: duckdb.DuckDBPyConnection
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Brings the tables over; gives the number of rows of each, and those in which something has changed."""
    schema = server.schema
    if not _ask(cursor, f"SELECT 1 FROM pg_namespace WHERE nspname = {literal(schema)}"):
        cursor.execute(f"CREATE SCHEMA {quoted(schema)}")
    present = _shapes(cursor, schema)
    ours = _names_of_ours(cursor, schema, present)
    tables = _tables(con)
    if taken := sorted({table.name for table in tables} & set(present) - ours):
        raise PostgresFailed(
            f"Schema {schema} of PostgreSQL has {', '.join(taken)} already, not made by a publish, so nothing was"
            " brought there. Set SOCIAL_WAREHOUSE_POSTGRES_SCHEMA to another name."
        )
    row_counts: dict[str, int] = {}
    changed, replaced = [], []
    for table in tables:
        if table.name == PUBLISHED_TABLES:
            con.register(PUBLISHED_TABLES, _told(tables, row_counts))
        has_it = table.name in present and table.shape.fits(present[table.name])
        if has_it:
            row_counts[table.name], changed_count = _merge(cursor, schema, table, con)
            if changed_count:
                changed.append(table.name)
        else:
            row_counts[table.name] = _make(cursor, schema, table, con)
            changed.append(table.name)
            replaced.append(table.name)
    gone = sorted(ours - {table.name for table in tables})
    _replace(cursor, schema, replaced, [name for name in (*replaced, *gone) if name in present])
    _comment(cursor, schema, tables, {name: shape for name, shape in present.items() if name not in replaced})
    _grant(cursor, server, [table.name for table in tables])
    return row_counts, tuple(changed)


def _clear_away(server: Server, changed: Collection[str]) -> None:
    """Has the server free the rows that nobody sees any more, and forget the values that it has noted of them."""
    names = ", ".join(f"{quoted(server.schema)}.{quoted(name)}" for name in changed)
    try:
        with _connected(server, autocommit=True) as cursor:
            cursor.execute(f"VACUUM (ANALYZE, TRUNCATE false) {names}")
    except PostgresFailed as error:  # readers have the new rows, and the server's own rounds do the same later
        logger.warning("the marts are in PostgreSQL, but the rows that they replace were not cleared away: %s", error)


# --- What is to be brought over ---


def _tables(con: duckdb.DuckDBPyConnection) -> list[_Table]:
    """Every table and view of marts, and last the table that lists them."""
    comments: dict[str, str | None] = dict(
        con.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = $1 UNION ALL"
            " SELECT view_name, comment FROM duckdb_views() WHERE schema_name = $1 ORDER BY 1",
            [MARTS],
        ).fetchall()
    )
    keys = keys_of_marts()
    tables = []
    for name, comment in comments.items():
        found = con.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns()"
            " WHERE schema_name = $1 AND table_name = $2 ORDER BY column_index",
            [MARTS, name],
        ).fetchall()
        key = keys.get(name, Key(()))
        if not {*key.columns} <= {column for column, *_ in found}:  # the copy is of an earlier program
            key = Key(())
        columns = tuple(_Column(column, _type(kind), about) for column, kind, about in found)
        selected = ", ".join(f"{_sent(column, kind)} AS {quoted(column)}" for column, kind, _ in found)
        shape = _Shape(columns, key.columns, bool(key.columns) and not key.nullable, comment)
        tables.append(_Table(name, shape, key, f"SELECT {selected} FROM {MARTS}.{quoted(name)}"))
    columns = tuple(_Column(name, kind, about) for name, kind, about in _COLUMNS_OF_PUBLISHED_TABLES)
    key = Key(("table_name",))
    about = "One row per table that a publish has made in this schema; what is not listed here, it leaves alone."
    shape = _Shape(columns, key.columns, has_primary_key=True, comment=about)
    return [*tables, _Table(PUBLISHED_TABLES, shape, key, f"FROM {PUBLISHED_TABLES}")]


_COLUMNS_OF_PUBLISHED_TABLES = (
    ("table_name", "text", "Name of the table."),
    ("row_count", "bigint", "How many rows it has; null of this table."),
    ("key_columns", "text[]", "The columns that tell its rows apart."),
    ("description", "text", "What a row of it is."),
)


def _told(tables: Sequence[_Table], row_counts: dict[str, int]) -> pa.Table:
    return pa.table(
        {
            "table_name": pa.array([table.name for table in tables], pa.string()),
            "row_count": pa.array([row_counts.get(table.name) for table in tables], pa.int64()),
            "key_columns": pa.array([list(table.key.columns) for table in tables], pa.list_(pa.string())),
            "description": pa.array([table.shape.comment for table in tables], pa.string()),
        }
    )


def _type(kind: str) -> str:
    if decimal := _DECIMAL.fullmatch(kind):
        return f"numeric({decimal[1]},{decimal[2]})"
    if kind.endswith("[]") and kind[:-2] in _LISTED:
        return f"{_TYPES[kind[:-2]]}[]"
    return _TYPES.get(kind, "text")


def _sent(name: str, kind: str) -> str:
    """A column as it is sent. PostgreSQL's texts hold no U+0000, and the driver would send no time without end."""
    column = quoted(name)
    if kind in _SENT_AS:
        return f"CAST({column} AS {_SENT_AS[kind]})"
    if kind == "VARCHAR":
        return f"replace({column}, chr(0), chr(65533))"
    if kind == "VARCHAR[]":
        return f"list_transform({column}, lambda text: replace(text, chr(0), chr(65533)))"
    if kind in {"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}:
        refused = f"error({literal(f'{name} has an infinite time, which cannot be brought to PostgreSQL')})"
        return f"CASE WHEN isinf({column}) THEN {refused} ELSE {column} END"
    if _type(kind) != "text":
        return column
    return f"CAST(to_json({column}) AS VARCHAR)"


# --- What is there ---


def _shapes(cursor: Cursor, schema: str) -> dict[str, _Shape]:
    """Every table, view and the like of the schema."""
    relations = _ask(
        cursor,
        "SELECT c.oid::bigint, c.relname::text, obj_description(c.oid, 'pg_class') FROM pg_class c"
        f" WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {literal(schema)})"
        " AND c.relkind IN ('r', 'v', 'm', 'p', 'f')",
    )
    columns = _ask(
        cursor,
        "SELECT a.attrelid::bigint, a.attname::text, format_type(a.atttypid, a.atttypmod),"
        " col_description(a.attrelid, a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        f" WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {literal(schema)})"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    )
    keys = _ask(
        cursor,
        "SELECT i.indrelid::bigint, i.indisprimary, a.attname::text FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_class t ON t.oid = i.indrelid AND c.relname = t.relname || '_key'"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        f" WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {literal(schema)})"
        " ORDER BY k.place",
    )
    return {
        name: _Shape(
            tuple(_Column(column, kind, about) for table, column, kind, about in columns if table == oid),
            tuple(column for table, _, column in keys if table == oid),
            any(is_primary for table, is_primary, _ in keys if table == oid),
            comment,
        )
        for oid, name, comment in relations
    }


def _names_of_ours(cursor: Cursor, schema: str, present: Collection[str]) -> set[str]:
    """The tables there that a publish has made."""
    if PUBLISHED_TABLES not in present:
        return set()
    listed = _ask(cursor, f"SELECT table_name FROM {quoted(schema)}.{PUBLISHED_TABLES}")
    return {name for (name,) in listed} & set(present)


# --- Bringing it over ---


def _load(cursor: Cursor, schema: str | None, name: str, table: _Table, con: duckdb.DuckDBPyConnection) -> int:
    """Makes a table with the rows of one, temporary where no schema is given; gives the number of rows."""
    place = f"{quoted(schema)}.{quoted(name)}" if schema else f"pg_temp.{quoted(name)}"
    columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.shape.columns)
    cursor.execute(
        f"CREATE {'TABLE' if schema else 'TEMP TABLE'} {place} ({columns}){'' if schema else ' ON COMMIT DROP'}"
    )
    rows = con.execute(table.query).to_arrow_reader(ROWS_AT_ONCE)
    return cursor.adbc_ingest(name, rows, mode="append", db_schema_name=schema, temporary=schema is None)


def _merge(cursor: Cursor, schema: str, table: _Table, con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Has a table's rows become those of the copy; gives how many these are, and how many were written."""
    row_count = _load(cursor, None, table.name, table, con)
    here, there = f"pg_temp.{quoted(table.name)}", f"{quoted(schema)}.{quoted(table.name)}"
    cursor.execute(f"ANALYZE {here}")
    equal = (
        f"here.{quoted(name)} {'IS NOT DISTINCT FROM' if name in table.key.nullable else '='} there.{quoted(name)}"
        for name in table.key.columns
    )
    is_same_key = " AND ".join(equal) or "false"  # without a key, every row is written anew
    removed_count = _count(
        cursor,
        f"DELETE FROM {there} AS there WHERE NOT EXISTS"
        f" (SELECT FROM {here} AS here WHERE {is_same_key} AND here.* IS NOT DISTINCT FROM there.*)",
    )
    added_count = _count(
        cursor,
        f"INSERT INTO {there} SELECT * FROM {here} AS here WHERE NOT EXISTS"
        f" (SELECT FROM {there} AS there WHERE {is_same_key})",
    )
    return row_count, removed_count + added_count


def _make(cursor: Cursor, schema: str, table: _Table, con: duckdb.DuckDBPyConnection) -> int:
    """Makes a table that readers do not have yet, under the name with which it waits; gives the number of rows."""
    waiting = f"{table.name}_next"
    row_count = _load(cursor, schema, waiting, table, con)
    columns = ", ".join(map(quoted, table.key.columns))
    place, index = f"{quoted(schema)}.{quoted(waiting)}", quoted(f"{waiting}_key")
    if table.shape.has_primary_key:
        cursor.execute(f"ALTER TABLE {place} ADD CONSTRAINT {index} PRIMARY KEY ({columns})")
    elif columns:
        cursor.execute(f"CREATE UNIQUE INDEX {index} ON {place} ({columns}) NULLS NOT DISTINCT")
    return row_count


def _replace(cursor: Cursor, schema: str, made: Collection[str], gone: Collection[str]) -> None:
    """Takes away tables that are gone or have other columns, and gives those that were made their names."""
    if gone:
        _wait_for_readers(cursor, schema, gone)
    grants = [grant for name in made if name in gone for grant in _grants(cursor, schema, name)]
    for name in gone:
        cursor.execute(f"DROP TABLE {quoted(schema)}.{quoted(name)}")
    for name in made:
        cursor.execute(f"ALTER TABLE {quoted(schema)}.{quoted(f'{name}_next')} RENAME TO {quoted(name)}")
        cursor.execute(
            f"ALTER INDEX IF EXISTS {quoted(schema)}.{quoted(f'{name}_next_key')} RENAME TO {quoted(f'{name}_key')}"
        )
    for grant in grants:
        cursor.execute(grant)


def _grants(cursor: Cursor, schema: str, name: str) -> list[str]:
    """The statements that give others the same rights on the table that takes this one's place, and on its columns."""
    place, following = (literal(f"{quoted(schema)}.{quoted(each)}") for each in (name, f"{name}_next"))
    statement = (
        f"format('GRANT %s%s ON %s TO %s%s', privilege_type, ' (' || quote_ident(attname) || ')', {place},"
        " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,"
        " CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)"
    )
    found = _ask(
        cursor,
        f"SELECT {statement} FROM (SELECT NULL AS attname, relowner, (aclexplode(relacl)).* FROM pg_class"
        f" WHERE oid = {place}::regclass"
        " UNION ALL SELECT a.attname::text, relowner, (aclexplode(a.attacl)).* FROM pg_class c"
        f" JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.oid = {place}::regclass AND a.attname IN"
        f" (SELECT attname FROM pg_attribute WHERE attrelid = {following}::regclass AND attnum > 0)) AS given"
        " WHERE grantee <> relowner",
    )
    return [grant for (grant,) in found]


def _wait_for_readers(cursor: Cursor, schema: str, names: Collection[str]) -> None:
    """Locks tables that are dropped at the end of the transaction, in tries so short that no reader has to give way."""
    tables = ", ".join(f"{quoted(schema)}.{quoted(name)}" for name in names)
    try_count = LOCK_WAIT_SECONDS * 1000 // (2 * _TRY_MILLISECONDS)
    cursor.execute(f"SET LOCAL lock_timeout = '{_TRY_MILLISECONDS}ms'")
    # The inner block gives up what it has locked, which the driver cannot do: it takes a failure for the end.
    cursor.execute(f"""
        DO $do$
        BEGIN
          FOR try IN 1..{try_count} LOOP
            BEGIN
              LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;
              RETURN;
            EXCEPTION WHEN lock_not_available THEN
              PERFORM pg_sleep({_TRY_MILLISECONDS / 1000});
            END;
          END LOOP;
          RAISE lock_not_available USING MESSAGE = {literal(_BEING_READ)};
        END
        $do$
    """)
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'")


def _comment(cursor: Cursor, schema: str, tables: Sequence[_Table], present: dict[str, _Shape]) -> None:
    """Says what tables and columns mean, where it is not said yet."""
    for table in tables:
        place = f"{quoted(schema)}.{quoted(table.name)}"
        said = present.get(table.name)
        if table.shape.comment and table.shape.comment != (said and said.comment):
            cursor.execute(f"COMMENT ON TABLE {place} IS {literal(table.shape.comment)}")
        of_columns = {column.name: column.comment for column in said.columns} if said else {}
        for column in table.shape.columns:
            if column.comment and column.comment != of_columns.get(column.name):
                cursor.execute(f"COMMENT ON COLUMN {place}.{quoted(column.name)} IS {literal(column.comment)}")


def _grant(cursor: Cursor, server: Server, names: Collection[str]) -> None:
    """Lets the role that the settings name read the schema, where it cannot yet."""
    if server.reader is None:
        return
    reader, schema = literal(server.reader), quoted(server.schema)
    ((may_look_in,),) = _ask(cursor, f"SELECT has_schema_privilege({reader}, {literal(server.schema)}, 'USAGE')")
    if not may_look_in:
        cursor.execute(f"GRANT USAGE ON SCHEMA {schema} TO {quoted(server.reader)}")
    for name in names:
        table = f"{schema}.{quoted(name)}"
        ((may_read,),) = _ask(cursor, f"SELECT has_table_privilege({reader}, {literal(table)}, 'SELECT')")
        if not may_read:
            cursor.execute(f"GRANT SELECT ON {table} TO {quoted(server.reader)}")


# --- The connection ---


def _wait_for_other_publishes(cursor: Cursor, schema: str) -> None:
    """Takes the lock that the server frees when the transaction ends, or whoever holds it dies."""
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'")
    try:
        _ask(cursor, f"SELECT pg_advisory_xact_lock(hashtextextended({literal(f'{_APPLICATION} {schema}')}, 0))::text")
    except cursor.connection.Error as error:
        if error.sqlstate != _LOCK_NOT_AVAILABLE:
            raise
        raise WarehouseBusy(
            f"Another publish has been writing to schema {schema} of PostgreSQL for {LOCK_WAIT_SECONDS} seconds. Wait"
            " until it ends, then try again."
        ) from None


def _ask(cursor: Cursor, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    return cursor.fetchall()


def _count(cursor: Cursor, statement: str) -> int:
    """How many rows a statement has written."""
    cursor.execute(statement)
    return cursor.rowcount


@contextmanager
def _connected(server: Server, *, autocommit: bool = False) -> Iterator[Cursor]:
    """A connection, in a transaction unless each statement shall be one; what is not committed is undone at its end."""
    try:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - it need not be installed
    except ImportError:
        raise PostgresFailed(
            "PostgreSQL needs a package that is not installed. Run: pip install 'adbc-driver-postgresql>=1.11'",
            "package",
        ) from None
    is_connected = False
    try:
        with (
            closing(dbapi.connect(_address(server), autocommit=autocommit)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            is_connected = True
            ((version,),) = _ask(cursor, "SELECT current_setting('server_version_num')::int")
            if version < OLDEST_SERVER * 10_000:
                raise PostgresFailed(
                    f"The PostgreSQL server is of version {version // 10_000};"
                    f" the marts want {OLDEST_SERVER} or later.",
                    "version",
                )
            for option, value in _OPTIONS.items():
                cursor.execute(f"SET {option} = {literal(value)}")
            yield cursor
    except dbapi.Error as error:
        refused: Failure = "refused" if _SERVERS_LINE.search(str(error)) else "unreached"
        failure: Failure = "statement" if is_connected else refused
        raise PostgresFailed(_explain(error, is_connected=is_connected), failure) from None
    except duckdb.Error as error:  # of the published copy, while its rows are read
        raise PostgresFailed(f"{_NOT_BROUGHT}: {without_secrets(str(error))}") from error


def _address(server: Server) -> str:
    text = server.address.get_secret_value()
    if "connect_timeout=" in text:
        return text
    return f"{text}{'&' if '?' in text else '?'}connect_timeout={CONNECT_SECONDS}"


def _explain(error: Any, *, is_connected: bool) -> str:
    text = str(error)
    said = _SERVERS_LINE.search(text)
    line = said["said"] if said else text.strip().splitlines()[0].rpartition("[libpq] ")[2]
    if error.sqlstate == "2BP01" and (detail := _DETAIL.search(text)):
        line += f" ({'; '.join(detail['said'].splitlines())})"
    state = error.sqlstate if is_connected else None
    step = _END_READING if _BEING_READ in line else _NEXT_STEPS.get(state, "Mend that")
    return without_secrets(
        f"{_NOT_BROUGHT}: {line.rstrip('.')}. {step}, then run 'social-warehouse publish --to postgres'."
    )

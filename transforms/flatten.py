"""Flattens API objects into relational Arrow tables, with DuckDB in process.

Python does not loop over records, but for the few that differ from the contract. A batch goes through three steps:

1. The bodies are cut into records, each JSON text untouched, and looked at once by a strict reader of the declared
shape. Records that it
   refuses are made to fit, and carry what did not under `_extra` (`transforms.drift`).
2. `typed`: one typed read of the texts (`json_transform`). It reads PHP's `[]` as an empty object, and an absent field
as null. 3. One SELECT per table makes the rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from transforms.contract import Items, LeftOut, ListOf, Nested, Value
from transforms.drift import EXTRA_KEY, Drift, fit, is_as_declared, read_records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from transforms.contract import Column, Contract, Node, Table, Type

READ_AS: dict[Type, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "BIGINT",
    "json": "JSON",
}
ARROW: dict[Type, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
QUARANTINE = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("object", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw_text", pa.string(), nullable=False),
        pa.field("_loaded_at", ARROW["timestamp"], nullable=False),
    ]
)
"""Columns of the quarantine: records that could not be read, as text, with the reason."""

_RECORDS_PER_CHUNK = 256


@dataclass(frozen=True)
class Flattened:
    """What a batch became: Arrow tables by name (all of the contract's), unreadable records, differences in shape."""

    tables: dict[str, pa.Table]
    quarantine: pa.Table
    drift: tuple[Drift, ...]


def flatten(
    contract: Contract,
    bodies: Sequence[str | bytes],
    *,
    records_path: str,
    account_id: str,
    loaded_at: datetime,
    thread_count: int = 1,
) -> Flattened:
    """Flattens the records of a batch of response bodies.

    Of two readings of one object (same key) the later in the batch wins, with its children.

    Args:
        contract: what the objects are declared to hold.
        bodies: JSON texts, in the order in which they were read.
        records_path: JSON path of the record list inside each body, such as `$.response.data`.
        account_id: the account the objects belong to; the first column of every table.
        loaded_at: start of the run, UTC; stored as `_loaded_at`.
        thread_count: threads of the in-process database.

    Returns:
        One Arrow table per table of the contract, with exactly its columns.

    Raises:
        msgspec.DecodeError: a body is not JSON, or has no list at `records_path` (the API client has refused such
        bodies already).
    """
    records, drift = _records(contract, bodies, records_path)
    with duckdb.connect(config={"threads": thread_count}) as con:
        con.execute("SET TimeZone = 'UTC'")
        constants = {"account_id": account_id, "loaded_at": loaded_at}
        _read_typed(con, contract, records, account_id)
        quarantine = _set_apart(con, contract, constants)
        tables = {
            table.name: con.execute(_select(table, contract), constants).to_arrow_table().cast(arrow_schema(table))
            for table in contract.tables
        }
    return Flattened(tables, quarantine, tuple(sorted(drift)))


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table: timestamps in UTC microseconds, JSON as text, key columns not null."""
    return pa.schema(
        [pa.field(column.name, ARROW[column.type], nullable=not column.is_required) for column in table.all_columns]
    )


def _records(contract: Contract, bodies: Sequence[str | bytes], records_path: str) -> tuple[pa.Table, set[Drift]]:
    """The records' texts in order: as sent (`j`), and made to fit where that is needed (`fitted`)."""
    sent: list[bytes] = []
    fitted: list[bytes | None] = []
    drift: set[Drift] = set()
    for body in bodies:
        records = read_records(body, records_path)
        sent.extend(map(bytes, records))
        if is_as_declared(contract, body, records_path):
            fitted.extend([None] * len(records))
        else:
            texts, differences = fit(contract, records)
            fitted.extend(texts)
            drift |= differences
    as_text = {
        "j": pa.array(sent, pa.binary()).cast(pa.string()),
        "fitted": pa.array(fitted, pa.binary()).cast(pa.string()),
    }
    return pa.table({"sequence": range(len(sent)), **as_text}), drift


def _read_typed(con: duckdb.DuckDBPyConnection, contract: Contract, records: pa.Table, account_id: str) -> None:
    # The database reads an Arrow table in parallel only by its chunks. The struct is stored by its members: a plan over
    # one wide struct takes longer to make than to run.
    con.register("records", pa.Table.from_batches(records.to_batches(max_chunksize=_RECORDS_PER_CHUNK), records.schema))
    con.execute(
        f"""
        CREATE TEMP TABLE typed AS
        SELECT
          sequence,
          md5(concat($salt, md5(j))) AS _content_hash,
          unnest(json_transform(coalesce(fitted, j), {_shape(contract.root.element)}))
        FROM records
        """,
        {"salt": f"{account_id}/{contract.fingerprint}/"},
    )


def _set_apart(con: duckdb.DuckDBPyConnection, contract: Contract, constants: dict[str, object]) -> pa.Table:
    """Moves records that are no object, or lack their key, out of `typed`, and drops earlier readings of an object."""
    key = ", ".join(_member("e", (name,)) for name in contract.key)
    lacks_key = " OR ".join(f"nullif({_member('e', (name,))}, '') IS NULL" for name in contract.key)
    unreadable_count, has_repetitions = con.execute(
        f"SELECT count(*) FILTER ({lacks_key}), count(*) > count(DISTINCT ({key})) FROM typed AS e"
    ).fetchone() or (0, False)
    quarantine = QUARANTINE.empty_table()
    if unreadable_count:
        quarantine = con.execute(_unreadable(contract, lacks_key), constants).to_arrow_table().cast(QUARANTINE)
        con.execute(f"DELETE FROM typed AS e WHERE {lacks_key}")
    if has_repetitions:
        con.execute(f"DELETE FROM typed WHERE sequence NOT IN (SELECT max(sequence) FROM typed AS e GROUP BY {key})")
    return quarantine


def _unreadable(contract: Contract, lacks_key: str) -> str:
    reason = (
        f"CASE WHEN json_type(j) IS DISTINCT FROM 'OBJECT' THEN concat('not an object but ', lower(json_type(j)))"
        f" ELSE {_literal('no value for the key ' + ', '.join(contract.key))} END"
    )
    return f"""
        SELECT DISTINCT ON (_content_hash)
          $account_id AS account_id, {_literal(contract.object)} AS object, _content_hash AS content_hash,
          {reason} AS reason, j AS raw_text, $loaded_at::TIMESTAMPTZ AS _loaded_at
        FROM typed AS e JOIN records USING (sequence) WHERE {lacks_key} ORDER BY sequence
    """


def _shape(node: Node) -> str:
    return _literal(json.dumps(_typed_shape(node, is_element=True)))


def _typed_shape(node: Node, *, is_element: bool = False) -> object:
    """The contract's node in the words of `json_transform`; a table's element also has what was moved to `_extra`."""
    match node:
        case Value():
            return READ_AS[node.type]
        case Items():
            return ["BIGINT"]
        case Nested():
            fields = {
                name: _typed_shape(field) for name, field in node.fields.items() if not isinstance(field, LeftOut)
            }
            return fields | {EXTRA_KEY: "VARCHAR"} if is_element else fields
        case ListOf():
            # An element may be found under a key or in a list: which of the two is looked at when its rows are made.
            return "JSON" if node.keyed_by else [_typed_shape(node.of, is_element=True)]
        case LeftOut():
            raise TypeError("a field that is left out is not read")


def _select(table: Table, contract: Contract) -> str:
    """The SELECT that makes a table's rows from `typed`."""
    expressions = {column.name: _expression(column) for column in table.columns}
    expressions["account_id"] = "$account_id"
    expressions["_extra"] = f"e.{EXTRA_KEY}" if isinstance(table.element, Nested) else "NULL::VARCHAR"
    expressions["_loaded_at"] = "$loaded_at::TIMESTAMPTZ"
    expressions["deleted_at"] = "NULL::TIMESTAMPTZ"
    expressions["_is_removed"] = "NULL::BOOLEAN"
    if table.keyed_by:
        expressions[table.keyed_by.column] = "found_under"
    if table.parent is None:
        expressions |= {name: _member("e", (name,)) for name in contract.key}
    columns = ", ".join(f"{expressions.get(c.name, _quote(c.name))} AS {_quote(c.name)}" for c in table.all_columns)
    return f"SELECT {columns} FROM {_rows(table, contract)}"


def _rows(table: Table, contract: Contract) -> str:
    """The elements of a table, each as `e`, with the keys of what they are in."""
    if table.parent is None:
        return "typed AS e"
    parent = table.parent
    if parent.parent is None:
        inherited = [_member("e", (name,)) for name in contract.key]
    else:
        inherited = [_quote(name) for name in parent.key_names[1:]]
    keys = ", ".join(f"{value} AS {_quote(name)}" for value, name in zip(inherited, table.key_names[1:-1], strict=True))
    elements = _member("e", table.path)
    if table.keyed_by:
        return _keyed_rows(table, keys, elements, _rows(parent, contract))
    position = f"unnest(range(len({elements}))) AS position"
    return f"(SELECT {keys}, unnest({elements}) AS e, {position} FROM {_rows(parent, contract)})"


def _keyed_rows(table: Table, keys: str, found: str, parent_rows: str) -> str:
    """Elements from a list, from an object of elements by key, or from an object of lists of elements by key."""
    pointer = "concat('/', replace(replace(k, '~', '~0'), '/', '~1'))"
    by_key = f"list_transform(json_keys(found), lambda k: {{'k': k, 'v': json_extract(found, {pointer})}})"
    entries = f"CASE json_type(found) WHEN 'OBJECT' THEN {by_key} WHEN 'ARRAY' THEN [{{'k': NULL, 'v': found}}] END"
    as_list = "from_json(entry.v, '[\"JSON\"]')"
    elements = f"CASE json_type(entry.v) WHEN 'ARRAY' THEN {as_list} WHEN 'NULL' THEN NULL ELSE [entry.v] END"
    with_entries = f"SELECT *, {entries} AS entries FROM (SELECT {keys}, {found} AS found FROM {parent_rows})"
    by_entry = f"SELECT *, unnest(entries) AS entry, unnest(range(len(entries))) AS entry_no FROM ({with_entries})"
    by_element = f"SELECT *, unnest({elements}) AS j, unnest(range(len({elements}))) AS element_no FROM ({by_entry})"
    parent_key = ", ".join(_quote(name) for name in table.key_names[1:-1])
    position = f"row_number() OVER (PARTITION BY {parent_key} ORDER BY entry_no, element_no) - 1 AS position"
    found_under = "entry.k AS found_under"
    return f"(SELECT *, {found_under}, {position}, json_transform(j, {_shape(table.element)}) AS e FROM ({by_element}))"


def _expression(column: Column) -> str:
    """The SQL of one column, from the element `e`."""
    value = _member("e", column.path)
    if column.item is not None:
        return f"{value}[{column.item + 1}]"
    return f"to_timestamp({value})" if column.type == "timestamp" else value


def _member(struct: str, path: tuple[str, ...]) -> str:
    return ".".join((struct, *(_quote(name) for name in path)))


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

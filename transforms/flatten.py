"""Flattens API objects into relational Arrow tables, with DuckDB in process: Python never loops over records.

A batch of response bodies goes through four steps:

1. The bodies are cut into records, each JSON text untouched, and looked at once by a strict reader of the declared
shape
   (`transforms.drift.is_as_declared`).
2. `typed`: one typed read of the texts (`json_transform`) as the contract declares them. It reads PHP's `[]` as an
empty object, but turns
   what it cannot read into null without a word, so
3. when the strict reader refused the batch, its shapes are compared with the contract (`transforms.drift.find_drift`),
and 4. one SELECT per table makes the rows. Where a shape differed, that table's SELECT also looks at the text and keeps
in `_extra` what the
   typed read did not take.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from transforms.contract import Items, LeftOut, ListOf, Nested, Value
from transforms.drift import Drift, find_drift, is_as_declared, read_records, spellings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import msgspec

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

# The span that Python, pandas and Arrow can all hold: years 1 to 9999.
_FIRST_SECOND, _LAST_SECOND = -62135596800, 253402300799
_RECORDS_PER_CHUNK = 1000


@dataclass(frozen=True)
class Flattened:
    """What a batch became: Arrow tables by name (all of the contract's), unreadable records, differences in shape."""

    tables: dict[str, pa.Table]
    quarantine: pa.Table
    drift: tuple[Drift, ...]


def flatten(
    contract: Contract,
    bodies: Sequence[str],
    *,
    records_path: str,
    account_id: str,
    loaded_at: datetime,
    thread_count: int = 2,
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
    records = [record for body in bodies for record in read_records(body, records_path)]
    with duckdb.connect(config={"threads": thread_count}) as con:
        con.execute("SET TimeZone = 'UTC'")
        constants = {"account_id": account_id, "loaded_at": loaded_at}
        _read_typed(con, contract, records, account_id)
        quarantine = _take_out_unreadable(con, contract, constants)
        _keep_latest(con, contract)
        as_declared = all(is_as_declared(contract, body, records_path) for body in bodies)
        drift = () if as_declared else find_drift(con, contract)
        tables = {
            table.name: con.execute(_select(table, contract, drift), constants)
            .to_arrow_table()
            .cast(arrow_schema(table))
            for table in contract.tables
        }
    return Flattened(tables, quarantine, drift)


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table: timestamps in UTC microseconds, JSON as text, key columns not null."""
    return pa.schema(
        [pa.field(column.name, ARROW[column.type], nullable=not column.is_required) for column in table.all_columns]
    )


def _read_typed(
    con: duckdb.DuckDBPyConnection, contract: Contract, records: Sequence[msgspec.Raw], account_id: str
) -> None:
    texts = pa.table(
        {
            "sequence": range(len(records)),
            "j": pa.array(map(bytes, records), pa.binary(), size=len(records)).cast(pa.string()),
        }
    )
    # The database reads an Arrow table in parallel only by its chunks.
    con.register("records", pa.Table.from_batches(texts.to_batches(max_chunksize=_RECORDS_PER_CHUNK), texts.schema))
    con.execute(
        f"""
        CREATE TEMP TABLE typed AS SELECT sequence, j::JSON AS j, md5(concat($salt, j)) AS _content_hash,
        json_transform(j, {_shape(contract.root.element)}) AS e FROM records
        """,
        {"salt": f"{account_id}/{contract.fingerprint}/"},
    )


def _take_out_unreadable(con: duckdb.DuckDBPyConnection, contract: Contract, constants: dict[str, object]) -> pa.Table:
    """Moves records that are no object, or lack their key, out of `typed`."""
    lacks_key = " OR ".join(f"nullif({_member('e', (name,))}, '') IS NULL" for name in contract.key)
    reason = (
        f"CASE WHEN json_type(j) IS DISTINCT FROM 'OBJECT' THEN concat('not an object but ', lower(json_type(j)))"
        f" ELSE {_literal('no value for the key ' + ', '.join(contract.key))} END"
    )
    unreadable = con.execute(
        f"""
        SELECT DISTINCT ON (_content_hash)
          $account_id AS account_id, {_literal(contract.object)} AS object, _content_hash AS content_hash, {reason} AS
          reason, coalesce(j::VARCHAR, 'null') AS raw_text, $loaded_at::TIMESTAMPTZ AS _loaded_at
        FROM typed WHERE {lacks_key} ORDER BY sequence
        """,
        constants,
    ).to_arrow_table()
    if unreadable.num_rows:
        con.execute(f"DELETE FROM typed WHERE {lacks_key}")
    return unreadable.cast(QUARANTINE)


def _keep_latest(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Drops earlier readings of an object that the batch holds more than once."""
    key = ", ".join(_member("e", (name,)) for name in contract.key)
    (is_unique,) = con.execute(f"SELECT count(*) = count(DISTINCT ({key})) FROM typed").fetchone() or (True,)
    if not is_unique:
        con.execute(f"DELETE FROM typed WHERE sequence NOT IN (SELECT max(sequence) FROM typed GROUP BY {key})")


def _shape(node: Node) -> str:
    return _literal(json.dumps(_typed_shape(node)))


def _typed_shape(node: Node) -> object:
    """The contract's node in the words of `json_transform`."""
    match node:
        case Value():
            return READ_AS[node.type]
        case Items():
            return ["BIGINT"]
        case Nested():
            return {
                spelling: _typed_shape(field)
                for name, field in node.fields.items()
                if not isinstance(field, LeftOut)
                for spelling in spellings(name, field)
            }
        case ListOf():
            # An element may be found under a key or in a list: which of the two is looked at when its rows are made.
            return "JSON" if node.keyed_by else [_typed_shape(node.of)]
        case LeftOut():
            raise TypeError("a field that is left out is not read")


def _select(table: Table, contract: Contract, drift: tuple[Drift, ...]) -> str:
    """The SELECT that makes a table's rows from `typed`."""
    findings = [finding for finding in drift if finding.table == table.name]
    expressions = {column.name: _expression(column, findings) for column in table.columns}
    expressions["account_id"] = "$account_id"
    expressions["_extra"] = _extra(table, findings)
    expressions["_loaded_at"] = "$loaded_at::TIMESTAMPTZ"
    expressions["deleted_at"] = "NULL::TIMESTAMPTZ"
    expressions["_is_removed"] = "NULL::BOOLEAN"
    if table.keyed_by:
        expressions[table.keyed_by.column] = "found_under"
    if table.parent is None:
        expressions |= {name: _member("e", (name,)) for name in contract.key}
    columns = ", ".join(f"{expressions.get(c.name, _quote(c.name))} AS {_quote(c.name)}" for c in table.all_columns)
    looks_at_text = {finding.table for finding in drift}
    return f"SELECT {columns} FROM {_rows(table, contract, looks_at_text)}"


def _rows(table: Table, contract: Contract, looks_at_text: set[str]) -> str:
    """The elements of a table, each as struct `e` and, where a difference in shape has to be looked at, as text `j`."""
    if table.parent is None:
        return "typed"
    parent = table.parent
    needs_text = _needs_text(table, contract, looks_at_text)
    if parent.parent is None:
        inherited = [_member("e", (name,)) for name in contract.key]
    else:
        inherited = [_quote(name) for name in parent.key_names[1:]]
    carried = [
        "sequence",
        *(f"{value} AS {_quote(name)}" for value, name in zip(inherited, table.key_names[1:-1], strict=True)),
    ]
    keys = ", ".join(carried)
    parent_rows = _rows(parent, contract, looks_at_text)
    if table.keyed_by:
        return _keyed_rows(table, keys, parent_rows)
    elements = _member("e", table.path)
    text = f", unnest(from_json(json_extract(j, {_pointer(table.path)}), '[\"JSON\"]')) AS j" if needs_text else ""
    return (
        f"(SELECT {keys}, unnest({elements}) AS e, unnest(range(len({elements}))) AS position{text} FROM {parent_rows})"
    )


def _keyed_rows(table: Table, keys: str, parent_rows: str) -> str:
    """Elements from a list, from an object of elements by key, or from an object of lists of elements by key."""
    shape = _shape(table.element)
    pointer = "concat('/', replace(replace(k, '~', '~0'), '/', '~1'))"
    by_key = f"list_transform(json_keys(found), lambda k: {{'k': k, 'v': json_extract(found, {pointer})}})"
    entries = f"CASE json_type(found) WHEN 'OBJECT' THEN {by_key} WHEN 'ARRAY' THEN [{{'k': NULL, 'v': found}}] END"
    elements = "CASE json_type(entry.v) WHEN 'ARRAY' THEN from_json(entry.v, '[\"JSON\"]') ELSE [entry.v] END"
    with_entries = (
        f"SELECT *, {entries} AS entries FROM (SELECT {keys}, {_member('e', table.path)} AS found FROM {parent_rows})"
    )
    by_entry = f"SELECT *, unnest(entries) AS entry, unnest(range(len(entries))) AS entry_no FROM ({with_entries})"
    by_element = f"SELECT *, unnest({elements}) AS j, unnest(range(len({elements}))) AS element_no FROM ({by_entry})"
    parent_key = ", ".join(("sequence", *(_quote(name) for name in table.key_names[1:-1])))
    position = f"row_number() OVER (PARTITION BY {parent_key} ORDER BY entry_no, element_no) - 1"
    found_under = "entry.k AS found_under"
    return f"(SELECT *, {found_under}, {position} AS position, json_transform(j, {shape}) AS e FROM ({by_element}))"


def _needs_text(table: Table, contract: Contract, looks_at_text: set[str]) -> bool:
    children = [child for child in contract.tables if child.parent is not None and child.parent.name == table.name]
    return table.name in looks_at_text or any(_needs_text(child, contract, looks_at_text) for child in children)


def _expression(column: Column, findings: list[Drift]) -> str:
    """The SQL of one column, from the struct `e`.

    A value that the typed read could only approximate (1.5 as an integer) stays null.
    """
    if column.item is not None:
        return f"{_member('e', column.path)}[{column.item + 1}]"
    spellings = [_member("e", path) for path in (column.path, *column.also)]
    value = spellings[0] if len(spellings) == 1 else f"coalesce({', '.join(spellings)})"
    for finding in findings:
        if finding.path == column.path:
            value = f"CASE WHEN {_was_taken(finding, _raw(finding))} THEN {value} END"
    if column.type == "timestamp":
        return f"to_timestamp(CASE WHEN {value} BETWEEN {_FIRST_SECOND} AND {_LAST_SECOND} THEN {value} END)"
    return value


def _extra(table: Table, findings: list[Drift]) -> str:
    """The SQL of `_extra`: an object of what the typed read did not take, by path; null when it took everything."""
    kept: list[tuple[str, str, str]] = []
    for column in table.columns:
        path = ".".join(column.path)
        value = _member("e", column.path)
        if column.type == "timestamp":
            kept.append((path, f"{value} NOT BETWEEN {_FIRST_SECOND} AND {_LAST_SECOND}", f"to_json({value})"))
        if column.item == 0:
            places = sum(other.path == column.path for other in table.columns)
            kept.append((path, f"len({value}) > {places}", f"to_json({value})"))
    for finding in findings:
        raw = _raw(finding)
        kept.append(
            (
                ".".join(finding.path) or "$",
                f"{raw} IS NOT NULL AND NOT ({_was_taken(finding, raw)})",
                f"{raw}::VARCHAR",
            )
        )
    if not kept:
        return "NULL::VARCHAR"
    entries = ", ".join(
        f"CASE WHEN {when} THEN concat({_literal(json.dumps(path) + ':')}, {raw}) END" for path, when, raw in kept
    )
    found = f"list_filter([{entries}], lambda entry: entry IS NOT NULL)"
    any_found = " OR ".join(f"({when})" for _, when, _ in kept)
    return f"CASE WHEN {any_found} THEN concat('{{', array_to_string({found}, ','), '}}') END"


def _raw(finding: Drift) -> str:
    return f"json_extract(j, {_pointer(finding.path)})" if finding.path else "j"


def _was_taken(finding: Drift, raw: str) -> str:  # noqa: PLR0911 - a table of rules, one line each
    """A condition on the text: whether the typed read took all of it."""
    kind = f"json_type({raw})"
    text = f"({raw} ->> '$')"
    match finding.expected:
        case "nothing":
            return "FALSE"
        case "object":
            known = ", ".join(_literal(name) for name in finding.known)
            empty = f"({kind} = 'ARRAY' AND json_array_length({raw}) = 0)"
            declared = f"{kind} = 'OBJECT' AND list_has_all([{known}]::VARCHAR[], json_keys({raw}))"
            return f"{kind} = 'NULL' OR {empty} OR ({declared})"
        case "list":
            return f"{kind} IN ('NULL', 'ARRAY')"
        case "keyed list":
            return f"{kind} IN ('NULL', 'ARRAY', 'OBJECT')"
        case "integer" | "timestamp":
            return f"{kind} = 'NULL' OR regexp_full_match({text}, '-?[0-9]{{1,18}}')"
        case "integers":
            return (
                f"{kind} = 'NULL' OR regexp_full_match({raw}::VARCHAR, '\\[(-?[0-9]{{1,18}}(,-?[0-9]{{1,18}})*)?\\]')"
            )
        case "float":
            return f"{kind} = 'NULL' OR try_cast({text} AS DOUBLE) IS NOT NULL"
        case "boolean":
            return f"{kind} = 'NULL' OR try_cast({text} AS BOOLEAN) IS NOT NULL"
        case _:  # text and json hold anything: an object arrives as its JSON text
            return "TRUE"


def _member(struct: str, path: tuple[str, ...]) -> str:
    return ".".join((struct, *(_quote(name) for name in path)))


def _pointer(path: tuple[str, ...]) -> str:
    """A JSON pointer: unlike a JSON path it can name any key."""
    return _literal("".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path))


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

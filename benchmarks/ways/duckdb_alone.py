"""The database by itself: a typed read of a file of mentions and one table after the other. The floor.

No look for differences from the contract, no keys, no merge, no state, nothing to recover from: what is left is reading
JSON and writing tables. A typed `read_json` refuses the file, because PHP writes an empty object as `[]`;
`read_ndjson_objects` with `json_transform` to the same type takes it.
"""
# ruff: noqa: S608 - names in the SQL come from the contract, values are parameters

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from measured import measured

from transforms.contract import Items, LeftOut, ListOf, Nested, Value, contract
from transforms.selects import READ_AS

if TYPE_CHECKING:
    from transforms.contract import Column, Node, Table

SCHEMA = "social_connect"


def main() -> None:
    """Loads the mentions into a new database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mentions", type=Path, help="mentions, one a line")
    parser.add_argument("folder", type=Path, help="empty folder for the database")
    parser.add_argument("--account-id", required=True)
    options = parser.parse_args()
    database = options.folder / "loaded.duckdb"
    mention = contract("mention")
    with measured(database, SCHEMA), duckdb.connect(database) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE SCHEMA {SCHEMA}")
        con.execute(
            f"CREATE TEMP TABLE typed AS SELECT json_transform(json, '{json.dumps(_shape(mention.root.element))}') AS e"
            " FROM read_ndjson_objects($file)",
            {"file": str(options.mentions)},
        )
        for table in mention.tables:
            con.execute(f"CREATE TABLE {SCHEMA}.{table.name} AS {_select(table)}", {"account_id": options.account_id})


def _shape(node: Node) -> object:
    match node:
        case Value():
            return READ_AS[node.type]
        case Items():
            return ["BIGINT"]
        case Nested():
            return {name: _shape(field) for name, field in node.fields.items() if not isinstance(field, LeftOut)}
        case ListOf():
            return "JSON" if node.keyed_by else [_shape(node.of)]
        case LeftOut():
            raise TypeError("a field that is left out is not read")


def _select(table: Table) -> str:
    """Key, positions and values; none of the columns that the project adds for its own housekeeping."""
    columns = [*(f'"{name}"' for name in table.key_names[1:]), *(_column(column) for column in table.columns)]
    if table.keyed_by:
        columns[len(table.key_names) - 1] = f'found_under AS "{table.keyed_by.column}"'
    return f"SELECT $account_id AS account_id, {', '.join(columns)} FROM {_rows(table)}"


def _column(column: Column) -> str:
    value = ".".join(("e", *(f'"{name}"' for name in column.path)))
    if column.item is not None:
        value = f"{value}[{column.item + 1}]"
    if column.type == "timestamp":
        value = f"to_timestamp({value})"
    return f'{value} AS "{column.name}"'


def _rows(table: Table) -> str:
    if table.parent is None:
        return "(SELECT e.unique_id AS unique_id, e FROM typed)"
    elements = ".".join(("e", *(f'"{name}"' for name in table.path)))
    inherited = zip(table.parent.key_names[1:], table.key_names[1:-1], strict=True)
    keys = ", ".join(f'"{theirs}" AS "{ours}"' for theirs, ours in inherited)
    if table.keyed_by:
        return _keyed_rows(table, keys, elements)
    return (
        f"(SELECT {keys}, unnest({elements}) AS e, unnest(range(len({elements}))) AS position FROM {_rows_of(table)})"
    )


def _keyed_rows(table: Table, keys: str, elements: str) -> str:
    """Elements from a list, or from an object of elements, or of lists of elements, by key."""
    texts = "CASE json_type({0}) WHEN 'ARRAY' THEN from_json({0}, '[\"JSON\"]') ELSE [{0}] END"
    by_key = f"list_transform(json_keys({elements}), lambda k: {{'k': k, 'v': {elements}->k}})"
    entries = f"CASE json_type({elements}) WHEN 'OBJECT' THEN {by_key} ELSE [{{'k': NULL, 'v': {elements}}}] END"
    found = f"SELECT {keys}, unnest({entries}) AS entry FROM {_rows_of(table)} WHERE {elements} IS NOT NULL"
    listed = f"SELECT *, unnest({texts.format('entry.v')}) AS text FROM ({found})"
    own_key = ", ".join(f'"{name}"' for name in table.key_names[1:-1])
    return (
        f"(SELECT *, entry.k AS found_under, row_number() OVER (PARTITION BY {own_key}) - 1 AS position,"
        f" json_transform(text, '{json.dumps(_shape(table.element))}') AS e FROM ({listed}))"
    )


def _rows_of(table: Table) -> str:
    if table.parent is None:
        raise TypeError(f"{table.name} is no list")
    return _rows(table.parent)


if __name__ == "__main__":
    main()

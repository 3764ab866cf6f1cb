"""Compares the shapes of a batch with the contract: unknown fields, and values of another kind than declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import orjson

from transforms.contract import Items, ListOf, Nested, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from transforms.contract import Contract, Node, Table

Expected = Literal["nothing", "object", "list", "keyed list", "text", "integer", "integers", "float", "boolean", "timestamp", "json"]

# PHP encodes an empty object as [], so both empties say as little as null, and are taken out before shapes are compared.
# A quote that no backslash precedes and a colon follows ends a key: the pattern cannot match inside a text.
_EMPTY = r'([^\\])"\s*:\s*(?:\[\s*\]|\{\s*\})'
SHAPE = f"""json_structure(regexp_replace(j::VARCHAR, '{_EMPTY}', '\\1":null', 'g'))::VARCHAR"""
"""SQL of a record's shape, from its text `j`: its keys and the kinds of their values."""

_READABLE: dict[str, frozenset[str]] = {
    "text": frozenset({"VARCHAR", "BIGINT", "UBIGINT", "DOUBLE", "BOOLEAN", "JSON"}),
    "integer": frozenset({"BIGINT", "UBIGINT"}),
    "timestamp": frozenset({"BIGINT", "UBIGINT"}),
    "float": frozenset({"BIGINT", "UBIGINT", "DOUBLE"}),
    "boolean": frozenset({"BOOLEAN"}),
}


@dataclass(frozen=True, order=True)
class Drift:
    """One difference between what the API sent and what the contract declares.

    `path` leads from the table's element to the value; empty for the element itself. `expected` is what the contract has there
    (`nothing` for an unknown field), `found` the JSON kind that came. `known` are the keys an object is declared to have.
    """

    table: str
    path: tuple[str, ...]
    expected: Expected
    found: str
    known: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = ".".join((self.table, *self.path))
        if self.expected == "nothing":
            return f"unknown field {where} ({self.found}), kept in _extra"
        return f"{where} was {self.found} where {self.expected} is declared; what could not be read is kept in _extra"


def find_drift(con: duckdb.DuckDBPyConnection, contract: Contract) -> tuple[Drift, ...]:
    """Every difference in shape among the records in `typed`, in order, each once.

    The database groups the records by shape, so the work here is per distinct shape, not per record.
    """
    shapes = con.execute("SELECT DISTINCT shape FROM typed").fetchall()
    walker = _Walker(contract)
    return tuple(sorted({finding for (shape,) in shapes for finding in walker.walk_record(orjson.loads(shape))}))


class _Walker:
    def __init__(self, contract: Contract) -> None:
        self._left_out = {tuple(path.split(".")) for path in contract.left_out}
        self._root = contract.root
        self._tables = {table.name: table for table in contract.tables}

    def walk_record(self, shape: object) -> Iterator[Drift]:
        yield from self._walk(shape, self._root.element, self._root, ())

    def _walk(self, shape: object, node: Node, table: Table, path: tuple[str, ...]) -> Iterator[Drift]:
        if shape == "NULL":
            return
        match node:
            case Value():
                if node.type != "json" and (not isinstance(shape, str) or shape not in _READABLE[node.type]):
                    yield Drift(table.name, path, node.type, _kind(shape))
            case Items():
                if not (isinstance(shape, list) and shape[0] in ("BIGINT", "UBIGINT", "NULL")):
                    yield Drift(table.name, path, "integers", _kind(shape))
            case Nested():
                yield from self._walk_object(shape, node, table, path)
            case ListOf():
                yield from self._walk_list(shape, node, table, path)

    def _walk_object(self, shape: object, node: Nested, table: Table, path: tuple[str, ...]) -> Iterator[Drift]:
        spellings = {name: field for key, field in node.fields.items() for name in (key, *(field.also if isinstance(field, Value) else ()))}
        if isinstance(shape, dict):
            for name, inner in shape.items():
                if name in spellings:
                    yield from self._walk(inner, spellings[name], table, (*path, name))
                elif (*path, name) not in self._left_out or table is not self._root:
                    yield Drift(table.name, (*path, name), "nothing", _kind(inner))
            return
        yield Drift(table.name, path, "object", _kind(shape), tuple(spellings))
        if shape == "JSON":
            # Elements of one record differ in kind here, and their common shape hides their fields: each is looked at by itself.
            for name, field in spellings.items():
                if isinstance(field, Value | Nested | Items):
                    yield from self._walk("JSON", field, table, (*path, name))

    def _walk_list(self, shape: object, node: ListOf, table: Table, path: tuple[str, ...]) -> Iterator[Drift]:
        child = self._tables[node.table]
        if isinstance(shape, list):
            yield from self._walk(shape[0], node.of, child, ())
        elif isinstance(shape, dict) and node.keyed_by:
            for inner in shape.values():
                yield from self._walk(inner[0] if isinstance(inner, list) else inner, node.of, child, ())
        else:
            yield Drift(table.name, path, "keyed list" if node.keyed_by else "list", _kind(shape))


def _kind(shape: object) -> str:
    if isinstance(shape, dict):
        return "an object"
    if isinstance(shape, list):
        return "a list"
    return {
        "VARCHAR": "text",
        "BOOLEAN": "a boolean",
        "DOUBLE": "a number",
        "BIGINT": "a whole number",
        "UBIGINT": "a whole number",
        "JSON": "of several kinds",
    }.get(str(shape), str(shape).lower())

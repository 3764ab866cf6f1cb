"""Compares what came with the contract: unknown fields, and values of another kind than declared.

Almost every body is exactly as declared. A strict reader made from the contract says so at little cost; only where it
refuses are the shapes of the records worked out and compared.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import orjson

from transforms.contract import Items, LeftOut, ListOf, Nested, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from transforms.contract import Contract, Node, Table

Expected = Literal[
    "nothing", "object", "list", "keyed list", "text", "integer", "integers", "float", "boolean", "timestamp", "json"
]

# PHP encodes an empty object as [], so both empties say as little as null, and are taken out before shapes are
# compared. A quote that no backslash precedes and a colon follows ends a key: the pattern cannot match inside a text.
_EMPTY = r'([^\\])"\s*:\s*(?:\[\s*\]|\{\s*\})'
_SHAPE = f"""json_structure(regexp_replace(j::VARCHAR, '{_EMPTY}', '\\1":null', 'g'))::VARCHAR"""
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

    `path` leads from the table's element to the value; empty for the element itself. `expected` is what the contract
    has there (`nothing` for an unknown field), `found` the JSON kind that came. `known` are the keys an object is
    declared to have.
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


def read_records(body: str, records_path: str) -> list[msgspec.Raw]:
    """The records of a response body, each as its JSON text.

    Raises:
        msgspec.DecodeError: the body is not JSON, or has no list at the path.
    """
    records: Any = _reader(records_path, msgspec.Raw).decode(body)
    for name in _names(records_path):
        records = getattr(records, name)
    return list[msgspec.Raw](records)


def is_as_declared(contract: Contract, body: str, records_path: str) -> bool:
    """Whether every record of a body has only declared fields, with values of the declared kinds only."""
    try:
        _reader(records_path, _strict_type(contract)).decode(body)
    except msgspec.ValidationError:
        return False
    return True


@cache
def _reader(records_path: str, record: Any) -> msgspec.json.Decoder[Any]:
    expected: Any = list[record]
    for name in reversed(_names(records_path)):
        expected = msgspec.defstruct("Envelope", [(name, expected)])
    return msgspec.json.Decoder(expected)


def _names(records_path: str) -> list[str]:
    return records_path.removeprefix("$.").split(".")


@cache
def _strict_type(contract: Contract) -> Any:
    return _strict(contract.root.element)


_EmptyArray = Annotated[list[Any], msgspec.Meta(max_length=0)]
_Integer = Annotated[int, msgspec.Meta(gt=-(10**18), lt=10**18)]
_STRICT: dict[str, Any] = {
    "text": str | int | float | bool | None,
    "integer": _Integer | None,
    "timestamp": _Integer | None,
    "float": float | int | None,
    "boolean": bool | None,
    "json": Any,
}


def _strict(node: Node) -> Any:
    """The strict type of a node: no undeclared fields; PHP's `[]` is an empty object; anything may be null."""
    match node:
        case Value():
            return _STRICT[node.type]
        case Items():
            return Annotated[list[_Integer], msgspec.Meta(max_length=len(node.items))] | None
        case Nested():
            return _struct(node) | _EmptyArray | None
        case ListOf():
            if node.keyed_by is None:
                return _list(_strict(node.of)) | None
            element = _struct(node.of) if isinstance(node.of, Nested) else _strict(node.of)
            return types.GenericAlias(dict, (str, element | _list(element) | None)) | _list(element) | None
        case LeftOut():
            return Any


def _list(element: Any) -> Any:
    return types.GenericAlias(list, (element,))


def _struct(node: Nested) -> Any:
    fields = [(spelling, _strict(field)) for name, field in node.fields.items() for spelling in spellings(name, field)]
    return msgspec.defstruct(
        "Declared",
        # Attribute names are made up: a JSON key need not be a Python name.
        [(f"field_{place}", kind, None) for place, (_, kind) in enumerate(fields)],
        rename={f"field_{place}": name for place, (name, _) in enumerate(fields)},
        forbid_unknown_fields=True,
        gc=False,
    )


def spellings(name: str, node: Node) -> tuple[str, ...]:
    """The keys under which the API sends a field."""
    return (name, *(node.also if isinstance(node, Value) else ()))


def find_drift(con: duckdb.DuckDBPyConnection, contract: Contract) -> tuple[Drift, ...]:
    """Every difference in shape among the records in `typed`, in order, each once.

    The database groups the records by shape, so the work here is per distinct shape, not per record.
    """
    shapes = con.execute(f"SELECT DISTINCT {_SHAPE} FROM typed").fetchall()
    walker = _Walker(contract)
    return tuple(sorted({finding for (shape,) in shapes for finding in walker.walk_record(orjson.loads(shape))}))


class _Walker:
    def __init__(self, contract: Contract) -> None:
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
            case LeftOut():
                return
            case ListOf():
                yield from self._walk_list(shape, node, table, path)

    def _walk_object(self, shape: object, node: Nested, table: Table, path: tuple[str, ...]) -> Iterator[Drift]:
        declared = {spelling: field for name, field in node.fields.items() for spelling in spellings(name, field)}
        if isinstance(shape, dict):
            for name, inner in shape.items():
                if name in declared:
                    yield from self._walk(inner, declared[name], table, (*path, name))
                else:
                    yield Drift(table.name, (*path, name), "nothing", _kind(inner))
            return
        yield Drift(table.name, path, "object", _kind(shape), tuple(declared))
        if shape == "JSON":
            # Elements of one record differ in kind here, and their common shape hides their fields: each is looked at
            # by itself.
            for name, field in declared.items():
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

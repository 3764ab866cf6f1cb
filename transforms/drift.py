"""Compares records with the contract, and makes those that differ fit it: what does not fit is moved to `_extra`.

Almost every body is exactly as declared. A strict reader made from the contract says so at little cost
(`is_as_declared`); only the records that it refuses are taken apart one by one (`fit`). What comes out is as declared
again and has its key, so nothing after this has to doubt it.
"""

from __future__ import annotations

import json
import math
import re
import types
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from transforms.contract import Items, LeftOut, ListOf, Nested, Value, Whole
from transforms.personal_data import shape_of

if TYPE_CHECKING:
    from transforms.contract import Contract, Element, KeyColumn, Node

# The span that Python, pandas and Arrow can all hold: years 1 to 9999.
FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799
LARGEST_INTEGER = 10**18

EXTRA_KEY = "_extra"
"""Where an element that has been made to fit carries, as JSON text, what did not."""


DOCUMENTED_VALUES = "one of the documented values"
"""What is expected of a column whose values the contract lists."""

LONGEST_EXAMPLE = 80


@dataclass(frozen=True, order=True)
class Drift:
    """One difference between what the API sent and what the contract declares.

    `path` leads from the table's element to the value; empty for the element itself. `expected` is what the contract
    has there (`nothing` for an unknown field), `found` the JSON kind that came. `example` is the shape of the first
    such value: every letter an x, every digit a 0. `is_kept` says whether what could not be read is in `_extra`.
    """

    table: str
    path: tuple[str, ...]
    expected: str
    found: str
    example: str = field(default="", compare=False)
    is_kept: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        where = ".".join((self.table, *self.path))
        kept = "kept in _extra" if self.is_kept else "not kept, as it may be personal"
        if self.expected == "nothing":
            return f"unknown field {where} ({self.found}), {kept}"
        if self.expected == DOCUMENTED_VALUES:
            return f"{where} is {self.found!r}, which is not documented; kept"
        return f"{where} was {self.found} where {self.expected} is declared; what could not be read is {kept}"


@dataclass(frozen=True)
class Reading:
    """Records of a body, in order: texts as sent, and made to fit where that is needed (else None).

    `unreadable` are the texts that cannot be read, each with the reason; they are not among the others.
    """

    sent: list[bytes]
    fitted: list[bytes | None]
    unreadable: list[tuple[bytes, str]]
    drift: set[Drift]


def read(contract: Contract, body: str | bytes, records_path: str, *, keeps_undeclared: bool = True) -> Reading:
    """Cuts a response body into its records, and makes those that differ from the contract fit it.

    Args:
        contract: what the records are declared to hold.
        body: a JSON text.
        records_path: JSON path of the list of records.
        keeps_undeclared: whether what does not fit is kept, under `_extra` or as the JSON text in a text's place.

    Raises:
        msgspec.DecodeError: the body is not JSON, or has no list at the path.
    """
    records = read_records(body, records_path)
    if is_as_declared(contract, body, records_path):
        return Reading(records, [None] * len(records), [], set())
    return fit(contract, records, keeps_undeclared=keeps_undeclared)


# --- the strict reader ---


def read_records(body: str | bytes, records_path: str) -> list[bytes]:
    """The records of a response body, each as its JSON text.

    Raises:
        msgspec.DecodeError: the body is not JSON, or has no list at the path.
    """
    records: Any = _reader(records_path, msgspec.Raw).decode(body)
    for name in _names(records_path):
        records = getattr(records, name)
    return [*map(bytes, records)]


def is_as_declared(contract: Contract, body: str | bytes, records_path: str) -> bool:
    """Whether every record of a body has its key, and only declared fields with values of the declared kinds."""
    if not _accepts(_reader(records_path, _strict_type(contract)), body):
        return False
    text = body.encode() if isinstance(body, str) else body
    # Several records may well spell a field differently; it is one that does so by itself which has to be looked at.
    return not _spells_twice(contract, text) or not any(
        _spells_twice(contract, record) for record in read_records(text, records_path)
    )


def _accepts(reader: msgspec.json.Decoder[Any], text: str | bytes) -> bool:
    try:
        reader.decode(text)
    except msgspec.ValidationError:
        return False
    return True


def _spells_twice(contract: Contract, text: bytes) -> bool:
    """Whether a text may have a field in two spellings: one counts, the other is kept if it says something else."""
    return any(one in text and other in text for one, other in _spellings(contract))


@cache
def _spellings(contract: Contract) -> list[tuple[bytes, bytes]]:
    """The pairs of spellings of one field, as JSON has them."""
    return [
        (f'"{one}"'.encode(), f'"{other}"'.encode())
        for table in contract.tables
        for column in table.all_columns
        for one, other in combinations((*column.path[-1:], *column.also), 2)
    ]


@cache
def _reader(records_path: str, record: Any) -> msgspec.json.Decoder[Any]:
    expected: Any = list[record]
    for name in reversed(_names(records_path)):
        expected = msgspec.defstruct("Envelope", [(name, expected)])
    return msgspec.json.Decoder(expected)


@cache
def _record_reader(contract: Contract) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_strict_type(contract))


def _names(records_path: str) -> list[str]:
    return records_path.removeprefix("$.").split(".")


@cache
def _strict_type(contract: Contract) -> Any:
    keys = frozenset(column.path for column in contract.root.key if column.path)
    return _struct(Nested(fields=contract.fields), keys)


_EmptyArray = Annotated[list[Any], msgspec.Meta(max_length=0)]
_Key = Annotated[str, msgspec.Meta(min_length=1)] | int | float
_Integer = Annotated[int, msgspec.Meta(gt=-LARGEST_INTEGER, lt=LARGEST_INTEGER)]
_STRICT: dict[str, Any] = {
    "text": str | int | float | bool | None,
    "integer": _Integer | None,
    "timestamp": Annotated[int, msgspec.Meta(ge=FIRST_SECOND, le=LAST_SECOND)] | None,
    "float": float | int | None,
    "boolean": bool | None,
    "json": Any,
}


def _strict(node: Node) -> Any:  # noqa: PLR0911 - a list of kinds
    """The strict type of a node: no undeclared fields; PHP's `[]` is an empty object; anything may be null."""
    match node:
        case Value():
            return _STRICT[node.type]
        case Items():
            return Annotated[list[_Integer | None], msgspec.Meta(max_length=len(node.items))] | None
        case Nested():
            return _struct(node) | _EmptyArray | None
        case ListOf():
            if node.keyed_by is None:
                return _list(_strict(node.of)) | None
            element = _struct(node.of) if isinstance(node.of, Nested) else _strict(node.of)
            elements = _list(element | None)
            return types.GenericAlias(dict, (str, element | elements | None)) | elements | None
        case Whole():
            return types.GenericAlias(dict, (str, Any)) | _EmptyArray | None
        case LeftOut():
            return Any


def _list(element: Any) -> Any:
    return types.GenericAlias(list, (element,))


def _struct(node: Nested, keys: frozenset[tuple[str, ...]] = frozenset()) -> Any:
    """`keys` are the paths of values that must be there."""
    # Attribute names are made up: a JSON key need not be a Python name.
    nodes = {
        spelling: field
        for name, field in node.fields.items()
        for spelling in (name, *(field.also if isinstance(field, Value) else ()))
    }
    names = {f"field_{place}": name for place, name in enumerate(nodes)}
    return msgspec.defstruct(
        "Declared",
        [_field(attribute, nodes[name], _below(keys, name)) for attribute, name in names.items()],
        rename=names,
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )


def _field(attribute: str, node: Node, keys: frozenset[tuple[str, ...]]) -> Any:
    if () in keys:
        return attribute, _Key
    if keys and isinstance(node, Nested):
        return attribute, _struct(node, keys)
    return attribute, _strict(node), None


def _below(keys: frozenset[tuple[str, ...]], name: str) -> frozenset[tuple[str, ...]]:
    return frozenset(path[1:] for path in keys if path[0] == name)


# --- records that differ ---


def fit(contract: Contract, records: list[bytes], *, keeps_undeclared: bool = True) -> Reading:
    """Makes the records of a refused body fit the contract."""
    reader = _record_reader(contract)
    reading = Reading([], [], [], set())
    for record in records:
        try:
            is_declared = _accepts(reader, record) and not _spells_twice(contract, record)
            fitted = None if is_declared else _made_to_fit(contract, record, reading.drift, keeps_undeclared)
        except _Unreadable as reason:
            reading.unreadable.append((record, str(reason)))
        else:
            reading.sent.append(record)
            reading.fitted.append(fitted)
    return reading


class _Unreadable(Exception):
    """A record of which no row can be made, with the reason."""


def _made_to_fit(contract: Contract, record: bytes, drift: set[Drift], keeps_undeclared: bool) -> bytes:
    try:
        value = json.loads(record, parse_float=_read_number)
    except (RecursionError, ValueError):
        raise _Unreadable("nested too deep, or a number of thousands of digits") from None
    if not isinstance(value, dict):
        raise _Unreadable(f"not an object but {_kind(value)}")
    paths = [column.path for column in contract.root.key if column.path]
    if missing := [".".join(path) for path in paths if not _has(value, path)]:
        raise _Unreadable(f"no value for the key {', '.join(missing)}")
    fitting = _Fitting(contract.root.name, drift, keeps_undeclared=keeps_undeclared)
    return _json(fitting.element(value, contract.root.element)).encode()


def _has(value: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value not in (None, "") and not isinstance(value, dict | list)


def _read_number(text: str) -> float | str:
    """A number, or its text where a double cannot hold it: JSON has no infinity to write it back."""
    number = float(text)
    return number if math.isfinite(number) else text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Misfit(Exception):
    """A value that the declared node cannot hold."""


class _Fitting:
    """Takes one element of a table apart, and its lists' elements with it."""

    def __init__(self, table: str, drift: set[Drift], *, keeps_undeclared: bool = True) -> None:
        self._table = table
        self._drift = drift
        self._keeps_undeclared = keeps_undeclared
        self._extra: dict[str, Any] = {}

    def element(self, value: Any, node: Element) -> Any:
        """An element of the table that fits, with what did not fit under `_extra`."""
        if isinstance(node, Value):
            return self._plain(value, node)
        if isinstance(node, Whole) or value is None:
            return value
        try:
            fitted = self._object(value, node, ())
        except _Misfit:
            self._keep((), "object", value)
            fitted = {}
        if self._extra:
            fitted[EXTRA_KEY] = _json(self._extra)
        return fitted

    def _plain(self, value: Any, node: Value) -> Any:
        """A value of a list of plain values: there is no place beside it, so text takes whatever comes."""
        if isinstance(value, dict | list):
            self._note((), node.type, value)
            return self._as_text(value)
        return value

    def _object(self, value: Any, node: Nested, path: tuple[str, ...]) -> dict[str, Any]:
        if value is None or value == []:
            return {}
        if not isinstance(value, dict):
            raise _Misfit
        fitted: dict[str, Any] = {}
        other_spellings = {
            spelling: name for name, field in node.fields.items() if isinstance(field, Value) for spelling in field.also
        }
        for key, inner in value.items():
            name = other_spellings.get(key, key)
            is_second = name != key and value.get(name) is not None and value[name] != inner
            if name not in node.fields or is_second:
                self._keep((*path, key), "nothing", inner)
            else:
                self._field(fitted, name, inner, node.fields[name], (*path, key))
        return fitted

    def _field(self, fitted: dict[str, Any], name: str, value: Any, node: Node, path: tuple[str, ...]) -> None:
        if isinstance(node, LeftOut) or (name in fitted and value is None):
            return
        try:
            fitted[name] = self._node(value, node, path)
        except _Misfit:
            self._keep(path, _expected(node), value)

    def _node(self, value: Any, node: Node, path: tuple[str, ...]) -> Any:
        match node:
            case Value():
                return self._value(value, node, path)
            case Items():
                return self._items(value, node, path)
            case Nested():
                return self._object(value, node, path)
            case ListOf():
                return self._list(value, node)
            case Whole() if value is None or value == [] or isinstance(value, dict):
                return value
        raise _Misfit

    def _value(self, value: Any, node: Value, path: tuple[str, ...]) -> Any:
        if node.type == "text" and isinstance(value, dict | list):
            self._note(path, "text", value)
            return self._as_text(value)
        fitted = _READ[node.type](value) if value is not None and node.type in _READ else value
        if type(fitted) is not type(value):
            self._note(path, node.type, value)
        return fitted

    def _items(self, value: Any, node: Items, path: tuple[str, ...]) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise _Misfit
        fitted = [None if item is None else _read_integer(item) for item in value]
        if len(value) > len(node.items):
            self._keep(path, "integers", value)
        return fitted[: len(node.items)]

    def _list(self, value: Any, node: ListOf) -> Any:
        if isinstance(value, list):
            return [self._child(node, element) for element in value]
        if value is None or value == {}:
            return None
        if isinstance(value, dict) and node.keyed_by:
            return {
                key: [self._child(node, element) for element in found]
                if isinstance(found, list)
                else self._child(node, found)
                for key, found in value.items()
            }
        raise _Misfit

    def _child(self, node: ListOf, element: Any) -> Any:
        fitting = _Fitting(node.table, self._drift, keeps_undeclared=self._keeps_undeclared)
        return fitting.element(element, node.of)

    def _as_text(self, value: Any) -> str | None:
        return _json(value) if self._keeps_undeclared else None

    def _keep(self, path: tuple[str, ...], expected: str, value: Any) -> None:
        self._note(path, expected, value)
        if not self._keeps_undeclared:
            return
        name = ".".join(path) if path else "$"
        # Two paths can be spelled alike when a key has a dot in it.
        self._extra[_json(path) if name in self._extra else name] = value

    def _note(self, path: tuple[str, ...], expected: str, value: Any) -> None:
        example = shape_of(_json(value))[:LONGEST_EXAMPLE]
        self._drift.add(Drift(self._table, path, expected, _kind(value), example, is_kept=self._keeps_undeclared))


def _expected(node: Node) -> str:
    match node:
        case Value():
            return node.type
        case Items():
            return "integers"
        case Nested() | Whole():
            return "object"
        case ListOf(keyed_by=keyed_by):
            return _expected_list(keyed_by)
        case LeftOut():
            return "nothing"


def _expected_list(keyed_by: KeyColumn | None) -> str:
    return "list" if keyed_by is None else "keyed list"


def _read_integer(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_INTEGER:
        return value
    raise _Misfit


def _read_timestamp(value: Any) -> int:
    seconds = _read_integer(value)
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise _Misfit
    return seconds


def _read_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Misfit
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Misfit from None
    if not math.isfinite(number):
        raise _Misfit
    return number if isinstance(value, str) else value


def _read_boolean(value: Any) -> bool:
    try:
        return {True: True, False: False, "true": True, "false": False, "1": True, "0": False}[value]
    except (KeyError, TypeError):
        raise _Misfit from None


_READ = {
    "integer": _read_integer,
    "timestamp": _read_timestamp,
    "float": _read_float,
    "boolean": _read_boolean,
}


def _kind(value: Any) -> str:  # noqa: PLR0911 - a list of words
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"

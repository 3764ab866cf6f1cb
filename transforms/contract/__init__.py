"""The contract: what each API object holds, said once, in one YAML file per object.

From it come the typed JSON read and the columns (`transforms.flatten`), the loader's hints and comments
(`pipelines.source`), the dbt source file and the data dictionary (`docs/generate.py`). A contract file mirrors
the object's JSON; docs/add-a-stream.md explains its words. The objects are the vendor's
(`/developers/documentation/responses`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

Type = Literal["text", "integer", "float", "boolean", "timestamp", "json"]

FOLDER = Path(__file__).parent


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Declared):
    """A value that becomes one column.

    Timestamps arrive as unix seconds and are stored in UTC; identifiers are always text.
    """

    type: Type
    description: str
    column: str | None = None
    personal: bool = False
    values: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Items(_Declared):
    """A short list of fixed length whose places have meanings, each a column."""

    items: tuple[Value, ...]


class Nested(_Declared):
    """An object inside an object: its fields become columns named by their path."""

    fields: dict[str, Node]


class KeyColumn(_Declared):
    """The column that takes the key under which an element was found."""

    column: str
    description: str


class ListOf(_Declared):
    """A list: a child table.

    With `keyed_by`, the API may also send an object of elements (or of lists of elements) by key.
    """

    table: str
    description: str
    of: Value | Nested
    keyed_by: KeyColumn | None = None


class LeftOut(_Declared):
    """A documented field that gets no column, with the reason."""

    left_out: str


Node = Value | Items | Nested | ListOf | LeftOut


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `path` leads from the table's element to the value; it is empty for columns that do not come from the element's
    JSON, and for the value of a list of plain values. `item` is the place in a list of fixed length.
    """

    name: str
    type: Type
    description: str
    path: tuple[str, ...] = ()
    item: int | None = None
    personal: bool = False
    values: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True)
class Table:
    """One relational table: the object itself (no parent) or one of its lists.

    `key` is unique in the table; `object_key` names those of its columns that say which object a row belongs to.
    """

    name: str
    description: str
    element: Value | Nested
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    object_key: tuple[str, ...]
    parent: Table | None = None
    path: tuple[str, ...] = ()
    keyed_by: KeyColumn | None = None
    housekeeping: tuple[Column, ...] = ()

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column in the order of the warehouse: key, values, housekeeping."""
        return (*self.key, *self.columns, *self.housekeeping)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the key's columns: unique in the table."""
        return tuple(column.name for column in self.key)


class Contract(_Declared):
    """One API object as declared in its file."""

    object: str
    table: str
    key: tuple[str, ...]
    description: str
    fields: dict[str, Node]
    marks_deleted: bool = False

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The object's table first, then its lists' tables, parents before children."""
        return tuple(_tables(self))

    @property
    def root(self) -> Table:
        """The object's own table."""
        return self.tables[0]

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the declaration does, so that rows read under another declaration are written anew."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


ACCOUNT_ID = Column(
    "account_id", "text", "Identifier of the Social Connect account the row belongs to.", is_required=True
)
POSITION = Column("position", "integer", "Place in the API's list, from 0.", is_required=True)
EXTRA = Column(
    "_extra",
    "json",
    "What the API sent and the contract does not know, or could not read as declared, by path; null without.",
)
CONTENT_HASH = Column(
    "_content_hash", "text", "MD5 of the account, the contract and the object as sent: equal while nothing changed."
)
LOADED_AT = Column("_loaded_at", "timestamp", "Start of the run that wrote this version of the row.", is_required=True)
REMOVED = Column(
    "_is_removed", "boolean", "Set only while loading, on rows that say that a parent's rows go; always null here."
)
DELETED_AT = Column("deleted_at", "timestamp", "When the object was found gone at the source; null while it is alive.")


def _tables(contract: Contract) -> Iterator[Table]:
    key = (ACCOUNT_ID, *(_key_column(contract, name) for name in contract.key))
    deleted_at = (DELETED_AT,) if contract.marks_deleted else ()
    element = Nested(fields=contract.fields)
    root = Table(
        name=contract.table,
        description=contract.description,
        element=element,
        key=key,
        columns=tuple(column for column in _columns(element) if column.name not in contract.key),
        object_key=tuple(column.name for column in key),
        housekeeping=(*deleted_at, EXTRA, CONTENT_HASH, LOADED_AT),
    )
    yield root
    yield from _child_tables(contract, root, element, ())


def _child_tables(contract: Contract, parent: Table, node: Node, path: tuple[str, ...]) -> Iterator[Table]:
    if isinstance(node, Nested):
        for name, field in node.fields.items():
            yield from _child_tables(contract, parent, field, (*path, name))
    elif isinstance(node, ListOf):
        keyed_by = (Column(node.keyed_by.column, "text", node.keyed_by.description),) if node.keyed_by else ()
        object_key = _object_key(contract) if parent.parent is None else parent.key[: len(parent.object_key)]
        positions = parent.key[len(parent.object_key) :]
        child = Table(
            name=node.table,
            description=node.description,
            element=node.of,
            key=(*object_key, *(_renamed_position(contract, parent, position) for position in positions), POSITION),
            columns=(*keyed_by, *_columns(node.of)),
            object_key=tuple(column.name for column in object_key),
            parent=parent,
            path=path,
            keyed_by=node.keyed_by,
            housekeeping=(EXTRA, LOADED_AT, REMOVED),
        )
        yield child
        yield from _child_tables(contract, child, node.of, ())


def _object_key(contract: Contract) -> tuple[Column, ...]:
    """The object's key as its lists' tables name it: a bare `id` would not say whose it is."""
    own = (_key_column(contract, name) for name in contract.key)
    return (
        ACCOUNT_ID,
        *(replace(column, name=f"{contract.object}_id") if column.name == "id" else column for column in own),
    )


def _renamed_position(contract: Contract, parent: Table, position: Column) -> Column:
    """The parent's position, named after it (`action_position`) to make room for the child's own."""
    if position is not POSITION:
        return position
    singular = parent.name.removeprefix(f"{contract.object}_").removesuffix("s")
    return replace(position, name=f"{singular}_position", description=f"Position of the row in {parent.name}.")


def _columns(node: Node, path: tuple[str, ...] = ()) -> Iterator[Column]:
    match node:
        case Value():
            yield _column(node, path)
        case Items():
            for place, item in enumerate(node.items):
                yield Column(item.column or "", item.type, item.description, path, item=place, personal=item.personal)
        case Nested():
            for name, field in node.fields.items():
                yield from _columns(field, (*path, name))
        case ListOf() | LeftOut():
            return


def _column(value: Value, path: tuple[str, ...], *, is_required: bool = False) -> Column:
    return Column(
        name=value.column or "_".join(path),
        type=value.type,
        description=value.description,
        path=path,
        personal=value.personal,
        values=value.values,
        is_required=is_required,
    )


def _key_column(contract: Contract, name: str) -> Column:
    value = contract.fields[name]
    if not isinstance(value, Value):
        raise TypeError(f"contract {contract.object}: key {name} must be a plain value of the object")
    return _column(value, (name,), is_required=True)


@cache
def contract(name: str) -> Contract:
    """The contract of one object, such as `mention`.

    Raises:
        pydantic.ValidationError: the file says something the contract's language does not have.
        FileNotFoundError: there is no contract of that name.
    """
    return Contract.model_validate(yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8")))


def contracts() -> tuple[Contract, ...]:
    """Every contract, by object name."""
    return tuple(contract(path.stem) for path in sorted(FOLDER.glob("*.yml")))

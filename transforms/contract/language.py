"""The contract's language: the words of a contract file, and the tables that follow from them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterator

Type = Literal["text", "integer", "float", "boolean", "timestamp", "json"]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Declared):
    """A value that becomes one column.

    Timestamps arrive as unix seconds and are stored in UTC; identifiers are always text. A `momentary` value is only
    true at the moment of reading: it makes no new version of the object.
    """

    type: Type
    description: str
    column: str | None = None
    personal: bool = False
    momentary: bool = False
    values: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Items(_Declared):
    """A short list of fixed length whose places have meanings, each a column."""

    items: tuple[Value, ...]


class Nested(_Declared):
    """An object inside an object: its fields become columns named by their path.

    With `inline` the columns are named as if the fields were those of the object around it.
    """

    fields: dict[str, Node]
    inline: bool = False


class Whole(_Declared):
    """An object that is kept whole, as JSON in one column; some of its values get a column beside it.

    It may hold fields that are not declared here: nothing of it is lost.
    """

    whole: Value
    fields: dict[str, InWhole] = {}


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
    of: Element
    keyed_by: KeyColumn | None = None


class LeftOut(_Declared):
    """A documented field that gets no column, with the reason."""

    left_out: str


KINDS: dict[str, type[_Declared]] = {
    "left_out": LeftOut,
    "whole": Whole,
    "table": ListOf,
    "of": ListOf,
    "items": Items,
    "fields": Nested,
    "type": Value,
}
"""The words by which a kind of node is known; of several in one node, the first here counts."""


def _kind(declared: Any) -> str | None:
    if isinstance(declared, _Declared):
        return type(declared).__name__
    words = declared if isinstance(declared, dict) else ()
    return next((kind.__name__ for word, kind in KINDS.items() if word in words), None)


def _one_of(*kinds: type[_Declared]) -> Discriminator:
    """Reads a declaration as the kind its words name, so that what is wrong with it is said of that kind alone."""
    words = ", ".join(word for word, kind in KINDS.items() if kind in kinds)
    return Discriminator(_kind, custom_error_type="no_such_kind", custom_error_message=f"wants one of {words}, like")


Element = Annotated[
    Annotated[Value, Tag("Value")] | Annotated[Nested, Tag("Nested")] | Annotated[Whole, Tag("Whole")],
    _one_of(Value, Nested, Whole),
]
InWhole = Annotated[Annotated[Value, Tag("Value")] | Annotated[Nested, Tag("Nested")], _one_of(Value, Nested)]
Node = Annotated[
    Annotated[Value, Tag("Value")]
    | Annotated[Items, Tag("Items")]
    | Annotated[Nested, Tag("Nested")]
    | Annotated[Whole, Tag("Whole")]
    | Annotated[ListOf, Tag("ListOf")]
    | Annotated[LeftOut, Tag("LeftOut")],
    _one_of(Value, Items, Nested, Whole, ListOf, LeftOut),
]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `path` leads from the table's element to the value; it is empty for columns that do not come from the element's
    JSON, and for the value of a list of plain values. `also` are other spellings of its last name. `item` is the place
    in a list of fixed length. Where `path` leads
    to an object that is kept whole, `inside` leads on to the value inside its JSON, and is empty for the whole itself.
    """

    name: str
    type: Type
    description: str
    path: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    item: int | None = None
    inside: tuple[str, ...] = ()
    personal: bool = False
    momentary: bool = False
    values: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True)
class Table:
    """One relational table: the object itself (no parent) or one of its lists.

    `key` is unique in the table; `object_key` names those of its columns that say which object a row belongs to. In the
    object's own table, columns of the key without a path are given by the reader, the others come from the JSON.
    """

    name: str
    description: str
    element: Element
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
    """One API object as declared in its file.

    `key` holds paths of plain values in the object, and names of `given` columns: what the reader knows of an object
    without finding it in the object's JSON.
    """

    object: str
    table: str
    key: tuple[str, ...]
    description: str
    fields: dict[str, Node]
    given: dict[str, Value] = {}
    marks_deleted: bool = False

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @model_validator(mode="after")
    def _makes_sense(self) -> Contract:
        for path in self.key:
            _key_column(self, path)
        for name in self.given.keys() - set(self.key):
            raise ValueError(f"given.{name}: is not in the key; a column is given to tell objects apart")
        return self

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
        """Changes when what is declared does, so that rows read under another declaration are written anew.

        Descriptions may be reworded without.
        """
        return hashlib.sha256(json.dumps(_without_descriptions(self.model_dump())).encode()).hexdigest()[:12]


def _without_descriptions(declared: Any) -> Any:
    if isinstance(declared, dict):
        return {
            word: _without_descriptions(value)
            for word, value in declared.items()
            # A field may be called description too, but then a declaration is there, and no text.
            if not (word == "description" and isinstance(value, str)) and word != "values"
        }
    return [*map(_without_descriptions, declared)] if isinstance(declared, list | tuple) else declared


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
    key = _key(contract)
    found_in = {column.path for column in key}
    deleted_at = (DELETED_AT,) if contract.marks_deleted else ()
    element = Nested(fields=contract.fields)
    root = Table(
        name=contract.table,
        description=contract.description,
        element=element,
        key=key,
        columns=tuple(column for column in _columns(element) if column.path not in found_in),
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


def _key(contract: Contract) -> tuple[Column, ...]:
    """The columns that tell objects apart, the account first."""
    own = tuple(_key_column(contract, path) for path in contract.key)
    has_account = any(column.name == ACCOUNT_ID.name for column in own)
    return own if has_account else (ACCOUNT_ID, *own)


def _object_key(contract: Contract) -> tuple[Column, ...]:
    """The object's key as its lists' tables name it: a bare `id` would not say whose it is."""
    return tuple(
        replace(column, name=f"{contract.object}_id") if column.name == "id" else column for column in _key(contract)
    )


def _renamed_position(contract: Contract, parent: Table, position: Column) -> Column:
    """The parent's position, named after it (`action_position`) to make room for the child's own."""
    if position is not POSITION:
        return position
    singular = parent.name.removeprefix(f"{contract.object}_").removesuffix("s")
    return replace(position, name=f"{singular}_position", description=f"Position of the row in {parent.name}.")


def _columns(node: Node, path: tuple[str, ...] = (), named: tuple[str, ...] = ()) -> Iterator[Column]:
    """The columns of a node: `path` leads to it, `named` is what of the path the columns' names have."""
    match node:
        case Value():
            yield _column(node, path, named)
        case Items():
            for place, item in enumerate(node.items):
                yield Column(item.column or "", item.type, item.description, path, item=place, personal=item.personal)
        case Nested():
            for name, field in node.fields.items():
                is_inline = isinstance(field, Nested) and field.inline
                yield from _columns(field, (*path, name), named if is_inline else (*named, name))
        case Whole():
            yield _column(node.whole, path, named)
            for column in _columns(Nested(fields=dict(node.fields)), (), named):
                yield replace(column, path=path, inside=column.path)
        case ListOf() | LeftOut():
            return


def _column(value: Value, path: tuple[str, ...], named: tuple[str, ...], *, is_required: bool = False) -> Column:
    return Column(
        name=value.column or "_".join(named),
        type=value.type,
        description=value.description,
        path=path,
        also=value.also,
        personal=value.personal,
        momentary=value.momentary,
        values=value.values,
        is_required=is_required,
    )


def _key_column(contract: Contract, path: str) -> Column:
    if path in contract.given:
        return _column(contract.given[path], (), (path,), is_required=True)
    names = tuple(path.split("."))
    for column in _columns(Nested(fields=contract.fields)):
        if column.path == names and column.item is None and column.type != "json" and not column.inside:
            return replace(column, is_required=True)
    raise ValueError(f"key: got {path!r}; wants the path of a plain value in fields, or the name of a given column")

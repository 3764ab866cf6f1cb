"""The SQL that reads JSON records as typed structs and makes a table's rows of them, from the contract.

Text in, text out; `transforms.flatten` runs it. The words all of it shares:

- `records`: a batch of records, each its JSON text `j` (and `fitted`, where it had to be made to fit the contract).
- `masked`: the records with their personal values masked; records like any, with nothing that does not fit.
- `typed`: the records read so far, one row each, its columns the object's fields as structs and lists.
- `e`: the element of which a table's row is made, an object or one of the things in its lists.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from transforms.contract import Items, LeftOut, ListOf, Nested, Value, Whole
from transforms.drift import EXTRA_KEY
from transforms.erasure import SUBJECTS, erased_records
from transforms.keyed_hash import keyed_hash_sql
from transforms.personal_data import DROP

if TYPE_CHECKING:
    from datetime import datetime

    from transforms.contract import Column, Contract, Node, Table, Type
    from transforms.personal_data import Policy

READ_AS: dict[Type, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "BIGINT",
    "json": "JSON",
}
STORED_AS: dict[Type, str] = READ_AS | {"timestamp": "TIMESTAMPTZ", "json": "VARCHAR"}
"""The database's type of a column. JSON is text: a parquet file has no other."""


def typed(contract: Contract, policy: Policy, *, keeps_payload: bool) -> str:
    """One typed read of `records`, masked as the policy says.

    PHP's `[]` is read as an empty object, an absent field as null. The struct is taken apart into its members: a plan
    over one wide struct takes longer to make than to run.

    Parameter `$contract`: what the content's hash is salted with beside the account; and the policy's own.
    """
    beside = ", ".join(quoted(f"_{name}") for name in ("sequence", "account_id", *contract.given))
    # An account is the same whichever account was being read.
    account = "''" if contract.root.key[0].path else "_account_id"
    source = "records" if policy.keeps else f"({masked(contract, policy)})"
    if policy.erasures and can_be_erased(contract):
        source = f"({without_erased(contract, source)})"
    return f"""
        SELECT
          {beside},
          md5(concat({account}, '/', $contract, '/', md5(j))) AS _content_hash,{" j AS _payload," * keeps_payload}
          unnest(json_transform(coalesce(fitted, j), {_shape(contract.root.element)}))
        FROM {source}
    """


def can_be_erased(contract: Contract) -> bool:
    """Whether objects of the contract can be about somebody of the public."""
    return contract.object in SUBJECTS


def without_erased(contract: Contract, records: str) -> str:
    """Records of which those that name an erased person or thing are as under `drop`, the others as they are.

    Parameters: those of the erasures.
    """
    names = ", ".join(("_sequence", "_account_id", *(own for own, _ in _given(contract)), "j", "fitted"))
    return f"""
        WITH looked_at AS MATERIALIZED (FROM {records}),
        erased AS MATERIALIZED ({erased_records(contract.object, "looked_at")})
        SELECT {names} FROM looked_at ANTI JOIN erased USING (_sequence)
        UNION ALL BY NAME
        {masked(contract, DROP, records="(FROM looked_at SEMI JOIN erased USING (_sequence))")}
    """


def masked(contract: Contract, policy: Policy, *, records: str = "records") -> str:
    """`records` with every personal value masked, each a JSON text in the API's own form.

    Only what is declared is in it, under the first of its spellings; of an object that is kept whole, too.
    """
    keys = ", $inner_key AS inner_key, $outer_key AS outer_key" if policy.mode == "hash" else ""
    given = ", ".join(
        ("_sequence", "_account_id", *(f"{_masked(value, own, policy)} AS {own}" for own, value in _given(contract)))
    )
    element = contract.root.element
    # Without its key nothing can be told from another: such objects are left out where the key may not even be hashed.
    is_left_out = policy.mode == "drop" and any(column.personal for column in contract.root.key)
    return f"""
        SELECT {given}, CAST(to_json({_masked(element, "e", policy)}) AS VARCHAR) AS j, NULL::VARCHAR AS fitted
        FROM (SELECT *, json_transform(coalesce(fitted, j), {_shape(element)}) AS e{keys} FROM {records})
        {"WHERE false" * is_left_out}
    """


def payloads(contract: Contract, *, loaded_at: datetime) -> str:
    """The objects' texts, as sent or as masked."""
    key = ", ".join(object_key(contract))
    return f"SELECT {key}, _content_hash, _payload AS payload, {moment(loaded_at)} AS _loaded_at FROM typed AS e"


def object_key(contract: Contract) -> list[str]:
    """The columns of the object's key, each named, from `typed AS e`."""
    return [f"{_value_of(column)} AS {quoted(column.name)}" for column in contract.root.key]


def rows(table: Table, contract: Contract, *, loaded_at: datetime) -> str:
    """The rows of a table: every column of the contract, in its order and type."""
    expressions = {column.name: _expression(column) for column in table.columns}
    expressions["_extra"] = f"e.{EXTRA_KEY}" if isinstance(table.element, Nested) else "NULL"
    expressions["_loaded_at"] = moment(loaded_at)
    expressions["deleted_at"] = "NULL"
    expressions["_is_removed"] = "NULL"
    if table.keyed_by:
        expressions[table.keyed_by.column] = "found_under"
    if table.parent is None:
        expressions |= {column.name: _value_of(column) for column in table.key}
    columns = ", ".join(
        f"{expressions.get(column.name, quoted(column.name))}::{STORED_AS[column.type]} AS {quoted(column.name)}"
        for column in table.all_columns
    )
    return f"SELECT {columns} FROM {_with_insides(table, _elements(table, contract))}"


def rows_with_removals(table: Table, contract: Contract, *, held: str, loaded_at: datetime) -> str:
    """The rows of a list's table, and one that says so for each object of `held`, a table of keys, that has none."""
    key = ", ".join(f"object.{quoted(name)}" for name in table.object_key)
    same_object = " AND ".join(f"object.{quoted(name)} = r.{quoted(name)}" for name in table.object_key)
    places = "".join(f", -1 AS {quoted(name)}" for name in table.key_names if name.endswith("position"))
    return f"""
        WITH r AS MATERIALIZED ({rows(table, contract, loaded_at=loaded_at)})
        FROM r UNION ALL BY NAME
        SELECT {key}{places}, {moment(loaded_at)} AS _loaded_at, TRUE AS _is_removed
        FROM {quoted(held)} AS object ANTI JOIN r ON {same_object}
    """


def rewritten(table: Table, contract: Contract) -> str:
    """The objects of `rewritten`, by the names that the table has for their key."""
    names = zip(contract.root.object_key, table.object_key, strict=True)
    return f"SELECT {', '.join(f'{quoted(ours)} AS {quoted(theirs)}' for ours, theirs in names)} FROM rewritten"


def moment(instant: datetime) -> str:
    """An instant as the database writes it."""
    return f"TIMESTAMPTZ '{instant.isoformat()}'"


def quoted(name: str) -> str:
    """A name as the database takes any."""
    return '"' + name.replace('"', '""') + '"'


def _shape(node: Node) -> str:
    return literal(json.dumps(_typed_shape(node, is_element=True)))


def _typed_shape(node: Node, *, is_element: bool = False) -> object:
    """The contract's node in the words of `json_transform`; a table's element also has what was moved to `_extra`."""
    match node:
        case Value():
            return READ_AS[node.type]
        case Items():
            return ["BIGINT"]
        case Nested():
            fields = {
                spelling: _typed_shape(field)
                for name, field in node.fields.items()
                if not isinstance(field, LeftOut)
                for spelling in (name, *(field.also if isinstance(field, Value) else ()))
            }
            return fields | {EXTRA_KEY: "VARCHAR"} if is_element else fields
        case ListOf():
            # An element may be found under a key or in a list: which of the two is looked at when its rows are made.
            return "JSON" if node.keyed_by else [_typed_shape(node.of, is_element=True)]
        case Whole():
            return "JSON"
        case LeftOut():
            raise TypeError("a field that is left out is not read")


def _elements(table: Table, contract: Contract) -> str:
    """The elements of a table, each as `e`, with the keys of what they are in."""
    if table.parent is None:
        return "typed AS e"
    parent = table.parent
    inherited = map(_value_of, parent.key) if parent.parent is None else map(quoted, parent.key_names)
    names = map(quoted, table.key_names[:-1])
    keys = ", ".join(f"{value} AS {name}" for value, name in zip(inherited, names, strict=True))
    elements = _member("e", table.path)
    if table.keyed_by:
        return _keyed_elements(table, keys, elements, _elements(parent, contract))
    position = f"unnest(range(len({elements}))) AS position"
    return f"(SELECT {keys}, unnest({elements}) AS e, {position} FROM {_elements(parent, contract)})"


def _with_insides(table: Table, elements: str) -> str:
    """Elements with what columns want from inside of what is kept whole, each whole read once.

    That was not looked at before: a value of another kind than declared is null here, and in the whole only.
    """
    shapes: dict[tuple[str, ...], Any] = {}
    for column in table.columns:
        if column.inside:
            shape = shapes.setdefault(column.path, {})
            for name in column.inside[:-1]:
                shape = shape.setdefault(name, {})
            shape[column.inside[-1]] = READ_AS[column.type]
    if not shapes:
        return elements
    insides = ", ".join(
        f"json_transform({_member('e', path)}, {literal(json.dumps(shape))}) AS {_inside_of(path)}"
        for path, shape in shapes.items()
    )
    return (
        f"(SELECT *, {insides} FROM {elements}) AS e"
        if table.parent is None
        else f"(SELECT *, {insides} FROM {elements})"
    )


def _inside_of(path: tuple[str, ...]) -> str:
    return quoted("_inside_" + "_".join(path))


def _keyed_elements(table: Table, keys: str, found: str, parent_elements: str) -> str:
    """Elements from a list, from an object of elements by key, or from an object of lists of elements by key."""
    by_key = _entries("found")
    entries = f"CASE json_type(found) WHEN 'OBJECT' THEN {by_key} WHEN 'ARRAY' THEN [{{'k': NULL, 'v': found}}] END"
    as_list = _json_list("entry.v")
    elements = f"CASE json_type(entry.v) WHEN 'ARRAY' THEN {as_list} WHEN 'NULL' THEN NULL ELSE [entry.v] END"
    with_entries = f"SELECT *, {entries} AS entries FROM (SELECT {keys}, {found} AS found FROM {parent_elements})"
    by_entry = f"SELECT *, unnest(entries) AS entry, unnest(range(len(entries))) AS entry_no FROM ({with_entries})"
    by_element = f"SELECT *, unnest({elements}) AS j, unnest(range(len({elements}))) AS element_no FROM ({by_entry})"
    parent_key = ", ".join(map(quoted, table.key_names[:-1]))
    position = f"row_number() OVER (PARTITION BY {parent_key} ORDER BY entry_no, element_no) - 1 AS position"
    found_under = "entry.k AS found_under"
    return f"(SELECT *, {found_under}, {position}, json_transform(j, {_shape(table.element)}) AS e FROM ({by_element}))"


def _entries(found: str) -> str:
    """The members of a JSON object, in order: key and value."""
    pointer = "concat('/', replace(replace(k, '~', '~0'), '/', '~1'))"
    return f"list_transform(json_keys({found}), lambda k: {{'k': k, 'v': json_extract({found}, {pointer})}})"


def _json_list(found: str) -> str:
    return f"from_json({found}, '[\"JSON\"]')"


def _given(contract: Contract) -> list[tuple[str, Value]]:
    return [(quoted(f"_{name}"), value) for name, value in contract.given.items()]


def _value_of(key_column: Column) -> str:
    """A column of the object's own key: in the object, or given beside it, like the account."""
    return _member("e", key_column.path) if key_column.path else f"e.{quoted('_' + key_column.name)}"


def _expression(column: Column) -> str:
    """The SQL of one column, from the element `e`."""
    value = _spelled(_member("e", column.path[:-1]), column.path[-1], column.also) if column.path else "e"
    if column.inside:
        value = _member(_inside_of(column.path), column.inside)
        value = f"nullif({value}, 'null')" if column.type == "json" else value
    if column.item is not None:
        return f"{value}[{column.item + 1}]"
    return f"to_timestamp({value})" if column.type == "timestamp" else value


def _spelled(struct: str, name: str, also: tuple[str, ...]) -> str:
    """A member of a struct, in whichever of its spellings it came."""
    value = _member(struct, (name,))
    return f"coalesce({', '.join((value, *(_member(struct, (spelling,)) for spelling in also)))})" if also else value


def _inside(whole: str, path: tuple[str, ...], kind: Type) -> str:
    """A value inside what is kept whole. That was not looked at: a value of another kind is in the whole only."""
    pointer = _pointer(path)
    if kind == "json":
        return f"nullif(json_extract({whole}, {pointer}), 'null')"
    return f"TRY_CAST(json_extract_string({whole}, {pointer}) AS {READ_AS[kind]})"


def _pointer(path: tuple[str, ...]) -> str:
    return literal("".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in path))


def _member(struct: str, path: tuple[str, ...]) -> str:
    return ".".join((struct, *(quoted(name) for name in path)))


def literal(text: str) -> str:
    """A text as the database takes any."""
    return "'" + text.replace("'", "''") + "'"


# --- personal data ---


def _masked(node: Node, value: str, policy: Policy, depth: int = 0) -> str:
    """The SQL of a node's value as it may be stored: what JSON of the API's own form is made of.

    `depth` counts the lists around it: each has names of its own for what is in it.
    """
    match node:
        case Value():
            return _masked_value(node, value, policy)
        case Items():
            items = (_masked(item, f"{value}[{place}]", policy) for place, item in enumerate(node.items, 1))
            return f"[{', '.join(items)}]"
        case Nested():
            members = {
                name: _masked(
                    field, _spelled(value, name, field.also if isinstance(field, Value) else ()), policy, depth
                )
                for name, field in node.fields.items()
                if not isinstance(field, LeftOut)
            }
            return _struct(members)
        case ListOf():
            return _masked_list(node, value, policy, depth)
        case Whole():
            reduced = (
                f"CASE json_type({value}) WHEN 'OBJECT' THEN to_json({_masked_inside(node, value, (), policy)}) END"
            )
            return reduced if node.whole.personal else value
        case LeftOut():
            raise TypeError("a field that is left out is not read")


def _masked_value(node: Value, value: str, policy: Policy) -> str:
    if not node.personal:
        return value
    if policy.mode == "hash" and node.type == "text":
        return f"CASE {value} WHEN '' THEN '' ELSE {_hashed(value)} END"
    if policy.mode == "hash" and node.type == "json":
        return f"to_json({_hashed(f'CAST({value} AS VARCHAR)')})"
    return f"CAST(NULL AS {READ_AS[node.type]})"


def _hashed(text: str) -> str:
    """What `Policy.masked_text` makes of a text, in the database."""
    return keyed_hash_sql(text, "inner_key", "outer_key")


def _masked_list(node: ListOf, value: str, policy: Policy, depth: int) -> str:
    element, entry = f"element_{depth}", f"entry_{depth}"
    if node.keyed_by is None:
        return f"list_transform({value}, lambda {element}: {_masked(node.of, element, policy, depth + 1)})"
    typed_element = f"json_transform({element}, {_shape(node.of)})"
    one = f"lambda {element}: {_masked(node.of, typed_element, policy, depth + 1)}"

    def of_list(found: str) -> str:
        return f"to_json(list_transform({_json_list(found)}, {one}))"

    found = f"{entry}.v"
    under = f"""
        CASE json_type({found})
          WHEN 'ARRAY' THEN {of_list(found)} WHEN 'NULL' THEN 'null' ELSE {of_list(f"json_array({found})")} END
    """
    by_key = f"list_transform({_entries(value)}, lambda {entry}: concat(to_json({entry}.k), ':', {under}))"
    as_object = f"CAST(concat('{{', array_to_string({by_key}, ','), '}}') AS JSON)"
    return f"CASE json_type({value}) WHEN 'OBJECT' THEN {as_object} WHEN 'ARRAY' THEN {of_list(value)} END"


def _masked_inside(node: Nested | Whole, whole: str, path: tuple[str, ...], policy: Policy) -> str:
    """Of an object that is kept whole, what is declared."""
    members = {}
    for name, field in node.fields.items():
        below = (*path, name)
        if isinstance(field, Nested):
            members[name] = _masked_inside(field, whole, below, policy)
        elif isinstance(field, Value):
            value = _inside(whole, below, field.type)
            if field.type == "text":
                # An object in a text's place would bring what is not declared.
                kind = f"json_type({whole}, {_pointer(below)})"
                value = f"CASE WHEN {kind} NOT IN ('OBJECT', 'ARRAY') THEN {value} END"
            members[name] = _masked_value(field, value, policy)
    return _struct(members)


def _struct(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: {value}" for name, value in members.items()) + "}" if members else "NULL"

"""Every field of the vendor's object document has a place in the contract, and the contract invents none.

`documented_fields.txt` was made from the document by hand; it knows nothing of the contract.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from transforms.contract import Items, LeftOut, ListOf, Nested, Node, Value, contract, contracts

DOCUMENT = Path(__file__).parent / "documented_fields.txt"

# Printed by the document as if they were fields.
NOT_FIELDS = {
    "mention service_details.type": "names the kinds of detail; they arrive as keys and become the column kind",
    "mention service_details.optional": "the document's own word that each kind may be missing",
}

# In the contract, but not in the document.
NOT_IN_THE_DOCUMENT = {
    "mention actions[].metadata.status": "changelog of 2022-05-11",
    "mention actions[].metadata.priority": "changelog of 2022-05-11",
    "mention actions[].metadata.previous_priority": "changelog of 2022-05-11",
    "mention actions[].metadata.assignees": "changelog of 2022-05-11",
    "mention actions[].metadata.assignees[].id": "changelog of 2022-05-11: an assignee",
    "mention actions[].metadata.assignees[].type": "changelog of 2022-05-11: an assignee",
    "mention actions[].metadata.assignees[].display_name": "changelog of 2022-05-11: an assignee",
    "mention service_details[].location_url": "spelling of the changelog of 2023-02-21",
    "mention service_details[].location_address": "spelling of the changelog of 2023-02-21",
}


class Field(NamedTuple):
    """A documented field; `name` is object and path."""

    name: str
    kind: str
    is_optional: bool


def documented() -> Iterator[Field]:
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            of, path, kind, *optional = line.split()
            assert optional in ([], ["optional"]), line
            yield Field(f"{of} {path}", kind, bool(optional))


def declared(fields: dict[str, Node], prefix: str) -> Iterator[tuple[str, Node]]:
    for name, node in fields.items():
        path = f"{prefix}{name}"
        yield path, node
        if isinstance(node, Nested):
            yield from declared(node.fields, f"{path}.")
        if isinstance(node, ListOf) and isinstance(node.of, Nested):
            yield from declared(node.of.fields, f"{path}[].")
        for spelling in node.also if isinstance(node, Value) else ():
            yield f"{prefix}{spelling}", node


DOCUMENTED = list(documented())
DECLARED = {name: node for one in contracts() for name, node in declared(one.fields, f"{one.object} ")}


def fits(field: Field, node: Node) -> bool:
    """Whether what the contract has in a field's place can hold what the document says comes there."""
    is_identifier = field.name.endswith(("id", "_id"))
    match node:
        case LeftOut():
            return bool(node.left_out.strip())
        case Nested():
            return field.kind in {"object", "unstated"}
        case Items():
            return field.kind == "array"
        case ListOf():
            holds_objects = isinstance(node.of, Nested)
            kinds = {"list"} if holds_objects else {"array"}
            return field.kind in (kinds | {"object", "unstated"} if node.keyed_by else kinds)
        case Value():
            types = {
                "string": {"text"},
                "integer": {"text"} if is_identifier else {"integer", "timestamp"},
                "float": {"float"},
                "boolean": {"boolean"},
                "unstated": {"text", "json"},
            }
            return node.type in types.get(field.kind, set())


@pytest.mark.parametrize("field", DOCUMENTED, ids=lambda field: field.name)
def test_a_documented_field_has_a_place_that_can_hold_it(field: Field) -> None:
    if field.name in NOT_FIELDS:
        return
    assert field.name in DECLARED, (
        f"{field.name} ({field.kind}) is documented and not in the contract: map it, or add `left_out:` with the reason"
    )
    node = DECLARED[field.name]
    assert fits(field, node), f"{field.name} is documented as {field.kind}; the contract has {node!r} there"


def test_the_contract_has_no_field_of_its_own_invention() -> None:
    invented = DECLARED.keys() - {field.name for field in DOCUMENTED} - NOT_IN_THE_DOCUMENT.keys()
    assert not invented, (
        "neither documented nor listed in NOT_IN_THE_DOCUMENT with where they are known from: "
        + ", ".join(sorted(invented))
    )


def test_the_lists_of_exceptions_hold_nothing_that_is_no_exception() -> None:
    names = {field.name for field in DOCUMENTED}
    assert NOT_IN_THE_DOCUMENT.keys() <= DECLARED.keys()
    assert NOT_IN_THE_DOCUMENT.keys().isdisjoint(names)
    assert NOT_FIELDS.keys() <= names
    assert NOT_FIELDS.keys().isdisjoint(DECLARED)
    assert all((NOT_IN_THE_DOCUMENT | NOT_FIELDS).values())


def test_every_field_leads_to_a_column_or_a_table() -> None:
    """A value of the contract that no table reads would be lost without a word."""
    for one in contracts():
        columns = sum(
            len(table.columns) - (table.keyed_by is not None) + (len(one.key) if table.parent is None else 0)
            for table in one.tables
        )
        own = [node for name, node in DECLARED.items() if name.startswith(f"{one.object} ")]
        plain = len({id(node) for node in own if isinstance(node, Value)})
        places = sum(len(node.items) for node in own if isinstance(node, Items))
        plain_lists = sum(isinstance(node, ListOf) and isinstance(node.of, Value) for node in own)
        assert columns == plain + places + plain_lists
        assert {node.table for node in own if isinstance(node, ListOf)} == {table.name for table in one.tables[1:]}


def test_the_document_s_objects_are_the_contracts() -> None:
    assert {field.name.split()[0] for field in DOCUMENTED} == {one.object for one in contracts()}


def test_keys_are_documented_as_always_there() -> None:
    always = {field.name for field in DOCUMENTED if not field.is_optional}
    for one in contracts():
        assert {f"{one.object} {name}" for name in one.key} <= always
    assert contract("mention").key == ("unique_id",), "mention.id is unique in its topic only"

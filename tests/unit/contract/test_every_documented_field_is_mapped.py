"""Every field of the vendor's document has a place in a contract, or a reason why not; the contracts make none up.

`vendor_objects.yml` was made from the document; it knows nothing of the contracts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from transforms.contract import Contract, Items, LeftOut, ListOf, Nested, Node, Value, Whole, contract, contracts

DOCUMENT = yaml.safe_load((Path(__file__).parent / "vendor_objects.yml").read_text(encoding="utf-8"))

# The document's objects that a contract is for, where the contract has another name.
DOCUMENTED_AS = {
    "account_change": "history_item",
    "case": "case_conversation",
    "publisher_post": "publisher_mention",
    "security_event": "audit_log_item",
}

_A_TOOL = "the answer of a tool that looks up a text it is sent; no data of the account"
_STATISTICS = "statistics, made tidy with pandas in their own way: a grid of numbers is no object with a key"
NOT_AN_OBJECT_OF_A_STREAM = {
    "apple_pay_response": "the answer to a request for payment, which a reader never sends",
    "cursored_list": "the frame of a page: the API client reads it",
    "envelope": "the frame of every answer: the API client reads it",
    "error": "the frame of a refusal: the API client reads it",
    "facet": _STATISTICS,
    "facet_definition": "the question that statistics answer: sent, not read",
    "facet_key": _STATISTICS,
    "facet_segment": _STATISTICS,
    "handover": "told for one contact at a time, and in no list",
    "language": _A_TOOL,
    "location": _A_TOOL,
    "message": "notes about the request, in the frame of an answer: the API client reads them",
    "owner": "part of handover",
    "paged_list": "the frame of a page: the API client reads it",
    "unnamed": "the document prints an identifier alone, and says of no field that it holds this",
}

# Printed by the document as if they were fields.
NOT_FIELDS = {
    "service_details type": "names the kinds of detail; they arrive as keys and become the column kind",
    "service_details optional": "the document's own word that each kind may be missing",
}

# In a contract, but not in the document.
_METADATA = "changelog of 2022-05-11"
_SPELLING = "spelling of the changelog of 2023-02-21"
_OF_ACTIONS = (
    "status",
    "priority",
    "previous_priority",
    "assignees",
    *(f"assignees[].{name}" for name in ("id", "type", "display_name")),
)
NOT_IN_THE_DOCUMENT = {
    **{
        f"{where}actions[].metadata.{name}": _METADATA
        for where in ("mention ", "case case.", "publisher_post ")
        for name in _OF_ACTIONS
    },
    **{
        f"{where}service_details[].{name}": _SPELLING
        for where in ("mention ", "case case.")
        for name in ("location_url", "location_address")
    },
    "tag is_smarttag": "real tags of 2022",
}

OTHER_TYPE = {
    "canned_response_folder updated_by": ("text", "it identifies a user"),
    "context_item object.added_by": ("json", "a text in assign notes, a user in notes"),
    "team name": ("text", "the document's integer is a slip"),
}

OPTIONAL_KEYS = {"contact id": "the document means the contact of a case; the list of contacts is ordered by it"}


class Field(NamedTuple):
    """A field as documented; `holds` names the objects that are in it."""

    kind: str
    is_optional: bool
    holds: tuple[str, ...]
    values: tuple[str, ...]


def _field(name: str, text: str) -> Field:
    kind, *holds = text.split()
    values = DOCUMENT["values"].get(name, [])
    values = DOCUMENT["values"][values] if isinstance(values, str) else values
    return Field(kind.removesuffix("?"), kind.endswith("?"), tuple(holds), tuple(values))


OBJECTS = {
    name: {path: _field(f"{name} {path}", text) for path, text in fields.items()}
    for name, fields in DOCUMENT["objects"].items()
}


@dataclass(frozen=True)
class Place:
    """A documented field, and what a contract has in its place. What is in a whole that is kept needs no place."""

    name: str
    field: Field
    node: Node | None
    is_in_a_whole: bool = False

    def complaint(self) -> str | None:
        """What is wrong with it."""
        if self.node is None:
            how = "map it, or add `left_out:` with the reason"
            return None if self.is_in_a_whole else f"{self.name} is documented and not in the contract: {how}"
        if not fits(self) and not (
            isinstance(self.node, Value) and self.node.type == OTHER_TYPE.get(self.name, ("",))[0]
        ):
            return f"{self.name} is documented as {self.field.kind}; the contract has {self.node!r} there"
        if values_of(self.node) != set(self.field.values):
            return f"{self.name}: the document lists other values: {values_of(self.node) ^ set(self.field.values)}"
        return None


def documented_as(one: Contract) -> str:
    return DOCUMENTED_AS.get(one.object, one.object)


def places(of: str, fields: dict[str, Any], where: str, *, is_in_a_whole: bool = False) -> Iterator[Place]:
    """The documented fields of an object and of the objects in it, each with its place in a contract's fields."""
    for path, field in OBJECTS[of].items():
        if f"{of} {path}" in NOT_FIELDS:
            continue
        node, is_in_this_whole = _at(fields, path)
        inside = is_in_a_whole or is_in_this_whole
        yield Place(f"{where}{path}", field, node, inside)
        element = node.of if isinstance(node, ListOf) else node
        if isinstance(element, Nested | Whole):
            separator = "[]." if isinstance(node, ListOf) else "."
            for inner in field.holds:
                yield from places(
                    inner,
                    dict(element.fields),
                    f"{where}{path}{separator}",
                    is_in_a_whole=inside or isinstance(element, Whole),
                )


def _at(fields: dict[str, Any], path: str) -> tuple[Node | None, bool]:
    """The node at a path, if there is one, and whether something on the way is kept whole, or is left out."""
    node: Node | None = Nested(fields=fields)
    is_in_a_whole = False
    for step in path.split("."):
        if isinstance(node, LeftOut) or (isinstance(node, Value) and node.type == "json"):
            return node, True
        is_in_a_whole = is_in_a_whole or isinstance(node, Whole)
        node = node.fields.get(step) if isinstance(node, Nested | Whole) else None
    return node, is_in_a_whole


def fits(place: Place) -> bool:  # noqa: PLR0911 - a table of kinds
    """Whether what the contract has in a field's place can hold what the document says comes there."""
    kind, node = place.field.kind, place.node
    is_list = kind == "list" or (kind == "array" and place.field.holds)
    match node:
        case LeftOut():
            return bool(node.left_out.strip())
        case Nested() | Whole():
            return kind in {"object", "unstated"}
        case Items():
            return kind == "array"
        case ListOf(of=Value()):
            return kind == "array" and not place.field.holds
        case ListOf():
            return bool(is_list) or (node.keyed_by is not None and kind in {"object", "unstated"})
        case Value(type="json"):
            return kind in {"array", "list", "object", "unstated"}
        case Value():
            is_identifier = place.name.endswith(("id", "_id"))
            types = {
                "string": {"text"},
                "integer": {"text"} if is_identifier else {"integer", "timestamp"},
                "float": {"float"},
                "boolean": {"boolean"},
                "unstated": {"text"},
            }
            return node.type in types.get(kind, set())
        case None:
            return False


def values_of(node: Node) -> set[str]:
    plain = node.of if isinstance(node, ListOf) else node
    return set(plain.values) if isinstance(plain, Value) else set()


def complaints(one: Contract, fields: dict[str, Node]) -> list[str]:
    found = (place.complaint() for place in places(documented_as(one), fields, f"{one.object} "))
    return [complaint for complaint in found if complaint]


def declared(fields: dict[str, Any], prefix: str) -> Iterator[tuple[str, Node]]:
    """Every node of a contract by its path, also under the other spellings of its key."""
    for name, node in fields.items():
        path = f"{prefix}{name}"
        yield path, node
        element = node.of if isinstance(node, ListOf) else node
        if isinstance(element, Nested | Whole):
            yield from declared(dict(element.fields), f"{path}[]." if isinstance(node, ListOf) else f"{path}.")
        for spelling in node.also if isinstance(node, Value) else ():
            yield f"{prefix}{spelling}", node


def without(fields: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The fields of a contract but for one."""
    name, *inner = path
    if not inner:
        return {other: node for other, node in fields.items() if other != name}
    node = fields[name.removesuffix("[]")]
    element = node.of if isinstance(node, ListOf) else node
    element = element.model_copy(update={"fields": without(element.fields, inner)})
    changed = node.model_copy(update={"of": element}) if isinstance(node, ListOf) else element
    return fields | {name.removesuffix("[]"): changed}


CONTRACTS = contracts()
DECLARED = {name: node for one in CONTRACTS for name, node in declared(one.fields, f"{one.object} ")}
PLACES = {one.object: list(places(documented_as(one), one.fields, f"{one.object} ")) for one in CONTRACTS}

every_contract = pytest.mark.parametrize("one", CONTRACTS, ids=lambda one: one.object)


@every_contract
def test_every_documented_field_has_a_place_that_can_hold_it(one: Contract) -> None:
    assert not complaints(one, one.fields)


@every_contract
def test_a_field_that_is_taken_out_is_missed(one: Contract) -> None:
    """But for what lies in an object that is kept whole: there it is not lost."""
    tried = 0
    for place in PLACES[one.object]:
        if place.node is None or place.is_in_a_whole:
            continue
        doctored = without(one.fields, place.name.removeprefix(f"{one.object} ").split("."))
        assert f"{place.name} is documented and not in the contract" in " ".join(complaints(one, doctored)), place.name
        tried += 1
    assert tried >= len(one.fields) - sum(name.startswith(f"{one.object} ") for name in NOT_IN_THE_DOCUMENT)


def test_a_place_that_cannot_hold_it_is_no_place() -> None:
    tag = contract("tag")
    wrong = {
        "id": Value(type="float", description="A number."),
        "visible": Value(type="text", description="A text."),
        "filter": Value(type="json", description="Anything."),
        "tag": LeftOut(left_out=" "),
        "status": Value(type="text", description="A text.", values=("active",)),
        "color_code": Nested(fields={}),
    }
    for name, node in wrong.items():
        (complaint,) = complaints(tag, tag.fields | {name: node})
        assert complaint.startswith(f"tag {name}")


def test_every_object_of_the_document_is_in_a_contract_or_left_out_with_a_reason() -> None:
    found = {documented_as(one) for one in CONTRACTS}
    waiting = list(found)
    while waiting:
        inner = {name for field in OBJECTS[waiting.pop()].values() for name in field.holds} - found
        found |= inner
        waiting += inner
    assert OBJECTS.keys() - found == NOT_AN_OBJECT_OF_A_STREAM.keys()
    assert all(reason.strip() for reason in NOT_AN_OBJECT_OF_A_STREAM.values())


def test_the_contracts_have_no_field_of_their_own_invention() -> None:
    documented = {place.name for one in CONTRACTS for place in PLACES[one.object]}
    invented = DECLARED.keys() - documented - NOT_IN_THE_DOCUMENT.keys()
    assert not invented, (
        "neither documented nor listed in NOT_IN_THE_DOCUMENT with where they are known from: "
        + ", ".join(sorted(invented))
    )


def test_the_lists_of_exceptions_hold_nothing_that_is_no_exception() -> None:
    names = {place.name for one in CONTRACTS for place in PLACES[one.object]}
    assert NOT_IN_THE_DOCUMENT.keys() <= DECLARED.keys()
    assert NOT_IN_THE_DOCUMENT.keys().isdisjoint(names)
    assert {tuple(name.split()) for name in NOT_FIELDS} <= {(of, path) for of in OBJECTS for path in OBJECTS[of]}
    assert {place.name for one in CONTRACTS for place in PLACES[one.object] if place.node and not fits(place)} == (
        OTHER_TYPE.keys()
    )
    assert all((NOT_IN_THE_DOCUMENT | NOT_FIELDS | OTHER_TYPE).values())


def test_the_document_s_copy_is_consistent() -> None:
    kinds = {"string", "integer", "float", "boolean", "array", "list", "object", "unstated"}
    for of, fields in OBJECTS.items():
        for path, field in fields.items():
            assert field.kind in kinds, f"{of} {path}"
            assert set(field.holds) <= OBJECTS.keys(), f"{of} {path}"
            assert path.rpartition(".")[0] in {"", *fields}, f"{of} {path} is in an object that is not there"
    for name in DOCUMENT["values"]:
        of, path = name.split()
        assert OBJECTS[of][path].kind in {"string", "array"}, name


def test_every_field_leads_to_a_column_or_a_table() -> None:
    """A value of the contract that no table reads would be lost without a word."""
    for one in CONTRACTS:
        columns = sum(
            len(table.columns)
            - (table.keyed_by is not None)
            + (sum(bool(c.path) for c in table.key) if table is one.root else 0)
            for table in one.tables
        )
        own = [node for name, node in DECLARED.items() if name.startswith(f"{one.object} ")]
        elements = [node.of for node in own if isinstance(node, ListOf)]
        plain = len({id(node) for node in own if isinstance(node, Value)})
        places_in_lists = sum(len(node.items) for node in own if isinstance(node, Items))
        plain_lists = sum(isinstance(element, Value) for element in elements)
        wholes = sum(isinstance(node, Whole) for node in [*own, *elements])
        assert columns == plain + places_in_lists + plain_lists + wholes
        assert {node.table for node in own if isinstance(node, ListOf)} == {table.name for table in one.tables[1:]}


def test_keys_are_documented_as_always_there() -> None:
    for one in CONTRACTS:
        optional = {place.name for place in PLACES[one.object] if place.field.is_optional}
        keys = {f"{one.object} {path}" for path in one.key if path not in one.given}
        assert keys & optional <= OPTIONAL_KEYS.keys()
        assert keys <= {place.name for place in PLACES[one.object]}
    assert contract("mention").key == ("unique_id",), "mention.id is unique in its topic only"

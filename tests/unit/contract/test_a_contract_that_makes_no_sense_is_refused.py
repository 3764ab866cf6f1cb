"""A contract file that does not follow the language is refused: one line says where, what is there, what is wanted."""

import pytest
from pydantic import ValidationError

from transforms.contract import FOLDER, Contract, ContractError, contract, contracts, read_contract

SMALL = """
object: thing
table: things
key: [id]
description: One row per thing.
fields:
  id: {type: text, description: Identifier of the thing.}
  size: {type: integer, column: size_count, description: How many.}
  owner:
    fields:
      name: {type: text, description: Name of the owner.}
  parts:
    table: thing_parts
    description: One row per part.
    keyed_by: {column: kind, description: Kind of part.}
    of:
      fields:
        spot:
          items:
            - {type: integer, column: x_index, description: Where.}
"""


def read(text: str) -> Contract:
    return read_contract(text, file="thing.yml")


def test_the_small_contract_is_read() -> None:
    small = read(SMALL)
    assert [table.name for table in small.tables] == ["things", "thing_parts"]
    assert [column.name for column in small.root.columns] == ["size_count", "owner_name"]
    assert small.tables[1].key_names == ("account_id", "thing_id", "position")


@pytest.mark.parametrize(
    ("there", "wrong", "message"),
    [
        (
            "key: [id]",
            "key: [id]\nspeed: fast",
            "got the word speed; wants object, table, key, description, fields, given, marks_deleted",
        ),
        (
            "type: integer, column: size_count",
            "type: number, column: size_count",
            "fields.size.type: got 'number'; wants 'text', 'integer', 'float', 'boolean', 'timestamp' or 'json'",
        ),
        (
            "column: size_count",
            "colum: size_count",
            "fields.size: got the word colum; wants type, description, column, personal, momentary, values, also",
        ),
        (
            "column: size_count, description: How many.",
            "column: size_count",
            "fields.size: got the words type, column; wants the word description too",
        ),
        (
            "    fields:\n      name",
            "    feilds:\n      name",
            "fields.owner: got the words feilds; wants one of left_out, whole, table, of, items, fields, type, like",
        ),
        (
            "type: text, description: Name",
            "description: Name",
            (
                "fields.owner.fields.name: got the words description;"
                " wants one of left_out, whole, table, of, items, fields, type, like"
            ),
        ),
        (
            "{type: text, description: Name of the owner.}",
            "text",
            "fields.owner.fields.name: got 'text'; wants one of left_out, whole, table, of, items, fields, type, like",
        ),
        (
            "keyed_by: {column: kind,",
            "keyed_by: {column: kind, colour: red,",
            "fields.parts.keyed_by: got the word colour; wants column, description",
        ),
        (
            "    keyed_by:",
            "    keyedby:",
            "fields.parts: got the word keyedby; wants table, description, of, keyed_by",
        ),
        (
            "table: thing_parts",
            "tabel: thing_parts",
            (
                "fields.parts: got the words tabel, description, keyed_by, of; wants the word table too;"
                " got the word tabel; wants table, description, of, keyed_by"
            ),
        ),
        (
            "          items:\n",
            "          itmes:\n",
            (
                "fields.parts.of.fields.spot: got the words itmes;"
                " wants one of left_out, whole, table, of, items, fields, type, like"
            ),
        ),
        (
            "column: x_index,",
            "column: x_index, colour: red,",
            (
                "fields.parts.of.fields.spot.items.0: got the word colour;"
                " wants type, description, column, personal, momentary, values, also"
            ),
        ),
        (
            "    of:\n      fields:\n",
            "    of:\n      left_out: There are too many.\n      fields:\n",
            "fields.parts.of: got the words left_out, fields; wants one of whole, fields, type, like",
        ),
        ("column: size_count", "column: [size]", "fields.size.column: got ['size']: Input should be a valid string"),
        (
            "key: [id]",
            "key: [owner]",
            "key: got 'owner'; wants the path of a plain value in fields, or the name of a given column",
        ),
        (
            "key: [id]",
            "key: [id, parts.spot]",
            "key: got 'parts.spot'; wants the path of a plain value in fields, or the name of a given column",
        ),
        (
            "key: [id]",
            "key: [id]\ngiven: {place: {type: text, description: Where it is.}}",
            "given.place: is not in the key; a column is given to tell objects apart",
        ),
        (
            "key: [id]",
            "key: [id]\ngiven: {place: {type: text, colour: red, description: Where it is.}}",
            "given.place: got the word colour; wants type, description, column, personal, momentary, values, also",
        ),
        (
            "{type: text, description: Name of the owner.}",
            "{like: mention.nobody}",
            "like: got 'mention.nobody'; wants an object with a contract, or the path of a field in it",
        ),
        (
            "{type: text, description: Name of the owner.}",
            "{like: unicorn}",
            "like: got 'unicorn'; wants an object with a contract, or the path of a field in it",
        ),
        (
            "{type: text, description: Name of the owner.}",
            "{like: thing.id}",
            "like: got 'thing.id', which goes in a circle: thing.yml, thing.yml",
        ),
        (
            "{type: text, description: Name of the owner.}",
            "{like: mention.id, colour: red}",
            (
                "fields.owner.fields.name: got the word colour; wants type, description, column, personal, momentary,"
                " values, also"
            ),
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(there: str, wrong: str, message: str) -> None:
    assert SMALL.count(there) == 1
    with pytest.raises(ContractError) as refused:
        read(SMALL.replace(there, wrong))
    assert str(refused.value) == f"thing.yml: {message}"


def test_every_place_that_is_wrong_has_its_line() -> None:
    wrong = SMALL.replace("type: integer, column: size_count", "type: number").replace("column: x_index", "colour: x")
    with pytest.raises(ContractError) as refused:
        read(wrong)
    first, second = str(refused.value).splitlines()
    assert first.startswith("thing.yml: fields.size.type: ")
    assert second.startswith("thing.yml: fields.parts.of.fields.spot.items.0: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got None; wants object, table, key"),
        ("- one\n- two\n", "got ['one', 'two']; wants object, table, key"),
        ("object: {", "is no YAML"),
    ],
)
def test_a_file_that_holds_no_declaration_is_named(text: str, message: str) -> None:
    with pytest.raises(ContractError) as refused:
        read(text)
    assert str(refused.value).startswith(f"thing.yml: {message}")


def test_a_contract_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"unicorn\.yml"):
        contract("unicorn")


def test_a_file_is_named_after_its_object() -> None:
    assert [one.object for one in contracts()] == sorted(path.stem for path in FOLDER.glob("*.yml"))


@pytest.mark.parametrize(
    ("there", "other"),
    [
        ("type: integer, column: size_count", "type: text, column: size_count"),
        ("column: size_count", "column: pieces_count"),
        ("key: [id]", "key: [id, size]"),
        ("  size:", "  amount:"),
    ],
)
def test_the_fingerprint_changes_with_the_declaration(there: str, other: str) -> None:
    """Rows read under another declaration are written anew, because their hash holds the fingerprint."""
    assert read(SMALL).fingerprint == read(SMALL).fingerprint
    assert read(SMALL).fingerprint != read(SMALL.replace(there, other)).fingerprint


def test_the_fingerprint_changes_with_what_the_declaration_is_like() -> None:
    """A case is declared like a mention: it is read anew when the mention's declaration changes."""
    plain = SMALL.replace("{type: text, description: Name of the owner.}", "{like: mention.author.name}")
    other = SMALL.replace("{type: text, description: Name of the owner.}", "{like: mention.author.managed}")
    assert read(plain).fingerprint != read(other).fingerprint
    author_name = contract("mention").model_dump()["fields"]["author"]["fields"]["name"]
    assert read(plain).model_dump()["fields"]["owner"]["fields"]["name"] == author_name


def test_a_description_may_be_reworded_without_reading_everything_anew() -> None:
    reworded = SMALL.replace("Name of the owner.", "What the owner is called.")
    assert reworded != SMALL
    assert read(reworded).fingerprint == read(SMALL).fingerprint


def test_the_fingerprint_of_every_contract_is_its_own() -> None:
    assert len({one.fingerprint for one in contracts()}) == len(contracts())


def test_a_contract_cannot_be_changed_in_place() -> None:
    small = read(SMALL)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(small, "table", "others")  # noqa: B010 - the plain assignment does not pass the type checker

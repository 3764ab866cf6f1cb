"""A word that the contract's language does not have is refused, and the message names it."""

import pytest
import yaml
from pydantic import ValidationError

from transforms.contract import FOLDER, Contract, contract, contracts

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
    return Contract.model_validate(yaml.safe_load(text))


def test_the_small_contract_is_read() -> None:
    small = read(SMALL)
    assert [table.name for table in small.tables] == ["things", "thing_parts"]
    assert [column.name for column in small.root.columns] == ["size_count", "owner_name"]
    assert small.tables[1].key_names == ("account_id", "thing_id", "position")


@pytest.mark.parametrize(
    ("there", "wrong", "named"),
    [
        ("table: things", "tabel: things", "tabel"),
        ("key: [id]", "key: [id]\nspeed: fast", "speed"),
        ("column: size_count", "colum: size_count", "colum"),
        ("type: integer, column: size_count", "type: number, column: size_count", "fields.size"),
        ("    fields:\n      name", "    feilds:\n      name", "feilds"),
        ("keyed_by: {column: kind", "keyed_by: {colunm: kind", "colunm"),
        ("    keyed_by:", "    keyedby:", "keyedby"),
        ("    of:\n", "    each:\n", "each"),
        ("          items:\n", "          itmes:\n", "itmes"),
        ("column: x_index", "colour: x_index", "colour"),
        ("description: Name of the owner.", "descripton: Name of the owner.", "descripton"),
        ("type: text, description: Name", "description: Name", "fields.owner"),
    ],
)
def test_an_unknown_word_is_refused_and_named(there: str, wrong: str, named: str) -> None:
    assert SMALL.count(there) == 1
    with pytest.raises(ValidationError, match=named):
        read(SMALL.replace(there, wrong))


def test_a_key_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="thing: key owner"):
        _ = read(SMALL.replace("key: [id]", "key: [owner]")).tables


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


def test_a_contract_cannot_be_changed_in_place() -> None:
    small = read(SMALL)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(small, "table", "others")  # noqa: B010 - the plain assignment does not pass the type checker

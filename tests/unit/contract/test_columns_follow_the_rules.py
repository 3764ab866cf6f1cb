"""Names say what they hold, in which unit; keys start with the account; everything is described."""

import re
from typing import get_args

import pytest

from transforms.contract import Column, Table, Type, contracts
from transforms.flatten import ARROW, arrow_schema

TABLES = [table for one in contracts() for table in one.tables]
COLUMNS = [(table, column) for table in TABLES for column in table.all_columns]

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
every_column = pytest.mark.parametrize(
    ("table", "column"), COLUMNS, ids=[f"{table.name}.{column.name}" for table, column in COLUMNS]
)


@every_column
def test_a_column_is_described_in_a_sentence(table: Table, column: Column) -> None:
    where = f"{table.name}.{column.name}"
    assert re.fullmatch(r"\S.*\S\.", column.description), f"{where}: a description ends with a full stop"
    assert "\n" not in column.description, f"{where}: a description is one line"


@every_column
def test_a_column_has_a_type(table: Table, column: Column) -> None:
    assert column.type in get_args(Type)
    assert arrow_schema(table).field(column.name).type == ARROW[column.type]


@every_column
def test_a_name_is_in_small_letters_and_underscores(table: Table, column: Column) -> None:
    assert re.fullmatch(r"_?[a-z][a-z0-9]*(_[a-z0-9]+)*", column.name), f"{table.name}.{column.name}"


@every_column
def test_a_name_says_its_unit(table: Table, column: Column) -> None:
    name = column.name
    units = [kind for kind, ending in (("timestamp", "_at"), ("integer", "_seconds")) if name.endswith(ending)]
    assert units in ([], [column.type]), f"{table.name}.{name} is of type {column.type}"
    if column.type == "timestamp":
        assert name.endswith("_at"), f"{table.name}.{name}: a point in time ends in _at"
    if column.type == "integer":
        assert re.fullmatch(r"(.+_)?(seconds|position|index|count)", name), (
            f"{table.name}.{name}: a whole number names its unit"
        )
    if column.type == "float":
        assert "in degrees" in column.description, f"{table.name}.{name}: say the unit"


@every_column
def test_durations_are_counted_in_seconds(table: Table, column: Column) -> None:
    if column.path and re.search(r"(^|_)time(_|$)", column.path[-1]):
        assert column.type == "integer"
        assert column.name.endswith("_seconds"), f"{table.name}.{column.name}"
        assert "econds" in column.description


@every_column
def test_identifiers_are_text(table: Table, column: Column) -> None:
    if re.search(r"(^|_)id$", column.name):
        assert column.type == "text", (
            f"{table.name}.{column.name}: 17 digits do not fit a float, and a domain is no number"
        )


@every_table
def test_a_table_is_described_in_a_sentence(table: Table) -> None:
    assert table.description.startswith("One row per ")
    assert table.description.endswith(".")


@every_table
def test_no_two_columns_share_a_name(table: Table) -> None:
    names = [column.name for column in table.all_columns]
    assert sorted(names) == sorted(set(names))


@every_table
def test_the_key_starts_with_the_account_and_is_always_there(table: Table) -> None:
    assert table.key_names[0] == table.object_key[0] == "account_id"
    assert all(column.is_required for column in table.key)
    required = [column.name for column in table.all_columns if column.is_required]
    assert required == [*table.key_names, "_loaded_at"], "nothing else the API sends can be relied on"
    assert [field.name for field in arrow_schema(table) if not field.nullable] == required


@every_table
def test_a_list_s_key_is_the_object_s_key_and_positions(table: Table) -> None:
    if table.parent is None:
        assert table.key_names == table.object_key
        return
    assert table.key_names[: len(table.object_key)] == table.object_key
    positions = table.key_names[len(table.object_key) :]
    depth = 1 if table.parent.parent is None else 2
    assert len(positions) == depth
    assert positions[-1] == "position"
    assert all(name.endswith("_position") for name in positions[:-1])
    assert "id" not in table.object_key, "a bare id would not say whose it is"


@every_table
def test_every_table_says_when_it_was_loaded_and_what_it_could_not_read(table: Table) -> None:
    housekeeping = {column.name for column in table.housekeeping}
    assert {"_extra", "_loaded_at"} <= housekeeping
    assert ("_content_hash" in housekeeping) == (table.parent is None)
    assert ("_is_removed" in housekeeping) == (table.parent is not None)


def test_table_names_are_unique_over_all_contracts() -> None:
    names = [table.name for table in TABLES]
    assert sorted(names) == sorted(set(names))


def test_a_list_s_table_is_named_after_its_object() -> None:
    for one in contracts():
        for table in one.tables[1:]:
            assert table.name.startswith(f"{one.object}_")


def test_values_that_are_listed_are_of_text_columns() -> None:
    for table, column in COLUMNS:
        if column.values:
            assert column.type == "text", f"{table.name}.{column.name}"
            assert len(set(column.values)) == len(column.values)


@pytest.mark.parametrize(
    "name",
    [
        "mentions.author_name",
        "mentions.author_fullname",
        "mentions.original_author_name",
        "mentions.message_content",
        "mentions.message_stripped_content",
        "mentions.source_url",
        "mention_actions.user_name",
        "mention_actions.details",
        "mention_extra_attributes.value",
        "mention_todos.author_email",
        "mention_todos.text",
        "mention_service_details.author_phone",
        "mention_entities.string",
        "mention_attachments.url",
        "users.name",
        "users.email",
    ],
)
def test_what_identifies_or_quotes_a_person_is_marked(name: str) -> None:
    assert {f"{table.name}.{column.name}": column.personal for table, column in COLUMNS}[name]

"""Names say what they hold, in which unit; keys start with the account; everything is described."""

import re
from typing import get_args

import pytest

from transforms.contract import Table, Type, contracts

TABLES = [table for one in contracts() for table in one.tables]
COLUMNS = [(table, column) for table in TABLES for column in table.all_columns]

# Names that SQL has known since the first tables.
NAMED_EARLIER = {"author_managed", "business_hours_schedule_is_active"}

# Lists whose table is known by a shorter name than that of the object.
SHORT_NAMES = {"business_hours_periods"}

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


@every_table
def test_a_column_is_described_in_a_sentence(table: Table) -> None:
    for column in table.all_columns:
        where = f"{table.name}.{column.name}"
        assert re.fullmatch(r"\S.*\S\.", column.description), f"{where}: a description ends with a full stop"
        assert "\n" not in column.description, f"{where}: a description is one line"


@every_table
def test_a_column_has_a_type(table: Table) -> None:
    assert {column.type for column in table.all_columns} <= set(get_args(Type))


@every_table
def test_a_name_is_in_small_letters_and_underscores(table: Table) -> None:
    for name in (table.name, *(column.name for column in table.all_columns)):
        assert re.fullmatch(r"_?[a-z][a-z0-9]*(_[a-z0-9]+)*", name), f"{table.name}: {name}"


@every_table
def test_a_name_says_its_unit(table: Table) -> None:
    for column in table.all_columns:
        where = f"{table.name}.{column.name}"
        units = [
            kind for kind, ending in (("timestamp", "_at"), ("integer", "_seconds")) if column.name.endswith(ending)
        ]
        assert units in ([], [column.type]), f"{where} is of type {column.type}"
        if column.type == "timestamp":
            assert column.name.endswith("_at"), f"{where}: a point in time ends in _at"
        if column.type == "integer":
            assert re.fullmatch(r"(.+_)?(seconds|position|index|count|day_of_week)", column.name), (
                f"{where}: a whole number names its unit"
            )
        if column.type == "float":
            assert "in degrees" in column.description, f"{where}: say the unit"


@every_table
def test_a_yes_or_no_is_named_as_one(table: Table) -> None:
    for column in table.all_columns:
        if column.type == "boolean" and not column.name.endswith(tuple(NAMED_EARLIER)):
            assert re.match(r"_?(is|has)_", column.name), f"{table.name}.{column.name}: begins with is_ or has_"


@every_table
def test_durations_are_counted_in_seconds(table: Table) -> None:
    for column in table.all_columns:
        if column.path and re.search(r"(^|_)time(_|$)", column.path[-1]):
            assert column.type == "integer"
            assert column.name.endswith("_seconds"), f"{table.name}.{column.name}"
            assert "econds" in column.description


@every_table
def test_identifiers_are_text(table: Table) -> None:
    for column in table.all_columns:
        if re.search(r"(^|_)(id|key)$", column.name):
            assert column.type == "text", (
                f"{table.name}.{column.name}: 17 digits do not fit a float, and a domain is no number"
            )


@every_table
def test_what_is_kept_whole_is_json_and_its_values_lie_inside(table: Table) -> None:
    wholes = {column.path: column for column in table.columns if column.type == "json"}
    for column in table.columns:
        if column.inside:
            assert column.path in wholes, f"{table.name}.{column.name} is read from what is not kept"
            assert column.personal <= wholes[column.path].personal, f"{table.name}: the whole holds what is personal"


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


@every_table
def test_a_list_s_key_is_the_object_s_key_and_positions(table: Table) -> None:
    if table.parent is None:
        assert table.key_names == table.object_key
        return
    assert table.key_names[: len(table.object_key)] == table.object_key
    positions = table.key_names[len(table.object_key) :]
    assert len(positions) == 1 + len(table.parent.key_names) - len(table.parent.object_key)
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
            assert table.name.startswith(f"{one.object}_") or table.name in SHORT_NAMES


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
        "team_members.name",
        "team_members.email",
        "cases.author_name",
        "cases.message_content",
        "cases.contact",
        "case_linked_mentions.mention",
        "case_linked_mentions.author_id",
        "contacts.name",
        "contacts.company",
        "contacts.address_city",
        "contact_social_profiles.service_id",
        "contact_social_profiles.username",
        "contact_social_profiles.avatar",
        "contact_custom_attributes.value",
        "mention_context_items.object",
        "mention_context_items.note_content",
        "mention_context_items.note_added_by",
        "publisher_posts.author",
        "publisher_posts.message_content",
        "publisher_posts.in_reply_to",
        "account_changes.description",
        "account_changes.user_name",
        "security_events.description",
        "security_events.user_name",
        "security_events.location_city",
        "crisis_plans.instructions",
        "crisis_plan_todos.assignee_name",
        "canned_responses.formatted_message",
    ],
)
def test_what_identifies_or_quotes_a_person_is_marked(name: str) -> None:
    assert {f"{table.name}.{column.name}": column.personal for table, column in COLUMNS}[name]


@every_table
def test_ways_to_reach_a_person_are_marked_wherever_they_are(table: Table) -> None:
    for column in table.columns:
        if re.search(r"(^|_)(email|phone|ip|fullname|bio|comments|latitude|longitude)$", column.name):
            assert column.personal, f"{table.name}.{column.name}"

"""What a contract takes over from another, and where its columns are read from, worked out by hand."""

import pytest

from transforms.contract import Column, Contract, ContractError, Table, contract, read_contract

PARCEL = """
object: parcel
table: parcels
given:
  depot: {type: text, description: Where the parcel was seen.}
key: [depot, label.number]
description: One row per parcel.
fields:
  label:
    inline: true
    fields:
      number: {type: text, description: Number of the parcel.}
      weight: {fields: {net: {type: float, description: Weight in kilograms.}}}
  steps: {like: mention.actions, description: One row per step.}
  sender: {like: user, fields: {id: {column: sender_user_id}}}
  letter:
    whole: {type: json, personal: true, description: The letter.}
    fields:
      id: {type: text, description: Number of the letter.}
      date: {fields: {sent: {type: timestamp, column: letter_sent_at, description: When it was sent.}}}
  copies:
    table: parcel_copies
    description: One row per copy.
    of:
      whole: {type: json, column: copy, description: The copy.}
      fields:
        page: {fields: {number: {type: text, description: Number of the page.}}}
"""


@pytest.fixture(scope="module")
def parcel() -> Contract:
    return read_contract(PARCEL, file="parcel.yml")


def table_of(one: Contract, name: str) -> Table:
    (table,) = (table for table in one.tables if table.name == name)
    return table


def read_from(table: Table) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {column.name: (column.path, column.inside) for column in (*table.key, *table.columns)}


def test_a_key_is_the_account_what_is_given_and_what_lies_on_a_path(parcel: Contract) -> None:
    assert [(column.name, column.path) for column in parcel.root.key] == [
        ("account_id", ()),
        ("depot", ()),
        ("number", ("label", "number")),
    ]
    assert all(column.is_required for column in parcel.root.key)
    assert parcel.root.object_key == ("account_id", "depot", "number")
    assert table_of(parcel, "parcel_actions").key_names == ("account_id", "depot", "number", "position")


def test_inline_leaves_a_name_out_of_the_columns_names(parcel: Contract) -> None:
    columns = read_from(parcel.root)
    assert columns["weight_net"] == (("label", "weight", "net"), ())
    assert "label_weight_net" not in columns


def test_a_whole_is_a_column_and_its_values_lie_inside(parcel: Contract) -> None:
    columns = read_from(parcel.root)
    assert columns["letter"] == (("letter",), ())
    assert columns["letter_id"] == (("letter",), ("id",))
    assert columns["letter_sent_at"] == (("letter",), ("date", "sent"))


def test_an_element_that_is_kept_whole_has_no_path(parcel: Contract) -> None:
    columns = read_from(table_of(parcel, "parcel_copies"))
    assert columns["copy"] == ((), ())
    assert columns["page_number"] == ((), ("page", "number"))


def test_like_takes_over_a_list_with_its_lists_and_renames_their_tables(parcel: Contract) -> None:
    steps, assignees = table_of(parcel, "parcel_actions"), table_of(parcel, "parcel_action_assignees")
    assert steps.description == "One row per step."
    assert steps.columns == table_of(contract("mention"), "mention_actions").columns
    assert assignees.key_names == ("account_id", "depot", "number", "action_position", "position")
    assert assignees.description == table_of(contract("mention"), "mention_action_assignees").description


def test_words_beside_like_are_added_to_what_is_there(parcel: Contract) -> None:
    (own,) = (column for column in parcel.root.columns if column.path == ("sender", "id"))
    (others,) = contract("user").root.key[1:]
    assert own.name == "sender_user_id"
    assert own.description == others.description
    assert read_from(parcel.root)["sender_email"] == (("sender", "email"), ())


def test_like_changes_nothing_at_its_source(parcel: Contract) -> None:
    assert parcel.tables
    assert table_of(contract("mention"), "mention_actions").description.startswith(
        "One row per action taken on a mention"
    )
    assert [column.name for column in contract("user").root.key] == ["account_id", "id"]


def test_a_list_cannot_be_taken_out_of_a_whole() -> None:
    """Its rows would come from a JSON text, not from the typed read."""
    fields = "      tags: {table: parcel_tags, description: One row per tag., of: {type: text, description: A tag.}}\n"
    there = "      id: {type: text, description: Number of the letter.}\n"
    with pytest.raises(ContractError) as refused:
        read_contract(PARCEL.replace(there, there + fields), file="parcel.yml")
    assert str(refused.value).startswith("parcel.yml: fields.letter.fields.tags: ")


def test_a_case_is_a_mention_by_another_name() -> None:
    """Every column of a mention and of its lists is there, under the name and with the type it has in the mention."""
    case = contract("case")
    for table in contract("mention").tables:
        name = table.name.replace("mention", "case", 1)
        ours = {column.name: column for column in table_of(case, name).all_columns}
        theirs = {column.name: column for column in table.all_columns}
        beside = {"contact", "contact_id"} if table.parent is None else set()
        assert ours.keys() - theirs.keys() == beside
        assert theirs.keys() <= ours.keys()
        assert [_but_for_the_words(ours[name]) for name in theirs] == [
            _but_for_the_words(theirs[name]) for name in theirs
        ]
    assert case.root.key[1].path == ("case", "unique_id")


def _but_for_the_words(column: Column) -> tuple[object, ...]:
    return column.name, column.type, column.item, column.personal, column.values, column.is_required


def test_an_account_is_its_own_account() -> None:
    """Its identifier is in its JSON, and is the first column of its tables as of all others."""
    tables = contract("account").tables
    assert [(column.name, column.path) for column in tables[0].key] == [("account_id", ("id",))]
    assert [table.key_names for table in tables[1:]] == [
        ("account_id", "position"),
        ("account_id", "project_position", "position"),
        ("account_id", "project_position", "topic_position", "position"),
    ]

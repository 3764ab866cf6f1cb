"""A field that the contract does not know lands in `_extra` of its own row, under its path, and nowhere else."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Land = Callable[..., Any]
Site = tuple[str | int, ...]

# Where the field is put, the table it must land in, the row there, and its path in that row.
LEVELS: list[tuple[Site, str, int, str]] = [
    (("new",), "mentions", 0, "new"),
    (("author", "new"), "mentions", 0, "author.new"),
    (("message", "new"), "mentions", 0, "message.new"),
    (("source", "identifiers", "new"), "mentions", 0, "source.identifiers.new"),
    (("source", "sender", "new"), "mentions", 0, "source.sender.new"),
    (("timestamps", "new"), "mentions", 0, "timestamps.new"),
    (("part_of_cases", "new"), "mentions", 0, "part_of_cases.new"),
    (("assignees", 1, "new"), "mention_assignees", 1, "new"),
    (("actions", 0, "new"), "mention_actions", 0, "new"),
    (("actions", 1, "user", "new"), "mention_actions", 1, "user.new"),
    (("actions", 1, "date", "new"), "mention_actions", 1, "date.new"),
    (("actions", 1, "metadata", "new"), "mention_actions", 1, "metadata.new"),
    (("actions", 1, "metadata", "assignees", 1, "new"), "mention_action_assignees", 1, "new"),
    (("action_links", 0, "new"), "mention_action_links", 0, "new"),
    (("message", "attachments", 1, "new"), "mention_attachments", 1, "new"),
    (("message", "entities", "hashtags", 0, "new"), "mention_entities", 0, "new"),
    (("message", "entities", "users", "new"), "mention_entities", 1, "new"),
    (("extra_attributes", 0, "new"), "mention_extra_attributes", 0, "new"),
    (("part_of_cases", "mention_identifiers", 0, "new"), "mention_part_of_cases", 0, "new"),
    (("part_of_cases", "mention_identifiers", 0, "topic", "new"), "mention_part_of_cases", 0, "topic.new"),
    (("todos", 0, "new"), "mention_todos", 0, "new"),
    (("todos", 0, "author", "new"), "mention_todos", 0, "author.new"),
    (("todos", 0, "assignees", 0, "new"), "mention_todo_assignees", 0, "new"),
    (("buttons", 0, "new"), "mention_buttons", 0, "new"),
    (("clicked_buttons", 0, "new"), "mention_clicked_buttons", 0, "new"),
    (("service_details", "location_details", "new"), "mention_service_details", 0, "new"),
    (("service_details", "product_details", 0, "new"), "mention_service_details", 1, "new"),
]
VALUES = ["text", "", 5, 0, 1.5, True, False, None, [], {}, [1, "a"], {"a": {"b": [None]}}, "\"'\\/~$", 2**70]


def name_of(site: Any) -> str | None:
    return ".".join(map(str, site)) if isinstance(site, tuple) else None


def known_part(landed: Any) -> Any:
    return {
        name: [{key: value for key, value in row.items() if key not in {"_extra", "_content_hash"}} for row in rows]
        for name, rows in landed.tables.items()
    }


@pytest.fixture(scope="module")
def plain(land: Land, payloads: ModuleType) -> Any:
    return land(payloads.full())


@pytest.mark.parametrize(("site", "table", "place", "path"), LEVELS, ids=name_of)
def test_at_every_level(
    land: Land, payloads: ModuleType, plain: Any, site: Site, table: str, place: int, path: str
) -> None:
    landed = land(payloads.changed(site, {"deep": [1, "two"]}))
    expected: list[Any] = [None] * len(landed.tables[table])
    expected[place] = {path: {"deep": [1, "two"]}}
    assert landed.kept() == {table: expected}
    assert known_part(landed) == known_part(plain)
    assert [(found.table, ".".join(found.path), found.expected) for found in landed.drift] == [(table, path, "nothing")]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_whatever_its_value(land: Land, payloads: ModuleType, value: Any) -> None:
    mention = payloads.changed(("new",), value)
    payloads.changed(("actions", 0, "metadata", "new"), value, mention)
    landed = land(mention)
    assert landed.kept() == {"mentions": [{"new": value}], "mention_actions": [{"metadata.new": value}, None]}


def test_a_row_without_it_keeps_nothing(land: Land, payloads: ModuleType) -> None:
    mentions = [payloads.changed(("unique_id",), f"1_{number}") for number in range(3)]
    mentions[1]["new"] = 1
    mentions[2]["actions"][0]["new"] = 2
    landed = land(*mentions)
    assert landed.kept() == {
        "mentions": [None, {"new": 1}, None],
        "mention_actions": [None, None, None, None, {"new": 2}, None],
    }


def test_several_in_one_row_are_all_kept(land: Land) -> None:
    landed = land({"unique_id": "1", "a": 1, "b": [2], "author": {"c": 3, "name": "x"}})
    assert landed.kept() == {"mentions": [{"a": 1, "b": [2], "author.c": 3}]}
    assert landed.one()["author_name"] == "x"


def test_letters_of_another_case_make_another_field(land: Land) -> None:
    landed = land({"unique_id": "1", "id": "own", "ID": "other", "Author": {"id": "x"}})
    assert landed.kept() == {"mentions": [{"ID": "other", "Author": {"id": "x"}}]}
    assert (landed.one()["id"], landed.one()["author_id"]) == ("own", None)


def test_what_one_record_holds_says_nothing_about_another(land: Land) -> None:
    """A row is the same whichever records share its batch."""
    strange = {"unique_id": "1", "author": "Lotte"}
    unknown = {"unique_id": "2", "author": {"id": 5, "new": 1}}
    assert land(strange, unknown).extras() == [{"author": "Lotte"}, {"author.new": 1}]
    assert land({"unique_id": "1", "tags": "x"}, {"unique_id": "2", "tags": {}}).extras() == [{"tags": "x"}, None]


def test_an_unknown_field_below_a_list_of_mixed_kinds_is_kept(land: Land) -> None:
    assigned = {"type": "assign", "metadata": {"assignees": [{"id": "12", "new": 1}]}}
    landed = land({"unique_id": "1", "actions": [assigned, "text"]})
    assert landed.extras("mention_action_assignees") == [{"new": 1}]


def test_an_unknown_field_in_a_list_that_is_elsewhere_no_list_is_kept(land: Land) -> None:
    listed = {"type": "assign", "metadata": {"assignees": [{"id": "12", "new": 1}]}}
    landed = land({"unique_id": "1", "actions": [listed, {"metadata": {"assignees": "none"}}]})
    assert landed.extras("mention_action_assignees") == [{"new": 1}]


def test_in_topics_and_users_too(land: Land) -> None:
    topics = land({"id": 9, "new": 1, "monitoredprofiles": [{"id": 1}, {"id": 2, "filters": {"new": 2}}]}, of="topic")
    assert topics.kept() == {"topics": [{"new": 1}], "topic_monitored_profiles": [None, {"filters.new": 2}]}
    assert land({"id": 9, "name": "An", "phone": "1"}, of="user").kept() == {"users": [{"phone": "1"}]}


def test_the_notice_names_the_field(land: Land) -> None:
    (notice,) = land({"unique_id": "1", "actions": [{"metadata": {"new": 1}}]}).drift
    assert str(notice) == "unknown field mention_actions.metadata.new (a whole number), kept in _extra"

"""PHP's empty array reads as an empty object; null and missing are null; an empty text and a zero are values."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from transforms.contract import contracts
from transforms.tables import QUARANTINE

Land = Callable[..., Any]

OBJECTS = [
    ("author",),
    ("original_author",),
    ("message",),
    ("source",),
    ("source", "identifiers"),
    ("source", "sender"),
    ("location",),
    ("topic",),
    ("project",),
    ("assignment",),
    ("handled_by",),
    ("timestamps",),
    ("date",),
    ("priority",),
    ("part_of_cases",),
    ("actions", 0, "user"),
    ("actions", 0, "date"),
    ("actions", 1, "metadata"),
    ("todos", 0, "author"),
    ("part_of_cases", "mention_identifiers", 0, "topic"),
    ("service_details",),
    ("message", "entities"),
]
LISTS = [
    (("tags",), "mention_tags"),
    (("author", "tags"), "mention_author_tags"),
    (("assignment", "user_ids"), "mention_assignment_users"),
    (("assignment", "team_ids"), "mention_assignment_teams"),
    (("assignees",), "mention_assignees"),
    (("actions",), "mention_actions"),
    (("actions", 1, "metadata", "assignees"), "mention_action_assignees"),
    (("action_links",), "mention_action_links"),
    (("message", "attachments"), "mention_attachments"),
    (("message", "entities"), "mention_entities"),
    (("message", "entities", "hashtags"), "mention_entities"),
    (("extra_attributes",), "mention_extra_attributes"),
    (("part_of_cases", "mention_identifiers"), "mention_part_of_cases"),
    (("todos",), "mention_todos"),
    (("todos", 0, "assignees"), "mention_todo_assignees"),
    (("buttons",), "mention_buttons"),
    (("clicked_buttons",), "mention_clicked_buttons"),
    (("service_details",), "mention_service_details"),
    (("service_details", "product_details"), "mention_service_details"),
]

BY_KIND = [("message", "entities", "hashtags"), ("service_details", "product_details")]


def name_of(site: Any) -> str:
    return ".".join(map(str, site)) if isinstance(site, tuple) else str(site)


def without(mention: Any, site: tuple[str | int, ...]) -> Any:
    holder = mention
    for step in site[:-1]:
        holder = holder[step]
    del holder[site[-1]]
    return mention


def rows_of(landed: Any, unique_id: str) -> Any:
    hidden = {"unique_id", "_content_hash"}
    return {
        name: [{key: value for key, value in row.items() if key not in hidden} for row in rows]
        for name, rows in landed.alone(unique_id).tables.items()
    }


@pytest.mark.parametrize("site", OBJECTS, ids=name_of)
def test_an_empty_object_reads_as_one_that_is_not_there(
    land: Land, payloads: ModuleType, site: tuple[str | int, ...]
) -> None:
    empties = payloads.variants(site, [[], {}, None])
    landed = land(*empties.values(), without(payloads.full(), site))
    for unique_id in empties:
        assert rows_of(landed, unique_id) == rows_of(landed, payloads.full()["unique_id"])
    assert landed.drift == ()


@pytest.mark.parametrize(("site", "table"), LISTS, ids=name_of)
def test_an_empty_list_has_no_rows(land: Land, payloads: ModuleType, site: tuple[str | int, ...], table: str) -> None:
    empties = payloads.variants(site, [[], None])
    landed = land(*empties.values(), without(payloads.full(), site))
    for unique_id in empties:
        assert rows_of(landed, unique_id) == rows_of(landed, payloads.full()["unique_id"])
        if isinstance(site[-1], str) and site not in BY_KIND:
            assert rows_of(landed, unique_id)[table] == []
    assert landed.drift == ()


def test_an_empty_text_a_zero_and_false_are_values(land: Land) -> None:
    row = land(
        {
            "unique_id": "1_1",
            "assignment": {"comments": ""},
            "timestamps": {"handle_time": 0},
            "date": {"added": 0},
            "location": {"longitude": 0, "latitude": -0.0},
            "author": {"managed": False, "id": 0},
        }
    ).one()
    assert row["assignment_comments"] == ""
    assert row["handle_time_seconds"] == 0
    assert row["added_at"].timestamp() == 0
    assert row["location_longitude"] == row["location_latitude"] == 0.0
    assert row["author_managed"] is False
    assert row["author_id"] == "0"


def test_a_time_of_nought_differs_from_no_time(land: Land) -> None:
    landed = land(
        {"unique_id": "1_1", "timestamps": {"response_time": 0}},
        {"unique_id": "1_2", "timestamps": {"response_time": None}},
        {"unique_id": "1_3", "timestamps": {}},
        {"unique_id": "1_4", "timestamps": []},
        {"unique_id": "1_5"},
    )
    assert landed.column("mentions", "response_time_seconds") == [0, None, None, None, None]


def test_objects_and_empty_arrays_mix_in_a_list(land: Land) -> None:
    landed = land(
        {
            "unique_id": "1_1",
            "actions": [
                {"type": "tag", "user": []},
                {"type": "note", "user": {"id": "12"}},
                {"type": "tag", "user": None},
            ],
        }
    )
    assert landed.column("mention_actions", "user_id") == [None, "12", None]
    assert landed.drift == ()
    assert landed.kept() == {}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (None, None),
        ([], "[]"),
        ({}, "{}"),
        ("", '""'),
        (0, "0"),
        ("a OR b", '"a OR b"'),
        ({"and": ["a", 1.5, None]}, '{"and":["a",1.5,null]}'),
    ],
)
def test_a_field_of_any_form_keeps_its_json(land: Land, sent: Any, stored: str | None) -> None:
    landed = land({"id": 9, "name": "Care", "searchkeywords": sent}, of="topic")
    assert landed.one("topics")["searchkeywords"] == stored
    assert landed.drift == ()


def test_topics_and_users_are_flattened_as_well(land: Land) -> None:
    profile = {"id": 7, "type": "facebook", "service_id": 10**17, "filters": {"postedby": "by:7"}}
    topics = land({"id": 9, "monitoredprofiles": [profile, {"id": 8, "filters": []}]}, {"id": 10}, of="topic")
    assert topics.column("topics", "id") == ["10", "9"]
    rows = topics.tables["topic_monitored_profiles"]
    assert [(row["topic_id"], row["position"], row["id"], row["service_id"]) for row in rows] == [
        ("9", 0, "7", "100000000000000000"),
        ("9", 1, "8", None),
    ]
    assert [row["filters_postedby"] for row in rows] == ["by:7", None]
    users = land(
        {"id": 12, "email": "an@example.org", "business_hours_schedule_is_active": True}, {"id": "13"}, of="user"
    )
    assert users.column("users", "id") == ["12", "13"]
    assert users.column("users", "email") == ["an@example.org", None]
    assert users.column("users", "business_hours_schedule_is_active") == [True, None]


ARROW = {
    "text": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}


def test_no_records_give_every_table_with_its_columns(land: Land) -> None:
    """SQL on a new warehouse finds its tables, whatever has been read so far."""
    for one in contracts():
        for bodies in ([], ['{"response":{"data":[]}}'], ['{"response":{"data":[]}}'] * 3):
            landed = land(bodies=bodies, of=one.object).flattened
            assert list(landed.tables) == [table.name for table in one.tables]
            for table in one.tables:
                expected = {column.name: ARROW[column.type] for column in table.all_columns}
                assert (
                    dict(
                        zip(landed.tables[table.name].schema.names, landed.tables[table.name].schema.types, strict=True)
                    )
                    == expected
                )
                assert landed.tables[table.name].num_rows == 0
            assert landed.quarantine.column_names == [column.name for column in QUARANTINE]
            assert landed.quarantine.num_rows == 0
            assert landed.drift == ()

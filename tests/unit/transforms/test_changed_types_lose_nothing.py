"""A value of another kind than declared is read where that loses nothing; else it is in `_extra`, its column null."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Land = Callable[..., Any]
Site = tuple[str | int, ...]

# A whole number at each level: its place, table, row, path in the row, and column.
WHOLE_NUMBERS: list[tuple[Site, str, int, str, str]] = [
    (("timestamps", "response_time"), "mentions", 0, "timestamps.response_time", "response_time_seconds"),
    (("timestamps", "handle_time"), "mentions", 0, "timestamps.handle_time", "handle_time_seconds"),
]
INSTANTS: list[tuple[Site, str, int, str, str]] = [
    (("date", "added"), "mentions", 0, "date.added", "added_at"),
    (("date", "published"), "mentions", 0, "date.published", "published_at"),
    (("actions", 1, "date", "added"), "mention_actions", 1, "date.added", "added_at"),
    (("todos", 0, "dateadd"), "mention_todos", 0, "dateadd", "added_at"),
    (("todos", 0, "lastupdate"), "mention_todos", 0, "lastupdate", "updated_at"),
]
NO_WHOLE_NUMBER = ["n/a", "", "1.5", "1e3", " 12", "+12", "0x1f", "١٢", 1.5, 1e300, True, False, {"a": 1}, [1], [[]]]
TOO_LONG = [2**63, 2**64 - 1, 2**64, 10**30, -(2**63) - 1, str(10**30)]


def name_of(site: Any) -> str | None:
    return ".".join(map(str, site)) if isinstance(site, tuple) else None


def kept_in(landed: Any, table: str, place: int, path: str, value: Any) -> dict[str, list[Any]]:
    """What `landed` would keep if it kept this value and nothing else."""
    expected: list[Any] = [None] * len(landed.tables[table])
    expected[place] = {path: value}
    return {table: expected}


@pytest.mark.parametrize(("site", "table", "place", "path", "column"), WHOLE_NUMBERS, ids=name_of)
def test_digits_are_read_as_a_whole_number(
    land: Land, payloads: ModuleType, site: Site, table: str, place: int, path: str, column: str
) -> None:
    digits = ["12", "0", "-12", "0012", "999999999999999999"]
    mentions = payloads.variants(site, digits)
    landed = land(*mentions.values())
    assert [landed.alone(key).tables[table][place][column] for key in mentions] == list(map(int, digits))
    assert landed.kept() == {}
    assert [".".join(found.path) for found in landed.drift] == [path]


@pytest.mark.parametrize(("site", "table", "place", "path", "column"), INSTANTS, ids=name_of)
def test_digits_are_read_as_an_instant(
    land: Land, payloads: ModuleType, site: Site, table: str, place: int, path: str, column: str
) -> None:
    landed = land(payloads.changed(site, "1668629719"))
    assert landed.tables[table][place][column] == datetime(2022, 11, 16, 20, 15, 19, tzinfo=UTC)
    assert landed.kept() == {}
    assert [".".join(found.path) for found in landed.drift] == [path]


@pytest.mark.parametrize(("site", "table", "place", "path", "column"), [WHOLE_NUMBERS[0], *INSTANTS[::2]], ids=name_of)
def test_what_is_no_whole_number_is_kept_as_sent(
    land: Land, payloads: ModuleType, site: Site, table: str, place: int, path: str, column: str
) -> None:
    values = [*NO_WHOLE_NUMBER, *TOO_LONG]
    mentions = payloads.variants(site, values)
    landed = land(*mentions.values())
    for key, value in zip(mentions, values, strict=True):
        alone = landed.alone(key)
        assert alone.tables[table][place][column] is None, value
        assert alone.kept() == kept_in(alone, table, place, path, value)


@pytest.mark.parametrize("number", [10**18 - 1, 10**18, 2**63 - 1, -(10**18), -(2**63)])
def test_a_whole_number_of_any_length_that_fits_is_read_or_kept(land: Land, number: int) -> None:
    landed = land({"unique_id": "1", "timestamps": {"response_time": number}})
    read, kept = landed.one()["response_time_seconds"], landed.extras()[0]
    assert (read, kept) in [(number, None), (None, {"timestamps.response_time": number})]


@pytest.mark.parametrize(
    ("value", "read"),
    [("4.35", 4.35), ("-0.5", -0.5), (4, 4.0), ("1e3", 1000.0), ("n/a", None), ("", None), (True, None), ([4.5], None)],
)
def test_coordinates(land: Land, value: Any, read: float | None) -> None:
    landed = land({"unique_id": "1", "location": {"longitude": value}})
    assert landed.one()["location_longitude"] == read
    assert landed.extras() == [None if read is not None else {"location.longitude": value}]


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity"])
def test_a_text_that_names_no_number_of_degrees_is_kept(land: Land, value: str) -> None:
    landed = land({"unique_id": "1", "location": {"longitude": value}})
    assert landed.one()["location_longitude"] is None
    assert landed.extras() == [{"location.longitude": value}]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *((value, True) for value in ("true", 1, "1")),
        *((value, False) for value in ("false", 0, "0")),
        *((value, None) for value in (2, "maybe", "", 1.5, {"a": 1}, [True])),
    ],
)
def test_truth_values(land: Land, value: Any, read: bool | None) -> None:
    landed = land({"unique_id": "1", "author": {"managed": value}})
    assert landed.one()["author_managed"] is read
    assert landed.extras() == [None if read is not None else {"author.managed": value}]


def test_a_text_column_holds_anything(land: Land) -> None:
    values = [{"a": [1, None]}, [1, "b"], 5, -2.5, True, "text"]
    landed = land(*({"unique_id": str(place), "message": {"title": value}} for place, value in enumerate(values)))
    stored = ['{"a":[1,null]}', '[1,"b"]', "5", "-2.5", "true", "text"]
    assert landed.column("mentions", "message_title") == stored
    assert landed.kept() == {}


# An object at each level: its place, table, row, and path in the row.
OBJECTS: list[tuple[Site, str, int, str]] = [
    (("author",), "mentions", 0, "author"),
    (("message",), "mentions", 0, "message"),
    (("source", "identifiers"), "mentions", 0, "source.identifiers"),
    (("timestamps",), "mentions", 0, "timestamps"),
    (("date",), "mentions", 0, "date"),
    (("part_of_cases",), "mentions", 0, "part_of_cases"),
    (("actions", 0), "mention_actions", 0, "$"),
    (("actions", 1, "user"), "mention_actions", 1, "user"),
    (("actions", 1, "date"), "mention_actions", 1, "date"),
    (("actions", 1, "metadata"), "mention_actions", 1, "metadata"),
    (("actions", 1, "metadata", "assignees", 0), "mention_action_assignees", 0, "$"),
    (("assignees", 1), "mention_assignees", 1, "$"),
    (("message", "attachments", 1), "mention_attachments", 1, "$"),
    (("message", "entities", "hashtags", 0), "mention_entities", 0, "$"),
    (("message", "entities", "users"), "mention_entities", 1, "$"),
    (("service_details", "location_details"), "mention_service_details", 0, "$"),
    (("part_of_cases", "mention_identifiers", 0, "topic"), "mention_part_of_cases", 0, "topic"),
    (("todos", 0, "author"), "mention_todos", 0, "author"),
    (("todos", 0, "assignees", 0), "mention_todo_assignees", 0, "$"),
]


@pytest.mark.parametrize(("site", "table", "place", "path"), OBJECTS, ids=name_of)
def test_an_object_that_is_none_is_kept_as_sent(
    land: Land, payloads: ModuleType, site: Site, table: str, place: int, path: str
) -> None:
    values = ["text", "", 5, 1.5, True]
    mentions = payloads.variants(site, values)
    landed = land(*mentions.values())
    for key, value in zip(mentions, values, strict=True):
        alone = landed.alone(key)
        assert alone.kept() == kept_in(alone, table, place, path, value)


@pytest.mark.parametrize(
    "site", [("author",), ("date",), ("actions", 0, "user"), ("actions", 1, "metadata")], ids=name_of
)
def test_an_object_that_is_a_list_is_kept_as_sent(land: Land, payloads: ModuleType, site: Site) -> None:
    landed = land(payloads.changed(site, [{"id": 1}]))
    (extras,) = landed.kept().values()
    assert {".".join(name for name in site if isinstance(name, str) and name != "actions"): [{"id": 1}]} in extras


# A list at each level: its place, table of the holder, row there, path in the row, and table of the list.
LISTS: list[tuple[Site, str, int, str, str]] = [
    (("tags",), "mentions", 0, "tags", "mention_tags"),
    (("author", "tags"), "mentions", 0, "author.tags", "mention_author_tags"),
    (("assignment", "user_ids"), "mentions", 0, "assignment.user_ids", "mention_assignment_users"),
    (("assignees",), "mentions", 0, "assignees", "mention_assignees"),
    (("actions",), "mentions", 0, "actions", "mention_actions"),
    (("message", "attachments"), "mentions", 0, "message.attachments", "mention_attachments"),
    (
        ("part_of_cases", "mention_identifiers"),
        "mentions",
        0,
        "part_of_cases.mention_identifiers",
        "mention_part_of_cases",
    ),
    (("todos",), "mentions", 0, "todos", "mention_todos"),
    (("todos", 0, "assignees"), "mention_todos", 0, "assignees", "mention_todo_assignees"),
    (("actions", 1, "metadata", "assignees"), "mention_actions", 1, "metadata.assignees", "mention_action_assignees"),
]


@pytest.mark.parametrize(("site", "table", "place", "path", "own"), LISTS, ids=name_of)
def test_a_list_that_is_none_is_kept_as_sent(
    land: Land, payloads: ModuleType, site: Site, table: str, place: int, path: str, own: str
) -> None:
    values = ["text", 5, True, {"id": 1}, {"0": {"id": 1}, "2": {"id": 2}}, {"0": "a"}]
    mentions = payloads.variants(site, values)
    landed = land(*mentions.values())
    assert landed.tables[own] == []
    for key, value in zip(mentions, values, strict=True):
        alone = landed.alone(key)
        assert alone.kept() == kept_in(alone, table, place, path, value)


@pytest.mark.parametrize("site", [("message", "entities"), ("service_details",)], ids=name_of)
def test_a_list_by_kind_that_is_none_is_kept_as_sent(land: Land, payloads: ModuleType, site: Site) -> None:
    values = ["text", 5, False]
    mentions = payloads.variants(site, values)
    landed = land(*mentions.values())
    for key, value in zip(mentions, values, strict=True):
        assert landed.alone(key).kept() == {"mentions": [{".".join(map(str, site)): value}]}


def test_a_list_of_mixed_kinds_keeps_its_order_and_its_strangers(land: Land) -> None:
    landed = land(
        {
            "unique_id": "1",
            "actions": ["text", {"type": "note"}, 5, None, [], {"type": "tag", "date": {"added": "7"}}, [1], True],
        }
    )
    assert landed.column("mention_actions", "position") == list(range(8))
    assert landed.column("mention_actions", "type") == [None, "note", None, None, None, "tag", None, None]
    assert landed.extras("mention_actions") == [
        {"$": "text"}, None, {"$": 5}, None, None, None, {"$": [1]}, {"$": True}
    ]  # fmt: skip
    assert landed.tables["mention_actions"][5]["added_at"] == datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)


def test_a_list_of_plain_values_holds_anything_as_text(land: Land) -> None:
    landed = land({"unique_id": "1", "tags": ["a", 5, None, {"b": 1}, ["c"], True, ""]})
    assert landed.column("mention_tags", "tag") == ["a", "5", None, '{"b":1}', '["c"]', "true", ""]
    assert landed.kept() == {}


def test_members_of_mixed_kinds_in_one_list(land: Land) -> None:
    users = [{"id": "12"}, "An", {"id": "13", "new": 1}, [], 5]
    landed = land({"unique_id": "1", "actions": [{"type": "note", "user": user} for user in users]})
    assert landed.column("mention_actions", "user_id") == ["12", None, "13", None, None]
    extras = landed.extras("mention_actions")
    assert [extras[place] for place in (0, 1, 3, 4)] == [None, {"user": "An"}, None, {"user": 5}]
    assert extras[2] in ({"user.new": 1}, {"user": {"id": "13", "new": 1}})


def test_two_kinds_at_one_place_in_one_batch_are_each_kept_once(land: Land) -> None:
    sent = ["n/a", 1.5, True, {"a": 1}, 7]
    landed = land(
        *({"unique_id": str(place), "timestamps": {"handle_time": value}} for place, value in enumerate(sent))
    )
    assert landed.column("mentions", "handle_time_seconds") == [None, None, None, None, 7]
    assert landed.extras() == [*({"timestamps.handle_time": value} for value in sent[:4]), None]


# --- times that no calendar has ---


@pytest.mark.parametrize(
    ("seconds", "instant"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (-62_135_596_800, datetime(1, 1, 1, tzinfo=UTC)),
        (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_every_second_of_the_calendar_is_an_instant(land: Land, seconds: int, instant: datetime) -> None:
    landed = land({"unique_id": "1", "date": {"added": seconds}})
    assert landed.one()["added_at"] == instant
    assert landed.kept() == {}


@pytest.mark.parametrize(("site", "table", "place", "path", "column"), INSTANTS, ids=name_of)
def test_a_time_that_no_calendar_has_is_kept_as_sent(
    land: Land, payloads: ModuleType, site: Site, table: str, place: int, path: str, column: str
) -> None:
    values = [-62_135_596_801, 253_402_300_800, 1_668_629_719_000_000, 10**18, -(10**17), 2**63 - 1]
    mentions = payloads.variants(site, values)
    landed = land(*mentions.values())
    for key, value in zip(mentions, values, strict=True):
        alone = landed.alone(key)
        assert alone.tables[table][place][column] is None, value
        assert alone.kept() == kept_in(alone, table, place, path, value)


@pytest.mark.parametrize("value", ["253402300800", 1e15 + 0.5, "99999999999999999999"])
def test_a_time_of_another_kind_that_no_calendar_has_is_kept_once(land: Land, value: Any) -> None:
    landed = land({"unique_id": "1", "date": {"added": value}})
    assert landed.one()["added_at"] is None
    (kept,) = landed.extras()
    assert str(kept["date.added"]) == str(value)


# --- lists whose places have meanings ---


@pytest.mark.parametrize(
    ("indices", "start", "end", "kept"),
    [
        ([3, 9], 3, 9, False),
        ([3], 3, None, False),
        ([], None, None, False),
        ([None, 9], None, 9, False),
        (None, None, None, False),
        ([3, 9, 12], 3, 9, True),
        ([1.5, 2.7], None, None, True),
        ([1, 2, "x"], None, None, True),
        ("3-9", None, None, True),
        (5, None, None, True),
        ({"start": 3}, None, None, True),
        ([[3, 9]], None, None, True),
        ([2**63, 2**64 - 1], None, None, True),
        ([10**30], None, None, True),
    ],
    ids=repr,
)
def test_indices(land: Land, indices: Any, start: int | None, end: int | None, kept: bool) -> None:
    landed = land({"unique_id": "1", "message": {"entities": [{"string": "#a", "indices": indices}]}})
    row = landed.one("mention_entities")
    assert row["string"] == "#a"
    assert landed.extras("mention_entities") == [{"indices": indices} if kept else None]
    assert (row["start_index"], row["end_index"]) == (start, end)


def test_indices_as_digits_are_read_or_kept(land: Land) -> None:
    landed = land({"unique_id": "1", "message": {"entities": [{"indices": ["3", "9"]}]}})
    row = landed.one("mention_entities")
    read = (row["start_index"], row["end_index"]), landed.extras("mention_entities")
    assert read in [((3, 9), [None]), ((None, None), [{"indices": ["3", "9"]}])]


def test_strange_indices_leave_their_neighbours_alone(land: Land) -> None:
    sent = [[3, 9], "x", [1, 2, 3], [None, 4], []]
    landed = land({"unique_id": "1", "message": {"entities": {"urls": [{"indices": one} for one in sent]}}})
    assert landed.extras("mention_entities") == [None, {"indices": "x"}, {"indices": [1, 2, 3]}, None, None]
    assert landed.column("mention_entities", "end_index") == [9, None, 2, 4, None]


def test_both_spellings_of_a_field_are_read(land: Land) -> None:
    landed = land({"unique_id": "1", "service_details": [{"locationUrl": "a"}, {"location_url": "b"}]})
    assert landed.column("mention_service_details", "location_url") == ["a", "b"]
    assert landed.drift == ()


def test_a_second_spelling_with_another_value_is_kept(land: Land) -> None:
    landed = land({"unique_id": "1", "service_details": [{"locationUrl": "a", "location_url": "b"}]})
    assert landed.column("mention_service_details", "location_url") == ["a"]
    assert landed.extras("mention_service_details") == [{"location_url": "b"}]


# --- whatever changes, wherever ---


def stored_values(landed: Any) -> set[str]:
    """Every value to be found in the rows, as text; the values inside JSON texts included."""
    found: set[str] = set()

    def add(value: Any) -> None:
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                add(inner)
        elif isinstance(value, datetime):
            found.add(str(int(value.timestamp())))
        elif isinstance(value, float) and value.is_integer():
            found.update({str(value), str(int(value))})
        else:
            found.add(str(value))
            if isinstance(value, str) and value[:1] in ("{", "["):
                try:
                    inside = json.loads(value)
                except ValueError:
                    return
                add(inside)

    for rows in landed.tables.values():
        for row in rows:
            add(row)
    return found


@pytest.mark.parametrize("example_count", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_no_value_is_lost(land: Land, payloads: ModuleType, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        mention, marks = data.draw(payloads.drifted())
        landed = land(mention)
        stored = stored_values(landed)
        lost = [
            mark
            for mark in marks
            if str(mark) not in stored and str(float(mark) if isinstance(mark, int) else "") not in stored
        ]
        assert lost == []

    check()


@pytest.mark.parametrize("example_count", [8, pytest.param(25, marks=pytest.mark.slow)])
def test_a_row_is_the_same_whatever_shares_its_batch(land: Land, payloads: ModuleType, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        mentions = [data.draw(payloads.drifted(f"1_{number}"))[0] for number in range(2)]
        together, apart = land(*mentions), [land(mention) for mention in mentions]
        for name, rows in together.tables.items():
            assert rows == [row for alone in apart for row in alone.tables[name]]

    check()

"""An object that the warehouse holds is left out whole; one that changed comes whole and says which lists emptied."""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import itemgetter
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.contract import contract

Land = Callable[..., Any]
Tables = dict[str, list[dict[str, Any]]]

MENTION = contract("mention")
CHILDREN = MENTION.tables[1:]
LOADED_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KNOWN = pa.schema([("account_id", pa.string()), ("unique_id", pa.string()), ("_content_hash", pa.string())])


def known_as(hashes: dict[str, str | None], *, account_id: str = "1417") -> pa.Table:
    return pa.Table.from_pylist(
        [{"account_id": account_id, "unique_id": key, "_content_hash": mark} for key, mark in hashes.items()], KNOWN
    )


def hashes(landed: Any) -> dict[str, str]:
    return {row["unique_id"]: row["_content_hash"] for row in landed.tables["mentions"]}


def removal(table: Any, unique_id: str) -> dict[str, Any]:
    """The row that says that an object has no more rows in a table: its key, and nothing else."""
    row = dict.fromkeys(column.name for column in table.all_columns)
    row |= dict.fromkeys((name for name in table.key_names if name.endswith("position")), -1)
    return row | {"account_id": "1417", "unique_id": unique_id, "_loaded_at": LOADED_AT, "_is_removed": True}


def brute_force(landed: Any, known: dict[str, str | None]) -> Tables:
    """The same, object by object."""
    now = hashes(landed)
    written = [key for key in now if key not in known or known[key] != now[key]]
    expected: Tables = {
        name: [row for row in rows if row["unique_id"] in written] for name, rows in landed.tables.items()
    }
    for table in CHILDREN:
        for key in written:
            if key in known and not any(row["unique_id"] == key for row in expected[table.name]):
                expected[table.name].append(removal(table, key))
        expected[table.name].sort(key=itemgetter(*table.key_names))
    return expected


@pytest.fixture(scope="module")
def land_three(land: Land, payloads: ModuleType) -> Callable[..., Any]:
    """A full mention, one with a tag only, and one without lists; without what is known."""
    records = (payloads.changed(("unique_id",), "a"), {"unique_id": "b", "tags": ["x"]}, {"unique_id": "c"})
    return lambda known=None, **more: land(*records, known=known, **more)


@pytest.fixture(scope="module")
def three(land_three: Callable[..., Any]) -> Any:
    """The three with nothing known."""
    return land_three()


def test_nothing_known_leaves_all_as_it_is(land_three: Callable[..., Any], three: Any) -> None:
    assert land_three(known_as({})).tables == three.tables


def test_what_is_unchanged_vanishes_with_its_children(land_three: Callable[..., Any], three: Any) -> None:
    left = land_three(known_as({"a": hashes(three)["a"]})).tables
    for table in MENTION.tables:
        assert left[table.name] == [row for row in three.tables[table.name] if row["unique_id"] != "a"]


def test_when_all_is_unchanged_nothing_is_left(land_three: Callable[..., Any], three: Any) -> None:
    left = land_three(known_as(dict(hashes(three)))).tables
    assert left == {table.name: [] for table in MENTION.tables}


def test_what_changed_comes_whole(land_three: Callable[..., Any], three: Any) -> None:
    left = land_three(known_as({"a": "another"})).tables
    assert {name: [row for row in rows if row["unique_id"] == "a"] for name, rows in left.items()} == {
        name: [row for row in rows if row["unique_id"] == "a"] for name, rows in three.tables.items()
    }


def test_an_emptied_list_gets_one_row_with_the_key_and_nothing_else(land_three: Callable[..., Any]) -> None:
    left = land_three(known_as({"b": "another"})).tables
    for table in CHILDREN:
        rows = [row for row in left[table.name] if row["unique_id"] == "b"]
        if table.name == "mention_tags":
            assert [(row["tag"], row["_is_removed"]) for row in rows] == [("x", None)]
        else:
            assert rows == [removal(table, "b")]


def test_a_list_that_had_no_rows_needs_none(land_three: Callable[..., Any], three: Any) -> None:
    left = land_three(known_as({"b": "another"}), without_rows=["mention_todos"]).tables
    assert left["mention_todos"] == three.tables["mention_todos"]
    assert {name for name, rows in left.items() if any(row.get("_is_removed") for row in rows)} == (
        {table.name for table in CHILDREN} - {"mention_tags", "mention_todos"}
    )


def test_a_new_object_s_empty_lists_need_no_row(land_three: Callable[..., Any], three: Any) -> None:
    left = land_three(known_as({"elsewhere": "mark"})).tables
    assert left == three.tables


def test_a_row_whose_load_did_not_end_is_written_again(land_three: Callable[..., Any]) -> None:
    left = land_three(known_as({"c": None})).tables
    assert [row["unique_id"] for row in left["mentions"]] == ["a", "b", "c"]
    for table in CHILDREN:
        assert [row for row in left[table.name] if row["unique_id"] == "c"] == [removal(table, "c")]


def test_another_account_s_object_is_another_object(land_three: Callable[..., Any], three: Any) -> None:
    known = known_as(dict(hashes(three)), account_id="1418")
    assert land_three(known).tables == three.tables


def test_the_columns_stay_the_same(land_three: Callable[..., Any], three: Any) -> None:
    marks: dict[str, str | None] = {**hashes(three)}
    cases: list[dict[str, str | None]] = [{}, {"a": None}, {"b": marks["b"]}, marks]
    for known in cases:
        left = land_three(known_as(known)).flattened.tables
        for table in MENTION.tables:
            assert left[table.name].schema == three.flattened.tables[table.name].schema
            assert all(left[table.name][name].null_count == 0 for name in table.key_names)


def test_an_object_is_never_written_and_removed_in_one_table(land_three: Callable[..., Any]) -> None:
    left = land_three(known_as(dict.fromkeys("abc", "another"))).tables
    for table in CHILDREN:
        removed = [row["unique_id"] for row in left[table.name] if row["_is_removed"]]
        written = {row["unique_id"] for row in left[table.name] if not row["_is_removed"]}
        assert len(removed) == len(set(removed))
        assert written.isdisjoint(removed)
        assert written | set(removed) == set("abc")


def test_a_topic_is_known_by_its_id_in_its_table_and_by_topic_id_in_its_lists(land: Land) -> None:
    records = ({"id": 1, "monitoredprofiles": [{"id": 5}]}, {"id": 2}, {"id": 3, "name": "x"})
    landed = land(*records, of="topic")
    marks = {row["id"]: row["_content_hash"] for row in landed.tables["topics"]}
    known = pa.table(
        {"account_id": ["1417"] * 3, "id": ["1", "2", "3"], "_content_hash": ["another", "another", marks["3"]]}
    )
    left = land(*records, of="topic", known=known).tables
    assert [row["id"] for row in left["topics"]] == ["1", "2"]
    profiles = left["topic_monitored_profiles"]
    assert [(row["topic_id"], row["id"], row["_is_removed"]) for row in profiles] == [
        ("1", "5", None),
        ("2", None, True),
    ]


@pytest.mark.parametrize("example_count", [10, pytest.param(30, marks=pytest.mark.slow)])
def test_it_is_what_a_loop_over_objects_leaves(land: Land, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        tag = st.sampled_from(["x", "y"])
        assign = st.lists(st.builds(lambda one: {"id": one}, tag), max_size=2).map(
            lambda found: {"metadata": {"assignees": found}}
        )
        bodies = st.fixed_dictionaries(
            {}, optional={"tags": st.lists(tag, max_size=2), "actions": st.lists(assign, max_size=2)}
        )
        objects = data.draw(st.dictionaries(st.sampled_from("abcdef"), bodies, max_size=5))
        records = [{"unique_id": key, **body} for key, body in objects.items()]
        landed = land(*records)
        marks: dict[str, st.SearchStrategy[str | None]] = {
            key: st.sampled_from([hashes(landed).get(key, "gone"), "another", None]) for key in "abcdef"
        }
        known = data.draw(st.fixed_dictionaries({}, optional=marks))
        left = land(*records, known=known_as(known))
        assert left.tables == brute_force(landed, known)
        written_again = {row["unique_id"] for row in left.tables["mentions"]} & set(known)
        assert left.flattened.are_new == (not written_again)

    check()

"""A list's rows are numbered from 0 in the API's order, also those of a list inside a list."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Land = Callable[..., Any]


def test_from_nought_in_the_api_s_order(land: Land) -> None:
    tags = [f"tag {number}" for number in (5, 3, 9, 1, 12, 0, 7, 11, 2, 10, 4)]
    landed = land({"unique_id": "1", "tags": tags})
    assert [(row["position"], row["tag"]) for row in landed.tables["mention_tags"]] == list(enumerate(tags))


def test_a_null_keeps_its_place(land: Land) -> None:
    landed = land({"unique_id": "1", "tags": ["a", None, "b"], "buttons": [None, {"id": "x"}, []]})
    assert [(row["position"], row["tag"]) for row in landed.tables["mention_tags"]] == [(0, "a"), (1, None), (2, "b")]
    assert [(row["position"], row["id"]) for row in landed.tables["mention_buttons"]] == [
        (0, None),
        (1, "x"),
        (2, None),
    ]


def test_every_mention_is_numbered_by_itself(land: Land) -> None:
    landed = land({"unique_id": "1", "tags": ["a", "b"]}, {"unique_id": "2"}, {"unique_id": "3", "tags": ["c"]})
    rows = landed.tables["mention_tags"]
    assert [(row["unique_id"], row["position"], row["tag"]) for row in rows] == [
        ("1", 0, "a"),
        ("1", 1, "b"),
        ("3", 0, "c"),
    ]


def test_a_grandchild_carries_its_parent_s_place(land: Land) -> None:
    def assign(*ids: str) -> Any:
        return {"type": "assign", "metadata": {"assignees": [{"id": one} for one in ids]}}

    landed = land(
        {"unique_id": "1", "actions": [assign("a", "b"), {"type": "note"}, assign("c")], "todos": [{"id": "t"}]},
        {"unique_id": "2", "actions": [{"type": "tag", "metadata": []}, assign("d")]},
        {"unique_id": "3", "todos": [{"assignees": []}, {"assignees": [{"id": "e"}, {"id": "f"}]}]},
    )
    actions = landed.tables["mention_action_assignees"]
    assert [(row["unique_id"], row["action_position"], row["position"], row["id"]) for row in actions] == [
        ("1", 0, 0, "a"),
        ("1", 0, 1, "b"),
        ("1", 2, 0, "c"),
        ("2", 1, 0, "d"),
    ]
    todos = landed.tables["mention_todo_assignees"]
    assert [(row["unique_id"], row["todo_position"], row["position"], row["id"]) for row in todos] == [
        ("3", 1, 0, "e"),
        ("3", 1, 1, "f"),
    ]


def test_the_places_are_the_same_when_a_shape_has_to_be_looked_at(land: Land, payloads: ModuleType) -> None:
    """Unknown fields take another way through the database."""
    plain = land(payloads.full()).tables
    mention = payloads.changed(("actions", 1, "metadata", "assignees", 1, "new"), 1)
    mention["todos"][0]["assignees"][0]["new"] = 2
    mention["service_details"]["author_phone"]["new"] = 3
    strange = land(mention).tables
    for name, rows in plain.items():
        hidden = {"_extra", "_content_hash"}
        assert [{key: row[key] for key in row if key not in hidden} for row in strange[name]] == [
            {key: row[key] for key in row if key not in hidden} for row in rows
        ]


@pytest.mark.parametrize("example_count", [8, pytest.param(25, marks=pytest.mark.slow)])
def test_every_element_is_found_at_its_place(land: Land, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(
        lists=st.lists(st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=4), max_size=4),
        is_strange=st.booleans(),
    )
    def check(lists: list[list[list[int]]], is_strange: bool) -> None:
        new = {"new": 1} if is_strange else {}
        landed = land(
            *(
                {
                    "unique_id": f"{number}",
                    "actions": [{"metadata": {"assignees": [{"id": one, **new} for one in ids]}} for ids in actions],
                }
                for number, actions in enumerate(lists)
            )
        )
        rows = landed.tables["mention_action_assignees"]
        assert [(row["unique_id"], row["action_position"], row["position"], row["id"]) for row in rows] == [
            (f"{number}", action, place, f"{one}")
            for number, actions in enumerate(lists)
            for action, ids in enumerate(actions)
            for place, one in enumerate(ids)
        ]

    check()

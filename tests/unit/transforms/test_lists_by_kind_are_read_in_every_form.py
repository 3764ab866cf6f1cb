"""Entities and service details come as a list, as an object of lists, or as an object of elements."""

from collections.abc import Callable
from typing import Any

import pytest

Land = Callable[..., Any]


def entities(land: Land, sent: Any) -> list[tuple[int, str | None, str | None]]:
    landed = land({"unique_id": "1", "message": {"entities": sent}})
    assert landed.drift == ()
    assert landed.kept() == {}
    return [(row["position"], row["kind"], row["string"]) for row in landed.tables["mention_entities"]]


def test_as_a_list_they_have_no_kind(land: Land) -> None:
    assert entities(land, [{"string": "#a"}, {"string": "@b"}]) == [(0, None, "#a"), (1, None, "@b")]


def test_as_an_object_of_lists(land: Land) -> None:
    sent = {"hashtags": [{"string": "#a"}, {"string": "#b"}], "urls": [{"string": "c.be"}], "users": []}
    assert entities(land, sent) == [(0, "hashtags", "#a"), (1, "hashtags", "#b"), (2, "urls", "c.be")]


def test_as_an_object_of_elements(land: Land) -> None:
    sent = {"users": {"string": "@b"}, "hashtags": {"string": "#a"}}
    assert entities(land, sent) == [(0, "users", "@b"), (1, "hashtags", "#a")]


def test_as_an_object_of_both(land: Land) -> None:
    sent = {"users": {"string": "@b"}, "hashtags": [{"string": "#a"}, {"string": "#c"}], "urls": {"string": "d.be"}}
    assert entities(land, sent) == [
        (0, "users", "@b"),
        (1, "hashtags", "#a"),
        (2, "hashtags", "#c"),
        (3, "urls", "d.be"),
    ]


def test_positions_follow_the_api_past_nine(land: Land) -> None:
    sent = {"z": [{"string": str(number)} for number in range(12)], "a": [{"string": "last"}]}
    assert entities(land, sent) == [*((number, "z", str(number)) for number in range(12)), (12, "a", "last")]


@pytest.mark.parametrize("nothing", [[], {}, None, {"hashtags": []}, {"hashtags": [], "urls": []}], ids=repr)
def test_none_give_no_rows(land: Land, nothing: Any) -> None:
    assert entities(land, nothing) == []


@pytest.mark.parametrize("nothing", [{"hashtags": None}, {"hashtags": None, "urls": []}], ids=repr)
def test_a_kind_that_is_null_gives_no_row(land: Land, nothing: Any) -> None:
    assert entities(land, nothing) == []


def test_kinds_the_contract_never_heard_of_are_kinds(land: Land) -> None:
    assert entities(land, {"cashtags": [{"string": "$X"}]}) == [(0, "cashtags", "$X")]


def test_a_kind_can_have_any_name(land: Land) -> None:
    kinds = ["", "$", "/", "~", "~1", "a.b", "0", "-", "*", "'", '"', "\\", "é", "\u0000", "$.a[*]", "a/b", "{}", ":[]"]
    sent = {kind: {"string": "x"} if place % 2 else [{"string": "y"}] for place, kind in enumerate(kinds)}
    assert entities(land, sent) == [(place, kind, "yx"[place % 2]) for place, kind in enumerate(kinds)]


def test_forms_mix_from_record_to_record(land: Land) -> None:
    phone = {"author_phone": "+32"}
    place = {"location_id": 5, "location_url": "u"}
    landed = land(
        {"unique_id": "1", "service_details": [phone]},
        {"unique_id": "2", "service_details": {"location_details": place}},
        {"unique_id": "3", "service_details": {"location_details": [place], "author_phone": phone}},
        {"unique_id": "4", "service_details": []},
        {"unique_id": "5"},
    )
    rows = landed.tables["mention_service_details"]
    assert [
        (row["unique_id"], row["position"], row["kind"], row["location_id"], row["author_phone"]) for row in rows
    ] == [
        ("1", 0, None, None, "+32"),
        ("2", 0, "location_details", "5", None),
        ("3", 0, "location_details", "5", None),
        ("3", 1, "author_phone", None, "+32"),
    ]
    assert landed.drift == ()


def test_what_is_no_element_is_kept_under_its_kind(land: Land) -> None:
    landed = land(
        {"unique_id": "1", "service_details": {"author_phone": "+32", "location_details": {"location_id": 1}}}
    )
    rows = landed.tables["mention_service_details"]
    assert [(row["kind"], row["location_id"]) for row in rows] == [("author_phone", None), ("location_details", "1")]
    assert landed.extras("mention_service_details") == [{"$": "+32"}, None]

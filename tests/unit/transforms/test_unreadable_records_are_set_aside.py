"""A record that cannot be read is set aside with its text and the reason; the rest of its page is untouched."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec
import pytest

Land = Callable[..., Any]

NOT_OBJECTS = ['"text"', '""', "null", "7", "1.5", "true", "[]", "[1]", '[{"unique_id": "1"}]']
WITHOUT_KEY = [
    "{}",
    '{"id": "71"}',
    '{"unique_id": null}',
    '{"unique_id": ""}',
    '{"unique_id": null, "new": 1}',
    '{"UNIQUE_ID": "1"}',
    '{"message": {"unique_id": "1"}}',
]


def page(*records: str) -> list[str]:
    return [f'{{"response": {{"data": [{", ".join(records)}]}}}}']


@pytest.mark.parametrize("record", NOT_OBJECTS)
def test_what_is_no_object(land: Land, record: str) -> None:
    landed = land(bodies=page(record))
    (row,) = landed.quarantine
    assert row["reason"].startswith("not an object but ")
    assert row["raw_text"] == record
    assert (row["account_id"], row["object"]) == ("1417", "mention")
    assert row["_loaded_at"] == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert all(rows == [] for rows in landed.tables.values())


@pytest.mark.parametrize("record", WITHOUT_KEY)
def test_what_has_no_key(land: Land, record: str) -> None:
    landed = land(bodies=page(record))
    (row,) = landed.quarantine
    assert row["reason"] == "no value for the key unique_id"
    assert row["raw_text"] == record
    assert all(rows == [] for rows in landed.tables.values())


@pytest.mark.parametrize("record", ['{"unique_id": []}', '{"unique_id": {}}', '{"unique_id": {"a": 1}}'])
def test_a_key_is_a_text_or_a_number(land: Land, record: str) -> None:
    landed = land(bodies=page(record))
    assert [row["raw_text"] for row in landed.quarantine] == [record]
    assert landed.tables["mentions"] == []


def test_the_rest_of_the_page_is_untouched(land: Land, payloads: ModuleType) -> None:
    bad = [*NOT_OBJECTS, *WITHOUT_KEY]
    good = [json.dumps(payloads.changed(("unique_id",), f"1_{place:02}")) for place in range(len(bad) + 1)]
    mixed = [record for pair in zip(good, bad, strict=False) for record in pair] + good[-1:]
    landed, alone = land(bodies=page(*mixed)), land(bodies=page(*good))
    assert landed.tables == alone.tables
    assert len(landed.tables["mentions"]) == len(good)
    assert sorted(row["raw_text"] for row in landed.quarantine) == sorted(bad)


def test_a_bad_record_is_no_drift(land: Land) -> None:
    landed = land(bodies=page('{"new": 1}', '"text"', '{"unique_id": "1"}'))
    assert landed.drift == ()
    assert landed.kept() == {}


def test_a_record_that_came_twice_is_set_aside_once(land: Land) -> None:
    landed = land(bodies=page("null", "7", "null", "7", "8"))
    assert sorted(row["raw_text"] for row in landed.quarantine) == ["7", "8", "null"]
    assert len({row["content_hash"] for row in landed.quarantine}) == 3


@pytest.mark.parametrize(
    "body", ["", "no JSON", "{}", '{"response": []}', '{"response": {"data": {}}}', '{"response": {']
)
def test_a_body_without_a_list_of_records_is_an_error(land: Land, body: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        land(bodies=[body])


def test_users_and_topics_need_their_id(land: Land) -> None:
    for of in ("user", "topic"):
        landed = land({"id": 1}, {"name": "x"}, {"id": None}, of=of)
        assert landed.column(f"{of}s", "id") == ["1"]
        assert {row["reason"] for row in landed.quarantine} == {"no value for the key id"}
        assert {row["object"] for row in landed.quarantine} == {of}

"""An identifier is text, however the API writes it: 17 and more digits do not fit a float."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from transforms.contract import contract

Land = Callable[..., Any]

LONG = [
    2**53 + 1,
    10**16 + 1,
    43769358878509009,
    999_999_999_999_999_999,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    10**20 + 1,
    123456789012345678901234567890,
]


@pytest.mark.parametrize("write", [int, str], ids=["number", "text"])
def test_no_digit_is_lost(land: Land, write: Callable[[int], Any]) -> None:
    landed = land(
        *(
            {
                "unique_id": write(number),
                "id": write(number),
                "author": {"id": write(number), "tags": [write(number)]},
                "source": {"id": write(number), "identifiers": {"document_id": write(number)}},
                "assignment": {"user_ids": [write(number)]},
                "actions": [{"user": {"id": write(number)}, "metadata": {"assignees": [{"id": write(number)}]}}],
                "message": {"attachments": [{"id": write(number)}], "entities": {"urls": [{"url": write(number)}]}},
                "service_details": [{"location_id": write(number)}],
            }
            for number in LONG
        )
    )
    for number in map(str, LONG):
        alone = landed.alone(number)
        row = alone.one()
        assert {row["id"], row["author_id"], row["source_id"], row["source_identifiers_document_id"]} == {number}
        assert alone.one("mention_author_tags")["tag"] == number
        assert alone.one("mention_assignment_users")["user_id"] == number
        assert alone.one("mention_actions")["user_id"] == number
        assert alone.one("mention_action_assignees")["id"] == number
        assert alone.one("mention_attachments")["id"] == number
        assert alone.one("mention_entities")["url"] == number
        assert alone.one("mention_service_details")["location_id"] == number
    assert landed.drift == ()


def test_numbers_and_texts_mix_from_record_to_record(land: Land) -> None:
    landed = land(
        *({"unique_id": str(place), "author": {"id": value}} for place, value in enumerate([5, "5", "a.be", 2**64]))
    )
    assert landed.column("mentions", "author_id") == ["5", "5", "a.be", "18446744073709551616"]


def test_columns_of_identifiers_are_text_whatever_came(land: Land) -> None:
    tables = land({"unique_id": 1, "id": 2, "topic": {"id": 3}}).flattened.tables
    for table in contract("mention").tables:
        for field in tables[table.name].schema:
            if field.name == "id" or field.name.endswith("_id"):
                assert field.type == pa.string()

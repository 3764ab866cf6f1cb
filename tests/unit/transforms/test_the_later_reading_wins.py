"""Of two readings of one object the later counts, with its lists and without the earlier's."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from transforms.contract import contract

Land = Callable[..., Any]


def body(*records: Any) -> str:
    return json.dumps({"response": {"data": records}})


@pytest.mark.parametrize("cut", ["one page", "two pages"])
def test_with_its_children(land: Land, payloads: ModuleType, cut: str) -> None:
    earlier = payloads.full()
    later = payloads.changed(("tags",), ["only"])
    later["actions"] = []
    later["status"] = "new"
    del later["todos"]
    bodies = [body(earlier, later)] if cut == "one page" else [body(earlier), body(later)]
    assert land(bodies=bodies).tables == land(later).tables


def test_also_when_it_says_less(land: Land, payloads: ModuleType) -> None:
    bare = {"unique_id": "9_71"}
    landed = land(payloads.full(), bare)
    assert landed.tables == land(bare).tables
    assert {name for name, rows in landed.tables.items() if rows} == {"mentions"}


def test_a_number_and_a_text_are_one_key(land: Land) -> None:
    landed = land({"unique_id": 7, "status": "new"}, {"unique_id": "7", "status": "done"})
    assert landed.column("mentions", "status") == ["done"]


def test_keys_that_differ_in_a_letter_or_a_blank_are_two(land: Land) -> None:
    keys = ["1_a", "1_A", "1_a ", "1_\u00e1", "1_a\u0301", "01_a"]
    assert len(land(*({"unique_id": key} for key in keys)).tables["mentions"]) == len(keys)


def test_each_of_many_keeps_its_last(land: Land) -> None:
    readings = [(key, number) for number in range(5) for key in range(4) if (key + number) % 3]
    landed = land(*({"unique_id": str(key), "timestamps": {"handle_time": number}} for key, number in readings))
    assert landed.column("mentions", "handle_time_seconds") == [number for _, number in sorted(dict(readings).items())]


def test_what_only_the_earlier_had_unknown_is_gone(land: Land) -> None:
    landed = land({"unique_id": "1", "new": 1}, {"unique_id": "1", "id": "x"})
    assert landed.extras() == [None]


def test_an_unreadable_reading_does_not_replace_a_readable_one(land: Land) -> None:
    landed = land({"unique_id": "1", "status": "new"}, {"unique_id": None, "status": "done"})
    assert landed.column("mentions", "status") == ["new"]


# --- and the mark by which an unchanged object is known ---


def hash_of(land: Land, record: str, **other: Any) -> str:
    found = land(bodies=[f'{{"response":{{"data":[{record}]}}}}'], **other).one()["_content_hash"]
    assert isinstance(found, str)
    assert len(found) == 32
    return found


def test_the_same_text_has_the_same_hash_wherever_it_came(land: Land, payloads: ModuleType) -> None:
    record = json.dumps(payloads.full())
    alone = hash_of(land, record)
    landed = land(bodies=[body({"unique_id": "0"}, payloads.full()), body({"unique_id": "a"})])
    assert landed.column("mentions", "_content_hash")[1] == alone


def test_any_change_changes_the_hash(land: Land) -> None:
    texts = ['{"unique_id":"1"}', '{"unique_id":"1","id":null}', '{"unique_id":1}', '{"unique_id":"1","new":1}']
    assert len({hash_of(land, text) for text in texts}) == len(texts)


def test_two_accounts_never_share_a_hash(land: Land, flatten: Callable[..., Any]) -> None:
    record = '{"response":{"data":[{"unique_id":"1"}]}}'
    one = land(bodies=[record])
    other = flatten(contract("mention"), [record], account_id="1418").tables["mentions"]
    assert other["account_id"].to_pylist() == ["1418"]
    assert other["_content_hash"].to_pylist() != one.column("mentions", "_content_hash")

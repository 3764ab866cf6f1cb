"""What the strict reader lets pass has no difference to find: only the rest is taken apart."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Sandbox
from transforms.contract import contract
from transforms.drift import EXTRA_KEY, Drift, _Fitting, fit, is_as_declared, read_records

Land = Callable[..., Any]
MENTION = contract("mention")
PATH = "$.response.data"


def differences(*records: Any) -> tuple[Drift, ...]:
    return tuple(sorted(fit(MENTION, read_records(body(*records), PATH)).drift))


def taken_apart(record: Any) -> set[Drift]:
    """The differences of a record that the strict reader has not looked at first."""
    found: set[Drift] = set()
    _Fitting(MENTION.root.name, found).element(record, MENTION.root.element)
    return found


def body(*records: Any) -> str:
    return json.dumps({"response": {"data": records}})


@pytest.mark.parametrize("example_count", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_as_declared_means_no_difference_and_nothing_kept(land: Land, payloads: ModuleType, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        mention = data.draw(st.one_of(payloads.mentions, payloads.drifted().map(lambda drawn: drawn[0])))
        if is_as_declared(MENTION, body(mention), PATH):
            assert taken_apart(mention) == set()
            landed = land(mention)
            assert landed.drift == ()
            assert landed.kept() == {}

    check()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_has_been_made_to_fit_is_as_declared(data: st.DataObject, payloads: ModuleType) -> None:
    mention, *_ = data.draw(payloads.drifted())
    for text in filter(None, fit(MENTION, read_records(body(mention), PATH)).fitted):
        assert is_as_declared(MENTION, body(without_extra(json.loads(text))), PATH)


def without_extra(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_extra(inner) for key, inner in value.items() if key != EXTRA_KEY}
    return [without_extra(inner) for inner in value] if isinstance(value, list) else value


def test_a_sandbox_s_mentions_are_as_declared_in_either_spelling() -> None:
    mentions = Sandbox(mentions=300, seed=8).mentions(1417)
    text = json.dumps(mentions)
    assert '"locationUrl"' in text
    assert '"location_url"' in text
    assert differences(*mentions) == ()
    assert all(is_as_declared(MENTION, body(mention), PATH) for mention in mentions)


def test_the_real_tweet_and_the_full_mention_are_as_declared(payloads: ModuleType) -> None:
    assert is_as_declared(MENTION, body(json.loads(payloads.TWEET), payloads.full()), PATH)


@pytest.mark.parametrize(
    "change",
    [
        {"tags": [None]},
        {"buttons": [None, []]},
        {"service_details": [None]},
        {"message": {"entities": {"hashtags": [None]}}},
        {"message": {"entities": {"hashtags": None}}},
    ],
    ids=repr,
)
def test_a_null_in_a_list_is_no_difference(payloads: ModuleType, change: Any) -> None:
    assert is_as_declared(MENTION, body(payloads.full() | change), PATH)
    assert taken_apart(payloads.full() | change) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"new": 1},
        {"author": "x"},
        {"author": [1]},
        {"author": {"new": None}},
        {"author": {"name": {"a": 1}}},
        {"timestamps": {"handle_time": "5"}},
        {"timestamps": {"handle_time": 1.5}},
        {"timestamps": {"handle_time": True}},
        {"timestamps": {"handle_time": 10**20}},
        {"date": {"added": "5"}},
        {"location": {"latitude": "5"}},
        {"author": {"managed": 1}},
        {"tags": "x"},
        {"tags": {"0": "x"}},
        {"tags": [{"a": 1}]},
        {"actions": ["x"]},
        {"actions": [{"new": 1}]},
        {"actions": [{"metadata": {"assignees": [{"new": 1}]}}]},
        {"message": {"entities": "x"}},
        {"message": {"entities": {"a": "x"}}},
        {"message": {"entities": {"a": [{"new": 1}]}}},
        {"message": {"entities": [{"indices": ["x"]}]}},
        {"message": {"entities": [{"indices": [1.5]}]}},
        {"service_details": {"a": {"new": 1}}},
    ],
    ids=repr,
)
def test_a_difference_is_seen_by_both(payloads: ModuleType, change: Any) -> None:
    mention = payloads.full() | change
    assert not is_as_declared(MENTION, body(mention), PATH)
    assert len(differences(mention)) == 1
    assert differences(payloads.full(), mention, payloads.full()) == differences(mention), "each is told once"


def test_a_list_of_mixed_kinds_tells_of_that_list_alone() -> None:
    found = differences({"unique_id": "1", "actions": [{"type": "note", "date": {"added": 1}}, "text"]})
    assert {(one.table, one.path) for one in found} == {("mention_actions", ())}


def test_differences_come_in_a_fixed_order(payloads: ModuleType) -> None:
    changes = [{"new": 1}, {"author": "x"}, {"actions": [{"new": 1}]}, {"tags": 5}, {"date": {"added": True}}]
    mentions = [payloads.full() | change for change in changes]
    assert differences(*mentions) == differences(*reversed(mentions)) == tuple(sorted(differences(*mentions)))
    assert len(differences(*mentions)) == len(changes)

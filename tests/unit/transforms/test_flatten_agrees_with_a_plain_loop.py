"""Every table and column of `flatten` equals what a plain Python loop makes of the same mentions."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from operator import itemgetter
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Sandbox
from transforms.contract import contract

Land = Callable[..., Any]
LOADED_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def assert_agrees(landed: Any, expected: dict[str, list[dict[str, Any]]]) -> None:
    assert landed.tables.keys() == expected.keys()
    keys = {table.name: table.key_names for table in contract("mention").tables}
    for name, rows in expected.items():
        found = [{key: value for key, value in row.items() if key != "_content_hash"} for row in landed.tables[name]]
        assert found == sorted(rows, key=itemgetter(*keys[name])), name


def test_on_a_sandbox_s_mentions(land: Land, oracle: ModuleType, payloads: ModuleType) -> None:
    mentions = Sandbox(mentions=300).mentions(1417)
    landed = land(*mentions)
    assert_agrees(landed, oracle.flatten(mentions, account_id="1417", loaded_at=LOADED_AT))
    assert landed.drift == ()
    assert landed.quarantine == []
    assert len(landed.tables["mentions"]) == 300
    empty = sorted(name for name, rows in landed.tables.items() if not rows)
    assert empty == [], "the sandbox was to fill every table"
    assert payloads


def test_on_a_mention_with_every_field(land: Land, oracle: ModuleType, payloads: ModuleType) -> None:
    landed = land(payloads.full())
    assert_agrees(landed, oracle.flatten([payloads.full()], account_id="1417", loaded_at=LOADED_AT))
    assert landed.drift == ()
    for name, rows in landed.tables.items():
        unused = {"_extra", "deleted_at", "_is_removed"}
        silent = {column for column in rows[0] if all(row[column] is None for row in rows)} - unused
        assert silent - {"short_url", "long_url", "display_url"} == set(), f"{name}: no value reached these"


def test_the_plain_loop_knows_every_table_and_column(land: Land, oracle: ModuleType) -> None:
    """Else a column could be wrong and nobody would look."""
    landed = land()
    for listing in oracle.all_lists():
        assert landed.tables[listing.table] == []
    assert {listing.table for listing in oracle.all_lists()} | {"mentions"} == set(landed.tables)


@pytest.mark.parametrize("example_count", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_on_any_mentions_in_any_pages(land: Land, oracle: ModuleType, payloads: ModuleType, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        mentions = data.draw(st.lists(payloads.mentions, max_size=3))
        landed = land(bodies=data.draw(payloads.bodies_of(mentions)))
        assert_agrees(landed, oracle.flatten(mentions, account_id="1417", loaded_at=LOADED_AT))
        assert landed.quarantine == []

    check()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_size_of_the_pages_makes_no_difference(land: Land, oracle: ModuleType, size: int) -> None:
    mentions = Sandbox(mentions=100, seed=5).mentions(1417)
    pages = [mentions[start : start + size] for start in range(0, len(mentions), size)]
    landed = land(bodies=[json.dumps({"response": {"data": page}}) for page in pages])
    assert_agrees(landed, oracle.flatten(mentions, account_id="1417", loaded_at=LOADED_AT))

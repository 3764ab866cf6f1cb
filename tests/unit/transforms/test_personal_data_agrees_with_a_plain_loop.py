"""Masking equals what a plain Python loop makes of the same mentions, and what is kept reads the same again."""

import hmac
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Sandbox
from transforms.contract import contract

Json = Any

MENTION = contract("mention")

# Written by hand, from the vendor's document: what of a mention says who somebody is, or what somebody said.
PERSONAL = """
    author.id author.name author.fullname author.url author.img
    original_author.id original_author.name original_author.fullname original_author.url original_author.img
    message.title message.content message.stripped_content
    message.entities.string message.entities.text message.entities.filter message.entities.url
    message.entities.short_url message.entities.long_url message.entities.display_url message.entities.screen_name
    message.attachments.url message.attachments.title message.attachments.image message.attachments.description
    message.attachments.caption
    source.id source.in_reply_to_message_id source.thread_id source.url source.domain source.sender.name
    location.region location.city assignment.comments assignees.display_name
    actions.user.name actions.description actions.details actions.metadata.assignees.display_name
    extra_attributes.value todos.author.name todos.author.email todos.text todos.assignees.display_name
    clicked_buttons.payload
    service_details.author_phone service_details.locationAddress service_details.location_address
"""
TEXTS = set(PERSONAL.split())
NUMBERS = {"location.longitude", "location.latitude"}
BY_KIND = {"message.entities", "service_details"}


class Loop:
    """Masks a mention, value by value."""

    def __init__(self, policy: Any, oracle: ModuleType) -> None:
        self.policy = policy
        self.text = oracle.text

    def field(self, value: Json, path: str) -> Json:
        """What is at a path of the mention; elements of lists have the list's path."""
        if isinstance(value, dict) and path in BY_KIND:
            return {kind: self.element(found, path) for kind, found in value.items()}
        return self.element(value, path)

    def element(self, value: Json, path: str) -> Json:
        """What is at a path, in whatever list."""
        if isinstance(value, list):
            return [self.element(element, path) for element in value]
        if isinstance(value, dict):
            return {name: self.field(found, f"{path}.{name}".removeprefix(".")) for name, found in value.items()}
        if value is None or path not in TEXTS | NUMBERS:
            return value
        if path in NUMBERS or self.policy.mode == "drop":
            return None
        key, text = self.policy.key.encode(), self.text(value).encode()
        return hmac.new(key, text, "sha256").hexdigest()[:32] if text else ""


def assert_agrees(mentions: list[Json], masking: ModuleType, oracle: ModuleType) -> None:
    for policy in (masking.HASH, masking.DROP):
        found = masking.flatten(MENTION, mentions, policy)
        expected = masking.flatten(MENTION, Loop(policy, oracle).field(mentions, ""), masking.KEEP)
        assert found.values() == expected.values()
        assert found.quarantine == []
        assert_reads_again(found, masking)


def assert_reads_again(found: Any, masking: ModuleType) -> None:
    again = masking.read_again(MENTION, found)
    assert again.values() == found.values()
    assert again.drift == set()
    assert again.quarantine == []


def test_on_a_sandbox_s_mentions(masking: ModuleType, oracle: ModuleType) -> None:
    assert_agrees(Sandbox(mentions=300).mentions(1417), masking, oracle)


def test_on_a_mention_with_every_field(masking: ModuleType, oracle: ModuleType, payloads: ModuleType) -> None:
    assert_agrees([payloads.full()], masking, oracle)


def test_the_list_is_the_contract_s() -> None:
    """Else a mark could go, and with it what is masked, and nobody would look."""
    marked = set()
    for table in MENTION.tables:
        above = [] if table.parent is None else [*(table.parent.path if table.parent.parent else ()), *table.path]
        for column in table.all_columns:
            if column.personal:
                marked |= {".".join((*above, *column.path[:-1], name)) for name in (column.path[-1], *column.also)}
    assert marked == TEXTS | NUMBERS


# Few examples of several mentions: what takes time is the number of examples, and hardly how many mentions are in one.
@pytest.mark.parametrize("example_count", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_on_any_mentions(masking: ModuleType, oracle: ModuleType, payloads: ModuleType, example_count: int) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        assert_agrees(data.draw(st.lists(payloads.mentions, max_size=10)), masking, oracle)

    check()


@pytest.mark.parametrize("example_count", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_mentions_that_differ_lose_what_is_not_declared_and_read_the_same_again(
    masking: ModuleType, payloads: ModuleType, example_count: int
) -> None:
    @settings(max_examples=example_count, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        mentions = [data.draw(payloads.drifted(f"1_{number}"))[0] for number in range(data.draw(st.integers(1, 8)))]
        kept = masking.flatten(MENTION, mentions, masking.KEEP)
        for policy in (masking.HASH, masking.DROP):
            found = masking.flatten(MENTION, mentions, policy)
            assert {row["_extra"] for rows in found.tables.values() for row in rows} == {None}
            told = {(each.table, each.path, each.expected, each.found) for each in found.drift}
            assert told == {(each.table, each.path, each.expected, each.found) for each in kept.drift}
            assert not any(each.is_kept for each in found.drift)
            assert {name: len(rows) for name, rows in found.tables.items()} == {
                name: len(rows) for name, rows in kept.tables.items()
            }
            assert_reads_again(found, masking)

    check()

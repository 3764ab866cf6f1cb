"""Nothing that the sandbox knows of a person is left anywhere in what is stored, of any object.

What is personal is said here once more, by the names that the API gives it, without a look at the contracts' marks.
"""

import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from sandbox import Sandbox
from transforms.contract import contracts
from transforms.personal_data import shape_of

Json = Any

ACCOUNT_ID = 1417
LISTS = {
    "users": "user",
    "userroles": "user_role",
    "teams": "team",
    "tags": "tag",
    "connectedprofiles": "connected_profile",
    "topics": "topic",
    "customattributes": "custom_attribute",
    "canned_responses_folders": "canned_response_folder",
    "canned_responses": "canned_response",
    "businesshoursschedules": "business_hours_schedule",
    "profilegroups": "profile_group",
    "publishing_guidelines": "publishing_guideline",
    "crisis_plans": "crisis_plan",
    "dashboards": "dashboard",
    "mailboxes": "mailbox",
}

# Under whichever of the first names, whichever of the others.
ABOUT_PEOPLE = {
    "author original_author": "id name fullname url img email",
    "user coordinators assignee completed_by added_by sender": "name email avatar",
    "message": "title content stripped_content",
    "users entities": "screen_name",
    "source": "id in_reply_to_message_id thread_id url",
    "location": "region city latitude longitude",
    "actions": "description details",
    "assignment": "comments",
    "todos": "text",
    "clicked_buttons": "payload",
    "service_details location_details author_phone": "author_phone locationAddress location_address",
    "contact": "name company email phone comments",
    "city region": "name",
    "socialprofiles": "service_id username displayname avatar url location bio",
    "customattributes extra_attributes": "value",
    "account_change security_event": "description ip",
    "crisis_plan todo_items": "description instructions instructions_html description_html",
    "canned_response": "message formatted_message",
    "object": "content",
}
ANYWHERE = ("display_name", "email", "phone", "ip")
NAMES = {
    (above, name) for several, names in ABOUT_PEOPLE.items() for above in several.split() for name in names.split()
}

# What an account names its own things, and whom it speaks as in public: not of people, though towns and brands.
OWN_NAMES = {
    "tag": ["tag"],
    "team": ["name"],
    "business_hours_schedule": ["name"],
    "custom_attribute": ["allowed_values"],
    "connected_profile": ["displayname", "username", "service_id"],
}


@pytest.fixture(scope="module")
def objects() -> dict[str, list[Json]]:
    """Every object of a sandbox's account, by the name of its contract."""
    sandbox = Sandbox(mentions=300)
    reference, now = sandbox.references[ACCOUNT_ID], sandbox.now_seconds
    mentions = sandbox.mentions(ACCOUNT_ID)
    around = [sandbox.context(ACCOUNT_ID, mention["unique_id"], "conversation_with_you") for mention in mentions[::5]]
    return {
        **{name: sandbox.objects(ACCOUNT_ID, list_name) for list_name, name in LISTS.items()},
        "account": [
            {"id": ACCOUNT_ID, "name": "Aurelle", "projects": reference.projects(now, with_email=True)},
        ],
        "filter_suggestion": reference.suggestions(now),
        "mention": mentions,
        "case": sandbox.cases(ACCOUNT_ID),
        "contact": sandbox.contacts(ACCOUNT_ID),
        "publisher_post": sandbox.publisher_posts(ACCOUNT_ID),
        "account_change": sandbox.account_changes(ACCOUNT_ID),
        "security_event": sandbox.security_events(ACCOUNT_ID),
        "context_item": [item for items in around for item in items],
    }


@pytest.fixture(scope="module")
def own_names(objects: dict[str, list[Json]]) -> list[str]:
    """What the account calls its own things, the longest first."""
    names = {
        name
        for object_name, words in OWN_NAMES.items()
        for one in objects[object_name]
        for word in words
        for name in leaves(one.get(word))
    }
    names |= {tag for one in objects["mention"] for tag in one["author"].get("tags", [])}
    return sorted(names, key=len, reverse=True)


@pytest.fixture(scope="module")
def personal(objects: dict[str, list[Json]], own_names: list[str]) -> set[str]:
    """Everything that the sandbox says of people, but for what is so short that it is found anywhere."""
    found = {value for name, several in objects.items() for one in several for value in about_people(one, name)}
    return {value for value in found if len(value) > (8 if value.isdigit() else 4)} - set(own_names)


def about_people(value: Json, above: str) -> Iterator[str]:
    """The values inside an object that are about people; `above` is the name it is found under."""
    if isinstance(value, list):
        for element in value:
            yield from about_people(element, above)
    if not isinstance(value, dict) or value.get("managed") is True or value.get("type") == "team":
        return  # an account's own profile, or a team
    if value.get("service") == "social_case":
        return  # a case was not posted by anybody: its source is the product
    for name, found in value.items():
        if isinstance(found, dict | list):
            yield from about_people(found, name)
        elif isinstance(found, str | float) and (above, name) in NAMES | {(above, each) for each in ANYWHERE}:
            yield str(found)


def stored(masking: ModuleType, objects: dict[str, list[Json]], policy: Any) -> dict[str, set[str]]:
    """Every text and number that is stored, with the columns it is in."""
    found: dict[str, set[str]] = {}
    for one in contracts():
        several = objects[one.object]
        as_json = {
            (table.name, column.name) for table in one.tables for column in table.all_columns if column.type == "json"
        }
        as_json.add(("payloads", "payload"))
        unreadable = [json.dumps([thing]) for thing in several[:20]]
        texts = [*map(json.dumps, several), *unreadable]
        landed = masking.flatten_texts(one, texts, policy, given=dict.fromkeys(one.given, "1_1"))
        assert len(landed.quarantine) == len(set(unreadable if policy.keeps else map(shape_of, unreadable)))
        for table, rows in {**landed.tables, "payloads": landed.payloads, "quarantine": landed.quarantine}.items():
            for row in rows:
                for column, value in row.items():
                    is_json = value is not None and (table, column) in as_json
                    for leaf in leaves(json.loads(value) if is_json else value):
                        found.setdefault(leaf, set()).add(f"{one.object}: {table}.{column}")
    return found


def leaves(value: Json) -> Iterator[str]:
    """The texts and numbers in a value. Not hashes: they could look like anything."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif isinstance(value, str | int | float) and not re.fullmatch("[0-9a-f]{32}", str(value)):
        yield str(value)


def left(found: dict[str, set[str]], personal: set[str], own_names: list[str]) -> dict[str, set[str]]:
    """What is found of people, and the columns that it is found in."""
    everything = "\n".join(found)
    for name in own_names:
        everything = everything.replace(name, "")
    return {
        known: {column for text, columns in found.items() if known in text for column in columns}
        for known in personal
        if known in everything
    }


def test_every_object_is_looked_at(objects: dict[str, list[Json]]) -> None:
    assert set(objects) == {one.object for one in contracts()}
    assert all(objects.values())


def test_where_it_is_kept_it_is_found(masking: ModuleType, objects: dict[str, list[Json]], personal: set[str]) -> None:
    """Else a search that finds nothing would say nothing."""
    assert len(personal) > 1_000
    everything = "\n".join(stored(masking, objects, masking.KEEP))
    assert [known for known in personal if known not in everything] == []


@pytest.mark.parametrize("mode", ["hash", pytest.param("drop", marks=pytest.mark.slow)])
def test_where_it_is_not_kept_nothing_is_left(
    masking: ModuleType, objects: dict[str, list[Json]], personal: set[str], own_names: list[str], mode: str
) -> None:
    policy = {"hash": masking.HASH, "drop": masking.DROP}[mode]
    assert left(stored(masking, objects, policy), personal, own_names) == {}


@pytest.mark.parametrize("mode", ["hash", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("keep", "drop"))])
def test_every_object_reads_the_same_again_from_its_payload(
    masking: ModuleType, objects: dict[str, list[Json]], mode: str
) -> None:
    policy = {"keep": masking.KEEP, "hash": masking.HASH, "drop": masking.DROP}[mode]
    for one in contracts():
        given = dict.fromkeys(one.given, "1_1")
        landed = masking.flatten(one, objects[one.object], policy, given=given)
        assert len(landed.payloads) == len(landed.tables[one.table])
        again = masking.read_again(one, landed, given=given)
        assert again.values() == landed.values(), one.object
        assert again.drift == set()
        assert again.quarantine == []

"""A mention looks as the API shows it, with everything that occurs in real answers."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sandbox import Sandbox

Json = dict[str, Any]

STRIPPED = {"twitter", "youtube", "tiktok"}

# Every key that the documentation gives a mention, as paths; [] stands for the elements of a list.
DOCUMENTED = """
id unique_id permalink status tags handled_by.type handled_by.flow_id author.name author.fullname author.id
author.url author.img author.managed author.tags original_author.name original_author.fullname
original_author.id original_author.url message.title message.content message.stripped_content message.entities
message.attachments message.language message.sentiment message.type message.entities.hashtags[].string
message.entities.hashtags[].indices message.entities.hashtags[].text message.entities.urls[].long_url
message.entities.users[].screen_name message.attachments[].type message.attachments[].url
message.attachments[].title message.attachments[].image message.attachments[].description
message.attachments[].caption message.attachments[].question message.attachments[].id
message.attachments[].content source.category source.service source.type source.id source.in_reply_to_message_id
source.thread_id source.domain source.url source.application source.profile source.profile_name
source.identifiers.document_id source.sender.type source.sender.id source.sender.name location.continent
location.country location.city location.region location.longitude location.latitude topic.id topic.name
project.id project.name assignment.user_ids assignment.team_ids assignment.comments assignees[].id
assignees[].type assignees[].display_name actions[].user.id actions[].user.name actions[].type
actions[].description actions[].details actions[].date.added actions[].metadata.status
actions[].metadata.priority actions[].metadata.previous_priority actions[].metadata.assignees[].id
action_links[].key action_links[].type action_links[].name action_links[].title action_links[].link
action_links[].http_method action_links[].post_params timestamps.response_time
timestamps.response_time_during_bh timestamps.resolve_time timestamps.resolve_time_during_bh
timestamps.handle_time date.added date.published priority.id priority.name priority.color extra_attributes[].id
extra_attributes[].name extra_attributes[].value part_of_cases.mention_identifiers[].id
part_of_cases.mention_identifiers[].unique_id part_of_cases.mention_identifiers[].permalink
part_of_cases.mention_identifiers[].topic.id todos[].id todos[].author.id todos[].author.name
todos[].author.email todos[].text todos[].assignees[].id todos[].status todos[].dateadd todos[].lastupdate
buttons[].id buttons[].label clicked_buttons[].id clicked_buttons[].label clicked_buttons[].payload
service_details[].location_id service_details[].location_name service_details[].locationUrl
service_details[].locationAddress service_details[].author_phone service_details.location_details.location_url
service_details.location_details.location_address service_details.product_details.product_id
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(seed=3, mentions=6_000, days=60)


@pytest.fixture(scope="module")
def mentions(sandbox: Sandbox) -> list[Json]:
    return sandbox.mentions(1417)


def paths(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every path in a JSON value with the Python types found there."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from paths(child, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list):
        for child in value:
            yield from paths(child, f"{prefix}[]")
    yield prefix, value


@pytest.fixture(scope="module")
def values(mentions: list[Json]) -> dict[str, list[Any]]:
    """What is found at each path."""
    found = defaultdict(list)
    for mention in mentions:
        for path, value in paths(mention):
            found[path].append(value)
    return dict(found)


def test_every_documented_field_occurs(values: dict[str, list[Any]]) -> None:
    assert [path for path in DOCUMENTED.split() if path not in values] == []


@pytest.mark.parametrize(
    "path",
    ["location", "part_of_cases", "source.identifiers", "actions[].user", "actions[].metadata", "todos[].author"],
)
def test_an_empty_object_may_come_as_an_empty_list(values: dict[str, list[Any]], path: str) -> None:
    assert [] in values[path]
    assert any(isinstance(value, dict) and value for value in values[path])


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("author.id", {int, str}),
        ("original_author.id", {int, str}),
        ("message.attachments[].content", {int, bool, str}),
        ("message.attachments[].id", {int}),
        ("actions[].user.id", {str}),
        ("assignees[].id", {str}),
        ("assignment.user_ids[]", {int}),
        ("assignment.team_ids[]", {int}),
        ("topic.id", {int}),
        ("id", {str}),
        ("service_details", {dict, list}),
        ("timestamps", {dict}),
        ("date.added", {int}),
        ("source.id", {str}),
    ],
)
def test_types_are_those_of_real_answers(values: dict[str, list[Any]], path: str, types: set[type]) -> None:
    assert {type(value) for value in values[path]} == types


def test_fields_that_are_often_absent_are_missing_not_null(mentions: list[Json], values: dict[str, list[Any]]) -> None:
    null_paths = {path for path, found in values.items() if None in found}
    assert null_paths == {"handled_by"}
    for key in ("location", "priority", "part_of_cases", "todos", "service_details", "extra_attributes", "handled_by"):
        assert any(key not in mention for mention in mentions), key


def test_some_networks_show_identifiers_only(mentions: list[Json]) -> None:
    stripped = [mention for mention in mentions if mention["source"]["service"] in STRIPPED]
    assert {mention["source"]["service"] for mention in stripped} == STRIPPED
    for mention in stripped:
        assert set(mention["message"]) == {"language", "sentiment"}
        assert set(mention["date"]) == {"added"}
        assert set(mention["author"]) == {"id", "managed"}
        assert isinstance(mention["author"]["id"], int)
        assert "handled_by" in mention
        assert not {"url", "profile", "application", "thread_id"} & set(mention["source"])
    assert any(mention["handled_by"] is None for mention in stripped)
    assert any("response_time" in mention["timestamps"] for mention in stripped)


def test_ids_are_17_digits_and_shared_by_topics(mentions: list[Json]) -> None:
    unique_ids = [mention["unique_id"] for mention in mentions]
    assert len(set(unique_ids)) == len(unique_ids)
    assert all(mention["unique_id"] == f"{mention['topic']['id']}_{mention['id']}" for mention in mentions)
    assert {len(mention["id"]) for mention in mentions} == {17}
    assert all(int(mention["id"]) > 2**53 for mention in mentions)
    assert len({mention["id"] for mention in mentions}) < len(mentions)


def test_actions_are_newest_first_and_not_in_the_future(sandbox: Sandbox, mentions: list[Json]) -> None:
    for mention in mentions:
        times = [action["date"]["added"] for action in mention["actions"]]
        assert times == sorted(times, reverse=True)
        assert all(mention["date"]["added"] <= at <= sandbox.now.timestamp() for at in times)


def test_status_assignees_and_sentiment_are_those_of_the_newest_action(mentions: list[Json]) -> None:
    for mention in mentions:
        by_type = {action["type"]: action for action in reversed(mention["actions"])}
        if "status" in by_type:
            assert mention["status"] == by_type["status"]["metadata"]["status"]
        else:
            assert mention["status"] == ("done" if mention["author"]["managed"] else "new")
        assert mention["assignees"] == by_type.get("assign", {"metadata": {"assignees": []}})["metadata"]["assignees"]


def business_seconds(schedule: Json, start: int, end: int) -> int:
    """The slow truth: walk through the local days of [start, end) and add up what each period shares with it."""
    zone, total = ZoneInfo(schedule["timezone"]), 0
    day = datetime.fromtimestamp(start, tz=UTC).astimezone(zone).date().toordinal()
    last = datetime.fromtimestamp(end, tz=UTC).astimezone(zone).date().toordinal()
    for ordinal in range(day, last + 1):
        for period in schedule["periods"]:
            date = datetime.fromordinal(ordinal)
            if period["dayofweek"] == date.isoweekday():
                opens, closes = (clock(date, period[side], zone) for side in ("start", "end"))
                total += max(min(end, closes) - max(start, opens), 0)
    return total


def clock(date: datetime, text: str, zone: ZoneInfo) -> int:
    next_day, hour = divmod(int(text[:2]), 24)
    local = datetime.fromordinal(date.toordinal() + next_day).replace(hour=hour, minute=int(text[2:]), tzinfo=zone)
    return int(local.timestamp())


def test_times_follow_from_publication_the_first_action_and_the_agents_schedule(
    sandbox: Sandbox, mentions: list[Json]
) -> None:
    schedules = {schedule["id"]: schedule for schedule in sandbox.schedules(1417)}
    schedule_of = {
        str(user["id"]): schedules.get(user.get("business_hours_schedule_id")) for user in sandbox.users(1417)
    }
    checked = {"with schedule": 0, "agent without schedule": 0, "automation": 0, "reopened": 0}
    for mention in mentions:
        if "published" not in mention["date"]:
            continue
        oldest_first = mention["actions"][::-1]
        replies = [action for action in oldest_first if action["type"] == "reply"]
        resolves = [action for action in oldest_first if action.get("metadata") == {"status": "done"}]
        checked["reopened"] += len(resolves) > 1
        expected = {}
        for name, actions in (("response_time", replies), ("resolve_time", resolves)):
            if actions:
                published, at = mention["date"]["published"], actions[0]["date"]["added"]
                expected[name] = at - published
                user = actions[0].get("user")
                schedule = schedule_of[user["id"]] if user else None
                if schedule:
                    expected[f"{name}_during_bh"] = business_seconds(schedule, published, at)
                checked["with schedule" if schedule else "agent without schedule" if user else "automation"] += 1
        handle_time = mention["timestamps"]["handle_time"]
        assert mention["timestamps"] == {"handle_time": handle_time} | expected
    assert min(checked.values()) > 5, checked


def test_handle_time_is_zero_until_somebody_does_something(mentions: list[Json]) -> None:
    for mention in mentions:
        by_people = [action for action in mention["actions"] if action.get("user")]
        assert (mention["timestamps"]["handle_time"] > 0) == bool(by_people)


def test_entities_point_into_the_content(mentions: list[Json]) -> None:
    found = [mention["message"] for mention in mentions if mention["message"].get("entities")]
    assert found
    for message in found:
        for entity in [entity for kind in message["entities"].values() for entity in kind]:
            start, end = entity["indices"]
            assert message["content"][start:end] == entity["string"]


def test_private_messages_have_markup_and_their_plain_text(mentions: list[Json]) -> None:
    private = [
        m["message"] for m in mentions if m["message"].get("type") == "privatemessage" and "content" in m["message"]
    ]
    assert all(message["content"].startswith("<p>") for message in private)
    assert any("<br />" in message["content"] and "\n" in message["stripped_content"] for message in private)
    assert any("&quot;" in message["content"] or "&amp;" in message["content"] for message in private)


def test_texts_and_channels_vary(mentions: list[Json]) -> None:
    contents = [mention["message"]["content"] for mention in mentions if "content" in mention["message"]]
    assert len(set(contents)) > len(contents) / 3
    assert any(ord(letter) > 0xFFFF for content in contents for letter in content)
    assert {mention["message"]["language"] for mention in mentions} >= {"en", "nl", "fr", "de", "es", "ja", "hi", "ar"}
    assert {mention["message"]["sentiment"] for mention in mentions} == {"positive", "negative", "neutral", "unset"}
    assert len({(mention["source"]["service"], mention["source"]["category"]) for mention in mentions}) >= 14


def test_erased_messages_have_lost_their_person_and_content(mentions: list[Json]) -> None:
    erased = [m for m in mentions if any(action["type"] == "erase_pii_content" for action in m["actions"])]
    assert erased
    for mention in erased:
        assert "content" not in mention["message"]
        assert "name" not in mention["author"]


def test_an_automatic_action_has_no_user_in_either_of_two_ways(mentions: list[Json]) -> None:
    automatic = [action for mention in mentions for action in mention["actions"] if not action.get("user")]
    assert {"user" in action for action in automatic} == {True, False}


def test_the_second_action_link_lacks_a_name(mentions: list[Json]) -> None:
    for mention in mentions:
        assert "name" in mention["action_links"][0]
        assert not {"name", "title"} & set(mention["action_links"][1])


def test_a_mention_is_plain_json(mentions: list[Json]) -> None:
    assert json.loads(json.dumps(mentions[:500])) == mentions[:500]

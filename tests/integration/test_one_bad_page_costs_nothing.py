"""A page in which one record cannot be read and others are not as documented: each is accounted for, the rest loads."""

# ruff: noqa: S608 - names of tables come from this file

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Make = Callable[..., Any]

READ = ["topics", "mentions", "users", "teams"]
HELD_BY_ALL = ("mentions", "mention_tags", "mention_actions")


@pytest.fixture
def site(make_site: Make) -> Any:
    """A page of mentions."""
    return make_site(mentions=40, days=2, options={"social_connect_start_date": "2026-02-27"})


def made(box: Any, number: int, **fields: Any) -> Json:
    added = int(box.now.timestamp()) - 60 * number
    return {
        "id": f"made{number}",
        "unique_id": f"made_{number}",
        "topic": {"id": box.topics(1417)[0]["id"], "name": "CEO's"},
        "status": "new",
        "actions": [],
        "date": {"added": added, "published": added},
    } | fields


def spoil(box: Any) -> None:
    """Adds the mentions that differ, each in its own way."""
    new_fields = {"mood": "Zoé is 42", "author": {"id": 7, "shoe_size": {"eu": 44}}, "tags": ["FR"]}
    act = {"type": "teleport", "description": "Beamed", "date": {"added": int(box.now.timestamp()) - 5}, "by": "Kirk"}
    changed_types = {
        "tags": {"0": "not a list"},
        "message": "only a text",
        "date": {"added": int(box.now.timestamp()) - 120, "published": "yesterday"},
        "timestamps": {"response_time": "2 hours", "handle_time": 0},
    }
    box.add_mention(1417, made(box, 1, **new_fields))
    box.add_mention(1417, made(box, 2, **changed_types))
    box.add_mention(1417, made(box, 3, status="snoozed", message={"sentiment": "furious"}, actions=[act]))
    box.faults.add("unreadable_record", path="inbox/mentions", times=None, record=["Zoé", 42])


SHAPES = {
    # table, path, expected, found: an example whose letters are x and whose digits are 0
    ("mentions", "mood", "nothing", "text"): '"xxx xx 00"',
    ("mentions", "author.shoe_size", "nothing", "an object"): '{"xx":00}',
    ("mentions", "message", "object", "text"): '"xxxx x xxxx"',
    ("mentions", "date.published", "timestamp", "text"): '"xxxxxxxxx"',
    ("mentions", "timestamps.response_time", "integer", "text"): '"0 xxxxx"',
    ("mentions", "tags", "list", "an object"): '{"0":"xxx x xxxx"}',
    ("mention_actions", "by", "nothing", "text"): '"xxxx"',
}
VALUES = {
    ("mentions", "status", "one of the documented values", "snoozed"),
    ("mentions", "message_sentiment", "one of the documented values", "furious"),
    ("mention_actions", "type", "one of the documented values", "teleport"),
}


def changes_of_shape(site: Any) -> dict[tuple[str, ...], tuple[str | None, datetime]]:
    rows = site.rows("SELECT table_name, path, expected, found, example, first_seen_at FROM history.schema_changes")
    found = {tuple(row[:4]): (row[4], row[5]) for row in rows}
    assert len(found) == len(rows), "a difference is remembered twice"
    return found


def test_every_record_of_the_page_is_accounted_for(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    good = {mention["unique_id"] for mention in site.mentions(1417)}
    spoil(site.box)
    load = site.sync(stream_names=READ).load

    held = {key for (key,) in site.rows("SELECT unique_id FROM mentions")}
    assert held == good | {"made_1", "made_2", "made_3"}

    assert load.quarantined_count == 1
    ((account, name, reason, text, at),) = site.rows(
        "SELECT account_id, object, reason, raw_text, _loaded_at FROM quarantine"
    )
    assert (account, name, reason, json.loads(text), at) == (
        *("1417", "mention", "not an object but a list", ["Zoé", 42]),
        site.box.now,
    )

    changes = changes_of_shape(site)
    assert {key: example for key, (example, _) in changes.items() if key in SHAPES} == SHAPES
    assert changes.keys() == SHAPES.keys() | VALUES
    assert {seen_at for _, seen_at in changes.values()} == {site.box.now}
    assert len(load.drift) == len(changes)
    for table, path, _, found in changes:
        lines = [line for line in load.drift if f"{table}.{path}" in line and found in line]
        assert len(lines) == 1, f"{table}.{path}: {load.drift}"
        assert f"differs from the contract: {lines[0]}" in caplog.text
    assert "Zoé" not in caplog.text
    assert "Kirk" not in caplog.text


def test_what_was_not_as_documented_is_kept(site: Any) -> None:
    spoil(site.box)
    site.sync(stream_names=READ)
    extras = dict(site.rows("SELECT unique_id, _extra FROM mentions WHERE _extra IS NOT NULL"))
    assert {key: json.loads(extra) for key, extra in extras.items()} == {
        "made_1": {"mood": "Zoé is 42", "author.shoe_size": {"eu": 44}},
        "made_2": {
            "tags": {"0": "not a list"},
            "message": "only a text",
            "date.published": "yesterday",
            "timestamps.response_time": "2 hours",
        },
    }
    columns = "author_id, message_content, published_at, response_time_seconds, handle_time_seconds, status"
    published = datetime.fromtimestamp(int(site.box.now.timestamp()) - 60, UTC)
    assert site.rows(f"SELECT {columns} FROM mentions WHERE unique_id LIKE 'made_%' ORDER BY unique_id") == [
        ("7", None, published, None, None, "new"),
        (None, None, None, None, 0, "new"),
        (None, None, published - timedelta(minutes=2), None, None, "snoozed"),
    ]
    assert site.rows("SELECT type, description, _extra FROM mention_actions WHERE unique_id = 'made_3'") == [
        ("teleport", "Beamed", '{"by":"Kirk"}')
    ]
    assert site.rows("SELECT tag FROM mention_tags WHERE unique_id LIKE 'made_%'") == [("FR",)]


def test_the_others_are_as_if_nothing_were_wrong(make_site: Make, site: Any) -> None:
    clean = make_site(mentions=40, days=2, options=site.options)
    clean.sync(stream_names=READ)
    spoil(site.box)
    site.sync(stream_names=READ)
    for table in HELD_BY_ALL:
        query = f"SELECT * EXCLUDE (_dlt_load_id) FROM {table} WHERE unique_id NOT LIKE 'made_%' ORDER BY ALL"
        assert site.rows(query) == clean.rows(query) != []


def test_a_difference_is_remembered_since_it_was_first_seen(site: Any) -> None:
    """Whatever is read later; a new one gets a time of its own; what was mended stays remembered."""
    spoil(site.box)
    site.sync(stream_names=READ)
    first = changes_of_shape(site)
    site.box.advance(hours=1)
    site.box.act(1417, "made_1", kind="note", text="seen again")
    site.box.edit_mention(1417, "made_1", {"mood": "another example 123", "colour": True})
    site.box.act(1417, "made_3", kind="status", status="done")
    load = site.sync(stream_names=READ).load
    after = changes_of_shape(site)
    colour = ("mentions", "colour", "nothing", "a boolean")
    assert after == first | {colour: after[colour]}
    assert after[colour][1] == site.box.now
    assert any("mentions.mood" in line for line in load.drift), "it is reported as often as it is seen"
    assert site.one("SELECT status FROM mentions WHERE unique_id = 'made_3'") == "done"


def test_a_bad_page_of_a_list_of_settings(site: Any) -> None:
    """The same holds where versions are kept."""
    site.box.faults.add("unreadable_record", path="settings/teams", times=None, record={"name": "no id"})
    site.box.faults.add("unknown_field", path="settings/users", times=None, where=("top",))
    load = site.sync(stream_names=READ).load
    assert load.quarantined_count == 1
    assert site.rows("SELECT object, reason, raw_text FROM quarantine") == [
        ("team", "no value for the key id", '{"name":"no id"}')
    ]
    assert [line for line in load.drift if "users.future_field" in line]
    site.assert_holds_the_truth("mention", "topic")
    teams = {str(team["id"]) for team in site.box.objects(1417, "teams")}
    for table in ("teams", "history.teams"):
        assert {key for (key,) in site.rows(f"SELECT id FROM {table}")} == teams
    extras = {extra for (extra,) in site.rows("SELECT _extra FROM users")}
    assert [json.loads(extra) for extra in extras] == [{"future_field": {"level": "top", "numbers": [1, 2]}}]
